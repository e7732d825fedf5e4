"""The blueprint that turns production off while exporting costs money."""

from collections.abc import Awaitable, Callable
from functools import partial

import pytest
from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNAVAILABLE, Platform
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import (  # type: ignore[import-untyped]
    MockConfigEntry,
)

from enphase_companion.simulator import Simulator

from .helpers import GRID, LOAD, Automate, Minutes, control_of, entity_of, load, read_again, show, wait_until

PRICE = "sensor.export_price"

type ProductionAfter = Callable[..., Awaitable[str]]


@pytest.fixture
def automate(automate: Automate) -> Automate:
    """Create an automation from this blueprint."""
    return partial(
        automate, "no_export_at_negative_price", export_price=PRICE, grid_power=GRID, production=LOAD
    )


@pytest.fixture
async def production_after(hass: HomeAssistant, automate: Automate, minutes: Minutes) -> ProductionAfter:
    """Set price and grid power (W), advance the time, and return whether production is on."""
    await automate()
    await hass.services.async_call("input_boolean", "turn_on", {"entity_id": LOAD}, blocking=True)

    async def run(price: float | str, grid: float | str, duration: int, unit: str = "W") -> str:
        show(hass, PRICE, price)
        show(hass, GRID, grid, unit_of_measurement=unit)
        await minutes(duration)
        return load(hass)

    return run


async def test_production_is_off_while_exporting_costs_money(production_after: ProductionAfter) -> None:
    assert await production_after(0.05, -3000, 20) == STATE_ON
    assert await production_after(-0.02, -3000, 5) == STATE_ON
    assert await production_after(-0.02, -3000, 2) == STATE_OFF
    # Nothing is exported without production: it stays off.
    assert await production_after(-0.02, 400, 60) == STATE_OFF
    assert await production_after(0.01, 400, 2) == STATE_ON


async def test_little_export_and_short_export_are_tolerated(production_after: ProductionAfter) -> None:
    assert await production_after(-0.02, -400, 30) == STATE_ON
    for _ in range(4):
        assert await production_after(-0.02, -3, 4, unit="kW") == STATE_ON
        assert await production_after(-0.02, 0, 2) == STATE_ON


@pytest.mark.parametrize("missing", ["unknown", STATE_UNAVAILABLE])
async def test_without_a_price_production_is_on(production_after: ProductionAfter, missing: str) -> None:
    assert await production_after(missing, -3000, 20) == STATE_ON
    assert await production_after(-0.02, -3000, 7) == STATE_OFF
    assert await production_after(missing, 400, 2) == STATE_ON


async def test_without_readings_of_the_grid_production_is_not_turned_off(
    production_after: ProductionAfter,
) -> None:
    assert await production_after(-0.02, STATE_UNAVAILABLE, 20) == STATE_ON


async def test_the_array_of_a_simulated_gateway_is_turned_off_and_on(
    hass: HomeAssistant,
    simulator: Simulator,
    automate: Automate,
    obedient: MockConfigEntry,
    minutes: Minutes,
) -> None:
    production = control_of(hass, simulator, Platform.SWITCH, "production")
    show(hass, PRICE, -0.05)
    show(hass, GRID, -3000)
    await automate(production=production, minutes=0)
    for price, expected in ((-0.05, STATE_OFF), (0.05, STATE_ON)):
        show(hass, PRICE, price)
        await minutes()
        await wait_until(hass, production, expected)
        assert simulator.house.orders(simulator.clock.time()).production is (expected == STATE_ON)


@pytest.mark.parametrize("profile", ["generator"])
async def test_the_price_of_the_gateway_itself_decides(
    hass: HomeAssistant,
    simulator: Simulator,
    automate: Automate,
    before_four: None,
    obedient: MockConfigEntry,
    minutes: Minutes,
) -> None:
    production = control_of(hass, simulator, Platform.SWITCH, "production")
    show(hass, GRID, -3000)
    await automate(
        export_price=entity_of(hass, simulator, "export_price"),
        production=production,
        # The tariff has no negative price: 0.05 until four, then 0.20.
        highest_price=0.1,
        minutes=0,
    )
    for expected in (STATE_OFF, STATE_ON):
        # In the minute in which the price changes, the automation may be earlier than the sensor.
        for _ in range(2):
            await minutes()
            await read_again(simulator, obedient, 0)
        await wait_until(hass, production, expected)
