"""The blueprint that switches a load by surplus solar power."""

from collections.abc import Awaitable, Callable
from functools import partial

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

type LoadAfter = Callable[..., Awaitable[str]]

#: Inputs without minimum times.
AT_ONCE = {"minimum_on": 0, "minimum_off": 0}


@pytest.fixture
def automate(automate: Automate) -> Automate:
    """Create an automation from this blueprint."""
    return partial(automate, "surplus_solar", load=LOAD)


@pytest.fixture
def load_after(hass: HomeAssistant, minutes: Minutes) -> LoadAfter:
    """Set the given states, advance the time, and return the state of the load."""

    async def run(
        duration: int,
        grid: float | str | None = None,
        battery: float | str | None = None,
        level: float | str | None = None,
        unit: str = "W",
    ) -> str:
        for entity_id, value in ((GRID, grid), (BATTERY, battery), (LEVEL, level)):
            if value is not None:
                show(hass, entity_id, value, unit_of_measurement="%" if entity_id == LEVEL else unit)
        await minutes(duration)
        return load(hass)

    return run


async def test_the_load_is_turned_on_when_the_surplus_persists(
    automate: Automate, load_after: LoadAfter
) -> None:
    await automate(grid_power=GRID, minimum_off=0)
    assert await load_after(5, grid=-2500) == STATE_OFF
    assert await load_after(2) == STATE_ON


async def test_a_cloud_restarts_the_waiting_time(automate: Automate, load_after: LoadAfter) -> None:
    await automate(grid_power=GRID, minimum_off=0)
    for _ in range(4):
        assert await load_after(4, grid=-2500) == STATE_OFF
        assert await load_after(2, grid=-1000) == STATE_OFF


async def test_the_load_is_not_switched_between_the_thresholds(
    automate: Automate, load_after: LoadAfter
) -> None:
    await automate(grid_power=GRID, **AT_ONCE)
    for watts in (-1900, 0, 190):
        assert await load_after(15, grid=watts) == STATE_OFF
    assert await load_after(7, grid=-2000) == STATE_ON
    for watts in (-1900, 0, 190):
        assert await load_after(15, grid=watts) == STATE_ON
    assert await load_after(5, grid=200) == STATE_ON
    assert await load_after(2) == STATE_OFF


async def test_the_load_stays_on_and_off_for_the_minimum_times(
    automate: Automate, load_after: LoadAfter
) -> None:
    await automate(grid_power=GRID, turn_on_minutes=0, turn_off_minutes=0, minimum_on=30, minimum_off=20)
    assert await load_after(19, grid=-5000) == STATE_OFF
    assert await load_after(2) == STATE_ON
    assert await load_after(28, grid=3000) == STATE_ON
    assert await load_after(3) == STATE_OFF


@pytest.mark.parametrize("missing", [STATE_UNAVAILABLE, STATE_UNKNOWN])
async def test_without_readings_the_load_is_not_turned_on_and_a_short_outage_does_not_turn_it_off(
    automate: Automate, load_after: LoadAfter, missing: str
) -> None:
    await automate(grid_power=GRID, **AT_ONCE)
    assert await load_after(20) == STATE_OFF
    assert await load_after(20, grid=missing) == STATE_OFF
    assert await load_after(7, grid=-2500) == STATE_ON
    assert await load_after(6, grid=missing) == STATE_ON
    assert await load_after(20, grid=-500) == STATE_ON
    assert await load_after(18, grid=missing) == STATE_OFF


async def test_an_unavailable_load_is_not_switched(
    hass: HomeAssistant, automate: Automate, minutes: Minutes
) -> None:
    calls = async_mock_service(hass, "homeassistant", "turn_on")
    await automate(grid_power=GRID, load="switch.boiler", minimum_off=0)
    show(hass, GRID, -2500)
    await minutes(10)
    show(hass, "switch.boiler", STATE_UNAVAILABLE)
    await minutes(10)
    assert calls == []


async def test_charging_counts_as_surplus_and_discharging_as_import(
    automate: Automate, load_after: LoadAfter
) -> None:
    await automate(grid_power=GRID, battery_power=[BATTERY], **AT_ONCE)
    assert await load_after(7, grid=0, battery=-2500) == STATE_ON
    assert await load_after(7, battery=1500) == STATE_OFF
    assert await load_after(10, grid=-5000, battery=STATE_UNAVAILABLE) == STATE_OFF


async def test_the_battery_can_have_priority(automate: Automate, load_after: LoadAfter) -> None:
    await automate(grid_power=GRID, battery_power=[BATTERY], battery_level=[LEVEL], **AT_ONCE)
    assert await load_after(8, grid=-3000, battery=0, level=STATE_UNKNOWN) == STATE_OFF
    assert await load_after(8, level=79) == STATE_OFF
    assert await load_after(8, level=80) == STATE_ON
    assert await load_after(15, grid=0, level=75) == STATE_ON


async def test_a_sensor_in_kilowatts_is_converted(automate: Automate, load_after: LoadAfter) -> None:
    await automate(grid_power=GRID, **AT_ONCE)
    assert await load_after(7, grid=-2.5, unit="kW") == STATE_ON
    assert await load_after(7, grid=0.5, unit="kW") == STATE_OFF


async def test_surplus_from_before_a_restart_turns_the_load_on(
    hass: HomeAssistant, automate: Automate, minutes: Minutes, load_after: LoadAfter
) -> None:
    show(hass, GRID, -2500)
    await automate(grid_power=GRID, **AT_ONCE)
    await minutes(3)
    await hass.services.async_call("automation", "turn_off", {"entity_id": "automation.under_test"})
    await hass.services.async_call("automation", "turn_on", {"entity_id": "automation.under_test"})
    await settle()
    assert await load_after(4) == STATE_OFF
    assert await load_after(3) == STATE_ON


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
    await automate(grid_power=grid, turn_on_surplus=500, **AT_ONCE)
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
