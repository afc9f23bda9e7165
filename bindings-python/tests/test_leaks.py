"""A thousand times over, nothing is left: no thread, no descriptor, no object, no memory."""

from __future__ import annotations

import asyncio
import gc
import os
import threading

import pytest

import zoowarden
import zoowarden.testing
from waiting import until
from zoowarden import AsyncClient, Client, _ports

ROUNDS = 1000
WARM_UP = 50

MEMORY_KIB_MAX = 16 * 1024
"""Growth over all rounds that allocators and caches explain; 16 KiB for each round."""

pytestmark = [
    pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counted in /proc"),
    pytest.mark.timeout(300),
]


class Footprint:
    """What this process holds."""

    def __init__(self) -> None:
        gc.collect()
        self.threads = len(os.listdir("/proc/self/task"))
        self.python_threads = threading.active_count()
        self.descriptors = len(os.listdir("/proc/self/fd"))
        self.objects = len(gc.get_objects())
        with open("/proc/self/status") as status:
            line = next(line for line in status if line.startswith("VmRSS:"))
        self.memory_kib = int(line.split()[1])

    def grew_beyond(self, before: Footprint) -> str:
        """What is too much, in words; nothing if all is well."""
        grown = {
            "threads": self.threads - before.threads,
            "Python threads": self.python_threads - before.python_threads,
            "descriptors": self.descriptors - before.descriptors,
        }
        told = [f"{count} {what}" for what, count in grown.items() if count > 0]
        objects = self.objects - before.objects
        if objects > ROUNDS // 2:
            told.append(f"{objects} objects")
        memory = self.memory_kib - before.memory_kib
        if memory > MEMORY_KIB_MAX:
            told.append(f"{memory} KiB")
        return ", ".join(told)


def settled(before: Footprint) -> None:
    """Waits until what is given back in the background has been given back."""
    until(lambda: not Footprint().grew_beyond(before), Footprint().grew_beyond(before))


def test_connecting_and_closing_leaves_nothing(server: zoowarden.testing.Server) -> None:
    def once() -> None:
        with server.client() as client:
            client.exists("/", watch=print)
            client.watch("/", recursive=True)
            client.get("/")

    for _ in range(WARM_UP):
        once()
    before = Footprint()
    for _ in range(ROUNDS):
        once()
    settled(before)


def test_clients_that_are_forgotten_leave_nothing(server: zoowarden.testing.Server) -> None:
    def once() -> None:
        Client(server.connect_string).connect().exists("/", watch=print)

    for _ in range(WARM_UP):
        once()
    before = Footprint()
    for _ in range(ROUNDS // 4):
        once()
    settled(before)


def test_event_loops_that_come_and_go_leave_nothing(server: zoowarden.testing.Server) -> None:
    async def once() -> None:
        async with AsyncClient(server.connect_string) as client:
            await client.exists("/", watch=print)
            async with client.watch("/"):
                await client.get("/")

    for _ in range(WARM_UP):
        asyncio.run(once())
    before = Footprint()
    for _ in range(ROUNDS):
        asyncio.run(once())
    settled(before)
    assert not _ports._loops


def test_nodes_that_start_and_stop_leave_nothing() -> None:
    def once() -> None:
        with zoowarden.Node() as node, node.client() as client:
            client.create("/a", b"x")

    for _ in range(WARM_UP):
        once()
    before = Footprint()
    for _ in range(ROUNDS):
        once()
    settled(before)


def test_requests_and_watches_leave_nothing(hosts: str) -> None:
    with Client(hosts) as client:
        client.create("/a", b"x" * 1000)

        def once() -> None:
            for _ in range(20):
                client.get("/a", watch=print)
            client.watch("/a").close()
            with pytest.raises(zoowarden.NoNodeError):
                client.get("/b", watch=print)
            client.delete("/a")
            client.create("/a", b"x" * 1000)

        for _ in range(WARM_UP):
            once()
        before = Footprint()
        for _ in range(ROUNDS):
            once()
        settled(before)
        until(lambda: client._callbacks.port.pending() == 1, "every slot but the state's is free")
