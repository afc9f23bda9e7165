"""The synchronous client: every operation, and what it raises."""

from __future__ import annotations

import gc
import pickle
import subprocess
import sys
import threading
from typing import Any

import pytest

import zoowarden
import zoowarden.testing
from waiting import until
from zoowarden import ACL, Client, Permission, Stat, State
from zoowarden._options import Options
from zoowarden._zoowarden import Session
from zoowarden.recipes import Lock


def test_state_that_comes_before_the_session_is_told(
    hosts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    drained = threading.Event()

    class Early(Client):
        def _on_state(self) -> None:
            drained.set()
            super()._on_state()

    def open_slowly(options: Options, *arguments: Any) -> Session:
        session = opened(options, *arguments)
        assert drained.wait(20)
        return session

    opened = Options.open
    monkeypatch.setattr(Options, "open", open_slowly)
    heard: list[State] = []
    client = Early(hosts)
    client.add_listener(heard.append)
    with client:
        until(lambda: State.CONNECTED in heard, "the listener is called")


def test_what_was_created_is_read(client: Client) -> None:
    assert client.create("/a", b"one") == "/a"
    data, stat = client.get("/a")
    assert data == b"one"
    assert (stat.version, stat.data_length, stat.num_children) == (0, 3, 0)
    assert client.exists("/a") == stat
    assert client.exists("/b") is None


def test_data_is_empty_unless_given(client: Client) -> None:
    client.create("/a")
    assert client.get("/a")[0] == b""


def test_binary_data_and_foreign_names_survive(client: Client) -> None:
    data = bytes(range(256)) * 1000
    client.create("/\u017b\u00f3\u0142w", data)
    assert client.get("/\u017b\u00f3\u0142w")[0] == data
    assert client.get_children("/") == ["\u017b\u00f3\u0142w"]


def test_stat_comes_with_what_was_created(client: Client) -> None:
    path, stat = client.create_with_stat("/a", b"1")
    assert (path, stat) == ("/a", client.exists("/a"))
    path, stat = client.create_with_stat("/x/y/z", b"1", parents=True)
    assert (path, stat) == ("/x/y/z", client.exists("/x/y/z"))


def test_sequential_znodes_are_numbered(client: Client) -> None:
    names = [client.create("/job-", sequential=True) for _ in range(3)]
    assert names == [f"/job-{number:010}" for number in range(3)]


def test_ephemeral_is_gone_when_its_session_is_closed(client: Client, hosts: str) -> None:
    with Client(hosts) as other:
        other.create("/e", ephemeral=True)
        stat = client.exists("/e")
        assert stat is not None
        assert stat.ephemeral_owner == other.session_id
        assert other.get_ephemerals() == ["/e"]
    client.sync()
    assert client.exists("/e") is None


def test_parents_are_created_on_demand(client: Client) -> None:
    with pytest.raises(zoowarden.NoNodeError):
        client.create("/a/b/c")
    client.create("/a/b/c", b"x", parents=True)
    client.ensure_path("/a/b/d/e")
    client.ensure_path("/a/b/d/e")
    assert sorted(client.get_children("/a/b")) == ["c", "d"]
    assert client.get_all_children_number("/a") == 4


def test_containers_and_times_to_live_are_told_apart(client: Client) -> None:
    client.create("/container", container=True)
    assert client.exists("/container") is not None
    with pytest.raises(zoowarden.BadArgumentsError):
        client.create("/x", container=True, ephemeral=True)
    with pytest.raises(zoowarden.BadArgumentsError):
        client.create("/x", ephemeral=True, ttl=1)


def test_versions_guard_set_and_delete(client: Client) -> None:
    client.create("/a", b"0")
    assert client.set("/a", b"1", version=0).version == 1
    with pytest.raises(zoowarden.BadVersionError) as raised:
        client.set("/a", b"2", version=0)
    assert raised.value.path == "/a"
    assert raised.value.nothing_changed
    with pytest.raises(zoowarden.BadVersionError):
        client.delete("/a", version=0)
    with pytest.raises(zoowarden.BadArgumentsError):
        client.delete("/a", version=-1)
    client.delete("/a", version=1)
    assert client.exists("/a") is None


def test_delete_tells_what_is_in_its_way(client: Client) -> None:
    client.create("/a/b", parents=True)
    with pytest.raises(zoowarden.NotEmptyError):
        client.delete("/a")
    client.delete("/a", recursive=True)
    with pytest.raises(zoowarden.NoNodeError):
        client.delete("/a")
    with pytest.raises(zoowarden.NoNodeError):
        client.delete("/a", recursive=True)


def test_children_come_with_the_stat_of_their_parent(client: Client) -> None:
    client.create("/a/b", parents=True)
    assert client.get_children_with_stat("/a") == (["b"], client.exists("/a"))


def test_acl_is_kept_and_enforced(client: Client, hosts: str) -> None:
    acl = [ACL.digest("joe", "secret"), ACL(Permission.READ, "world", "anyone")]
    client.create("/a", b"", acl=acl)
    entries, stat = client.get_acl("/a")
    assert [entry.permissions for entry in entries] == [Permission.ALL, Permission.READ]
    with pytest.raises(zoowarden.NoAuthError):
        client.set("/a", b"x")
    with Client(hosts, auth=[("digest", "joe:secret")]) as joe:
        joe.set("/a", b"x")
        assert ("digest", "joe") in joe.who_am_i()
        joe.set_acl("/a", zoowarden.OPEN_ACL_UNSAFE, version=stat.aversion)
    client.set("/a", b"y")
    client.add_auth("digest", "joe:secret")
    assert ("digest", "joe") in client.who_am_i()


def test_default_acl_is_that_of_the_client(hosts: str) -> None:
    with Client(hosts, default_acl=zoowarden.READ_ACL_UNSAFE) as client:
        client.create("/a")
        assert client.get_acl("/a")[0] == list(zoowarden.READ_ACL_UNSAFE)


def test_transaction_is_all_or_nothing(client: Client) -> None:
    client.create("/a", b"0")
    transaction = client.transaction()
    transaction.check("/a", version=0).set("/a", b"1").create("/b", b"").delete("/b")
    checked, stat, path, deleted = transaction.commit()
    assert isinstance(stat, Stat)
    assert (checked, stat.version, path, deleted) == (None, 1, "/b", None)
    with pytest.raises(zoowarden.TransactionError) as raised:
        client.transaction().set("/a", b"2").create("/a").delete("/b").commit()
    assert raised.value.index == 1
    assert isinstance(raised.value.error, zoowarden.NodeExistsError)
    assert raised.value.error.path == "/a"
    assert client.get("/a")[0] == b"1"


def test_transaction_commits_at_the_end_of_its_block(client: Client) -> None:
    with client.transaction() as transaction:
        transaction.create("/a").create("/a/b")
    with pytest.raises(KeyError), client.transaction() as transaction:
        transaction.create("/c")
        raise KeyError
    assert client.get_children("/") == ["a"]
    with pytest.raises(RuntimeError, match="committed"):
        transaction.commit()
        transaction.commit()


def test_many_are_read_in_one_round_trip(client: Client) -> None:
    client.create("/a", b"1")
    (data, stat), missing = client.get_many(["/a", "/b"])
    assert (data, stat.version) == (b"1", 0)
    assert isinstance(missing, zoowarden.NoNodeError)
    assert missing.path == "/b"


def test_linearizable_get_sees_acknowledged_writes(client: Client, hosts: str) -> None:
    with Client(hosts) as other:
        other.create("/a", b"1")
        assert client.get("/a", linearizable=True)[0] == b"1"


DIES = """
import os, sys, zoowarden
client = zoowarden.Client(sys.argv[1]).connect()
client.create("/e", ephemeral=True)
print(client.session_id, client.session_password.hex(), flush=True)
os._exit(0)
"""


def test_session_of_a_process_that_died_can_be_taken_over(hosts: str) -> None:
    command = [sys.executable, "-c", DIES, hosts]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    number, password = told.split()
    with Client(hosts, session=(int(number), bytes.fromhex(password))) as client:
        assert client.session_id == int(number)
        assert client.get_ephemerals() == ["/e"]


def test_what_is_known_of_the_session(client: Client, server: zoowarden.testing.Server) -> None:
    assert client.state is State.CONNECTED
    assert client.session_id != 0
    assert len(client.session_password) == 16
    assert client.session_timeout == 10.0
    assert client.server == server.connect_string
    assert client.chroot.startswith("/test")
    client.create("/a")
    assert client.last_zxid > 0
    assert client.get_config()[1].version >= 0
    client.set_hosts([server.connect_string + client.chroot])
    assert client.get("/a")[0] == b""


def test_listeners_hear_every_state_in_order() -> None:
    with zoowarden.testing.Server() as server:
        client = server.client()
        heard: list[State] = []
        client.add_listener(heard.append)
        client.connect()
        server.cut_clients()
        until(lambda: State.SUSPENDED in heard, "the loss is told")
        server.heal_clients()
        until(lambda: heard[-1] is State.CONNECTED, "the return is told")
        client.close()
        until(lambda: heard[-1] is State.CLOSED, "the end is told")
    states = [State.CONNECTED, State.SUSPENDED, State.CONNECTED, State.CLOSED]
    assert [state for state in heard if state is not State.CONNECTING] == states


def test_expired_session_says_so_and_a_renewed_one_goes_on() -> None:
    with zoowarden.testing.Server() as server:
        with server.client() as client, server.client(renew_session=True) as renewing:
            before = renewing.session_id
            server.expire_session(client.session_id)
            server.expire_session(before)
            until(lambda: client.state is State.EXPIRED, "the expiry is noticed")
            with pytest.raises(zoowarden.SessionExpiredError):
                client.get("/")
            until(lambda: renewing.session_id not in (0, before), "a new session begins")
            until(lambda: renewing.state is State.CONNECTED, "the new session is served")
            assert renewing.get("/")[0] == b""


def test_late_answer_is_an_error_that_leaves_the_outcome_open() -> None:
    with zoowarden.testing.Ensemble(3) as ensemble:
        leader = ensemble.leader()
        with Client(ensemble.address(leader), request_timeout=0.2) as client:
            ensemble.isolate(leader)
            with pytest.raises(zoowarden.ZooKeeperError) as raised:
                client.create("/a")
            assert not raised.value.nothing_changed
            ensemble.heal_all()


def test_session_ends_with_its_forgotten_client_and_lives_with_what_needs_it(
    client: Client, hosts: str
) -> None:
    forgotten = Client(hosts).connect()
    forgotten.create("/forgotten", ephemeral=True)
    forgotten.exists("/x", watch=print)
    forgotten.watch("/y", print)
    holding = Lock(Client(hosts).connect(), "/lock").acquire()
    del forgotten

    def is_gone() -> bool:
        gc.collect()
        client.sync()
        return client.exists("/forgotten") is None

    until(is_gone, "the session is closed")
    assert holding.is_held
    assert client.exists(holding.path) is not None


def test_threads_share_a_client(client: Client) -> None:
    def work(number: int) -> None:
        for turn in range(50):
            client.create(f"/{number}-{turn}", bytes([number]))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(client.get_children("/")) == 400


def test_stat_is_a_frozen_value(client: Client) -> None:
    client.create("/a", b"12")
    stat = client.get("/a")[1]
    assert pickle.loads(pickle.dumps(stat)) == stat
    assert {stat: 1}[Stat(*stat.as_tuple())] == 1
    assert stat != Stat()
    assert eval(repr(stat), {"Stat": Stat}) == stat
    with pytest.raises(AttributeError):
        stat.version = 7  # type: ignore[misc]
