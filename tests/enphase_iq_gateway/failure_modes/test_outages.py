"""Outages: 30 seconds, five minutes every night, an hour without power, and two alternating addresses."""

from datetime import UTC, datetime

import pytest
from homeassistant.components.recorder.core import Recorder
from homeassistant.config_entries import SOURCE_ZEROCONF, ConfigEntryState
from homeassistant.const import CONF_HOST, CONF_SCAN_INTERVAL, STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from enphase_companion.simulator import Simulator

from ..conftest import NOON, SetUp, Tick, make_entry, state_of
from ..flow import Flow
from ..helpers import announcement
from .conftest import PendingRequests, held_responses, is_loaded
from .history import ENERGIES, HOUR, MINUTES_5, advance_three_hours, require_correct_statistics
from .watch import AVAILABLE, UNAVAILABLE, Watch

#: Seconds until the client times out.
CLIENT_TIMEOUT = 46


@pytest.mark.slow
async def test_responses_that_take_30_seconds_are_no_failure(
    recorded_entry: MockConfigEntry,
    hass: HomeAssistant,
    simulator: Simulator,
    tick: Tick,
    pending: PendingRequests,
    watch: Watch,
) -> None:
    await tick(20)
    await tick(MINUTES_5, times=14)
    for _ in range(5):
        with held_responses(simulator.faults):
            # A gateway that takes so long is polled less often.
            await pending.until_requested(simulator.requests, 150)
            pending.advance(30)
        await pending.until_done()
        assert state_of(hass, simulator, "production_power") != STATE_UNAVAILABLE
    await tick(MINUTES_5, times=19)
    await require_correct_statistics(hass, simulator)
    assert watch.availability_changes(recorded_entry.title) == []


async def test_a_request_without_answer_times_out_and_is_retried(
    hass: HomeAssistant,
    simulator: Simulator,
    set_up: SetUp,
    pending: PendingRequests,
    watch: Watch,
    tick: Tick,
) -> None:
    entry = await set_up(make_entry(simulator))
    with held_responses(simulator.faults):
        await pending.until_requested(simulator.requests, 11)
        pending.advance(CLIENT_TIMEOUT)
        await pending.until_done()
    assert state_of(hass, simulator, "production_power") == STATE_UNAVAILABLE
    await tick(61)
    assert float(state_of(hass, simulator, "production_power")) > 0
    assert watch.availability_changes(entry.title) == [UNAVAILABLE, AVAILABLE]


async def test_setup_is_retried_while_the_gateway_is_silent(
    hass: HomeAssistant, simulator: Simulator, pending: PendingRequests, tick: Tick
) -> None:
    entry = make_entry(simulator)
    entry.add_to_hass(hass)
    with held_responses(simulator.faults):
        starting = hass.async_create_task(hass.config_entries.async_setup(entry.entry_id))
        await pending.until_requested(simulator.requests)
        pending.advance(CLIENT_TIMEOUT)
        assert not await starting
    assert not is_loaded(entry)
    await tick(61)
    assert is_loaded(entry)
    assert float(state_of(hass, simulator, "production_power")) > 0


async def test_home_assistant_can_stop_while_a_gateway_is_silent(
    hass: HomeAssistant,
    simulator: Simulator,
    set_up: SetUp,
    pending: PendingRequests,
    tick: Tick,
    watch: Watch,
) -> None:
    entry = await set_up(make_entry(simulator))
    with held_responses(simulator.faults):
        await pending.until_requested(simulator.requests, 11)
        assert await hass.config_entries.async_unload(entry.entry_id)
        await pending.until_done()
    assert await hass.config_entries.async_setup(entry.entry_id)
    await tick()
    assert float(state_of(hass, simulator, "production_power")) > 0
    assert watch.availability_changes(entry.title) == []


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["three-phase+nightly-silence"])
async def test_the_nightly_outage_is_logged_once_and_loses_no_energy(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    simulator: Simulator,
    set_up: SetUp,
    tick: Tick,
    pending: PendingRequests,
    watch: Watch,
) -> None:
    await tick(10 * HOUR)
    assert datetime.fromtimestamp(simulator.clock.time(), UTC).hour == 22
    entry = await set_up(make_entry(simulator, options={CONF_SCAN_INTERVAL: 60}))
    await tick(20)
    await tick(MINUTES_5, times=11)
    assert watch.availability_changes(entry.title) == []
    for seconds in (301, 61, 61):
        await pending.until_requested(simulator.requests, seconds)
        pending.advance(CLIENT_TIMEOUT)
        await pending.until_done()
        assert state_of(hass, simulator, "home_power") == STATE_UNAVAILABLE
    await tick(61)
    assert state_of(hass, simulator, "home_power") != STATE_UNAVAILABLE
    await tick(278)
    await tick(MINUTES_5, times=22)
    await require_correct_statistics(hass, simulator, begin=NOON + 10 * HOUR)
    assert watch.availability_changes(entry.title) == [UNAVAILABLE, AVAILABLE]


@pytest.mark.slow
async def test_energy_during_an_outage_is_included(
    recorded_entry: MockConfigEntry,
    hass: HomeAssistant,
    simulator: Simulator,
    tick: Tick,
    watch: Watch,
) -> None:
    await advance_three_hours(tick, simulator.stop, simulator.start)
    await require_correct_statistics(hass, simulator, ENERGIES)
    assert watch.availability_changes(recorded_entry.title) == [UNAVAILABLE, AVAILABLE]


async def test_the_address_is_kept_while_it_answers_even_if_another_is_announced(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick, watch: Watch
) -> None:
    entry = await set_up(make_entry(simulator))
    coordinator = entry.runtime_data
    with Simulator("three-phase", start=NOON, longitude=0, speed=0) as elsewhere:
        for _ in range(6):
            for address in (elsewhere, simulator):
                flow = Flow(hass, simulator)
                await flow.start(SOURCE_ZEROCONF, announcement(address))
                assert flow.aborts("already_configured")
                await tick(900)
        assert elsewhere.requests == []
    assert entry.data[CONF_HOST] == simulator.url
    assert entry.runtime_data is coordinator
    assert watch.availability_changes(entry.title) == []


async def test_a_gateway_whose_cable_is_unplugged_is_polled_at_its_other_address(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick, watch: Watch
) -> None:
    entry = await set_up(make_entry(simulator))
    with Simulator("three-phase", start=NOON, longitude=0, speed=0) as elsewhere:
        simulator.stop()
        await tick(61, times=2)
        assert state_of(hass, simulator, "production_power") == STATE_UNAVAILABLE
        flow = Flow(hass, simulator)
        await flow.start(SOURCE_ZEROCONF, announcement(elsewhere))
        await hass.async_block_till_done(wait_background_tasks=True)
        assert entry.data[CONF_HOST] == elsewhere.url
        assert entry.state is ConfigEntryState.LOADED
        assert float(state_of(hass, simulator, "production_power")) > 0
        simulator.start()
        flow = Flow(hass, simulator)
        await flow.start(SOURCE_ZEROCONF, announcement(simulator))
        await hass.async_block_till_done(wait_background_tasks=True)
        assert entry.data[CONF_HOST] == elsewhere.url
        await hass.config_entries.async_unload(entry.entry_id)
