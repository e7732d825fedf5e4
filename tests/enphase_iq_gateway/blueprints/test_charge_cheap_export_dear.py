"""The blueprint that charges the battery when energy is cheap, and spares the grid when it is dear."""

from collections.abc import Awaitable, Callable
from functools import partial
from itertools import groupby
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

from .helpers import Automate, Minutes, control_of, entity_of, read_again, show, wait_until

IMPORT, EXPORT = "sensor.import_price", "sensor.export_price"
MODE, RESERVE, CHARGE = "select.battery_mode", "number.battery_reserve", "switch.charge_from_grid"

type Prices = Callable[..., Awaitable[list[dict[str, Any]]]]


@pytest.fixture
def automate(automate: Automate) -> Automate:
    """Create an automation from this blueprint."""
    return partial(
        automate,
        "charge_cheap_export_dear",
        import_price=IMPORT,
        export_price=EXPORT,
        battery_mode=MODE,
        battery_reserve=RESERVE,
        charge_from_grid=CHARGE,
    )


@pytest.fixture
async def prices(hass: HomeAssistant, automate: Automate, minutes: Minutes) -> Prices:
    """Set the prices, and return the commands that were sent since the last time."""
    calls: list[ServiceCall] = async_mock_service(hass, DOMAIN, "set_battery_mode")
    show(hass, MODE, "self-consumption", pending=None)
    show(hass, RESERVE, 30)
    show(hass, CHARGE, STATE_OFF)

    async def run(bought: float | str, sold: float | str, duration: int = 1) -> list[dict[str, Any]]:
        calls.clear()
        show(hass, IMPORT, bought)
        show(hass, EXPORT, sold)
        await minutes(duration)
        sent = [
            {name: value for name, value in call.data.items() if name != "config_entry_id"} for call in calls
        ]
        # Each price triggers; the second finds what the first has set, unless nothing carries it out.
        return [command for command, _ in groupby(sent)]

    await run(0.25, 0.08)
    await automate()
    return run


async def test_a_command_is_sent_only_when_something_has_to_change(
    hass: HomeAssistant, prices: Prices
) -> None:
    assert await prices(0.26, 0.08) == []
    assert await prices(0.05, 0.08) == [{"mode": "backup", "charge_from_grid": True}]
    show(hass, MODE, "backup", pending=None)
    show(hass, RESERVE, 100)
    show(hass, CHARGE, STATE_ON)
    assert await prices(0.06, 0.08, 20) == []
    usual = {"mode": "self-consumption", "reserve": 30, "charge_from_grid": False}
    assert await prices(0.25, 0.08) == [usual]


async def test_the_battery_supplies_the_house_while_energy_is_dear(prices: Prices) -> None:
    assert await prices(0.5, 0.35) == [{"mode": "self-consumption", "reserve": 10, "charge_from_grid": False}]


async def test_a_command_that_failed_is_sent_again_after_a_quarter_of_an_hour(prices: Prices) -> None:
    assert len(await prices(0.05, 0.08)) == 1
    assert len(await prices(0.05, 0.08, 15)) == 1


@pytest.mark.parametrize("missing", ["unknown", STATE_UNAVAILABLE])
async def test_without_prices_or_a_known_battery_nothing_is_sent(
    hass: HomeAssistant, prices: Prices, missing: str
) -> None:
    assert await prices(missing, 0.08, 20) == []
    show(hass, MODE, missing)
    assert await prices(0.05, 0.08, 20) == []


async def test_while_a_command_is_on_its_way_no_other_is_sent(hass: HomeAssistant, prices: Prices) -> None:
    show(hass, MODE, "self-consumption", pending="backup")
    assert await prices(0.05, 0.08, 20) == []


@pytest.mark.parametrize("profile", ["battery"])
async def test_the_battery_of_a_simulated_gateway_is_charged_and_returns(
    hass: HomeAssistant,
    simulator: Simulator,
    automate: Automate,
    obedient: MockConfigEntry,
    minutes: Minutes,
) -> None:
    mode = control_of(hass, simulator, Platform.SELECT, "battery_mode")
    show(hass, IMPORT, 0.05)
    show(hass, EXPORT, 0.08)
    await automate(
        battery_mode=mode,
        battery_reserve=control_of(hass, simulator, Platform.NUMBER, "battery_reserve"),
        charge_from_grid=control_of(hass, simulator, Platform.SWITCH, "charge_from_grid"),
    )
    for bought, expected in ((0.06, "backup"), (0.25, "self-consumption")):
        show(hass, IMPORT, bought)
        await minutes()
        await wait_until(hass, mode, expected)
    now = simulator.clock.time()
    assert simulator.house.orders(now).mode == "self-consumption"
    assert simulator.house.orders(now).reserve == 30
    assert not simulator.house.orders(now).charge_from_grid


@pytest.mark.parametrize("profile", ["generator"])
async def test_the_price_of_the_gateway_itself_decides(
    hass: HomeAssistant,
    simulator: Simulator,
    automate: Automate,
    before_four: None,
    obedient: MockConfigEntry,
    minutes: Minutes,
) -> None:
    reserve = control_of(hass, simulator, Platform.NUMBER, "battery_reserve")
    await automate(
        import_price=entity_of(hass, simulator, "import_price"),
        export_price=entity_of(hass, simulator, "export_price"),
        battery_mode=control_of(hass, simulator, Platform.SELECT, "battery_mode"),
        battery_reserve=reserve,
        charge_from_grid=control_of(hass, simulator, Platform.SWITCH, "charge_from_grid"),
        # The price of exported energy rises from 0.05 to 0.20 at four.
        dear_price=0.15,
        dear_reserve=12,
    )
    # The price of exported energy is that of the afternoon at first.
    for _ in range(3):
        assert simulator.house.orders(simulator.clock.time()).reserve == 20
        await minutes()
        await read_again(simulator, obedient, 0)
    await minutes()
    await wait_until(hass, reserve, "12")
    assert simulator.house.orders(simulator.clock.time()).mode == "self-consumption"
