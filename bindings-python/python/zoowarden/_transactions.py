"""Transactions: building them, and reading what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from zoowarden import errors
from zoowarden._options import Entry, acl_entries, create_flags, expected
from zoowarden._zoowarden import codes
from zoowarden.values import ACL

Operation = tuple[str, str, "bytes | None", "list[Entry] | None", int]

Outcome = tuple[str, Any]

BuilderT = TypeVar("BuilderT", bound="Builder")

_CLASSES: dict[int, type[errors.ZooKeeperError]] = {
    number: getattr(errors, class_name) for number, _name, class_name in codes()
}


class Builder:
    """Operations that will be carried out all together or not at all."""

    def __init__(self, default_acl: Sequence[ACL] | None) -> None:
        self._default_acl = default_acl
        self._operations: list[Operation] = []
        self._committed = False

    def __len__(self) -> int:
        return len(self._operations)

    def create(
        self: BuilderT,
        path: str,
        data: bytes = b"",
        *,
        ephemeral: bool = False,
        sequential: bool = False,
        container: bool = False,
        acl: Sequence[ACL] | None = None,
    ) -> BuilderT:
        """Creates a znode; its result is the path."""
        flags, _ = create_flags(ephemeral, sequential, container, None)
        return self._add("create", path, data, acl_entries(acl, self._default_acl), flags)

    def delete(self: BuilderT, path: str, version: int | None = None) -> BuilderT:
        """Deletes a znode, if it has this version; its result is None."""
        return self._add("delete", path, None, None, expected(version))

    def set(self: BuilderT, path: str, data: bytes, version: int | None = None) -> BuilderT:
        """Sets the data of a znode, if it has this version; its result is the new Stat."""
        return self._add("set", path, data, None, expected(version))

    def check(self: BuilderT, path: str, version: int | None = None) -> BuilderT:
        """Demands that a znode exists and has this version; its result is None."""
        return self._add("check", path, None, None, expected(version))

    def _add(
        self: BuilderT,
        kind: str,
        path: str,
        data: bytes | None,
        acl: list[Entry] | None,
        number: int,
    ) -> BuilderT:
        self._operations.append((kind, path, data, acl, number))
        return self

    def _take(self) -> list[Operation]:
        if self._committed:
            raise RuntimeError("this transaction is committed: build a new one")
        self._committed = True
        return self._operations


def error_class(code: int) -> type[errors.ZooKeeperError]:
    """The class of a code; an unknown one is a SystemZooKeeperError."""
    return _CLASSES.get(code, errors.SystemZooKeeperError)


def results(operations: Sequence[Operation], outcomes: Sequence[Outcome]) -> list[Any]:
    """One result for each operation, or a TransactionError."""
    for index, (kind, value) in enumerate(outcomes):
        # Those before the one that failed carry 0, those behind it RuntimeInconsistency.
        if kind == "failed" and value != 0:
            path = operations[index][1]
            cls = error_class(value)
            message = f"{operations[index][0]} {path}: {(cls.__doc__ or '').strip()}"
            raise errors.TransactionError(index, cls(message, path, operations[index][0]))
    return [value for _kind, value in outcomes]


def read_results(paths: Sequence[str], outcomes: Sequence[Outcome]) -> list[Any]:
    """One result or exception for each read."""
    return [
        error_class(value)(path=path) if kind == "failed" else value
        for path, (kind, value) in zip(paths, outcomes, strict=True)
    ]
