"""What the facade promises beside kazoo's own suite, which `cargo xtask kazoo-facade` runs."""

from __future__ import annotations

import pytest

import zoowarden
import zoowarden.testing
from waiting import until

kazoo_exceptions = pytest.importorskip("kazoo.exceptions")

from kazoo.handlers.threading import SequentialThreadingHandler  # noqa: E402
from kazoo.protocol.states import EventType, KazooState  # noqa: E402

from zoowarden.compat.kazoo import KazooClient  # noqa: E402
from zoowarden.compat.kazoo import exceptions as compat  # noqa: E402


def test_errors_are_both_packages(hosts: str) -> None:
    zk = KazooClient(hosts)
    zk.start()
    try:
        with pytest.raises(kazoo_exceptions.NoNodeError) as theirs:
            zk.get("/none")
        assert isinstance(theirs.value, zoowarden.NoNodeError)
        assert theirs.value.path == "/none"
        result = zk.get_async("/none")
        result.wait(20)
        assert isinstance(result.exception, kazoo_exceptions.NoNodeError)
    finally:
        zk.stop()
    with pytest.raises(kazoo_exceptions.ConnectionClosedError):
        zk.get("/")


def test_every_code_of_kazoo_is_raised_as_kazoos_class() -> None:
    for number, _name, class_name in zoowarden._zoowarden.codes():
        ours = getattr(zoowarden, class_name)
        both = compat.translate(ours("x"))
        assert isinstance(both, ours)
        theirs = dict(kazoo_exceptions.EXCEPTIONS).get(number)
        if theirs is not None:
            assert isinstance(both, theirs)
            assert type(both).__name__ == theirs.__name__


def test_raw_watches_survive_a_lost_connection() -> None:
    with zoowarden.testing.Server() as server:
        zk = KazooClient(server.connect_string)
        zk.start()
        try:
            heard: list[object] = []
            states: list[str] = []
            zk.add_listener(states.append)
            zk.create("/a")
            zk.get("/a", watch=lambda event: heard.append(event.type))
            server.cut_clients()
            until(lambda: KazooState.SUSPENDED in states, "the loss is told")
            server.heal_clients()
            until(lambda: states[-1] == KazooState.CONNECTED, "it is connected again")
            zk.set("/a", b"1")
            until(lambda: heard, "the watch is called")
            assert heard == [EventType.CHANGED]
        finally:
            zk.stop()


def test_lost_session_is_renewed_and_told_to_watches() -> None:
    with zoowarden.testing.Server() as server:
        zk = KazooClient(server.connect_string)
        zk.start()
        try:
            heard: list[object] = []
            states: list[str] = []
            zk.add_listener(states.append)
            zk.create("/e", ephemeral=True)
            zk.get("/", watch=lambda event: heard.append(event.type))
            assert zk.client_id is not None
            server.expire_session(zk.client_id[0])
            until(lambda: KazooState.LOST in states, "the loss is told")
            until(lambda: states[-1] == KazooState.CONNECTED, "a new session is there")
            until(lambda: heard == [EventType.NONE], "the watch is told")
            assert zk.exists("/e") is None
        finally:
            zk.stop()


def test_client_can_be_started_again(hosts: str) -> None:
    zk = KazooClient(hosts)
    for _ in range(3):
        zk.start()
        connected = [zk.connected]
        zk.stop()
        zk.stop()
        connected.append(zk.connected)
        assert connected == [True, False]
        assert zk.client_id is None
    zk.close()


class SequentialGeventHandler:
    """Looks like one."""


def test_what_is_not_offered_is_said() -> None:
    for options in (
        {"handler": SequentialGeventHandler()},
        {"handler": SequentialThreadingHandler},
        {"sasl_options": {"mechanism": "GSSAPI"}},
        {"sasl_options": {"mechanism": "DIGEST-MD5", "username": "bob"}},
        {"sasl_options": {"mechanism": "DIGEST-MD5"}, "auth_data": [("sasl", "bob:x")]},
        {"use_ssl": True, "keyfile_password": "x"},
    ):
        with pytest.raises(kazoo_exceptions.ConfigurationError):
            KazooClient(**options)
    with pytest.raises(TypeError, match="unexpected"):
        KazooClient(no_such_option=1)


def test_starting_without_a_server_fails_in_time() -> None:
    zk = KazooClient("127.0.0.1:1")
    with pytest.raises(zk.handler.timeout_exception):
        zk.start(timeout=0.2)
    assert not zk.connected
