"""The asyncio client."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

import zoowarden
import zoowarden.testing
from waiting import until_async
from zoowarden import AsyncClient, Event, EventType, State, _ports
from zoowarden.recipes import AsyncLock

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(main)


def test_watch_that_cannot_be_set_says_so_each_time(hosts: str) -> None:
    async def main() -> None:
        async with AsyncClient(hosts) as client:
            watch = client.watch("relative")
            for _ in range(2):
                with pytest.raises(zoowarden.BadArgumentsError):
                    await watch.__anext__()

    run(main())


def test_second_task_at_a_watch_is_refused_and_the_first_goes_on(hosts: str) -> None:
    async def main() -> None:
        async with AsyncClient(hosts) as client, client.watch("/a") as watch:
            first = asyncio.ensure_future(watch.__anext__())
            await until_async(lambda: watch._waiting, "the first waits")
            # It is woken, and before it runs the second is there.
            asyncio.get_running_loop().call_soon(watch._on_ready)
            second = asyncio.ensure_future(watch.__anext__())
            await until_async(lambda: first.done() or second.done(), "one is refused")
            await client.create("/a")
            outcomes = await asyncio.wait_for(
                asyncio.gather(first, second, return_exceptions=True), 20
            )
            assert {type(outcome) for outcome in outcomes} == {Event, RuntimeError}

    run(main())


def test_call_that_is_given_up_sets_no_watch(hosts: str) -> None:
    async def main() -> None:
        async with AsyncClient(hosts) as client:
            heard: list[str] = []
            await client.create("/a")
            calls = [
                asyncio.ensure_future(call("/a", watch=lambda _event: heard.append("given up")))
                for call in (client.get, client.exists)
            ]
            await asyncio.sleep(0)
            for call in calls:
                call.cancel()
            await asyncio.wait(calls)
            await client.get("/a", watch=lambda _event: heard.append("wanted"))
            await client.delete("/a")
            await until_async(lambda: "wanted" in heard, "the watch is called")
            assert heard == ["wanted"]

    run(main())


def test_every_operation(hosts: str) -> None:
    async def main() -> None:
        async with AsyncClient(hosts) as client:
            assert await client.create("/a", b"1") == "/a"
            data, stat = await client.get("/a")
            assert (data, stat.version) == (b"1", 0)
            assert await client.exists("/a") == stat
            assert await client.exists("/b") is None
            assert (await client.set("/a", b"2", 0)).version == 1
            await client.ensure_path("/x/y")
            path, stat = await client.create_with_stat("/x/y/z-", sequential=True)
            assert (path, stat.version) == ("/x/y/z-0000000000", 0)
            assert sorted(await client.get_children("/")) == ["a", "x"]
            assert (await client.get_children_with_stat("/x"))[0] == ["y"]
            assert await client.get_all_children_number("/x") == 2
            await client.create("/e", ephemeral=True)
            assert await client.get_ephemerals() == ["/e"]
            acl, stat = await client.get_acl("/a")
            assert acl == list(zoowarden.OPEN_ACL_UNSAFE)
            await client.set_acl("/a", acl, stat.aversion)
            await client.add_auth("digest", "joe:secret")
            assert ("digest", "joe") in await client.who_am_i()
            await client.sync()
            assert (await client.get("/a", linearizable=True))[0] == b"2"
            (data, _stat), missing = await client.get_many(["/a", "/none"])
            assert data == b"2"
            assert isinstance(missing, zoowarden.NoNodeError)
            assert (await client.get_config())[1].version >= 0
            await client.delete("/x", recursive=True)
            async with client.transaction() as transaction:
                transaction.check("/a", 1).delete("/a")
            with pytest.raises(zoowarden.TransactionError) as raised:
                await client.transaction().create("/t").delete("/a").commit()
            assert raised.value.index == 1
            with pytest.raises(zoowarden.NoNodeError):
                await client.delete("/a")

    run(main())


def test_requests_of_one_client_keep_their_order(hosts: str) -> None:
    async def main() -> None:
        async with AsyncClient(hosts) as client:
            await client.create("/a")
            calls = [client.set("/a", str(number).encode()) for number in range(500)]
            stats = await asyncio.gather(*calls)
            assert [stat.version for stat in stats] == list(range(1, 501))
            assert (await client.get("/a"))[0] == b"499"

    run(main())


def test_a_flood_does_not_starve_the_loop(hosts: str) -> None:
    async def main() -> None:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0)
                ticks += 1

        async with AsyncClient(hosts) as client:
            await client.create("/a", b"x" * 100)
            ticking = asyncio.create_task(tick())
            await asyncio.gather(*[client.get("/a") for _ in range(20_000)])
            ticking.cancel()
        assert ticks >= 5

    run(main())


def test_too_many_requests_are_refused_and_the_rest_answered(hosts: str) -> None:
    async def main() -> None:
        async with AsyncClient(hosts) as client:
            calls = [client.exists("/a") for _ in range(80_000)]
            answers = await asyncio.gather(*calls, return_exceptions=True)
            refused = [one for one in answers if one is not None]
            assert all(isinstance(one, zoowarden.ThrottledOpError) for one in refused)
            assert len(refused) < 80_000 - 60_000
            assert await client.exists("/a") is None

    run(main())


def test_cancelled_call_leaves_the_client_usable(hosts: str) -> None:
    async def main() -> None:
        async with AsyncClient(hosts) as client:
            await client.create("/a", b"1")
            calls = [asyncio.create_task(client.get("/a")) for _ in range(100)]
            await asyncio.sleep(0)
            for call in calls[::2]:
                call.cancel()
            done = await asyncio.gather(*calls, return_exceptions=True)
            assert [isinstance(one, asyncio.CancelledError) for one in done] == [True, False] * 50
            assert (await client.get("/a"))[0] == b"1"
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.get("/a"), 0)
            assert (await client.get("/a"))[0] == b"1"

    run(main())


def test_watch_is_an_asynchronous_iterator(hosts: str) -> None:
    async def main() -> None:
        async with AsyncClient(hosts) as client:
            told: list[tuple[EventType, str]] = []
            async with client.watch("/", recursive=True) as events:
                paths = [await client.create("/n-", sequential=True) for _ in range(100)]
                async for event in events:
                    told.append((event.type, event.path))
                    if len(told) == 100:
                        break
            assert told == [(EventType.CREATED, path) for path in paths]

    run(main())


def test_iteration_ends_when_the_watch_or_the_client_is_closed(hosts: str) -> None:
    async def main() -> None:
        async with AsyncClient(hosts) as client:
            first, second = client.watch("/a"), client.watch("/a")

            async def read(watch: zoowarden.AsyncWatch) -> list[Event]:
                return [event async for event in watch]

            tasks = [asyncio.create_task(read(watch)) for watch in (first, second)]
            await client.sync()
            await first.close()
            assert await asyncio.wait_for(tasks[0], 20) == []
        assert await asyncio.wait_for(tasks[1], 20) == []

    run(main())


def test_lost_session_ends_iteration_loudly() -> None:
    async def main() -> None:
        async with zoowarden.testing.Server() as server, server.async_client() as client:
            async with client.watch("/") as events:
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(None, server.expire_session, client.session_id)
                with pytest.raises(zoowarden.SessionExpiredError):
                    async for _event in events:
                        pass
            with pytest.raises(zoowarden.SessionExpiredError):
                await client.get("/")

    run(main())


def test_callbacks_and_listeners_run_in_the_loop(hosts: str) -> None:
    async def main() -> None:
        client = AsyncClient(hosts)
        states: list[State] = []
        client.add_listener(states.append)
        async with client:
            threads: list[int] = []
            await client.exists("/a", watch=lambda _event: threads.append(threading.get_ident()))
            await client.create("/a")
            await until_async(lambda: threads, "the watch is called")
            assert threads == [threading.get_ident()]
            await until_async(lambda: State.CONNECTED in states, "the state is told")
        assert states[-1] is State.CLOSED

    run(main())


def test_error_of_a_callback_reaches_the_loops_handler(hosts: str) -> None:
    async def main() -> None:
        met: list[object] = []
        handler = lambda _loop, context: met.append(context["exception"])  # noqa: E731
        asyncio.get_running_loop().set_exception_handler(handler)
        async with AsyncClient(hosts) as client:
            await client.exists("/a", watch=lambda _event: 1 / 0)
            await client.create("/a")
            await until_async(lambda: met, "the handler is called")
        assert isinstance(met[0], ZeroDivisionError)

    run(main())


def test_loops_without_readers_are_woken_by_a_thread(
    hosts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise NotImplementedError

    async def main() -> None:
        monkeypatch.setattr(asyncio.get_running_loop(), "add_reader", refuse)
        async with AsyncClient(hosts) as client:
            await client.create("/a", b"1")
            answers = await asyncio.gather(*[client.get("/a") for _ in range(5_000)])
            assert {data for data, _stat in answers} == {b"1"}

    run(main())


def test_several_loops_and_clients_live_side_by_side(hosts: str) -> None:
    async def main(number: int) -> None:
        async with AsyncClient(hosts) as one, AsyncClient(hosts) as other:
            path = f"/{number}"
            await one.create(path)
            await asyncio.gather(*[client.get(path) for client in [one, other] * 50])

    threads = [threading.Thread(target=run, args=(main(number),)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not _ports._loops


def test_a_client_belongs_to_its_loop(hosts: str) -> None:
    async def main() -> None:
        async with AsyncClient(hosts) as client:

            def elsewhere() -> None:
                with pytest.raises(RuntimeError, match="different loop"):
                    asyncio.run(client.get("/"))

            await asyncio.to_thread(elsewhere)
            assert (await client.get("/"))[0] == b""

    run(main())


def test_closing_twice_and_using_after_closing(hosts: str) -> None:
    async def main() -> None:
        client = AsyncClient(hosts)
        with pytest.raises(zoowarden.ClientClosedError, match="not connected"):
            await client.get("/")
        await client.connect()
        pending = asyncio.gather(*[client.get("/") for _ in range(100)])
        await asyncio.sleep(0)
        await client.close()
        await client.close()
        assert len(await pending) == 100
        assert client.state is State.CLOSED
        for operation in (client.get("/"), client.create("/a"), client.sync()):
            with pytest.raises(zoowarden.ClientClosedError, match="closed"):
                await operation
        with pytest.raises(RuntimeError, match="once"):
            await client.connect()

    run(main())


def test_closing_wakes_whoever_waits_for_a_recipe(hosts: str) -> None:
    async def main() -> None:
        async with AsyncClient(hosts) as client:
            holding = await AsyncLock(client, "/lock").acquire()
            attempt = asyncio.create_task(AsyncLock(client, "/lock").acquire())
            lost = asyncio.create_task(holding.wait_lost())
            await until_async(lambda: client._port.waiting() == 2, "both wait")
        with pytest.raises(zoowarden.ZooKeeperError):
            await asyncio.wait_for(attempt, 20)
        assert (await asyncio.wait_for(lost, 20)).is_lost
        await until_async(lambda: not _ports._loops, "the port is closed")

    run(main())


def test_connecting_to_nobody_fails_in_time() -> None:
    async def main() -> None:
        client = AsyncClient("127.0.0.1:1")
        with pytest.raises(zoowarden.ConnectionLossError):
            await client.connect(timeout=0.2)
        assert client.state is State.CLOSED

    run(main())
    assert not _ports._loops


def test_forgotten_client_is_warned_of_and_cleaned_up(hosts: str) -> None:
    async def main() -> None:
        client = await AsyncClient(hosts).connect()
        with pytest.warns(ResourceWarning, match="never closed"):
            del client
            gc.collect()
        await until_async(lambda: not _ports._loops, "its port is closed")

    run(main())


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop does not exist there")
def test_uvloop_serves_as_well(hosts: str) -> None:
    uvloop = pytest.importorskip("uvloop")

    async def main() -> None:
        async with AsyncClient(hosts) as client:
            await client.create("/a", b"1")
            await asyncio.gather(*[client.get("/a") for _ in range(1000)])

    loop = uvloop.new_event_loop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()
    assert not _ports._loops
