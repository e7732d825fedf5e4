"""Parsers of the gateway's description, batteries, production and live status."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from enphase_api import InvalidAnswerError, UnsupportedFirmwareError
from enphase_api.json_values import MAX_DEPTH
from enphase_api.models import (
    AcBatteries,
    Batteries,
    Info,
    Inverter,
    Live,
    Meter,
    Production,
    ProductionSource,
    ProductionTotals,
    unmetered_lifetime_energy,
)
from enphase_api.models.production import rated_power, reported_power

INFO = """<?xml version="1.0" encoding="UTF-8"?>
<envoy_info><time>1700000000</time><device><sn> 122300000001 </sn><pn>800-00654-r08</pn>
<software>{}</software><imeter>true</imeter></device></envoy_info>"""


def test_the_identity_of_a_gateway_is_read() -> None:
    assert Info.from_xml(INFO.format("D8.2.4264").encode()) == Info(
        serial_number="122300000001",
        firmware="8.2.4264",
        part_number="800-00654-r08",
        is_metered=True,
        time=datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
    )


def test_the_identity_of_a_gateway_may_be_incomplete() -> None:
    info = Info.from_xml(b"<envoy_info><device><sn>1</sn><software>R7</software></device></envoy_info>")
    assert info == Info(serial_number="1", firmware="7")
    assert not Info.from_xml(INFO.format("D7").replace("true", "false").encode()).is_metered


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html><body>no</body></html>",
        b"<envoy_info/>",
        b"<envoy_info><device><sn>1</sn></device></envoy_info>",
        b"<envoy_info><device><software>D8</software></device></envoy_info>",
        b"<envoy_info><device><sn>%b</sn><software>D8</software></device></envoy_info>" % (b"1" * 99),
        INFO.format("D8").replace("122300000001", "envoyserial").encode(),
        INFO.format("D8").replace("122300000001", "12230000000\u0661").encode(),
        INFO.format("D8").replace("envoy_info", "other_info").encode(),
        INFO.format("unknown").encode(),
        INFO.format("D8 [a](https://b)").encode(),
        INFO.format("D8\u202e1").encode(),
        INFO.format("D8." + 40 * "1").encode(),
        INFO.format("D8" + 80 * "<a>" + 80 * "</a>").encode(),
        INFO.format("D8")[:100].encode(),
        INFO.format("D8").encode("utf-16"),
        b"\xff\xfe",
    ],
    ids=[
        *["empty", "html", "bare", "no software", "no serial", "long serial", "word as serial"],
        "other root",
        *["digits of another script", "no version", "Markdown", "bidirectional", "long version"],
        *["nested", "cut", "utf-16", "bytes"],
    ],
)
def test_an_invalid_description_of_a_gateway_is_an_error(answer: bytes) -> None:
    with pytest.raises(InvalidAnswerError, match="gateway's description"):
        Info.from_xml(answer)


def test_an_error_of_a_description_repeats_nothing_of_it() -> None:
    with pytest.raises(InvalidAnswerError) as caught:
        Info.from_xml(INFO.format("D8<\x1b[2Ka>").encode())
    assert caught.value.__cause__ is None
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("value", ["a" * 40, "\x9b2K", "[a](https://b)", "a b", ""])
def test_an_invalid_part_number_is_none(value: str) -> None:
    info = Info.from_xml(INFO.format("D8").replace("800-00654-r08", value).encode())
    assert info.part_number is None
    assert info.serial_number == "122300000001"


def test_a_flag_that_is_neither_true_nor_false_is_none() -> None:
    info = Info.from_xml(INFO.format("D8").replace("true", "maybe").replace("1700000000", "soon").encode())
    assert (info.is_metered, info.time) == (None, None)


def test_the_firmware_of_a_description_without_a_serial_number_is_read() -> None:
    answer = INFO.format("D8.2.4264").replace("122300000001", "").encode()
    assert Info.firmware_from_xml(answer) == "8.2.4264"
    with pytest.raises(InvalidAnswerError, match=r"^/info "):
        Info.firmware_from_xml(INFO.format("unknown").encode())


def test_a_description_may_have_many_elements_but_not_be_nested_deeply() -> None:
    Info.from_xml(INFO.format("D8" + 2 * MAX_DEPTH * "<a/>").encode())
    # Three elements enclose the first.
    deepest = MAX_DEPTH - 3
    Info.from_xml(INFO.format("D8" + deepest * "<a>" + deepest * "</a>").encode())
    with pytest.raises(InvalidAnswerError):
        Info.from_xml(INFO.format("D8" + (deepest + 1) * "<a>" + (deepest + 1) * "</a>").encode())


def test_a_description_with_expanding_entities_is_rejected() -> None:
    bomb = '<!DOCTYPE b [<!ENTITY a "8.2"><!ENTITY b "&a;&a;&a;&a;">]>'
    with pytest.raises(InvalidAnswerError):
        Info.from_xml(INFO.format("&b;").replace("?>", f"?>{bomb}").encode())


@pytest.mark.parametrize("firmware", ["D7.0.88", "D8.3.5433", "R7.6.175", "M8.2.127", "x7.0", "10.1"])
def test_firmware_with_tokens_is_supported(firmware: str) -> None:
    info = Info.from_xml(INFO.format(firmware).encode())
    info.require_tokens()
    assert info.firmware == firmware.lstrip("DRMx")


@pytest.mark.parametrize("firmware", ["D5.0.62", "R3.17.3", "R4.10.35", "6"])
def test_the_error_for_unsupported_firmware_names_its_version(firmware: str) -> None:
    with pytest.raises(
        UnsupportedFirmwareError, match=f"firmware {firmware.lstrip('DR')}, but version 7 or later"
    ):
        Info.from_xml(INFO.format(firmware).encode()).require_tokens()


def build_unit(serial_number: str | None, **more: Any) -> dict[str, Any]:
    return {"serial_num": serial_number, "percentFull": 50, "communicating": True, "temperature": 20} | more


def build_inventory(*units: dict[str, Any], mains: str | None = None) -> list[dict[str, Any]]:
    controller = [] if mains is None else [{"serial_num": "9", "mains_oper_state": mains}]
    return [{"type": "ENCHARGE", "devices": list(units)}, {"type": "ENPOWER", "devices": controller}]


SUMS = {
    "ENC_agg_soc": 51,
    "ENC_agg_avail_energy": 5250,
    "Enc_max_available_capacity": 10000,
    "configured_backup_soc": 20,
}


def test_batteries_are_their_units_and_their_sums() -> None:
    power = {
        "devices:": [
            {"serial_num": "1", "real_power_mw": -136000},
            {"serial_num": "2", "real_power_mw": 6000},
        ]
    }
    found = Batteries.from_json(
        build_inventory(build_unit("1"), build_unit("2"), mains="closed"), power, SUMS
    )
    assert [(each.serial_number, each.power) for each in found.units] == [("1", -136), ("2", 6)]
    assert (found.state_of_charge, found.available_energy, found.capacity) == (51, 5250, 10000)
    assert (found.reserve, found.power, found.grid_connected) == (20, -130, True)
    assert found.are_there


def test_a_battery_has_the_part_number_and_firmware_of_its_unit() -> None:
    values = {
        "part_num": "830-01760-r37",
        "img_pnum_running": "2.6.5973_rel/22.11",
        "encharge_capacity": 3500,
        "last_rpt_date": 1700000000,
    }
    (battery,) = Batteries.from_json(build_inventory(build_unit("1", **values))).units
    assert (battery.part_number, battery.firmware) == ("830-01760-r37", "2.6.5973_rel/22.11")
    assert (battery.capacity, battery.temperature, battery.communicating) == (3500, 20, True)
    assert battery.last_reported_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


def test_the_total_power_is_unknown_while_one_battery_is_missing() -> None:
    power = {
        "devices": [{"serial_num": "1", "real_power_mw": 1000}, {"serial_num": "2"}, {"real_power_mw": 5}]
    }
    found = Batteries.from_json(build_inventory(build_unit("1"), build_unit("2")), power, SUMS)
    assert [each.power for each in found.units] == [1, None]
    assert found.power is None


def test_a_gateway_that_lacks_the_sums_still_has_its_units() -> None:
    found = Batteries.from_json(build_inventory(build_unit("1"), build_unit(None)))
    assert [each.serial_number for each in found.units] == ["1"]
    assert found.state_of_charge is found.power is found.reserve is None


AC = {
    "type": "acb",
    "activeCount": 4,
    "readingTime": 1595203104,
    "wNow": -178,
    "whNow": 285,
    "state": "charging",
    "percentFull": 6,
}
SUMS_OF_BOTH = SUMS | {
    "agg_soc": 39,
    "Max_energy": 14800,
    "Enc_commissioned_capacity": 10000,
    "ACB_agg_soc": 6,
    "ACB_agg_energy": 285,
}


def parse_ac_batteries(**fields: Any) -> AcBatteries | None:
    return Production.from_json({"production": [], "storage": [AC | fields]}).ac_batteries


def test_ac_batteries_discharge_positive_and_are_known_in_sum() -> None:
    found = parse_ac_batteries()
    assert found is not None
    assert (found.active_count, found.power, found.energy, found.state_of_charge) == (4, -178, 285, 6)
    assert found.measured_at == datetime(2020, 7, 19, 23, 58, 24, tzinfo=UTC)


@pytest.mark.parametrize("value", [{"activeCount": 0}, {"percentFull": None}, {"type": "other"}])
def test_a_sum_without_a_state_of_charge_is_not_of_ac_batteries(value: dict[str, Any]) -> None:
    assert parse_ac_batteries(**value) is None


def test_ac_batteries_exceed_their_rating_by_half_at_most() -> None:
    # Four AC Batteries of 270 W and 1200 Wh.
    for power, energy in ((1620, 7200), (-1620, 0)):
        found = parse_ac_batteries(wNow=power, whNow=energy)
        assert found is not None
        assert (found.power, found.energy) == (power, energy)
    for power in (1621, -1621):
        found = parse_ac_batteries(wNow=power, whNow=7201)
        assert found is not None
        assert (found.power, found.energy) == (None, None)


def test_a_single_ac_battery_counts() -> None:
    found = parse_ac_batteries(activeCount=1, percentFull=0, wNow=0, whNow=0)
    assert found is not None
    assert (found.active_count, found.state_of_charge) == (1, 0)


def test_ac_batteries_beside_iq_batteries_count_in_every_sum() -> None:
    power = {"devices:": [{"serial_num": "1", "real_power_mw": 500000}]}
    found = Batteries.from_json(build_inventory(build_unit("1")), power, SUMS_OF_BOTH)
    assert found.has_ac
    # Their power is in another answer.
    assert found.power is None
    joined = found.with_ac(parse_ac_batteries())
    assert joined.power == 500 - 178
    assert (joined.state_of_charge, joined.available_energy, joined.capacity) == (39, 5250 + 285, 14800)
    assert joined.reserve == 20
    assert found.with_ac(parse_ac_batteries(wNow=None)).power is None


@pytest.mark.parametrize("sums", [{"ACB_agg_energy": 285}, {"ACB_agg_soc": 6}, {"Max_energy": 4800}, None])
def test_ac_batteries_alone_have_no_reserve(sums: dict[str, Any] | None) -> None:
    known = None if sums is None else dict.fromkeys(SUMS_OF_BOTH, 0) | {"configured_backup_soc": 30} | sums
    found = Batteries.from_json([], secctrl=known)
    assert found.are_there is (known is not None)
    joined = found.with_ac(parse_ac_batteries())
    assert joined.are_there
    assert (joined.power, joined.state_of_charge, joined.available_energy) == (-178, 6, 285)
    assert joined.reserve is None


def test_the_sums_of_ac_batteries_alone_need_no_sum_of_iq_batteries() -> None:
    sums = {"agg_soc": 18, "ACB_agg_energy": 446, "ACB_agg_soc": 18, "Max_energy": 4800}
    found = Batteries.from_json([], secctrl=sums)
    assert (found.available_energy, found.capacity, found.state_of_charge) == (446, 4800, 18)
    assert found.with_ac(parse_ac_batteries(whNow=5000)).capacity is None


@pytest.mark.parametrize("percent", [0, 100])
def test_an_empty_and_a_full_battery_have_a_state_of_charge(percent: int) -> None:
    energy = 100 * percent
    sums = SUMS | {"ENC_agg_soc": percent, "ENC_agg_avail_energy": energy, "configured_backup_soc": percent}
    found = Batteries.from_json(build_inventory(build_unit("1", percentFull=percent)), secctrl=sums)
    assert found.units[0].state_of_charge == percent
    assert (found.state_of_charge, found.available_energy, found.reserve) == (percent, energy, percent)
    ac = parse_ac_batteries(percentFull=percent)
    assert ac is not None
    assert ac.state_of_charge == percent


def test_an_unknown_available_energy_leaves_the_capacity() -> None:
    sums = {key: value for key, value in SUMS.items() if key != "ENC_agg_avail_energy"}
    found = Batteries.from_json(build_inventory(build_unit("1")), secctrl=sums)
    assert (found.available_energy, found.capacity) == (None, 10000)


def test_a_missing_iq_battery_does_not_count_as_an_ac_battery() -> None:
    sums = SUMS | {"Max_energy": 15000, "Enc_commissioned_capacity": 15000}
    assert Batteries.from_json(build_inventory(build_unit("1")), secctrl=sums).has_ac is False


@pytest.mark.parametrize(
    "answer", [[], build_inventory(), [{"type": "OTHER", "devices": [build_unit("1")]}, {}]]
)
def test_zeros_of_the_sums_are_none_without_batteries(answer: list[dict[str, Any]]) -> None:
    assert Batteries.from_json(answer, {"devices:": []}, dict.fromkeys(SUMS, 0)) == Batteries(units=())


@pytest.mark.parametrize(("mains", "connected"), [("closed", True), ("open", False)])
def test_a_controller_without_batteries_reports_the_grid(mains: str, connected: bool) -> None:
    assert Batteries.from_json(build_inventory(mains=mains)).grid_connected is connected


@pytest.mark.parametrize(
    ("state", "connected"),
    [("ENCMN_MDE_ON_GRID", True), ("ENCMN_MDE_OFF_GRID", False), ("ENCMN_MDE_STANDBY", None), (None, None)],
)
def test_a_meter_collar_without_a_controller_reports_the_grid(
    state: str | None, connected: bool | None
) -> None:
    # Its grid_state is not updated.
    collar = {"serial_num": "9", "admin_state_str": state, "grid_state": "on_grid"}
    collars = {"type": "COLLAR", "devices": [collar]}
    assert Batteries.from_json([*build_inventory(build_unit("1")), collars]).grid_connected is connected
    assert Batteries.from_json([collars]).grid_connected is connected


def test_a_controller_s_relay_counts_beside_a_meter_collar() -> None:
    collars = {"type": "COLLAR", "devices": [{"serial_num": "9", "admin_state_str": "ENCMN_MDE_ON_GRID"}]}
    assert Batteries.from_json([collars, *build_inventory(mains="open")]).grid_connected is False


@pytest.mark.parametrize(
    ("answers", "path"),
    [
        (({}, {}, {}), "/ivp/ensemble/inventory"),
        ((build_inventory(build_unit("1")), [], {}), "/ivp/ensemble/power"),
        ((build_inventory(build_unit("1")), {}, []), "/ivp/ensemble/secctrl"),
    ],
)
def test_batteries_of_another_structure_are_an_error(answers: tuple[Any, Any, Any], path: str) -> None:
    with pytest.raises(InvalidAnswerError) as raised:
        Batteries.from_json(*answers)
    assert raised.value.path == path


def test_entries_of_production_are_identified_by_their_measurement() -> None:
    found = Production.from_json(
        {
            "production": [
                {"type": "inverters", "activeCount": 7, "readingTime": 0, "wNow": 0, "whLifetime": 4339764},
                {
                    "type": "eim",
                    "measurementType": "production",
                    "wNow": -6.481,
                    "whLifetime": 4351113.2,
                    "whToday": 5,
                },
            ],
            "consumption": [
                {"type": "eim", "measurementType": "total-consumption", "wNow": 209.084},
                {"type": "eim", "measurementType": "net-consumption", "wNow": 215.565, "whLifetime": -1},
                {"type": "eim", "measurementType": "net-consumption", "wNow": 1},
            ],
            "storage": [{"type": "acb"}],
        }
    )
    assert found.inverters is not None
    assert (found.inverters.active_count, found.inverters.measured_at) == (7, None)
    assert found.meter is not None
    assert (found.meter.power, found.meter.lifetime_energy, found.meter.energy_today) == (
        -6.481,
        4351113.2,
        5,
    )
    assert found.total_consumption is not None
    assert found.total_consumption.power == 209.084
    assert found.net_consumption is not None
    assert (found.net_consumption.power, found.net_consumption.lifetime_energy) == (215.565, None)


def test_production_without_meters_is_the_inverters() -> None:
    found = Production.from_json({"production": [{"type": "inverters", "wNow": 5739}]})
    assert found.inverters is not None
    assert found.meter is found.net_consumption is found.total_consumption is None


@pytest.mark.parametrize("answer", [[], {}, {"production": {}}, {"production": [5]}, None])
def test_production_of_another_structure_is_an_error(answer: object) -> None:
    with pytest.raises(InvalidAnswerError):
        Production.from_json(answer)


def build_totals(lifetime: Any, today: Any = 36_462, week: Any = 189_712) -> ProductionTotals:
    """Return the totals of /api/v1/production."""
    return ProductionTotals.from_json(
        {
            "wattHoursToday": today,
            "wattHoursSevenDays": week,
            "wattHoursLifetime": lifetime,
            "wattsNow": 5740,
        }
    )


SUM = ProductionSource(
    active_count=24,
    measured_at=None,
    power=5739,
    lifetime_energy=174_174,
    energy_today=None,
    energy_last_seven_days=None,
)


@pytest.mark.parametrize(
    ("firmware", "is_metered", "value", "lifetime"),
    [
        ("7.6.175", False, build_totals(6_139_406), 6_139_406),
        ("8.3.5528", False, build_totals(6_139_406), 6_139_406),
        # The morning of the first day.
        ("8.3.5528", False, build_totals(12, today=12, week=0), 12),
        # This firmware counts nothing there.
        ("8.3.5422", False, build_totals(0, today=0, week=0), 174_174),
        ("8.2.4264", False, build_totals(0, today=0, week=0), 174_174),
        # The sum is modulo 2^32 J.
        ("7.0.0", False, build_totals(0, today=0, week=0), None),
        ("8.2.127", True, build_totals(0, today=0, week=0), None),
        # A count that does not change any more.
        ("8.2.4264", True, build_totals(1583, today=0, week=1583), 174_174),
        ("9.0.1", True, build_totals(1583, today=0, week=1583), 174_174),
        ("8.2.4263", True, build_totals(6_139_406), 6_139_406),
        # A value or the answer is missing: no other value replaces it.
        ("7.6.175", False, build_totals(None), None),
        ("8.3.5528", False, build_totals(None, today=None, week=None), None),
        ("8.3.5528", False, None, None),
    ],
)
def test_without_a_production_meter_the_firmware_decides_the_source_of_lifetime_energy(
    firmware: str, is_metered: bool, value: ProductionTotals | None, lifetime: float | None
) -> None:
    info = Info(serial_number="1", firmware=firmware, is_metered=is_metered)
    disabled = Meter(eid=1, measurement_type="production", enabled=False)
    meters = (disabled,) if is_metered else ()
    assert unmetered_lifetime_energy(info, meters, value, SUM) == lifetime


def test_totals_beside_an_enabled_meter_are_current() -> None:
    info = Info(serial_number="1", firmware="8.2.4264", is_metered=True)
    home = Meter(eid=1, measurement_type="total-consumption", enabled=True)
    assert unmetered_lifetime_energy(info, (home,), build_totals(5_000), SUM) == 5_000


@pytest.mark.parametrize("answer", [[], None, "text"])
def test_totals_of_another_structure_are_an_error(answer: object) -> None:
    with pytest.raises(InvalidAnswerError):
        ProductionTotals.from_json(answer)


@pytest.mark.parametrize("value", ["../1", "[a](https://b)", "1\u202e2", "1 2", "-1", "1" * 33, ""])
def test_a_unit_without_a_serial_number_of_letters_and_digits_is_left_out(value: str) -> None:
    inverters = Inverter.list_from_json([{"serialNumber": value}, {"serialNumber": "482250079070"}])
    assert [each.serial_number for each in inverters] == ["482250079070"]
    power = {"devices:": [{"serial_num": value, "real_power_mw": 1000}]}
    found = Batteries.from_json(build_inventory(build_unit(value), build_unit("1", part_num=value)), power)
    assert [(each.serial_number, each.part_number, each.power) for each in found.units] == [("1", None, None)]


def test_inverters_are_microinverters_with_a_serial_number() -> None:
    answer = [
        {"serialNumber": "1", "devType": 1, "lastReportDate": 1_700_000_000,
         "lastReportWatts": 58, "maxReportWatts": 253},
        {"serialNumber": "2", "lastReportDate": 0},
        {"serialNumber": "3", "devType": 11},
        {"lastReportWatts": 5},
    ]  # fmt: skip
    assert Inverter.list_from_json(answer) == (
        Inverter(
            serial_number="1",
            last_reported_at=datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
            power=58,
            max_power=253,
        ),
        Inverter(serial_number="2", last_reported_at=None, power=None, max_power=None),
    )
    with pytest.raises(InvalidAnswerError):
        Inverter.list_from_json({})


def test_the_live_status_is_in_watts() -> None:
    powers = {"pv": 1500000, "storage": -250500, "grid": 100000, "load": 1350000, "generator": 500}
    meters: dict[str, Any] = {"last_update": 1_700_000_000, "soc": 80, "main_relay_state": 1}
    meters |= {key: {"agg_p_mw": milliwatts} for key, milliwatts in powers.items()}
    assert Live.from_json({"meters": meters}) == Live(
        updated_at=datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
        state_of_charge=80,
        main_relay_state=1,
        solar_power=1500,
        storage_power=-250.5,
        grid_power=100,
        load_power=1350,
        generator_power=0.5,
    )


def test_unknown_values_of_the_live_status_are_none() -> None:
    live = Live.from_json({"meters": {"grid": 5, "soc": 101}})
    assert live.state_of_charge is live.grid_power is live.load_power is None
    assert live.updated_at is None
    assert [Live.from_json({"meters": {"soc": each}}).state_of_charge for each in (0, 100)] == [0, 100]
    answers: list[object] = [[], {}, {"meters": []}]
    for answer in answers:
        with pytest.raises(InvalidAnswerError, match="/ivp/livedata/status"):
            Live.from_json(answer)


NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
JUST_SPOKE, SILENT = NOW - timedelta(minutes=65), NOW - timedelta(minutes=65, seconds=1)


def build_inverter(serial_number: str, reported_at: datetime | None, power: float | None = 58.0) -> Inverter:
    return Inverter(serial_number=serial_number, last_reported_at=reported_at, power=power, max_power=253)


@pytest.mark.parametrize("reported_at", [SILENT, datetime(2018, 5, 1, tzinfo=UTC), None])
def test_the_power_of_a_silent_microinverter_is_unknown(reported_at: datetime | None) -> None:
    assert build_inverter("1", reported_at).as_of(NOW) == build_inverter("1", reported_at, power=None)
    assert build_inverter("1", JUST_SPOKE).as_of(NOW) == build_inverter("1", JUST_SPOKE)


def build_counted(power: float, *, at: datetime | None = NOW, count: int = 2) -> ProductionSource:
    return ProductionSource(
        active_count=count,
        measured_at=at,
        power=power,
        lifetime_energy=None,
        energy_today=None,
        energy_last_seven_days=None,
    )


def test_the_total_of_the_microinverters_excludes_silent_ones() -> None:
    reporting, silent = build_inverter("1", NOW, 200.0), build_inverter("2", SILENT)
    # The gateway's sum may include the 58 W of the silent one, but there is no better value.
    assert reported_power([reporting, silent], build_counted(258), NOW) == 200
    assert reported_power([reporting, build_inverter("2", NOW)], build_counted(257), NOW) == 257
    assert reported_power([reporting, build_inverter("2", NOW)], None, NOW) == 258
    # All are silent at night and produce nothing.
    assert (
        reported_power([silent], None, NOW)
        == reported_power([silent], build_counted(58, at=SILENT), NOW)
        == 0
    )
    assert reported_power(None, build_counted(0, at=None), NOW) == 0
    assert reported_power([silent], build_counted(0, at=None), NOW) == 0
    assert reported_power([reporting], build_counted(0, at=None), NOW) == 200
    # An incomplete list is less reliable than the gateway's sum.
    assert reported_power([reporting, silent], build_counted(5521, count=38), NOW) == 5521
    assert reported_power(None, build_counted(257), NOW) == 257
    # Unknown values do not make a sum zero.
    assert reported_power([reporting, build_inverter("2", NOW, None)], None, NOW) is None
    assert reported_power([], build_counted(257), NOW) is reported_power(None, None, NOW) is None


def test_the_peak_power_of_a_microinverter_is_positive_and_not_below_its_power() -> None:
    def read(now: int, most: int) -> Inverter:
        answer = [{"serialNumber": "1", "lastReportWatts": now, "maxReportWatts": most}]
        return Inverter.list_from_json(answer)[0]

    assert [read(*each).max_power for each in ((58, 253), (58, 0), (0, 0), (58, 57))] == [253, *[None] * 3]
    assert [read(*each).power for each in ((58, 57), (5_284_029, 253))] == [58, None]
    assert rated_power([read(58, 253), read(58, 300)]) == 553
    assert rated_power([read(58, 253), read(58, 0)]) is rated_power([]) is None


def test_the_power_of_a_silent_battery_and_the_total_are_unknown() -> None:
    times = {"1": int(NOW.timestamp()), "2": int(SILENT.timestamp())}
    units = [build_unit(number, encharge_capacity=5000, last_rpt_date=at) for number, at in times.items()]
    power = {"devices:": [{"serial_num": number, "real_power_mw": 6000} for number in times]}
    found = Batteries.from_json(build_inventory(*units), power, SUMS)
    assert found.power == 12
    assert found.as_of(JUST_SPOKE) == found
    assert [each.power for each in found.as_of(NOW).units] == [6, None]
    assert found.as_of(NOW).units[1].state_of_charge is found.as_of(NOW).units[1].temperature is None
    assert found.as_of(NOW).units[1].capacity == 5000
    assert found.as_of(NOW).power is None
    assert found.as_of(NOW).state_of_charge == 51
    assert found.as_of(NOW + timedelta(days=1)).state_of_charge is None
    assert found.as_of(NOW + timedelta(days=1)).available_energy is None


def test_the_power_of_silent_ac_batteries_is_unknown() -> None:
    ac = parse_ac_batteries()
    assert ac is not None
    assert ac.measured_at is not None
    assert ac.as_of(ac.measured_at + timedelta(minutes=65)) == ac
    later = ac.measured_at + timedelta(hours=2)
    assert ac.as_of(later) == replace(ac, power=None, energy=None, state_of_charge=None)
    alone = Batteries.from_json([], secctrl=SUMS_OF_BOTH | {"ENC_agg_soc": 0}).with_ac(ac).as_of(later)
    assert alone.are_there
    assert alone.power is alone.state_of_charge is alone.available_energy is None
    assert alone.ac == ac.as_of(later)


def test_the_state_of_charge_of_all_stays_known_while_one_kind_of_battery_reports() -> None:
    silent = build_unit("1", last_rpt_date=int(SILENT.timestamp()))
    ac = parse_ac_batteries(readingTime=int(NOW.timestamp()))
    found = Batteries.from_json(build_inventory(silent), secctrl=SUMS_OF_BOTH).with_ac(ac).as_of(NOW)
    assert found.units[0].state_of_charge is None
    assert (found.state_of_charge, found.available_energy, found.ac) == (39, 5250 + 285, ac)


def test_batteries_without_a_time_of_their_last_report_keep_their_values() -> None:
    ac = parse_ac_batteries(readingTime=None)
    found = Batteries.from_json(build_inventory(build_unit("1")), secctrl=SUMS_OF_BOTH).with_ac(ac)
    assert found.units[0].state_of_charge == 50
    assert found.as_of(NOW) == found


@pytest.mark.parametrize(("most", "capacity"), [(412, None), (446, 446), (4800, 4800)])
def test_ac_batteries_cannot_hold_less_than_they_hold_now(most: float, capacity: float | None) -> None:
    sums = dict.fromkeys(SUMS_OF_BOTH, 0) | {"agg_soc": 18, "ACB_agg_energy": 446, "Max_energy": most}
    found = Batteries.from_json([], secctrl=sums)
    assert (found.available_energy, found.capacity) == (446, capacity)
    assert found.with_ac(parse_ac_batteries(whNow=446)).capacity == capacity
    assert found.with_ac(parse_ac_batteries(whNow=446)).available_energy == 446


@pytest.mark.parametrize("sign", [1, -1])
def test_the_power_of_a_battery_is_limited_by_its_kind(sign: int) -> None:
    power = {"devices:": [{"serial_num": each, "real_power_mw": sign * 7_680_000} for each in "12"]}
    units = [build_unit("1", encharge_capacity=5000), build_unit("2", encharge_capacity=3500)]
    found = Batteries.from_json(build_inventory(*units), power, SUMS)
    assert [each.power for each in found.units] == [sign * 7680, None]
    assert found.power is None
    ac = parse_ac_batteries(wNow=sign * 5000)
    assert ac is not None
    assert ac.power is None


def test_the_power_of_a_battery_is_never_negative_zero() -> None:
    for milliwatts in (-0.0, 0, -0):
        power = {"devices:": [{"serial_num": "1", "real_power_mw": milliwatts}]}
        assert str(Batteries.from_json(build_inventory(build_unit("1")), power).power) == "0.0"


@pytest.mark.parametrize(
    ("parse", "path"),
    [
        (Production.from_json, "/production.json"),
        (ProductionTotals.from_json, "/api/v1/production"),
        (Inverter.list_from_json, "/api/v1/production/inverters"),
        (Live.from_json, "/ivp/livedata/status"),
    ],
)
def test_an_answer_of_another_structure_is_an_error_with_its_path(
    parse: Callable[[object], object], path: str
) -> None:
    with pytest.raises(InvalidAnswerError) as raised:
        parse(5)
    assert raised.value.path == path


@pytest.mark.parametrize(
    ("watts", "is_plausible"), [(2000, True), (2001, False), (-2000, True), (-2001, False)]
)
def test_a_microinverter_reports_2000_watts_at_most(watts: int, is_plausible: bool) -> None:
    (inverter,) = Inverter.list_from_json([{"serialNumber": "1", "lastReportWatts": watts}])
    assert inverter.power == (watts if is_plausible else None)


@pytest.mark.parametrize(("firmware", "energy"), [("8.2.127", None), ("8.2.128", 5000)])
def test_the_sum_of_microinverters_is_not_modulo_after_8_2_127(firmware: str, energy: float | None) -> None:
    info = Info(serial_number="1", firmware=firmware)
    totals = ProductionTotals.from_json(
        {"wattHoursLifetime": 0, "wattHoursToday": 0, "wattHoursSevenDays": 0}
    )
    produced = ProductionSource.from_json({"whLifetime": 5000})
    assert unmetered_lifetime_energy(info, (), totals, produced) == energy


def test_a_source_of_production_has_power_energies_and_time() -> None:
    values = {
        "type": "inverters",
        "activeCount": 12,
        "readingTime": 1700000000,
        "wNow": 100,
        "whLifetime": 4000,
        "whToday": 10,
        "whLastSevenDays": 70,
    }
    assert Production.from_json({"production": [values]}).inverters == ProductionSource(
        active_count=12,
        measured_at=datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
        power=100,
        lifetime_energy=4000,
        energy_today=10,
        energy_last_seven_days=70,
    )


def test_totals_have_power_and_energies() -> None:
    values = {"wattsNow": 100, "wattHoursLifetime": 4000, "wattHoursToday": 10, "wattHoursSevenDays": 70}
    assert ProductionTotals.from_json(values) == ProductionTotals(
        power=100, lifetime_energy=4000, energy_today=10, energy_last_seven_days=70
    )
