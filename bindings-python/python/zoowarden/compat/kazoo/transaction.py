"""kazoo's transactions."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

from kazoo.protocol.states import ZnodeStat

from zoowarden._options import Entry
from zoowarden.compat.kazoo import arguments, exceptions

if TYPE_CHECKING:
    from zoowarden.compat.kazoo.client import KazooClient


class TransactionRequest:
    """Operations that are carried out all together or not at all.

    Unlike :class:`zoowarden.Transaction`, a failed one raises nothing: exceptions stand in the
    results, as with kazoo.
    """

    def __init__(self, client: KazooClient) -> None:
        self.client = client
        self.operations: list[tuple[str, str, bytes | None, list[Entry] | None, int]] = []
        self.committed = False

    def create(
        self,
        path: str,
        value: bytes = b"",
        acl: Any = None,
        ephemeral: bool = False,
        sequence: bool = False,
    ) -> None:
        """Adds a create; its result is the path."""
        arguments.demand("path", path, str)
        arguments.demand("value", value, bytes)
        arguments.demand("ephemeral", ephemeral, bool)
        arguments.demand("sequence", sequence, bool)
        entries = arguments.acl_entries(acl or self.client.default_acl)
        flags = arguments.create_flags(ephemeral, sequence)
        self._add("create", arguments.normal(path, sequence), value, entries, flags)

    def delete(self, path: str, version: int = -1) -> None:
        """Adds a delete; its result is True."""
        arguments.demand("path", path, str)
        arguments.demand("version", version, int)
        self._add("delete", arguments.normal(path), None, None, version)

    def set_data(self, path: str, value: bytes, version: int = -1) -> None:
        """Adds a set; its result is the new ZnodeStat."""
        arguments.demand("path", path, str)
        arguments.demand("value", value, bytes)
        arguments.demand("version", version, int)
        self._add("set", arguments.normal(path), value, None, version)

    def check(self, path: str, version: int) -> None:
        """Adds a demand on a version; its result is True."""
        arguments.demand("path", path, str)
        arguments.demand("version", version, int)
        self._add("check", arguments.normal(path), None, None, version)

    def commit_async(self) -> Any:
        """Commits; the IAsyncResult becomes the list of results."""
        self._must_be_open()
        self.committed = True
        return self.client._ask("multi", self._results, self.operations)

    def commit(self) -> list[Any]:
        """Commits and waits; gives one result or exception for each operation."""
        results: list[Any] = self.commit_async().get()
        return results

    def _results(self, outcomes: list[tuple[str, Any]]) -> list[Any]:
        results: list[Any] = []
        for kind, value in outcomes:
            if kind == "failed":
                results.append(exceptions.of_code(value))
            elif kind == "set":
                results.append(ZnodeStat(*value.as_tuple()))
            else:
                results.append(value if kind == "created" else True)
        return results

    def __enter__(self) -> TransactionRequest:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.commit()

    def _must_be_open(self) -> None:
        if self.committed:
            raise ValueError("Transaction already committed")

    def _add(
        self, kind: str, path: str, data: bytes | None, acl: list[Entry] | None, number: int
    ) -> None:
        self._must_be_open()
        self.operations.append((kind, path, data, acl, number))
