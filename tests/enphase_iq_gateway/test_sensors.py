"""Every sensor, compared with the simulated house at the time of the reading."""

from datetime import UTC, datetime
from typing import Any

import pytest
from homeassistant.const import STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway.const import DOMAIN
from custom_components.enphase_iq_gateway.sensor_descriptions import QUANTITIES
from enphase_companion.simulator import Simulator
from enphase_companion.simulator.profiles import (
    NET,
    PRODUCTION,
    QUIRKS,
    QUIRKS_OF_COMMANDS,
    STORAGE,
    TOTAL,
    find,
)
from enphase_companion.simulator.truth import Electricity, Truth

from .conftest import SetUp, Tick, state_of
from .helpers import change_response

ORDINARY = ["no-meters", "production-only", "single-phase", "split-phase", "three-phase", "battery"]
RARE = [
    "meters-disabled",
    "one-of-three",
    "total-consumption",
    "many-meters",
    "battery-without-meter",
    "meter-collar",
    "ac-batteries",
    "sixty-inverters",
]

#: Each quirk in the lists of devices, with a profile in which it matters.
QUIRKY = [
    "no-meters-404",
    "no-meters-8.3",
    "no-meters+meters-401",
    "three-phase+ensemble-401",
    "three-phase+unlisted-meter",
    "three-phase+unknown-meter",
    "three-phase+disabled-meter",
    "three-phase+total-is-net",
    "three-phase+today-is-lifetime",
    "three-phase+reports-netted",
    "three-phase+no-production-data",
    "three-phase+nightly-silence",
    "three-phase+removed-inverters+inverters-wrap",
    "three-phase+no-device-data",
    "three-phase+empty-device-data",
    "battery+unknown-after-restart",
    "split-phase+power-factors-added",
    "split-phase+no-apparent-energy",
    "battery+third-channel-mirrors",
    "battery-without-meter+unwired-phases",
]

#: Gateways round to thousandths, microinverters to whole watts.
ROUNDED = 0.001


@pytest.fixture
def clock_speed() -> float:
    """Stop the clock of the house, so that all readings have the same time."""
    return 0.0


def site_truth(truth: Truth, profile: str) -> dict[str, float]:
    """Return the expected states of the sensors of the site (W, Wh, %), by key."""
    made, grid, home, store = (truth.of(kind).total for kind in (PRODUCTION, NET, TOTAL, STORAGE))
    shown = {"production_power": made.active_power, "production_energy": made.energy_delivered}
    grid_power = {"grid_power": grid.active_power}
    grid_energy = {
        "grid_energy_imported": grid.energy_delivered,
        "grid_energy_exported": grid.energy_received,
    }
    home_power = {"home_power": home.active_power}
    home_energy = {"home_energy": home.energy_delivered}
    battery = {"battery_power": store.active_power}
    battery_energy = {
        "battery_energy_charged": store.energy_received,
        "battery_energy_discharged": store.energy_delivered,
    }
    match profile.partition("+")[0]:
        case "no-meters" | "no-meters-404" | "no-meters-8.3" | "meters-disabled":
            return {
                "production_power": sum(truth.inverters.values()),
                "production_energy": made.energy_delivered,
            }
        case "production-only":
            return shown
        case "total-consumption" | "many-meters":
            return shown | grid_power | home_power | home_energy
        case "battery" | "meter-collar":
            charge = {"battery_charge": truth.battery.state_of_charge} if truth.battery else {}
            return (
                shown
                | grid_power
                | grid_energy
                | home_power
                | home_energy
                | battery
                | battery_energy
                | charge
            )
        case "battery-without-meter" | "ac-batteries":
            charge = {"battery_charge": truth.battery.state_of_charge} if truth.battery else {}
            # Estimated from the power since the set-up; the home energy starts from the counters of meters.
            estimated = {
                "battery_energy_charged": 0.0,
                "battery_energy_discharged": 0.0,
                "home_energy": sum(each.energy_delivered - each.energy_received for each in (made, grid)),
            }
            return shown | grid_power | grid_energy | home_power | battery | charge | estimated
    return shown | grid_power | grid_energy | home_power | home_energy


#: What else is enabled by default: the health of the gateway itself.
DIAGNOSTIC = {"token_expiry", "certificate_expiry"}


@pytest.mark.parametrize("profile", ORDINARY + RARE + QUIRKY)
async def test_sensors_enabled_by_default_match_the_house(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, entry: MockConfigEntry, profile: str
) -> None:
    await set_up(entry)
    truth = site_truth(simulator.house.truth(simulator.clock.time()), profile)
    # The house stands still: nothing was produced or consumed since the set-up, the start of the first day.
    truth |= {f"{key}_today": 0.0 for key in truth if "energy" in key}
    truth |= {"import_price": 0.25, "export_price": 0.08}
    enabled = {
        registered.unique_id.removeprefix(f"{simulator.serial_number}_"): registered.entity_category
        for registered in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
        if registered.domain == "sensor" and registered.disabled_by is None
    }
    assert {key for key, category in enabled.items() if category is None} == set(truth)
    assert {key for key, category in enabled.items() if category is not None} == DIAGNOSTIC
    for key, value in truth.items():
        scale = 1000 if "energy" in key else 1
        shown = float(state_of(hass, simulator, key)) * scale
        assert shown == pytest.approx(value, rel=0.001, abs=1), key


@pytest.mark.parametrize("profile", ["split-phase", "three-phase", "battery", "one-of-three", "many-meters"])
async def test_all_quantities_of_meters_and_wired_phases_match_the_house(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, entry: MockConfigEntry
) -> None:
    await set_up(entry, enable=True)
    at = datetime.fromisoformat(state_of(hass, simulator, "last_reading")).timestamp()
    truth = simulator.house.truth(at)
    house = simulator.house.profile
    registry, checked = er.async_get(hass), 0
    for meter in house.meters:
        if not meter.enabled:
            continue
        measured = truth.of(meter.measurement_type)
        kinds: list[tuple[str, Electricity]] = [("", measured.total)]
        if house.phase_count != 1:
            kinds += [(f"_l{number}", phase) for number, phase in enumerate(measured.phases, 1)]
        for suffix, electricity in kinds:
            for quantity in QUANTITIES:
                key = f"{meter.eid}_{meter.measurement_type}_{quantity}{suffix}"
                unique_id = f"{simulator.serial_number}_{key}"
                if registry.async_get_entity_id("sensor", DOMAIN, unique_id) is None:
                    # The sensors of the site show it.
                    assert suffix == ""
                    assert quantity in ("active_power", "energy_delivered", "energy_received")
                    continue
                value = getattr(electricity, quantity)
                if quantity == "voltage" and not suffix and house.phase_mode == "three":
                    # Gateways report the sum, which is not a voltage of the meter.
                    value /= len(measured.phases)
                if "energy" in quantity and value == 0:
                    # A zero is accepted once it persists.
                    assert state_of(hass, simulator, key) == STATE_UNKNOWN
                    continue
                shown = float(state_of(hass, simulator, key)) * (1000 if "energy" in quantity else 1)
                assert shown == pytest.approx(value, rel=0.001, abs=ROUNDED), key
                checked += 1
    assert checked >= 30


def test_every_quirk_occurs_in_a_profile() -> None:
    met = {quirk for name in ORDINARY + RARE + QUIRKY for quirk in find(name).quirks}
    # Temporary quirks are covered by the tests of energy sensors and failure modes.
    assert met >= QUIRKS.keys() - QUIRKS_OF_COMMANDS.keys() - {
        "storage-loses-phase",
        "meters-wrap",
        "inverter-wraps",
        "zeros-after-power-cut",
        "second-inverter",
    }


@pytest.mark.parametrize("profile", ["one-of-three"])
async def test_an_unwired_phase_has_no_sensors(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, entry: MockConfigEntry
) -> None:
    await set_up(entry)
    keys = {
        registered.unique_id
        for registered in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    }
    assert any(key.endswith("_l1") for key in keys)
    assert not any(key.endswith(("_l2", "_l3")) for key in keys)


@pytest.mark.parametrize("profile", ["single-phase"])
async def test_a_single_phase_meter_has_no_phase_sensors(
    hass: HomeAssistant, set_up: SetUp, entry: MockConfigEntry
) -> None:
    await set_up(entry)
    registered = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    assert any(each.unique_id.endswith("_voltage") for each in registered)
    assert not any(each.unique_id.endswith("_l1") for each in registered)


async def test_no_value_is_shown_by_two_sensors(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, entry: MockConfigEntry
) -> None:
    await set_up(entry)
    registry = er.async_get(hass)
    for key in ("704643328_production_active_power", "704643584_net-consumption_energy_received"):
        assert registry.async_get_entity_id("sensor", DOMAIN, f"{simulator.serial_number}_{key}") is None


@pytest.mark.parametrize("profile", ["three-phase", "battery"])
async def test_inverters_and_batteries_are_devices_that_show_their_last_report(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, entry: MockConfigEntry
) -> None:
    await set_up(entry, enable=True)
    registry = er.async_get(hass)
    truth = simulator.house.truth(simulator.clock.time())
    for inverter in simulator.house.inverters:
        power, report = (
            hass.states.get(
                str(registry.async_get_entity_id("sensor", DOMAIN, f"{inverter.serial_number}_{key}"))
            )
            for key in ("power", "last_report")
        )
        assert power is not None
        assert report is not None
        assert power.attributes["friendly_name"] == f"Inverter {inverter.serial_number}"
        # Microinverters report one after the other, each every five minutes.
        reported = simulator.house.truth(datetime.fromisoformat(report.state).timestamp())
        assert float(power.state) == pytest.approx(reported.inverters[inverter.serial_number], abs=0.5)
    if truth.battery is None:
        return
    charges = [state for state in hass.states.async_all("sensor") if state.entity_id.endswith("_level")]
    units = [float(state.state) for state in charges if state.entity_id.startswith("sensor.iq_battery")]
    assert len(units) == 3
    assert units == pytest.approx([truth.battery.state_of_charge] * 3, abs=1)
    for key, value in (
        ("battery_available_energy", truth.battery.available_energy / 1000),
        ("battery_capacity", truth.battery.capacity / 1000),
        ("battery_reserve", truth.battery.reserve),
    ):
        assert float(state_of(hass, simulator, key)) == pytest.approx(value, rel=0.01)
    connected = hass.states.get(f"binary_sensor.iq_gateway_{simulator.serial_number}_grid_connection")
    assert connected is not None
    assert connected.state == "on"


@pytest.mark.parametrize("profile", ["battery-without-meter"])
async def test_iq_and_ac_batteries_are_added_up(
    hass: HomeAssistant,
    simulator: Simulator,
    set_up: SetUp,
    entry: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    get = simulator.gateway._answers.get
    ac = {"type": "acb", "activeCount": 2, "wNow": 500, "whNow": 600, "percentFull": 25}
    more = {
        "/production.json": {"storage": [ac]},
        "/ivp/ensemble/secctrl": {
            "ACB_agg_soc": 25,
            "ACB_agg_energy": 600,
            "agg_soc": 33,
            "Max_energy": 17400,
        },
    }
    monkeypatch.setattr(
        simulator.gateway._answers,
        "get",
        lambda path, query: get(path, query) | more[path] if path in more else get(path, query),
    )
    await set_up(entry, enable=True)
    truth = simulator.house.truth(simulator.clock.time())
    assert truth.battery is not None
    for key, value in (
        ("battery_power", truth.battery.power + 500),
        # Home includes the power of these batteries.
        ("home_power", truth.total_consumption.total.active_power + 500),
        ("battery_charge", 33),
        ("battery_available_energy", truth.battery.available_energy / 1000 + 0.6),
        ("battery_capacity", 17.4),
        ("battery_reserve", truth.battery.reserve),
    ):
        assert float(state_of(hass, simulator, key)) == pytest.approx(value, rel=0.001, abs=1), key


async def test_sensors_of_meter_status_token_and_certificate_can_be_enabled(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, entry: MockConfigEntry
) -> None:
    await set_up(entry, enable=True)
    assert state_of(hass, simulator, "704643328_production_status") == "normal"
    assert state_of(hass, simulator, "firmware") == "8.2.4264"
    assert (
        state_of(hass, simulator, "token_expiry")
        == entry.runtime_data.token_renewal.token.expires_at.isoformat()
    )
    certificate = datetime.fromisoformat(state_of(hass, simulator, "certificate_expiry"))
    assert certificate > datetime(2026, 1, 1, tzinfo=UTC)
    problem = hass.states.get(f"binary_sensor.iq_gateway_{simulator.serial_number}_grid_meter_problem")
    assert problem is not None
    assert problem.state == "off"
    assert problem.attributes["status_flags"] == []


@pytest.mark.parametrize("profile", ["battery", "battery-without-meter"])
async def test_the_energy_dashboard_accepts_power_and_energy_sensors(
    hass: HomeAssistant, set_up: SetUp, entry: MockConfigEntry
) -> None:
    await set_up(entry)
    for state in hass.states.async_all("sensor"):
        if "energy" in state.entity_id:
            assert state.attributes["device_class"] == "energy"
            is_daily = state.entity_id.endswith("_today")
            assert state.attributes["state_class"] == ("total" if is_daily else "total_increasing")
            assert state.attributes["unit_of_measurement"] == "kWh"
        elif "power" in state.entity_id:
            assert state.attributes["device_class"] == "power"
            assert state.attributes["state_class"] == "measurement"
            assert state.attributes["unit_of_measurement"] == "W"


@pytest.mark.parametrize("profile", ["no-meters"])
async def test_the_power_of_a_silent_microinverter_is_unknown_and_excluded_from_sums(
    hass: HomeAssistant,
    simulator: Simulator,
    set_up: SetUp,
    entry: MockConfigEntry,
    tick: Tick,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The clock of a gateway without Internet access may be months behind.
    silent: dict[str, Any] = {}

    def changed(listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
        silent.update(silent or listed[0])
        return [dict(silent), *listed[1:]]

    change_response(monkeypatch, simulator, "/api/v1/production/inverters", changed)
    await set_up(entry, enable=True)

    def power(serial_number: str) -> str:
        entity_id = er.async_get(hass).async_get_entity_id("sensor", DOMAIN, f"{serial_number}_power")
        assert entity_id is not None
        state = hass.states.get(entity_id)
        assert state is not None
        return state.state

    first, *others = (inverter.serial_number for inverter in simulator.house.inverters)
    assert float(power(first)) == silent["lastReportWatts"]
    await tick(seconds=310, times=12)
    assert float(power(first)) == silent["lastReportWatts"]
    await tick(seconds=310, times=2)
    assert power(first) == STATE_UNKNOWN
    together = sum(float(power(other)) for other in others)
    assert together > 0
    assert float(state_of(hass, simulator, "production_power")) == together
    # Automations do not get the old power either; the maximum power stays known.
    response = await hass.services.async_call(
        DOMAIN,
        "get_readings",
        {"config_entry_id": entry.entry_id},
        blocking=True,
        return_response=True,
    )
    assert isinstance(response, dict)
    inverters: Any = response["inverters"]
    assert inverters[first]["power"] is None
    assert inverters[first]["max_power"] == silent["maxReportWatts"]


@pytest.mark.parametrize("profile", ["battery"])
@pytest.mark.parametrize(("watts", "shown"), [(1500.0, STATE_UNKNOWN), (0.0, "0.0")])
async def test_generator_power_is_not_grid_power_while_off_grid(
    hass: HomeAssistant,
    simulator: Simulator,
    set_up: SetUp,
    entry: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
    watts: float,
    shown: str,
) -> None:
    def disconnected(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            {**group, "devices": [device | {"mains_oper_state": "open"} for device in group["devices"]]}
            for group in groups
        ]

    def generated(readings: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [each | {"activePower": watts} if each["eid"] == 704643584 else each for each in readings]

    change_response(monkeypatch, simulator, "/ivp/ensemble/inventory", disconnected)
    change_response(monkeypatch, simulator, "/ivp/meters/readings", generated)
    await set_up(entry)
    assert state_of(hass, simulator, "grid_power") == shown
    # The generator supplies the home.
    truth = simulator.house.truth(simulator.clock.time())
    home = truth.production.total.active_power + watts + truth.storage.total.active_power
    assert float(state_of(hass, simulator, "home_power")) == pytest.approx(home, rel=0.01, abs=5)


@pytest.mark.parametrize("profile", ["battery-without-meter"])
async def test_a_battery_power_of_almost_zero_is_not_shown_as_minus_zero(
    hass: HomeAssistant,
    simulator: Simulator,
    set_up: SetUp,
    entry: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def idle(answer: dict[str, Any]) -> dict[str, Any]:
        return {"devices:": [unit | {"real_power_mw": -100} for unit in answer["devices:"]]}

    change_response(monkeypatch, simulator, "/ivp/ensemble/power", idle)
    await set_up(entry)
    # -0.3 W, which a dashboard without decimals would show as -0 W.
    assert float(state_of(hass, simulator, "battery_power")) >= 0
