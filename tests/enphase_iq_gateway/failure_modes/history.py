"""Energies in the recorder over three hours, with a failure in the second one."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from homeassistant.components.recorder.statistics import statistics_during_period
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.recorder import get_instance
from pytest_homeassistant_custom_component.components.recorder.common import (  # type: ignore[import-untyped]
    async_wait_recording_done,
)

from custom_components.enphase_iq_gateway.const import DOMAIN
from enphase_companion.simulator import Simulator

from ..conftest import NOON, Tick

#: The energies of a home without batteries, by the keys of their sensors, and of one with batteries.
ENERGIES = ("production_energy", "grid_energy_imported", "grid_energy_exported", "home_energy")
WITH_BATTERIES = (*ENERGIES, "battery_energy_discharged", "battery_energy_charged")

HOUR, MINUTES_5, MINUTE = 3600, 300, 60
#: Seconds after each full five minutes at which the time is advanced to; statistics are compiled earlier.
_TICK_DELAY = 20
#: The last reading of an hour is from the last tick before its end.
_LAST_READING = _TICK_DELAY - MINUTES_5


def true_energies(simulator: Simulator, at: float) -> dict[str, float]:
    """Return the true energies (kWh) until a time of the house."""
    truth = simulator.house.truth(at)
    grid, storage = truth.net_consumption.total, truth.storage.total
    energies = (
        truth.production.total.energy_delivered,
        grid.energy_delivered,
        grid.energy_received,
        truth.total_consumption.total.energy_delivered,
        storage.energy_delivered,
        storage.energy_received,
    )
    return {key: energy / 1000 for key, energy in zip(WITH_BATTERIES, energies, strict=True)}


async def advance_three_hours(
    tick: Tick, begin_failure: Callable[[], object], end_failure: Callable[[], object]
) -> None:
    """Advance the time by three full hours, with 14 minutes of failures in the second one."""
    await tick(_TICK_DELAY)
    await tick(MINUTES_5, times=14)
    begin_failure()
    await tick(MINUTE, times=14)
    end_failure()
    await tick(MINUTE)
    await tick(MINUTES_5, times=19)


async def require_correct_statistics(
    hass: HomeAssistant, simulator: Simulator, keys: Iterable[str] = ENERGIES, begin: float = NOON
) -> None:
    """Fail if the statistics of the three hours from `begin` do not match the house."""
    times = [begin, *(begin + hour * HOUR + _LAST_READING for hour in (1, 2, 3))]
    energies = [true_energies(simulator, at) for at in times]
    recorded = await _hours(hass, simulator, list(keys), begin)
    for key in keys:
        expected = [after[key] - before[key] for before, after in pairwise(energies)]
        assert recorded[key] == pytest.approx(expected, rel=0.01, abs=0.002), key


async def _hours(
    hass: HomeAssistant, simulator: Simulator, keys: Sequence[str], begin: float
) -> dict[str, list[float]]:
    """Return the energy of each sensor per hour (kWh), as the Energy dashboard shows it."""
    await async_wait_recording_done(hass)
    registry = er.async_get(hass)
    ids = {
        str(registry.async_get_entity_id("sensor", DOMAIN, f"{simulator.serial_number}_{key}")): key
        for key in keys
    }
    found = await get_instance(hass).async_add_executor_job(
        statistics_during_period,
        hass,
        datetime.fromtimestamp(begin, UTC),
        None,
        set(ids),
        "hour",
        {"energy": "kWh"},
        {"change"},
    )
    return {key: [row["change"] or 0.0 for row in found.get(entity_id, [])] for entity_id, key in ids.items()}
