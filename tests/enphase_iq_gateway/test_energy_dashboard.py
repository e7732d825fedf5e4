"""Setting up the Energy dashboard with one click, and undoing it."""

from typing import Any

import pytest
from homeassistant.components.energy import data as energy
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway import energy_dashboard
from custom_components.enphase_iq_gateway.const import (
    CONF_ENERGY_DASHBOARD,
    CONF_ENERGY_SOURCES,
    DOMAIN,
)
from custom_components.enphase_iq_gateway.repairs import EnergyRepairFlow, async_create_fix_flow
from enphase_companion.simulator import Simulator

from .conftest import SetUp
from .helpers import diagnostics

HAS_HOME = hasattr(energy, "HomeSourceType")

pytestmark = [
    pytest.mark.parametrize("profile", ["battery"]),
    # Home Assistant's own web server is set up with it.
    pytest.mark.filterwarnings("ignore:It is recommended to use web.AppKey"),
]


@pytest.fixture
async def with_energy(recorder_mock: Any, hass: HomeAssistant) -> None:
    """Set up the Energy dashboard."""
    assert await async_setup_component(hass, "energy", {})


async def sources(hass: HomeAssistant) -> list[dict[str, Any]]:
    """Return the sources in the Energy dashboard, after Home Assistant's own validation."""
    manager = await energy.async_get_manager(hass)
    found = list(manager.data["energy_sources"]) if manager.data else []
    assert energy.ENERGY_SOURCE_SCHEMA(found) == found
    return found  # type: ignore[return-value]


async def set_option(hass: HomeAssistant, entry: MockConfigEntry, *, is_on: bool) -> None:
    """Switch the option."""
    hass.config_entries.async_update_entry(entry, options={**entry.options, CONF_ENERGY_DASHBOARD: is_on})
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()


def issue_id(entry: MockConfigEntry) -> str:
    return f"energy_dashboard_incomplete_{entry.entry_id}"


def has_offer(hass: HomeAssistant, entry: MockConfigEntry) -> bool:
    return ir.async_get(hass).async_get_issue(DOMAIN, issue_id(entry)) is not None


@pytest.mark.usefixtures("with_energy")
async def test_one_click_adds_all_sources_and_the_option_removes_them(
    hass: HomeAssistant, set_up: SetUp, entry: MockConfigEntry, simulator: Simulator
) -> None:
    await set_up(entry)
    assert has_offer(hass, entry)
    assert await sources(hass) == []
    flow = await async_create_fix_flow(hass, issue_id(entry), {"entry_id": entry.entry_id})
    assert isinstance(flow, EnergyRepairFlow)
    flow.hass = hass
    assert (await flow.async_step_init())["type"] == "form"
    assert (await flow.async_step_confirm({}))["type"] == "create_entry"
    await hass.async_block_till_done()

    added = {each["type"]: each for each in await sources(hass)}
    assert set(added) == {"solar", "grid", "battery"} | ({"home"} if HAS_HOME else set())
    registry = er.async_get(hass)

    def key(entity_id: str) -> str:
        entity = registry.async_get(entity_id)
        assert entity
        return entity.unique_id.removeprefix(f"{simulator.serial_number}_")

    assert key(added["solar"]["stat_energy_from"]) == "production_energy"
    assert key(added["solar"]["stat_rate"]) == "production_power"
    assert key(added["grid"]["stat_energy_from"]) == "grid_energy_imported"
    assert key(added["grid"]["stat_energy_to"]) == "grid_energy_exported"
    assert key(added["grid"]["stat_rate"]) == "grid_power"
    assert key(added["grid"]["entity_energy_price"]) == "import_price"
    assert key(added["battery"]["stat_energy_from"]) == "battery_energy_discharged"
    assert key(added["battery"]["stat_energy_to"]) == "battery_energy_charged"
    assert key(added["battery"]["stat_soc"]) == "battery_charge"
    assert not has_offer(hass, entry)
    # The first ids of entities have the serial number of their gateway.
    assert simulator.serial_number in added["grid"]["stat_energy_from"]
    assert simulator.serial_number not in str(await diagnostics(hass, entry))

    await set_option(hass, entry, is_on=False)
    assert await sources(hass) == []
    assert CONF_ENERGY_SOURCES not in entry.data


@pytest.mark.usefixtures("with_energy")
async def test_what_is_there_stays_as_it_is_and_survives_the_undoing(
    hass: HomeAssistant, set_up: SetUp, entry: MockConfigEntry
) -> None:
    other = {
        "type": "solar",
        "stat_energy_from": "sensor.roof_of_another_integration",
        "config_entry_solar_forecast": None,
    }
    manager = await energy.async_get_manager(hass)
    await manager.async_update({"energy_sources": [other]})  # type: ignore[typeddict-item]
    await set_up(entry)
    await set_option(hass, entry, is_on=True)
    found = await sources(hass)
    # Both may measure the same panels, so no second solar source is added.
    assert [each["type"] for each in found][:3] == ["solar", "grid", "battery"]
    assert found[0] == other
    await set_option(hass, entry, is_on=False)
    assert await sources(hass) == [other]


@pytest.mark.usefixtures("with_energy")
async def test_what_the_user_renames_is_removed_and_what_the_user_deletes_stays_deleted(
    hass: HomeAssistant, set_up: SetUp, entry: MockConfigEntry
) -> None:
    await set_up(entry)
    await set_option(hass, entry, is_on=True)
    manager = await energy.async_get_manager(hass)
    solar, *_ = await sources(hass)
    await manager.async_update({"energy_sources": [{**solar, "name": "Roof"}]})  # type: ignore[typeddict-item]
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert [each.get("name") for each in await sources(hass)] == ["Roof"]
    await set_option(hass, entry, is_on=False)
    assert await sources(hass) == []


@pytest.mark.usefixtures("with_energy")
async def test_the_offer_ends_when_the_user_adds_the_sensors_by_hand(
    hass: HomeAssistant, set_up: SetUp, entry: MockConfigEntry
) -> None:
    await set_up(entry)
    await set_option(hass, entry, is_on=True)
    by_hand = await sources(hass)
    await set_option(hass, entry, is_on=False)
    assert has_offer(hass, entry)
    manager = await energy.async_get_manager(hass)
    await manager.async_update({"energy_sources": by_hand})  # type: ignore[typeddict-item]
    assert not has_offer(hass, entry)


@pytest.mark.usefixtures("with_energy")
async def test_the_sources_of_a_removed_gateway_stay_and_show_the_past(
    hass: HomeAssistant, set_up: SetUp, entry: MockConfigEntry
) -> None:
    await set_up(entry)
    await set_option(hass, entry, is_on=True)
    added = await sources(hass)
    await hass.config_entries.async_remove(entry.entry_id)
    assert await sources(hass) == added


async def test_without_the_energy_dashboard_there_is_no_offer(
    hass: HomeAssistant, set_up: SetUp, entry: MockConfigEntry
) -> None:
    await set_up(entry)
    assert not has_offer(hass, entry)


@pytest.mark.usefixtures("with_energy")
async def test_preferences_in_another_form_stop_neither_the_gateway_nor_what_the_user_saves(
    hass: HomeAssistant,
    set_up: SetUp,
    entry: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def in_another_form(_: energy.EnergyManager) -> list[dict[str, Any]]:
        raise KeyError("energy_sources")

    monkeypatch.setattr(energy_dashboard, "_sources", in_another_form)
    await set_up(entry)
    assert entry.state is ConfigEntryState.LOADED
    assert caplog.text.count("The Energy dashboard cannot be changed") == 1
    manager = await energy.async_get_manager(hass)
    await manager.async_update({"energy_sources": []})  # type: ignore[typeddict-item]
    assert caplog.text.count("The Energy dashboard cannot be changed") == 2
