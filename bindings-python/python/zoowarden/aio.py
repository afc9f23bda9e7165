"""The asyncio client. A request is sent when its coroutine first runs; answers come in batches."""

from __future__ import annotations

import asyncio
import contextlib
import warnings
import weakref
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from zoowarden import _options, _ports, _transactions, _watches
from zoowarden._options import Options, Unusable, acl_entries, create_flags, expected
from zoowarden._transactions import Builder
from zoowarden._watches import Calling, Source, StateListener, WatchCallback
from zoowarden._zoowarden import Port, Session, Stat
from zoowarden.errors import ClientClosedError
from zoowarden.values import ACL, TLS, Event, State

if TYPE_CHECKING:
    from zoowarden.node import Node

ClientT = TypeVar("ClientT", bound="AsyncClient")

NOT_CONNECTED = (
    "not connected yet: use `async with AsyncClient(...) as client`, or await connect() first"
)
CLOSED = "the client is closed"


class AsyncClient:
    """A session with a ZooKeeper ensemble, for programs that use asyncio.

    It belongs to the event loop in which it was connected. Requests are carried out in the order in
    which they were made. A call that is cancelled gives up its answer; the request itself may still
    be carried out. Up to 65,536 requests may be under way; further ones raise ThrottledOpError.

    ::

        async with zoowarden.AsyncClient("127.0.0.1:2181") as client:
            await client.create("/greeting", b"hello")
            data, stat = await client.get("/greeting")

    Args:
        hosts: ``"host:port,host:port/chroot"``, or a list of ``"host:port"``. The port may be left
            out. The chroot stands before every path that is sent.
        session_timeout: seconds without contact after which the ensemble ends the session. Servers
            narrow it down; :attr:`session_timeout` says what came of it.
        read_only: whether a server without a quorum will do, for reads.
        shuffle: whether the servers are tried in random order.
        renew_session: whether a new session begins when one has expired. If not, the client is over.
        auth: credentials, each a scheme and what it takes: ``("digest", "user:password")``.
        sasl: user and password for SASL (DIGEST-MD5), proven on every connection before anything
            else is sent. The password does not travel, but use TLS as well.
        session: id and password of a session to attach to.
        default_acl: the ACL of znodes that are created without one; everybody may do everything.
        tls: how connections are secured; None for not at all.
        node: an embedded server to talk to without TCP, instead of ``hosts``.
    """

    def __init__(
        self,
        hosts: str | Sequence[str] = "127.0.0.1:2181",
        *,
        session_timeout: float = 10.0,
        read_only: bool = False,
        shuffle: bool = True,
        renew_session: bool = False,
        auth: Sequence[tuple[str, str | bytes]] = (),
        sasl: tuple[str, str] | None = None,
        session: tuple[int, bytes] | None = None,
        default_acl: Sequence[ACL] | None = None,
        tls: TLS | None = None,
        node: Node | None = None,
    ) -> None:
        self._options = Options(
            hosts=hosts,
            session_timeout=session_timeout,
            request_timeout=None,
            read_only=read_only,
            shuffle=shuffle,
            renew_session=renew_session,
            auth=auth,
            sasl=sasl,
            session=session,
            default_acl=default_acl,
            tls=tls,
            node=node,
        )
        self._shared: _ports.LoopPort | None = None
        self._port: Port = Unusable(NOT_CONNECTED)  # type: ignore[assignment]
        self._listeners: list[StateListener] = []
        self._watches: weakref.WeakSet[AsyncWatch] = weakref.WeakSet()
        self._native: Session | None = None
        self._closed = False
        # What operations go to: typed as the session, but before and after one it says so.
        self._session: Session = Unusable(NOT_CONNECTED)  # type: ignore[assignment]

    # ---- life

    async def connect(self: ClientT, timeout: float | None = None) -> ClientT:
        """Opens the session and waits for it; without ``timeout`` as long as one may live.

        Raises:
            ConnectionLossError: no server took it in time.
            AuthFailedError: a server refused the credentials, or could not prove itself by SASL.
            SessionExpiredError: the session to attach to is over.
        """
        if self._native is not None:
            raise RuntimeError("a client connects once: make a new one")
        limit = self._options.session_timeout if timeout is None else timeout
        shared = _ports.acquire(asyncio.get_running_loop())
        try:
            session = self._options.open(shared.port, _watches.weak_call(self, "_on_state"))
        except BaseException:
            _ports.release(shared)
            raise
        self._shared, self._port = shared, shared.port
        self._native = self._session = session
        _ports.remember(session)
        try:
            await session.connected(self._port, _options.milliseconds(limit))
        except BaseException:
            await self.close()
            raise
        return self

    async def close(self) -> None:
        """Closes the session and waits for that, two seconds at most. Closing twice is fine.

        Requests that were made are answered first, or raise ClientClosedError.
        """
        session, self._session = self._session, Unusable(CLOSED)  # type: ignore[assignment]
        self._closed = True
        shared, self._shared = self._shared, None
        if shared is None or not isinstance(session, Session):
            return
        if not session.is_ours():
            return
        closed: asyncio.Future[None] = session.close(shared.port)
        # Even if nobody waits any more: what was asked before is answered through the port.
        closed.add_done_callback(lambda _: _ports.release(shared))
        try:
            await asyncio.shield(closed)
        finally:
            for watch in list(self._watches):
                await watch.close()

    async def __aenter__(self: ClientT) -> ClientT:
        return self if self._native is not None else await self.connect()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __del__(self) -> None:
        shared = getattr(self, "_shared", None)
        if shared is not None:
            warnings.warn(f"{self!r} was never closed", ResourceWarning, source=self)
            # Watches that call back would keep the session open.
            _ports.abandon(self._session, shared.port)
            with contextlib.suppress(RuntimeError):
                # A closed loop has closed its port.
                shared.loop.call_soon_threadsafe(_ports.release, shared)

    def __repr__(self) -> str:
        hosts = _options.hosts_text(self._options.hosts)
        return f"<{type(self).__name__} {hosts} {self.state.value}>"

    # ---- what is known of the session

    @property
    def state(self) -> State:
        """How the client stands now."""
        if self._native is None:
            return State.CLOSED if self._closed else State.CONNECTING
        return State(self._native.state())

    @property
    def session_id(self) -> int:
        """The session's id; 0 before there is one."""
        return self._info().session_id()

    @property
    def session_password(self) -> bytes:
        """The session's password: with its id, enough to take the session over."""
        return self._info().session_password()

    @property
    def session_timeout(self) -> float:
        """The negotiated session timeout in seconds."""
        return self._info().session_timeout_ms() / 1000

    @property
    def server(self) -> str | None:
        """``"host:port"`` of the server that is connected now."""
        return self._info().server()

    @property
    def last_zxid(self) -> int:
        """The newest change that this session has seen."""
        return self._info().last_zxid()

    @property
    def chroot(self) -> str:
        """What stands before all paths, or ``""``."""
        return self._info().chroot()

    def _info(self) -> Session:
        if self._native is None:
            raise ClientClosedError(NOT_CONNECTED)
        return self._native

    def set_hosts(self, hosts: str | Sequence[str]) -> None:
        """Other servers of the same ensemble. The chroot cannot change."""
        self._session.set_hosts(_options.hosts_text(hosts))

    def add_listener(self, listener: StateListener) -> None:
        """Calls ``listener(state)`` with each state from now on, in the client's loop."""
        self._listeners.append(listener)

    def remove_listener(self, listener: StateListener) -> None:
        """Does not call it any more. ValueError if it is not there."""
        self._listeners.remove(listener)

    def _on_state(self) -> None:
        if self._native is None:
            return
        states, _ended = self._native.take_states()
        for name in states:
            for listener in list(self._listeners):
                try:
                    listener(State(name))
                except Exception:
                    _ports.log.exception("a state listener failed")

    # ---- operations

    async def create(
        self,
        path: str,
        data: bytes = b"",
        *,
        ephemeral: bool = False,
        sequential: bool = False,
        container: bool = False,
        ttl: float | None = None,
        acl: Sequence[ACL] | None = None,
        parents: bool = False,
    ) -> str:
        """Creates a znode.

        Args:
            path: where; of a sequential one, the part before the number.
            data: up to a megabyte.
            ephemeral: it goes when this session ends.
            sequential: the server appends a number of ten digits.
            container: the server deletes it some time after its last child is gone.
            ttl: seconds without a change after which the server deletes it if it has no children.
            acl: who may do what; the client's default if None.
            parents: whether missing parents are created, too.

        Returns:
            The path, with the number of a sequential one.

        Raises:
            NodeExistsError: there is one.
            NoNodeError: the parent does not exist.
            NoChildrenForEphemeralsError: the parent is ephemeral.
            NoAuthError, InvalidACLError, QuotaExceededError, BadArgumentsError
        """
        flags, ttl_ms = create_flags(ephemeral, sequential, container, ttl)
        entries = acl_entries(acl, self._options.default_acl)
        create = self._session.create_with_parents if parents else self._session.create
        created: str = await create(self._port, path, data, entries, flags, ttl_ms, False)
        return created

    async def create_with_stat(
        self,
        path: str,
        data: bytes = b"",
        *,
        ephemeral: bool = False,
        sequential: bool = False,
        container: bool = False,
        ttl: float | None = None,
        acl: Sequence[ACL] | None = None,
        parents: bool = False,
    ) -> tuple[str, Stat]:
        """Like :meth:`create`; returns the path and the Stat of the new znode."""
        flags, ttl_ms = create_flags(ephemeral, sequential, container, ttl)
        entries = acl_entries(acl, self._options.default_acl)
        create = self._session.create_with_parents if parents else self._session.create
        created: tuple[str, Stat] = await create(self._port, path, data, entries, flags, ttl_ms, True)
        return created

    async def ensure_path(self, path: str) -> None:
        """Creates a znode and its parents as far as they are missing.

        Raises:
            NoAuthError, NoChildrenForEphemeralsError
        """
        await self._session.ensure_path(self._port, path)

    async def delete(self, path: str, version: int | None = None, *, recursive: bool = False) -> None:
        """Deletes a znode, if it has this version; with ``recursive`` all that is below it first.

        Raises:
            NoNodeError: it does not exist.
            BadVersionError: it has another version.
            NotEmptyError: it has children.
            NoAuthError
        """
        if not recursive:
            await self._session.delete(self._port, path, expected(version))
        elif version is not None:
            raise ValueError("a recursive delete expects no version")
        else:
            await self._session.delete_recursive(self._port, path)

    async def exists(self, path: str, *, watch: WatchCallback | None = None) -> Stat | None:
        """The Stat of a znode, or None if it does not exist.

        ``watch`` is called once: when it is created or deleted, or its data is set.
        """
        stat: Stat | None = await self._watching(self._session.exists, path, watch)
        return stat

    async def get(
        self, path: str, *, watch: WatchCallback | None = None, linearizable: bool = False
    ) -> tuple[bytes, Stat]:
        """The data and the Stat of a znode.

        Args:
            path: which one.
            watch: called once: when its data is set or it is deleted.
            linearizable: whether to see every write that was acknowledged, to anybody, before this
                call. Otherwise the server may be a little behind others.

        Raises:
            NoNodeError: it does not exist.
            NoAuthError
        """
        answer: tuple[bytes, Stat]
        if linearizable:
            if watch is not None:
                raise ValueError("sync() and then get(watch=...): a linearizable get sets no watch")
            answer = await self._session.get_linearizable(self._port, path)
        else:
            answer = await self._watching(self._session.get, path, watch)
        return answer

    async def set(self, path: str, data: bytes, version: int | None = None) -> Stat:
        """Sets the data of a znode, if it has this version.

        Raises:
            NoNodeError: it does not exist.
            BadVersionError: it has another version.
            NoAuthError, QuotaExceededError
        """
        stat: Stat = await self._session.set(self._port, path, data, expected(version))
        return stat

    async def get_children(self, path: str, *, watch: WatchCallback | None = None) -> list[str]:
        """The names of a znode's children, in no particular order.

        ``watch`` is called once: when a child is created or deleted, or the znode itself deleted.

        Raises:
            NoNodeError: it does not exist.
            NoAuthError
        """
        names: list[str] = await self._watching(self._session.get_children, path, False, watch)
        return names

    async def get_children_with_stat(
        self, path: str, *, watch: WatchCallback | None = None
    ) -> tuple[list[str], Stat]:
        """Like :meth:`get_children`, with the Stat of the znode itself."""
        answer: tuple[list[str], Stat]
        answer = await self._watching(self._session.get_children, path, True, watch)
        return answer

    async def get_all_children_number(self, path: str) -> int:
        """How many znodes are below this one, on all levels."""
        number: int = await self._session.get_all_children_number(self._port, path)
        return number

    async def get_ephemerals(self, prefix: str = "/") -> list[str]:
        """The paths of this session's ephemeral znodes that begin with ``prefix``."""
        paths: list[str] = await self._session.get_ephemerals(self._port, prefix)
        return paths

    async def get_acl(self, path: str) -> tuple[list[ACL], Stat]:
        """The ACL and the Stat of a znode.

        Raises:
            NoNodeError: it does not exist.
            NoAuthError
        """
        entries, stat = await self._session.get_acl(self._port, path)
        return _options.acl_of(entries), stat

    async def set_acl(self, path: str, acl: Sequence[ACL], version: int | None = None) -> Stat:
        """Sets the ACL of a znode, if its ``aversion`` is this one.

        Raises:
            NoNodeError, BadVersionError, InvalidACLError, NoAuthError
        """
        entries = acl_entries(acl, None) or []
        stat: Stat = await self._session.set_acl(self._port, path, entries, expected(version))
        return stat

    async def sync(self, path: str = "/") -> None:
        """Brings the server up to what the leader had committed; reads after it see all of that."""
        await self._session.sync(self._port, path)

    async def add_auth(self, scheme: str, credential: str | bytes) -> None:
        """Shows a credential to the server, now and after each reconnect.

        Raises:
            AuthFailedError: the server refused it; the client is over.
        """
        await self._session.add_auth(self._port, scheme, _options.credential_bytes(credential))

    async def who_am_i(self) -> list[tuple[str, str]]:
        """Who the server takes this client for: pairs of scheme and id."""
        ids: list[tuple[str, str]] = await self._session.who_am_i(self._port)
        return ids

    async def get_config(self) -> tuple[bytes, Stat]:
        """The ensemble's configuration, as text."""
        answer: tuple[bytes, Stat] = await self._session.get_config(self._port)
        return answer

    async def reconfig(
        self,
        *,
        joining: str | None = None,
        leaving: str | None = None,
        members: str | None = None,
        from_version: int | None = None,
    ) -> tuple[bytes, Stat]:
        """Changes the ensemble; returns the new configuration.

        Raises:
            ReconfigDisabledError, ReconfigInProgressError, NewConfigNoQuorumError,
            BadVersionError, BadArgumentsError, NoAuthError
        """
        version = expected(from_version)
        answer: tuple[bytes, Stat]
        answer = await self._session.reconfig(self._port, joining, leaving, members, version)
        return answer

    async def get_many(self, paths: Sequence[str]) -> list[Any]:
        """Many znodes in one round trip: for each ``(data, stat)``, or the exception it met."""
        outcomes = await self._session.multi_read(self._port, [("get", path) for path in paths])
        return _transactions.read_results(paths, outcomes)

    def transaction(self) -> AsyncTransaction:
        """Operations that are carried out all together or not at all."""
        return AsyncTransaction(self)

    def watch(self, path: str, *, recursive: bool = False) -> AsyncWatch:
        """Watches a znode, which need not exist: an asynchronous iterator over its events.

        ::

            async with client.watch("/config") as events:
                async for event in events:
                    ...

        Args:
            path: which one.
            recursive: whether everything below is watched, too. Events for children of a znode then
                come as events of those.
        """
        return AsyncWatch(self, path, recursive)

    async def _watching(self, operation: Any, *arguments: Any) -> Any:
        """An operation whose last argument is a callback, or None, for a watch."""
        *others, callback = arguments
        watch = self._watch(callback)
        try:
            return await operation(self._port, *others, watch)
        except BaseException:
            # A call that fails or is given up sets no watch, even if its answer has come.
            if watch is not None:
                watch.cancel()
            raise

    def _watch(self, callback: WatchCallback | None) -> Any:
        if callback is None:
            return None
        _watches.check_callback(callback)
        return Calling(self._port, callback, self._report).source.native

    def _report(self, error: BaseException) -> None:
        loop = asyncio.get_running_loop()
        loop.call_exception_handler({"message": "a watch callback failed", "exception": error})


class AsyncWatch:
    """A watch that lasts: an asynchronous iterator over its events, and a context manager.

    It is set when it is entered or first iterated. Iteration ends when the watch or the client is
    closed, and raises SessionExpiredError when the session is lost. Up to 8192 events wait; then
    one OVERFLOW tells how many were dropped.
    """

    def __init__(self, client: AsyncClient, path: str, recursive: bool) -> None:
        self._client = client
        self._path = path
        self._recursive = recursive
        self._source: Source | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._closed = False

    async def start(self) -> None:
        """Sets the watch, unless it is set: changes from now on are told."""
        if self._source is None:
            source = Source(self._client._port, _watches.weak_call(self, "_on_ready"))
            # Taken at once, so that two tasks do not set two; given back if it is not set.
            self._source = source
            session, port = self._client._session, self._client._port
            try:
                await session.add_watch(port, self._path, self._recursive, source.native)
            except BaseException:
                source.native.cancel()
                self._source = None
                raise
            self._client._watches.add(self)

    def _on_ready(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def __aiter__(self) -> AsyncWatch:
        return self

    async def __anext__(self) -> Event:
        await self.start()
        source = self._source
        while not self._closed and source is not None:
            event = source.take()
            if event is not None:
                return event
            if source.ended:
                loss = source.loss()
                if loss is not None:
                    raise loss
                break
            if self._waiting is not None:
                raise RuntimeError("one task at a time iterates over a watch")
            waiting = self._waiting = asyncio.get_running_loop().create_future()
            try:
                await waiting
            finally:
                # It may be another task's by now.
                if self._waiting is waiting:
                    self._waiting = None
        raise StopAsyncIteration

    async def close(self) -> None:
        """Takes the watch back from the server. Closing twice is fine."""
        self._closed = True
        if self._source is not None:
            self._source.native.cancel()
        self._on_ready()

    async def __aenter__(self) -> AsyncWatch:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


class AsyncTransaction(Builder):
    """A transaction of an :class:`AsyncClient`. As a context manager it commits at the end."""

    def __init__(self, client: AsyncClient) -> None:
        super().__init__(client._options.default_acl)
        self._client = client

    async def commit(self) -> list[Any]:
        """Carries out everything, or nothing.

        Returns:
            For each operation its result: a path, a Stat or None.

        Raises:
            TransactionError: which operation failed, and why.
        """
        operations = self._take()
        outcomes = await self._client._session.multi(self._client._port, operations)
        return _transactions.results(operations, outcomes)

    async def __aenter__(self) -> AsyncTransaction:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            await self.commit()
