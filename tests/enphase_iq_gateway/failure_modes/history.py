"""Energies in the recorder over three hours, with a failure in the second."""

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

#: The energies of a home with sun and grid, by the keys of their sensors, and of one with batteries too.
ENERGIES = ("production_energy", "grid_energy_imported", "grid_energy_exported", "home_energy")
WITH_BATTERIES = (*ENERGIES, "battery_energy_discharged", "battery_energy_charged")

HOUR, MINUTES_5, MINUTE = 3600, 300, 60
#: Seconds after a full five minutes at which these hours tick; statistics are made a little earlier.
_A_BIT = 20
#: What an hour's statistics end with was read at the last tick before its end.
_LAST_READ = _A_BIT - MINUTES_5


def truths(simulator: Simulator, at: float) -> dict[str, float]:
    """Return the true energies (kWh) until a time of the house."""
    truth = simulator.house.truth(at)
    grid, storage = truth.net_consumption.total, truth.storage.total
    flowed = (
        truth.production.total.energy_delivered,
        grid.energy_delivered,
        grid.energy_received,
        truth.total_consumption.total.energy_delivered,
        storage.energy_delivered,
        storage.energy_received,
    )
    return {key: energy / 1000 for key, energy in zip(WITH_BATTERIES, flowed, strict=True)}


async def three_hours(tick: Tick, begins: Callable[[], object], ends: Callable[[], object]) -> None:
    """Let three hours pass from a full one, with 14 bad minutes in the second."""
    await tick(_A_BIT)
    await tick(MINUTES_5, times=14)
    begins()
    await tick(MINUTE, times=14)
    ends()
    await tick(MINUTE)
    await tick(MINUTES_5, times=19)


async def require_true_history(
    hass: HomeAssistant, simulator: Simulator, keys: Iterable[str] = ENERGIES, begin: float = NOON
) -> None:
    """Fail where the three hours from `begin` show in the statistics as anything but what they were."""
    times = [begin, *(begin + hour * HOUR + _LAST_READ for hour in (1, 2, 3))]
    flowed = [truths(simulator, at) for at in times]
    kept = await _hours(hass, simulator, list(keys), begin)
    for key in keys:
        really = [after[key] - before[key] for before, after in pairwise(flowed)]
        assert kept[key] == pytest.approx(really, rel=0.01, abs=0.002), key


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
