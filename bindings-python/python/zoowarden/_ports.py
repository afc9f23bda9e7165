"""Where results reach Python: a port for each event loop, and one thread for each client's callbacks.

What happens at the end of the interpreter and after a fork is decided here, too: at the end all
sessions are closed and the callback threads are joined, both with a limit; in a forked child
nothing that was inherited is used, and nothing of it is closed.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import threading
import time
import weakref

from zoowarden import _zoowarden
from zoowarden._zoowarden import Ensemble, Node, Port, Session

log = logging.getLogger("zoowarden")

EXIT_SECONDS_MAX = 2.0
"""The longest that the end of the interpreter waits for sessions to close."""

JOIN_SECONDS_MAX = 1.0
"""The longest that closing waits for a callback that runs."""

RETIRE_SECONDS = 0.02
RETIRE_TRIES_MAX = 100
"""How often a port without clients looks for futures that have no answer yet, and how many times."""

WAIT_MS = 1000
"""How often a callback thread looks around without being rung."""


class LoopPort:
    """The port of one event loop, shared by the clients that live on it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.port = Port(loop.create_future)
        self.users = 0
        self._waker: threading.Thread | None = None
        self._stopped = False
        try:
            loop.add_reader(self.port.fileno(), self.port.drain)
        except NotImplementedError:
            # Loops on Windows watch no descriptors; a thread tells them.
            self._waker = threading.Thread(
                target=self._wake, name="zoowarden-waker", daemon=True
            )
            self._waker.start()
            _threads.add(self)

    def _wake(self) -> None:
        while not self._stopped:
            if self.port.wait(WAIT_MS) and not self._stopped:
                drained = threading.Event()
                try:
                    self.loop.call_soon_threadsafe(self._drain, drained)
                except RuntimeError:
                    return  # The loop is closed: nobody waits any more.
                while not drained.wait(WAIT_MS / 1000) and not self.loop.is_closed():
                    pass

    def _drain(self, drained: threading.Event) -> None:
        drained.set()
        self.port.drain()

    def stop(self) -> None:
        """Ends the waker, if there is one. Any thread."""
        self._stopped = True
        self.port.ring()

    def join(self) -> None:
        """Waits for the waker."""
        if self._waker is not None and self._waker is not threading.current_thread():
            self._waker.join(JOIN_SECONDS_MAX)

    def close(self) -> None:
        """On the loop's thread."""
        if self._waker is not None:
            self.stop()
        elif not self.loop.is_closed():
            self.loop.remove_reader(self.port.fileno())


_loops: dict[asyncio.AbstractEventLoop, LoopPort] = {}


def acquire(loop: asyncio.AbstractEventLoop) -> LoopPort:
    """The port of a loop, for one more client."""
    for closed in [known for known in _loops if known.is_closed()]:
        _loops.pop(closed).close()
    shared = _loops.get(loop)
    if shared is None:
        shared = _loops[loop] = LoopPort(loop)
    shared.users += 1
    return shared


def release(shared: LoopPort) -> None:
    """One client less; the last one closes the port. On the loop's thread."""
    shared.users -= 1
    _retire(shared, RETIRE_TRIES_MAX)


def _retire(shared: LoopPort, tries: int) -> None:
    if shared.users > 0:
        return
    if tries > 0 and shared.port.waiting() and not shared.loop.is_closed():
        # Others still wait for what the closed client has let fail: a lock, say.
        shared.loop.call_later(RETIRE_SECONDS, _retire, shared, tries - 1)
        return
    if _loops.pop(shared.loop, None) is not None:
        shared.close()


class CallbackThread:
    """The one thread on which a synchronous client calls back, in the order of events.

    Callbacks may call the client. The thread starts with the first use.
    """

    def __init__(self, keep_null: bool = False) -> None:
        self.port = Port(None, keep_null)
        self._thread: threading.Thread | None = None
        self._stopped = False
        self._lock = threading.Lock()

    def start(self) -> None:
        """Starts it, unless it runs."""
        with self._lock:
            if self._thread is None and not self._stopped:
                self._thread = threading.Thread(
                    target=self._run, name="zoowarden-callbacks", daemon=True
                )
                self._thread.start()
                _threads.add(self)

    def _run(self) -> None:
        while not self._stopped:
            if self.port.wait(WAIT_MS):
                self.port.drain()
        # What a drain leaves rings again: everybody who waits for an answer gets it.
        while self.port.wait(0):
            self.port.drain()

    def is_current(self) -> bool:
        """Whether the caller runs on it."""
        return self._thread is threading.current_thread()

    def stop(self) -> None:
        """Ends it after what it is doing. Any thread."""
        self._stopped = True
        self.port.ring()

    def join(self) -> None:
        """Waits for its end, with a limit, unless this is the thread itself."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(JOIN_SECONDS_MAX)


_threads: weakref.WeakSet[LoopPort | CallbackThread] = weakref.WeakSet()
_sessions: weakref.WeakSet[Session] = weakref.WeakSet()


def remember(session: Session) -> None:
    """A session that the end of the interpreter closes."""
    _sessions.add(session)


def abandon(session: object, port: Port) -> None:
    """Closes a session that nobody will ask for any more, in the background."""
    if isinstance(session, Session) and session.is_ours():
        session.close((port, lambda _value, _error: None))


_servers: weakref.WeakSet[Node | Ensemble] = weakref.WeakSet()


def remember_server(server: Node | Ensemble) -> None:
    """A server that the end of the interpreter shuts down."""
    _servers.add(server)


def _close_all() -> None:
    """At the end of the interpreter, which must not hang and must not leave sessions behind."""
    _settle_all([session for session in _sessions if session.is_ours() and not session.is_over()])
    _settle_all([server for server in _servers if server.is_ours()])
    threads = list(_threads)
    for thread in threads:
        thread.stop()
    for thread in threads:
        thread.join()


def _settle_all(things: list[Session] | list[Node | Ensemble]) -> None:
    if not things:
        return
    port = Port()
    waiting = 0

    def closed(_value: object, _error: BaseException | None) -> None:
        nonlocal waiting
        waiting -= 1

    for thing in things:
        waiting += 1
        end = thing.close if isinstance(thing, Session) else thing.shutdown
        end((port, closed))
    deadline = time.monotonic() + EXIT_SECONDS_MAX
    while waiting and time.monotonic() < deadline:
        if port.wait(100):
            port.drain()


def _in_child() -> None:
    _zoowarden.forked()
    _loops.clear()
    _threads.clear()
    _sessions.clear()
    _servers.clear()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
