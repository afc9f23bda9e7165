"""How a client is configured, and the form in which arguments go to the native half."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from zoowarden._zoowarden import Port, Session
from zoowarden.errors import BadArgumentsError, ClientClosedError
from zoowarden.values import ACL, TLS, Permission

if TYPE_CHECKING:
    from zoowarden.node import Node

ANY_VERSION = -1

Entry = tuple[int, str, str]

EPHEMERAL = 1
SEQUENTIAL = 2
CONTAINER = 4


@dataclass(frozen=True)
class Options:
    """What both clients are told when they are made; times are in seconds."""

    hosts: str | Sequence[str]
    session_timeout: float
    request_timeout: float | None
    read_only: bool
    shuffle: bool
    renew_session: bool
    auth: Sequence[tuple[str, str | bytes]] = field(repr=False)
    sasl: tuple[str, str] | None = field(repr=False)
    session: tuple[int, bytes] | None = field(repr=False)
    default_acl: Sequence[ACL] | None
    tls: TLS | None
    node: Node | None

    def open(self, port: Port, on_state: Callable[[], object], keep_null: bool = False) -> Session:
        """A session that connects in the background."""
        native = None if self.node is None else self.node._require()
        return Session(
            port,
            on_state,
            hosts_text(self.hosts if self.node is None else self.node.connect_string),
            session_timeout_ms=milliseconds(self.session_timeout),
            limit_ms=None if self.request_timeout is None else milliseconds(self.request_timeout),
            read_only=self.read_only,
            shuffle=self.shuffle,
            renew=self.renew_session,
            keep_null=keep_null,
            auth=[(scheme, credential_bytes(credential)) for scheme, credential in self.auth],
            sasl=self.sasl,
            session=self.session,
            tls=None if self.tls is None else tls_parts(self.tls),
            node=native,
        )


def milliseconds(seconds: float) -> int:
    """At least one; a negative time is a mistake."""
    if not 0 <= seconds < 2**31 / 1000:
        raise ValueError(f"{seconds} s is no time to wait: between 0 and 2147483 seconds, please")
    return max(1, round(seconds * 1000))


def hosts_text(hosts: str | Sequence[str]) -> str:
    """``host:port,host:port/chroot``, from itself or from its parts."""
    return hosts if isinstance(hosts, str) else ",".join(hosts)


def credential_bytes(credential: str | bytes) -> bytes:
    """A credential as it travels."""
    return credential.encode() if isinstance(credential, str) else credential


def tls_parts(tls: TLS) -> tuple[bytes | None, tuple[bytes, bytes] | None, str]:
    """What the files hold."""
    if (tls.certificate is None) != (tls.key is None):
        raise ValueError("a certificate needs its key, and a key its certificate")
    identity = None
    if tls.certificate is not None and tls.key is not None:
        identity = (Path(tls.certificate).read_bytes(), Path(tls.key).read_bytes())
    roots = None if tls.ca is None else Path(tls.ca).read_bytes()
    return roots, identity, tls.verify.value


def acl_entries(acl: Iterable[ACL] | None, default: Iterable[ACL] | None) -> list[Entry] | None:
    """ACL entries, those of the client if the call names none, or None for everybody."""
    entries = default if acl is None else acl
    if entries is None:
        return None
    return [(int(entry.permissions), entry.scheme, entry.id) for entry in entries]


def acl_of(entries: Iterable[Entry]) -> list[ACL]:
    """ACL entries as they came."""
    return [ACL(Permission(permissions), scheme, name) for permissions, scheme, name in entries]


def expected(version: int | None) -> int:
    """The version on the wire; None means any."""
    if version is None:
        return ANY_VERSION
    if version < 0:
        raise BadArgumentsError(f"version {version}: versions count from 0, and None means any")
    return version


def create_flags(
    ephemeral: bool, sequential: bool, container: bool, ttl: float | None
) -> tuple[int, int | None]:
    """The mode of a znode to create, and its time to live in milliseconds."""
    if container and (ephemeral or sequential or ttl is not None):
        raise BadArgumentsError("a container is neither ephemeral nor sequential and has no ttl")
    if ephemeral and ttl is not None:
        raise BadArgumentsError("an ephemeral znode has no ttl: it goes with its session")
    flags = EPHEMERAL * ephemeral | SEQUENTIAL * sequential | CONTAINER * container
    return flags, None if ttl is None else milliseconds(ttl)


class Unusable:
    """Stands where a session is expected: every operation says why there is none."""

    def __init__(self, message: str) -> None:
        self._message = message

    def __getattr__(self, name: str) -> object:
        raise ClientClosedError(self._message)
