"""ZooKeeper servers for tests, in milliseconds: no Java, no container, no port to choose.

::

    with zoowarden.testing.Server() as server:
        with server.client() as client:
            client.create("/greeting", b"hello")
            server.expire_session(client.session_id)
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, TypeVar

from zoowarden import _options, _ports, _zoowarden
from zoowarden.aio import AsyncClient
from zoowarden.client import Client
from zoowarden.errors import ClientClosedError

EnsembleT = TypeVar("EnsembleT", bound="Ensemble")

__all__ = ["Ensemble", "Server"]


class Ensemble:
    """Servers in this process that agree, with everything in memory. Their numbers begin at 1.

    Args:
        servers: how many, 9 at most.
        tick: the unit of their time limits, in seconds.
    """

    def __init__(self, servers: int = 3, *, tick: float = 0.5) -> None:
        self._servers = servers
        self._tick_ms = _options.milliseconds(tick)
        self._native: _zoowarden.Ensemble | None = None

    def start(self: EnsembleT) -> EnsembleT:
        """Starts all servers and waits until they serve.

        Raises:
            NodeStartError: one of them does not start.
        """
        if self._native is not None:
            raise RuntimeError("an ensemble starts once: make a new one")
        self._native = _zoowarden.Ensemble.start(None, self._servers, self._tick_ms)
        _ports.remember_server(self._native)
        return self

    def close(self) -> None:
        """Ends all servers; calls that wait raise ClientClosedError. Closing twice is fine."""
        if self._native is not None and self._native.is_ours():
            self._native.shutdown(None)

    def __enter__(self: EnsembleT) -> EnsembleT:
        return self if self._native is not None else self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self: EnsembleT) -> EnsembleT:
        return self if self._native is not None else await asyncio.to_thread(self.start)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.close)

    def _require(self) -> _zoowarden.Ensemble:
        if self._native is None:
            raise ClientClosedError("not started: use it in a `with`, or call start()")
        return self._native

    @property
    def connect_string(self) -> str:
        """The real ports of all servers; the same when servers are killed and restarted."""
        return self._require().connect_string()

    def address(self, server: int) -> str:
        """``"host:port"`` of one server."""
        return self._require().client_address(server)

    def leader(self) -> int:
        """The number of the leader; waits for one."""
        leader: int = self._require().leader(None)
        return leader

    def kill(self, server: int = 1) -> None:
        """Ends a server as the end of its process would."""
        self._require().kill(None, server)

    def restart(self, server: int = 1, *, wait: bool = True) -> None:
        """Starts a server that was killed, with what it had written, and waits until it serves."""
        self._require().restart(None, server, wait)

    def cut(self, one: int, other: int) -> None:
        """Cuts the line between two servers; neither is told."""
        self._require().cut(one, other)

    def heal(self, one: int, other: int) -> None:
        """Heals that line: what was held back arrives."""
        self._require().heal(one, other)

    def isolate(self, server: int) -> None:
        """Cuts the lines between one server and all others. Its clients stay."""
        self._require().isolate(server)

    def cut_clients(self, server: int = 1) -> None:
        """Ends the connections of a server's clients, and refuses others until they are healed."""
        self._require().cut_client(server)

    def heal_clients(self, server: int = 1) -> None:
        """Lets clients connect to a server again."""
        self._require().heal_client(server)

    def heal_all(self) -> None:
        """Heals every line."""
        self._require().heal_all()

    def expire_session(self, session_id: int) -> None:
        """Ends a session as its expiry does."""
        self._require().expire_session(None, session_id)

    def client(self, **options: Any) -> Client:
        """A client of all servers; takes the options of :class:`Client`."""
        return Client(self.connect_string, **options)

    def async_client(self, **options: Any) -> AsyncClient:
        """A client of all servers; takes the options of :class:`AsyncClient`."""
        return AsyncClient(self.connect_string, **options)


class Server(Ensemble):
    """One server for tests, in memory, on a free port."""

    def __init__(self, *, tick: float = 0.5) -> None:
        super().__init__(1, tick=tick)
