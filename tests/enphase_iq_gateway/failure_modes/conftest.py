"""Fixtures for failure modes: frozen time, and a search for secrets after each test."""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.recorder.core import Recorder
from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult
from homeassistant.const import CONF_SCAN_INTERVAL
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed  # type: ignore[import-untyped]

from enphase_companion.simulator import Simulator
from enphase_companion.simulator.entrez import PASSWORD
from enphase_companion.simulator.faults import Faults
from enphase_companion.simulator.server import Request

from ..conftest import NOON, SetUp, make_entry
from ..flow import TEXTS, Flow
from .watch import Watch, require_no_leaks

#: Matches a text with advice.
_ADVICE = re.compile(
    r"(?:^|[.;,] )(?:ask|check|compare|copy|create|enter|go back|look|paste|sign in|try|use) ", re.IGNORECASE
)


@pytest.fixture
def clock_speed() -> float:
    """Stop the clock of the house; the test advances it together with that of Home Assistant."""
    return 0.0


@pytest.fixture
def freezer(freezer: FrozenDateTimeFactory) -> FrozenDateTimeFactory:
    """Freeze Home Assistant's time at the start time of the house."""
    freezer.move_to(datetime.fromtimestamp(NOON, UTC))
    return freezer


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Generator[Watch]:
    """Search the log for secrets, including debug level."""
    root = logging.getLogger()
    level, watch = root.level, Watch()
    watch.add_issued_secrets(monkeypatch, PASSWORD)
    root.addHandler(watch)
    root.setLevel(logging.DEBUG)
    # SQL statements contain the same values as the states, and there are a thousand per second.
    logging.getLogger("sqlalchemy.engine").setLevel(logging.WARNING)
    yield watch
    root.setLevel(level)
    root.removeHandler(watch)


@pytest.fixture
def simulator(watch: Watch, simulator: Simulator, freezer: FrozenDateTimeFactory) -> Simulator:
    """Return the gateway and Entrez, whose secrets the watch knows, and freeze the time.

    Not earlier: the first certificate cannot be created in frozen time.
    """
    return simulator


@pytest.fixture
async def hass(hass: HomeAssistant, simulator: Simulator, watch: Watch) -> AsyncGenerator[HomeAssistant]:
    """Yield Home Assistant, and search it for secrets at the end of the test."""
    yield hass
    await hass.async_block_till_done(wait_background_tasks=True)
    await require_no_leaks(hass, watch, [simulator])


@pytest.fixture
async def recorded_entry(recorder_mock: Recorder, simulator: Simulator, set_up: SetUp) -> MockConfigEntry:
    """Return an entry that is polled every minute, and whose energies are recorded.

    A test requests it before `hass`, which must not start before the recorder.
    """
    return await set_up(make_entry(simulator, options={CONF_SCAN_INTERVAL: 60}))


@pytest.fixture
def enable_statistics() -> bool:
    """Compile statistics every five minutes and every hour if a test has a recorder."""
    return True


@pytest.fixture
def recorder_config() -> dict[str, Any]:
    """Write states only when statistics are compiled."""
    return {"commit_interval": 3600, "include": {"entity_globs": ["sensor.*energy*", "sensor.*charged"]}}


@pytest.fixture
def other_gateway(simulator: Simulator) -> Generator[Simulator]:
    """Yield another gateway, and check that nothing secret was sent to it."""
    with Simulator("three-phase", seed=2, start=NOON, longitude=0, speed=0) as running:
        yield running
        assert not any(request.has_authorization or request.has_session for request in running.requests)


def is_loaded(entry: MockConfigEntry) -> bool:
    """Return whether a gateway is set up."""
    return bool(entry.state is ConfigEntryState.LOADED)


class PendingRequests:
    """Advance the time while requests are pending."""

    def __init__(self, hass: HomeAssistant, simulator: Simulator, freezer: FrozenDateTimeFactory) -> None:
        self._hass = hass
        self._simulator = simulator
        self._freezer = freezer

    def advance(self, seconds: float) -> None:
        """Advance the time."""
        self._freezer.tick(timedelta(seconds=seconds))
        self._simulator.clock.advance(seconds)
        async_fire_time_changed(self._hass)

    async def until_requested(self, requests: list[Request], seconds: float = 0) -> None:
        """Advance the time, and wait for another request."""
        seen = len(requests)
        self.advance(seconds)
        while len(requests) == seen:
            await asyncio.sleep(0)

    async def until_done(self) -> None:
        """Wait until nothing is pending."""
        await self._hass.async_block_till_done(wait_background_tasks=True)


@pytest.fixture
def pending(hass: HomeAssistant, simulator: Simulator, freezer: FrozenDateTimeFactory) -> PendingRequests:
    """Return a helper that advances the time while requests are pending."""
    return PendingRequests(hass, simulator, freezer)


@contextmanager
def held_responses(faults: Faults) -> Iterator[None]:
    """Hold back all responses until the end."""
    before, is_holding = faults.before, True

    async def hold(request: web.Request) -> web.Response | None:
        while is_holding:
            await asyncio.sleep(0.02)
        return await before(request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faults, "before", hold)
        try:
            yield
        finally:
            is_holding = False


@pytest.fixture
def flow(hass: HomeAssistant, simulator: Simulator) -> Flow:
    """Return a config flow that checks whether each error has advice."""
    return AdvisingFlow(hass, simulator)


class AdvisingFlow(Flow):
    """A config flow that checks the text of each error."""

    def _store_result(self, shown: ConfigFlowResult) -> None:
        super()._store_result(shown)
        for key in (shown.get("errors") or {}).values():
            assert _ADVICE.search(TEXTS["error"][key]), f"{key}: says what is wrong, but not what to do"
