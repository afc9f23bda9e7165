"""Watches: what is common to those of both clients."""

from __future__ import annotations

import contextvars
import inspect
import logging
import weakref
from collections import deque
from collections.abc import Callable

from zoowarden._zoowarden import Port, Watch
from zoowarden.errors import AuthFailedError, SessionExpiredError, ZooKeeperError
from zoowarden.values import Event, EventType, State

log = logging.getLogger("zoowarden")

WatchCallback = Callable[[Event], object]
"""Called with each event; what it returns is ignored, what it raises is logged."""

StateListener = Callable[[State], object]
"""Called with each state; what it returns is ignored, what it raises is logged."""

_TYPES = {kind.value: kind for kind in EventType}


class Source:
    """Events of one native watch, taken as they are wanted."""

    def __init__(self, port: Port, on_ready: Callable[[], object]) -> None:
        self.native = Watch(port, on_ready)
        self.ended = False
        self.lost: State | None = None
        self._events: deque[Event] = deque()

    def take(self) -> Event | None:
        """The next event, or None if there is none now."""
        if not self._events:
            self._refill()
        return self._events.popleft() if self._events else None

    def _refill(self) -> None:
        events, dropped, ended = self.native.take()
        for kind, path, zxid, state in events:
            lost = None if state is None else State(state)
            self.lost = lost or self.lost
            self._events.append(Event(_TYPES[kind], path, zxid, 0, lost))
        if dropped:
            self._events.append(Event(EventType.OVERFLOW, dropped=dropped))
        self.ended = self.ended or ended

    def loss(self) -> ZooKeeperError | None:
        """Why the watch is over, unless somebody ended it."""
        if self.lost is State.EXPIRED:
            return SessionExpiredError("the session has expired, and its watches with it")
        if self.lost is State.AUTH_FAILED:
            return AuthFailedError("the server refused the credentials")
        return None


class Calling:
    """Calls back with each event of a watch; alive until the watch is over."""

    def __init__(
        self,
        port: Port,
        callback: WatchCallback,
        on_error: Callable[[BaseException], object],
    ) -> None:
        self._callback = callback
        self._on_error = on_error
        self._context = contextvars.copy_context()
        self.source = Source(port, self._on_ready)

    def _on_ready(self) -> None:
        while (event := self.source.take()) is not None:
            try:
                self._context.run(self._callback, event)
            except Exception as error:
                self._on_error(error)


def weak_call(owner: object, method: str) -> Callable[[], object]:
    """Calls a method of something that this call does not keep alive."""
    reference = weakref.ref(owner)

    def call() -> None:
        target = reference()
        if target is not None:
            getattr(target, method)()

    return call


def check_callback(callback: WatchCallback) -> None:
    """A watch cannot await."""
    if not callable(callback):
        raise TypeError(f"a watch is called, and {type(callback).__name__} is not callable")
    if inspect.iscoroutinefunction(callback):
        raise TypeError("a watch is called, not awaited: `async for` over watch() does that")


def log_error(error: BaseException) -> None:
    """What a callback on the callback thread raised."""
    log.error("a watch callback failed", exc_info=error)
