"""A pytest plugin that runs kazoo's own suite over `zoowarden.compat.kazoo`.

Every test that asks kazoo for its client gets ours. Loaded with `-p`, before a test is imported.
"""

from __future__ import annotations

import sys
from typing import Any

import kazoo.client
from kazoo.protocol.connection import _CONNECTION_DROP, _SESSION_EXPIRED

import zoowarden
from zoowarden.compat.kazoo import KazooClient, TransactionRequest

NOBODY = "127.0.0.1:1"


class TestedClient(KazooClient):
    """With the door by which kazoo's harness makes trouble."""

    __test__ = False

    def _call(self, request: object, _async_object: Any) -> None:
        if request is _CONNECTION_DROP:
            self._session.move_on()
        elif request is _SESSION_EXPIRED:
            self._expire()
        else:
            raise NotImplementedError(f"kazoo's harness asks for {request!r}")

    def _expire(self) -> None:
        """Whoever attaches to a session and closes it has ended it, while its owner cannot."""
        identity = (self._session.session_id(), self._session.session_password())
        self._session.set_hosts(NOBODY + (self.chroot or ""))
        zoowarden.Client(self._connect_string(), session=identity).connect().close()
        self._session.set_hosts(self._connect_string())


# As if they were not installed: tests that take whichever handler there is take the threading one.
sys.modules["kazoo.handlers.gevent"] = None  # type: ignore[assignment]
sys.modules["kazoo.handlers.eventlet"] = None  # type: ignore[assignment]

kazoo.client.KazooClient = TestedClient
kazoo.client.TransactionRequest = TransactionRequest
