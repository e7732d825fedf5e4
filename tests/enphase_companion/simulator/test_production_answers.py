"""Answers about sums, microinverters and batteries: the house's values at their timestamp."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from enphase_companion.simulator import battery_answers, inverter_answers, production_answers, system_answers
from enphase_companion.simulator.counter_wraps import INVERTER_LIMIT
from enphase_companion.simulator.house import House
from enphase_companion.simulator.profiles import PROFILES

#: Noon at the house in autumn.
AT = 1_764_000_123
LONGITUDE = 180 - (AT % 86400) / 240


@cache
def build_house(profile: str) -> House:
    """Return a house that all tests share, as its days take long to compute."""
    return House(PROFILES[profile], 1, AT, LONGITUDE)


def index_entries(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the entries of /production.json by measurement type."""
    both = [*answer["production"], *answer.get("consumption", [])]
    return {entry.get("measurementType", entry["type"]): entry for entry in both}


@pytest.mark.parametrize("profile", ["single-phase", "three-phase", "battery", "total-consumption"])
def test_production_json_equals_the_true_values_at_its_reading_time(profile: str) -> None:
    built = build_house(profile)
    found = index_entries(production_answers.production(built, AT, details=True))
    for name in ("production", "total-consumption", "net-consumption"):
        entry = found[name]
        truth = built.truth(entry["readingTime"]).of(name)
        assert entry["activeCount"] == 1
        assert entry["wNow"] == pytest.approx(truth.total.active_power, abs=0.0006)
        lifetime = truth.total.energy_delivered
        if name == "net-consumption":
            lifetime -= truth.total.energy_received
        assert entry["whLifetime"] == pytest.approx(lifetime, abs=0.0006)
        assert len(entry["lines"]) == 3
        for line, phase in zip(entry["lines"], truth.phases, strict=False):
            assert line["wNow"] == pytest.approx(phase.active_power, abs=0.0006)
            assert line["rmsVoltage"] == pytest.approx(phase.voltage, abs=0.0006)


def test_energy_today_and_this_week_start_at_midnight_in_the_house() -> None:
    built = build_house("three-phase")
    entry = index_entries(production_answers.production(built, AT, details=False))["production"]
    counted = [
        built.truth(at).production.total.energy_delivered
        for at in (AT, built.midnight(AT), built.midnight(AT) - 7 * 86400)
    ]
    assert entry["whToday"] == pytest.approx(counted[0] - counted[1], abs=0.001)
    assert entry["whLastSevenDays"] == pytest.approx(counted[1] - counted[2], abs=0.001)
    assert entry["whToday"] > 500


def test_phases_are_reported_with_details_only() -> None:
    assert (
        "lines"
        not in index_entries(production_answers.production(build_house("three-phase"), AT, details=False))[
            "production"
        ]
    )


def test_microinverters_sum_up_at_the_last_full_five_minutes() -> None:
    built = build_house("no-meters")
    answer = production_answers.production(built, AT, details=True)
    assert "consumption" not in answer
    [entry] = answer["production"]
    assert entry["readingTime"] == AT // 300 * 300
    truth = built.truth(entry["readingTime"])
    assert entry["wNow"] == round(truth.production.total.active_power) > 100
    produced = truth.production.total.energy_delivered
    # The sum of this firmware is modulo 2^32 J.
    assert produced > 2 * INVERTER_LIMIT
    assert entry["whLifetime"] == round(produced % INVERTER_LIMIT)
    summary = production_answers.summary(built, AT)
    assert summary["wattsNow"] == entry["wNow"]
    assert summary["wattHoursLifetime"] == round(produced)


def test_firmware_8_3_without_meters_counts_energy_of_microinverters_only() -> None:
    built = build_house("no-meters-8.3")
    [entry] = production_answers.production(built, AT, details=True)["production"]
    truth = built.truth(entry["readingTime"])
    assert entry["whLifetime"] == round(truth.production.total.energy_delivered)
    summary = production_answers.summary(built, AT)
    assert summary.pop("wattsNow") == entry["wNow"]
    assert set(summary.values()) == {0}


def test_a_gateway_without_transformers_reports_noise_and_constant_sums() -> None:
    built = build_house("meters-disabled")
    found = index_entries(production_answers.production(built, AT, details=True))
    assert found["production"]["activeCount"] == found["net-consumption"]["activeCount"] == 0
    assert abs(found["production"]["wNow"]) < 10
    assert found["inverters"]["wNow"] > 100
    assert production_answers.summary(built, AT) == production_answers.summary(built, AT + 86400)


def test_firmware_8_3_reports_net_as_total_and_lifetime_as_today() -> None:
    found = index_entries(production_answers.production(build_house("many-meters"), AT, details=True))
    total, net = found["total-consumption"], found["net-consumption"]
    assert (total["wNow"], total["whLifetime"]) == (net["wNow"], net["whLifetime"])
    assert found["production"]["whToday"] == found["production"]["whLifetime"]


def test_each_microinverter_reports_its_watts_of_the_last_five_minutes() -> None:
    built = build_house("three-phase")
    reported = inverter_answers.inverters(built, AT)
    assert len({report["serialNumber"] for report in reported}) == 12
    assert len({report["lastReportDate"] for report in reported}) == 12
    for report in reported:
        assert AT - 300 < report["lastReportDate"] <= AT
        watts = built.truth(report["lastReportDate"]).inverters[report["serialNumber"]]
        assert report["lastReportWatts"] == round(watts)
        assert report["lastReportWatts"] <= report["maxReportWatts"]


def test_microinverters_are_silent_at_night() -> None:
    built = build_house("three-phase")
    midnight = int(built.midnight(AT)) + 86400
    for report in inverter_answers.inverters(built, midnight):
        assert midnight - 10 * 3600 < report["lastReportDate"] < midnight - 5 * 3600
        assert report["lastReportWatts"] <= 3


@pytest.mark.slow
def test_device_data_agrees_with_the_reports_and_ends_at_fifty_devices() -> None:
    built = build_house("three-phase")
    data = inverter_answers.device_data(built, AT)
    reported = {report["serialNumber"]: report for report in inverter_answers.inverters(built, AT)}
    devices = [device for device in data.values() if isinstance(device, dict)]
    assert data["deviceCount"] == len(devices) == 12
    lifetime = 0.0
    for device in devices:
        [channel] = device["channels"]
        assert channel["watts"]["now"] == reported[device["sn"]]["lastReportWatts"]
        assert channel["lastReading"]["endDate"] == reported[device["sn"]]["lastReportDate"]
        mean = channel["lastReading"]["joulesProduced"] / channel["lastReading"]["duration"]
        assert mean == pytest.approx(channel["watts"]["now"], rel=0.5)
        lifetime += channel["lifetime"]["joulesProduced"] / 3600
    assert lifetime == pytest.approx(built.truth(AT).production.total.energy_delivered, rel=1e-4)
    many = inverter_answers.device_data(build_house("sixty-inverters"), AT)
    assert many["deviceCount"] == many["deviceDataLimit"] == 50
    assert len(inverter_answers.inverters(build_house("sixty-inverters"), AT)) == 60


def test_batteries_report_their_charge_and_power() -> None:
    built = build_house("battery")
    state = built.truth(AT).battery
    assert state is not None
    sums = battery_answers.secctrl(built, AT)
    assert sums["ENC_agg_soc"] == sums["agg_soc"] == round(state.state_of_charge)
    assert sums["ENC_agg_avail_energy"] == round(state.available_energy)
    assert sums["Enc_max_available_capacity"] == 15000
    assert sums["configured_backup_soc"] == 20
    powers = battery_answers.power(built, AT)["devices:"]
    assert sum(unit["real_power_mw"] for unit in powers) / 1000 == pytest.approx(state.power, abs=0.01)
    units, controllers = battery_answers.inventory(built, AT)
    assert [unit["serial_num"] for unit in units["devices"]] == [unit["serial_num"] for unit in powers]
    for unit in units["devices"]:
        then = built.truth(unit["last_rpt_date"]).battery
        assert then is not None
        assert unit["percentFull"] == round(then.state_of_charge)
    assert controllers["devices"][0]["mains_oper_state"] == "closed"


def test_ac_batteries_are_listed_with_the_microinverters_and_in_no_ensemble() -> None:
    built = build_house("ac-batteries")
    state = built.truth(AT).battery
    assert state is not None
    assert battery_answers.inventory(built, AT) == []
    assert battery_answers.secctrl(built, AT)["ACB_agg_soc"] == round(state.state_of_charge)
    [storage] = production_answers.production(built, AT, details=False)["storage"]
    assert (storage["activeCount"], storage["wNow"]) == (4, round(state.power))
    kinds = [report["devType"] for report in inverter_answers.inverters(built, AT)]
    assert kinds == [1] * 12 + [11] * 4


def test_the_live_view_updates_for_a_quarter_of_an_hour_after_it_is_switched_on() -> None:
    built = build_house("battery")
    live = system_answers.LiveView(built)
    assert live.status(AT)["meters"]["last_update"] == 0
    assert live.switch(True, AT) == {"sc_stream": "enabled"}
    status = live.status(AT + 5)
    truth = built.truth(AT + 5)
    assert status["connection"]["sc_stream"] == "enabled"
    assert status["meters"]["last_update"] == AT + 5
    for name, measured in (
        ("pv", truth.production),
        ("grid", truth.net_consumption),
        ("load", truth.total_consumption),
        ("storage", truth.storage),
    ):
        assert status["meters"][name]["agg_p_mw"] == round(measured.total.active_power * 1000)
        assert status["meters"][name]["agg_p_ph_a_mw"] == round(measured.phases[0].active_power * 1000)
    assert live.status(AT + 3600)["meters"]["last_update"] == AT + 900
    live.switch(True, AT + 4000)
    live.switch(False, AT + 4010)
    assert live.status(AT + 4100)["meters"]["last_update"] == AT + 4010


def test_devices_around_the_batteries_follow_the_grid() -> None:
    for profile, connected in (("battery", "mains_oper_state"), ("meter-collar", "admin_state_str")):
        built = House(PROFILES[profile], 1, AT, LONGITUDE)
        before = battery_answers.inventory(built, AT)[1]["devices"][0][connected]
        built.order(AT + 5, relay="open")
        devices = battery_answers.inventory(built, AT + 5)
        assert devices[1]["devices"][0][connected] != before
        assert devices[0]["devices"][0]["reported_enc_grid_state"] == "multimode-offgrid"
    combiner = battery_answers.inventory(built, AT)[2]
    assert combiner["type"] == "C6 COMBINER CONTROLLER"
    assert combiner["devices"][0]["communicating"]
