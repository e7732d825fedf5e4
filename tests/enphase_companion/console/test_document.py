"""The JSON document: its values equal the house's, for every profile and firmware bug."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from enphase_companion.commands.gateway_console import main
from enphase_companion.simulator.profiles import PROFILES
from enphase_companion.simulator.truth import Electricity, Truth

from ..cli_user import CliUser

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "scripts.md"
EVERY_PROFILE = [name for name, profile in PROFILES.items() if profile.uses_tokens]
#: The profiles of a fast run of the tests.
FAST_PROFILES = ("no-meters", "three-phase", "battery")

#: The tolerance: gateways round to thousandths.
TOLERANCE = 0.0011


def read_document(user: CliUser) -> Any:
    result = user.run(main, "--json")
    assert result.status == 0, result.err
    assert not result.err
    return json.loads(result.out)


def to_seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


def get_truth(user: CliUser, document: Any) -> Truth:
    """Return the true values of the house at the time of measurement."""
    return user.simulator.house.truth(to_seconds(document["meters"][0]["measured_at"]))


def mark_slow(names: Iterable[str]) -> list[Any]:
    """Return profiles as parameters, with the less common ones marked as slow."""
    return [pytest.param(name, marks=() if name in FAST_PROFILES else pytest.mark.slow) for name in names]


@pytest.mark.parametrize("profile", mark_slow(EVERY_PROFILE))
def test_each_enabled_meter_and_wired_phase_has_the_values_of_the_house(
    create_still_user: Callable[..., CliUser], profile: str
) -> None:
    user = create_still_user(profile)
    document = read_document(user)
    expected = [meter for meter in PROFILES[profile].meters if meter.listed]
    assert [meter["eid"] for meter in document["meters"]] == [meter.eid for meter in expected]
    assert [meter["enabled"] for meter in document["meters"]] == [meter.enabled for meter in expected]
    for meter in document["meters"]:
        if not meter["enabled"]:
            assert meter["total"] is None
            assert not meter["phases"]
            continue
        house = user.simulator.house.truth(to_seconds(meter["measured_at"])).of(meter["type"])
        if meter["total"]["active_power_w"] is None:
            assert "phase-is-lost" in PROFILES[profile].quirks or profile == "storage-loses-phase"
            continue
        assert_equals_house(meter["total"], house.total, sums=len(house.phases))
        assert [phase["phase"] for phase in meter["phases"]] == [
            f"L{number}" for number in range(1, len(house.phases) + 1)
        ]
        for phase, wired in zip(meter["phases"], house.phases, strict=True):
            assert_equals_house(phase, wired)


def assert_equals_house(values: dict[str, float], house: Electricity, sums: int = 1) -> None:
    """Compare all values of a meter or phase; `sums` is the number of phases of a meter."""
    assert values["active_power_w"] == pytest.approx(house.active_power, abs=TOLERANCE)
    assert values["reactive_power_var"] == pytest.approx(house.reactive_power, abs=TOLERANCE)
    assert values["apparent_power_va"] == pytest.approx(house.apparent_power, abs=TOLERANCE)
    assert values["current_a"] == pytest.approx(house.current, abs=TOLERANCE)
    assert values["frequency_hz"] == pytest.approx(house.frequency, abs=TOLERANCE)
    assert values["power_factor"] == pytest.approx(house.power_factor, abs=0.011)
    # The voltage of three phases is a mean, that of split phase a real sum of 240 V.
    volts = house.voltage / sums if sums == 3 else house.voltage
    assert values["voltage_v"] == pytest.approx(volts, abs=TOLERANCE)
    assert values["energy_delivered_wh"] == pytest.approx(house.energy_delivered, abs=TOLERANCE)
    assert values["energy_received_wh"] == pytest.approx(house.energy_received, abs=TOLERANCE)


METERED = [name for name in EVERY_PROFILE if PROFILES[name].measures("production")]
CONSUMING = [
    name for name in METERED if name not in ("production-only", "storage-loses-phase", "ac-batteries")
]


@pytest.mark.parametrize("profile", mark_slow(METERED))
def test_production_equals_that_of_the_house(create_still_user: Callable[..., CliUser], profile: str) -> None:
    user = create_still_user(profile)
    document = read_document(user)
    house = get_truth(user, document).production.total
    assert document["production"]["source"] == "meter"
    assert document["production"]["power_w"] == pytest.approx(house.active_power, abs=TOLERANCE)
    assert document["production"]["lifetime_wh"] == pytest.approx(house.energy_delivered, abs=TOLERANCE)


@pytest.mark.parametrize("profile", mark_slow(CONSUMING))
@pytest.mark.parametrize("hour", [12, pytest.param(21, marks=pytest.mark.slow)])
def test_consumption_grid_and_battery_equal_those_of_the_house(
    create_still_user: Callable[..., CliUser], profile: str, hour: float
) -> None:
    user = create_still_user(profile, hour_of_day=hour)
    document = read_document(user)
    house = get_truth(user, document)
    home, net, storage = house.total_consumption.total, house.net_consumption.total, house.storage.total
    assert document["consumption"]["power_w"] == pytest.approx(home.active_power, abs=0.02)
    if profile != "battery-without-meter":
        assert document["consumption"]["lifetime_wh"] == pytest.approx(home.energy_delivered, abs=0.02)
    grid = document["grid"]
    assert grid["power_w"] == pytest.approx(net.active_power, abs=0.02)
    assert grid["direction"] == get_direction(grid["power_w"])
    if PROFILES[profile].measures("net-consumption"):
        assert grid["imported_lifetime_wh"] == pytest.approx(net.energy_delivered, abs=TOLERANCE)
        assert grid["exported_lifetime_wh"] == pytest.approx(net.energy_received, abs=TOLERANCE)
    else:
        assert grid["imported_lifetime_wh"] is None
        assert grid["exported_lifetime_wh"] is None
    if PROFILES[profile].battery is None:
        assert document["battery"] is None
    else:
        # Each of the three batteries rounds to thousandths of a watt.
        assert document["battery"]["power_w"] == pytest.approx(storage.active_power, abs=0.05)


def test_consumption_with_ac_batteries_equals_that_of_the_house(
    create_still_user: Callable[..., CliUser],
) -> None:
    user = create_still_user("ac-batteries", hour_of_day=21)
    document = read_document(user)
    house = get_truth(user, document)
    assert house.battery is not None
    # A gateway reports AC Batteries in whole watts, watt-hours and percent.
    home = house.total_consumption.total.active_power
    assert document["consumption"]["power_w"] == pytest.approx(home, abs=0.51)
    battery = document["battery"]
    assert battery["power_w"] == pytest.approx(house.battery.power, abs=0.51)
    assert battery["state_of_charge_percent"] == pytest.approx(house.battery.state_of_charge, abs=0.51)
    assert battery["available_wh"] == pytest.approx(house.battery.available_energy, abs=0.51)
    assert battery["capacity_wh"] == pytest.approx(house.battery.capacity, abs=0.51)
    assert battery["units"] == []


def get_direction(grid_power: float) -> str:
    return "import" if grid_power > 0 else "export" if grid_power < 0 else "none"


def test_batteries_equal_those_of_the_house(create_still_user: Callable[..., CliUser]) -> None:
    user = create_still_user("battery", hour_of_day=21)
    document = read_document(user)
    house = get_truth(user, document)
    assert house.battery is not None
    battery = document["battery"]
    assert battery["state_of_charge_percent"] == pytest.approx(house.battery.state_of_charge, abs=1)
    assert battery["available_wh"] == pytest.approx(house.battery.available_energy, abs=5)
    assert battery["capacity_wh"] == pytest.approx(house.battery.capacity)
    assert battery["reserve_percent"] == pytest.approx(house.battery.reserve)
    assert battery["discharged_lifetime_wh"] == pytest.approx(
        house.storage.total.energy_delivered, abs=TOLERANCE
    )
    assert battery["charged_lifetime_wh"] == pytest.approx(house.storage.total.energy_received, abs=TOLERANCE)
    assert battery["grid_connected"] is True
    assert len(battery["units"]) == 3
    assert sum(unit["power_w"] for unit in battery["units"]) == pytest.approx(house.battery.power, abs=0.05)


@pytest.mark.parametrize("profile", ["no-meters", "no-meters-404", "meters-disabled"])
def test_production_without_enabled_meters_is_that_of_the_inverters(
    create_still_user: Callable[..., CliUser], profile: str
) -> None:
    user = create_still_user(profile, hour_of_day=12)
    document = read_document(user)
    reported = sum(inverter["last_reported_power_w"] for inverter in document["inverters"])
    assert document["production"]["source"] == "inverters"
    # The reports of single inverters are some minutes older than their sum.
    assert document["production"]["power_w"] == pytest.approx(reported, rel=0.2)
    house = user.simulator.house.truth(to_seconds(document["measured_at"])).production.total
    assert document["production"]["lifetime_wh"] == pytest.approx(house.energy_delivered, rel=1e-4)
    assert document["consumption"] == {"power_w": None, "lifetime_wh": None}
    assert set(document["grid"].values()) == {None}


@pytest.mark.parametrize("profile", ["single-phase", "sixty-inverters", "ac-batteries"])
def test_each_inverter_has_its_last_report(create_still_user: Callable[..., CliUser], profile: str) -> None:
    user = create_still_user(profile, hour_of_day=12)
    inverters = read_document(user)["inverters"]
    house = user.simulator.house
    assert [each["serial_number"] for each in inverters] == [each.serial_number for each in house.inverters]
    for each in inverters:
        at = to_seconds(each["last_reported_at"])
        produced = house.truth(at).inverters[each["serial_number"]]
        assert each["last_reported_power_w"] == pytest.approx(produced, abs=0.51)
        assert each["reporting"]


def test_at_night_no_inverter_reports_and_nothing_is_produced(
    create_still_user: Callable[..., CliUser],
) -> None:
    document = read_document(create_still_user("no-meters", hour_of_day=1))
    assert document["production"]["power_w"] == 0
    assert not any(inverter["reporting"] for inverter in document["inverters"])


def test_todays_energy_equals_that_of_the_house_if_the_firmware_is_correct(
    create_still_user: Callable[..., CliUser],
) -> None:
    user = create_still_user("three-phase", hour_of_day=15)
    document = read_document(user)
    house = user.simulator.house
    at = to_seconds(document["measured_at"])
    since_midnight = (
        house.truth(at).production.total.energy_delivered
        - house.truth(house.midnight(at)).production.total.energy_delivered
    )
    assert since_midnight > 1000
    assert document["production"]["today_wh"] == pytest.approx(since_midnight, abs=2)


@pytest.mark.parametrize("profile", ["many-meters", "no-meters", "meters-disabled"])
def test_todays_energy_is_unknown_if_the_firmware_is_wrong(
    create_still_user: Callable[..., CliUser], profile: str
) -> None:
    assert read_document(create_still_user(profile))["production"]["today_wh"] is None


@pytest.mark.parametrize("path", ["/production.json", "/ivp/ensemble/inventory"])
def test_a_failed_slow_endpoint_is_named_and_the_rest_is_complete(
    create_still_user: Callable[..., CliUser], path: str
) -> None:
    user = create_still_user("battery")
    user.simulator.faults.set("status", path, status=503)
    document = read_document(user)
    assert len(document["problems"]) == 1
    assert path in document["problems"][0]
    assert document["production"]["power_w"] is not None
    assert (document["production"]["today_wh"] is None) == (path == "/production.json")
    assert (document["storage"] is None) == (path != "/production.json")
    assert bool(document["devices"]) == bool(document["dry_contacts"]) == (path != "/ivp/ensemble/inventory")


def test_the_mode_of_the_generator_and_the_loads_of_contacts_are_listed(
    create_still_user: Callable[..., CliUser],
) -> None:
    document = read_document(create_still_user("generator"))
    assert document["generator"] == {
        "mode": "off",
        "connected": False,
        "start_percent": 30,
        "stop_percent": 80,
        "charge_from_generator": True,
    }
    assert [contact["load"] for contact in document["dry_contacts"]] == [
        "air conditioner",
        "dryer",
        "pool pump",
        None,
    ]


def test_the_present_prices_are_those_of_the_tariff(create_still_user: Callable[..., CliUser]) -> None:
    user = create_still_user("three-phase")
    prices = {"currency": "EUR", "import_price_per_kwh": 0.25, "export_price_per_kwh": 0.08}
    assert read_document(user)["tariff"] == prices
    user.simulator.faults.set("status", "/admin/lib/tariff", status=404)
    assert read_document(user)["tariff"] is None


def test_failed_details_of_microinverters_are_replaced_by_the_list(
    create_still_user: Callable[..., CliUser],
) -> None:
    user = create_still_user("three-phase")
    detailed = read_document(user)
    user.simulator.faults.set("status", "/ivp/pdm/device_data", status=503)
    listed = read_document(user)
    assert not listed["problems"]
    for one, other in zip(detailed["inverters"], listed["inverters"], strict=True):
        assert other == {key: one[key] for key in other}
        assert {"lifetime_wh", "dc_voltage_v", "temperature_celsius"} <= one.keys() - other.keys()
    user.simulator.faults.set("status", "/api/v1/production/inverters", status=503)
    document = read_document(user)
    assert (document["inverters"], len(document["problems"])) == (None, 1)
    assert "/api/v1/production/inverters" in document["problems"][0]


@pytest.mark.parametrize("profile", ["battery", "meter-collar"])
def test_the_devices_around_the_batteries_are_listed(
    create_still_user: Callable[..., CliUser], profile: str
) -> None:
    document = read_document(create_still_user(profile))
    assert document["storage"]["mode"] == "self-consumption"
    assert document["storage"]["reserve_percent"] == 20
    assert document["storage"]["document_is_outdated"] is False
    types = [device["type"] for device in document["devices"]]
    contacts = [contact["id"] for contact in document["dry_contacts"]]
    if profile == "battery":
        assert types == ["system_controller"]
        assert document["devices"][0]["state"] == "closed"
        assert contacts == ["NC1", "NC2", "NO1", "NO2"]
    else:
        assert types[0] == "meter_collar"
        assert document["devices"][0]["state"] == "on grid"
        assert contacts == []
    assert document["devices"][0]["communicating"] is True
    assert document["devices"][0]["temperature_celsius"] is not None


@pytest.mark.parametrize(
    ("fault", "values"),
    [
        ("status", "503"),
        ("html", "not with JSON"),
        ("truncated", "not with JSON"),
        ("reset", "did not answer"),
    ],
)
def test_failed_meters_are_an_error_without_a_document(
    create_still_user: Callable[..., CliUser], fault: str, values: str
) -> None:
    user = create_still_user()
    user.simulator.faults.set(fault, "/ivp/meters/readings")
    result = user.run(main, "--json")
    assert result.status == 1
    assert not result.out
    assert values in result.error
    assert "/ivp/meters/readings" in result.error


def test_a_document_takes_few_requests(create_still_user: Callable[..., CliUser]) -> None:
    user = create_still_user("three-phase")
    read_document(user)
    requested = [request.path for request in user.simulator.requests]
    assert len(requested) == len(set(requested)), "nothing twice"
    assert set(requested) == {
        "/info",
        "/auth/check_jwt",
        "/ivp/meters",
        "/ivp/meters/readings",
        "/ivp/pdm/device_data",
        "/admin/lib/tariff",
        "/ivp/ensemble/inventory",
        "/ivp/ensemble/secctrl",
        "/production.json",
    }


def test_the_documentation_names_every_key(create_still_user: Callable[..., CliUser]) -> None:
    documentation = DOCUMENTATION.read_text()
    document = read_document(create_still_user("battery"))
    missing = {key for key in collect_keys(document) if f"`{key}`" not in documentation}
    assert document["schema_version"] == 1
    assert not missing


def collect_keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from collect_keys(each)
