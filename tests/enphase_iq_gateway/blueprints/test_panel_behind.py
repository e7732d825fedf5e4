"""The blueprint that warns when a panel falls behind its neighbours."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import (  # type: ignore[import-untyped]
    MockConfigEntry,
)

from enphase_companion.simulator import Simulator

from ..helpers import change_response
from .helpers import PANELS, WARN, Automate, Minutes, read_again, show

type Weather = Callable[..., Awaitable[None]]


def sun(hass: HomeAssistant, elevation: float) -> None:
    """Set the elevation of the sun (degrees)."""
    show(hass, "sun.sun", "above_horizon" if elevation > 0 else "below_horizon", elevation=elevation)


@pytest.fixture
async def weather(hass: HomeAssistant, automate: Automate, minutes: Minutes) -> Weather:
    """Compare five panels; each call sets the elevation of the sun and their powers (W) for some minutes."""
    await automate("panel_behind", panels=PANELS, **WARN)

    async def run(elevation: float, *powers: float | str, duration: int) -> None:
        sun(hass, elevation)
        for panel, power in zip(PANELS, powers, strict=True):
            show(hass, panel, power, unit_of_measurement="W")
        await minutes(duration)

    return run


async def test_a_panel_that_fell_behind_is_reported_in_the_evening(
    weather: Weather, warned: list[str]
) -> None:
    # The median of the others is 200.
    await weather(45, 200, 205, 120, 195, 200, duration=180)
    assert warned == []
    await weather(15, 200, 205, 120, 195, 200, duration=10)
    assert warned == [f"Behind their neighbours today: {PANELS[2]} (60 %)."]
    await weather(15, 200, 205, 120, 195, 200, duration=60)
    assert len(warned) == 1


async def test_usual_differences_between_panels_are_not_reported(weather: Weather, warned: list[str]) -> None:
    await weather(45, 200, 220, 180, 170, 230, duration=180)
    await weather(0, 0, 0, 0, 0, 0, duration=10)
    assert warned == []


async def test_night_low_sun_and_dark_hours_are_ignored(weather: Weather, warned: list[str]) -> None:
    # A chimney's shadow in the morning.
    await weather(10, 100, 100, 5, 100, 100, duration=180)
    # A day that is too dark.
    await weather(30, 20, 20, 2, 20, 20, duration=180)
    # Two hours of sun in which all produce the same.
    await weather(30, 200, 200, 190, 200, 200, duration=130)
    await weather(-5, 0, 0, 0, 0, 0, duration=180)
    assert warned == []


async def test_a_short_shadow_is_averaged_over_the_day(weather: Weather, warned: list[str]) -> None:
    await weather(45, 200, 200, 20, 200, 200, duration=30)
    await weather(45, 200, 200, 200, 200, 200, duration=150)
    await weather(0, 0, 0, 0, 0, 0, duration=10)
    assert warned == []


async def test_after_a_restart_the_rest_of_the_day_counts_only_if_it_is_long_enough(
    weather: Weather, warned: list[str]
) -> None:
    for hours, count in ((1, 0), (3, 1)):
        await weather(45, 200, 200, 20, 200, 200, duration=hours * 60)
        await weather(0, 200, 200, 20, 200, 200, duration=10)
        assert len(warned) == count


async def test_an_unavailable_panel_is_not_reported(weather: Weather, warned: list[str]) -> None:
    await weather(45, 200, 200, STATE_UNAVAILABLE, 200, 100, duration=90)
    await weather(45, *[STATE_UNAVAILABLE] * 5, duration=30)
    await weather(45, 200, 200, 190, 200, 100, duration=90)
    await weather(0, 200, 200, 190, 200, 100, duration=10)
    assert warned == [f"Behind their neighbours today: {PANELS[4]} (50 %)."]


@pytest.mark.parametrize("fault", ["half", "silent"])
@pytest.mark.slow
async def test_the_microinverters_of_a_simulated_gateway_are_compared(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up_without_polling: Callable[[], Awaitable[None]],
    automate: Automate,
    minutes: Minutes,
    monkeypatch: pytest.MonkeyPatch,
    warned: list[str],
    fault: str,
) -> None:
    first: dict[str, Any] = {}

    def changed(listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
        first.update(first or listed[0])
        if fault == "silent":
            # Real gateways list the last report permanently.
            return [dict(first), *listed[1:]]
        return [listed[0] | {"lastReportWatts": listed[0]["lastReportWatts"] // 2}, *listed[1:]]

    change_response(monkeypatch, simulator, "/api/v1/production/inverters", changed)
    # As with older firmware: the list is the only source.
    change_response(monkeypatch, simulator, "/ivp/pdm/device_data", lambda _: None)
    await set_up_without_polling()
    registry = er.async_get(hass)
    panels = [
        entity.entity_id
        for entity in er.async_entries_for_config_entry(registry, entry.entry_id)
        if entity.domain == "sensor"
        and entity.unique_id.endswith("_power")
        and entity.translation_key is None
    ]
    assert len(panels) == 12
    await automate("panel_behind", panels=panels, **WARN)
    sun(hass, 45)
    for _ in range(30):
        await minutes(6)
        await read_again(simulator, entry, 360)
    sun(hass, 0)
    await minutes(10)
    assert len(warned) == 1
    assert f"Inverter {first['serialNumber']} (" in warned[0]
    assert warned[0].count("%") == 1
