"""What the tests share: one server for all, and a client of its own part of the tree for each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

import zoowarden
import zoowarden.testing

_numbers = itertools.count()


@pytest.fixture(scope="session")
def server() -> Iterator[zoowarden.testing.Server]:
    with zoowarden.testing.Server() as server:
        yield server


@pytest.fixture
def hosts(server: zoowarden.testing.Server) -> str:
    """A connect string whose chroot no other test uses."""
    chroot = f"/test{next(_numbers)}"
    with server.client() as client:
        client.create(chroot)
    return server.connect_string + chroot


@pytest.fixture
def client(hosts: str) -> Iterator[zoowarden.Client]:
    with zoowarden.Client(hosts) as client:
        yield client
