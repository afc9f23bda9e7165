"""How many gets one Python process makes in a second, beside kazoo, against the same server.

    python benches/gets.py [--hosts 127.0.0.1:2181] [--seconds 3]

Without --hosts an embedded server runs in a process of its own. Every client asks for the same
znode of 100 bytes, with as many requests under way as the row says. The machine is shared with the
server; on Linux with two cores or more each has one of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import zoowarden

PATH = "/zoowarden-bench"
PAYLOAD = b"x" * 100

SERVER = """
import sys, zoowarden
with zoowarden.Node() as node:
    print(node.connect_string, flush=True)
    sys.stdin.read()
"""


def pin(core: int) -> None:
    """Keeps the calling process on one core, where the system can."""
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {core})


@contextmanager
def server(hosts: str | None) -> Iterator[str]:
    if hosts is not None:
        yield hosts
        return
    command = [sys.executable, "-c", SERVER]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
            os.sched_setaffinity(process.pid, {1})
        yield process.stdout.readline().strip()
        process.stdin.close()


class Count:
    """Operations per second, wall and CPU."""

    def __init__(self, name: str, in_flight: int) -> None:
        self.name, self.in_flight = name, in_flight
        self.done = 0
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        self.rate = 0.0

    def close(self) -> float:
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        self.rate = self.done / wall
        each = cpu / max(1, self.done) * 1e6
        print(
            f"{self.name:<34} {self.in_flight:>5} in flight {self.rate:>10,.0f} gets/s"
            f" {each:>7.1f} us CPU each",
            flush=True,
        )
        return self.rate


def asyncio_gets(hosts: str, in_flight: int, seconds: float) -> float:
    async def main() -> float:
        async with zoowarden.AsyncClient(hosts) as client:
            end = time.perf_counter() + seconds
            count = Count("zoowarden.AsyncClient", in_flight)

            async def work() -> None:
                while time.perf_counter() < end:
                    await client.get(PATH)
                    count.done += 1

            await asyncio.gather(*[work() for _ in range(in_flight)])
            return count.close()

    return asyncio.run(main())


def threads_gets(hosts: str, threads: int, seconds: float) -> float:
    with zoowarden.Client(hosts) as client:
        end = time.perf_counter() + seconds
        count = Count("zoowarden.Client", threads)
        done = [0] * threads

        def work(number: int) -> None:
            while time.perf_counter() < end:
                client.get(PATH)
                done[number] += 1

        workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        count.done = sum(done)
        return count.close()


def kazoo_gets(hosts: str, in_flight: int, seconds: float) -> float:
    from kazoo.client import KazooClient

    client = KazooClient(hosts)
    client.start()
    end = time.perf_counter() + seconds
    count = Count("kazoo get_async", in_flight)
    window = [client.get_async(PATH) for _ in range(in_flight)]
    at = 0
    while time.perf_counter() < end:
        window[at].get()
        window[at] = client.get_async(PATH)
        at = (at + 1) % in_flight
        count.done += 1
    for result in window:
        result.get()
    rate = count.close()
    client.stop()
    client.close()
    return rate


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--hosts")
    parser.add_argument("--seconds", type=float, default=3.0)
    arguments = parser.parse_args()
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with server(arguments.hosts) as hosts:
        with zoowarden.Client(hosts) as client:
            if client.exists(PATH) is None:
                client.create(PATH, PAYLOAD)
        pin(0)
        ours, theirs = [], []
        for in_flight in (1, 16, 256, 1024):
            ours.append(asyncio_gets(hosts, in_flight, arguments.seconds))
        for threads in (1, 8):
            threads_gets(hosts, threads, arguments.seconds)
        try:
            for in_flight in (16, 256):
                theirs.append(kazoo_gets(hosts, in_flight, arguments.seconds))
        except ImportError:
            print("kazoo is not installed: nothing to compare with")
            return
        print(f"best of ours / best of kazoo: {max(ours) / max(theirs):.1f}")


if __name__ == "__main__":
    main()
