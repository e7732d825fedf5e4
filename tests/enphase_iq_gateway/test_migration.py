"""docs/migration.md: the statistics of the built-in enphase_envoy continue."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Literal, NamedTuple

import pytest
from homeassistant.components.recorder.core import Recorder
from homeassistant.components.recorder.statistics import StatisticsRow, get_metadata, statistics_during_period
from homeassistant.components.sensor import DOMAIN as SENSOR
from homeassistant.config_entries import RELOAD_AFTER_UPDATE_DELAY
from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.recorder import get_instance
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]
from pytest_homeassistant_custom_component.components.recorder.common import (  # type: ignore[import-untyped]
    async_wait_recording_done,
)

from enphase_companion.simulator import Simulator
from enphase_companion.simulator.profiles import NET, PRODUCTION, STORAGE

from .conftest import SetUp, Tick
from .migration_page import make_built_in_entry, sensors, table

pytestmark = pytest.mark.slow

#: Statistics are compiled ten seconds after every fifth minute.
FIVE_MINUTES, A_BIT = 300, 20
HOUR = 12

#: MWh; the resolution of the built-in integration.
WATT_HOUR = 1.1e-6


class Moved(NamedTuple):
    """An entity id to take over, the device and name of the sensor that takes it over, and the unit."""

    old: str
    serial_number: str
    name: str
    unit: str


def moves(hass: HomeAssistant, built_in: MockConfigEntry) -> Iterator[Moved]:
    """Yield the documented renames: of all sensors with statistics that the page calls the same."""
    page = table()
    for theirs in sensors(hass, built_in):
        row = theirs.row(page)
        if row.is_same and hass.states.get(theirs.entity_id):
            yield Moved(theirs.entity_id, theirs.serial_number, theirs.our_name(row), row.unit)


def entity_ids(hass: HomeAssistant, entry: MockConfigEntry) -> dict[tuple[str, str], str]:
    """Return the entity ids of an entry's sensors by serial number and name."""
    return {(each.serial_number, each.name): each.entity_id for each in sensors(hass, entry)}


@pytest.fixture
def profile() -> str:
    return "battery"


@pytest.fixture
def enable_statistics() -> bool:
    """Compile statistics every five minutes and every hour."""
    return True


@pytest.fixture
async def built_in(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    simulator: Simulator,
    tick: Tick,
) -> MockConfigEntry:
    """Return the built-in integration after two full hours."""
    entry = make_built_in_entry(simulator)
    # Logging all SQL statements takes longer than executing them.
    logging.getLogger("sqlalchemy.engine").setLevel(logging.WARNING)
    # A house that makes more than it uses now, and less before this test is over; its three in the afternoon
    # is a full hour of Home Assistant's, whatever minute this test began in.
    simulator.clock.advance(3 * 3600 - _until_next_hour())
    await tick(_until_next_hour() + A_BIT)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    await tick(FIVE_MINUTES, times=2 * HOUR)
    return entry


def _until_next_hour() -> float:
    now = dt_util.utcnow()
    return 3600 - now.timestamp() % 3600


async def statistics_of(
    hass: HomeAssistant, entity_ids: set[str]
) -> tuple[dict[str, list[StatisticsRow]], dict[str, str | None]]:
    """Return the hourly statistics of these entities in their stored units, and the units."""
    await async_wait_recording_done(hass)
    begin, executor = dt_util.utcnow() - timedelta(days=1), get_instance(hass).async_add_executor_job
    hours = await executor(
        statistics_during_period, hass, begin, None, entity_ids, "hour", None, {"state", "sum", "mean"}
    )
    metadata = await executor(lambda: get_metadata(hass, statistic_ids=entity_ids))
    return hours, {entity_id: each["unit_of_measurement"] for entity_id, (_, each) in metadata.items()}


def counted(hour: StatisticsRow, what: Literal["sum", "state"]) -> float:
    """Return the sum or the state of an hour."""
    value = hour[what]
    assert value is not None
    return value


def energies(simulator: Simulator, at: float) -> dict[str, float]:
    """Return the true energies (MWh) by the names of our sensors."""
    made, grid, stored = (simulator.house.truth(at).of(kind).total for kind in (PRODUCTION, NET, STORAGE))
    counters = {
        "Production energy": made.energy_delivered,
        "Grid energy imported": grid.energy_delivered,
        "Grid energy exported": grid.energy_received,
        "Battery charged": stored.energy_received,
        "Battery discharged": stored.energy_delivered,
        "Production energy received": made.energy_received,
    }
    return {name: energy / 1e6 for name, energy in counters.items()}


@pytest.mark.parametrize("hesitates", [False, True], ids=["at once", "after a quarter of an hour"])
async def test_migrated_statistics_continue_in_one_series_without_a_jump(
    built_in: MockConfigEntry,
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    tick: Tick,
    hesitates: bool,
) -> None:
    renamed = list(moves(hass, built_in))
    before, units = await statistics_of(hass, {each.old for each in renamed})
    assert all(len(before[each.old]) == 2 for each in renamed)

    await hass.config_entries.async_remove(built_in.entry_id)
    await tick(FIVE_MINUTES, times=3)
    await set_up(entry)
    await tick(FIVE_MINUTES, times=3 if hesitates else 0)
    ours, registry = entity_ids(hass, entry), er.async_get(hass)
    for each in renamed:
        our_id = ours[each.serial_number, each.name]
        registry.async_update_entity(our_id, new_entity_id=each.old, disabled_by=None)
        registry.async_update_entity_options(each.old, SENSOR, {ATTR_UNIT_OF_MEASUREMENT: each.unit})
    await tick(RELOAD_AFTER_UPDATE_DELAY + 1)
    await tick(FIVE_MINUTES - RELOAD_AFTER_UPDATE_DELAY - 1)
    await tick(FIVE_MINUTES, times=round((_until_next_hour() + A_BIT) / FIVE_MINUTES) + 2 * HOUR)

    # The clocks of the house and of Home Assistant have the same speed.
    last_read = timedelta(seconds=FIVE_MINUTES - A_BIT).total_seconds()
    house_ahead = simulator.clock.time() - dt_util.utcnow().timestamp()
    moved = set()
    after, units_after = await statistics_of(hass, {each.old for each in renamed})
    assert units_after == units == {each.old: each.unit for each in renamed}
    for each in renamed:
        state = hass.states.get(each.old)
        assert state is not None
        assert state.attributes[ATTR_UNIT_OF_MEASUREMENT] == each.unit
        hours = after[each.old]
        assert hours[:2] == before[each.old]
        assert len(hours) == 5
        assert all(later["start"] - earlier["start"] == 3600 for earlier, later in pairwise(hours))
        if hours[0].get("sum") is None:
            assert all(hour.get("mean") is not None for hour in hours)
            continue
        for earlier, later in pairwise(hours):
            grown = counted(later, "sum") - counted(earlier, "sum")
            assert grown == pytest.approx(counted(later, "state") - counted(earlier, "state"), abs=1e-9)
            true, true_before = (
                energies(simulator, hour["end"] - last_read + house_ahead)[each.name]
                for hour in (later, earlier)
            )
            assert grown == pytest.approx(true - true_before, abs=WATT_HOUR)
            if grown > 0:
                moved.add(each.name)
    assert moved >= {
        "Production energy",
        "Grid energy imported",
        "Grid energy exported",
        "Battery discharged",
    }


@pytest.mark.parametrize("profile", ["no-meters", "no-meters-8.3", "meters-disabled"])
async def test_migrated_production_statistics_continue_without_a_jump_without_meters(
    built_in: MockConfigEntry,
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    tick: Tick,
) -> None:
    names = {"Lifetime energy production": ("Production energy", "MWh")}
    names |= {"Current power production": ("Production power", "kW")}
    theirs = {
        name: entity_id
        for (serial_number, name), entity_id in entity_ids(hass, built_in).items()
        if serial_number == simulator.serial_number
    }
    before, units = await statistics_of(hass, {theirs[name] for name in names})
    await hass.config_entries.async_remove(built_in.entry_id)
    await tick(FIVE_MINUTES, times=3)
    await set_up(entry)
    ours, registry = entity_ids(hass, entry), er.async_get(hass)
    for name, (our_name, unit) in names.items():
        entity_id = ours[simulator.serial_number, our_name]
        registry.async_update_entity(entity_id, new_entity_id=theirs[name])
        registry.async_update_entity_options(theirs[name], SENSOR, {ATTR_UNIT_OF_MEASUREMENT: unit})
    await tick(RELOAD_AFTER_UPDATE_DELAY + 1)
    await tick(FIVE_MINUTES - RELOAD_AFTER_UPDATE_DELAY - 1)
    await tick(FIVE_MINUTES, times=round((_until_next_hour() + A_BIT) / FIVE_MINUTES) + 2 * HOUR)

    after, units_after = await statistics_of(hass, set(units))
    assert units_after == units
    energy, power = (after[theirs[name]] for name in names)
    assert energy[:2] == before[theirs["Lifetime energy production"]]
    assert len(energy) == len(power) == 5
    house_ahead = simulator.clock.time() - dt_util.utcnow().timestamp()
    for earlier, later in pairwise(energy):
        grown = counted(later, "sum") - counted(earlier, "sum")
        assert grown == pytest.approx(counted(later, "state") - counted(earlier, "state"), abs=1e-9)
        true, true_before = (
            energies(simulator, hour["end"] + house_ahead)["Production energy"] for hour in (later, earlier)
        )
        # MWh; microinverters report every five minutes, and are polled as often.
        assert grown == pytest.approx(true - true_before, abs=0.0006)
    assert counted(energy[-1], "sum") - counted(energy[0], "sum") > 0.001
