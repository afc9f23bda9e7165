"""`KazooClient`: kazoo's interface, this package's connection.

What differs from kazoo, on purpose: a raw watch survives a lost connection, because it is set again
on the next server, where kazoo calls it with an event of type NONE and drops it. When the session is
lost it is called so, as with kazoo.
"""

from __future__ import annotations

import logging
import re
import socket
import warnings
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any

from kazoo.exceptions import (
    AuthFailedError,
    ConfigurationError,
    KazooException,
    NodeExistsError,
    NoNodeError,
)
from kazoo.handlers.threading import SequentialThreadingHandler
from kazoo.protocol.states import (
    Callback,
    EventType,
    KazooState,
    KeeperState,
    WatchedEvent,
    ZnodeStat,
)
from kazoo.hosts import collect_hosts
from kazoo.recipe.barrier import Barrier, DoubleBarrier
from kazoo.recipe.counter import Counter
from kazoo.recipe.election import Election
from kazoo.recipe.lease import MultiNonBlockingLease, NonBlockingLease
from kazoo.recipe.lock import Lock, ReadLock, Semaphore, WriteLock
from kazoo.recipe.partitioner import SetPartitioner
from kazoo.recipe.party import Party, ShallowParty
from kazoo.recipe.queue import LockingQueue, Queue
from kazoo.recipe.watchers import ChildrenWatch, DataWatch
from kazoo.retry import KazooRetry

from zoowarden import _ports, _zoowarden
from zoowarden._options import Options, Unusable
from zoowarden._watches import Source, weak_call
from zoowarden.compat.kazoo import arguments, exceptions
from zoowarden.compat.kazoo.transaction import TransactionRequest
from zoowarden.errors import ConnectionLossError, ZooKeeperError
from zoowarden.values import TLS, Event, TLSVerify
from zoowarden.values import EventType as OurType

_RECIPES = (
    Barrier,
    DoubleBarrier,
    Counter,
    ChildrenWatch,
    DataWatch,
    Election,
    NonBlockingLease,
    MultiNonBlockingLease,
    Lock,
    ReadLock,
    WriteLock,
    Party,
    ShallowParty,
    Queue,
    LockingQueue,
    SetPartitioner,
    Semaphore,
)

_KEEPER_STATES = {
    "connecting": KeeperState.CONNECTING,
    "connected": KeeperState.CONNECTED,
    "connected read-only": KeeperState.CONNECTED_RO,
    "suspended": KeeperState.CONNECTING,
    "expired": KeeperState.EXPIRED_SESSION,
    "auth failed": KeeperState.AUTH_FAILED,
    "closed": KeeperState.CLOSED,
}

_OVER = (KeeperState.EXPIRED_SESSION, KeeperState.AUTH_FAILED, KeeperState.CLOSED)

_EVENT_TYPES = {
    OurType.CREATED: EventType.CREATED,
    OurType.DELETED: EventType.DELETED,
    OurType.DATA_CHANGED: EventType.CHANGED,
    OurType.CHILDREN_CHANGED: EventType.CHILD,
}

_FLAT_RETRY_OPTIONS = {
    "max_retries": "max_tries",
    "retry_delay": "delay",
    "retry_backoff": "backoff",
    "retry_max_delay": "max_delay",
}

_NO_PASSWORD = bytes(16)

COMMAND_BYTES_MAX = 1 << 20
"""The longest answer to a four-letter word that is read."""



def _sasl_login(options: Any, auth_data: Any) -> tuple[str, str] | None:
    """User and password, from ``sasl_options`` or from the older ``auth_data``."""
    legacy = [credential for scheme, credential in auth_data if scheme == "sasl"]
    if len(legacy) + bool(options) > 1:
        raise ConfigurationError("Multiple SASL configurations provided")
    if legacy:
        warnings.warn(
            "Passing SASL configuration as part of the auth_data is deprecated, "
            "please use the sasl_options configuration instead",
            DeprecationWarning,
            stacklevel=3,
        )
        user, _, password = legacy[0].partition(":")
        return user, password
    if not options:
        return None
    mechanism = options.get("mechanism")
    if mechanism != "DIGEST-MD5":
        raise ConfigurationError(f"SASL by {mechanism} is not offered: only DIGEST-MD5 is")
    try:
        return options["username"], options["password"]
    except KeyError as missing:
        raise ConfigurationError(f"sasl_options lack {missing}") from None


VERSION = re.compile(r"zookeeper\.version=(\d+(?:\.\d+)+)")


class KazooClient:
    """kazoo's client; see kazoo's documentation for every method and argument.

    Not offered: handlers other than the threading one, and SASL by other mechanisms than DIGEST-MD5.
    ``connection_retry`` is accepted; how reconnecting is paced is this client's own.
    """

    def __init__(
        self,
        hosts: Any = "127.0.0.1:2181",
        timeout: float = 10.0,
        client_id: tuple[int, bytes] | None = None,
        handler: Any = None,
        default_acl: Any = None,
        auth_data: Any = None,
        sasl_options: Any = None,
        read_only: bool | None = None,
        randomize_hosts: bool = True,
        connection_retry: Any = None,
        command_retry: Any = None,
        logger: logging.Logger | None = None,
        keyfile: str | None = None,
        keyfile_password: str | None = None,
        certfile: str | None = None,
        ca: str | None = None,
        use_ssl: bool = False,
        verify_certs: bool = True,
        check_hostname: bool = False,
        **flat_retry_options: Any,
    ) -> None:
        self.logger = logger or logging.getLogger("zoowarden.compat.kazoo")
        self.handler = _checked_handler(handler)
        self._sasl = _sasl_login(sasl_options, auth_data or ())
        if keyfile_password:
            raise ConfigurationError("an encrypted key is not offered: decrypt it first")
        self._tls: TLS | None = None
        if use_ssl:
            verify = TLSVerify.CHAIN_AND_NAME if check_hostname else TLSVerify.CHAIN
            verify = verify if verify_certs else TLSVerify.NOTHING
            self._tls = TLS(ca, certfile, keyfile or certfile, verify)
        self.auth_data: set[tuple[str, str]] = {one for one in auth_data or () if one[0] != "sasl"}
        self.default_acl = default_acl
        self.read_only = read_only
        self.randomize_hosts = randomize_hosts
        self.hosts: list[tuple[str, int]] = []
        self.chroot: str | None = None
        self.state_listeners: set[Callable[[str], Any]] = set()
        self.state: str = KazooState.LOST
        self._state: str = KeeperState.CLOSED
        self._timeout = timeout
        self._identity = client_id
        self._data_watchers: defaultdict[str, set[Any]] = defaultdict(set)
        self._child_watchers: defaultdict[str, set[Any]] = defaultdict(set)
        self._live = self.handler.event_object()
        # Set once it is known whether a session can be had.
        self._decided = self.handler.event_object()
        self._stopped = self.handler.event_object()
        self._stopped.set()
        self._callbacks = _ports.CallbackThread(keep_null=True)
        self._session: Any = Unusable("Connection has been closed")
        self._conn_retry = self._retry_of(connection_retry, dict(flat_retry_options))
        self._conn_retry.interrupt = self._stopped.is_set
        self._retry = self._retry_of(command_retry, flat_retry_options, warn=True)
        self.set_hosts(hosts)
        for recipe in _RECIPES:
            setattr(self, recipe.__name__, partial(recipe, self))

    def _retry_of(self, given: Any, flat: dict[str, Any], warn: bool = False) -> Any:
        unknown = set(flat) - set(_FLAT_RETRY_OPTIONS)
        if unknown:
            raise TypeError(f"unexpected keyword arguments: {', '.join(sorted(unknown))}")
        if flat and warn:
            warnings.warn(
                "retry options given to the client are deprecated: "
                "pass command_retry and connection_retry",
                DeprecationWarning,
                stacklevel=3,
            )
        if isinstance(given, dict):
            return KazooRetry(**given)
        if isinstance(given, KazooRetry):
            if given.sleep_func != self.handler.sleep_func:
                raise ConfigurationError("Retry handler and event handler must use the same sleep")
            return given
        options = {"max_tries": None, "delay": 0.1, "backoff": 2, "max_delay": 3600}
        options.update({_FLAT_RETRY_OPTIONS[name]: value for name, value in flat.items()})
        return KazooRetry(sleep_func=self.handler.sleep_func, **options)

    def retry(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Calls until it does not fail for want of a connection."""
        return self._retry.copy()(func, *args, **kwargs)

    # ---- life

    @property
    def client_state(self) -> str:
        return self._state

    @property
    def client_id(self) -> tuple[int, bytes] | None:
        if not self._live.is_set():
            return None
        return self._session.session_id(), self._session.session_password()

    @property
    def connected(self) -> bool:
        return bool(self._live.is_set())

    @property
    def last_zxid(self) -> int:
        session = self._session
        return session.last_zxid() if isinstance(session, _zoowarden.Session) else 0

    def set_hosts(self, hosts: Any, randomize_hosts: bool | None = None) -> None:
        if randomize_hosts is not None:
            self.randomize_hosts = randomize_hosts
        self.hosts, chroot = collect_hosts(hosts)
        chroot = arguments.normal(chroot).rstrip("/") if chroot else ""
        if self.chroot is not None and chroot != self.chroot:
            raise ConfigurationError("Changing chroot at runtime is not currently supported")
        self.chroot = chroot
        if isinstance(self._session, _zoowarden.Session):
            self._session.set_hosts(self._connect_string())

    def _connect_string(self) -> str:
        bracketed = [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts]
        return ",".join(bracketed) + (arguments.normal(self.chroot) if self.chroot else "")

    def start(self, timeout: float = 15) -> None:
        self.start_async()
        self._decided.wait(timeout=timeout)
        if not self.connected:
            refused = self._state == KeeperState.AUTH_FAILED
            self.stop()
            self.close()
            if refused:
                raise AuthFailedError()
            raise self.handler.timeout_exception("Connection time-out")
        if self.chroot and not self.exists("/"):
            warnings.warn(
                "No chroot path exists, the chroot path should be created before normal use.",
                stacklevel=2,
            )

    def start_async(self) -> Any:
        if not self._stopped.is_set():
            return self._live
        self._stopped.clear()
        self._decided.clear()
        self.handler.start()
        self._callbacks = _ports.CallbackThread(keep_null=True)
        options = Options(
            hosts=self._connect_string(),
            session_timeout=self._timeout,
            request_timeout=None,
            read_only=bool(self.read_only),
            shuffle=self.randomize_hosts,
            renew_session=True,
            auth=tuple(self.auth_data),
            sasl=self._sasl,
            session=self._identity,
            default_acl=None,
            tls=self._tls,
            node=None,
        )
        port = self._callbacks.port
        self._session = options.open(port, weak_call(self, "_on_state"), keep_null=True)
        self._identity = None
        _ports.remember(self._session)
        self._callbacks.start()
        return self._live

    def stop(self) -> None:
        if self._stopped.is_set():
            return
        self._stopped.set()
        # From here on a request fails at once, and whoever waits for one is answered before the
        # callback thread ends.
        session, self._session = self._session, Unusable("Connection has been closed")
        try:
            session.close(None)
        finally:
            self.handler.stop()
            self._callbacks.stop()
            self._callbacks.join()
            self._change_state(KeeperState.CLOSED)

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        """Nothing is left to free after stop()."""

    def add_listener(self, listener: Callable[[str], Any]) -> None:
        if not callable(listener):
            raise ConfigurationError("listener must be callable")
        self.state_listeners.add(listener)

    def remove_listener(self, listener: Callable[[str], Any]) -> None:
        self.state_listeners.discard(listener)

    def _on_state(self) -> None:
        session = self._session
        if isinstance(session, _zoowarden.Session):
            for name in session.take_states()[0]:
                self._change_state(_KEEPER_STATES[name])

    def _change_state(self, state: str) -> None:
        if state == self._state:
            return
        was_over, self._state = self._state in _OVER, state
        if state in (KeeperState.CONNECTED, KeeperState.CONNECTED_RO):
            self._live.set()
            self._decided.set()
            self._tell(KazooState.CONNECTED)
        elif state in _OVER:
            self._live.clear()
            if state == KeeperState.AUTH_FAILED:
                self._decided.set()
            self._tell(KazooState.LOST)
            self._reset_watchers()
        elif not was_over:
            self._live.clear()
            self._tell(KazooState.SUSPENDED)

    def _tell(self, state: str) -> None:
        if self.state == state:
            return
        self.state = state
        for listener in list(self.state_listeners):
            try:
                if listener(state) is True:
                    self.remove_listener(listener)
            except Exception:
                self.logger.exception("Error in connection state listener")

    # ---- watches

    def _reset_watchers(self) -> None:
        tables = (self._child_watchers, self._data_watchers)
        watchers = [watcher for table in tables for of_path in table.values() for watcher in of_path]
        self._child_watchers = defaultdict(set)
        self._data_watchers = defaultdict(set)
        self._dispatch(watchers, WatchedEvent(EventType.NONE, self._state, None))

    def _on_event(self, event: Event) -> None:
        kind = _EVENT_TYPES.get(event.type)
        if kind is None or self._stopped.is_set():
            return
        path = arguments.normal(f"{self.chroot}/{event.path}")
        watchers: list[Any] = []
        if kind != EventType.CHILD:
            watchers.extend(self._data_watchers.pop(path, ()))
        if kind in (EventType.CHILD, EventType.DELETED):
            watchers.extend(self._child_watchers.pop(path, ()))
        self._dispatch(watchers, WatchedEvent(kind, self._state, event.path))

    def _dispatch(self, watchers: list[Any], event: Any) -> None:
        for watcher in watchers:
            self.handler.dispatch_callback(Callback("watch", watcher, (event,)))

    def _native_watch(self) -> _zoowarden.Watch:
        def on_ready() -> None:
            while (event := source.take()) is not None:
                self._on_event(event)

        source = Source(self._callbacks.port, on_ready)
        return source.native

    # ---- asking

    def _ask(self, operation: str, convert: Callable[[Any], Any] | None, *args: Any) -> Any:
        """An IAsyncResult of the handler, settled on the callback thread."""
        result = self.handler.async_result()

        def done(value: Any, error: BaseException | None) -> None:
            if error is not None:
                result.set_exception(exceptions.translate(error))
            else:
                result.set(value if convert is None else convert(value))

        try:
            getattr(self._session, operation)((self._callbacks.port, done), *args)
        except ZooKeeperError as error:
            result.set_exception(exceptions.translate(error))
        return result

    def _wait(self, operation: str, *args: Any) -> Any:
        """The same, waited for without a hop to another thread."""
        try:
            return getattr(self._session, operation)(None, *args)
        except ZooKeeperError as error:
            raise exceptions.translate(error) from None

    def _ask_watching(
        self,
        operation: str,
        table: str,
        watch: Any,
        convert: Callable[[Any], Any] | None,
        path: str,
        *args: Any,
    ) -> Any:
        if not watch:
            return self._ask(operation, convert, path, *args)

        def answered(value: Any) -> Any:
            if not self._stopped.is_set():
                watchers = getattr(self, table)
                watchers[arguments.normal(f"{self.chroot}/{path}")].add(watch)
            return value if convert is None else convert(value)

        return self._ask(operation, answered, path, *args, self._native_watch())

    def _in_thread(self, func: Callable[..., Any], *args: Any) -> Any:
        result = self.handler.async_result()

        def run() -> None:
            try:
                value = func(*args)
            except Exception as error:
                result.set_exception(error)
            else:
                result.set(value)

        self.handler.spawn(run)
        return result

    # ---- operations

    def add_auth(self, scheme: str, credential: str) -> Any:
        return self.add_auth_async(scheme, credential).get()

    def add_auth_async(self, scheme: str, credential: str) -> Any:
        arguments.demand("scheme", scheme, str)
        arguments.demand("credential", credential, str)
        self.auth_data.add((scheme, credential))
        return self._ask("add_auth", _true, scheme, credential.encode())

    def unchroot(self, path: str) -> str:
        if not self.chroot or not path.startswith(self.chroot):
            return path
        return path[len(self.chroot) :] or "/"

    def sync(self, path: str) -> Any:
        return self._wait("sync", arguments.normal(path))

    def sync_async(self, path: str) -> Any:
        return self._ask("sync", None, arguments.normal(path))

    def create(
        self,
        path: str,
        value: bytes | None = b"",
        acl: Any = None,
        ephemeral: bool = False,
        sequence: bool = False,
        makepath: bool = False,
        include_data: bool = False,
    ) -> Any:
        fields = self._creation(path, value, acl, ephemeral, sequence, makepath, include_data)
        try:
            return _created(self._wait("create", *fields))
        except NoNodeError:
            if not makepath:
                raise
            self.ensure_path(_parent(fields[0]), acl)
            return _created(self._wait("create", *fields))

    def create_async(
        self,
        path: str,
        value: bytes | None = b"",
        acl: Any = None,
        ephemeral: bool = False,
        sequence: bool = False,
        makepath: bool = False,
        include_data: bool = False,
    ) -> Any:
        fields = self._creation(path, value, acl, ephemeral, sequence, makepath, include_data)
        if not makepath:
            return self._ask("create", _created, *fields)
        given = (path, value, acl, ephemeral, sequence, makepath, include_data)
        return self._in_thread(self.create, *given)

    def _creation(
        self,
        path: str,
        value: bytes | None,
        acl: Any,
        ephemeral: bool,
        sequence: bool,
        makepath: bool,
        include_data: bool,
    ) -> tuple[Any, ...]:
        arguments.demand("path", path, str)
        if value is not None:
            arguments.demand("value", value, bytes)
        arguments.demand("ephemeral", ephemeral, bool)
        arguments.demand("sequence", sequence, bool)
        arguments.demand("makepath", makepath, bool)
        arguments.demand("include_data", include_data, bool)
        entries = arguments.acl_entries(acl or self.default_acl)
        flags = arguments.create_flags(ephemeral, sequence)
        return arguments.normal(path, sequence), value, entries, flags, None, include_data

    def ensure_path(self, path: str, acl: Any = None) -> Any:
        """True if it was there, else the path, as with kazoo."""
        missing = []
        path = arguments.normal(path)
        while self.exists(path) is None:
            missing.append(path)
            if path == "/":
                break
            path = _parent(path)
        created: Any = True
        for path in reversed(missing):
            try:
                created = self.create(path, b"", acl)
            except NodeExistsError:
                created = True
        return created

    def ensure_path_async(self, path: str, acl: Any = None) -> Any:
        return self._in_thread(self.ensure_path, path, acl)

    def exists(self, path: str, watch: Any = None) -> Any:
        if watch:
            return self.exists_async(path, watch).get()
        arguments.demand("path", path, str)
        return _stat_or_none(self._wait("exists", arguments.normal(path)))

    def exists_async(self, path: str, watch: Any = None) -> Any:
        arguments.demand("path", path, str)
        arguments.demand_watch(watch)
        path = arguments.normal(path)
        return self._ask_watching("exists", "_data_watchers", watch, _stat_or_none, path)

    def get(self, path: str, watch: Any = None) -> Any:
        if watch:
            return self.get_async(path, watch).get()
        arguments.demand("path", path, str)
        return _with_stat(self._wait("get", arguments.normal(path)))

    def get_async(self, path: str, watch: Any = None) -> Any:
        arguments.demand("path", path, str)
        arguments.demand_watch(watch)
        path = arguments.normal(path)
        return self._ask_watching("get", "_data_watchers", watch, _with_stat, path)

    def get_children(self, path: str, watch: Any = None, include_data: bool = False) -> Any:
        return self.get_children_async(path, watch, include_data).get()

    def get_children_async(self, path: str, watch: Any = None, include_data: bool = False) -> Any:
        arguments.demand("path", path, str)
        arguments.demand_watch(watch)
        arguments.demand("include_data", include_data, bool)
        convert = _with_stat if include_data else None
        path = arguments.normal(path)
        return self._ask_watching(
            "get_children", "_child_watchers", watch, convert, path, include_data
        )

    def get_acls(self, path: str) -> Any:
        return self.get_acls_async(path).get()

    def get_acls_async(self, path: str) -> Any:
        arguments.demand("path", path, str)
        return self._ask("get_acl", _acls, arguments.normal(path))

    def set_acls(self, path: str, acls: Any, version: int = -1) -> Any:
        return self.set_acls_async(path, acls, version).get()

    def set_acls_async(self, path: str, acls: Any, version: int = -1) -> Any:
        arguments.demand("path", path, str)
        arguments.demand("version", version, int)
        entries = arguments.acl_entries(acls) or []
        return self._ask("set_acl", _stat, arguments.normal(path), entries, version)

    def set(self, path: str, value: bytes | None, version: int = -1) -> Any:
        fields = self._setting(path, value, version)
        return _stat(self._wait("set", *fields))

    def set_async(self, path: str, value: bytes | None, version: int = -1) -> Any:
        return self._ask("set", _stat, *self._setting(path, value, version))

    def _setting(self, path: str, value: bytes | None, version: int) -> tuple[Any, ...]:
        arguments.demand("path", path, str)
        if value is not None:
            arguments.demand("value", value, bytes)
        arguments.demand("version", version, int)
        return arguments.normal(path), value, version

    def transaction(self) -> TransactionRequest:
        return TransactionRequest(self)

    def delete(self, path: str, version: int = -1, recursive: bool = False) -> Any:
        arguments.demand("recursive", recursive, bool)
        if recursive:
            return self._delete_recursive(path)
        arguments.demand("path", path, str)
        arguments.demand("version", version, int)
        return _true(self._wait("delete", arguments.normal(path), version))

    def delete_async(self, path: str, version: int = -1) -> Any:
        arguments.demand("path", path, str)
        arguments.demand("version", version, int)
        return self._ask("delete", _true, arguments.normal(path), version)

    def _delete_recursive(self, path: str) -> bool | None:
        try:
            self._wait("delete_recursive", arguments.normal(path))
        except NoNodeError:
            return True
        return None

    def reconfig(
        self, joining: str | None, leaving: str | None, new_members: str | None, from_config: int = -1
    ) -> Any:
        return self.reconfig_async(joining, leaving, new_members, from_config).get()

    def reconfig_async(
        self, joining: str | None, leaving: str | None, new_members: str | None, from_config: int
    ) -> Any:
        for name, value in (("joining", joining), ("leaving", leaving), ("new_members", new_members)):
            if value:
                arguments.demand(name, value, str)
        arguments.demand("from_config", from_config, int)
        fields = (joining or None, leaving or None, new_members or None, from_config)
        return self._ask("reconfig", _with_stat, *fields)

    # ---- four-letter words

    def command(self, cmd: bytes = b"ruok") -> str:
        server = self._session.server() if self._live.is_set() else None
        if server is None:
            raise exceptions.translate(ConnectionLossError("No connection to server"))
        host, _, port = server.rpartition(":")
        address = (host.strip("[]"), int(port))
        answer = b""
        with socket.create_connection(address, self._timeout) as connection:
            connection.sendall(cmd)
            while len(answer) < COMMAND_BYTES_MAX and (piece := connection.recv(8192)):
                answer += piece
        return answer.decode("utf-8", "replace")

    def server_version(self, retries: int = 3) -> tuple[int, ...]:
        for _ in range(retries + 1):
            found = VERSION.search(self.command(b"envi"))
            if found:
                return tuple(int(part) for part in found.group(1).split("."))
        raise KazooException(
            f"Unable to fetch useable server version after trying {retries + 1} times"
        )


def _checked_handler(handler: Any) -> Any:
    if handler is None:
        return SequentialThreadingHandler()
    if isinstance(handler, type):
        raise ConfigurationError(f"Handler must be an instance of a class, not the class: {handler}")
    if any(word in type(handler).__name__.lower() for word in ("gevent", "eventlet")):
        raise ConfigurationError(
            "only the threading handler works: the connection lives on threads that gevent and "
            "eventlet do not patch; use kazoo itself"
        )
    return handler


def _parent(path: str) -> str:
    return path.rstrip("/").rpartition("/")[0] or "/"


def _true(_value: Any) -> bool:
    return True


def _stat(stat: Any) -> Any:
    return ZnodeStat(*stat.as_tuple())


def _stat_or_none(stat: Any) -> Any:
    return None if stat is None else _stat(stat)


def _with_stat(answer: Any) -> Any:
    return answer[0], _stat(answer[1])


def _created(created: Any) -> Any:
    return created if isinstance(created, str) else _with_stat(created)


def _acls(answer: Any) -> Any:
    return arguments.acl_of(answer[0]), _stat(answer[1])
