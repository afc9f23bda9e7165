"""What operations raise: one class for each of ZooKeeper's codes.

Catch :class:`ZooKeeperError` for all of them. The native half picks the class by the code, in a
match that does not compile when a code has no class here.
"""

from __future__ import annotations

from typing import ClassVar


class ZooKeeperError(Exception):
    """An operation failed.

    Attributes:
        code: ZooKeeper's number, -101 for a znode that does not exist.
        path: the znode as the caller named it, or None.
        operation: ZooKeeper's name of the operation (``"getData"``), or None.
        nothing_changed: True if it is certain that nothing was changed. False means that nobody
            knows: look before you try a write again.
    """

    code: ClassVar[int] = 0

    path: str | None
    operation: str | None
    nothing_changed: bool

    def __init__(
        self,
        message: str = "",
        path: str | None = None,
        operation: str | None = None,
        nothing_changed: bool = True,
    ) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())
        self.path = path
        self.operation = operation
        self.nothing_changed = nothing_changed

    def __reduce__(self) -> tuple[object, ...]:
        arguments = (str(self), self.path, self.operation, self.nothing_changed)
        return (type(self), arguments)


class SystemZooKeeperError(ZooKeeperError):
    """The server cannot carry this out now (its disk is full, say), or sent an unknown code."""

    code = -1


class RuntimeInconsistencyError(ZooKeeperError):
    """An operation of a transaction was not evaluated because an earlier one failed."""

    code = -2


class DataInconsistencyError(ZooKeeperError):
    """Two things that must agree do not."""

    code = -3


class ConnectionLossError(ZooKeeperError):
    """The connection ended before the answer came: nobody knows whether a write took place."""

    code = -4


class MarshallingError(ZooKeeperError):
    """Bytes do not decode."""

    code = -5


class UnimplementedError(ZooKeeperError):
    """The server does not have this operation, or it is switched off there."""

    code = -6


class OperationTimeoutError(ZooKeeperError):
    """The answer did not come in the time that the caller gave."""

    code = -7


class BadArgumentsError(ZooKeeperError):
    """A path, mode, version or time to live is not allowed."""

    code = -8


class InvalidStateError(ZooKeeperError):
    """The client cannot do this in the state it is in."""

    code = -9


class UnknownSessionError(ZooKeeperError):
    """The session is not known."""

    code = -12


class NewConfigNoQuorumError(ZooKeeperError):
    """A new configuration would have no quorum in contact with the leader."""

    code = -13


class ReconfigInProgressError(ZooKeeperError):
    """Another change of the ensemble is under way."""

    code = -14


class NoNodeError(ZooKeeperError):
    """The znode, or the parent of the one to create, does not exist."""

    code = -101


class NoAuthError(ZooKeeperError):
    """The ACL denies it."""

    code = -102


class BadVersionError(ZooKeeperError):
    """The expected version is not the current one."""

    code = -103


class NoChildrenForEphemeralsError(ZooKeeperError):
    """An ephemeral znode cannot have children."""

    code = -108


class NodeExistsError(ZooKeeperError):
    """The znode to create exists."""

    code = -110


class NotEmptyError(ZooKeeperError):
    """The znode to delete has children."""

    code = -111


class SessionExpiredError(ZooKeeperError):
    """The session is over; its ephemeral znodes are gone."""

    code = -112


class InvalidCallbackError(ZooKeeperError):
    """No callback where there must be one."""

    code = -113


class InvalidACLError(ZooKeeperError):
    """The ACL is empty, malformed or of a scheme that the server does not know."""

    code = -114


class AuthFailedError(ZooKeeperError):
    """The server refused the credentials; the client is over."""

    code = -115


class ClientClosedError(ZooKeeperError):
    """The client is closed, or was never connected."""

    code = -116


class SessionMovedError(ZooKeeperError):
    """The session now belongs to another connection."""

    code = -118


class NotReadOnlyError(ZooKeeperError):
    """A write to a server that only reads."""

    code = -119


class EphemeralOnLocalSessionError(ZooKeeperError):
    """An ephemeral znode in a session that only one server knows."""

    code = -120


class NoWatcherError(ZooKeeperError):
    """There is no such watch."""

    code = -121


class RequestTimeoutError(ZooKeeperError):
    """The request waited longer than the client's limit."""

    code = -122


class ReconfigDisabledError(ZooKeeperError):
    """Changing the ensemble is switched off on the server."""

    code = -123


class SessionClosedRequireSaslAuthError(ZooKeeperError):
    """The server serves authenticated clients only."""

    code = -124


class QuotaExceededError(ZooKeeperError):
    """A quota on the path or above it is used up."""

    code = -125


class ThrottledOpError(ZooKeeperError):
    """Too many requests wait; this one was not carried out."""

    code = -127


class TransactionError(ZooKeeperError):
    """A transaction failed, and none of it was carried out.

    Attributes:
        index: which operation failed, counted from 0.
        error: why; an instance of the class of its code.
    """

    index: int
    error: ZooKeeperError

    def __init__(self, index: int, error: ZooKeeperError) -> None:
        message = f"operation {index} of the transaction failed: {error}"
        super().__init__(message, error.path, "multi", True)
        self.index = index
        self.error = error

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.index, self.error))


class ForkedClientError(RuntimeError):
    """A client, a lock or a node was inherited through a fork: create a new one in the child."""


class NodeStartError(RuntimeError):
    """An embedded server did not start."""
