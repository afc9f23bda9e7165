"""Recipes for :class:`zoowarden.AsyncClient`. A call that is cancelled takes its attempt along."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Any, TypeVar

from zoowarden import _zoowarden
from zoowarden._options import acl_entries, milliseconds
from zoowarden._zoowarden import Stat
from zoowarden.aio import AsyncClient
from zoowarden.errors import OperationTimeoutError
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


class AsyncHolding:
    """Something held: a lock, a lease, a leadership, a membership.

    At the end of a ``with`` it is given back; without one, when it is garbage. It keeps the session
    open.
    """

    def __init__(self, native: _zoowarden.Holding, client: AsyncClient) -> None:
        self._native = native
        # It lives as long as the session, and the session as long as its client.
        self._client = client
        self._port = client._port

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

    async def release(self) -> None:
        """Gives it back, and waits until its znode is gone. Twice is fine."""
        await self._native.release(self._port)

    async def wait_lost(self, timeout: float | None = None) -> Standing:
        """Waits until it is lost, by whatever cause, and gives that.

        Raises:
            OperationTimeoutError: it was not lost in time.
        """
        standing: str = await self._native.lost(self._port, _limit(timeout))
        return Standing(standing)

    async def __aenter__(self) -> AsyncHolding:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.release()


class _Contest:
    """Where many contend for a holding. As a context manager it acquires one and releases it."""

    def __init__(
        self,
        client: AsyncClient,
        kind: str,
        path: str,
        identifier: str | bytes,
        acl: Sequence[ACL] | None,
        layout: Layout,
        leases: int = 1,
    ) -> None:
        self._port = client._port
        self._client = client
        entries = acl_entries(acl, client._options.default_acl)
        data = identifier_bytes(identifier)
        self._native = _zoowarden.Contest(
            client._info(), kind, path, data, entries, layout.value, leases
        )
        self._entered: dict[object, list[AsyncHolding]] = {}

    async def _acquire(self, timeout: float | None) -> AsyncHolding:
        return AsyncHolding(await self._native.acquire(self._port, _limit(timeout)), self._client)

    async def _try_acquire(self) -> AsyncHolding | None:
        native: _zoowarden.Holding | None = await self._native.try_acquire(self._port)
        return None if native is None else AsyncHolding(native, self._client)

    async def _contenders(self) -> list[Contender]:
        return contenders(await self._native.contenders(self._port))

    async def __aenter__(self) -> AsyncHolding:
        holding = await self._acquire(None)
        self._entered.setdefault(asyncio.current_task(), []).append(holding)
        return holding

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        here = asyncio.current_task()
        holdings = self._entered[here]
        holding = holdings.pop()
        if not holdings:
            del self._entered[here]
        await holding.release()


class _Acquired(_Contest):
    async def acquire(self, timeout: float | None = None) -> AsyncHolding:
        """Waits for our turn.

        Raises:
            OperationTimeoutError: it did not come in time; the attempt has been taken back.
            SessionExpiredError: the session ended meanwhile.
        """
        return await self._acquire(timeout)

    async def try_acquire(self) -> AsyncHolding | None:
        """A holding if it is our turn now, else None."""
        return await self._try_acquire()


class AsyncLock(_Acquired):
    """A lock that one holds at a time; first come, first served. Not reentrant.

    ::

        async with AsyncLock(client, "/locks/a") as holding:
            ...
        holding = await AsyncLock(client, "/locks/a").acquire(timeout=5)
    """

    def __init__(
        self,
        client: AsyncClient,
        path: str,
        *,
        identifier: str | bytes = b"",
        acl: Sequence[ACL] | None = None,
        layout: Layout = Layout.KAZOO,
    ) -> None:
        super().__init__(client, "lock", path, identifier, acl, layout)

    async def contenders(self) -> list[Contender]:
        """Who holds it, and who waits, in order."""
        return await self._contenders()


class AsyncReadWriteLock:
    """A lock that many readers or one writer hold: ``async with lock.read: ...``, and ``lock.write``.

    Attributes:
        read: the readers' half.
        write: the writers' half.
    """

    def __init__(
        self,
        client: AsyncClient,
        path: str,
        *,
        identifier: str | bytes = b"",
        acl: Sequence[ACL] | None = None,
        layout: Layout = Layout.KAZOO,
    ) -> None:
        self.read = _Acquired(client, "read", path, identifier, acl, layout)
        self.write = _Acquired(client, "write", path, identifier, acl, layout)

    async def contenders(self) -> list[Contender]:
        """Who holds it, and who waits, in order."""
        return await self.read._contenders()


class AsyncSemaphore(_Acquired):
    """Leases of which so many are held at a time."""

    def __init__(
        self,
        client: AsyncClient,
        path: str,
        leases: int,
        *,
        identifier: str | bytes = b"",
        acl: Sequence[ACL] | None = None,
        layout: Layout = Layout.KAZOO,
    ) -> None:
        super().__init__(client, "semaphore", path, identifier, acl, layout, leases)

    async def holders(self) -> list[Contender]:
        """Who holds a lease."""
        return await self._contenders()


class AsyncElection(_Contest):
    """One leads at a time: ``async with AsyncElection(client, "/leader") as leadership: ...``."""

    def __init__(
        self,
        client: AsyncClient,
        path: str,
        *,
        identifier: str | bytes = b"",
        acl: Sequence[ACL] | None = None,
        layout: Layout = Layout.KAZOO,
    ) -> None:
        super().__init__(client, "election", path, identifier, acl, layout)

    async def lead(self, timeout: float | None = None) -> AsyncHolding:
        """Waits until we lead.

        Raises:
            OperationTimeoutError: we did not in time, and stand no more.
            SessionExpiredError: the session ended meanwhile.
        """
        return await self._acquire(timeout)

    async def try_lead(self) -> AsyncHolding | None:
        """The leadership if nobody else has it, else None."""
        return await self._try_acquire()

    async def contenders(self) -> list[Contender]:
        """Who leads, and who would, in order."""
        return await self._contenders()

    async def leader(self) -> Contender | None:
        """Who leads, or None."""
        return next(iter(await self.contenders()), None)


class AsyncGroup(_Contest):
    """Who is here: ``async with AsyncGroup(client, "/members", identifier="me"): ...``."""

    def __init__(
        self,
        client: AsyncClient,
        path: str,
        *,
        identifier: str | bytes = b"",
        acl: Sequence[ACL] | None = None,
    ) -> None:
        super().__init__(client, "group", path, identifier, acl, Layout.KAZOO)

    async def join(self) -> AsyncHolding:
        """Joins; releasing the holding leaves. Each call is another member."""
        return await self._acquire(None)

    async def members(self) -> list[Contender]:
        """Who is here, in the order in which they joined."""
        return await self._contenders()


class AsyncBarrier:
    """A gate: whoever waits goes on when it is removed."""

    def __init__(self, client: AsyncClient, path: str) -> None:
        self._port = client._port
        self._client = client
        self._native = _zoowarden.Barrier(client._info(), path)

    async def set(self) -> bool:
        """Closes the gate; False if it was closed."""
        closed: bool = await self._native.set(self._port)
        return closed

    async def remove(self) -> bool:
        """Opens the gate; False if it was open."""
        opened: bool = await self._native.remove(self._port)
        return opened

    async def wait(self, timeout: float | None = None) -> None:
        """Waits until the gate is open.

        Raises:
            OperationTimeoutError: it was not in time.
        """
        await self._native.wait(self._port, _limit(timeout))


class AsyncDoubleBarrier:
    """So many begin and end together: ``async with AsyncDoubleBarrier(client, "/step", 3): ...``."""

    def __init__(
        self,
        client: AsyncClient,
        path: str,
        members: int,
        *,
        identifier: str | bytes = b"",
        acl: Sequence[ACL] | None = None,
    ) -> None:
        self._port = client._port
        self._client = client
        entries = acl_entries(acl, client._options.default_acl)
        data = identifier_bytes(identifier)
        self._native = _zoowarden.DoubleBarrier(client._info(), path, members, data, entries)
        self._inside: _zoowarden.Inside | None = None

    async def enter(self, timeout: float | None = None) -> None:
        """Waits until all are there.

        Raises:
            OperationTimeoutError: they were not in time; we are not counted any more.
            SessionExpiredError: the session ended meanwhile.
        """
        if self._inside is not None:
            raise RuntimeError("inside already: leave() first")
        self._inside = await self._native.enter(self._port, _limit(timeout))

    async def leave(self, timeout: float | None = None) -> None:
        """Leaves, and waits until all who were inside have left.

        Raises:
            OperationTimeoutError: they have not in time; we have.
        """
        inside, self._inside = self._inside, None
        if inside is None:
            raise RuntimeError("not inside: enter() first")
        await inside.leave(self._port, _limit(timeout))

    async def __aenter__(self) -> AsyncDoubleBarrier:
        await self.enter()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.leave()


class AsyncCounter:
    """A number that many change; no change is lost."""

    def __init__(
        self, client: AsyncClient, path: str, encoding: CounterEncoding = CounterEncoding.DECIMAL
    ) -> None:
        self._port = client._port
        self._client = client
        self._native = _zoowarden.Counter(client._info(), path, encoding.value)

    async def get(self) -> int:
        """The number."""
        value: int = await self._native.get(self._port)
        return value

    async def add(self, delta: int = 1) -> int:
        """Adds, and gives the sum.

        Raises:
            ConnectionLossError: nobody knows whether it was added.
        """
        value: int = await self._native.add(self._port, delta)
        return value

    async def set(self, value: int) -> None:
        """Sets the number."""
        await self._native.set(self._port, value)

    async def compare_and_set(self, expected: int, new: int) -> int:
        """Sets the number if it is the expected one; gives what it was."""
        value: int = await self._native.compare_and_set(self._port, expected, new)
        return value


class AsyncQueue:
    """Entries, each for one taker, in the order of priority, then of arrival. At most once."""

    def __init__(self, client: AsyncClient, path: str) -> None:
        self._port = client._port
        self._client = client
        self._native = _zoowarden.Queue(client._info(), path)

    async def put(self, data: bytes, priority: int = 100) -> None:
        """Puts an entry; priorities go from 0, first, to 999."""
        await self._native.put(self._port, data, priority)

    async def take(self, timeout: float | None = None) -> Entry:
        """Waits for an entry and takes it.

        Raises:
            OperationTimeoutError: none came in time.
        """
        return Entry(*await self._taken(self._native.take(self._port, _limit(timeout))))

    async def try_take(self) -> Entry | None:
        """Takes an entry if there is one, else None."""
        entry = await self._taken(self._native.try_take(self._port))
        return None if entry is None else Entry(*entry)

    async def _taken(self, taking: asyncio.Future[Any]) -> Any:
        try:
            return await taking
        except asyncio.CancelledError:
            # The task was cancelled after the entry had come: it is for others.
            if not taking.cancelled() and taking.exception() is None and taking.result():
                data, priority, _name = taking.result()
                self._native.put((self._port, lambda _value, _error: None), data, priority)
            raise

    async def qsize(self) -> int:
        """How many entries wait."""
        size: int = await self._native.length(self._port)
        return size


class AsyncZnodeCache:
    """Follows one znode, there or not: ``async with AsyncZnodeCache(client, "/config") as cache: ...``."""

    def __init__(self, client: AsyncClient, path: str) -> None:
        self._client, self._path = client, path
        self._port = client._port
        self._started: _zoowarden.ZnodeCache | None = None

    @property
    def _native(self) -> _zoowarden.ZnodeCache:
        if self._started is None:
            raise RuntimeError("the cache has not been started: await start()")
        return self._started

    async def start(self) -> AsyncZnodeCache:
        """Reads the znode once, and follows it from then on."""
        if self._started is None:
            start = _zoowarden.ZnodeCache.start
            self._started = await start(self._port, self._client._info(), self._path)
        return self

    async def __aenter__(self) -> AsyncZnodeCache:
        return await self.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._started = None

    @property
    def current(self) -> tuple[bytes, Stat] | None:
        """Data and Stat, or None if it is not there. Raises what ended the cache."""
        return self._native.current()

    async def wait_changed(self, timeout: float | None = None) -> tuple[bytes, Stat] | None:
        """Waits until something else is there than this gave the last time, and gives that.

        The first call compares with what was there when the cache was made.

        Raises:
            OperationTimeoutError: nothing changed in time.
        """
        current: tuple[bytes, Stat] | None = await self._native.changed(self._port, _limit(timeout))
        return current


class AsyncTreeCache:
    """Follows a path and everything below it: ``async with AsyncTreeCache(client, "/app")``."""

    def __init__(self, client: AsyncClient, path: str, *, znodes_max: int = 1_000_000) -> None:
        self._client, self._path, self._znodes_max = client, path, znodes_max
        self._port = client._port
        self._started: _zoowarden.TreeCache | None = None

    @property
    def _native(self) -> _zoowarden.TreeCache:
        if self._started is None:
            raise RuntimeError("the cache has not been started: await start()")
        return self._started

    async def start(self) -> AsyncTreeCache:
        """Reads everything once, and follows it from then on."""
        if self._started is None:
            start, session = _zoowarden.TreeCache.start, self._client._info()
            self._started = await start(self._port, session, self._path, self._znodes_max)
        return self

    async def __aenter__(self) -> AsyncTreeCache:
        return await self.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._started = None

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

    async def next_change(self, timeout: float | None = None) -> TreeChange | None:
        """Waits for the next change since the cache was made; None if there is none in time."""
        try:
            change = await self._native.next_change(self._port, _limit(timeout))
        except OperationTimeoutError:
            return None
        return None if change is None else tree_change(change)

    async def changes(self) -> AsyncIterator[TreeChange]:
        """The changes since the cache was made, as they come."""
        while (change := await self.next_change()) is not None:
            yield change
