"""Messages: ours read by Enphase-API's rules, its own read by ours, and nothing said that no meter said."""

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
    Message,
    MessageError,
    Sample,
    are_complete,
    build_reports,
    decode,
    encode,
    from_readings,
)
from enphase_companion.message.model import MAX_SAMPLES
from enphase_companion.simulator import Simulator
from enphase_companion.simulator.profiles import PROFILES
from tests.houses import JUNE

from ..amqp_helpers import read_as_enphase_api_does

AT = 1_764_000_000
NOW = AT + 0.25
SERIAL = "122300000001"


def quantities(power: float, delivered: float = 5000.0, received: float = 100.0, **other: Any) -> Quantities:
    given = {
        "active_power": power, "reactive_power": -power / 10, "apparent_power": abs(power) * 1.005,
        "voltage": 230.0, "current": abs(power) / 230, "power_factor": 0.99, "frequency": 50.0,
        "energy_delivered": delivered, "energy_received": received, "apparent_energy": 6000.0,
        "reactive_energy_lagging": 10.0, "reactive_energy_leading": 20.0,
    }  # fmt: skip
    return Quantities(**{**given, **other})


def reading(measurement: str, *phases: float | None, at: int | None = AT, **other: Any) -> Reading:
    """Return a meter that reads these powers on its phases; None: not wired."""
    meter = Meter(
        eid=abs(hash(measurement)), measurement_type=measurement, enabled=True, phase_count=len(phases)
    )
    wired = [power for power in phases if power is not None]
    return Reading(
        meter=meter,
        measured_at=None if at is None else datetime.fromtimestamp(at, UTC),
        total=quantities(sum(wired), 5000.0 * len(wired), 100.0 * len(wired), **other),
        phases=tuple(None if power is None else quantities(power) for power in phases),
    )


def message(*readings: Reading, **other: Any) -> Message:
    return from_readings(Readings(readings), SERIAL, NOW, **other)


def reports(*readings: Reading, **other: Any) -> dict[str, Any]:
    return {each["reportType"]: each for each in build_reports(message(*readings, **other))}


@pytest.mark.parametrize(
    "readings",
    [
        [reading("production", 1850.25), reading("net-consumption", -930.5)],
        [reading("production", 500.0, 600.0, 700.0), reading("net-consumption", -100.0, 50.0, -20.0)],
        [reading("production", 500.0, 500.0), reading("total-consumption", 300.0, 200.0)],
        [
            reading("storage", -900.0, -900.0),
            reading("net-consumption", 9.0, 8.0),
            reading("production", 950.0, 940.0),
        ],
        [
            reading("production", 900.0, None, None),
            reading("net-consumption", -90.0, 100.0, 30.0),
            reading("evse", 7.0),
        ],
    ],
)
def test_readers_of_enphase_api_find_all_that_they_ask_for(readings: list[Reading]) -> None:
    msg = message(*readings)
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


def test_home_is_production_and_net_and_storage_for_the_whole_and_each_phase() -> None:
    home = reports(
        reading("production", 1000.0, 500.0),
        reading("net-consumption", -300.0, 200.0),
        reading("storage", -400.0, 50.0),
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
    # Nobody measured in which direction, or what an apparent energy of a sum would be.
    assert home["cumulative"]["whRcvdCum"] is None
    assert home["cumulative"]["vahCum"] is None


def test_where_total_is_metered_net_is_what_is_left_and_has_no_energies() -> None:
    net = reports(reading("production", 1000.0), reading("total-consumption", 300.0))["net-consumption"]
    assert net["cumulative"]["actPower"] == pytest.approx(-700)
    assert net["cumulative"]["whDlvdCum"] is None
    assert net["cumulative"]["whRcvdCum"] is None


def test_home_is_the_same_sum_beside_a_meter_of_total_consumption() -> None:
    meters = (
        reading("production", 1500.0, 1500.0),
        reading("net-consumption", -600.0, -400.0),
        reading("total-consumption", 900.0, 1000.0),
    )
    home = reports(*meters)["total-consumption"]
    assert home["cumulative"]["actPower"] == pytest.approx(2000)
    assert [line["actPower"] for line in home["lines"]] == pytest.approx([900, 1100])
    assert are_complete(build_reports(message(*meters)))
    # What the meter itself said goes with it.
    samples = {
        (each.measurement, each.phase): each.quantities for each in decode(encode(message(*meters))).samples
    }
    assert samples["total-consumption", 0].active_power == 1900


def test_a_phase_without_production_is_consumption_alone() -> None:
    home = reports(reading("production", 900.0, None, None), reading("net-consumption", -90.0, 100.0, 30.0))
    assert [line["actPower"] for line in home["total-consumption"]["lines"]] == pytest.approx([810, 100, 30])


@pytest.mark.parametrize(
    ("readings", "left"),
    [
        ([reading("production", 900.0)], ["production"]),
        ([reading("net-consumption", 900.0)], ["net-consumption"]),
        ([], []),
        (
            [reading("production", 900.0), reading("net-consumption", 900.0, at=AT - 60)],
            ["production", "net-consumption"],
        ),
        (
            [reading("production", 900.0), reading("net-consumption", 900.0, active_power=None)],
            ["production"],
        ),
        (
            [reading("production", 9.0, power_factor=None), reading("net-consumption", 9.0)],
            ["net-consumption", "total-consumption"],
        ),
    ],
    ids=[
        "no consumption meter",
        "no production meter",
        "no meters",
        "a meter that stands still",
        "no power",
        "no factor",
    ],
)
def test_what_is_not_known_is_left_out_and_never_a_zero(readings: list[Reading], left: list[str]) -> None:
    assert list(reports(*readings)) == left
    assert not are_complete(build_reports(message(*readings)))


def test_batteries_that_no_meter_measures_leave_consumption_unknown() -> None:
    readings = [reading("production", 900.0), reading("net-consumption", 100.0)]
    msg = message(*readings, unmetered_batteries=True)
    assert list(reports(*readings, unmetered_batteries=True)) == ["production", "net-consumption"]
    assert not are_complete(build_reports(msg))
    assert decode(encode(msg)).has_unmetered_batteries is True


def test_our_own_message_comes_back_as_it_was() -> None:
    msg = message(
        reading("production", 900.0, None, 20.0),
        reading("net-consumption", -90.0, 100.0, 30.0, reactive_energy_leading=None),
        reading("pv3p", 3.0),
    )
    back = decode(encode(msg))
    assert back == replace(msg, message_id=None)
    assert [(each.measurement, each.phase) for each in back.samples] == [
        ("production", 0), ("production", 1), ("production", 3),
        ("net-consumption", 0), ("net-consumption", 1), ("net-consumption", 2), ("net-consumption", 3),
        ("pv3p", 0), ("pv3p", 1),
    ]  # fmt: skip
    assert {each.measured_at for each in back.samples} == {AT * 1000}


def test_every_message_has_an_id_of_its_own() -> None:
    assert len({message(reading("production", 1.0)).message_id for _ in range(10)}) == 10


def test_a_meter_without_a_time_of_its_own_is_left_out() -> None:
    samples = message(reading("production", 900.0, at=None), reading("net-consumption", 1.0)).samples
    assert {each.measurement for each in samples} == {"net-consumption"}


def test_a_meter_with_a_word_that_no_message_can_bear_is_left_out() -> None:
    made = message(reading("x" * 33, 900.0), reading("net-consumption", 1.0))
    assert {each.measurement for each in made.samples} == {"net-consumption"}
    assert decode(encode(made)).samples == made.samples


def test_of_two_meters_that_measure_the_same_the_first_stands_for_it() -> None:
    samples = message(reading("production", 900.0), reading("production", 1.0)).samples
    assert [each.quantities.active_power for each in samples] == [900.0, 900.0]


def block(power: float, voltage: float = 230.0) -> dict[str, float]:
    return {
        "currW": power, "actPower": power, "apprntPwr": abs(power), "reactPwr": 1.5, "whDlvdCum": 8123456.2,
        "whRcvdCum": 4321.7, "varhLagCum": 120034.1, "varhLeadCum": 3301245.9, "vahCum": 9012345.6,
        "rmsVoltage": voltage, "rmsCurrent": 7.85, "pwrFactor": 0.99, "freqHz": 50.0,
    }  # fmt: skip


def enphase_api_message(**changed: Any) -> bytes:
    """Return a message as Enphase-API's script makes it of what a gateway with three phases answers."""
    report = {
        "createdAt": AT,
        "cumulative": block(1800.0, 691.0),
        "lines": [block(600.0), block(700.0, 6.1), block(500.0)],
    }
    content = {
        "timestamp": NOW,
        "readings": [
            {**report, "reportType": each} for each in ("production", "net-consumption", "total-consumption")
        ],
    }
    return json.dumps({**content, **changed}).encode()


def nested(depth: int) -> list[Any]:
    """Return lists within lists, as many as this."""
    outermost: list[Any] = []
    for _ in range(depth - 1):
        outermost = [outermost]
    return outermost


def test_messages_of_enphase_api_are_read_as_they_are() -> None:
    msg = decode(enphase_api_message(), default_gateway=SERIAL)
    assert msg.has_unmetered_batteries is None, "they do not say"
    assert (msg.gateway, msg.timestamp, msg.message_id) == (SERIAL, NOW, None)
    assert [(each.measurement, each.phase) for each in msg.samples] == [
        (measurement, phase)
        for measurement in ("production", "net-consumption", "total-consumption")
        for phase in (0, 1, 3)  # 6 V: the second is not wired
    ]
    whole = msg.samples[0]
    assert whole == Sample(
        "production", 0, AT * 1000, Quantities.from_report(block(1800.0))._replace(voltage=230.0)
    )


def test_a_type_that_enphase_api_does_not_know_is_a_sample_as_all_others() -> None:
    body = enphase_api_message(
        readings=[{"createdAt": AT, "reportType": "evse", "cumulative": block(7.0), "lines": []}]
    )
    assert [(each.measurement, each.phase) for each in decode(body, SERIAL).samples] == [("evse", 0)]


def test_a_gateway_without_meters_says_nothing_and_that_is_no_error() -> None:
    assert decode(enphase_api_message(readings=[]), SERIAL).samples == ()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"<html>", "not JSON"),
        (b"[" * 5000, "not JSON"),
        (b"[]", "not a JSON object"),
        (enphase_api_message(timestamp="now"), "timestamp"),
        (enphase_api_message(timestamp=True), "timestamp"),
        (enphase_api_message(timestamp=1e300), "timestamp"),
        (enphase_api_message(readings=None), "`readings` is not a list"),
        (enphase_api_message(readings=[1]), "`readings` is not a list"),
        (enphase_api_message(readings=[{"createdAt": AT}]), "reportType"),
        (enphase_api_message(readings=[{"createdAt": AT, "reportType": "x" * 99}]), "reportType"),
        (enphase_api_message(readings=[{"reportType": "production", "cumulative": {}}]), "createdAt"),
        (enphase_api_message(readings=[{"reportType": "production", "createdAt": AT}]), "cumulative"),
        *[
            (enphase_api_message(gateway_serial_number=each), "gateway_serial_number is not a serial number")
            for each in (7, None, "", "x", "1" * 33, "12 34", "\uff11", "12\x1b[2J", "\u202e12", "*12*")
        ],
        (enphase_api_message(schema_version=2), "schema_version 2"),
        (enphase_api_message(schema_version="\x1b[2J"), "schema_version is not a number"),
        (enphase_api_message(schema_version=[[1]]), "schema_version is not a number"),
        (enphase_api_message(more="x" * MAX_BODY), f"more than the maximum of {MAX_BODY}"),
        (enphase_api_message(more=nested(64)), "nested too deeply"),
        (enphase_api_message(meters=[{}] * 65), "65 elements of `meters`"),
        (enphase_api_message(readings=[{}] * 17), "17 elements of `readings`"),
        *[
            (
                enphase_api_message(readings=[{"createdAt": AT, "reportType": each, "cumulative": {}}]),
                "reportType",
            )
            for each in ("evse\x1b]0;", "ev\u202ese", "ev se", "ev\nse", "<b>", "läd")
        ],
        (enphase_api_message(meters={}), "`meters` is not a list"),
        (
            enphase_api_message(
                meters=[{"measurement_type": "production", "phase": 4, "measured_at": AT * 1000}]
            ),
            "lacks a valid",
        ),
        (
            enphase_api_message(meters=[{"measurement_type": "production", "phase": 1, "measured_at": AT}]),
            "lacks a valid",
        ),
    ],
)
def test_a_message_that_cannot_be_read_says_why(body: bytes, reason: str) -> None:
    with pytest.raises(MessageError, match=reason) as error:
        decode(body, SERIAL)
    assert is_printable(str(error.value), 200)


def test_json_may_be_nested_as_deep_as_a_gateways() -> None:
    body = enphase_api_message(more=nested(63))
    assert decode(body, SERIAL).gateway == SERIAL


def test_what_a_gateway_can_measure_at_most_is_half_a_message_at_most_and_is_read_again() -> None:
    words = [
        "production",
        "net-consumption",
        "total-consumption",
        *(f"a-further-type-of-meters-{n}" for n in range(20)),
    ]
    msg = message(*(reading(word, -99999.123, 9.25e-5, 12345.678) for word in words))
    assert len(msg.samples) == MAX_SAMPLES
    body = encode(msg)
    assert len(body) < MAX_BODY / 2
    assert decode(body).samples == msg.samples


@pytest.mark.parametrize("word", ["ev se", "evse\x1b[2J", "ev\u202ese", "x" * 33, "*evse*"])
def test_a_meter_whose_type_no_reader_takes_is_left_out_of_the_message_and_the_others_stay(word: str) -> None:
    msg = message(reading("production", 900.0), reading(word, 5.0))
    assert [each.measurement for each in decode(encode(msg)).samples] == ["production", "production"]


def test_a_message_of_enphase_api_without_a_set_gateway_says_what_to_set() -> None:
    with pytest.raises(MessageError, match="gateway_serial_number"):
        decode(enphase_api_message())


@pytest.mark.parametrize("profile", [name for name in PROFILES if name != "old-firmware"])
async def test_every_gateway_gives_messages_that_readers_of_enphase_api_survive(profile: str) -> None:
    with Simulator(profile, hour_of_day=11, day=JUNE) as simulator:
        async with Gateway(simulator.url, certificate=simulator.certificate_pem) as gateway:
            assert await gateway.login(simulator.token())
            msg = from_readings(await gateway.readings(), simulator.serial_number, NOW)
    assert decode(encode(msg)).samples == msg.samples
    metered = {each.measurement for each in msg.samples}
    consumption = {"net-consumption", "total-consumption"} & metered
    if profile != "storage-loses-phase":  # there, now and then, nobody knows what the batteries do
        assert are_complete(build_reports(msg)) == ("production" in metered and bool(consumption))
    if are_complete(build_reports(msg)):
        read_as_enphase_api_does(encode(msg, build_reports(msg)))


def test_a_body_of_the_maximum_size_is_decoded() -> None:
    body = encode(message(reading("production", 900.0)))
    assert decode(body.ljust(MAX_BODY)).gateway == SERIAL


def test_a_time_of_measurement_after_2100_is_rejected() -> None:
    content = json.loads(encode(message(reading("production", 900.0))))
    content["meters"][0]["measured_at"] = 4_102_444_800_001
    with pytest.raises(MessageError, match="measured_at"):
        decode(json.dumps(content).encode())


def test_meters_have_no_unknown_values_and_no_second_key_of_the_power() -> None:
    content = json.loads(encode(message(reading("production", 900.0, reactive_power=None))))
    assert "readings" not in content
    for element in content["meters"]:
        assert "currW" not in element
        assert None not in element.values()
    assert "reactPwr" not in content["meters"][0]
    assert "reactPwr" in content["meters"][1]


@pytest.mark.parametrize("value", ["yes", 1, None])
def test_flags_that_are_no_booleans_are_unknown(value: object) -> None:
    content = json.loads(encode(message(reading("production", 900.0))))
    decoded = decode(
        json.dumps({**content, "has_unmetered_batteries": value, "has_unmetered_production": value}).encode()
    )
    assert decoded.has_unmetered_batteries is None
    assert decoded.has_unmetered_production is False


def test_a_message_without_a_complete_report_has_an_empty_list_of_readings() -> None:
    assert json.loads(encode(message(), build_reports(message())))["readings"] == []


@pytest.mark.parametrize("measurement_type", ["Ünicode", "evse\x1b[2J", "x" * 33])
def test_a_measurement_type_with_other_characters_is_rejected(measurement_type: str) -> None:
    content = json.loads(encode(message(reading("production", 900.0))))
    content["meters"][0]["measurement_type"] = measurement_type
    with pytest.raises(MessageError, match="measurement_type"):
        decode(json.dumps(content).encode())


def test_a_report_with_an_incomplete_line_is_left_out() -> None:
    whole = reading("production", 500.0, 600.0)
    broken = replace(whole, phases=(whole.phases[0], quantities(600.0, voltage=None)))
    assert (
        build_reports(message(broken, reading("net-consumption", 1.0, 2.0)))[0]["reportType"] != "production"
    )


def _decode_production(lines: int, **total: float) -> list[Sample]:
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
def test_only_three_lines_make_the_voltage_of_a_report_their_mean(lines: int, voltage: float) -> None:
    assert _decode_production(lines, rmsVoltage=690.0)[0].quantities.voltage == voltage


def test_a_report_has_at_most_three_lines() -> None:
    assert [sample.phase for sample in _decode_production(5)] == [0, 1, 2, 3]


def test_an_added_up_power_factor_of_a_report_is_calculated_again() -> None:
    assert _decode_production(3, pwrFactor=1.5)[0].quantities.power_factor == 0.5


def test_the_time_of_a_sum_is_that_of_its_latest_meter_in_whole_seconds() -> None:
    built = build_reports(message(reading("production", 500.0), reading("net-consumption", 50.0, at=AT + 1)))
    assert [repr(each["createdAt"]) for each in built] == [repr(AT), repr(AT + 1), repr(AT + 1)]
