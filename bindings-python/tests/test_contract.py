"""`tests/bindings/contract.json` by both Python clients: what every binding must do.

Against ensembles of one and of three, and against the one that ZOOWARDEN_CONTRACT_HOSTS names.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

import zoowarden
import zoowarden.testing
from waiting import LIMIT_SECONDS, until_async
from zoowarden import ACL, AsyncClient, Client, Event, EventType, Permission, Stat

CONTRACT = pathlib.Path(__file__).parents[2] / "tests/bindings/contract.json"
SCENARIOS = json.loads(CONTRACT.read_text(encoding="utf-8"))["scenarios"]

_numbers = itertools.count()

LETTERS = {"c": 4, "d": 8, "r": 1, "w": 2, "a": 16}

MODES: dict[str, dict[str, Any]] = {
    "persistent": {},
    "persistent_sequential": {"sequential": True},
    "ephemeral": {"ephemeral": True},
    "ephemeral_sequential": {"ephemeral": True, "sequential": True},
    "container": {"container": True},
}

STAT_FIELDS = (
    "czxid",
    "mzxid",
    "ctime",
    "mtime",
    "version",
    "cversion",
    "aversion",
    "ephemeral_owner",
    "data_length",
    "num_children",
    "pzxid",
)

AnyClient = Client | AsyncClient
Step = dict[str, Any]
Answer = dict[str, Any]


async def settled(value: Any) -> Any:
    """What a call of either client comes to."""
    return await value if inspect.isawaitable(value) else value


def stat_of(stat: Stat) -> Answer:
    return dict(zip(STAT_FIELDS, stat.as_tuple(), strict=True))


def existence(stat: Stat | None) -> Answer:
    return {"exists": False} if stat is None else {"exists": True, "stat": stat_of(stat)}


def bytes_of(step: Step) -> bytes:
    data = step.get("data", "")
    return data.encode() if isinstance(data, str) else bytes.fromhex(data["hex"])


def data_of(data: bytes) -> object:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return {"hex": data.hex()}
    return text if all(character >= " " for character in text) else {"hex": data.hex()}


def acl_of(step: Step) -> list[ACL] | None:
    if "acl" not in step:
        return None
    return [
        ACL(Permission(sum(LETTERS[one] for one in each["perms"])), each["scheme"], each["id"])
        for each in step["acl"]
    ]


def acl_entry(acl: ACL) -> Answer:
    letters = "".join(letter for letter, bit in LETTERS.items() if acl.permissions & bit)
    return {"perms": letters, "scheme": acl.scheme, "id": acl.id}


def code_name(error: zoowarden.ZooKeeperError) -> str:
    names = {number: name for number, name, _class in zoowarden._zoowarden.codes()}
    return names[error.code]


def event_of(event: Event) -> Answer:
    return {"kind": event.type.name.lower(), "path": event.path}


class Heard:
    """The events of one watch, in either client."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.reader: asyncio.Task[None] | None = None
        self.watch: zoowarden.Watch | zoowarden.AsyncWatch | None = None

    async def follow(self, client: AnyClient, path: str, recursive: bool) -> None:
        if isinstance(client, Client):
            self.watch = client.watch(path, self.events.append, recursive=recursive)
            return
        watch = client.watch(path, recursive=recursive)
        await watch.start()

        async def read() -> None:
            async for event in watch:
                self.events.append(event)

        self.watch, self.reader = watch, asyncio.create_task(read())

    async def close(self) -> None:
        if self.watch is not None:
            await settled(self.watch.close())
        if self.reader is not None:
            await asyncio.wait_for(self.reader, LIMIT_SECONDS)


class Play:
    """Carries out one scenario."""

    def __init__(self, kind: type[Client] | type[AsyncClient], hosts: str) -> None:
        self.kind, self.hosts = kind, hosts
        self.clients: dict[str, AnyClient] = {}
        self.heard: dict[str, Heard] = {}

    async def play(self, steps: list[Step]) -> None:
        try:
            for at, step in enumerate(steps):
                await self.step(f"step {at}: {step}", step)
        finally:
            for heard in self.heard.values():
                await heard.close()
            for client in self.clients.values():
                await settled(client.close())

    async def client(self, name: str) -> AnyClient:
        if name not in self.clients:
            client: AnyClient = self.kind(self.hosts)
            await settled(client.connect())
            self.clients[name] = client
        return self.clients[name]

    async def step(self, place: str, step: Step) -> None:
        client = await self.client(step.get("client", "a"))
        do = step["do"]
        if do == "event":
            events = self.heard[step["name"]].events
            await until_async(lambda: events, place)
            answer = event_of(events.pop(0))
        elif do == "no_event":
            await settled(client.sync("/"))
            assert self.heard[step["name"]].events == [], place
            return
        elif do == "unwatch":
            await self.heard.pop(step["name"]).close()
            return
        elif do == "close":
            await settled(client.close())
            return
        else:
            answer = await self.answer(client, do, step)
        self.compare(place, answer, step["expect"])

    async def answer(self, client: AnyClient, do: str, step: Step) -> Answer:
        try:
            if do == "watch":
                return await self.watch(client, step)
            if do == "multi":
                return await multi(client, step)
            return await operate(client, do, step)
        except zoowarden.ZooKeeperError as error:
            return {"error": code_name(error)}

    async def watch(self, client: AnyClient, step: Step) -> Answer:
        heard, path, kind = Heard(), step["path"], step["kind"]
        answer: Answer = {}
        if kind == "data":
            data, stat = await settled(client.get(path, watch=heard.events.append))
            answer = {"data": data_of(data), "stat": stat_of(stat)}
        elif kind == "exists":
            answer = existence(await settled(client.exists(path, watch=heard.events.append)))
        elif kind == "children":
            call = client.get_children_with_stat(path, watch=heard.events.append)
            names, stat = await settled(call)
            answer = {"children": sorted(names), "stat": stat_of(stat)}
        else:
            await heard.follow(client, path, kind == "recursive")
        self.heard[step["name"]] = heard
        return answer

    def compare(self, place: str, answer: Answer, expected: Answer) -> None:
        if "error" not in expected:
            assert "error" not in answer, f"{place}: {answer}"
        for member, wanted in expected.items():
            if member == "stat":
                self.compare_stat(place, answer["stat"], wanted)
            elif member == "includes":
                assert wanted in answer["ids"], place
            elif member == "results":
                assert len(answer["results"]) == len(wanted), f"{place}: {answer}"
                for found, one in zip(answer["results"], wanted, strict=True):
                    self.compare(place, found, one)
            else:
                assert answer[member] == wanted, f"{place}: {answer}"

    def compare_stat(self, place: str, found: Answer, wanted: Answer) -> None:
        for field, value in wanted.items():
            if field == "owner":
                owner = 0 if value is None else self.clients[value].session_id
                assert found["ephemeral_owner"] == owner, place
            else:
                assert found[field] == value, f"{place}: {field} of {found}"


async def operate(client: AnyClient, do: str, step: Step) -> Answer:
    path, version = step.get("path", ""), step.get("version")
    if do == "create":
        mode = MODES[step.get("mode", "persistent")]
        call = client.create_with_stat(path, bytes_of(step), acl=acl_of(step), **mode)
        created, stat = await settled(call)
        return {"path": created, "stat": stat_of(stat)}
    if do == "exists":
        return existence(await settled(client.exists(path)))
    if do == "get":
        data, stat = await settled(client.get(path))
        return {"data": data_of(data), "stat": stat_of(stat)}
    if do == "set":
        return {"stat": stat_of(await settled(client.set(path, bytes_of(step), version)))}
    if do == "get_children":
        names, stat = await settled(client.get_children_with_stat(path))
        return {"children": sorted(names), "stat": stat_of(stat)}
    if do == "get_acl":
        acl, stat = await settled(client.get_acl(path))
        return {"acl": [acl_entry(entry) for entry in acl], "stat": stat_of(stat)}
    if do == "set_acl":
        return {"stat": stat_of(await settled(client.set_acl(path, acl_of(step) or [], version)))}
    if do == "get_ephemerals":
        return {"paths": sorted(await settled(client.get_ephemerals(path)))}
    if do == "get_all_children_number":
        return {"count": await settled(client.get_all_children_number(path))}
    if do == "who_am_i":
        ids = await settled(client.who_am_i())
        return {"ids": [{"scheme": scheme, "id": name} for scheme, name in ids]}
    calls = {
        "delete": lambda: client.delete(path, version),
        "sync": lambda: client.sync(path),
        "add_auth": lambda: client.add_auth(step["scheme"], step["auth"]),
    }
    await settled(calls[do]())
    return {}


async def multi(client: AnyClient, step: Step) -> Answer:
    transaction = client.transaction()
    for op in step["ops"]:
        path, version = op["path"], op.get("version")
        if op["do"] == "create":
            transaction.create(path, bytes_of(op), **MODES[op.get("mode", "persistent")])
        elif op["do"] == "set":
            transaction.set(path, bytes_of(op), version)
        elif op["do"] == "delete":
            transaction.delete(path, version)
        else:
            transaction.check(path, version)
    try:
        results = await settled(transaction.commit())
    except zoowarden.TransactionError as error:
        return {"error": code_name(error.error), "index": error.index}
    pairs = zip(step["ops"], results, strict=True)
    return {"results": [outcome(op["do"], result) for op, result in pairs]}


def outcome(do: str, result: Any) -> Answer:
    if do == "create":
        return {"kind": "created", "path": result}
    if do == "set":
        return {"kind": "set", "stat": stat_of(result)}
    return {"kind": "deleted" if do == "delete" else "checked"}


NAMED = os.environ.get("ZOOWARDEN_CONTRACT_HOSTS")
ENSEMBLES = [NAMED] if NAMED else ["1", "3"]


@pytest.fixture(scope="module", params=ENSEMBLES)
def ensemble(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param.isdigit():
        with zoowarden.testing.Ensemble(int(request.param)) as ensemble:
            yield ensemble.connect_string
    else:
        yield request.param


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=[each["name"] for each in SCENARIOS])
def test_contract_holds(
    ensemble: str, kind: type[Client] | type[AsyncClient], scenario: Step
) -> None:
    root = f"/contract-python-{os.getpid()}-{next(_numbers)}"
    with Client(ensemble) as client:
        client.create(root)
        asyncio.run(Play(kind, ensemble + root).play(scenario["steps"]))
        client.sync()
        client.delete(root, recursive=True)


def test_every_kind_of_event_has_a_name() -> None:
    steps = [step for scenario in SCENARIOS for step in scenario["steps"]]
    told = {step["expect"]["kind"] for step in steps if step["do"] == "event"}
    assert told <= {kind.name.lower() for kind in EventType}
