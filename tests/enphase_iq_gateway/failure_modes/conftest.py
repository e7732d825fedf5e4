"""What the bad days share: time that stands still, and a watch that looks for secrets after each of them."""

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
from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed  # type: ignore[import-untyped]

from enphase_companion.simulator import Simulator
from enphase_companion.simulator.entrez import PASSWORD
from enphase_companion.simulator.faults import Faults
from enphase_companion.simulator.server import Request

from ..conftest import NOON
from ..flow import TEXTS, Flow
from .watch import Watch, require_discretion

#: A sentence that tells an owner what to do.
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
    """Return the gateway and Entrez, whose secrets the watch knows; time stands still from here on.

    Not before: certificates cannot be made while it does, unless one was made already.
    """
    return simulator


@pytest.fixture
async def hass(hass: HomeAssistant, simulator: Simulator, watch: Watch) -> AsyncGenerator[HomeAssistant]:
    """Home Assistant, searched for secrets at the end of the day."""
    yield hass
    await hass.async_block_till_done(wait_background_tasks=True)
    await require_discretion(hass, watch, [simulator])


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
    """Another gateway, which nothing secret may be sent to."""
    with Simulator("three-phase", seed=2, start=NOON, longitude=0, speed=0) as running:
        yield running
        assert not any(request.has_authorization or request.has_session for request in running.requests)


def is_loaded(entry: MockConfigEntry) -> bool:
    """Return whether a gateway is set up now."""
    return bool(entry.state is ConfigEntryState.LOADED)


class Passing:
    """Time that passes while an answer is waited for: nobody waits for the tasks that wait."""

    def __init__(self, hass: HomeAssistant, simulator: Simulator, freezer: FrozenDateTimeFactory) -> None:
        self._hass = hass
        self._simulator = simulator
        self._freezer = freezer

    def time(self, seconds: float) -> None:
        """Let seconds pass."""
        self._freezer.tick(timedelta(seconds=seconds))
        self._simulator.clock.advance(seconds)
        async_fire_time_changed(self._hass)

    async def until_asked(self, requests: list[Request], seconds: float = 0) -> None:
        """Let seconds pass, and wait until one more request has come in."""
        seen = len(requests)
        self.time(seconds)
        while len(requests) == seen:
            await asyncio.sleep(0)

    async def until_done(self) -> None:
        """Wait until nothing is waited for any more."""
        await self._hass.async_block_till_done(wait_background_tasks=True)


@pytest.fixture
def passing(hass: HomeAssistant, simulator: Simulator, freezer: FrozenDateTimeFactory) -> Passing:
    """Time that passes while an answer is waited for."""
    return Passing(hass, simulator, freezer)


@contextmanager
def held(faults: Faults) -> Iterator[None]:
    """Hold answers back; what was asked meanwhile is answered at the end."""
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
    """Return a config flow, each of whose errors says what to do."""
    return AdvisingFlow(hass, simulator)


class AdvisingFlow(Flow):
    """Looks at the text of each error that is shown."""

    def _see(self, shown: ConfigFlowResult) -> None:
        super()._see(shown)
        for key in (shown.get("errors") or {}).values():
            assert _ADVICE.search(TEXTS["error"][key]), f"{key}: says what is wrong, but not what to do"
