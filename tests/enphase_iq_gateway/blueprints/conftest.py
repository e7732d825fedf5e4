"""Fixtures for blueprint tests: automations and time."""

import asyncio
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import CONF_TOKEN, STATE_ON
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import (  # type: ignore[import-untyped]
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.enphase_iq_gateway.const import CONF_ALLOW_WRITES, DOMAIN
from custom_components.enphase_iq_gateway.enphase_api.local.proof import Timing
from enphase_companion.simulator import Simulator

from ..conftest import SetUp, make_entry
from ..texts import PROJECT
from .helpers import Automate, Minutes, settle


@pytest.fixture
def minutes(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> Minutes:
    """Advance the time minute by minute."""

    async def run(count: int = 1) -> None:
        for _ in range(count):
            freezer.tick(timedelta(minutes=1))
            async_fire_time_changed(hass)
            await settle()

    return run


@pytest.fixture
async def automate(
    hass: HomeAssistant, tmp_path: Path, freezer: FrozenDateTimeFactory, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Automate]:
    """Create an automation from a blueprint, as a user does."""
    shutil.copytree(PROJECT / "blueprints", tmp_path / "blueprints")
    monkeypatch.setattr(hass.config, "config_dir", str(tmp_path))
    freezer.move_to("2026-06-21 12:00:30+00:00")

    async def run(blueprint: str, **inputs: Any) -> None:
        assert await async_setup_component(hass, "homeassistant", {})
        assert await async_setup_component(hass, "input_boolean", {"input_boolean": {"boiler": None}})
        assert await async_setup_component(
            hass,
            "automation",
            {
                "automation": {
                    "id": "under_test",
                    "alias": "Under test",
                    "use_blueprint": {"path": f"{DOMAIN}/{blueprint}.yaml", "input": inputs},
                }
            },
        )
        await hass.async_block_till_done()
        state = hass.states.get("automation.under_test")
        assert state is not None
        assert state.state == STATE_ON

    yield run
    await hass.services.async_call("automation", "turn_off", {"entity_id": "automation.under_test"})
    await settle()


@pytest.fixture
def clock_speed() -> float:
    """Stop the clock of the house; the test advances it."""
    return 0.0


@pytest.fixture
def set_up_without_polling(
    hass: HomeAssistant, entry: MockConfigEntry, set_up: SetUp
) -> Callable[[], Awaitable[None]]:
    """Set up the entry with all its entities, without automatic polling."""

    async def run() -> None:
        await set_up(entry, enable=True)
        hass.config_entries.async_update_entry(entry, pref_disable_polling=True)
        entry.runtime_data._unschedule_refresh()

    return run


@pytest.fixture
async def before_four(
    hass: HomeAssistant, simulator: Simulator, automate: Automate, freezer: FrozenDateTimeFactory
) -> None:
    """Move to some minutes before four in the afternoon of a weekday, when the simulated prices rise."""
    zone = ZoneInfo("America/Los_Angeles")
    await hass.config.async_set_time_zone(zone.key)
    at = datetime(2026, 7, 15, 15, 57, 30, tzinfo=zone)
    freezer.move_to(at)
    simulator.clock.advance(at.timestamp() - simulator.clock.time())


@pytest.fixture
async def obedient(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp
) -> AsyncGenerator[MockConfigEntry]:
    """Yield an entry of an installer that allows changes; the house obeys although time is frozen."""
    data, options = {CONF_TOKEN: simulator.token("installer")}, {CONF_ALLOW_WRITES: True}
    entry = await set_up(make_entry(simulator, data, options), enable=True)
    entry.runtime_data.gateway.control.timing = Timing(first=60, second=0, pause=0)

    async def obey() -> None:
        count = 0
        while True:
            await asyncio.sleep(0)
            before, count = count, sum(request.method == "PUT" for request in simulator.requests)
            if count > before:
                simulator.clock.advance(15)

    # A task of Home Assistant would be waited for.
    obeying = asyncio.create_task(obey())
    yield entry
    obeying.cancel()


@pytest.fixture
def warned(hass: HomeAssistant) -> list[str]:
    """Collect the messages of the automation."""
    messages: list[str] = []

    @callback
    def note(event: Event) -> None:
        messages.append(event.data["message"])

    hass.bus.async_listen("warned", note)
    return messages
