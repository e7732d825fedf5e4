"""A simulated gateway, a client that trusts it, and a check for open resources."""

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

# All runs use the same examples, so that only changes cause failures. There are no deadlines.
settings.register_profile("client", max_examples=60, deadline=None, derandomize=True, database=None)
settings.load_profile("client")


@pytest.fixture(autouse=True)
def check_open_resources(request: pytest.FixtureRequest) -> Iterator[None]:
    """Collect garbage after a test: open sessions and sockets warn, and a warning is an error."""
    if getattr(request.function, "is_hypothesis_test", False):  # these tests open nothing
        yield
        return
    # Older objects are excluded from the collection, which makes it about fifty times faster.
    gc.freeze()
    yield
    gc.collect()
    gc.unfreeze()


@pytest.fixture(autouse=True)
def reset_logged_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reset the logged reasons, which otherwise are logged once per process."""
    monkeypatch.setattr(json_values, "_logged", set())


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a temporary folder, in which the default configuration/gateway.cer is found."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator("three-phase", hour_of_day=11, day=JUNE) as running:
        yield running


@pytest.fixture
def use_simulated_entrez(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `Authentication()` work as in the documentation."""
    defaults = Authentication.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "host", sim.entrez_url)


@pytest.fixture
async def gateway(sim: Simulator) -> AsyncIterator[Gateway]:
    """Yield a client that trusts the simulated gateway and is not logged in yet."""
    async with Gateway(sim.url, certificate=sim.certificate_pem) as client:
        yield client
    # The TLS shutdown of an abandoned connection takes some iterations of the loop.
    await asyncio.sleep(0.02)


@pytest.fixture
async def logged_in(gateway: Gateway, sim: Simulator) -> Gateway:
    assert await gateway.login(sim.token())
    return gateway
