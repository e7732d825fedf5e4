"""The prices of the tariff, which change with the time of the day."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.energy.data import GridSourceType, async_get_manager
from homeassistant.components.energy.validate import async_validate
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component

from custom_components.enphase_iq_gateway.const import DOMAIN
from enphase_companion.simulator import Simulator

from .conftest import SetUp, Tick, make_entry

ZONE = ZoneInfo("America/Los_Angeles")


@pytest.fixture
def profile() -> str:
    """Return a house with prices by season, day and time of the day."""
    return "generator"


def find_id(hass: HomeAssistant, simulator: Simulator, key: str) -> str | None:
    """Return the entity id of a sensor of the gateway."""
    return er.async_get(hass).async_get_entity_id("sensor", DOMAIN, f"{simulator.serial_number}_{key}")


def price(hass: HomeAssistant, simulator: Simulator, key: str) -> State:
    """Return the state of a price."""
    entity_id = find_id(hass, simulator, key)
    assert entity_id is not None
    state = hass.states.get(entity_id)
    assert state is not None
    return state


async def start_at(
    hass: HomeAssistant, simulator: Simulator, freezer: FrozenDateTimeFactory, set_up: SetUp, local: str
) -> None:
    """Set up a gateway at a local time."""
    await hass.config.async_set_time_zone(ZONE.key)
    at = datetime.fromisoformat(local).replace(tzinfo=ZONE)
    freezer.move_to(at)
    simulator.clock.advance(at.timestamp() - simulator.clock.time())
    await set_up(make_entry(simulator))


async def test_a_price_changes_at_its_minute_without_a_request(
    hass: HomeAssistant, simulator: Simulator, freezer: FrozenDateTimeFactory, set_up: SetUp, tick: Tick
) -> None:
    # A Wednesday in summer.
    await start_at(hass, simulator, freezer, set_up, "2026-07-15 15:58:30")
    assert float(price(hass, simulator, "import_price").state) == 0.52
    assert float(price(hass, simulator, "export_price").state) == 0.05
    assert price(hass, simulator, "import_price").attributes["unit_of_measurement"] == "USD/kWh"
    simulator.requests.clear()
    await tick(60)
    assert float(price(hass, simulator, "import_price").state) == 0.52
    await tick(30)
    assert float(price(hass, simulator, "import_price").state) == 0.63
    assert float(price(hass, simulator, "export_price").state) == 0.2
    assert "/admin/lib/tariff" not in {request.path for request in simulator.requests}


async def test_a_weekend_has_its_own_price(
    hass: HomeAssistant, simulator: Simulator, freezer: FrozenDateTimeFactory, set_up: SetUp
) -> None:
    await start_at(hass, simulator, freezer, set_up, "2026-07-18 17:00")
    assert float(price(hass, simulator, "import_price").state) == 0.32


# Home Assistant's own web server is set up with it.
@pytest.mark.filterwarnings("ignore:It is recommended to use web.AppKey")
@pytest.mark.usefixtures("recorder_mock")
async def test_the_energy_dashboard_accepts_the_prices(
    hass: HomeAssistant, simulator: Simulator, freezer: FrozenDateTimeFactory, set_up: SetUp
) -> None:
    await start_at(hass, simulator, freezer, set_up, "2026-07-15 12:00")
    assert await async_setup_component(hass, "energy", {})
    manager = await async_get_manager(hass)
    imported = price(hass, simulator, "import_price").entity_id
    exported = price(hass, simulator, "export_price").entity_id
    grid: GridSourceType = {
        "type": "grid",
        "stat_energy_from": find_id(hass, simulator, "grid_energy_imported"),
        "stat_energy_to": find_id(hass, simulator, "grid_energy_exported"),
        "stat_cost": None,
        "stat_compensation": None,
        "entity_energy_price": imported,
        "number_energy_price": None,
        "entity_energy_price_export": exported,
        "number_energy_price_export": None,
        "cost_adjustment_day": 0.0,
    }
    await manager.async_update({"energy_sources": [grid], "device_consumption": []})
    found = (await async_validate(hass)).as_dict()
    affected = {
        entity
        for each in found["energy_sources"]
        for issue in each
        for entity, _ in issue["affected_entities"]
    }
    assert not affected & {imported, exported}


@pytest.mark.parametrize("profile", ["no-meters"])
async def test_without_a_price_there_is_no_sensor(
    hass: HomeAssistant, simulator: Simulator, freezer: FrozenDateTimeFactory, set_up: SetUp
) -> None:
    simulator.faults.set("status", "/admin/lib/tariff", status=404)
    await start_at(hass, simulator, freezer, set_up, "2026-07-15 12:00")
    assert find_id(hass, simulator, "import_price") is None
