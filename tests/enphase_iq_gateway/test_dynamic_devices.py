"""Meters and batteries that are added at runtime, and meters of unknown types."""

from collections.abc import Callable
from typing import Any

import pytest
from homeassistant.const import CONF_SCAN_INTERVAL, STATE_OFF, STATE_ON, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway.const import CONF_PRODUCTION_SOURCE, DOMAIN, EnergySource
from enphase_companion.simulator import Simulator

from .conftest import SetUp, Tick, make_entry, state_of

type ChangeResponse = Callable[[str, Callable[[Any], Any]], None]


@pytest.fixture
def change_response(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> ChangeResponse:
    """Change a response of the gateway."""
    changes: dict[str, Callable[[Any], Any]] = {}
    get = simulator.gateway._answers.get

    def changed(path: str, query: str) -> Any:
        return changes.get(path, lambda answer: answer)(get(path, query))

    monkeypatch.setattr(simulator.gateway._answers, "get", changed)
    return changes.__setitem__


def is_provided(hass: HomeAssistant, simulator: Simulator, key: str) -> bool:
    """Return whether the integration provides a sensor with this key."""
    entity_id = er.async_get(hass).async_get_entity_id("sensor", DOMAIN, f"{simulator.serial_number}_{key}")
    state = hass.states.get(str(entity_id))
    return state is not None and "restored" not in state.attributes


async def test_a_meter_that_is_enabled_later_is_added_automatically(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick, change_response: ChangeResponse
) -> None:
    change_response("/ivp/meters", lambda meters: [meters[0], meters[1] | {"state": "disabled"}])
    await set_up(make_entry(simulator, options={CONF_SCAN_INTERVAL: 60}))
    assert not is_provided(hass, simulator, "grid_power")
    change_response("/ivp/meters", lambda meters: meters)
    await tick(seconds=61, times=17)
    truth = simulator.house.truth(simulator.clock.time())
    assert float(state_of(hass, simulator, "grid_power")) == pytest.approx(
        truth.net_consumption.total.active_power, abs=1
    )
    assert float(state_of(hass, simulator, "home_power")) == pytest.approx(
        truth.total_consumption.total.active_power, abs=1
    )


@pytest.mark.parametrize("profile", ["battery-without-meter", "ac-batteries"])
async def test_new_batteries_are_added_and_included_in_home(
    hass: HomeAssistant,
    simulator: Simulator,
    set_up: SetUp,
    tick: Tick,
    change_response: ChangeResponse,
    profile: str,
) -> None:
    change_response("/ivp/ensemble/inventory", lambda _: [])
    change_response("/ivp/ensemble/secctrl", lambda sums: dict.fromkeys(sums, 0))
    await set_up(make_entry(simulator, options={CONF_SCAN_INTERVAL: 300}))
    assert not is_provided(hass, simulator, "battery_power")
    assert is_provided(hass, simulator, "home_energy")
    for page in ("inventory", "secctrl"):
        change_response(f"/ivp/ensemble/{page}", lambda answer: answer)
    # Endpoints that no entity needs are polled twice a day.
    await tick(seconds=12 * 3600 + 301)
    await tick(seconds=301)
    truth = simulator.house.truth(simulator.clock.time())
    assert float(state_of(hass, simulator, "battery_power")) == pytest.approx(
        truth.storage.total.active_power, abs=1
    )
    assert float(state_of(hass, simulator, "home_power")) == pytest.approx(
        truth.total_consumption.total.active_power, abs=1
    )
    # Without a meter for the batteries, these energies are estimated.
    for key in ("home_energy", "battery_energy_charged", "battery_energy_discharged"):
        entity_id = er.async_get(hass).async_get_entity_id(
            "sensor", DOMAIN, f"{simulator.serial_number}_{key}"
        )
        assert entity_id is not None
        state = hass.states.get(entity_id)
        assert state is not None
        assert state.attributes["estimated"] is True


@pytest.mark.parametrize("profile", ["three-phase"])
async def test_home_does_not_depend_on_batteries_if_there_are_none(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick
) -> None:
    simulator.faults.set("status", "/ivp/ensemble/inventory")
    entry = make_entry(simulator, options={CONF_SCAN_INTERVAL: 60})
    await set_up(entry)
    simulator.faults.clear()
    await tick(seconds=61, times=3)
    assert is_provided(hass, simulator, "home_energy")
    simulator.requests.clear()
    await tick(seconds=61, times=5)
    assert not [each for each in simulator.requests if "ensemble" in each.path]


@pytest.mark.parametrize("profile", ["three-phase+ensemble-401"])
async def test_home_is_unknown_until_ac_batteries_have_been_read(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick
) -> None:
    simulator.faults.set("status", "/production.json")
    await set_up(make_entry(simulator, options={CONF_SCAN_INTERVAL: 60}))
    assert not is_provided(hass, simulator, "home_energy")
    simulator.faults.clear()
    await tick(seconds=61, times=7)
    assert is_provided(hass, simulator, "home_energy")


@pytest.mark.parametrize("profile", ["total-consumption"])
async def test_home_is_the_total_consumption_meter_without_a_production_meter(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, change_response: ChangeResponse
) -> None:
    # The production meter is listed as a grid meter; its values do not matter here.
    change_response(
        "/ivp/meters", lambda meters: [meters[0] | {"measurementType": "net-consumption"}, *meters[1:]]
    )
    await set_up(make_entry(simulator, {CONF_PRODUCTION_SOURCE: EnergySource.INVERTERS}))
    truth = simulator.house.truth(simulator.clock.time())
    home = truth.total_consumption.total
    assert float(state_of(hass, simulator, "home_power")) == pytest.approx(home.active_power, rel=0.01)
    assert float(state_of(hass, simulator, "home_energy")) * 1000 == pytest.approx(
        home.energy_delivered, abs=5
    )
    assert float(state_of(hass, simulator, "grid_power")) == pytest.approx(
        truth.production.total.active_power, rel=0.01
    )


@pytest.mark.parametrize("profile", ["three-phase+unknown-meter", "three-phase+unlisted-meter"])
async def test_meters_of_unknown_types_are_named_and_unlisted_meters_are_logged_once(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    tick: Tick,
    profile: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await set_up(entry, enable=True)
    await tick(times=5)
    known = ("production", "net-consumption")
    [other] = [meter for meter in simulator.house.profile.meters if meter.measurement_type not in known]
    if "unlisted" in profile:
        assert caplog.text.count(f"readings of meter {other.eid}") == 1
        return
    key = f"{other.eid}_{other.measurement_type}_active_power"
    truth = simulator.house.truth(simulator.clock.time()).total_consumption.total
    assert float(state_of(hass, simulator, key)) == pytest.approx(truth.active_power, abs=1)
    entity_id = er.async_get(hass).async_get_entity_id("sensor", DOMAIN, f"{simulator.serial_number}_{key}")
    state = hass.states.get(str(entity_id))
    assert state is not None
    name = other.measurement_type.replace("-", " ").capitalize()
    assert state.name == f"{entry.title} {name} active power"


@pytest.mark.parametrize("profile", ["meter-collar"])
async def test_a_meter_collar_reports_the_grid_connection(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick, change_response: ChangeResponse
) -> None:
    await set_up(make_entry(simulator, options={CONF_SCAN_INTERVAL: 60}), enable=True)
    unique_id = f"{simulator.serial_number}_grid_connected"
    entity_id = er.async_get(hass).async_get_entity_id("binary_sensor", DOMAIN, unique_id)

    def shown() -> str:
        state = hass.states.get(str(entity_id))
        assert state is not None
        return state.state

    def set_admin_state(word: str) -> None:
        # Its grid_state does not change.
        change_response(
            "/ivp/ensemble/inventory",
            lambda groups: [
                group | {"devices": [device | {"admin_state_str": word} for device in group["devices"]]}
                if group["type"] == "COLLAR"
                else group
                for group in groups
            ],
        )

    assert shown() == STATE_ON
    for word, state in (
        ("ENCMN_MDE_OFF_GRID", STATE_OFF),
        ("ENCMN_MDE_SYNCHRONIZING", STATE_UNKNOWN),
        ("ENCMN_MDE_ON_GRID", STATE_ON),
    ):
        set_admin_state(word)
        await tick(61, times=4)
        assert shown() == state
