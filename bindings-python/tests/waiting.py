"""Waiting for what must come to be true."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

LIMIT_SECONDS = 20.0
POLL_SECONDS = 0.005


def until(condition: Callable[[], object], what: str) -> None:
    """Returns when the condition holds; fails when it does not for too long."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(POLL_SECONDS)


async def until_async(condition: Callable[[], object], what: str) -> None:
    """The same, in an event loop."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        await asyncio.sleep(POLL_SECONDS)
