"""Events of meter statuses: one for each change, including changes during a restart."""

import pytest
from homeassistant.const import STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.translation import async_get_translations
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway.const import DOMAIN, METER_STATUSES
from enphase_companion.simulator import Simulator

from .conftest import SetUp, Tick
from .helpers import NEXT_LIST, Meters, change_response


@pytest.fixture
def meters(hass: HomeAssistant, simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Meters:
    """Return the meters of the gateway, all with status normal."""
    meters = Meters(hass, simulator)
    change_response(monkeypatch, simulator, "/ivp/meters", meters.changed)
    return meters


async def test_event_entities_of_meters_can_be_enabled(
    hass: HomeAssistant, meters: Meters, entry: MockConfigEntry, set_up: SetUp
) -> None:
    await set_up(entry)
    for kind in ("production", "net-consumption"):
        registered = er.async_get(hass).async_get(meters.entity_id(kind))
        assert registered is not None
        assert registered.disabled_by is er.RegistryEntryDisabler.INTEGRATION
        # No entity of a new installation is "Unknown".
        assert hass.states.get(meters.entity_id(kind)) is None
    assert not [state.entity_id for state in hass.states.async_all() if state.state == STATE_UNKNOWN]


async def test_a_normal_meter_fires_no_event(
    hass: HomeAssistant, meters: Meters, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry, enable=True)
    await tick(NEXT_LIST, times=2)
    for kind in ("production", "net-consumption"):
        state = hass.states.get(meters.entity_id(kind))
        assert state is not None
        assert state.state == STATE_UNKNOWN
        assert state.attributes["event_types"] == METER_STATUSES


async def test_a_changed_status_fires_one_event_of_this_meter(
    hass: HomeAssistant, meters: Meters, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry, enable=True)
    production, grid = meters.fired("production"), meters.fired("net-consumption")
    meters.statuses["production"] = "check-wiring"
    meters.flags.append("negative-production")
    await tick(NEXT_LIST, times=3)
    assert production == ["check-wiring"]
    state = hass.states.get(meters.entity_id("production"))
    assert state is not None
    assert state.attributes["previous_status"] == "normal"
    assert state.attributes["status_flags"] == ["negative-production"]
    meters.statuses["production"] = "not-metering"
    await tick(NEXT_LIST)
    meters.statuses["production"] = "normal"
    await tick(NEXT_LIST)
    assert production == ["check-wiring", "not-metering", "normal"]
    assert grid == []


async def test_a_meter_with_a_problem_at_setup_fires_an_event(
    hass: HomeAssistant, meters: Meters, entry: MockConfigEntry, set_up: SetUp
) -> None:
    meters.statuses["net-consumption"] = "not-metering"
    await set_up(entry, enable=True)
    state = hass.states.get(meters.entity_id("net-consumption"))
    assert state is not None
    assert state.attributes["event_type"] == "not-metering"


@pytest.mark.slow
async def test_a_change_during_a_restart_fires_one_event(
    hass: HomeAssistant, meters: Meters, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry, enable=True)
    meters.statuses["production"] = "check-wiring"
    await tick(NEXT_LIST)
    fired = meters.fired("production")
    at = hass.states.get(meters.entity_id("production"))
    await tick(60)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    again = hass.states.get(meters.entity_id("production"))
    assert at is not None
    assert again is not None
    assert again.state == at.state
    meters.statuses["production"] = "normal"
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert fired[-1] == "normal"
    assert set(fired) == {"check-wiring", "normal"}


async def test_an_unknown_status_fires_no_event(
    meters: Meters, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry, enable=True)
    fired = meters.fired("production")
    meters.statuses["production"] = "calibrating"
    await tick(NEXT_LIST)
    assert fired == []


async def test_every_event_type_is_translated(hass: HomeAssistant) -> None:
    texts = await async_get_translations(hass, "en", "entity", {DOMAIN})
    prefix = f"component.{DOMAIN}.entity.event.meter_status_change.state_attributes."
    for attribute in ("event_type", "previous_status"):
        assert texts[f"{prefix}{attribute}.name"]
        assert all(texts[f"{prefix}{attribute}.state.{status}"] for status in METER_STATUSES)
