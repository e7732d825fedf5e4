"""The blueprint that keeps the battery full while there is a warning."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNAVAILABLE, Platform
from homeassistant.core import HomeAssistant, ServiceCall
from pytest_homeassistant_custom_component.common import (  # type: ignore[import-untyped]
    MockConfigEntry,
    async_mock_service,
)

from custom_components.enphase_iq_gateway.const import DOMAIN
from enphase_companion.simulator import Simulator

from .helpers import LOAD, Automate, Minutes, control_of, load, show, wait_until

STORM, MODE = "binary_sensor.storm", "select.battery_mode"
FULL = {"mode": "backup", "charge_from_grid": True}
USUAL = {"mode": "self-consumption", "reserve": 20, "charge_from_grid": False}

type Storm = Callable[..., Awaitable[list[dict[str, Any]]]]


@pytest.fixture
def automate(automate: Automate) -> Automate:
    """Create an automation from this blueprint."""
    # The toggle of the other blueprints' tests is the memory here.
    return partial(automate, "storm_battery", storm=STORM, battery_mode=MODE, memory=LOAD)


@pytest.fixture
async def storm(hass: HomeAssistant, automate: Automate, minutes: Minutes) -> Storm:
    """Set the warning and the mode, and return the commands that were sent since the last time."""
    calls: list[ServiceCall] = async_mock_service(hass, DOMAIN, "set_battery_mode")

    async def run(warning: str, mode: str, duration: int = 1) -> list[dict[str, Any]]:
        calls.clear()
        show(hass, MODE, mode, pending=None)
        show(hass, STORM, warning)
        await minutes(duration)
        return [
            {name: value for name, value in call.data.items() if name != "config_entry_id"} for call in calls
        ]

    await run(STATE_OFF, "self-consumption")
    await automate()
    return run


async def test_a_warning_fills_the_battery_and_its_end_returns_to_the_usual_mode(storm: Storm) -> None:
    assert await storm(STATE_ON, "self-consumption") == [FULL]
    assert await storm(STATE_ON, "backup", 60) == []
    assert await storm(STATE_OFF, "backup", 58) == []
    assert await storm(STATE_OFF, "backup", 3) == [USUAL]
    assert await storm(STATE_OFF, "self-consumption", 30) == []
    # From now on, a mode is the user's own.
    assert await storm(STATE_OFF, "backup", 90) == []


async def test_a_warning_that_ends_while_home_assistant_is_off_returns_to_the_usual_mode(
    hass: HomeAssistant, storm: Storm
) -> None:
    automation = {"entity_id": "automation.under_test"}
    assert await storm(STATE_ON, "self-consumption") == [FULL]
    await storm(STATE_ON, "backup")
    await hass.services.async_call("automation", "turn_off", automation, blocking=True)
    await storm(STATE_OFF, "backup", 240)
    # Home Assistant starts: the state of the warning is as old as the start.
    hass.states.async_remove(STORM)
    await hass.services.async_call("automation", "turn_on", automation, blocking=True)
    assert await storm(STATE_OFF, "backup", 58) == []
    assert load(hass) == STATE_ON
    assert await storm(STATE_OFF, "backup", 3) == [USUAL]
    assert await storm(STATE_OFF, "self-consumption", 16) == []
    assert load(hass) == STATE_OFF


async def test_a_mode_that_was_chosen_during_the_storm_is_kept_afterwards(
    hass: HomeAssistant, storm: Storm
) -> None:
    assert await storm(STATE_ON, "self-consumption") == [FULL]
    await storm(STATE_ON, "backup", 10)
    assert await storm(STATE_OFF, "economy", 90) == []
    assert load(hass) == STATE_OFF


async def test_a_command_that_failed_is_sent_again(storm: Storm) -> None:
    assert await storm(STATE_ON, "self-consumption", 40) == [FULL] * 3
    await storm(STATE_OFF, "backup", 58)
    # An hour after the end, and with each of the three quarters of an hour that follow.
    assert await storm(STATE_OFF, "backup", 40) == [USUAL] * 4


async def test_a_mode_that_was_chosen_without_a_warning_is_kept(storm: Storm) -> None:
    assert await storm(STATE_OFF, "backup", 120) == []
    assert await storm(STATE_UNAVAILABLE, "backup", 30) == []
    assert await storm(STATE_OFF, "backup", 120) == []


async def test_a_new_warning_during_the_wait_keeps_the_battery_full(storm: Storm) -> None:
    await storm(STATE_ON, "backup", 30)
    assert await storm(STATE_OFF, "backup", 30) == []
    assert await storm(STATE_ON, "backup", 90) == []


async def test_an_unavailable_battery_is_set_when_it_is_back(storm: Storm) -> None:
    assert await storm(STATE_ON, STATE_UNAVAILABLE, 20) == []
    assert await storm(STATE_ON, "self-consumption", 16) == [FULL]


@pytest.mark.parametrize("profile", ["battery"])
async def test_the_battery_of_a_simulated_gateway_is_kept_full(
    hass: HomeAssistant,
    simulator: Simulator,
    automate: Automate,
    obedient: MockConfigEntry,
) -> None:
    mode = control_of(hass, simulator, Platform.SELECT, "battery_mode")
    show(hass, STORM, STATE_OFF)
    await automate(battery_mode=mode, minutes_after=0)
    for warning, expected in ((STATE_ON, "backup"), (STATE_OFF, "self-consumption")):
        show(hass, STORM, warning)
        await wait_until(hass, mode, expected)
        assert load(hass) == warning
    assert simulator.house.orders(simulator.clock.time()).reserve == 20
