"""Messages: compatible with Enphase-API in both directions, without values that no meter measured."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from enphase_api.json_values import is_printable
from enphase_api.local import Gateway
from enphase_api.models import Meter, Quantities, Reading, Readings
from enphase_companion.message import (
    MAX_BODY,
    MAX_SAMPLES,
    Message,
    MessageError,
    Sample,
    are_complete,
    build_reports,
    decode,
    encode,
    from_readings,
)
from enphase_companion.simulator import Simulator
from enphase_companion.simulator.profiles import PROFILES
from tests.houses import JUNE

from ..amqp_helpers import read_as_enphase_api_does

AT = 1_764_000_000
NOW = AT + 0.25
SERIAL = "122300000001"


def build_quantities(
    power: float, delivered: float = 5000.0, received: float = 100.0, **other: Any
) -> Quantities:
    values = {
        "active_power": power, "reactive_power": -power / 10, "apparent_power": abs(power) * 1.005,
        "voltage": 230.0, "current": abs(power) / 230, "power_factor": 0.99, "frequency": 50.0,
        "energy_delivered": delivered, "energy_received": received, "apparent_energy": 6000.0,
        "reactive_energy_lagging": 10.0, "reactive_energy_leading": 20.0,
    }  # fmt: skip
    return Quantities(**{**values, **other})


def build_reading(measurement: str, *phases: float | None, at: int | None = AT, **other: Any) -> Reading:
    """Return the reading of a meter with these powers on its phases. None is a phase that is not wired."""
    meter = Meter(
        eid=abs(hash(measurement)), measurement_type=measurement, enabled=True, phase_count=len(phases)
    )
    wired = [power for power in phases if power is not None]
    return Reading(
        meter=meter,
        measured_at=None if at is None else datetime.fromtimestamp(at, UTC),
        total=build_quantities(sum(wired), 5000.0 * len(wired), 100.0 * len(wired), **other),
        phases=tuple(None if power is None else build_quantities(power) for power in phases),
    )


def build_message(*readings: Reading, **other: Any) -> Message:
    return from_readings(Readings(readings), SERIAL, NOW, **other)


def get_reports(*readings: Reading, **other: Any) -> dict[str, Any]:
    return {each["reportType"]: each for each in build_reports(build_message(*readings, **other))}


@pytest.mark.parametrize(
    "readings",
    [
        [build_reading("production", 1850.25), build_reading("net-consumption", -930.5)],
        [
            build_reading("production", 500.0, 600.0, 700.0),
            build_reading("net-consumption", -100.0, 50.0, -20.0),
        ],
        [build_reading("production", 500.0, 500.0), build_reading("total-consumption", 300.0, 200.0)],
        [
            build_reading("storage", -900.0, -900.0),
            build_reading("net-consumption", 9.0, 8.0),
            build_reading("production", 950.0, 940.0),
        ],
        [
            build_reading("production", 900.0, None, None),
            build_reading("net-consumption", -90.0, 100.0, 30.0),
            build_reading("evse", 7.0),
        ],
    ],
)
def test_messages_have_all_keys_that_enphase_api_reads(readings: list[Reading]) -> None:
    msg = build_message(*readings)
    assert are_complete(build_reports(msg))
    rows = read_as_enphase_api_does(encode(msg, build_reports(msg)))
    assert list(rows) == ["production", "net-consumption", "total-consumption"]
    wired = {each.meter.measurement_type: len([p for p in each.phases if p is not None]) for each in readings}
    assert {name: len(lines) for name, lines in rows.items()} | wired == {
        **wired,
        "production": wired["production"],
        "net-consumption": wired.get("net-consumption", wired.get("total-consumption")),
        "total-consumption": wired.get("total-consumption", wired.get("net-consumption")),
    }


def test_home_is_the_sum_of_production_net_and_storage_in_total_and_per_phase() -> None:
    home = get_reports(
        build_reading("production", 1000.0, 500.0),
        build_reading("net-consumption", -300.0, 200.0),
        build_reading("storage", -400.0, 50.0),
    )["total-consumption"]
    assert home["cumulative"]["actPower"] == pytest.approx(1050)
    assert [line["actPower"] for line in home["lines"]] == pytest.approx([300, 750])
    assert home["cumulative"]["reactPwr"] == pytest.approx(-105)
    assert home["cumulative"]["apprntPwr"] == pytest.approx((1050**2 + 105**2) ** 0.5)
    # Each meter delivered 5,000 Wh and received 100 Wh on each of two phases.
    assert home["cumulative"]["whDlvdCum"] == pytest.approx(3 * 2 * 4900)
    assert home["cumulative"]["rmsCurrent"] == pytest.approx(
        sum(line["rmsCurrent"] for line in home["lines"])
    )
    # The received and apparent energies of a sum are unknown.
    assert home["cumulative"]["whRcvdCum"] is None
    assert home["cumulative"]["vahCum"] is None


def test_net_power_is_the_difference_of_metered_total_and_production_without_energies() -> None:
    net = get_reports(build_reading("production", 1000.0), build_reading("total-consumption", 300.0))[
        "net-consumption"
    ]
    assert net["cumulative"]["actPower"] == pytest.approx(-700)
    assert net["cumulative"]["whDlvdCum"] is None
    assert net["cumulative"]["whRcvdCum"] is None


def test_home_is_a_sum_even_if_total_consumption_is_metered() -> None:
    meters = (
        build_reading("production", 1500.0, 1500.0),
        build_reading("net-consumption", -600.0, -400.0),
        build_reading("total-consumption", 900.0, 1000.0),
    )
    home = get_reports(*meters)["total-consumption"]
    assert home["cumulative"]["actPower"] == pytest.approx(2000)
    assert [line["actPower"] for line in home["lines"]] == pytest.approx([900, 1100])
    assert are_complete(build_reports(build_message(*meters)))
    # The message also has the meter's reading.
    samples = {
        (each.measurement, each.phase): each.quantities
        for each in decode(encode(build_message(*meters))).samples
    }
    assert samples["total-consumption", 0].active_power == 1900


def test_a_phase_without_production_has_consumption_only() -> None:
    home = get_reports(
        build_reading("production", 900.0, None, None), build_reading("net-consumption", -90.0, 100.0, 30.0)
    )
    assert [line["actPower"] for line in home["total-consumption"]["lines"]] == pytest.approx([810, 100, 30])


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        ([build_reading("production", 900.0)], ["production"]),
        ([build_reading("net-consumption", 900.0)], ["net-consumption"]),
        ([], []),
        (
            [build_reading("production", 900.0), build_reading("net-consumption", 900.0, at=AT - 60)],
            ["production", "net-consumption"],
        ),
        (
            [build_reading("production", 900.0), build_reading("net-consumption", 900.0, active_power=None)],
            ["production"],
        ),
        (
            [build_reading("production", 9.0, power_factor=None), build_reading("net-consumption", 9.0)],
            ["net-consumption", "total-consumption"],
        ),
    ],
    ids=[
        "no consumption meter",
        "no production meter",
        "no meters",
        "an old reading",
        "no power",
        "no factor",
    ],
)
def test_unknown_reports_are_left_out_rather_than_zero(readings: list[Reading], expected: list[str]) -> None:
    assert list(get_reports(*readings)) == expected
    assert not are_complete(build_reports(build_message(*readings)))


def test_consumption_is_unknown_with_unmetered_batteries() -> None:
    readings = [build_reading("production", 900.0), build_reading("net-consumption", 100.0)]
    msg = build_message(*readings, unmetered_batteries=True)
    assert list(get_reports(*readings, unmetered_batteries=True)) == ["production", "net-consumption"]
    assert not are_complete(build_reports(msg))
    assert decode(encode(msg)).has_unmetered_batteries is True
    readings[1] = build_reading("total-consumption", 1000.0)
    assert list(get_reports(*readings, unmetered_batteries=True)) == ["production", "total-consumption"]


def test_a_message_is_decoded_as_it_was_encoded() -> None:
    msg = build_message(
        build_reading("production", 900.0, None, 20.0),
        build_reading("net-consumption", -90.0, 100.0, 30.0, reactive_energy_leading=None),
        build_reading("pv3p", 3.0),
    )
    decoded = decode(encode(msg))
    assert decoded == replace(msg, message_id=None)
    assert [(each.measurement, each.phase) for each in decoded.samples] == [
        ("production", 0), ("production", 1), ("production", 3),
        ("net-consumption", 0), ("net-consumption", 1), ("net-consumption", 2), ("net-consumption", 3),
        ("pv3p", 0), ("pv3p", 1),
    ]  # fmt: skip
    assert {each.measured_at for each in decoded.samples} == {AT * 1000}


def test_every_message_has_a_unique_id() -> None:
    assert len({build_message(build_reading("production", 1.0)).message_id for _ in range(10)}) == 10


def test_a_meter_without_a_time_of_measurement_is_left_out() -> None:
    samples = build_message(
        build_reading("production", 900.0, at=None), build_reading("net-consumption", 1.0)
    ).samples
    assert {each.measurement for each in samples} == {"net-consumption"}


def test_a_meter_with_a_too_long_type_is_left_out() -> None:
    msg = build_message(build_reading("x" * 33, 900.0), build_reading("net-consumption", 1.0))
    assert {each.measurement for each in msg.samples} == {"net-consumption"}
    assert decode(encode(msg)).samples == msg.samples


def test_the_first_of_two_meters_of_a_type_is_used() -> None:
    samples = build_message(build_reading("production", 900.0), build_reading("production", 1.0)).samples
    assert [each.quantities.active_power for each in samples] == [900.0, 900.0]


def build_block(power: float, voltage: float = 230.0) -> dict[str, float]:
    return {
        "currW": power, "actPower": power, "apprntPwr": abs(power), "reactPwr": 1.5, "whDlvdCum": 8123456.2,
        "whRcvdCum": 4321.7, "varhLagCum": 120034.1, "varhLeadCum": 3301245.9, "vahCum": 9012345.6,
        "rmsVoltage": voltage, "rmsCurrent": 7.85, "pwrFactor": 0.99, "freqHz": 50.0,
    }  # fmt: skip


def encode_enphase_api_message(**changed: Any) -> bytes:
    """Return the message that Enphase-API's script publishes for a gateway with three phases."""
    report = {
        "createdAt": AT,
        "cumulative": build_block(1800.0, 691.0),
        "lines": [build_block(600.0), build_block(700.0, 6.1), build_block(500.0)],
    }
    content = {
        "timestamp": NOW,
        "readings": [
            {**report, "reportType": each} for each in ("production", "net-consumption", "total-consumption")
        ],
    }
    return json.dumps({**content, **changed}).encode()


def nest_lists(depth: int) -> list[Any]:
    """Return nested lists of the given depth."""
    outermost: list[Any] = []
    for _ in range(depth - 1):
        outermost = [outermost]
    return outermost


def test_messages_of_enphase_api_are_decoded() -> None:
    msg = decode(encode_enphase_api_message(), default_gateway=SERIAL)
    assert msg.has_unmetered_batteries is None, "Enphase-API's messages do not contain it"
    assert (msg.gateway, msg.timestamp, msg.message_id) == (SERIAL, NOW, None)
    assert [(each.measurement, each.phase) for each in msg.samples] == [
        (measurement, phase)
        for measurement in ("production", "net-consumption", "total-consumption")
        for phase in (0, 1, 3)  # 6 V: the second is not wired
    ]
    total = msg.samples[0]
    assert total == Sample(
        "production", 0, AT * 1000, Quantities.from_report(build_block(1800.0))._replace(voltage=230.0)
    )


def test_a_report_type_unknown_to_enphase_api_is_decoded() -> None:
    body = encode_enphase_api_message(
        readings=[{"createdAt": AT, "reportType": "evse", "cumulative": build_block(7.0), "lines": []}]
    )
    assert [(each.measurement, each.phase) for each in decode(body, SERIAL).samples] == [("evse", 0)]


def test_a_message_without_readings_is_no_error() -> None:
    assert decode(encode_enphase_api_message(readings=[]), SERIAL).samples == ()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"<html>", "not JSON"),
        (b"[" * 5000, "not JSON"),
        (b"[]", "not a JSON object"),
        (encode_enphase_api_message(timestamp="now"), "timestamp"),
        (encode_enphase_api_message(timestamp=True), "timestamp"),
        (encode_enphase_api_message(timestamp=1e300), "timestamp"),
        (encode_enphase_api_message(readings=None), "`readings` is not a list"),
        (encode_enphase_api_message(readings=[1]), "`readings` is not a list"),
        (encode_enphase_api_message(readings=[{"createdAt": AT}]), "reportType"),
        (encode_enphase_api_message(readings=[{"createdAt": AT, "reportType": "x" * 99}]), "reportType"),
        (encode_enphase_api_message(readings=[{"reportType": "production", "cumulative": {}}]), "createdAt"),
        (encode_enphase_api_message(readings=[{"reportType": "production", "createdAt": AT}]), "cumulative"),
        *[
            (
                encode_enphase_api_message(gateway_serial_number=each),
                "gateway_serial_number is not a serial number",
            )
            for each in (7, None, "", "x", "1" * 33, "12 34", "\uff11", "12\x1b[2J", "\u202e12", "*12*")
        ],
        (encode_enphase_api_message(schema_version=2), "schema_version 2"),
        (encode_enphase_api_message(schema_version="\x1b[2J"), "schema_version is not a number"),
        (encode_enphase_api_message(schema_version=[[1]]), "schema_version is not a number"),
        (encode_enphase_api_message(more="x" * MAX_BODY), f"more than the maximum of {MAX_BODY}"),
        (encode_enphase_api_message(more=nest_lists(64)), "nested too deeply"),
        (encode_enphase_api_message(meters=[{}] * 65), "65 elements of `meters`"),
        (encode_enphase_api_message(readings=[{}] * 17), "17 elements of `readings`"),
        *[
            (
                encode_enphase_api_message(
                    readings=[{"createdAt": AT, "reportType": each, "cumulative": {}}]
                ),
                "reportType",
            )
            for each in ("evse\x1b]0;", "ev\u202ese", "ev se", "ev\nse", "<b>", "läd")
        ],
        (encode_enphase_api_message(meters={}), "`meters` is not a list"),
        (
            encode_enphase_api_message(
                meters=[{"measurement_type": "production", "phase": 4, "measured_at": AT * 1000}]
            ),
            "lacks a valid",
        ),
        (
            encode_enphase_api_message(
                meters=[{"measurement_type": "production", "phase": 1, "measured_at": AT}]
            ),
            "lacks a valid",
        ),
    ],
)
def test_the_error_of_an_unreadable_message_names_the_reason(body: bytes, reason: str) -> None:
    with pytest.raises(MessageError, match=reason) as error:
        decode(body, SERIAL)
    assert is_printable(str(error.value), 200)


def test_json_nested_up_to_the_limit_is_decoded() -> None:
    body = encode_enphase_api_message(more=nest_lists(63))
    assert decode(body, SERIAL).gateway == SERIAL


def test_the_most_meters_of_a_gateway_fit_in_half_the_maximum_size() -> None:
    types = [
        "production",
        "net-consumption",
        "total-consumption",
        *(f"a-further-type-of-meters-{n}" for n in range(20)),
    ]
    msg = build_message(*(build_reading(name, -99999.123, 9.25e-5, 12345.678) for name in types))
    assert len(msg.samples) == MAX_SAMPLES
    body = encode(msg)
    assert len(body) < MAX_BODY / 2
    assert decode(body).samples == msg.samples


@pytest.mark.parametrize("measurement", ["ev se", "evse\x1b[2J", "ev\u202ese", "x" * 33, "*evse*"])
def test_a_meter_with_an_invalid_type_is_left_out_of_the_message(measurement: str) -> None:
    msg = build_message(build_reading("production", 900.0), build_reading(measurement, 5.0))
    assert [each.measurement for each in decode(encode(msg)).samples] == ["production", "production"]


def test_the_error_of_a_message_without_a_gateway_names_the_setting() -> None:
    with pytest.raises(MessageError, match="gateway_serial_number"):
        decode(encode_enphase_api_message())


@pytest.mark.parametrize("profile", [name for name in PROFILES if name != "old-firmware"])
async def test_enphase_api_can_read_the_messages_of_every_simulated_gateway(profile: str) -> None:
    with Simulator(profile, hour_of_day=11, day=JUNE) as simulator:
        async with Gateway(simulator.url, certificate=simulator.certificate_pem) as gateway:
            assert await gateway.login(simulator.token())
            msg = from_readings(await gateway.readings(), simulator.serial_number, NOW)
    assert decode(encode(msg)).samples == msg.samples
    metered = {each.measurement for each in msg.samples}
    consumption = {"net-consumption", "total-consumption"} & metered
    if profile != "storage-loses-phase":  # its battery power is sometimes unknown
        assert are_complete(build_reports(msg)) == ("production" in metered and bool(consumption))
    if are_complete(build_reports(msg)):
        read_as_enphase_api_does(encode(msg, build_reports(msg)))


def test_a_body_of_the_maximum_size_is_decoded() -> None:
    body = encode(build_message(build_reading("production", 900.0)))
    assert decode(body.ljust(MAX_BODY)).gateway == SERIAL


def test_a_time_of_measurement_after_2100_is_rejected() -> None:
    content = json.loads(encode(build_message(build_reading("production", 900.0))))
    content["meters"][0]["measured_at"] = 4_102_444_800_001
    with pytest.raises(MessageError, match="measured_at"):
        decode(json.dumps(content).encode())


def test_meters_have_no_unknown_values_and_one_key_for_power() -> None:
    content = json.loads(encode(build_message(build_reading("production", 900.0, reactive_power=None))))
    assert "readings" not in content
    for element in content["meters"]:
        assert "currW" not in element
        assert None not in element.values()
    assert "reactPwr" not in content["meters"][0]
    assert "reactPwr" in content["meters"][1]


@pytest.mark.parametrize("value", ["yes", 1, None])
def test_flags_that_are_not_booleans_are_unknown(value: object) -> None:
    content = json.loads(encode(build_message(build_reading("production", 900.0))))
    decoded = decode(
        json.dumps({**content, "has_unmetered_batteries": value, "has_unmetered_production": value}).encode()
    )
    assert decoded.has_unmetered_batteries is None
    assert decoded.has_unmetered_production is False


def test_a_message_without_a_complete_report_has_an_empty_list_of_readings() -> None:
    assert json.loads(encode(build_message(), build_reports(build_message())))["readings"] == []


@pytest.mark.parametrize("measurement_type", ["Ünicode", "evse\x1b[2J", "x" * 33])
def test_a_measurement_type_with_other_characters_is_rejected(measurement_type: str) -> None:
    content = json.loads(encode(build_message(build_reading("production", 900.0))))
    content["meters"][0]["measurement_type"] = measurement_type
    with pytest.raises(MessageError, match="measurement_type"):
        decode(json.dumps(content).encode())


def test_a_report_with_an_incomplete_line_is_left_out() -> None:
    complete = build_reading("production", 500.0, 600.0)
    broken = replace(complete, phases=(complete.phases[0], build_quantities(600.0, voltage=None)))
    assert (
        build_reports(build_message(broken, build_reading("net-consumption", 1.0, 2.0)))[0]["reportType"]
        != "production"
    )


def decode_production(lines: int, **total: float) -> list[Sample]:
    entry = {"actPower": 100.0, "apprntPwr": 200.0, "rmsVoltage": 230.0, "pwrFactor": 0.5, "rmsCurrent": 1.0}
    report = {
        "reportType": "production",
        "createdAt": AT,
        "cumulative": {**entry, **total},
        "lines": [{**entry, "rmsVoltage": 230.0 + 3 * number} for number in range(lines)],
    }
    body = json.dumps({"timestamp": NOW, "readings": [report]}).encode()
    return list(decode(body, default_gateway=SERIAL).samples)


@pytest.mark.parametrize(("lines", "voltage"), [(1, 690.0), (2, 690.0), (3, 233.0)])
def test_the_voltage_of_a_report_is_the_mean_of_exactly_three_lines(lines: int, voltage: float) -> None:
    assert decode_production(lines, rmsVoltage=690.0)[0].quantities.voltage == voltage


def test_a_report_has_at_most_three_lines() -> None:
    assert [sample.phase for sample in decode_production(5)] == [0, 1, 2, 3]


def test_a_summed_power_factor_of_a_report_is_recalculated() -> None:
    assert decode_production(3, pwrFactor=1.5)[0].quantities.power_factor == 0.5


def test_a_power_that_the_mean_voltage_of_a_report_cannot_carry_is_unknown() -> None:
    # 690 V by 1 A is 690 VA; 233 V by 1 A is a third of it.
    whole = decode_production(3, rmsVoltage=690.0, actPower=500.0)[0].quantities
    assert (whole.active_power, whole.apparent_power, whole.current) == (None, 200.0, 1.0)


def test_a_metered_report_has_the_current_of_its_meter() -> None:
    net = build_reading("net-consumption", 100.0, 50.0, current=3.0)
    assert get_reports(net)["net-consumption"]["cumulative"]["rmsCurrent"] == 3.0


def test_the_current_of_a_sum_is_that_of_its_phases() -> None:
    # A split-phase meter reports the sum of both voltages.
    production = build_reading("production", 500.0, 600.0, voltage=460.0)
    home = get_reports(production, build_reading("net-consumption", 100.0, 50.0, voltage=460.0))[
        "total-consumption"
    ]
    assert home["cumulative"]["rmsCurrent"] == pytest.approx(
        sum(line["rmsCurrent"] for line in home["lines"])
    )


def test_reports_do_not_depend_on_the_order_of_the_samples() -> None:
    msg = build_message(build_reading("production", 500.0, 600.0), build_reading("net-consumption", 1.0, 2.0))
    assert build_reports(replace(msg, samples=msg.samples[::-1])) == build_reports(msg)


def test_a_message_of_phases_alone_has_no_reports() -> None:
    msg = build_message(build_reading("production", 500.0, 600.0), build_reading("net-consumption", 1.0, 2.0))
    assert build_reports(replace(msg, samples=tuple(each for each in msg.samples if each.phase))) == []


def test_the_time_of_a_sum_is_that_of_its_latest_reading_in_whole_seconds() -> None:
    built = build_reports(
        build_message(build_reading("production", 500.0), build_reading("net-consumption", 50.0, at=AT + 1))
    )
    assert [repr(each["createdAt"]) for each in built] == [repr(AT), repr(AT + 1), repr(AT + 1)]
