"""Microinverters with their details, and the devices around the batteries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from enphase_api.models import Batteries, DeviceData, DryContact, Generator, Relay
from enphase_api.models.production import Inverter

#: 2026-07-29 13:41:44 UTC.
REPORTED = 1785332504


def build_device(serial_number: str = "532437030305", **more: Any) -> dict[str, Any]:
    """Return a device of /ivp/pdm/device_data, as 8.3.5433 reports it."""
    channel = {
        "wattHours": {"today": 16, "yesterday": 2659, "week": 17698},
        "watts": {"now": 25, "nowUsed": 0, "max": 299},
        "lastReading": {
            "endDate": REPORTED,
            "duration": 903,
            "joulesProduced": 22725,
            "acVoltageINmV": 241563,
            "acFrequencyINmHz": 60004,
            "dcVoltageINmV": 39102,
            "dcCurrentINmA": 742,
            "channelTemp": 30,
            "acCurrentInmA": 186,
        },
        "lifetime": {"createdTime": 1784993537, "duration": 36536408, "joulesProduced": 2971738350},
    }
    return {
        "devName": "pcu",
        "sn": serial_number,
        "active": True,
        "modGone": False,
        "channels": [channel],
    } | more


def build_answer(*devices: dict[str, Any], count: int | None = None) -> dict[str, Any]:
    listed = {str(553648384 + 256 * number): device for number, device in enumerate(devices)}
    return {**listed, "deviceCount": len(devices) if count is None else count, "deviceDataLimit": 50}


def list_inverters(*serial_numbers: str) -> tuple[Inverter, ...]:
    entries = [
        {"serialNumber": each, "lastReportDate": REPORTED, "lastReportWatts": 25} for each in serial_numbers
    ]
    return Inverter.list_from_json(entries)


def test_a_microinverter_has_its_values_in_volts_amperes_hertz_and_watt_hours() -> None:
    (found,) = DeviceData.from_json(build_answer(build_device())).inverters
    assert (found.serial_number, found.power, found.max_power) == ("532437030305", 25, 299)
    assert found.last_reported_at == datetime.fromtimestamp(REPORTED, UTC)
    assert (found.dc_voltage, found.dc_current) == (39.102, 0.742)
    assert (found.ac_voltage, found.ac_current, found.frequency) == (241.563, 0.186, 60.004)
    assert (found.temperature, found.energy_today) == (30, 16)
    assert found.lifetime_energy == pytest.approx(2971738350 / 3600)


def test_a_microinverter_that_has_not_reported_yet_has_unknown_values() -> None:
    channel: dict[str, Any] = {
        "created": 0,
        "wattHours": {"today": 0, "yesterday": 0, "week": 0},
        "watts": {"now": 0, "nowUsed": 0, "max": 0},
        "lastReading": {},
        "lifetime": {},
    }
    answers: list[Any] = [[channel], [{}], [], None, [7]]
    for channels in answers:
        (found,) = DeviceData.from_json(build_answer(build_device(channels=channels))).inverters
        values = {name: getattr(found, name) for name in found.__slots__} | {
            "power": found.power,
            "max_power": found.max_power,
            "last_reported_at": found.last_reported_at,
        }
        assert set(values.values()) == {None}


def build_channel(**more: Any) -> dict[str, Any]:
    (channel,) = build_device()["channels"]
    return {**channel, **more}


def test_the_powers_and_energies_of_several_channels_are_added() -> None:
    second = build_channel(
        wattHours={"today": 20},
        watts={"now": 31, "max": 290},
        lastReading={"endDate": REPORTED + 60, "dcVoltageINmV": 36_000, "acVoltageINmV": 241_000},
        lifetime={"joulesProduced": 7_200_000},
    )
    (found,) = DeviceData.from_json(build_answer(build_device(channels=[build_channel(), second]))).inverters
    assert (found.power, found.max_power, found.energy_today) == (56, 589, 36)
    assert found.lifetime_energy == pytest.approx((2971738350 + 7_200_000) / 3600)
    assert (found.dc_voltage, found.ac_voltage, found.temperature) == (39.102, 241.563, 30)
    assert found.last_reported_at == datetime.fromtimestamp(REPORTED + 60, UTC)


def test_a_channel_that_never_reported_does_not_count() -> None:
    unused = build_channel(watts={"now": 0, "max": 0}, lastReading={}, lifetime={}, wattHours={"today": 0})
    (alone,) = DeviceData.from_json(build_answer(build_device())).inverters
    (found,) = DeviceData.from_json(build_answer(build_device(channels=[unused, build_channel()]))).inverters
    assert found == alone


def test_the_sum_of_channels_is_unknown_without_one_of_them() -> None:
    second = build_channel(lifetime={}, watts={"now": "?"})
    (found,) = DeviceData.from_json(build_answer(build_device(channels=[build_channel(), second]))).inverters
    assert found.power is found.lifetime_energy is None
    assert found.energy_today == 32


def test_the_energy_of_several_channels_starts_again_as_that_of_one() -> None:
    produced = 2**32 - 1000

    def read(*joules: int) -> float:
        channels = [build_channel(lifetime={"joulesProduced": each % 2**32}) for each in joules]
        (found,) = DeviceData.from_json(build_answer(build_device(channels=channels))).inverters
        assert found.lifetime_energy is not None
        return found.lifetime_energy * 3600

    before, after = read(produced, produced), read(produced + 2000, produced + 2000)
    assert (after - before) % 2**32 == pytest.approx(4000)


@pytest.mark.parametrize(
    ("key", "value", "field"),
    [
        ("dcVoltageINmV", 4_000_000, "dc_voltage"),
        ("acFrequencyINmHz", -1, "frequency"),
        ("channelTemp", 4096, "temperature"),
        ("acCurrentInmA", "186", "ac_current"),
    ],
)
def test_an_implausible_value_is_unknown_and_the_others_stay(key: str, value: object, field: str) -> None:
    device = build_device()
    device["channels"][0]["lastReading"][key] = value
    (found,) = DeviceData.from_json(build_answer(device)).inverters
    assert getattr(found, field) is None
    assert found.power == 25


def test_a_silent_microinverter_keeps_only_its_energies() -> None:
    (found,) = DeviceData.from_json(build_answer(build_device())).inverters
    reported = datetime.fromtimestamp(REPORTED, UTC)
    assert found.as_of(reported + timedelta(minutes=60)) == found
    silent = found.as_of(reported + timedelta(minutes=70))
    assert silent.power is silent.ac_voltage is silent.dc_current is silent.temperature is None
    assert (silent.lifetime_energy, silent.energy_today) == (found.lifetime_energy, 16)
    assert (silent.max_power, silent.last_reported_at) == (299, reported)


def test_removed_microinverters_and_meters_are_left_out() -> None:
    answer = build_answer(
        build_device("1"),
        build_device("2", modGone=True, active=False),
        build_device("5", modGone=True),
        build_device("3", active=False),
        build_device("122115055931EIM1", devName="eim"),
        build_device("4", sn=None),
    )
    found = DeviceData.from_json(answer)
    assert [each.serial_number for each in found.inverters] == ["1", "5"]
    assert found.removed == {"2", "3"}


def test_microinverters_beyond_the_limit_come_from_the_list() -> None:
    found = DeviceData.from_json(build_answer(build_device("1"), build_device("2", active=False), count=50))
    assert not found.is_complete
    merged = found.merge(list_inverters("1", "2", "3"))
    assert [each.serial_number for each in merged] == ["1", "3"]
    assert merged[0] == found.inverters[0]


@pytest.mark.parametrize(("count", "is_complete"), [(49, True), (50, False), (60, False)])
def test_an_answer_at_its_limit_may_lack_devices(count: int, is_complete: bool) -> None:
    assert DeviceData.from_json(build_answer(build_device(), count=count)).is_complete is is_complete


def test_an_answer_without_limit_may_lack_devices() -> None:
    assert not DeviceData.from_json({"553648384": build_device()}).is_complete


def test_an_answer_without_microinverters_lacks_all_of_them() -> None:
    found = DeviceData.from_json(build_answer(build_device("1", devName="eim")))
    assert not found.is_complete
    assert found.merge(list_inverters("1", "2")) == tuple(list_inverters("1", "2"))


def build_battery(**more: Any) -> dict[str, Any]:
    return {
        "serial_num": "1",
        "encharge_capacity": 5000,
        "bmu_fw_version": "3.8.63",
        "sleep_enabled": False,
        "percentFull": 21,
        "temperature": 12,
        "maxCellTemp": 14,
        "reported_enc_grid_state": "grid-tied",
        "comm_level_sub_ghz": 0,
        "comm_level_2_4_ghz": 5,
        "led_status": 12,
        "dc_switch_off": True,
    } | more


def test_a_battery_has_all_that_its_unit_reports() -> None:
    power = {
        "devices:": [{"serial_num": "1", "real_power_mw": -136000, "apparent_power_mva": -137000, "soc": 22}]
    }
    (found,) = Batteries.from_json([{"type": "ENCHARGE", "devices": [build_battery()]}], power).units
    assert (found.max_cell_temperature, found.bmu_firmware, found.led_status) == (14, "3.8.63", 12)
    assert (found.sleep_enabled, found.dc_switch_off, found.grid_state) == (False, True, "grid-tied")
    assert (found.comm_level_sub_ghz, found.comm_level_2_4_ghz) == (0, 5)
    assert (found.power, found.apparent_power) == (-136, -137)
    assert (found.state_of_charge, found.power_state_of_charge) == (21, 22)


def test_numbers_that_are_the_text_unknown_after_a_reboot_are_unknown() -> None:
    words = dict.fromkeys(("percentFull", "temperature", "maxCellTemp", "encharge_capacity"), "unknown")
    controller = {"serial_num": "9", "temperature": "unknown", "mains_oper_state": "unknown"}
    found = Batteries.from_json(
        [
            {"type": "ENCHARGE", "devices": [build_battery(**words)]},
            {"type": "ENPOWER", "devices": [controller]},
        ]
    )
    battery, enpower = found.units[0], found.controllers[0]
    assert battery.state_of_charge is battery.temperature is battery.max_cell_temperature is None
    assert battery.capacity is enpower.temperature is found.grid_connected is None


def test_a_system_controller_has_its_temperature_in_celsius() -> None:
    controller = {
        "serial_num": "9",
        "part_num": "865-00378-r27",
        "img_pnum_running": "3.0.5654_rel/31.13",
        "last_rpt_date": 1709829514,
        "communicating": True,
        "temperature": 72,
        "comm_level_sub_ghz": 5,
        "mains_admin_state": "closed",
        "mains_oper_state": "closed",
        "Enpwr_grid_mode": "multimode-ongrid",
    }
    found = Batteries.from_json([{"type": "ENPOWER", "devices": [controller, {}]}])
    (enpower,) = found.controllers
    assert enpower.temperature == pytest.approx(22.2, abs=0.03)
    assert (enpower.serial_number, enpower.part_number) == ("9", "865-00378-r27")
    assert (enpower.firmware, enpower.communicating) == ("3.0.5654_rel/31.13", True)
    assert (enpower.grid_mode, enpower.comm_level_sub_ghz) == ("multimode-ongrid", 5)
    assert enpower.last_reported_at == datetime(2024, 3, 7, 16, 38, 34, tzinfo=UTC)
    assert enpower.is_on_grid
    assert not found.are_there


@pytest.mark.parametrize(
    ("state", "is_on_grid"),
    [
        ("closed", True),
        ("open", False),
        ("open synchronizing", False),
        ("open synchronized", False),
        ("closed synchronizing", True),
        ("unknown", None),
        (" ", None),
        (None, None),
    ],
)
def test_the_first_word_of_a_relay_is_its_position(state: str | None, is_on_grid: bool | None) -> None:
    relay = {"mains_oper_state": state, "mains_admin_state": "open"}
    assert Relay.from_json(relay).is_on_grid is is_on_grid
    controller = {"type": "ENPOWER", "devices": [{"serial_num": "9", **relay}]}
    assert Batteries.from_json([controller]).grid_connected is is_on_grid


def test_a_collar_and_a_combiner_are_devices_of_their_own() -> None:
    collar = {
        "serial_num": "8",
        "temperature": 42,
        "mid_state": "close",
        "grid_state": "on_grid",
        "admin_state_str": "ENCMN_MDE_OFF_GRID",
        "control_error": 0,
        "communicating": True,
    }
    combiner = {"serial_num": "7", "fw_version": "0.1.20-D1", "communicating": False, "temperature": 33}
    found = Batteries.from_json(
        [
            {"type": "COLLAR", "devices": [collar]},
            {"type": "C6 COMBINER CONTROLLER", "devices": [combiner]},
        ]
    )
    assert (found.collars[0].temperature, found.collars[0].is_closed) == (42, True)
    assert (found.collars[0].control_error, found.collars[0].grid_state) == (0, "on_grid")
    assert found.collars[0].is_on_grid is found.grid_connected is False
    assert (found.combiners[0].firmware, found.combiners[0].communicating) == ("0.1.20-D1", False)
    assert found.combiners[0].temperature == 33


def test_a_generator_is_there_if_its_state_is_known() -> None:
    # 7.3.466, 7.6.175 and 8.2.127 without generator.
    answer = {"admin_state": "unknown", "oper_state": "open", "start_soc": 100, "stop_soc": -1, "present": 1}
    assert not Generator.from_json(answer).is_there
    found = Generator.from_json(answer | {"admin_state": "auto", "oper_state": "closed", "start_soc": 30})
    assert found.is_there
    assert (found.admin_state, found.is_connected) == ("auto", True)
    assert (found.start_soc, found.stop_soc) == (30, None)


def test_a_dry_contact_has_its_status_and_all_of_its_settings() -> None:
    status = {"dry_contacts": [{"id": "NC1", "status": "open"}, {"id": "NO2", "status": "stuck"}, {}]}
    rule = {
        "id": "NC1",
        "type": "LOAD",
        "grid_action": "apply",
        "micro_grid_action": "shed",
        "gen_action": "none",
        "override": "false",
        "load_name": "Pool",
        "mode": "soc",
        "soc_low": 30.0,
        "soc_high": 70.0,
        "pv_serial_nb": [],
        "new_key": 3,
    }
    first, second = DryContact.list_from_json(status, {"dry_contacts": [rule]})
    assert (first.id, first.status, first.load_name, first.type) == ("NC1", "open", "Pool", "LOAD")
    assert (first.grid_action, first.micro_grid_action, first.generator_action) == ("apply", "shed", "none")
    assert (first.mode, first.soc_low, first.soc_high) == ("soc", 30, 70)
    assert first.settings == rule
    assert (second.id, second.status, second.settings, second.mode) == ("NO2", None, {}, None)
