"""SASL: a server of the tests has no users, so what shows here is what a refusal looks like. That
logins succeed is shown by kazoo's own SASL tests over the facade."""

from __future__ import annotations

import asyncio

import pytest

import zoowarden
import zoowarden.testing
from zoowarden import AuthFailedError, State


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
