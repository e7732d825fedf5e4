"""Meters and their readings: matching, corrections and phases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from enphase_api import InvalidAnswerError
from enphase_api.models import Meter, Quantities, Reading, Readings, Report

PRODUCTION, NET, STORAGE = 704643328, 704643584, 704643840


def build_meter(eid: int, kind: str, **more: Any) -> dict[str, Any]:
    return {
        "eid": eid,
        "measurementType": kind,
        "state": "enabled",
        "phaseMode": "three",
        "phaseCount": 3,
    } | more


def build_channel(volts: float = 230.0, **more: Any) -> dict[str, Any]:
    return {"voltage": volts, "activePower": 100.0, "actEnergyDlvd": 1000.0, "actEnergyRcvd": 0.0} | more


def build_reading(eid: int, *channels: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"eid": eid, "timestamp": 1_700_000_000, "activePower": 300.0, "channels": list(channels)} | more


def parse_reading(answer: dict[str, Any], **meter: Any) -> Reading:
    """Parse one reading of a production meter, with further fields in the list of meters."""
    (found,) = Readings.from_json(
        [build_reading(PRODUCTION) | answer],
        Meter.list_from_json([build_meter(PRODUCTION, "production", **meter)]),
    )
    return found


def test_a_meter_is_read_from_the_meter_list() -> None:
    (meter,) = Meter.list_from_json(
        [
            build_meter(
                PRODUCTION,
                "production",
                meteringStatus="check-wiring",
                statusFlags=["negative-production", 7],
            )
        ]
    )
    assert meter == Meter(
        eid=PRODUCTION,
        measurement_type="production",
        enabled=True,
        phase_mode="three",
        phase_count=3,
        metering_status="check-wiring",
        status_flags=("negative-production",),
    )


def test_an_incomplete_meter_is_skipped() -> None:
    answer = [
        {"measurementType": "production"},
        {"eid": PRODUCTION},
        {"eid": -1, "measurementType": "storage"},
    ]
    assert Meter.list_from_json(answer) == ()


def test_a_meter_without_a_state_counts_as_disabled() -> None:
    (meter,) = Meter.list_from_json([{"eid": 1, "measurementType": "evse", "statusFlags": "x"}])
    assert meter == Meter(eid=1, measurement_type="evse", enabled=False)


@pytest.mark.parametrize("count", [-1, 0, 4, None])
def test_a_meter_with_an_impossible_number_of_phases_has_one(count: int | None) -> None:
    assert Meter.list_from_json([build_meter(1, "evse", phaseCount=count)])[0].phase_count == 1


def test_readings_are_joined_by_eid_and_not_by_their_order() -> None:
    meters = Meter.list_from_json(
        [build_meter(NET, "net-consumption"), build_meter(PRODUCTION, "production")]
    )
    answer = [
        build_reading(PRODUCTION, activePower=1.0),
        build_reading(NET, activePower=2.0),
        build_reading(99),
        build_reading(99),
        {},
    ]
    readings = Readings.from_json(answer, meters)
    assert [(each.meter.measurement_type, each.total.active_power) for each in readings] == [
        ("net-consumption", 2.0),
        ("production", 1.0),
    ]
    assert readings.unknown_eids == (99,)
    assert readings.get("net-consumption") is readings.readings[0]
    assert readings.get("storage") is None


def test_the_first_listed_of_two_meters_of_a_type_is_used_in_any_order_of_readings() -> None:
    second = PRODUCTION + 1
    meters = Meter.list_from_json([build_meter(PRODUCTION, "production"), build_meter(second, "production")])
    answer = [build_reading(second), build_reading(PRODUCTION)]
    for each in (answer, answer[::-1]):
        first = Readings.from_json(each, meters).get("production")
        assert first is not None
        assert first.meter.eid == PRODUCTION


def test_a_disabled_meter_that_still_reports_is_skipped() -> None:
    meters = Meter.list_from_json([build_meter(PRODUCTION, "production", state="disabled")])
    readings = Readings.from_json([build_reading(PRODUCTION)], meters)
    assert list(readings) == []
    assert readings.unknown_eids == ()


def test_readings_are_as_new_as_the_newest() -> None:
    meters = Meter.list_from_json(
        [build_meter(PRODUCTION, "production"), build_meter(NET, "net-consumption")]
    )
    answer = [build_reading(PRODUCTION), build_reading(NET, timestamp=1_700_000_009)]
    assert Readings.from_json(answer, meters).measured_at == datetime(2023, 11, 14, 22, 13, 29, tzinfo=UTC)
    assert Readings.from_json([build_reading(PRODUCTION, timestamp=0)], meters).measured_at is None
    assert Readings(()).measured_at is None


def test_every_quantity_is_read_from_its_key() -> None:
    keys = {
        "active_power": "activePower",
        "reactive_power": "reactivePower",
        "apparent_power": "apparentPower",
        "voltage": "voltage",
        "current": "current",
        "power_factor": "pwrFactor",
        "frequency": "freq",
        "energy_delivered": "actEnergyDlvd",
        "energy_received": "actEnergyRcvd",
        "apparent_energy": "apparentEnergy",
        "reactive_energy_lagging": "reactEnergyLagg",
        "reactive_energy_leading": "reactEnergyLead",
    }
    data = {key: 0.01 * position for position, key in enumerate(keys.values(), 1)}
    quantities = Quantities.from_reading(data)
    assert {name: getattr(quantities, name) for name in keys} == {
        name: data[key] for name, key in keys.items()
    }


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("activePower", 1e8),
        ("voltage", -1),
        ("voltage", 2000),
        ("freq", 6000),
        ("pwrFactor", 4),
        ("actEnergyDlvd", -5),
        ("actEnergyRcvd", 1e13),
        ("current", "5"),
    ],
)
def test_an_implausible_value_is_none_and_the_others_stay(key: str, value: Any) -> None:
    total = parse_reading({"apparentPower": 5.0} | {key: value}).total
    assert total.apparent_power == 5.0
    assert Quantities.from_reading({key: value}) == Quantities()


def test_phases_are_those_that_the_meter_counts() -> None:
    found = parse_reading(
        {"channels": [build_channel(230), build_channel(231), build_channel(232)]},
        phaseCount=1,
        phaseMode="single",
    )
    assert [phase and phase.voltage for phase in found.phases] == [230]


def test_a_phase_that_is_not_wired_is_none() -> None:
    found = parse_reading(
        {"channels": [build_channel(235), build_channel(6.1), build_channel(11.5)], "voltage": 235.2}
    )
    assert [phase and phase.voltage for phase in found.phases] == [235, None, None]
    assert found.total.voltage == 235.2


def test_a_phase_of_unknown_voltage_counts_as_wired() -> None:
    found = parse_reading({"channels": [{"activePower": 5.0}]})
    assert found.phases == (Quantities(active_power=5.0),)


def test_a_three_phase_voltage_is_the_mean_of_its_phases() -> None:
    found = parse_reading(
        {"channels": [build_channel(238), build_channel(236), build_channel(240)], "voltage": 714}
    )
    assert found.total.voltage == 238


def test_a_phase_of_unknown_voltage_is_not_in_the_mean_of_a_three_phase_meter() -> None:
    found = parse_reading({"channels": [build_channel(238), build_channel(240), {}], "voltage": 478})
    assert found.total.voltage == 239


def test_a_split_phase_voltage_is_the_reported_sum() -> None:
    found = parse_reading(
        {"channels": [build_channel(121), build_channel(122)], "voltage": 243},
        phaseMode="split",
        phaseCount=2,
    )
    assert found.total.voltage == 243


@pytest.mark.parametrize(
    ("factor", "active", "apparent", "expected"),
    [
        (0.95, 100.0, 50.0, 0.95),
        (1.55, 352.751, 454.238, 352.751 / 454.238),
        (-1.7, -400.0, 500.0, -0.8),
        (1.55, 100.0, 0.0, None),
        (1.55, None, 100.0, None),
        (1.55, 200.0, 100.0, None),
        (-1.7, -200.0, 100.0, None),
        (1.55, 100.0, 100.0, 1.0),
        (1.55, 80.0, -100.0, 0.8),
        (1.0, 80.0, 100.0, 1.0),
        (None, 100.0, 100.0, None),
    ],
)
def test_a_summed_power_factor_is_recomputed(
    factor: float | None, active: float | None, apparent: float, expected: float | None
) -> None:
    total = parse_reading({"pwrFactor": factor, "activePower": active, "apparentPower": apparent}).total
    assert total.power_factor == expected


def build_storage(*channels: dict[str, Any], delivered: float = 1000.0) -> Reading:
    meters = Meter.list_from_json([build_meter(STORAGE, "storage", phaseMode="split", phaseCount=2)])
    (found,) = Readings.from_json([build_reading(STORAGE, *channels, actEnergyDlvd=delivered)], meters)
    return found


LOST = {"voltage": 0.0, "actEnergyDlvd": 0.0, "actEnergyRcvd": 0.0, "activePower": 0.0}


def test_a_storage_meter_that_loses_a_phase_has_an_unknown_total() -> None:
    found = build_storage(build_channel(121), LOST)
    assert found.total == Quantities()
    assert found.phases[0] is not None
    assert found.phases[0].energy_delivered == 1000.0
    assert found.phases[1] == Quantities()
    found = build_storage(LOST, build_channel(121))
    assert found.total.energy_delivered is None
    assert found.phases[0] == Quantities()


def test_a_storage_meter_with_both_phases_is_accepted() -> None:
    assert (
        build_storage(build_channel(121), build_channel(122), delivered=2000.0).total.energy_delivered
        == 2000.0
    )
    # A storage meter that was never used: zeros are correct.
    assert (
        build_storage(LOST | {"voltage": 121.0}, LOST | {"voltage": 122.0}, delivered=0.0).total.active_power
        == 300.0
    )
    # The total exceeds the other phase: nothing was lost.
    assert build_storage(build_channel(121), LOST, delivered=1500.0).total.energy_delivered == 1500.0


@pytest.mark.parametrize("known", [{"voltage": 121.0}, {"actEnergyDlvd": 5.0}, {"actEnergyRcvd": 5.0}])
def test_a_storage_phase_with_a_voltage_or_an_energy_is_not_lost(known: dict[str, float]) -> None:
    assert build_storage(build_channel(121), LOST | known).total.energy_delivered == 1000.0


def test_only_a_storage_meter_loses_a_phase() -> None:
    found = parse_reading(
        {"channels": [build_channel(121), LOST], "actEnergyDlvd": 1000.0}, phaseMode="split", phaseCount=2
    )
    assert found.total.energy_delivered == 1000.0


def test_a_reading_in_the_shape_of_a_report_holds_the_wired_phases_only() -> None:
    report = parse_reading(
        {
            "channels": [build_channel(235, freq=50.0), build_channel(3), build_channel(4)],
            "actEnergyDlvd": 9.0,
        }
    ).as_report()
    assert report["createdAt"] == 1_700_000_000
    assert report["reportType"] == "production"
    assert report["cumulative"]["currW"] == report["cumulative"]["actPower"] == 300.0
    assert report["cumulative"]["whDlvdCum"] == 9.0
    assert [line["rmsVoltage"] for line in report["lines"]] == [235]
    assert set(report["lines"][0]) == {
        "currW", "actPower", "apprntPwr", "reactPwr", "whDlvdCum", "whRcvdCum", "varhLagCum", "varhLeadCum",
        "vahCum", "rmsVoltage", "rmsCurrent", "pwrFactor", "freqHz",
    }  # fmt: skip
    assert parse_reading({"timestamp": 0}).as_report()["createdAt"] is None


def test_a_report_round_trips() -> None:
    found = parse_reading(
        {"channels": [build_channel(235), build_channel(236), build_channel(237)], "actEnergyDlvd": 9.0}
    )
    (report,) = Report.list_from_json([found.as_report()])
    assert report.created_at == found.measured_at
    assert (report.report_type, report.cumulative, report.lines) == ("production", found.total, found.phases)


def test_a_report_without_its_type_is_skipped_and_one_without_values_is_empty() -> None:
    reports = Report.list_from_json([{}, {"reportType": "production"}])
    assert reports == (Report(report_type="production", created_at=None, cumulative=Quantities(), lines=()),)
    with pytest.raises(InvalidAnswerError):
        Report.list_from_json([{"reportType": "production", "cumulative": 5}])


@pytest.mark.parametrize("answer", [{}, None, "x", [1], [[]]])
def test_an_answer_without_a_list_of_meters_or_readings_is_an_error(answer: object) -> None:
    with pytest.raises(InvalidAnswerError, match="/ivp/meters did"):
        Meter.list_from_json(answer)
    with pytest.raises(InvalidAnswerError, match="/ivp/meters/readings did"):
        Readings.from_json(answer, ())
    with pytest.raises(InvalidAnswerError, match="/ivp/meters/reports did"):
        Report.list_from_json(answer)


def parse_storage_phase(active_power: float, current: float) -> Quantities | None:
    """Return the only phase of a storage meter, with a net meter at 120 V and 10 A."""
    meters = [Meter(eid=1, measurement_type="net-consumption", enabled=True)]
    meters.append(Meter(eid=2, measurement_type="storage", enabled=True))
    net = {"voltage": 120, "current": 10, "activePower": 900, "actEnergyDlvd": 5}
    storage = {"voltage": 120, "current": current, "activePower": active_power, "actEnergyDlvd": 7}
    answer = [{"eid": 1, **net, "channels": [net]}, {"eid": 2, **storage, "channels": [storage]}]
    found = Readings.from_json(answer, meters).get("storage")
    assert found is not None
    assert found.total.active_power == (found.phases[0] and found.phases[0].active_power)
    return found.phases[0]


def test_a_power_that_another_meters_volts_and_amperes_cannot_carry_is_unknown() -> None:
    phase = parse_storage_phase(active_power=-2115, current=10)
    assert phase is not None
    assert phase.active_power is phase.current is None
    # The wire is the same, and its counters still rise.
    assert (phase.voltage, phase.energy_delivered) == (120, 7)


def test_the_other_phases_of_a_meter_keep_their_power() -> None:
    meters = [Meter(eid=1, measurement_type="net-consumption", enabled=True)]
    meters.append(Meter(eid=2, measurement_type="storage", enabled=True, phase_mode="split", phase_count=2))
    net = {"voltage": 120, "current": 10, "activePower": 900, "actEnergyDlvd": 5}
    copied, own = net | {"activePower": -2115}, build_channel(121, current=4, activePower=-400)
    answer = [{"eid": 1, **net, "channels": [net]}, {"eid": 2, "voltage": 241, "channels": [copied, own]}]
    found = Readings.from_json(answer, meters).get("storage")
    assert found is not None
    assert [phase and phase.active_power for phase in found.phases] == [None, -400]


@pytest.mark.parametrize(("active_power", "current"), [(-1150, 10), (-1800, 10.001)])
def test_a_plausible_power_is_accepted(active_power: float, current: float) -> None:
    phase = parse_storage_phase(active_power, current)
    assert phase is not None
    assert phase.active_power == active_power


def test_the_power_of_a_phase_is_its_demand() -> None:
    # 8.3.5433: 431.202 + 364.572 is not 786.513.
    channels = [
        build_channel(121.374, activePower=431.202, instantaneousDemand=425.708),
        build_channel(121.412, activePower=364.572, instantaneousDemand=360.805),
    ]
    found = parse_reading({"channels": channels, "activePower": 786.513}, phaseMode="split", phaseCount=2)
    assert [phase and phase.active_power for phase in found.phases] == [425.708, 360.805]
    assert found.total.active_power == pytest.approx(425.708 + 360.805)
    # In a report, the two have other names.
    lines = [{"currW": 425.708, "actPower": 431.202, "rmsVoltage": 121.0}]
    (report,) = Report.list_from_json(
        [{"reportType": "production", "cumulative": {"actPower": 786.513, "currW": 0.5}, "lines": lines}]
    )
    assert (report.cumulative.active_power, report.lines[0].active_power) == (786.513, 425.708)


@pytest.mark.parametrize("key", ["activePower", "reactivePower", "apparentPower"])
@pytest.mark.parametrize(
    ("value", "is_believed"),
    [(5_284_029, False), (-5_284_029, False), (4_330, False), (4_310, True), (-4_310, True)],
)
def test_a_power_that_volts_and_amperes_cannot_carry_is_unknown(
    key: str, value: float, is_believed: bool
) -> None:
    names = {
        "activePower": "active_power",
        "reactivePower": "reactive_power",
        "apparentPower": "apparent_power",
    }
    answer = {key: value, "voltage": 240.0, "current": 12.0, "actEnergyDlvd": 5_284_029.0}
    found = parse_reading(answer | {"channels": [build_channel() | answer]}, phaseMode="single", phaseCount=1)
    for quantities in (found.total, *found.phases):
        assert quantities is not None
        assert getattr(quantities, names[key]) == (value if is_believed else None)
        assert (quantities.voltage, quantities.current, quantities.energy_delivered) == (240, 12, 5_284_029)


def test_a_power_above_a_megawatt_is_unknown() -> None:
    assert parse_reading({"activePower": 999_000}).total.active_power == 999_000
    assert parse_reading({"activePower": 1_000_001}).total.active_power is None
    assert Quantities.from_report({"actPower": 5_284_029}).active_power is None


def test_a_small_power_is_accepted_if_its_current_is_too_small_to_measure() -> None:
    assert parse_reading({"activePower": -4.0, "voltage": 240, "current": 0.0}).total.active_power == -4
    assert parse_reading({"activePower": -400.0, "voltage": 240, "current": 0.0}).total.active_power is None


@pytest.mark.parametrize("line", [{"current": 3.0}, {"voltage": 240, "current": -3.0}])
def test_a_power_is_accepted_beside_an_unknown_voltage_or_a_negative_current(line: dict[str, float]) -> None:
    assert parse_reading({"activePower": 700.0} | line).total.active_power == 700


def test_the_power_limit_of_a_three_phase_meter_uses_one_phase_voltage() -> None:
    # 239 V by 10 A is 2,390 VA; 717 V by 10 A would be three times as much.
    found = parse_reading(
        {
            "channels": [build_channel(239)] * 3,
            "voltage": 717,
            "current": 10,
            "activePower": 5_000,
            "pwrFactor": 1,
        }
    )
    assert found.total.active_power is None


def test_a_frequency_of_0_hertz_is_unknown() -> None:
    found = parse_reading({"freq": 0.0, "voltage": 120, "channels": [build_channel(120, freq=0.0)]})
    assert found.total.frequency is None
    assert found.phases[0] is not None
    assert found.phases[0].frequency is None
    assert found.phases[0].voltage == 120
    assert Quantities.from_report({"freqHz": 0.0, "rmsVoltage": 120}).frequency is None
