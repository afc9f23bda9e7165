"""The values that recipes take and give back."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from zoowarden._zoowarden import Stat


class Standing(enum.Enum):
    """How a holding stands."""

    HELD = "held"
    """It is ours: the connection is up, and nothing else was heard."""
    UNCERTAIN = "uncertain"
    """There is no connection: begin nothing that needs it."""
    RELEASED = "released"
    """It was given back."""
    REMOVED = "removed"
    """Somebody removed its znode."""
    SESSION_ENDED = "session ended"
    """The session has ended."""
    OUT_OF_CONTACT = "out of contact"
    """There was no connection for a third of the session timeout."""

    @property
    def is_lost(self) -> bool:
        """Whether it is lost for good."""
        return self not in (Standing.HELD, Standing.UNCERTAIN)


class Layout(enum.Enum):
    """Whose names the znodes of a line have. All of them are recognised, whichever is chosen."""

    KAZOO = "kazoo"
    CURATOR = "curator"
    CURATOR_LATCH = "curator-latch"


class CounterEncoding(enum.Enum):
    """How a counter's number stands in its znode."""

    DECIMAL = "decimal"
    """Digits: kazoo's Counter of integers."""
    INT32 = "int32"
    """Four bytes: Curator's SharedCount."""
    INT64 = "int64"
    """Eight bytes: Curator's DistributedAtomicLong."""


@dataclass(frozen=True, slots=True)
class Contender:
    """Somebody who holds something or stands in line for it.

    Attributes:
        name: of its znode.
        identifier: what it says of itself.
        token: the fencing token that it has when its turn comes.
    """

    name: str
    identifier: bytes
    token: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What was taken out of a queue."""

    data: bytes
    priority: int
    name: str


class ChangeType(enum.Enum):
    """What happened to a tree cache."""

    ADDED = "added"
    UPDATED = "updated"
    REMOVED = "removed"
    MISSED = "missed"
    """Changes were read too slowly, and some were dropped: look at the whole cache."""


@dataclass(frozen=True, slots=True)
class TreeChange:
    """A change of a tree cache.

    Attributes:
        type: what happened.
        path: to which znode; empty for MISSED.
        data: what is in it now, for ADDED and UPDATED.
        stat: its Stat, for ADDED and UPDATED.
        missed: how many changes were dropped, for MISSED.
    """

    type: ChangeType
    path: str
    data: bytes | None = None
    stat: Stat | None = None
    missed: int = 0


Row = tuple[str, bytes, int]
Change = tuple[str, str, "tuple[bytes, Stat] | None", int]


def contenders(rows: Iterable[Row]) -> list[Contender]:
    """As they come from the native half."""
    return [Contender(*row) for row in rows]


def tree_change(change: Change) -> TreeChange:
    """As it comes from the native half."""
    kind, path, znode, missed = change
    data, stat = znode if znode is not None else (None, None)
    return TreeChange(ChangeType(kind), path, data, stat, missed)


def identifier_bytes(identifier: str | bytes) -> bytes:
    """An identifier as it stands in a znode."""
    return identifier.encode() if isinstance(identifier, str) else identifier
