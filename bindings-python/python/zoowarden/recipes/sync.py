"""Recipes for :class:`zoowarden.Client`. Calls block, with the interpreter released."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TypeVar

from zoowarden import _zoowarden
from zoowarden._options import acl_entries, milliseconds
from zoowarden._zoowarden import Stat
from zoowarden.client import Client
from zoowarden.errors import ClientClosedError, OperationTimeoutError
from zoowarden.recipes.values import (
    Contender,
    CounterEncoding,
    Entry,
    Layout,
    Standing,
    TreeChange,
    contenders,
    identifier_bytes,
    tree_change,
)
from zoowarden.values import ACL

T = TypeVar("T", bound="_Contest")


def _limit(timeout: float | None) -> int | None:
    return None if timeout is None else milliseconds(timeout)


class Holding:
    """Something held: a lock, a lease, a leadership, a membership.

    At the end of a ``with`` it is given back; without one, when it is garbage. It keeps the session
    open.
    """

    def __init__(self, native: _zoowarden.Holding, client: Client) -> None:
        self._native = native
        # It lives as long as the session, and the session as long as its client.
        self._client = client

    @property
    def token(self) -> int:
        """The fencing token: greater than that of every earlier holder."""
        return self._native.token()

    @property
    def path(self) -> str:
        """Its znode."""
        return self._native.path()

    @property
    def standing(self) -> Standing:
        """How it stands now."""
        return Standing(self._native.standing())

    @property
    def is_held(self) -> bool:
        """Whether it is certainly held: False as soon as the connection is lost."""
        return self.standing is Standing.HELD

    def release(self) -> None:
        """Gives it back, and waits until its znode is gone. Twice is fine."""
        self._native.release(None)

    def wait_lost(self, timeout: float | None = None) -> Standing:
        """Waits until it is lost, by whatever cause, and gives that.

        Raises:
            OperationTimeoutError: it was not lost in time.
        """
        standing: str = self._native.lost(None, _limit(timeout))
        return Standing(standing)

    def __enter__(self) -> Holding:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


class _Contest:
    """Where many contend for a holding. As a context manager it acquires one and releases it."""

    def __init__(
        self,
        client: Client,
        kind: str,
        path: str,
        identifier: str | bytes,
        acl: Sequence[ACL] | None,
        layout: Layout,
        leases: int = 1,
    ) -> None:
        self._client = client
        entries = acl_entries(acl, client._options.default_acl)
        data = identifier_bytes(identifier)
        self._native = _zoowarden.Contest(
            client._info(), kind, path, data, entries, layout.value, leases
        )
        self._entered: dict[object, list[Holding]] = {}

    def _acquire(self, timeout: float | None) -> Holding:
        return Holding(self._native.acquire(None, _limit(timeout)), self._client)

    def _try_acquire(self) -> Holding | None:
        native: _zoowarden.Holding | None = self._native.try_acquire(None)
        return None if native is None else Holding(native, self._client)

    def _contenders(self) -> list[Contender]:
        return contenders(self._native.contenders(None))

    def __enter__(self) -> Holding:
        holding = self._acquire(None)
        self._entered.setdefault(threading.get_ident(), []).append(holding)
        return holding

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        here = threading.get_ident()
        holdings = self._entered[here]
        holding = holdings.pop()
        if not holdings:
            del self._entered[here]
        holding.release()


class _Acquired(_Contest):
    def acquire(self, timeout: float | None = None) -> Holding:
        """Waits for our turn.

        Raises:
            OperationTimeoutError: it did not come in time; the attempt has been taken back.
            SessionExpiredError: the session ended meanwhile.
        """
        return self._acquire(timeout)

    def try_acquire(self) -> Holding | None:
        """A holding if it is our turn now, else None."""
        return self._try_acquire()


class Lock(_Acquired):
    """A lock that one holds at a time; first come, first served. Not reentrant.

    ::

        with Lock(client, "/locks/a") as holding:
            ...
        holding = Lock(client, "/locks/a").acquire(timeout=5)
    """

    def __init__(
        self,
        client: Client,
        path: str,
        *,
        identifier: str | bytes = b"",
        acl: Sequence[ACL] | None = None,
        layout: Layout = Layout.KAZOO,
    ) -> None:
        super().__init__(client, "lock", path, identifier, acl, layout)

    def contenders(self) -> list[Contender]:
        """Who holds it, and who waits, in order."""
        return self._contenders()


class ReadWriteLock:
    """A lock that many readers or one writer hold: ``with lock.read: ...``, ``with lock.write: ...``.

    Attributes:
        read: the readers' half.
        write: the writers' half.
    """

    def __init__(
        self,
        client: Client,
        path: str,
        *,
        identifier: str | bytes = b"",
        acl: Sequence[ACL] | None = None,
        layout: Layout = Layout.KAZOO,
    ) -> None:
        self.read = _Acquired(client, "read", path, identifier, acl, layout)
        self.write = _Acquired(client, "write", path, identifier, acl, layout)

    def contenders(self) -> list[Contender]:
        """Who holds it, and who waits, in order."""
        return self.read._contenders()


class Semaphore(_Acquired):
    """Leases of which so many are held at a time."""

    def __init__(
        self,
        client: Client,
        path: str,
        leases: int,
        *,
        identifier: str | bytes = b"",
        acl: Sequence[ACL] | None = None,
        layout: Layout = Layout.KAZOO,
    ) -> None:
        super().__init__(client, "semaphore", path, identifier, acl, layout, leases)

    def holders(self) -> list[Contender]:
        """Who holds a lease."""
        return self._contenders()


class Election(_Contest):
    """One leads at a time: ``with Election(client, "/leader") as leadership: ...``."""

    def __init__(
        self,
        client: Client,
        path: str,
        *,
        identifier: str | bytes = b"",
        acl: Sequence[ACL] | None = None,
        layout: Layout = Layout.KAZOO,
    ) -> None:
        super().__init__(client, "election", path, identifier, acl, layout)

    def lead(self, timeout: float | None = None) -> Holding:
        """Waits until we lead.

        Raises:
            OperationTimeoutError: we did not in time, and stand no more.
            SessionExpiredError: the session ended meanwhile.
        """
        return self._acquire(timeout)

    def try_lead(self) -> Holding | None:
        """The leadership if nobody else has it, else None."""
        return self._try_acquire()

    def contenders(self) -> list[Contender]:
        """Who leads, and who would, in order."""
        return self._contenders()

    def leader(self) -> Contender | None:
        """Who leads, or None."""
        return next(iter(self.contenders()), None)


class Group(_Contest):
    """Who is here: ``with Group(client, "/members", identifier="me"): ...``."""

    def __init__(
        self,
        client: Client,
        path: str,
        *,
        identifier: str | bytes = b"",
        acl: Sequence[ACL] | None = None,
    ) -> None:
        super().__init__(client, "group", path, identifier, acl, Layout.KAZOO)

    def join(self) -> Holding:
        """Joins; releasing the holding leaves. Each call is another member."""
        return self._acquire(None)

    def members(self) -> list[Contender]:
        """Who is here, in the order in which they joined."""
        return self._contenders()


class Barrier:
    """A gate: whoever waits goes on when it is removed."""

    def __init__(self, client: Client, path: str) -> None:
        self._client = client
        self._native = _zoowarden.Barrier(client._info(), path)

    def set(self) -> bool:
        """Closes the gate; False if it was closed."""
        closed: bool = self._native.set(None)
        return closed

    def remove(self) -> bool:
        """Opens the gate; False if it was open."""
        opened: bool = self._native.remove(None)
        return opened

    def wait(self, timeout: float | None = None) -> None:
        """Waits until the gate is open.

        Raises:
            OperationTimeoutError: it was not in time.
        """
        self._native.wait(None, _limit(timeout))


class DoubleBarrier:
    """So many begin and end together: ``with DoubleBarrier(client, "/step", 3): ...``."""

    def __init__(
        self,
        client: Client,
        path: str,
        members: int,
        *,
        identifier: str | bytes = b"",
        acl: Sequence[ACL] | None = None,
    ) -> None:
        self._client = client
        entries = acl_entries(acl, client._options.default_acl)
        data = identifier_bytes(identifier)
        self._native = _zoowarden.DoubleBarrier(client._info(), path, members, data, entries)
        self._inside: _zoowarden.Inside | None = None

    def enter(self, timeout: float | None = None) -> None:
        """Waits until all are there.

        Raises:
            OperationTimeoutError: they were not in time; we are not counted any more.
            SessionExpiredError: the session ended meanwhile.
        """
        if self._inside is not None:
            raise RuntimeError("inside already: leave() first")
        self._inside = self._native.enter(None, _limit(timeout))

    def leave(self, timeout: float | None = None) -> None:
        """Leaves, and waits until all who were inside have left.

        Raises:
            OperationTimeoutError: they have not in time; we have.
        """
        inside, self._inside = self._inside, None
        if inside is None:
            raise RuntimeError("not inside: enter() first")
        inside.leave(None, _limit(timeout))

    def __enter__(self) -> DoubleBarrier:
        self.enter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.leave()


class Counter:
    """A number that many change; no change is lost."""

    def __init__(
        self, client: Client, path: str, encoding: CounterEncoding = CounterEncoding.DECIMAL
    ) -> None:
        self._client = client
        self._native = _zoowarden.Counter(client._info(), path, encoding.value)

    def get(self) -> int:
        """The number."""
        value: int = self._native.get(None)
        return value

    def add(self, delta: int = 1) -> int:
        """Adds, and gives the sum.

        Raises:
            ConnectionLossError: nobody knows whether it was added.
        """
        value: int = self._native.add(None, delta)
        return value

    def set(self, value: int) -> None:
        """Sets the number."""
        self._native.set(None, value)

    def compare_and_set(self, expected: int, new: int) -> int:
        """Sets the number if it is the expected one; gives what it was."""
        value: int = self._native.compare_and_set(None, expected, new)
        return value


class Queue:
    """Entries, each for one taker, in the order of priority, then of arrival. At most once."""

    def __init__(self, client: Client, path: str) -> None:
        self._client = client
        self._native = _zoowarden.Queue(client._info(), path)

    def put(self, data: bytes, priority: int = 100) -> None:
        """Puts an entry; priorities go from 0, first, to 999."""
        self._native.put(None, data, priority)

    def take(self, timeout: float | None = None) -> Entry:
        """Waits for an entry and takes it.

        Raises:
            OperationTimeoutError: none came in time.
        """
        return Entry(*self._native.take(None, _limit(timeout)))

    def try_take(self) -> Entry | None:
        """Takes an entry if there is one, else None."""
        entry: tuple[bytes, int, str] | None = self._native.try_take(None)
        return None if entry is None else Entry(*entry)

    def qsize(self) -> int:
        """How many entries wait."""
        size: int = self._native.length(None)
        return size


class ZnodeCache:
    """Follows one znode, there or not: ``with ZnodeCache(client, "/config") as cache: ...``."""

    def __init__(self, client: Client, path: str) -> None:
        self._client = client
        self._started: _zoowarden.ZnodeCache | None
        self._started = _zoowarden.ZnodeCache.start(None, client._info(), path)

    def close(self) -> None:
        """Follows no more. Twice is fine."""
        self._started = None

    def __enter__(self) -> ZnodeCache:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def _native(self) -> _zoowarden.ZnodeCache:
        if self._started is None:
            raise ClientClosedError("the cache is closed")
        return self._started

    @property
    def current(self) -> tuple[bytes, Stat] | None:
        """Data and Stat, or None if it is not there. Raises what ended the cache."""
        return self._native.current()

    def wait_changed(self, timeout: float | None = None) -> tuple[bytes, Stat] | None:
        """Waits until something else is there than this gave the last time, and gives that.

        The first call compares with what was there when the cache was made.

        Raises:
            OperationTimeoutError: nothing changed in time.
        """
        current: tuple[bytes, Stat] | None = self._native.changed(None, _limit(timeout))
        return current


class TreeCache:
    """Follows a path and everything below it: ``with TreeCache(client, "/app") as cache: ...``."""

    def __init__(self, client: Client, path: str, *, znodes_max: int = 1_000_000) -> None:
        self._client = client
        self._started: _zoowarden.TreeCache | None
        self._started = _zoowarden.TreeCache.start(None, client._info(), path, znodes_max)

    def close(self) -> None:
        """Follows no more. Twice is fine."""
        self._started = None

    def __enter__(self) -> TreeCache:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def _native(self) -> _zoowarden.TreeCache:
        if self._started is None:
            raise ClientClosedError("the cache is closed")
        return self._started

    def get(self, path: str) -> tuple[bytes, Stat] | None:
        """Data and Stat of a znode, or None."""
        return self._native.get(path)

    def children(self, path: str) -> list[str]:
        """Names of a znode's children, in order."""
        return self._native.children(path)

    def paths(self) -> list[str]:
        """The paths of all znodes, in order."""
        return self._native.paths()

    def __len__(self) -> int:
        return self._native.length()

    def __contains__(self, path: str) -> bool:
        return self._native.get(path) is not None

    def next_change(self, timeout: float | None = None) -> TreeChange | None:
        """Waits for the next change since the cache was made; None if there is none in time."""
        try:
            change = self._native.next_change(None, _limit(timeout))
        except OperationTimeoutError:
            return None
        return None if change is None else tree_change(change)

    def changes(self) -> Iterator[TreeChange]:
        """The changes since the cache was made, as they come."""
        while (change := self.next_change()) is not None:
            yield change
