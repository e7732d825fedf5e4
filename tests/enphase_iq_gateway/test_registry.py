"""The replacement of a gateway: entities, history and energies continue."""

import asyncio
import dataclasses
import logging
from collections.abc import Generator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import aiohttp
import pytest
from homeassistant.components.recorder.core import Recorder
from homeassistant.components.recorder.statistics import statistics_during_period
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_HOST, CONF_TOKEN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.recorder import get_instance
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]
from pytest_homeassistant_custom_component.components.recorder.common import (  # type: ignore[import-untyped]
    async_wait_recording_done,
)

from custom_components.enphase_iq_gateway.const import CONF_CERTIFICATE, DOMAIN, EnergySource
from custom_components.enphase_iq_gateway.enphase_api.local import connection
from custom_components.enphase_iq_gateway.registry import async_replace_gateway
from enphase_companion.simulator import Simulator
from enphase_companion.simulator.profiles import find

from .conftest import NOON, SetUp, Tick, state_of

FIVE_MINUTES, A_BIT = 300, 20
ENERGIES = ["production_energy", "grid_energy_imported", "grid_energy_exported", "home_energy"]


@pytest.fixture
def successor(profile: str, socket_enabled: None) -> Generator[Simulator]:
    """Yield the replacement of a broken gateway, with one year less energy."""
    with Simulator(profile, seed=2, start=NOON - 365 * 86400, longitude=0, speed=0) as running:
        yield running


async def replace(hass: HomeAssistant, entry: MockConfigEntry, successor: Simulator) -> None:
    """Replace the gateway as the flow does after its confirmation."""
    await async_replace_gateway(hass, entry, successor.serial_number)
    hass.config_entries.async_update_entry(
        entry,
        data={
            **entry.data,
            CONF_HOST: successor.url,
            CONF_CERTIFICATE: successor.certificate_pem,
            CONF_TOKEN: successor.token(),
        },
    )
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.state is ConfigEntryState.LOADED


async def test_entities_and_devices_are_moved_to_the_new_gateway(
    hass: HomeAssistant,
    simulator: Simulator,
    successor: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    hass_storage: dict[str, Any],
) -> None:
    await set_up(entry, enable=True)
    registry, devices = er.async_get(hass), dr.async_get(hass)
    entity_id = er.async_get(hass).async_get_entity_id(
        "sensor", DOMAIN, f"{simulator.serial_number}_production_energy"
    )
    assert entity_id is not None
    registry.async_update_entity(entity_id, name="What the roof makes")
    before = {each.entity_id: each for each in er.async_entries_for_config_entry(registry, entry.entry_id)}
    devices_before = {each.id for each in dr.async_entries_for_config_entry(devices, entry.entry_id)}
    await replace(hass, entry, successor)

    after = {each.entity_id: each for each in er.async_entries_for_config_entry(registry, entry.entry_id)}
    old, new = simulator.serial_number, successor.serial_number
    for each, kept in before.items():
        assert after[each].unique_id == kept.unique_id.replace(f"{old}_", f"{new}_")
        assert (after[each].name, after[each].device_id) == (kept.name, kept.device_id)
    assert not any(old in each.unique_id for each in after.values())
    assert devices_before <= {each.id for each in dr.async_entries_for_config_entry(devices, entry.entry_id)}
    device = devices.async_get_device_by_identifier((DOMAIN, new), entry.entry_id)
    assert device is not None
    assert (device.serial_number, device.name) == (new, f"IQ Gateway {new}")
    assert (entry.unique_id, entry.title) == (new, f"IQ Gateway {new}")
    assert set(hass_storage[f"{DOMAIN}.counters"]["data"]) == {new}


async def test_a_renamed_entry_keeps_its_title(
    hass: HomeAssistant, successor: Simulator, entry: MockConfigEntry, set_up: SetUp
) -> None:
    await set_up(entry)
    hass.config_entries.async_update_entry(entry, title="Roof")
    await replace(hass, entry, successor)
    assert entry.title == "Roof"


@pytest.mark.slow
async def test_an_old_gateway_is_replaced_while_its_setup_is_in_progress(
    hass: HomeAssistant,
    simulator: Simulator,
    successor: Simulator,
    entry: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The replacement waits until the setup has failed.
    monkeypatch.setattr(connection, "TIMEOUT", aiohttp.ClientTimeout(total=1))
    entry.add_to_hass(hass)
    simulator.faults.set("silent")
    reaching = hass.async_create_task(hass.config_entries.async_setup(entry.entry_id))
    while not simulator.requests:
        await asyncio.sleep(0.01)
    assert entry.state is ConfigEntryState.SETUP_IN_PROGRESS
    replacing = hass.async_create_task(replace(hass, entry, successor))
    await asyncio.sleep(0)
    simulator.faults.clear()
    await asyncio.gather(reaching, replacing)
    assert entry.unique_id == successor.serial_number


@pytest.mark.parametrize("profile", ["no-meters-8.3"])
async def test_the_energy_source_of_the_new_gateway_is_determined_even_with_the_same_firmware(
    hass: HomeAssistant, successor: Simulator, entry: MockConfigEntry, set_up: SetUp, profile: str
) -> None:
    await set_up(entry)
    before = entry.runtime_data.data.production_source
    successor.house.profile = dataclasses.replace(find(profile), quirks=frozenset())
    await replace(hass, entry, successor)
    after = entry.runtime_data.data.production_source
    assert (before, after) == (EnergySource.INVERTERS, EnergySource.TOTALS)


@pytest.mark.slow
async def test_energies_continue_from_their_last_values_also_after_restarts(
    hass: HomeAssistant,
    simulator: Simulator,
    successor: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    tick: Tick,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await set_up(entry)
    before = [float(state_of(hass, simulator, key)) for key in ENERGIES]
    await replace(hass, entry, successor)
    caplog.clear()
    assert [float(state_of(hass, successor, key)) for key in ENERGIES] == pytest.approx(before)
    begin = successor.clock.time()
    for _ in range(2):
        for _ in range(30):
            successor.clock.advance(60)
            await tick(60)
        await hass.config_entries.async_reload(entry.entry_id)
        await hass.async_block_till_done(wait_background_tasks=True)
    then, now = successor.house.truth(begin), successor.house.truth(successor.clock.time())
    grown = now.production.total.energy_delivered - then.production.total.energy_delivered
    assert float(state_of(hass, successor, "production_energy")) - before[0] == pytest.approx(
        grown / 1000, abs=0.001
    )
    assert "continuing from" not in caplog.text
    counter = entry.runtime_data.counters.active[f"{successor.serial_number}_production_energy"]
    assert counter.offset > 0


@pytest.fixture
def enable_statistics() -> bool:
    """Compile statistics every five minutes and every hour."""
    return True


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["three-phase", "battery", "no-meters"])
async def test_statistics_continue_without_a_step(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    simulator: Simulator,
    successor: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    tick: Tick,
) -> None:
    logging.getLogger("sqlalchemy.engine").setLevel(logging.WARNING)
    # One o'clock of the house is a full hour of Home Assistant, whenever the test starts.
    until_next_hour = 3600 - dt_util.utcnow().timestamp() % 3600
    simulator.clock.advance(3600 - until_next_hour)
    await tick(until_next_hour + A_BIT)
    await set_up(entry)
    energies = {
        each.entity_id: each.unique_id.removeprefix(f"{simulator.serial_number}_")
        for each in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
        if each.unique_id.partition("_")[2].startswith(
            ("production_energy", "grid_energy", "home_energy", "battery_energy")
        )
        and each.disabled_by is None
    }
    assert "production_energy" in energies.values()
    await tick(FIVE_MINUTES, times=12)
    await replace(hass, entry, successor)
    for _ in range(24):
        successor.clock.advance(FIVE_MINUTES)
        await tick(FIVE_MINUTES)
    await async_wait_recording_done(hass)
    hours = await get_instance(hass).async_add_executor_job(
        statistics_during_period,
        hass,
        dt_util.utcnow() - timedelta(days=1),
        None,
        set(energies),
        "hour",
        None,
        {"state", "sum"},
    )
    for entity_id, key in energies.items():
        rows = hours[entity_id]
        assert len(rows) == 3, key
        sums = [row["sum"] or 0.0 for row in rows]
        # kWh per hour: more than any simulated house produces or consumes.
        assert all(0 <= later - earlier < 20 for earlier, later in pairwise(sums)), key
        assert sums[-1] - sums[0] > 1 or key != "production_energy"
