"""The blueprint that switches a load by surplus solar power."""

from collections.abc import Awaitable, Callable

import pytest
from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import (  # type: ignore[import-untyped]
    MockConfigEntry,
    async_mock_service,
)

from enphase_companion.simulator import Simulator

from .helpers import (
    BATTERY,
    GRID,
    LEVEL,
    LOAD,
    Automate,
    Minutes,
    entity_of,
    load,
    read_again,
    settle,
    show,
)


async def test_the_load_is_turned_on_when_the_surplus_persists(
    hass: HomeAssistant, automate: Automate, minutes: Minutes
) -> None:
    await automate("surplus_solar", grid_power=GRID, load=LOAD, minimum_off=0)
    show(hass, GRID, -2500)
    await minutes(5)
    assert load(hass) == STATE_OFF
    await minutes(2)
    assert load(hass) == STATE_ON


async def test_a_cloud_restarts_the_waiting_time(
    hass: HomeAssistant, automate: Automate, minutes: Minutes
) -> None:
    await automate("surplus_solar", grid_power=GRID, load=LOAD, minimum_off=0)
    for _ in range(4):
        show(hass, GRID, -2500)
        await minutes(4)
        show(hass, GRID, -1000)
        await minutes(2)
    assert load(hass) == STATE_OFF


async def test_the_load_is_not_switched_between_the_thresholds(
    hass: HomeAssistant, automate: Automate, minutes: Minutes
) -> None:
    await automate("surplus_solar", grid_power=GRID, load=LOAD, minimum_on=0, minimum_off=0)
    for watts in (-1900, 0, 190):
        show(hass, GRID, watts)
        await minutes(15)
        assert load(hass) == STATE_OFF
    show(hass, GRID, -2000)
    await minutes(7)
    assert load(hass) == STATE_ON
    for watts in (-1900, 0, 190):
        show(hass, GRID, watts)
        await minutes(15)
        assert load(hass) == STATE_ON
    show(hass, GRID, 200)
    await minutes(5)
    assert load(hass) == STATE_ON
    await minutes(2)
    assert load(hass) == STATE_OFF


async def test_the_load_stays_on_and_off_for_the_minimum_times(
    hass: HomeAssistant, automate: Automate, minutes: Minutes
) -> None:
    await automate(
        "surplus_solar",
        grid_power=GRID,
        load=LOAD,
        turn_on_minutes=0,
        turn_off_minutes=0,
        minimum_on=30,
        minimum_off=20,
    )
    show(hass, GRID, -5000)
    await minutes(19)
    assert load(hass) == STATE_OFF
    await minutes(2)
    assert load(hass) == STATE_ON
    show(hass, GRID, 3000)
    await minutes(28)
    assert load(hass) == STATE_ON
    await minutes(3)
    assert load(hass) == STATE_OFF


@pytest.mark.parametrize("missing", [STATE_UNAVAILABLE, STATE_UNKNOWN])
async def test_without_readings_the_load_is_not_turned_on_and_a_short_outage_does_not_turn_it_off(
    hass: HomeAssistant, automate: Automate, minutes: Minutes, missing: str
) -> None:
    await automate("surplus_solar", grid_power=GRID, load=LOAD, minimum_on=0, minimum_off=0)
    await minutes(20)
    show(hass, GRID, missing)
    await minutes(20)
    assert load(hass) == STATE_OFF
    show(hass, GRID, -2500)
    await minutes(7)
    assert load(hass) == STATE_ON
    show(hass, GRID, missing)
    await minutes(6)
    show(hass, GRID, -500)
    await minutes(20)
    assert load(hass) == STATE_ON
    show(hass, GRID, missing)
    await minutes(18)
    assert load(hass) == STATE_OFF


async def test_an_unavailable_load_is_not_switched(
    hass: HomeAssistant, automate: Automate, minutes: Minutes
) -> None:
    calls = async_mock_service(hass, "homeassistant", "turn_on")
    await automate("surplus_solar", grid_power=GRID, load="switch.boiler", minimum_off=0)
    show(hass, GRID, -2500)
    await minutes(10)
    show(hass, "switch.boiler", STATE_UNAVAILABLE)
    await minutes(10)
    assert calls == []


async def test_charging_counts_as_surplus_and_discharging_as_import(
    hass: HomeAssistant, automate: Automate, minutes: Minutes
) -> None:
    await automate(
        "surplus_solar", grid_power=GRID, load=LOAD, battery_power=[BATTERY], minimum_on=0, minimum_off=0
    )
    show(hass, GRID, 0)
    show(hass, BATTERY, -2500)
    await minutes(7)
    assert load(hass) == STATE_ON
    show(hass, BATTERY, 1500)
    await minutes(7)
    assert load(hass) == STATE_OFF
    show(hass, GRID, -5000)
    show(hass, BATTERY, STATE_UNAVAILABLE)
    await minutes(10)
    assert load(hass) == STATE_OFF


async def test_the_battery_can_have_priority(
    hass: HomeAssistant, automate: Automate, minutes: Minutes
) -> None:
    await automate(
        "surplus_solar",
        grid_power=GRID,
        load=LOAD,
        battery_power=[BATTERY],
        battery_level=[LEVEL],
        minimum_on=0,
        minimum_off=0,
    )
    show(hass, GRID, -3000)
    show(hass, BATTERY, 0)
    for level in (STATE_UNKNOWN, 79):
        show(hass, LEVEL, level)
        await minutes(8)
        assert load(hass) == STATE_OFF
    show(hass, LEVEL, 80)
    await minutes(8)
    assert load(hass) == STATE_ON
    show(hass, LEVEL, 75)
    show(hass, GRID, 0)
    await minutes(15)
    assert load(hass) == STATE_ON


async def test_a_sensor_in_kilowatts_is_converted(
    hass: HomeAssistant, automate: Automate, minutes: Minutes
) -> None:
    await automate("surplus_solar", grid_power=GRID, load=LOAD, minimum_on=0, minimum_off=0)
    show(hass, GRID, -2.5, unit_of_measurement="kW")
    await minutes(7)
    assert load(hass) == STATE_ON
    show(hass, GRID, 0.5, unit_of_measurement="kW")
    await minutes(7)
    assert load(hass) == STATE_OFF


async def test_surplus_from_before_a_restart_turns_the_load_on(
    hass: HomeAssistant, automate: Automate, minutes: Minutes
) -> None:
    show(hass, GRID, -2500)
    await automate("surplus_solar", grid_power=GRID, load=LOAD, minimum_on=0, minimum_off=0)
    await minutes(3)
    await hass.services.async_call("automation", "turn_off", {"entity_id": "automation.under_test"})
    await hass.services.async_call("automation", "turn_on", {"entity_id": "automation.under_test"})
    await settle()
    await minutes(4)
    assert load(hass) == STATE_OFF
    await minutes(3)
    assert load(hass) == STATE_ON


@pytest.mark.slow
async def test_the_surplus_of_a_simulated_house_switches_the_load(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up_without_polling: Callable[[], Awaitable[None]],
    automate: Automate,
    minutes: Minutes,
) -> None:
    await set_up_without_polling()
    grid = entity_of(hass, simulator, "grid_power")
    await automate(
        "surplus_solar", grid_power=grid, load=LOAD, turn_on_surplus=500, minimum_on=0, minimum_off=0
    )
    seen = []
    # Around noon, in the evening, and the next morning.
    for hours in (0, 0.5, 0.5, 0.5, 0.5, 6, 0.5, 0.5, 0.5, 12, 0.5, 0.5, 0.5):
        await read_again(simulator, entry, hours * 3600)
        before = load(hass)
        await minutes(7)
        drawn = simulator.house.truth(simulator.clock.time()).net_consumption.total.active_power
        expected = STATE_ON if drawn <= -500 else STATE_OFF if drawn >= 200 else before
        assert load(hass) == expected
        seen.append(expected)
    assert seen[0] == STATE_ON
    assert STATE_OFF in seen[5:9]
    assert STATE_ON in seen[9:]
