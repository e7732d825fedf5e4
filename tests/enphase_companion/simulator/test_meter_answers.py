"""Meter answers: the shape of recorded ones, and the house's values at their timestamp."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from enphase_companion.simulator import meter_answers
from enphase_companion.simulator.house import House
from enphase_companion.simulator.profiles import PROFILES
from enphase_companion.simulator.truth import Electricity

AT = 1_764_000_000
#: The names of a reading's values in the truth.
QUANTITIES = {
    "actEnergyDlvd": "energy_delivered",
    "actEnergyRcvd": "energy_received",
    "apparentEnergy": "energy_apparent",
    "reactEnergyLagg": "energy_lagging",
    "reactEnergyLead": "energy_leading",
    "instantaneousDemand": "active_power",
    "activePower": "active_power",
    "apparentPower": "apparent_power",
    "reactivePower": "reactive_power",
    "pwrFactor": "power_factor",
    "voltage": "voltage",
    "current": "current",
    "freq": "frequency",
}


@cache
def build_house(profile: str) -> House:
    """Return a house that all tests share, as its days take long to compute."""
    return House(PROFILES[profile], 1, AT, 12.0)


def assert_equals(values: dict[str, Any], truth: Electricity) -> None:
    for name, quantity in QUANTITIES.items():
        assert values[name] == pytest.approx(getattr(truth, quantity), abs=0.0006), name


@pytest.mark.parametrize(
    "profile", ["production-only", "single-phase", "split-phase", "three-phase", "battery"]
)
def test_readings_equal_the_true_values_at_their_timestamp(profile: str) -> None:
    built = build_house(profile)
    types = {meter["eid"]: meter["measurementType"] for meter in meter_answers.meters(built)}
    read = meter_answers.readings(built, AT)
    assert [reading["eid"] for reading in read] == list(types)
    for reading in read:
        truth = built.truth(reading["timestamp"]).of(types[reading["eid"]])
        assert_equals(reading, truth.total)
        for channel, phase in zip(reading["channels"], truth.phases, strict=False):
            assert channel["timestamp"] == reading["timestamp"]
            assert_equals(channel, phase)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_meter_has_three_channels_and_the_recorded_eids(profile: str) -> None:
    for reading in meter_answers.readings(build_house(profile), AT):
        eids = [channel["eid"] for channel in reading["channels"]]
        first = reading["eid"] - 704643328 + 1778385169
        assert eids == [first, first + 1, first + 2]
        assert set(reading) == {"eid", "timestamp", *QUANTITIES, "channels"}


def test_the_meter_list_reports_how_the_house_is_wired() -> None:
    assert meter_answers.meters(build_house("no-meters")) == []
    assert meter_answers.readings(build_house("no-meters"), AT) == []
    assert meter_answers.meters(build_house("split-phase"))[1] == {
        "eid": 704643584,
        "state": "enabled",
        "measurementType": "net-consumption",
        "phaseMode": "split",
        "phaseCount": 2,
        "meteringStatus": "normal",
        "statusFlags": [],
    }


def test_a_split_phase_has_no_third_and_one_of_three_phases_has_noise_on_the_others() -> None:
    third = meter_answers.readings(build_house("split-phase"), AT)[0]["channels"][2]
    assert not any(value for name, value in third.items() if name not in ("eid", "timestamp"))
    reading = meter_answers.readings(build_house("one-of-three"), AT)[0]
    assert meter_answers.meters(build_house("one-of-three"))[0]["phaseCount"] == 3
    for unwired in reading["channels"][1:]:
        assert 0 < unwired["voltage"] < 15
        assert -2 < unwired["activePower"] < 2
    assert reading["voltage"] == reading["channels"][0]["voltage"]


def test_disabled_meters_still_report_noise() -> None:
    meters = meter_answers.meters(build_house("meters-disabled"))
    assert [meter["state"] for meter in meters] == ["disabled", "disabled"]
    for reading in meter_answers.readings(build_house("meters-disabled"), AT):
        assert -10 < reading["activePower"] < 10
        assert reading["voltage"] > 600


def test_firmware_8_3_lists_many_meters_and_reads_one_it_does_not_list() -> None:
    built = build_house("many-meters")
    listed = {meter["eid"]: meter for meter in meter_answers.meters(built)}
    read = {reading["eid"]: reading for reading in meter_answers.readings(built, AT)}
    assert [meter["measurementType"] for meter in listed.values()][2:] == [
        "storage", "backfeed", "load", "evse", "pv3p",
    ]  # fmt: skip
    assert read.keys() - listed.keys() == {1023410688}
    assert read[704644352]["timestamp"] == 0
    production = read[704643328]
    assert production["pwrFactor"] == pytest.approx(
        sum(channel["pwrFactor"] for channel in production["channels"])
    )
    assert production["apparentEnergy"] < 1


def test_the_storage_meter_of_8_3_6087_loses_a_phase_every_fifth_minute() -> None:
    built = build_house("storage-loses-phase")
    lost, complete = (meter_answers.readings(built, AT + seconds)[2] for seconds in (0, 60))
    assert lost["channels"][0]["actEnergyDlvd"] == 0
    assert lost["actEnergyDlvd"] == lost["channels"][1]["actEnergyDlvd"] > 0
    assert_equals(complete, built.truth(AT + 60).storage.total)


def test_reports_hold_net_and_total_consumption_if_one_is_metered() -> None:
    for profile, types in (
        ("no-meters", []),
        ("production-only", ["production"]),
        ("three-phase", ["production", "net-consumption", "total-consumption"]),
        ("total-consumption", ["production", "net-consumption", "total-consumption"]),
    ):
        built = build_house(profile)
        reports = meter_answers.reports(built, AT)
        assert [report["reportType"] for report in reports] == types
        for report in reports:
            truth = built.truth(report["createdAt"]).of(report["reportType"])
            assert len(report["lines"]) == built.profile.wired
            assert report["cumulative"]["actPower"] == pytest.approx(truth.total.active_power, abs=0.0006)
            assert report["cumulative"]["whDlvdCum"] == pytest.approx(
                truth.total.energy_delivered, abs=0.0006
            )
            assert report["cumulative"]["whRcvdCum"] == pytest.approx(truth.total.energy_received, abs=0.0006)
            assert report["lines"][0]["rmsVoltage"] == pytest.approx(truth.phases[0].voltage, abs=0.0006)


def test_the_stream_holds_each_phase_of_each_type() -> None:
    built = build_house("split-phase")
    event = meter_answers.get_stream_event(built, AT)
    assert list(event) == ["production", "net-consumption", "total-consumption"]
    assert list(event["production"]) == ["ph-a", "ph-b", "ph-c"]
    truth = built.truth(AT).net_consumption.phases[1]
    assert event["net-consumption"]["ph-b"]["p"] == pytest.approx(truth.active_power, abs=0.0006)
    assert not any(event["production"]["ph-c"].values())
