"""The synchronous client. Every call blocks its thread, with the interpreter released."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from zoowarden import _options, _ports, _transactions, _watches
from zoowarden._options import Options, Unusable, acl_entries, create_flags, expected
from zoowarden._transactions import Builder
from zoowarden._watches import Calling, Source, StateListener, WatchCallback
from zoowarden._zoowarden import Session, Stat
from zoowarden.errors import ClientClosedError
from zoowarden.values import ACL, TLS, Event, State

if TYPE_CHECKING:
    from zoowarden.node import Node

ClientT = TypeVar("ClientT", bound="Client")

NOT_CONNECTED = "not connected yet: use `with Client(...) as client`, or call connect() first"
CLOSED = "the client is closed"


class Client:
    """A session with a ZooKeeper ensemble, for programs that use threads.

    Any thread may call it, and so may callbacks. Requests of one thread are carried out in their
    order. A call that waits is interrupted by Ctrl-C at once.

    ::

        with zoowarden.Client("127.0.0.1:2181") as client:
            client.create("/greeting", b"hello")
            data, stat = client.get("/greeting")

    Args:
        hosts: ``"host:port,host:port/chroot"``, or a list of ``"host:port"``. The port may be left
            out. The chroot stands before every path that is sent.
        session_timeout: seconds without contact after which the ensemble ends the session. Servers
            narrow it down; :attr:`session_timeout` says what came of it.
        request_timeout: seconds that a call waits for its answer, or None to wait as long as the
            session may live. A call that is late raises :class:`OperationTimeoutError`.
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
        request_timeout: float | None = None,
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
            request_timeout=request_timeout,
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
        self._callbacks = _ports.CallbackThread()
        self._listeners: list[StateListener] = []
        self._watches: weakref.WeakSet[Watch] = weakref.WeakSet()
        self._native: Session | None = None
        # The first states may arrive before the session does.
        self._opening = threading.Lock()
        self._closed = False
        # What operations go to: typed as the session, but before and after one it says so.
        self._session: Session = Unusable(NOT_CONNECTED)  # type: ignore[assignment]

    # ---- life

    def connect(self: ClientT, timeout: float | None = None) -> ClientT:
        """Opens the session and waits for it; without ``timeout`` as long as one may live.

        Raises:
            ConnectionLossError: no server took it in time.
            AuthFailedError: a server refused the credentials, or could not prove itself by SASL.
            SessionExpiredError: the session to attach to is over.
        """
        if self._native is not None:
            raise RuntimeError("a client connects once: make a new one")
        on_state = _watches.weak_call(self, "_on_state")
        with self._opening:
            session = self._options.open(self._callbacks.port, on_state)
            self._native = self._session = session
        _ports.remember(session)
        limit = self._options.session_timeout if timeout is None else timeout
        try:
            session.connected(None, _options.milliseconds(limit))
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """Closes the session and waits for that, two seconds at most. Closing twice is fine.

        Calls that wait in other threads are answered first, or raise ClientClosedError.
        """
        session, self._session = self._session, Unusable(CLOSED)  # type: ignore[assignment]
        self._closed = True
        if isinstance(session, Session):
            try:
                if session.is_ours():
                    session.close(None)
            finally:
                self._callbacks.stop()
                self._callbacks.join()
                for watch in list(self._watches):
                    watch.close()

    def __enter__(self: ClientT) -> ClientT:
        return self if self._native is not None else self.connect()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        callbacks = getattr(self, "_callbacks", None)
        if callbacks is not None:
            # Watches that call back would keep the session open.
            _ports.abandon(getattr(self, "_session", None), callbacks.port)
            callbacks.stop()

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
        """Calls ``listener(state)`` with each state from now on, on the client's callback thread."""
        self._listeners.append(listener)
        self._callbacks.start()

    def remove_listener(self, listener: StateListener) -> None:
        """Does not call it any more. ValueError if it is not there."""
        self._listeners.remove(listener)

    def _on_state(self) -> None:
        with self._opening:
            session = self._native
        if session is None:
            return
        states, _ended = session.take_states()
        for name in states:
            for listener in list(self._listeners):
                try:
                    listener(State(name))
                except Exception:
                    _ports.log.exception("a state listener failed")

    # ---- operations

    def create(
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
        created: str = create(None, path, data, entries, flags, ttl_ms, False)
        return created

    def create_with_stat(
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
        created: tuple[str, Stat] = create(None, path, data, entries, flags, ttl_ms, True)
        return created

    def ensure_path(self, path: str) -> None:
        """Creates a znode and its parents as far as they are missing.

        Raises:
            NoAuthError, NoChildrenForEphemeralsError
        """
        self._session.ensure_path(None, path)

    def delete(self, path: str, version: int | None = None, *, recursive: bool = False) -> None:
        """Deletes a znode, if it has this version; with ``recursive`` all that is below it first.

        Raises:
            NoNodeError: it does not exist.
            BadVersionError: it has another version.
            NotEmptyError: it has children.
            NoAuthError
        """
        if not recursive:
            self._session.delete(None, path, expected(version))
        elif version is not None:
            raise ValueError("a recursive delete expects no version")
        else:
            self._session.delete_recursive(None, path)

    def exists(self, path: str, *, watch: WatchCallback | None = None) -> Stat | None:
        """The Stat of a znode, or None if it does not exist.

        ``watch`` is called once: when it is created or deleted, or its data is set.
        """
        stat: Stat | None = self._session.exists(None, path, self._watch(watch))
        return stat

    def get(
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
            answer = self._session.get_linearizable(None, path)
        else:
            answer = self._session.get(None, path, self._watch(watch))
        return answer

    def set(self, path: str, data: bytes, version: int | None = None) -> Stat:
        """Sets the data of a znode, if it has this version.

        Raises:
            NoNodeError: it does not exist.
            BadVersionError: it has another version.
            NoAuthError, QuotaExceededError
        """
        stat: Stat = self._session.set(None, path, data, expected(version))
        return stat

    def get_children(self, path: str, *, watch: WatchCallback | None = None) -> list[str]:
        """The names of a znode's children, in no particular order.

        ``watch`` is called once: when a child is created or deleted, or the znode itself deleted.

        Raises:
            NoNodeError: it does not exist.
            NoAuthError
        """
        names: list[str] = self._session.get_children(None, path, False, self._watch(watch))
        return names

    def get_children_with_stat(
        self, path: str, *, watch: WatchCallback | None = None
    ) -> tuple[list[str], Stat]:
        """Like :meth:`get_children`, with the Stat of the znode itself."""
        answer: tuple[list[str], Stat]
        answer = self._session.get_children(None, path, True, self._watch(watch))
        return answer

    def get_all_children_number(self, path: str) -> int:
        """How many znodes are below this one, on all levels."""
        number: int = self._session.get_all_children_number(None, path)
        return number

    def get_ephemerals(self, prefix: str = "/") -> list[str]:
        """The paths of this session's ephemeral znodes that begin with ``prefix``."""
        paths: list[str] = self._session.get_ephemerals(None, prefix)
        return paths

    def get_acl(self, path: str) -> tuple[list[ACL], Stat]:
        """The ACL and the Stat of a znode.

        Raises:
            NoNodeError: it does not exist.
            NoAuthError
        """
        entries, stat = self._session.get_acl(None, path)
        return _options.acl_of(entries), stat

    def set_acl(self, path: str, acl: Sequence[ACL], version: int | None = None) -> Stat:
        """Sets the ACL of a znode, if its ``aversion`` is this one.

        Raises:
            NoNodeError, BadVersionError, InvalidACLError, NoAuthError
        """
        entries = acl_entries(acl, None) or []
        stat: Stat = self._session.set_acl(None, path, entries, expected(version))
        return stat

    def sync(self, path: str = "/") -> None:
        """Brings the server up to what the leader had committed; reads after it see all of that."""
        self._session.sync(None, path)

    def add_auth(self, scheme: str, credential: str | bytes) -> None:
        """Shows a credential to the server, now and after each reconnect.

        Raises:
            AuthFailedError: the server refused it; the client is over.
        """
        self._session.add_auth(None, scheme, _options.credential_bytes(credential))

    def who_am_i(self) -> list[tuple[str, str]]:
        """Who the server takes this client for: pairs of scheme and id."""
        ids: list[tuple[str, str]] = self._session.who_am_i(None)
        return ids

    def get_config(self) -> tuple[bytes, Stat]:
        """The ensemble's configuration, as text."""
        answer: tuple[bytes, Stat] = self._session.get_config(None)
        return answer

    def reconfig(
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
        answer = self._session.reconfig(None, joining, leaving, members, version)
        return answer

    def get_many(self, paths: Sequence[str]) -> list[Any]:
        """Many znodes in one round trip: for each ``(data, stat)``, or the exception it met."""
        outcomes = self._session.multi_read(None, [("get", path) for path in paths])
        return _transactions.read_results(paths, outcomes)

    def transaction(self) -> Transaction:
        """Operations that are carried out all together or not at all."""
        return Transaction(self)

    def watch(
        self, path: str, callback: WatchCallback | None = None, *, recursive: bool = False
    ) -> Watch:
        """Watches a znode until the watch is closed: it need not exist.

        Args:
            path: which one.
            callback: called with each event, on the client's callback thread, in the order of the
                changes. Without one, iterate over what is returned.
            recursive: whether everything below is watched, too. Events for children of a znode then
                come as events of those.
        """
        watch = Watch(self, callback)
        self._session.add_watch(None, path, recursive, watch._native)
        self._watches.add(watch)
        return watch

    def _watch(self, callback: WatchCallback | None) -> Any:
        if callback is None:
            return None
        _watches.check_callback(callback)
        self._callbacks.start()
        return Calling(self._callbacks.port, callback, _watches.log_error).source.native


class Watch:
    """A watch that lasts: an iterator over its events, or the handle of a callback.

    Iterating blocks. It ends when the watch or the client is closed, and raises SessionExpiredError
    when the session is lost. Up to 8192 events wait; then one OVERFLOW tells how many were dropped.
    """

    def __init__(self, client: Client, callback: WatchCallback | None) -> None:
        # The session lives as long as its client.
        self._client = client
        self._changed = threading.Condition()
        self._closed = False
        port = client._callbacks.port
        self._source: Source
        if callback is None:
            self._source = Source(port, _watches.weak_call(self, "_on_ready"))
        else:
            _watches.check_callback(callback)
            self._source = Calling(port, callback, _watches.log_error).source
        self._has_callback = callback is not None
        self._native = self._source.native
        client._callbacks.start()

    def _on_ready(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def next(self, timeout: float | None = None) -> Event | None:
        """The next event, or None if there is none within ``timeout`` seconds, or none any more.

        Raises:
            SessionExpiredError, AuthFailedError: the session is over.
            RuntimeError: it was called by a callback of the client, with a timeout other than 0:
                while that waits no event can come.
        """
        if self._has_callback:
            raise RuntimeError("the events of this watch go to its callback")
        if timeout != 0 and self._client._callbacks.is_current():
            raise RuntimeError("a callback must not wait for events: iterate in another thread")
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while True:
                event = None if self._closed else self._source.take()
                if event is not None:
                    return event
                if self._closed or self._source.ended:
                    self._raise_loss()
                    return None
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return None
                self._changed.wait(left)

    def _raise_loss(self) -> None:
        loss = None if self._closed else self._source.loss()
        if loss is not None:
            raise loss

    def __iter__(self) -> Iterator[Event]:
        while (event := self.next()) is not None:
            yield event

    def close(self) -> None:
        """Takes the watch back from the server. Closing twice is fine."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._client._info().is_ours():
            self._native.cancel()

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Transaction(Builder):
    """A transaction of a :class:`Client`. As a context manager it commits at the end."""

    def __init__(self, client: Client) -> None:
        super().__init__(client._options.default_acl)
        self._client = client

    def commit(self) -> list[Any]:
        """Carries out everything, or nothing.

        Returns:
            For each operation its result: a path, a Stat or None.

        Raises:
            TransactionError: which operation failed, and why.
        """
        operations = self._take()
        outcomes = self._client._session.multi(None, operations)
        return _transactions.results(operations, outcomes)

    def __enter__(self) -> Transaction:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.commit()
