"""What Home Assistant's recorder makes of the energies of today: their long-term statistics."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.recorder.core import Recorder
from homeassistant.components.recorder.statistics import statistics_during_period
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.recorder import get_instance
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.components.recorder.common import (  # type: ignore[import-untyped]
    async_wait_recording_done,
    do_adhoc_statistics,
)

from custom_components.enphase_iq_gateway.const import DOMAIN
from enphase_companion.simulator import Simulator

from .conftest import SetUp, Tick, make_entry

ZONE = ZoneInfo("America/Los_Angeles")
SLOT = timedelta(minutes=5)

#: Seconds between two refreshes.
INTERVAL = 30


@pytest.mark.parametrize(
    "local",
    ["2026-06-21 23:55:00", "2026-03-08 01:55:00", "2026-11-01 01:55:00"],
    ids=["midnight", "spring", "autumn"],
)
async def test_the_sum_of_today_grows_as_the_lifetime_counter(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    simulator: Simulator,
    set_up: SetUp,
    freezer: FrozenDateTimeFactory,
    tick: Tick,
    local: str,
) -> None:
    await hass.config.async_set_time_zone(ZONE.key)
    at = datetime.fromisoformat(local).replace(tzinfo=ZONE)
    freezer.move_to(at)
    simulator.clock.advance(at.timestamp() - simulator.clock.time())
    await set_up(make_entry(simulator))
    start, registry = dt_util.utcnow(), er.async_get(hass)
    ids = [
        registry.async_get_entity_id("sensor", DOMAIN, f"{simulator.serial_number}_{key}")
        for key in ("home_energy", "home_energy_today")
    ]
    await tick(seconds=INTERVAL, times=2 * SLOT // timedelta(seconds=INTERVAL))
    await async_wait_recording_done(hass)
    for slot in range(2):
        do_adhoc_statistics(hass, start=start + slot * SLOT)
        await async_wait_recording_done(hass)
    found = await get_instance(hass).async_add_executor_job(
        statistics_during_period, hass, start, None, set(ids), "5minute", {"energy": "Wh"}, {"sum"}
    )
    lifetime, today = ([row["sum"] or 0 for row in found[str(each)]] for each in ids)
    assert len(lifetime) == len(today) == 2
    assert lifetime[-1] > 20
    # Of the refresh at midnight, the energy of the old day has no state.
    one_refresh = lifetime[-1] * INTERVAL / (2 * SLOT).total_seconds()
    assert today[-1] == pytest.approx(lifetime[-1], abs=1.1 * one_refresh)
