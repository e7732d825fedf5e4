"""A simulated gateway, a trusted client of it, and a watch over what is left behind."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from enphase_api import json_values
from enphase_api.cloud import Authentication
from enphase_api.local import Gateway
from enphase_companion.simulator import Simulator
from tests.houses import JUNE

# The same examples every time, so that a failure is a change's; a busy machine is no failure.
settings.register_profile("client", max_examples=60, deadline=None, derandomize=True, database=None)
settings.load_profile("client")


@pytest.fixture(autouse=True)
def nothing_is_left_open(request: pytest.FixtureRequest) -> Iterator[None]:
    """Collect what a test left: an open session or socket then warns, and a warning is an error here."""
    if getattr(request.function, "is_hypothesis_test", False):  # these open nothing
        yield
        return
    # What was there before is kept out of the collection, which makes it some fifty times faster.
    gc.freeze()
    yield
    gc.collect()
    gc.unfreeze()


@pytest.fixture(autouse=True)
def nothing_is_logged_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reasons are logged once in a process; here once in a test."""
    monkeypatch.setattr(json_values, "_logged", set())


@pytest.fixture(autouse=True)
def folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a temporary folder, in which the default configuration/gateway.cer is found."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator("three-phase", hour_of_day=11, day=JUNE) as running:
        yield running


@pytest.fixture
def entrez_is_the_simulated_one(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `Authentication()` work as in the documentation."""
    defaults = Authentication.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "host", sim.entrez_url)


@pytest.fixture
async def gateway(sim: Simulator) -> AsyncIterator[Gateway]:
    """Yield a client that trusts the simulated gateway and is not logged in yet."""
    async with Gateway(sim.url, certificate=sim.certificate_pem) as client:
        yield client
    # The farewell of TLS on a connection that was given up takes some turns of the loop.
    await asyncio.sleep(0.02)


@pytest.fixture
async def logged_in(gateway: Gateway, sim: Simulator) -> Gateway:
    assert await gateway.login(sim.token())
    return gateway
