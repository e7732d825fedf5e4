"""The requests of refreshes, and the backoff while a gateway fails."""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
from homeassistant.const import (
    CONF_SCAN_INTERVAL,
    EVENT_STATE_CHANGED,
    STATE_ON,
    STATE_UNAVAILABLE,
    STATE_UNKNOWN,
)
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway import async_remove_config_entry_device, endpoints
from custom_components.enphase_iq_gateway.const import CONF_PRODUCTION_SOURCE, DOMAIN, EnergySource
from custom_components.enphase_iq_gateway.endpoints import Endpoint
from custom_components.enphase_iq_gateway.helpers import log_name
from enphase_companion.simulator import Simulator

from .conftest import SetUp, Tick, disable_all, make_entry, state_of
from .helpers import change_response

READINGS = "/ivp/meters/readings"
PRODUCTION = "/production.json"


def count_requests(simulator: Simulator) -> Counter[str]:
    """Return the number of requests per path since the last call."""
    paths = Counter(request.path for request in simulator.requests)
    simulator.requests.clear()
    return paths


async def test_a_refresh_is_one_request(
    simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry)
    count_requests(simulator)
    await tick(times=20)
    assert count_requests(simulator) == {READINGS: 20}


async def test_each_endpoint_is_polled_at_its_own_interval(
    simulator: Simulator, set_up: SetUp, tick: Tick
) -> None:
    await set_up(make_entry(simulator, options={CONF_SCAN_INTERVAL: 60}), enable=True)
    count_requests(simulator)
    await tick(seconds=61, times=59)  # an hour
    paths = count_requests(simulator)
    assert paths.pop(READINGS) == 59
    assert paths["/ivp/meters"] in (3, 4)
    # The list of microinverters is not needed, as the details have all of them.
    assert paths["/ivp/pdm/device_data"] in (11, 12)
    assert "/api/v1/production/inverters" not in paths
    # Besides the 360 readings per hour.
    assert sum(paths.values()) < 0.2 * 360


@pytest.mark.parametrize(("profile", "times"), [("battery", 4), ("battery-without-meter", 12)])
async def test_batteries_are_polled_each_minute_or_every_three_minutes_with_a_storage_meter(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick, times: int
) -> None:
    await set_up(make_entry(simulator, options={CONF_SCAN_INTERVAL: 60}))
    count_requests(simulator)
    await tick(seconds=61, times=12)
    assert count_requests(simulator)["/ivp/ensemble/inventory"] == times


async def test_endpoints_that_no_enabled_entity_needs_are_not_polled(
    simulator: Simulator, set_up: SetUp, tick: Tick
) -> None:
    await set_up(make_entry(simulator, options={CONF_SCAN_INTERVAL: 300}))
    count_requests(simulator)
    await tick(seconds=301, times=24)  # two hours
    assert set(count_requests(simulator)) == {READINGS, "/ivp/meters"}


@pytest.mark.slow
async def test_endpoints_that_are_not_needed_are_polled_twice_a_day(
    simulator: Simulator, set_up: SetUp, tick: Tick
) -> None:
    await set_up(make_entry(simulator, options={CONF_SCAN_INTERVAL: 300}))
    count_requests(simulator)
    await tick(seconds=3600, times=25)
    paths = count_requests(simulator)
    assert paths["/ivp/pdm/device_data"] == 2
    assert "/api/v1/production/inverters" not in paths
    assert paths["/info"] == 2
    assert paths["/production.json"] == 0


async def test_nothing_is_polled_while_all_entities_are_disabled(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry)
    await disable_all(hass, entry)
    count_requests(simulator)
    await tick(times=20)
    assert count_requests(simulator) == {}


@pytest.mark.parametrize("profile", ["no-meters"])
async def test_production_of_a_gateway_without_meters_is_polled_every_five_minutes(
    simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry)
    count_requests(simulator)
    await tick(times=180)  # 33 minutes
    # The last reports of microinverters and their lifetime energy are separate endpoints.
    assert count_requests(simulator) == {
        "/production.json": 6,
        "/api/v1/production": 6,
        "/api/v1/production/inverters": 6,
    }


@pytest.mark.parametrize("profile", ["single-phase"])
async def test_production_of_inverters_beside_a_grid_meter_never_delays_the_meters(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick
) -> None:
    await set_up(make_entry(simulator, {CONF_PRODUCTION_SOURCE: EnergySource.INVERTERS}))
    # On a busy machine, the first poll in the background may end before the entities are added.
    await tick()
    simulator.faults.set("html", "/production.json")
    count_requests(simulator)
    await tick(times=90)
    paths = count_requests(simulator)
    assert paths[READINGS] == 90
    assert paths["/production.json"] == 3
    assert float(state_of(hass, simulator, "grid_power"))
    assert state_of(hass, simulator, "production_power") == STATE_UNAVAILABLE
    simulator.faults.clear()
    await tick(times=30)
    assert float(state_of(hass, simulator, "production_power")) > 0


async def test_an_unknown_meter_causes_one_request_for_the_list_of_meters(
    simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry)
    coordinator = entry.runtime_data
    # As if a meter had been added after the list was read.
    object.__setattr__(coordinator.data, "meters", coordinator.data.meters[:1])
    count_requests(simulator)
    await tick(times=5)
    assert count_requests(simulator) == {READINGS: 5, "/ivp/meters": 1}
    assert len(coordinator.data.meters) == 2


@pytest.mark.parametrize("profile", ["many-meters"])
async def test_an_unlisted_meter_does_not_cause_repeated_requests_for_the_list(
    simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry)
    count_requests(simulator)
    await tick(times=5)
    assert count_requests(simulator) == {READINGS: 5}


async def test_a_failing_endpoint_does_not_affect_the_readings(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick
) -> None:
    entry = await set_up(make_entry(simulator, options={CONF_SCAN_INTERVAL: 60}), enable=True)
    for path in ("/ivp/meters", "/ivp/pdm/device_data", "/api/v1/production/inverters", "/info"):
        simulator.faults.set("truncated" if path != "/info" else "html", path)
    await tick(seconds=61, times=50)
    assert entry.runtime_data.last_update_success
    assert float(state_of(hass, simulator, "production_power")) > 0
    inverter = simulator.house.inverters[0].serial_number
    power = hass.states.get(f"sensor.inverter_{inverter}")
    assert power is not None
    assert power.state == STATE_UNAVAILABLE


@pytest.mark.parametrize("fault", ["html", "truncated", "status", "reset"])
async def test_a_failing_gateway_is_unavailable_and_recovers_automatically(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    tick: Tick,
    caplog: pytest.LogCaptureFixture,
    fault: str,
) -> None:
    await set_up(entry)
    caplog.clear()
    simulator.faults.set(fault, READINGS)
    await tick(times=30)
    assert state_of(hass, simulator, "production_power") == STATE_UNAVAILABLE
    simulator.faults.clear()
    await tick(seconds=61)
    assert float(state_of(hass, simulator, "production_power")) > 0
    assert [
        (record.levelname, word)
        for record in caplog.records
        for word in ("unavailable", "recovered")
        if log_name(entry) in record.getMessage() and word in record.getMessage()
    ] == [("INFO", "unavailable"), ("INFO", "recovered")]
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize("interval", [1, 100, 179, 200, 300])
@pytest.mark.parametrize("profile", ["battery-without-meter", "battery", "ac-batteries", "no-meters"])
@pytest.mark.slow
async def test_no_entity_is_unavailable_while_its_endpoint_answers_at_any_interval(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick, interval: int
) -> None:
    await set_up(make_entry(simulator, options={CONF_SCAN_INTERVAL: interval}), enable=True)
    await tick(interval + 1, times=2)
    gone: list[str] = []

    @callback
    def note(event: Event[EventStateChangedData]) -> None:
        if (state := event.data["new_state"]) is not None and state.state == STATE_UNAVAILABLE:
            gone.append(state.entity_id)

    hass.bus.async_listen(EVENT_STATE_CHANGED, note)
    await tick(interval + 1, times=14)
    assert gone == []
    assert not [state.entity_id for state in hass.states.async_all() if state.state == STATE_UNAVAILABLE]


@pytest.mark.parametrize("fault", ["status", "html", "truncated", "reset"])
@pytest.mark.parametrize("profile", ["three-phase", "no-meters"])
async def test_a_single_bad_response_is_retried_and_makes_nothing_unavailable(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick, fault: str, profile: str
) -> None:
    await set_up(make_entry(simulator, options={CONF_SCAN_INTERVAL: 300}))
    path = READINGS if profile == "three-phase" else PRODUCTION
    for _ in range(2):
        simulator.faults.set(fault, path, times=1)
        count_requests(simulator)
        await tick(301)
        assert count_requests(simulator)[path] == 2
        assert state_of(hass, simulator, "production_power") not in (STATE_UNAVAILABLE, STATE_UNKNOWN)


@pytest.mark.parametrize("interval", [1, 10, 300])
async def test_an_outage_and_its_end_are_logged_once_each(
    hass: HomeAssistant,
    simulator: Simulator,
    set_up: SetUp,
    tick: Tick,
    caplog: pytest.LogCaptureFixture,
    interval: int,
) -> None:
    entry = await set_up(make_entry(simulator, options={CONF_SCAN_INTERVAL: interval}))
    await tick(interval + 1)
    caplog.clear()
    simulator.faults.set("reset")
    await tick(interval + 1)
    await tick(61, times=5)
    simulator.faults.clear()
    await tick(61)
    await tick(interval + 1, times=2)
    assert [
        word
        for record in caplog.records
        for word in ("unavailable", "recovered")
        if log_name(entry) in record.getMessage() and word in record.getMessage()
    ] == ["unavailable", "recovered"]
    assert float(state_of(hass, simulator, "production_power")) > 0


async def test_a_gateway_with_bad_responses_is_available_within_a_minute_after_recovery(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick
) -> None:
    await set_up(make_entry(simulator, options={CONF_SCAN_INTERVAL: 300}))
    simulator.faults.set("status", READINGS)
    count_requests(simulator)
    await tick(301)
    assert count_requests(simulator)[READINGS] == 2
    await tick(61, times=3)
    # One request each: the gateway is busy.
    assert count_requests(simulator)[READINGS] == 3
    assert state_of(hass, simulator, "production_power") == STATE_UNAVAILABLE
    simulator.faults.clear()
    await tick(61)
    assert float(state_of(hass, simulator, "production_power")) > 0


async def test_a_gateway_that_does_not_answer_is_polled_less_and_less_often(
    simulator: Simulator, set_up: SetUp, tick: Tick
) -> None:
    await set_up(make_entry(simulator, options={CONF_SCAN_INTERVAL: 1}))
    simulator.faults.set("status", READINGS)
    count_requests(simulator)
    await tick(seconds=2, times=300)  # ten minutes
    assert 10 <= count_requests(simulator)[READINGS] <= 16


@pytest.mark.slow
async def test_a_slow_gateway_is_polled_less_often_than_configured(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp
) -> None:
    entry = await set_up(make_entry(simulator, options={CONF_SCAN_INTERVAL: 1}))
    coordinator = entry.runtime_data
    simulator.faults.set("slow", READINGS, seconds=0.5)
    await coordinator.async_refresh()
    assert coordinator.update_interval is not None
    assert coordinator.update_interval.total_seconds() >= 2
    simulator.faults.clear()
    await hass.async_block_till_done(wait_background_tasks=True)
    await coordinator.async_refresh()
    assert coordinator.update_interval.total_seconds() == 1


@pytest.mark.slow
async def test_a_slow_endpoint_delays_the_next_readings_by_one_request_at_most(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp
) -> None:
    await set_up(entry)
    coordinator = entry.runtime_data
    count_requests(simulator)
    gone = simulator.house.inverters.pop().serial_number
    for endpoint in (Endpoint.INVERTERS, Endpoint.METERS):
        coordinator.poll_schedule[endpoint].request_refresh()
    simulator.faults.set("slow", "/api/v1/production/inverters", seconds=1)
    await coordinator.async_refresh()
    while len(simulator.requests) < 2:
        await asyncio.sleep(0.01)
    await coordinator.async_refresh()
    await hass.async_block_till_done(wait_background_tasks=True)
    paths = [request.path for request in simulator.requests]
    assert paths == [READINGS, "/api/v1/production/inverters", READINGS, "/ivp/meters"]
    # The readings that arrived afterwards do not overwrite the response of the slow endpoint.
    assert gone not in coordinator.data.inverters


@pytest.mark.parametrize("profile", ["battery-without-meter"])
async def test_an_empty_list_of_batteries_does_not_change_home(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry)
    simulator.faults.set("status", "/ivp/ensemble/inventory", status=404)
    await tick(times=7)
    assert len(entry.runtime_data.data.batteries.units) == 3
    await tick(times=20)
    assert state_of(hass, simulator, "battery_charge") == STATE_UNAVAILABLE
    simulator.faults.clear()
    await tick(times=7)
    assert float(state_of(hass, simulator, "battery_charge")) > 0


async def test_an_entity_is_written_only_when_it_changes(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry, enable=True)
    written: list[str] = []

    @callback
    def note(event: Mapping[str, Any]) -> bool:
        written.append(event["entity_id"])
        return False

    @callback
    def nothing(_: Event[Any]) -> None: ...

    for kind in ("state_changed", "state_reported"):
        hass.bus.async_listen(kind, nothing, event_filter=note)
    await tick()
    assert any("power" in entity_id for entity_id in written)
    assert not any("inverter" in entity_id or "firmware" in entity_id for entity_id in written)


async def test_after_readings_alone_only_what_depends_on_them_is_updated(
    simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry)
    updated: Counter[Endpoint] = Counter()
    for endpoint in (Endpoint.READINGS, Endpoint.INVERTERS):
        listener = partial(updated.update, [endpoint])
        entry.async_on_unload(entry.runtime_data.async_add_listener(listener, frozenset({endpoint})))
    await tick(times=4)
    assert updated == {Endpoint.READINGS: 4}
    # A device may have fallen silent: that shows within a minute.
    await tick(times=2)
    assert updated == {Endpoint.READINGS: 6, Endpoint.INVERTERS: 1}
    simulator.faults.set("refuse")
    await tick()
    assert updated == {Endpoint.READINGS: 7, Endpoint.INVERTERS: 2}


@pytest.mark.parametrize("answer", ["refuse", "status", "error", "empty"])
async def test_an_empty_list_of_meters_does_not_stop_the_readings(
    hass: HomeAssistant,
    simulator: Simulator,
    set_up: SetUp,
    tick: Tick,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
) -> None:
    entry = await set_up(make_entry(simulator, options={CONF_SCAN_INTERVAL: 60}))
    if answer in ("refuse", "status"):
        simulator.faults.set(answer, "/ivp/meters", status=404)
    else:
        change_response(
            monkeypatch, simulator, "/ivp/meters", lambda _: [] if answer == "empty" else {"error": "busy"}
        )
    await tick(seconds=61, times=20)
    assert len(entry.runtime_data.data.enabled_meters) == 2
    count_requests(simulator)
    before = state_of(hass, simulator, "production_energy")
    await tick(seconds=61, times=5)
    assert count_requests(simulator)[READINGS] == 5
    assert float(state_of(hass, simulator, "production_energy")) > float(before)


@pytest.mark.slow
async def test_the_last_readings_are_not_shown_once_the_last_meter_is_disabled(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick, monkeypatch: pytest.MonkeyPatch
) -> None:
    await set_up(make_entry(simulator, options={CONF_SCAN_INTERVAL: 60}))
    assert float(state_of(hass, simulator, "production_power")) > 0
    change_response(
        monkeypatch,
        simulator,
        "/ivp/meters",
        lambda meters: [meter | {"state": "disabled"} for meter in meters],
    )
    await tick(seconds=61, times=20)
    assert state_of(hass, simulator, "production_power") == STATE_UNKNOWN
    for key in ("grid_power", "home_power"):
        assert state_of(hass, simulator, key) == STATE_UNAVAILABLE


@pytest.mark.parametrize("profile", ["battery"])
@pytest.mark.slow
async def test_batteries_that_are_missing_for_an_hour_are_removed(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick
) -> None:
    entry = await set_up(make_entry(simulator, options={CONF_SCAN_INTERVAL: 300}), enable=True)
    unit = next(iter(entry.runtime_data.data.batteries.units)).serial_number
    simulator.faults.set("status", "/ivp/ensemble/inventory", status=404)
    await tick(seconds=301, times=11)
    assert len(entry.runtime_data.data.batteries.units) == 3
    await tick(seconds=301, times=3)
    assert not entry.runtime_data.data.batteries.units
    device = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, unit), entry.entry_id)
    assert device is not None
    assert await async_remove_config_entry_device(hass, entry, device)


@pytest.mark.parametrize("profile", ["ac-batteries"])
async def test_ac_batteries_are_polled_every_five_minutes(
    simulator: Simulator, set_up: SetUp, tick: Tick
) -> None:
    await set_up(make_entry(simulator, options={CONF_SCAN_INTERVAL: 60}))
    count_requests(simulator)
    await tick(seconds=61, times=30)
    paths = count_requests(simulator)
    assert paths[READINGS] == 30
    assert paths["/production.json"] == 6


@pytest.mark.parametrize("profile", ["ac-batteries"])
async def test_home_is_unknown_while_the_power_of_ac_batteries_is_unknown(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    simulator.faults.set("status", "/production.json")
    await set_up(entry)
    assert state_of(hass, simulator, "home_power") == STATE_UNAVAILABLE
    assert float(state_of(hass, simulator, "production_power")) > 0
    simulator.faults.clear()
    await tick(seconds=301)
    home = simulator.house.truth(simulator.clock.time()).total_consumption.total.active_power
    assert float(state_of(hass, simulator, "home_power")) == pytest.approx(home, abs=1)


@pytest.mark.slow
async def test_the_sensors_of_a_removed_meter_can_be_deleted(
    hass: HomeAssistant,
    simulator: Simulator,
    set_up: SetUp,
    tick: Tick,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await set_up(make_entry(simulator, options={CONF_SCAN_INTERVAL: 60}), enable=True)
    key = "704643584_net-consumption_voltage"
    assert float(state_of(hass, simulator, key)) > 0
    with monkeypatch.context() as without:
        change_response(without, simulator, "/ivp/meters", lambda meters: meters[:1])
        await tick(seconds=61, times=20)
        registry = er.async_get(hass)
        entity_id = registry.async_get_entity_id("sensor", DOMAIN, f"{simulator.serial_number}_{key}")
        state = hass.states.get(str(entity_id))
        assert state is not None
        # The integration no longer provides it, so the user can delete it.
        assert (state.state, state.attributes["restored"]) == (STATE_UNAVAILABLE, True)
        assert float(state_of(hass, simulator, "production_power")) > 0
        # Its readings are ignored, which is logged once.
        assert caplog.text.count("readings of meter 704643584") == 1
    await tick(seconds=61, times=20)
    assert float(state_of(hass, simulator, key)) > 0


@pytest.mark.parametrize("profile", ["battery"])
@pytest.mark.slow
async def test_the_timeout_of_batteries_allows_for_all_their_requests(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(endpoints, "_BACKGROUND_TIMEOUT", 1.0)
    for page in ("inventory", "power", "secctrl"):
        simulator.faults.set("slow", f"/ivp/ensemble/{page}", seconds=0.5)
    await set_up(entry)
    assert float(state_of(hass, simulator, "battery_charge")) > 0


async def test_an_additional_flag_of_a_meter_problem_is_shown(
    hass: HomeAssistant,
    simulator: Simulator,
    set_up: SetUp,
    tick: Tick,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flags = ["check-wiring"]
    change_response(
        monkeypatch,
        simulator,
        "/ivp/meters",
        lambda meters: [meter | {"statusFlags": list(flags)} for meter in meters],
    )
    entry = await set_up(make_entry(simulator, options={CONF_SCAN_INTERVAL: 60}), enable=True)

    def shown() -> list[str]:
        [state, *_] = [
            state for state in hass.states.async_all("binary_sensor") if "status_flags" in state.attributes
        ]
        assert state.state == STATE_ON
        return list(state.attributes["status_flags"])

    assert shown() == ["check-wiring"]
    flags.append("phase-imbalance")
    await tick(seconds=61, times=16)
    assert entry.runtime_data.last_update_success
    assert shown() == ["check-wiring", "phase-imbalance"]
