"""A running simulator, a client session for it, and a clock that replaces its waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace

import aiohttp
import pytest

from enphase_companion.simulator import Simulator, faults, gateway, server
from tests.houses import JUNE


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator("three-phase", hour_of_day=11, day=JUNE) as running:
        yield running


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Yield a session that trusts any certificate and keeps cookies of IP addresses."""
    connector, jar = aiohttp.TCPConnector(ssl=False), aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=jar) as opened:
        yield opened


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the waits (seconds) of the simulator, whose clock advances instead."""
    seconds: list[float] = []
    monotonic = time.monotonic

    async def advance(delay: float) -> None:
        seconds.append(delay)
        await asyncio.sleep(0)

    monkeypatch.setattr(faults, "asyncio", SimpleNamespace(sleep=advance))
    monkeypatch.setattr(
        gateway, "asyncio", SimpleNamespace(sleep=advance, get_running_loop=asyncio.get_running_loop)
    )
    monkeypatch.setattr(server, "_monotonic", lambda: monotonic() + sum(seconds))
    return seconds
