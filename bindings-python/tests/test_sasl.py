"""SASL: a server of the tests has no users, so it shows what a refusal looks like; a node of this
process may have some."""

from __future__ import annotations

import asyncio

import pytest

import zoowarden
import zoowarden.testing
from zoowarden import ACL, AuthFailedError, NoAuthError, NodeStartError, Permission, State


def test_refused_login_is_an_error_that_says_why(server: zoowarden.testing.Server) -> None:
    client = zoowarden.Client(server.connect_string, sasl=("bob", "secret"))
    with pytest.raises(AuthFailedError, match="no SASL login of bob") as raised:
        client.connect(timeout=30)
    assert "secret" not in str(raised.value)
    assert client.state is State.AUTH_FAILED
    client.close()


async def refused(hosts: str) -> None:
    client = zoowarden.AsyncClient(hosts, sasl=("bob", "secret"))
    with pytest.raises(AuthFailedError, match="no SASL login of bob"):
        await client.connect(timeout=30)
    await client.close()


def test_async_client_is_refused_alike(server: zoowarden.testing.Server) -> None:
    asyncio.run(refused(server.connect_string))


def test_users_of_a_node_log_in_and_others_are_nobody() -> None:
    with zoowarden.Node(sasl_users={"bob": "bobsecret", "eve": ""}) as node:
        with node.client(sasl=("bob", "bobsecret")) as bob:
            bob.create("/bobs", b"x", acl=zoowarden.CREATOR_ALL_ACL)
            acl, _ = bob.get_acl("/bobs")
            assert acl == [ACL(Permission.ALL, "sasl", "bob")]
            with node.client() as nobody, pytest.raises(NoAuthError):
                nobody.get("/bobs")
        wrong = node.client(sasl=("bob", "x"))
        with pytest.raises(AuthFailedError):
            wrong.connect(timeout=30)
        wrong.close()


def test_users_of_a_node_have_names_and_passwords() -> None:
    with pytest.raises(NodeStartError, match="a SASL user has no name"):
        zoowarden.Node(sasl_users={"": "canary"}).start()
    with pytest.raises(TypeError):
        zoowarden.Node(sasl_users={"bob": 7}).start()  # type: ignore[dict-item]
    text = "dataDir=/nowhere\nclientPort=0\n"
    node = zoowarden.Node.from_zoo_cfg(text, sasl_users={"bob": "bobsecret"})
    assert "bobsecret" not in repr(node)
