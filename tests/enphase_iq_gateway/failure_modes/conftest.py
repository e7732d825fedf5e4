"""Fixtures of failure modes: frozen time, and a watch that searches for secrets after each test."""

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
from .watch import Watch, require_discretion

#: A sentence with advice.
_ADVICE = re.compile(
    r"(?:^|[.;,] )(?:ask|check|compare|copy|create|enter|go back|look|paste|sign in|try|use) ", re.IGNORECASE
)


@pytest.fixture
def clock_speed() -> float:
    """Advance the house's time by hand, as Home Assistant's."""
    return 0.0


@pytest.fixture
def freezer(freezer: FrozenDateTimeFactory) -> FrozenDateTimeFactory:
    """Home Assistant's time, which begins where the house's does."""
    freezer.move_to(datetime.fromtimestamp(NOON, UTC))
    return freezer


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Generator[Watch]:
    """Look for secrets in all that is logged, at debug level too."""
    root = logging.getLogger()
    level, watch = root.level, Watch()
    watch.plant_all(monkeypatch, PASSWORD)
    root.addHandler(watch)
    root.setLevel(logging.DEBUG)
    # The recorder's statements hold what the states do, and there are a thousand a second of them.
    logging.getLogger("sqlalchemy.engine").setLevel(logging.WARNING)
    yield watch
    root.setLevel(level)
    root.removeHandler(watch)


@pytest.fixture
def simulator(watch: Watch, simulator: Simulator, freezer: FrozenDateTimeFactory) -> Simulator:
    """Return the gateway and Entrez, whose secrets the watch knows; the time is frozen from here on.

    Not earlier: the first certificate cannot be created in frozen time.
    """
    return simulator


@pytest.fixture
async def hass(hass: HomeAssistant, simulator: Simulator, watch: Watch) -> AsyncGenerator[HomeAssistant]:
    """Yield Home Assistant, and search it for secrets at the end of the test."""
    yield hass
    await hass.async_block_till_done(wait_background_tasks=True)
    await require_discretion(hass, watch, [simulator])


@pytest.fixture
async def recorded_entry(recorder_mock: Recorder, simulator: Simulator, set_up: SetUp) -> MockConfigEntry:
    """Return an entry that is polled each minute, and whose energies are recorded.

    A test requests it before `hass`, which must not start before the recorder.
    """
    return await set_up(make_entry(simulator, options={CONF_SCAN_INTERVAL: 60}))


@pytest.fixture
def enable_statistics() -> bool:
    """Make statistics each five minutes and each hour, where a test has a recorder."""
    return True


@pytest.fixture
def recorder_config() -> dict[str, Any]:
    """Write states when statistics are made, and not each at once."""
    return {"commit_interval": 3600, "include": {"entity_globs": ["sensor.*energy*", "sensor.*charged"]}}


@pytest.fixture
def stranger(simulator: Simulator) -> Generator[Simulator]:
    """Yield another gateway, and check that nothing secret was sent to it."""
    with Simulator("three-phase", seed=2, start=NOON, longitude=0, speed=0) as running:
        yield running
        assert not any(request.has_authorization or request.has_session for request in running.requests)


def is_loaded(entry: MockConfigEntry) -> bool:
    """Return whether a gateway is set up now."""
    return bool(entry.state is ConfigEntryState.LOADED)


class Passing:
    """Advance the time while requests are pending."""

    def __init__(self, hass: HomeAssistant, simulator: Simulator, freezer: FrozenDateTimeFactory) -> None:
        self._hass = hass
        self._simulator = simulator
        self._freezer = freezer

    def time(self, seconds: float) -> None:
        """Advance the time."""
        self._freezer.tick(timedelta(seconds=seconds))
        self._simulator.clock.advance(seconds)
        async_fire_time_changed(self._hass)

    async def until_asked(self, requests: list[Request], seconds: float = 0) -> None:
        """Advance the time, and wait for another request."""
        seen = len(requests)
        self.time(seconds)
        while len(requests) == seen:
            await asyncio.sleep(0)

    async def until_done(self) -> None:
        """Wait until nothing is pending."""
        await self._hass.async_block_till_done(wait_background_tasks=True)


@pytest.fixture
def passing(hass: HomeAssistant, simulator: Simulator, freezer: FrozenDateTimeFactory) -> Passing:
    """Return a helper that advances the time while requests are pending."""
    return Passing(hass, simulator, freezer)


@contextmanager
def held(faults: Faults) -> Iterator[None]:
    """Hold back all answers until the end."""
    before, is_held = faults.before, True

    async def hold(request: web.Request) -> web.Response | None:
        while is_held:
            await asyncio.sleep(0.02)
        return await before(request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faults, "before", hold)
        try:
            yield
        finally:
            is_held = False


@pytest.fixture
def flow(hass: HomeAssistant, simulator: Simulator) -> Flow:
    """Return a config flow that checks that each error has advice."""
    return AdvisingFlow(hass, simulator)


class AdvisingFlow(Flow):
    """A config flow that checks the text of each error."""

    def _see(self, shown: ConfigFlowResult) -> None:
        super()._see(shown)
        for key in (shown.get("errors") or {}).values():
            assert _ADVICE.search(TEXTS["error"][key]), f"{key}: says what is wrong, but not what to do"
