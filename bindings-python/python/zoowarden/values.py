"""The values that operations take and give back. All of them are frozen."""

from __future__ import annotations

import base64
import enum
import hashlib
import os
from dataclasses import dataclass

from zoowarden._zoowarden import Stat

__all__ = [
    "ACL",
    "CREATOR_ALL_ACL",
    "OPEN_ACL_UNSAFE",
    "READ_ACL_UNSAFE",
    "TLS",
    "Event",
    "EventType",
    "Permission",
    "Stat",
    "State",
    "TLSVerify",
]


class State(enum.Enum):
    """How a client stands."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    CONNECTED_READ_ONLY = "connected read-only"
    SUSPENDED = "suspended"
    """The connection is lost, the session may live on: the client is looking for a server."""
    EXPIRED = "expired"
    """The session is over, and its ephemeral znodes with it."""
    AUTH_FAILED = "auth failed"
    CLOSED = "closed"

    @property
    def is_connected(self) -> bool:
        """Whether operations reach a server now."""
        return self in (State.CONNECTED, State.CONNECTED_READ_ONLY)

    @property
    def is_over(self) -> bool:
        """Whether this state is final."""
        return self in (State.EXPIRED, State.AUTH_FAILED, State.CLOSED)


class EventType(enum.Enum):
    """What a watch tells."""

    CREATED = 1
    DELETED = 2
    DATA_CHANGED = 3
    CHILDREN_CHANGED = 4
    OVERFLOW = -10
    """Events were dropped because nobody took them: read again what you watch."""
    SESSION_LOST = -1
    """The session is over, and the watch with it. The last event."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened to a znode that is watched.

    Attributes:
        type: what happened.
        path: to which znode, without chroot; empty for OVERFLOW and SESSION_LOST.
        zxid: the change behind it, or -1 if the server did not say.
        dropped: how many events were lost, for OVERFLOW.
        state: how the session ended, for SESSION_LOST.
    """

    type: EventType
    path: str = ""
    zxid: int = -1
    dropped: int = 0
    state: State | None = None


class Permission(enum.IntFlag):
    """What an ACL entry allows."""

    READ = 1
    WRITE = 2
    CREATE = 4
    DELETE = 8
    ADMIN = 16
    ALL = 31


@dataclass(frozen=True, slots=True)
class ACL:
    """One entry of an access control list: who may do what.

    Attributes:
        permissions: what is allowed.
        scheme: ``"world"``, ``"auth"``, ``"digest"``, ``"ip"``, ...
        id: who, in the words of the scheme.
    """

    permissions: Permission
    scheme: str
    id: str

    @classmethod
    def digest(cls, user: str, password: str, permissions: Permission = Permission.ALL) -> ACL:
        """An entry for whoever calls ``add_auth("digest", "user:password")``."""
        return cls(permissions, "digest", digest_id(user, password))


class TLSVerify(enum.Enum):
    """What a server's certificate must show."""

    CHAIN_AND_NAME = "chain and name"
    """A chain to a trusted authority, and the name or address that is connected to."""
    CHAIN = "chain"
    """A chain to a trusted authority."""
    NOTHING = "nothing"
    """Nothing: whoever is in between can read and change everything."""


@dataclass(frozen=True, slots=True)
class TLS:
    """How connections are secured. Files are PEM.

    Attributes:
        ca: certificates of the authorities to trust; None for those the system trusts.
        certificate: what to show a server that asks who we are.
        key: the certificate's private key, not encrypted.
        verify: what a server's certificate must show.
    """

    ca: str | os.PathLike[str] | None = None
    certificate: str | os.PathLike[str] | None = None
    key: str | os.PathLike[str] | None = None
    verify: TLSVerify = TLSVerify.CHAIN_AND_NAME


def digest_id(user: str, password: str) -> str:
    """The id of a user under the scheme ``digest``: ``user:base64(sha1(user:password))``."""
    digest = hashlib.sha1(f"{user}:{password}".encode()).digest()
    return f"{user}:{base64.b64encode(digest).decode()}"


OPEN_ACL_UNSAFE = (ACL(Permission.ALL, "world", "anyone"),)
"""Everybody may do everything."""

READ_ACL_UNSAFE = (ACL(Permission.READ, "world", "anyone"),)
"""Everybody may read."""

CREATOR_ALL_ACL = (ACL(Permission.ALL, "auth", ""),)
"""Whoever creates it may do everything, nobody else anything."""
