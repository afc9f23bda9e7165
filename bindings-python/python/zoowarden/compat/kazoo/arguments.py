"""kazoo's arguments, checked as kazoo checks them, in the form the native half takes."""

from __future__ import annotations

from typing import Any

from kazoo.protocol.paths import join, normpath
from kazoo.security import ACL, Id

from zoowarden._options import EPHEMERAL, SEQUENTIAL, Entry

_NAMES: dict[type, str] = {str: "string", bytes: "byte string", bool: "bool", int: "int"}


def demand(name: str, value: object, kind: type) -> None:
    """TypeError unless the value is of this type."""
    if not isinstance(value, kind):
        raise TypeError(f"Invalid type for '{name}' ({_NAMES[kind]} expected)")


def demand_watch(watch: Any) -> None:
    """TypeError unless a watch can be called."""
    if watch and not callable(watch):
        raise TypeError("Invalid type for 'watch' (must be a callable)")


def normal(path: str, trailing: bool = False) -> str:
    """A path as the server wants it: absolute, without doubled slashes."""
    normalised: str = normpath(join("/", path.lstrip("/")), trailing=trailing)
    return normalised


def acl_entries(acl: Any) -> list[Entry] | None:
    """ACL entries; none means everything for everybody."""
    if not acl:
        return None
    if isinstance(acl, ACL) or not isinstance(acl, (tuple, list)):
        raise TypeError("Invalid type for 'acl' (acl must be a tuple/list of ACL's)")
    return [(entry.perms, entry.id.scheme, entry.id.id) for entry in acl]


def acl_of(entries: list[Entry]) -> list[Any]:
    """kazoo's ACL entries."""
    return [ACL(permissions, Id(scheme, name)) for permissions, scheme, name in entries]


def create_flags(ephemeral: bool, sequence: bool) -> int:
    """The mode of a znode to create."""
    return EPHEMERAL * ephemeral | SEQUENTIAL * sequence
