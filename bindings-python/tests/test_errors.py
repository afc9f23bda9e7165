"""One class for each code, and what an error tells."""

from __future__ import annotations

import pickle

import pytest

import zoowarden
from zoowarden import _transactions, errors
from zoowarden._zoowarden import codes


def test_every_code_has_a_class_of_its_own() -> None:
    classes = [getattr(errors, name) for _number, _code, name in codes()]
    assert len(set(classes)) == len(codes())
    for (number, _code, name), cls in zip(codes(), classes, strict=True):
        assert issubclass(cls, errors.ZooKeeperError)
        assert cls.code == number
        assert getattr(zoowarden, name) is cls
        assert _transactions.error_class(number) is cls


def test_every_class_has_a_code() -> None:
    named = {name for _number, _code, name in codes()}
    subclasses = errors.ZooKeeperError.__subclasses__()
    of_package = {cls.__name__ for cls in subclasses if cls.__module__ == errors.__name__}
    assert of_package - named == {"TransactionError"}


def test_unknown_code_is_an_error_of_the_server() -> None:
    assert _transactions.error_class(-4711) is errors.SystemZooKeeperError


def test_error_tells_what_happened_to_what(client: zoowarden.Client) -> None:
    with pytest.raises(zoowarden.NoNodeError, match="getData /missing: no such znode") as raised:
        client.get("/missing")
    error = raised.value
    assert (error.code, error.path, error.operation) == (-101, "/missing", "getData")
    assert error.nothing_changed


def test_errors_can_be_pickled() -> None:
    error = errors.NoNodeError("gone", "/a", "getData", False)
    failed = errors.TransactionError(3, error)
    again = pickle.loads(pickle.dumps(failed))
    assert isinstance(again, errors.TransactionError)
    assert (again.index, again.error.path, again.error.nothing_changed) == (3, "/a", False)
    assert str(again) == str(failed)


@pytest.mark.parametrize("path", ["", "a", "/a/", "/a//b", "/a/./b", "/a\0b", "/a/../b"])
def test_paths_that_are_none_are_refused(client: zoowarden.Client, path: str) -> None:
    with pytest.raises(zoowarden.BadArgumentsError) as raised:
        client.get(path)
    assert raised.value.nothing_changed


@pytest.mark.parametrize("hosts", ["", ",", "host:port", "host:99999", "host//a"])
def test_hosts_that_are_none_are_refused(hosts: str) -> None:
    with pytest.raises(ValueError, match="connect string"):
        zoowarden.Client(hosts).connect()
