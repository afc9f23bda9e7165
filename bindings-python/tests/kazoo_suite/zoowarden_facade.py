"""A pytest plugin that runs kazoo's own suite over `zoowarden.compat.kazoo`.

Every test that asks kazoo for its client gets ours. Loaded with `-p`, before a test is imported.
"""

from __future__ import annotations

from typing import Any

import kazoo.client
from kazoo.protocol.connection import _CONNECTION_DROP, _SESSION_EXPIRED

import zoowarden
from zoowarden.compat.kazoo import KazooClient, TransactionRequest


class TestedClient(KazooClient):
    """With the door by which kazoo's harness makes trouble."""

    __test__ = False

    def _call(self, request: object, _async_object: Any) -> None:
        if request is _CONNECTION_DROP:
            self._session.move_on()
        elif request is _SESSION_EXPIRED:
            identity = (self._session.session_id(), self._session.session_password())
            # Whoever attaches to a session and closes it has ended it.
            zoowarden.Client(self.hosts, session=identity).connect().close()
        else:
            raise NotImplementedError(f"kazoo's harness asks for {request!r}")


kazoo.client.KazooClient = TestedClient
kazoo.client.TransactionRequest = TransactionRequest
