"""Errors that are both this package's and kazoo's, so that either `except` catches them."""

from __future__ import annotations

from kazoo import exceptions as kazoo

from zoowarden import errors
from zoowarden._zoowarden import codes

_CLOSED = errors.ClientClosedError.code


def _both(number: int, ours: type[errors.ZooKeeperError]) -> type[errors.ZooKeeperError]:
    if number == _CLOSED:
        theirs = kazoo.ConnectionClosedError
    else:
        # kazoo's table makes no entry for what it does not know, but raises.
        theirs = dict(kazoo.EXCEPTIONS).get(number, kazoo.ZookeeperError)
    known = theirs is not kazoo.ZookeeperError
    name = theirs.__name__ if known else ours.__name__
    # What kazoo calls a closed connection has the code of an expired session there.
    code = theirs.code if known else number
    return type(name, (ours, theirs), {"__doc__": ours.__doc__, "code": code})


_CLASSES = {
    getattr(errors, class_name): _both(number, getattr(errors, class_name))
    for number, _name, class_name in codes()
}


def translate(error: BaseException) -> BaseException:
    """The same error as kazoo's programs expect it; others than ZooKeeper's stay what they are."""
    if not isinstance(error, errors.ZooKeeperError):
        return error
    cls = _CLASSES.get(type(error))
    if cls is None:
        return error
    return cls(str(error), error.path, error.operation, error.nothing_changed)


def of_code(code: int) -> BaseException:
    """What stands in the results of a transaction: kazoo's own classes, 0 for what was taken back."""
    error: BaseException = dict(kazoo.EXCEPTIONS).get(code, kazoo.SystemZookeeperError)()
    return error
