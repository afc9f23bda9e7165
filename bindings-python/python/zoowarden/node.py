"""A ZooKeeper server inside this process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from types import TracebackType
from typing import Any, TypeVar

from zoowarden import _options, _ports, _zoowarden
from zoowarden.aio import AsyncClient
from zoowarden.client import Client
from zoowarden.errors import ClientClosedError

NodeT = TypeVar("NodeT", bound="Node")


class Node:
    """A server, alone or a member of an ensemble; any ZooKeeper client can use it.

    Without arguments it keeps everything in memory and listens on a free port of 127.0.0.1.

    ::

        with zoowarden.Node(data_dir="data", client_address="127.0.0.1:2181") as node:
            with node.client() as client:
                client.create("/greeting", b"hello")

    Args:
        data_dir: where it keeps what it acknowledged; None for memory.
        client_address: where it listens, port 0 for a free one; None for clients of this process
            only.
        tick: the unit of its time limits, in seconds: sessions end with this precision.
        min_session_timeout: shorter session timeouts are raised to this.
        max_session_timeout: longer session timeouts are cut to this.
        sasl_users: who may log in by SASL, each user with a password; ACLs name them by the scheme
            ``sasl``. Who does not log in is served as well, as nobody.
    """

    def __init__(
        self,
        data_dir: str | os.PathLike[str] | None = None,
        *,
        client_address: str | None = "127.0.0.1:0",
        tick: float = 0.5,
        min_session_timeout: float = 1.0,
        max_session_timeout: float = 60.0,
        sasl_users: Mapping[str, str] | None = None,
    ) -> None:
        self._settings: dict[str, Any] = {
            "zoo_cfg": None,
            "my_id": None,
            "data_dir": None if data_dir is None else os.fspath(data_dir),
            "client_address": client_address,
            "tick_ms": _options.milliseconds(tick),
            "timeout_ms_min": _options.milliseconds(min_session_timeout),
            "timeout_ms_max": _options.milliseconds(max_session_timeout),
            "sasl_users": None if sasl_users is None else dict(sasl_users),
        }
        self._native: _zoowarden.Node | None = None

    @classmethod
    def from_zoo_cfg(
        cls: type[NodeT],
        text: str,
        my_id: int | None = None,
        *,
        sasl_users: Mapping[str, str] | None = None,
    ) -> NodeT:
        """A server as the text of a zoo.cfg describes it.

        Args:
            text: what stands in the file.
            my_id: what would stand in the file ``myid``, for a member of an ensemble.
            sasl_users: as for :class:`Node`: there is no file that could name them.
        """
        node = cls(sasl_users=sasl_users)
        node._settings.update(zoo_cfg=text, my_id=my_id)
        return node

    def start(self: NodeT) -> NodeT:
        """Starts it; one that is alone serves when this returns.

        Raises:
            NodeStartError: a setting is wrong, the port is taken, or the directory cannot be used.
        """
        if self._native is not None:
            raise RuntimeError("a node starts once: make a new one")
        self._native = _zoowarden.Node.start(None, **self._settings)
        _ports.remember_server(self._native)
        return self

    def wait_ready(self) -> None:
        """Waits until it serves: a member of an ensemble needs a quorum of the others."""
        self._require().ready(None)

    def close(self) -> None:
        """Shuts it down in good order; calls that wait for it raise ClientClosedError.

        Closing twice is fine.
        """
        if self._native is not None and self._native.is_ours():
            self._native.shutdown(None)

    def __enter__(self: NodeT) -> NodeT:
        return self if self._native is not None else self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self: NodeT) -> NodeT:
        return self if self._native is not None else await asyncio.to_thread(self.start)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.close)

    def _require(self) -> _zoowarden.Node:
        if self._native is None:
            raise ClientClosedError("the node is not started: use `with Node() as node`, or start()")
        return self._native

    @property
    def connect_string(self) -> str:
        """What clients are given: ``"127.0.0.1:34567"``."""
        return self._require().connect_string()

    @property
    def client_address(self) -> tuple[str, int] | None:
        """Host and port it listens on, or None if it does not."""
        return self._require().client_address()

    @property
    def data_dir(self) -> str | None:
        """Where it keeps its data, or None if in memory."""
        path = self._require().data_dir()
        return None if path is None else os.fspath(path)

    @property
    def is_leader(self) -> bool:
        """Whether it leads its ensemble now."""
        return self._require().is_leader()

    def expire_session(self, session_id: int) -> None:
        """Ends a session as its expiry does. For tests."""
        self._require().expire_session(None, session_id)

    def client(self, **options: Any) -> Client:
        """A client that talks to it without TCP; takes the options of :class:`Client`."""
        return Client(node=self, **options)

    def async_client(self, **options: Any) -> AsyncClient:
        """A client that talks to it without TCP; takes the options of :class:`AsyncClient`."""
        return AsyncClient(node=self, **options)
