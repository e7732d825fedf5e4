"""The JSON document: its numbers are the house's own, whatever meters and quirks the gateway has."""

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
EVERY_PROFILE = [name for name, profile in PROFILES.items() if profile.speaks_tokens]
#: Those that a quick run of the tests looks at.
ORDINARY = ("no-meters", "three-phase", "battery")

#: Gateways round to thousandths.
ROUNDED = 0.0011


def read_document(user: CliUser) -> Any:
    result = user.run(main, "--json")
    assert result.status == 0, result.err
    assert not result.err
    return json.loads(result.out)


def seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def truth(user: CliUser, document: Any) -> Truth:
    """Return the house at the moment that its meters were read."""
    return user.simulator.house.truth(seconds(document["meters"][0]["measured_at"]))


def slowly(names: Iterable[str]) -> list[Any]:
    """Return profiles as parameters, the rarer ones marked as slow."""
    return [pytest.param(name, marks=() if name in ORDINARY else pytest.mark.slow) for name in names]


@pytest.mark.parametrize("profile", slowly(EVERY_PROFILE))
def test_each_enabled_meter_and_wired_phase_reads_what_the_house_has(
    still: Callable[..., CliUser], profile: str
) -> None:
    user = still(profile)
    document = read_document(user)
    expected = [meter for meter in PROFILES[profile].meters if meter.listed]
    assert [meter["eid"] for meter in document["meters"]] == [meter.eid for meter in expected]
    assert [meter["enabled"] for meter in document["meters"]] == [meter.enabled for meter in expected]
    for meter in document["meters"]:
        if not meter["enabled"]:
            assert meter["total"] is None
            assert not meter["phases"]
            continue
        house = user.simulator.house.truth(seconds(meter["measured_at"])).of(meter["type"])
        if meter["total"]["active_power_w"] is None:
            assert "phase-is-lost" in PROFILES[profile].quirks or profile == "storage-loses-phase"
            continue
        check(meter["total"], house.total, sums=len(house.phases))
        assert [phase["phase"] for phase in meter["phases"]] == [
            f"L{number}" for number in range(1, len(house.phases) + 1)
        ]
        for phase, wired in zip(meter["phases"], house.phases, strict=True):
            check(phase, wired)


def check(said: dict[str, float], house: Electricity, sums: int = 1) -> None:
    """Compare all of a meter or phase; `sums`: of how many phases a whole meter consists."""
    assert said["active_power_w"] == pytest.approx(house.active_power, abs=ROUNDED)
    assert said["reactive_power_var"] == pytest.approx(house.reactive_power, abs=ROUNDED)
    assert said["apparent_power_va"] == pytest.approx(house.apparent_power, abs=ROUNDED)
    assert said["current_a"] == pytest.approx(house.current, abs=ROUNDED)
    assert said["frequency_hz"] == pytest.approx(house.frequency, abs=ROUNDED)
    assert said["power_factor"] == pytest.approx(house.power_factor, abs=0.011)
    # Three phases are a mean, split phase is the sum that is really there: 240 V.
    volts = house.voltage / sums if sums == 3 else house.voltage
    assert said["voltage_v"] == pytest.approx(volts, abs=ROUNDED)
    assert said["energy_delivered_wh"] == pytest.approx(house.energy_delivered, abs=ROUNDED)
    assert said["energy_received_wh"] == pytest.approx(house.energy_received, abs=ROUNDED)


METERED = [name for name in EVERY_PROFILE if PROFILES[name].measures("production")]
CONSUMING = [
    name for name in METERED if name not in ("production-only", "storage-loses-phase", "ac-batteries")
]


@pytest.mark.parametrize("profile", slowly(METERED))
def test_production_is_the_houses(still: Callable[..., CliUser], profile: str) -> None:
    user = still(profile)
    document = read_document(user)
    house = truth(user, document).production.total
    assert document["production"]["source"] == "meter"
    assert document["production"]["power_w"] == pytest.approx(house.active_power, abs=ROUNDED)
    assert document["production"]["lifetime_wh"] == pytest.approx(house.energy_delivered, abs=ROUNDED)


@pytest.mark.parametrize("profile", slowly(CONSUMING))
@pytest.mark.parametrize("hour", [12, pytest.param(21, marks=pytest.mark.slow)])
def test_consumption_grid_and_battery_are_the_houses(
    still: Callable[..., CliUser], profile: str, hour: float
) -> None:
    user = still(profile, hour_of_day=hour)
    document = read_document(user)
    house = truth(user, document)
    home, net, storage = house.total_consumption.total, house.net_consumption.total, house.storage.total
    assert document["consumption"]["power_w"] == pytest.approx(home.active_power, abs=0.02)
    if profile != "battery-without-meter":
        assert document["consumption"]["lifetime_wh"] == pytest.approx(home.energy_delivered, abs=0.02)
    grid = document["grid"]
    assert grid["power_w"] == pytest.approx(net.active_power, abs=0.02)
    assert grid["direction"] == direction(grid["power_w"])
    if PROFILES[profile].measures("net-consumption"):
        assert grid["imported_lifetime_wh"] == pytest.approx(net.energy_delivered, abs=ROUNDED)
        assert grid["exported_lifetime_wh"] == pytest.approx(net.energy_received, abs=ROUNDED)
    else:
        assert grid["imported_lifetime_wh"] is None
        assert grid["exported_lifetime_wh"] is None
    if PROFILES[profile].battery is None:
        assert document["battery"] is None
    else:
        # Three batteries report thousandths of a watt each.
        assert document["battery"]["power_w"] == pytest.approx(storage.active_power, abs=0.05)


def test_consumption_beside_ac_batteries_is_the_houses(still: Callable[..., CliUser]) -> None:
    user = still("ac-batteries", hour_of_day=21)
    document = read_document(user)
    house = truth(user, document)
    assert house.battery is not None
    # A gateway gives whole watts, watt-hours and per cents of AC Batteries.
    home = house.total_consumption.total.active_power
    assert document["consumption"]["power_w"] == pytest.approx(home, abs=0.51)
    battery = document["battery"]
    assert battery["power_w"] == pytest.approx(house.battery.power, abs=0.51)
    assert battery["state_of_charge_percent"] == pytest.approx(house.battery.state_of_charge, abs=0.51)
    assert battery["available_wh"] == pytest.approx(house.battery.available_energy, abs=0.51)
    assert battery["capacity_wh"] == pytest.approx(house.battery.capacity, abs=0.51)
    assert battery["units"] == []


def direction(grid_power: float) -> str:
    return "import" if grid_power > 0 else "export" if grid_power < 0 else "none"


def test_batteries_are_the_houses(still: Callable[..., CliUser]) -> None:
    user = still("battery", hour_of_day=21)
    document = read_document(user)
    house = truth(user, document)
    assert house.battery is not None
    battery = document["battery"]
    assert battery["state_of_charge_percent"] == pytest.approx(house.battery.state_of_charge, abs=1)
    assert battery["available_wh"] == pytest.approx(house.battery.available_energy, abs=5)
    assert battery["capacity_wh"] == pytest.approx(house.battery.capacity)
    assert battery["reserve_percent"] == pytest.approx(house.battery.reserve)
    assert battery["discharged_lifetime_wh"] == pytest.approx(
        house.storage.total.energy_delivered, abs=ROUNDED
    )
    assert battery["charged_lifetime_wh"] == pytest.approx(house.storage.total.energy_received, abs=ROUNDED)
    assert battery["grid_connected"] is True
    assert len(battery["units"]) == 3
    assert sum(unit["power_w"] for unit in battery["units"]) == pytest.approx(house.battery.power, abs=0.05)


@pytest.mark.parametrize("profile", ["no-meters", "no-meters-404", "meters-disabled"])
def test_without_enabled_meters_production_is_what_the_inverters_reported(
    still: Callable[..., CliUser], profile: str
) -> None:
    user = still(profile, hour_of_day=12)
    document = read_document(user)
    reported = sum(inverter["last_reported_power_w"] for inverter in document["inverters"])
    assert document["production"]["source"] == "inverters"
    # Some minutes lie between the reports of the single inverters and their sum.
    assert document["production"]["power_w"] == pytest.approx(reported, rel=0.2)
    house = user.simulator.house.truth(seconds(document["measured_at"])).production.total
    assert document["production"]["lifetime_wh"] == pytest.approx(house.energy_delivered, rel=1e-4)
    assert document["consumption"] == {"power_w": None, "lifetime_wh": None}
    assert set(document["grid"].values()) == {None}


@pytest.mark.parametrize("profile", ["single-phase", "sixty-inverters", "ac-batteries"])
def test_each_inverter_is_there_with_what_it_last_reported(
    still: Callable[..., CliUser], profile: str
) -> None:
    user = still(profile, hour_of_day=12)
    inverters = read_document(user)["inverters"]
    house = user.simulator.house
    assert [each["serial_number"] for each in inverters] == [each.serial_number for each in house.inverters]
    for each in inverters:
        at = seconds(each["last_reported_at"])
        made = house.truth(at).inverters[each["serial_number"]]
        assert each["last_reported_power_w"] == pytest.approx(made, abs=0.51)
        assert each["reporting"]


def test_at_night_no_inverter_reports_and_nothing_is_produced(still: Callable[..., CliUser]) -> None:
    document = read_document(still("no-meters", hour_of_day=1))
    assert document["production"]["power_w"] == 0
    assert not any(inverter["reporting"] for inverter in document["inverters"])


def test_todays_energy_is_the_houses_where_the_firmware_is_honest(still: Callable[..., CliUser]) -> None:
    user = still("three-phase", hour_of_day=15)
    document = read_document(user)
    house = user.simulator.house
    at = seconds(document["measured_at"])
    since_midnight = (
        house.truth(at).production.total.energy_delivered
        - house.truth(house.midnight(at)).production.total.energy_delivered
    )
    assert since_midnight > 1000
    assert document["production"]["today_wh"] == pytest.approx(since_midnight, abs=2)


@pytest.mark.parametrize("profile", ["many-meters", "no-meters", "meters-disabled"])
def test_todays_energy_is_unknown_where_the_firmware_is_not(
    still: Callable[..., CliUser], profile: str
) -> None:
    assert read_document(still(profile))["production"]["today_wh"] is None


@pytest.mark.parametrize(
    "path", ["/production.json", "/api/v1/production/inverters", "/ivp/ensemble/inventory"]
)
def test_a_slow_page_that_fails_is_named_and_all_else_is_there(
    still: Callable[..., CliUser], path: str
) -> None:
    user = still("battery")
    user.simulator.faults.set("status", path, status=503)
    document = read_document(user)
    assert len(document["problems"]) == 1
    assert path in document["problems"][0]
    assert document["production"]["power_w"] is not None
    assert (document["inverters"] is None) == (path == "/api/v1/production/inverters")
    assert (document["production"]["today_wh"] is None) == (path != "/ivp/ensemble/inventory")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("status", "503"),
        ("html", "not with JSON"),
        ("truncated", "not with JSON"),
        ("reset", "did not answer"),
    ],
)
def test_meters_that_fail_are_an_error_and_no_document(
    still: Callable[..., CliUser], fault: str, said: str
) -> None:
    user = still()
    user.simulator.faults.set(fault, "/ivp/meters/readings")
    result = user.run(main, "--json")
    assert result.status == 1
    assert not result.out
    assert said in result.error
    assert "/ivp/meters/readings" in result.error


def test_the_gateway_is_asked_gently(still: Callable[..., CliUser]) -> None:
    user = still("three-phase")
    read_document(user)
    asked = [request.path for request in user.simulator.requests]
    assert len(asked) == len(set(asked)), "nothing twice"
    assert set(asked) == {
        "/info",
        "/auth/check_jwt",
        "/ivp/meters",
        "/ivp/meters/readings",
        "/api/v1/production/inverters",
        "/ivp/ensemble/inventory",
        "/ivp/ensemble/secctrl",
        "/production.json",
    }


def test_the_documentation_names_every_key(still: Callable[..., CliUser]) -> None:
    documentation = DOCUMENTATION.read_text()
    missing = {key for key in keys(read_document(still("battery"))) if f"`{key}`" not in documentation}
    assert not missing


def keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from keys(each)
