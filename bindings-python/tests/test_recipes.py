"""The recipes of both clients: thin over the core's, whose own tests show their promises."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable

import pytest

import zoowarden
import zoowarden.testing
from waiting import until, until_async
from zoowarden import AsyncClient, Client
from zoowarden.recipes import (
    AsyncBarrier,
    AsyncCounter,
    AsyncDoubleBarrier,
    AsyncElection,
    AsyncGroup,
    AsyncLock,
    AsyncQueue,
    AsyncReadWriteLock,
    AsyncSemaphore,
    AsyncTreeCache,
    AsyncZnodeCache,
    Barrier,
    ChangeType,
    Counter,
    CounterEncoding,
    DoubleBarrier,
    Election,
    Entry,
    Group,
    Layout,
    Lock,
    Queue,
    ReadWriteLock,
    Semaphore,
    Standing,
    TreeCache,
    ZnodeCache,
)


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_lock_is_held_by_one_and_tokens_grow(client: Client, hosts: str) -> None:
    with Client(hosts) as other:
        with Lock(client, "/lock", identifier="first") as first:
            assert first.is_held
            assert not first.standing.is_lost
            assert first.path.startswith("/lock/")
            rival = Lock(other, "/lock", identifier=b"second")
            assert rival.try_acquire() is None
            with pytest.raises(zoowarden.OperationTimeoutError, match="taken back"):
                rival.acquire(timeout=0.05)
            assert [one.identifier for one in rival.contenders()] == [b"first"]
        second = rival.acquire(timeout=20)
        assert second.token > first.token
        assert first.wait_lost() is Standing.RELEASED
        second.release()
        second.release()
        assert second.wait_lost(timeout=20) is Standing.RELEASED


def test_lock_is_shared_by_threads_and_given_on(client: Client) -> None:
    lock = Lock(client, "/lock")
    inside, most, done = 0, 0, 0

    def work() -> None:
        nonlocal inside, most, done
        for _ in range(5):
            with lock:
                inside += 1
                most = max(most, inside)
                inside -= 1
                done += 1

    threads = [in_thread(work) for _ in range(4)]
    for thread in threads:
        thread.join(60)
    assert (most, done) == (1, 20)


def test_holding_is_lost_with_its_session() -> None:
    with zoowarden.testing.Server() as server, server.client() as client:
        holding = Lock(client, "/lock").acquire()
        server.expire_session(client.session_id)
        assert holding.wait_lost(timeout=20) is Standing.SESSION_ENDED
        assert holding.standing.is_lost
        with pytest.raises(zoowarden.SessionExpiredError):
            Lock(client, "/lock").acquire()


def test_forgotten_holding_is_given_back(client: Client) -> None:
    Lock(client, "/lock").acquire()
    Lock(client, "/lock").acquire(timeout=20).release()


INTERRUPTED = """
    import os, signal, sys, threading, zoowarden
    from zoowarden.recipes import Lock

    with zoowarden.Client(sys.argv[1]) as client, zoowarden.Client(sys.argv[1]) as other:
        with Lock(other, "/lock"):
            def interrupt():
                while len(Lock(other, "/lock").contenders()) < 2:
                    pass
                os.kill(os.getpid(), signal.SIGINT)

            thread = threading.Thread(target=interrupt)
            thread.start()
            try:
                Lock(client, "/lock").acquire()
            except KeyboardInterrupt:
                print("interrupted")
            thread.join()
            while len(Lock(other, "/lock").contenders()) > 1:
                pass
            print("taken back")
    """


def test_interrupted_attempt_is_taken_back(hosts: str) -> None:
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    command = [sys.executable, "-c", textwrap.dedent(INTERRUPTED), hosts]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout.split("\n")[:2] == ["interrupted", "taken back"], done.stderr


def test_readers_share_and_writers_do_not(client: Client, hosts: str) -> None:
    with Client(hosts) as other:
        ours, theirs = ReadWriteLock(client, "/lock"), ReadWriteLock(other, "/lock")
        with ours.read, theirs.read:
            assert theirs.write.try_acquire() is None
            assert len(ours.contenders()) == 2
        with ours.write:
            assert theirs.read.try_acquire() is None


def test_semaphore_has_so_many_leases(client: Client) -> None:
    semaphore = Semaphore(client, "/semaphore", 2, identifier="me")
    with semaphore, semaphore:
        assert semaphore.try_acquire() is None
        assert [one.identifier for one in semaphore.holders()] == [b"me", b"me"]
    with pytest.raises(zoowarden.OperationTimeoutError), semaphore, semaphore:
        semaphore.acquire(timeout=0.05)


def test_one_leads_and_another_follows(client: Client, hosts: str) -> None:
    with Client(hosts) as other:
        ours = Election(client, "/leader", identifier="a")
        theirs = Election(other, "/leader", identifier="b")
        assert ours.leader() is None
        leadership = ours.lead()
        assert theirs.try_lead() is None
        leader = theirs.leader()
        assert leader is not None
        assert (leader.identifier, leader.token) == (b"a", leadership.token)
        led: list[int] = []
        thread = in_thread(lambda: led.append(theirs.lead().token))
        until(lambda: len(ours.contenders()) == 2, "the other stands")
        leadership.release()
        thread.join(20)
        assert led[0] > leadership.token


def test_group_knows_its_members(client: Client, hosts: str) -> None:
    group = Group(client, "/members", identifier="a")
    with Client(hosts) as other, group, Group(other, "/members", identifier="b"):
        assert [one.identifier for one in group.members()] == [b"a", b"b"]
    client.sync()
    assert group.members() == []


def test_barrier_holds_until_it_is_removed(client: Client) -> None:
    barrier = Barrier(client, "/barrier")
    barrier.wait()
    assert barrier.set() is True
    assert barrier.set() is False
    with pytest.raises(zoowarden.OperationTimeoutError):
        barrier.wait(timeout=0.05)
    thread = in_thread(lambda: barrier.wait(timeout=20))
    assert barrier.remove() is True
    assert barrier.remove() is False
    thread.join(20)
    assert not thread.is_alive()


def test_double_barrier_begins_and_ends_together(client: Client, hosts: str) -> None:
    with Client(hosts) as other:
        with pytest.raises(zoowarden.OperationTimeoutError):
            DoubleBarrier(client, "/step", 2).enter(timeout=0.05)
        began: list[str] = []

        def work() -> None:
            with DoubleBarrier(other, "/step", 2):
                began.append("other")

        thread = in_thread(work)
        with DoubleBarrier(client, "/step", 2, identifier="me"):
            began.append("we")
        thread.join(20)
        assert sorted(began) == ["other", "we"]
        with pytest.raises(RuntimeError, match="enter"):
            DoubleBarrier(client, "/step", 2).leave()


def test_counter_loses_no_change(client: Client) -> None:
    counter = Counter(client, "/counter")
    threads = [in_thread(lambda: [counter.add() for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.join(60)
    assert counter.get() == 80
    assert client.get("/counter")[0] == b"80"
    counter.set(5)
    assert counter.compare_and_set(4, 1) == 5
    assert counter.compare_and_set(5, 6) == 5
    assert counter.add(-10) == -4
    Counter(client, "/curator", CounterEncoding.INT32).set(1)
    assert client.get("/curator")[0] == b"\0\0\0\1"


def test_queue_hands_each_entry_to_one_taker(client: Client, hosts: str) -> None:
    with Client(hosts) as other:
        ours, theirs = Queue(client, "/queue"), Queue(other, "/queue")
        assert ours.try_take() is None
        ours.put(b"later", priority=200)
        ours.put(b"first", priority=1)
        assert ours.qsize() == 2
        entry = theirs.take()
        assert isinstance(entry, Entry)
        assert (entry.data, entry.priority) == (b"first", 1)
        assert theirs.take(timeout=20).data == b"later"
        with pytest.raises(zoowarden.OperationTimeoutError):
            theirs.take(timeout=0.05)


def test_znode_cache_follows(client: Client) -> None:
    with ZnodeCache(client, "/config") as cache:
        assert [cache.current] == [None]
        client.create("/config", b"1")
        znode = cache.wait_changed(timeout=20)
        assert znode is not None
        assert znode[0] == b"1"
        assert cache.current == znode
        client.set("/config", b"2")
        znode = cache.wait_changed(timeout=20)
        assert znode is not None
        assert znode[0] == b"2"
        with pytest.raises(zoowarden.OperationTimeoutError):
            cache.wait_changed(timeout=0.01)
    with pytest.raises(zoowarden.ClientClosedError):
        _ = cache.current


def test_tree_cache_follows(client: Client) -> None:
    client.create("/app/a", b"1", parents=True)
    with TreeCache(client, "/app") as cache:
        assert cache.paths() == ["/app", "/app/a"]
        znode = cache.get("/app/a")
        assert znode is not None
        assert znode[0] == b"1"
        client.create("/app/b", b"2")
        change = cache.next_change(timeout=20)
        assert change is not None
        assert (change.type, change.path, change.data) == (ChangeType.ADDED, "/app/b", b"2")
        assert "/app/b" in cache
        assert cache.children("/app") == ["a", "b"]
        assert len(cache) == 3
        client.delete("/app/b")
        change = cache.next_change(timeout=20)
        assert change is not None
        assert (change.type, change.path) == (ChangeType.REMOVED, "/app/b")
        assert cache.next_change(timeout=0.01) is None


def test_locks_are_shared_with_kazoo(client: Client, hosts: str) -> None:
    kazoo = pytest.importorskip("kazoo.client")
    theirs = kazoo.KazooClient(hosts)
    theirs.start()
    try:
        with theirs.Lock("/lock", "kazoo"):
            assert Lock(client, "/lock").try_acquire() is None
            assert [one.identifier for one in Lock(client, "/lock").contenders()] == [b"kazoo"]
        with Lock(client, "/lock", identifier="ours"):
            lock = theirs.Lock("/lock", "kazoo")
            assert lock.acquire(blocking=False) is False
            assert "ours" in lock.contenders()
        with Lock(client, "/curator", layout=Layout.CURATOR) as holding:
            assert "-lock-" in holding.path
    finally:
        theirs.stop()
        theirs.close()


def test_recipes_need_a_session(hosts: str) -> None:
    client = Client(hosts)
    with pytest.raises(zoowarden.ClientClosedError, match="not connected"):
        Lock(client, "/lock")
    with client:
        lock = Lock(client, "/lock")
    with pytest.raises(zoowarden.ClientClosedError):
        lock.acquire()


def test_recipes_of_asyncio(hosts: str) -> None:
    async def main() -> None:
        async with AsyncClient(hosts) as client:
            async with AsyncLock(client, "/lock") as holding:
                assert holding.is_held
                assert await AsyncLock(client, "/lock").try_acquire() is None
                assert len(await AsyncLock(client, "/lock").contenders()) == 1
            assert await holding.wait_lost(timeout=20) is Standing.RELEASED
            lock = AsyncReadWriteLock(client, "/rw")
            async with lock.read, lock.read:
                assert await lock.write.try_acquire() is None
            async with AsyncSemaphore(client, "/semaphore", 1) as lease:
                assert lease.token > holding.token
            async with AsyncElection(client, "/leader", identifier="me") as leadership:
                leader = await AsyncElection(client, "/leader").leader()
                assert leader is not None
                assert leader.token == leadership.token
            async with AsyncGroup(client, "/members", identifier="me"):
                assert len(await AsyncGroup(client, "/members").members()) == 1
            barrier = AsyncBarrier(client, "/barrier")
            assert await barrier.set()
            waiting = asyncio.create_task(barrier.wait(timeout=20))
            assert await barrier.remove()
            await waiting
            counter = AsyncCounter(client, "/counter")
            await asyncio.gather(*[counter.add(1) for _ in range(10)])
            assert await counter.get() == 10

            async def step() -> None:
                async with AsyncDoubleBarrier(client, "/step", 3):
                    pass

            await asyncio.gather(*[step() for _ in range(3)])

    asyncio.run(main())


def test_queue_and_caches_of_asyncio(hosts: str) -> None:
    async def main() -> None:
        async with AsyncClient(hosts) as client:
            queue = AsyncQueue(client, "/queue")
            taking = asyncio.create_task(queue.take(timeout=20))
            await queue.put(b"job")
            assert (await taking).data == b"job"
            assert await queue.try_take() is None
            assert await queue.qsize() == 0
            async with AsyncZnodeCache(client, "/config") as cache:
                assert cache.current is None
                changed = asyncio.create_task(cache.wait_changed(timeout=20))
                await client.create("/config", b"1")
                znode = await changed
                assert znode is not None
                assert znode[0] == b"1"
            with pytest.raises(RuntimeError, match="start"):
                _ = cache.current
            async with AsyncTreeCache(client, "/app") as tree:
                await client.create("/app")
                async for change in tree.changes():
                    assert (change.type, change.path) == (ChangeType.ADDED, "/app")
                    break
                assert len(tree) == 1

    asyncio.run(main())


def test_entry_for_a_task_that_is_cancelled_is_put_back(hosts: str) -> None:
    async def main() -> None:
        async with AsyncClient(hosts) as client, AsyncClient(hosts) as other:
            queue, watched = AsyncQueue(client, "/queue"), AsyncQueue(other, "/queue")
            await queue.put(b"job", 7)
            taking = asyncio.ensure_future(queue.take())
            await asyncio.sleep(0)
            # The loop stands still until the entry has come, and the task is cancelled before that
            # is told.
            deadline = time.monotonic() + 20
            with Client(hosts) as sync:
                while sync.get_children("/queue") and time.monotonic() < deadline:
                    pass
            taking.cancel()
            entry = await watched.take(timeout=20)
            assert (entry.data, entry.priority) == (b"job", 7)

    asyncio.run(main())


def test_cancelled_attempt_is_taken_back(hosts: str) -> None:
    async def main() -> None:
        async with AsyncClient(hosts) as client, AsyncClient(hosts) as other:
            async with AsyncLock(other, "/lock"):
                attempt = asyncio.create_task(AsyncLock(client, "/lock").acquire())
                children: list[str] = []

                async def look() -> int:
                    children[:] = await other.get_children("/lock")
                    return len(children)

                while await look() < 2:
                    pass
                attempt.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await attempt
                while await look() > 1:
                    pass
            (await AsyncLock(client, "/lock").acquire(timeout=20)).token
            await until_async(lambda: True, "the loop goes on")

    asyncio.run(main())
