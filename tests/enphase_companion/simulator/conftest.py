"""A simulated gateway that runs, and a session to talk to it with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from enphase_companion.simulator import Simulator
from tests.houses import JUNE


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator("three-phase", hour_of_day=11, day=JUNE) as running:
        yield running


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Yield a session that trusts any certificate and keeps cookies of addresses."""
    connector, jar = aiohttp.TCPConnector(ssl=False), aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=jar) as opened:
        yield opened
