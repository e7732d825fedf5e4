"""The option "live values": the live status replaces what no meter measures."""

from collections import Counter
from dataclasses import replace
from functools import partial

import pytest
from homeassistant.const import STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import issue_registry as ir
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway.const import CONF_LIVE_VALUES, DOMAIN
from custom_components.enphase_iq_gateway.endpoints import Endpoint
from enphase_companion.simulator import Simulator
from enphase_companion.simulator.profiles import Profile, find

from .conftest import SetUp, Tick, make_entry, state_of

STATUS, STREAM, READINGS = "/ivp/livedata/status", "/ivp/livedata/stream", "/ivp/meters/readings"

#: Batteries and their System Controller, without any meter at the gateway.
UNMETERED = replace(find("battery"), meters=())


@pytest.fixture
def profile() -> str | Profile:
    """Return a house whose batteries have no meter."""
    return "battery-without-meter"


@pytest.fixture
def entry(simulator: Simulator) -> MockConfigEntry:
    """Return an entry with the option, in the evening, when the batteries discharge."""
    simulator.clock.advance(8 * 3600)
    return make_entry(simulator, options={CONF_LIVE_VALUES: True})


def live_requests(simulator: Simulator) -> list[str]:
    """Return the paths of all requests about the live status."""
    return [request.path for request in simulator.requests if "livedata" in request.path]


def shown(hass: HomeAssistant, simulator: Simulator) -> dict[str, float]:
    """Return the powers (W) and the charge (%) that are shown."""
    keys = ("production_power", "grid_power", "home_power", "battery_power", "battery_charge")
    return {key: float(state_of(hass, simulator, key)) for key in keys}


def true(simulator: Simulator) -> dict[str, float]:
    """Return the true powers (W) and the charge (%)."""
    truth = simulator.house.truth(int(simulator.clock.time()))
    assert truth.battery is not None
    assert truth.battery.power > 100
    return {
        "production_power": truth.production.total.active_power,
        "grid_power": truth.net_consumption.total.active_power,
        "home_power": truth.total_consumption.total.active_power,
        "battery_power": truth.storage.total.active_power,
        "battery_charge": truth.battery.state_of_charge,
    }


def issues(hass: HomeAssistant) -> list[str | None]:
    """Return the translation keys of the issues."""
    return [issue.translation_key for issue in ir.async_get(hass).issues.values() if issue.domain == DOMAIN]


@pytest.mark.parametrize("profile", [UNMETERED])
async def test_without_meters_everything_follows_with_each_refresh(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry)
    # What the batteries say of themselves is read each minute.
    for _ in range(4):
        await tick()
        assert shown(hass, simulator) == pytest.approx(true(simulator), abs=1.5)
    simulator.requests.clear()
    await tick()
    assert [request.path for request in simulator.requests] == [STATUS]


async def test_with_meters_only_the_batteries_are_read_from_it(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry)
    await tick()
    for _ in range(3):
        await tick()
        assert shown(hass, simulator) == pytest.approx(true(simulator), abs=1.5)
    simulator.requests.clear()
    await tick()
    assert [request.path for request in simulator.requests] == [READINGS, STATUS]


@pytest.mark.parametrize("profile", [UNMETERED, "battery-without-meter"])
async def test_after_a_refresh_only_what_depends_on_it_is_updated(
    simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry)
    await tick(61)
    updated: Counter[Endpoint] = Counter()
    for endpoint in (Endpoint.LIVE, Endpoint.INVERTERS):
        listener = partial(updated.update, [endpoint])
        entry.async_on_unload(entry.runtime_data.async_add_listener(listener, frozenset({endpoint})))
    await tick(times=4)
    assert updated == {Endpoint.LIVE: 4}


async def test_the_stream_is_kept_on_with_few_requests(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry)
    simulator.requests.clear()
    await tick(60, times=60)
    assert live_requests(simulator).count(STREAM) == 6
    assert shown(hass, simulator) == pytest.approx(true(simulator), abs=1.5)


async def test_after_the_stream_was_ended_elsewhere_the_values_are_unknown_for_a_moment(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry)
    await tick(60)
    simulator.gateway._answers.command("POST", STREAM, {"enable": 0})
    simulator.requests.clear()
    await tick(90)
    for key in ("battery_power", "home_power", "battery_charge"):
        assert state_of(hass, simulator, key) == STATE_UNKNOWN
    assert STREAM not in live_requests(simulator)
    await tick()
    assert live_requests(simulator).count(STREAM) == 1
    assert shown(hass, simulator) == pytest.approx(true(simulator), abs=1.5)


@pytest.mark.parametrize(("profile", "is_on"), [("battery", True), ("three-phase", True), (UNMETERED, False)])
async def test_it_is_not_read_if_nothing_needs_it(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick, is_on: bool
) -> None:
    await set_up(make_entry(simulator, options={CONF_LIVE_VALUES: is_on}), enable=True)
    await tick(60, times=3)
    assert live_requests(simulator) == []


async def test_it_is_not_read_while_its_sensors_are_disabled(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry)
    registry = er.async_get(hass)
    estimated = [
        f"{key}{suffix}"
        for key in ("home_energy", "battery_energy_charged", "battery_energy_discharged")
        for suffix in ("", "_today")
    ]
    for key in ("home_power", "battery_power", "battery_charge", *estimated):
        entity_id = registry.async_get_entity_id("sensor", DOMAIN, f"{simulator.serial_number}_{key}")
        assert entity_id is not None
        registry.async_update_entity(entity_id, disabled_by=er.RegistryEntryDisabler.USER)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    simulator.requests.clear()
    await tick(times=3)
    assert live_requests(simulator) == []


@pytest.mark.parametrize(("fault", "path"), [("refuse", STREAM), ("refuse", STATUS), ("missing", STREAM)])
async def test_a_gateway_that_does_not_allow_it_is_asked_once(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    tick: Tick,
    caplog: pytest.LogCaptureFixture,
    fault: str,
    path: str,
) -> None:
    if fault == "missing":
        simulator.faults.set("status", path, status=404)
    else:
        simulator.faults.set(fault, path)
    await set_up(entry)
    assert issues(hass) == ["live_values_not_allowed"]
    simulator.requests.clear()
    await tick(70, times=5)
    assert live_requests(simulator) == []
    [logged] = [message for message in caplog.messages if "no live values" in message]
    assert simulator.serial_number not in logged
    # As without the option, from the batteries, each minute.
    assert shown(hass, simulator)["battery_power"] == pytest.approx(true(simulator)["battery_power"], rel=0.2)
    hass.config_entries.async_update_entry(entry, options={CONF_LIVE_VALUES: False})
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert issues(hass) == []


async def test_a_gateway_that_no_longer_allows_it_is_read_as_before(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry)
    await tick()
    simulator.faults.set("refuse", STATUS)
    await tick(times=2)
    assert issues(hass) == ["live_values_not_allowed"]
    simulator.requests.clear()
    await tick(70, times=2)
    assert live_requests(simulator) == []
    assert shown(hass, simulator)["battery_power"] == pytest.approx(true(simulator)["battery_power"], rel=0.2)


async def test_an_issue_goes_with_its_entry(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp
) -> None:
    simulator.faults.set("refuse", STREAM)
    await set_up(entry)
    assert issues(hass) == ["live_values_not_allowed"]
    await hass.config_entries.async_remove(entry.entry_id)
    assert issues(hass) == []
