"""Watches of the synchronous client: callbacks and iterators."""

from __future__ import annotations

import gc
import logging
import threading
import weakref

import pytest

import zoowarden
import zoowarden.testing
from waiting import until
from zoowarden import Client, Event, EventType


def kinds(events: list[Event]) -> list[tuple[EventType, str]]:
    return [(event.type, event.path) for event in events]


def test_one_shot_watch_is_called_once(client: Client) -> None:
    client.create("/a")
    heard: list[Event] = []
    client.get("/a", watch=heard.append)
    client.set("/a", b"1")
    client.set("/a", b"2")
    until(lambda: heard, "the watch is called")
    client.delete("/a")
    client.sync()
    assert kinds(heard) == [(EventType.DATA_CHANGED, "/a")]
    assert heard[0].zxid > 0


def test_exists_watches_what_is_not_there(client: Client) -> None:
    heard: list[Event] = []
    assert client.exists("/a", watch=heard.append) is None
    client.create("/a")
    until(lambda: heard, "the creation is told")
    assert kinds(heard) == [(EventType.CREATED, "/a")]


def test_children_watch_hears_of_children(client: Client) -> None:
    heard: list[Event] = []
    client.get_children("/", watch=heard.append)
    client.create("/a")
    until(lambda: heard, "the child is told")
    assert kinds(heard) == [(EventType.CHILDREN_CHANGED, "/")]


def test_recursive_watch_tells_everything_in_order(client: Client) -> None:
    with client.watch("/", recursive=True) as watch:
        client.create("/a")
        client.set("/a", b"1")
        client.create("/a/b")
        client.delete("/a/b")
        events = [watch.next(timeout=10) for _ in range(4)]
        assert watch.next(timeout=0.01) is None
    told = kinds([event for event in events if event is not None])
    created, deleted = EventType.CREATED, EventType.DELETED
    changed = EventType.DATA_CHANGED
    assert told == [(created, "/a"), (changed, "/a"), (created, "/a/b"), (deleted, "/a/b")]


def test_persistent_watch_calls_back_until_it_is_closed(client: Client) -> None:
    heard: list[Event] = []
    watch = client.watch("/a", heard.append)
    client.create("/a")
    client.set("/a", b"1")
    until(lambda: len(heard) == 2, "both are told")
    watch.close()
    client.set("/a", b"2")
    client.sync()
    with pytest.raises(RuntimeError, match="callback"):
        watch.next()
    assert len(heard) == 2


def test_call_that_is_late_sets_no_watch() -> None:
    with zoowarden.testing.Ensemble() as ensemble:
        leader = ensemble.leader()
        with Client(ensemble.address(leader), request_timeout=0.05) as client:
            heard: list[str] = []
            ensemble.isolate(leader)
            # The read waits for the write before it.
            with pytest.raises(zoowarden.OperationTimeoutError):
                client.create("/a")
            with pytest.raises(zoowarden.OperationTimeoutError):
                client.get("/", watch=lambda _event: heard.append("late"))
            ensemble.heal_all()
            with ensemble.client() as other:
                other.sync()
                client.exists("/", watch=lambda _event: heard.append("wanted"))
                other.set("/", b"1")
                until(lambda: "wanted" in heard, "the watch is called")
            assert heard == ["wanted"]


def test_callbacks_may_call_the_client(client: Client) -> None:
    read: list[bytes] = []
    client.create("/a", b"0")

    def again(_event: Event) -> None:
        read.append(client.get("/a", watch=again)[0])

    client.get("/a", watch=again)
    for number in range(1, 4):
        client.set("/a", bytes([number]))
        until(lambda: bytes([number]) in read, "the callback has read it")


def test_callback_that_would_wait_for_events_is_told(client: Client) -> None:
    met: list[object] = []
    watch = client.watch("/b")

    def wait(_event: Event) -> None:
        met.append(watch.next(timeout=0))
        try:
            watch.next(timeout=20)
        except RuntimeError as error:
            met.append(str(error))

    client.exists("/a", watch=wait)
    client.create("/a")
    until(lambda: len(met) == 2, "the callback comes back")
    assert met == [None, "a callback must not wait for events: iterate in another thread"]


def test_callbacks_of_a_client_run_on_one_thread_in_order(client: Client) -> None:
    threads: set[int] = set()
    numbers: list[str] = []

    def note(event: Event) -> None:
        threads.add(threading.get_ident())
        numbers.append(event.path)

    client.watch("/", note, recursive=True)
    paths = [client.create("/n-", sequential=True) for _ in range(200)]
    until(lambda: len(numbers) == 200, "all are told")
    assert numbers == paths
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_all_that_has_arrived_is_delivered_after_the_stop(client: Client) -> None:
    arrived, stopped = threading.Event(), threading.Event()
    answers: list[object] = []

    def wait(_value: object, _error: BaseException | None) -> None:
        arrived.set()
        stopped.wait(20)

    callbacks = client._callbacks
    callbacks.start()
    client._session.get((callbacks.port, wait), "/")
    assert arrived.wait(20)
    for _ in range(10_000):
        client._session.get((callbacks.port, lambda value, _error: answers.append(value)), "/")
    client.sync()
    callbacks.stop()
    stopped.set()
    until(lambda: len(answers) == 10_000, "every answer is delivered")


def test_error_of_a_callback_is_logged_and_the_next_is_called(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Event] = []

    def fail(event: Event) -> None:
        heard.append(event)
        raise ValueError(f"for {event.path}")

    with caplog.at_level(logging.ERROR, "zoowarden"):
        client.watch("/a", fail)
        client.create("/a")
        client.set("/a", b"1")
        until(lambda: len(caplog.records) == 2, "both are logged")
    assert len(heard) == 2


def test_iterator_ends_with_the_watch_and_with_the_client(hosts: str) -> None:
    with Client(hosts) as client:
        first, second = client.watch("/a"), client.watch("/a")
        told: list[list[Event]] = []
        threads = [
            threading.Thread(target=lambda watch=watch: told.append(list(watch)))
            for watch in (first, second)
        ]
        for thread in threads:
            thread.start()
        first.close()
        threads[0].join(20)
    threads[1].join(20)
    assert told == [[], []]


def test_lost_session_ends_watches_loudly() -> None:
    with zoowarden.testing.Server() as server, server.client() as client:
        heard: list[Event] = []
        client.get("/", watch=heard.append)
        watch = client.watch("/a")
        server.expire_session(client.session_id)
        with pytest.raises(zoowarden.SessionExpiredError):
            list(watch)
        until(lambda: heard, "the callback hears of it")
        assert heard[0].type is EventType.SESSION_LOST
        assert heard[0].state is zoowarden.State.EXPIRED


def test_watches_outlive_a_lost_connection() -> None:
    with zoowarden.testing.Server() as server, server.client() as client:
        client.create("/a")
        with client.watch("/a") as watch:
            server.cut_clients()
            until(lambda: client.state is zoowarden.State.SUSPENDED, "the loss is noticed")
            server.heal_clients()
            until(lambda: client.state is zoowarden.State.CONNECTED, "it is connected again")
            client.set("/a", b"1")
            event = watch.next(timeout=20)
            assert event is not None
            assert event.type is EventType.DATA_CHANGED


def test_overflow_is_told_and_never_silent(client: Client) -> None:
    with client.watch("/", recursive=True) as watch:
        for _ in range(90):
            transaction = client.transaction()
            for _ in range(100):
                transaction.create("/n-", sequential=True)
            transaction.commit()
        client.sync()
        events = []
        while (event := watch.next(timeout=1)) is not None:
            events.append(event)
    assert events[-1].type is EventType.OVERFLOW
    assert events[-1].dropped == 9000 - (len(events) - 1)
    assert len(events) - 1 >= 8192


def test_callable_is_demanded(client: Client) -> None:
    async def awaits(_event: Event) -> None: ...

    with pytest.raises(TypeError, match="not awaited"):
        client.get("/", watch=awaits)
    with pytest.raises(TypeError, match="not callable"):
        client.get("/", watch="x")  # type: ignore[arg-type]


def test_watch_whose_request_fails_keeps_nothing_alive(client: Client) -> None:
    class Callback:
        def __call__(self, _event: Event) -> None: ...

    callback = Callback()
    gone = weakref.ref(callback)
    with pytest.raises(zoowarden.NoNodeError):
        client.get("/missing", watch=callback)
    del callback

    def collected() -> bool:
        gc.collect()
        return gone() is None

    until(collected, "the callback is let go")
