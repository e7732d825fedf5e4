"""Answers of /ivp/ensemble and the tariff: batteries, system controller, relays."""

from __future__ import annotations

from typing import Any

from .house import House
from .truth import BatteryState

_INSTALLED = 1735689600
#: Seconds between two reports of a battery.
_REPORT_INTERVAL = 60
_CONTACTS = ("NC1", "NC2", "NO1", "NO2")
_CONTROLLER_SERIAL = "482500000001"
_COLLAR_SERIAL = "482520000001"


def inventory(house: House, at: int) -> list[dict[str, Any]]:
    """Return /ivp/ensemble/inventory."""
    if not _serial_numbers(house):
        return []
    units = [_unit(house, number, at) for number in range(len(_serial_numbers(house)))]
    if house.profile.battery is not None and house.profile.battery.collar:
        return [{"type": "ENCHARGE", "devices": units}, {"type": "COLLAR", "devices": [_collar(at)]}]
    return [{"type": "ENCHARGE", "devices": units}, {"type": "ENPOWER", "devices": [_controller(at)]}]


def power(house: House, at: int) -> dict[str, Any]:
    """Return /ivp/ensemble/power, whose one key ends in a colon on every gateway."""
    state, serial_numbers = _state(house, at), _serial_numbers(house)
    return {
        "devices:": [
            {
                "serial_num": serial_number,
                "real_power_mw": round(state.power / len(serial_numbers) * 1000),
                "apparent_power_mva": round(state.power / len(serial_numbers) * 1000),
                "soc": round(state.state_of_charge),
            }
            for serial_number in serial_numbers
        ]
    }


def secctrl(house: House, at: int) -> dict[str, Any]:
    """Return /ivp/ensemble/secctrl: all batteries together, IQ Batteries as ENC and AC Batteries as ACB."""
    state = _state(house, at)
    iq = state if _serial_numbers(house) else _NO_BATTERY
    ac = _NO_BATTERY if iq is state else state
    phases = ("", "_phaseb", "_phasec")
    biases = {
        name: value
        for phase in phases
        for name, value in (
            (f"freq_bias_hz{phase}", 0.0),
            (f"voltage_bias_v{phase}", 0.0),
            (f"freq_bias_hz_q8{phase}", 0),
            (f"voltage_bias_v_q5{phase}", 0),
        )
    }
    return {
        "shutdown": False,
        **biases,
        "configured_backup_soc": round(state.reserve),
        "adjusted_backup_soc": round(state.reserve),
        "agg_soc": round(state.state_of_charge),
        "Max_energy": round(state.capacity),
        "ENC_agg_soc": round(iq.state_of_charge),
        "ENC_agg_soh": 100 if iq.capacity else 0,
        "ENC_agg_backup_energy": round(iq.capacity * iq.reserve / 100),
        "ENC_agg_avail_energy": round(iq.available_energy),
        "Enc_commissioned_capacity": round(iq.capacity),
        "Enc_max_available_capacity": round(iq.capacity),
        "ACB_agg_soc": round(ac.state_of_charge),
        "ACB_agg_energy": round(ac.available_energy),
    }


def status(house: House, at: int) -> dict[str, Any]:
    """Return /ivp/ensemble/status."""
    units = {
        serial_number: {
            "device_type": 13,
            "admin_state": 6,
            "admin_state_str": "ENCHG_STATE_READY",
            "reported_grid_mode": "grid-tied",
            "phase": 1,
            "encharge_revision": 3,
            "encharge_capacity": round(_state(house, at).capacity / len(_serial_numbers(house))),
            "submodule_count": 0,
            "submodules": {},
        }
        for serial_number in _serial_numbers(house)
    }
    return {
        "inventory": {"serial_nums": units},
        "counters": {"api_ecagtInit": 1},
        "secctrl": secctrl(house, at),
        "relay": relay(house),
        "profile": {"message": "Obsolete API, please use ivp/arf/profile"},
        "fakeit": {"fake_inventory_mode": False},
    }


def relay(house: House) -> dict[str, Any]:
    """Return /ivp/ensemble/relay."""
    mode = "grid-tied" if _serial_numbers(house) else "unknown"
    return {
        "mains_admin_state": "closed",
        "mains_oper_state": "closed",
        "der1_state": 0,
        "der2_state": 0,
        "Enchg_grid_mode": mode,
        "Solar_grid_mode": "unknown",
    }


def dry_contacts() -> dict[str, Any]:
    """Return /ivp/ensemble/dry_contacts."""
    return {"dry_contacts": [{"id": contact, "status": "open"} for contact in _CONTACTS]}


def dry_contact_settings() -> dict[str, Any]:
    """Return /ivp/ss/dry_contact_settings."""
    settings = {
        "type": "NONE",
        "grid_action": "none",
        "micro_grid_action": "none",
        "gen_action": "none",
        "override": "false",
        "load_name": "",
        "mode": "manual",
        "soc_low": 30.0,
        "soc_high": 70.0,
        "pv_serial_nb": [],
    }
    return {"dry_contacts": [{"id": contact, **settings} for contact in _CONTACTS]}


def generator() -> dict[str, Any]:
    """Return /ivp/ensemble/generator: no generator is installed."""
    return {
        "admin_state": "unknown",
        "oper_state": "open",
        "admin_mode": 0,
        "schedule": 0,
        "start_soc": 100,
        "stop_soc": -1,
        "exc_on": 0,
        "present": 0,
        "type": 0,
    }


def tariff(house: House, at: int) -> dict[str, Any]:
    """Return /admin/lib/tariff: one price all year, and how the battery is used."""
    reserve = round(_state(house, at).reserve)
    usage = {
        "operation_mode_sub_type": "",
        "reserved_soc": reserve,
        "very_low_soc": 5,
        "charge_from_grid": False,
    }
    all_day = {
        "id": "all_days",
        "days": "Mon,Tue,Wed,Thu,Fri,Sat,Sun",
        "must_charge_start": 0,
        "must_charge_duration": 0,
        "must_charge_mode": "CG",
        "enable_discharge_to_grid": False,
        "periods": [{"id": "all_day", "start": 0, "rate": 0.25}],
    }
    return {
        "tariff": {
            "currency": {"code": "EUR"},
            "logger": "mylogger",
            "date": str(_INSTALLED),
            "storage_settings": {"mode": "self-consumption", **usage, "date": str(_INSTALLED)},
            "single_rate": {"rate": 0.25, "sell": 0.08},
            "seasons": [{"id": "all_year_long", "start": "1/1", "days": [all_day], "tiers": []}],
            "seasons_sell": [],
        },
        "schedule": {"source": "Tariff", **usage, "battery_mode": "self-consumption", "schedule": {}},
    }


def _unit(house: House, number: int, at: int) -> dict[str, Any]:
    reported = (at - 7 * number) // _REPORT_INTERVAL * _REPORT_INTERVAL + 7 * number
    state, serial_numbers = _state(house, reported), _serial_numbers(house)
    return {
        "part_num": "836-01826-r76",
        "serial_num": serial_numbers[number],
        "installed": _INSTALLED,
        "device_status": ["envoy.global.ok", "prop.done"],
        "last_rpt_date": reported,
        "admin_state": 6,
        "admin_state_str": "ENCHG_STATE_READY",
        "created_date": _INSTALLED,
        "img_load_date": _INSTALLED,
        "img_pnum_running": "3.0.6614_rel/31.13",
        "bmu_fw_version": "3.8.63",
        "communicating": True,
        "sleep_enabled": False,
        "percentFull": round(state.state_of_charge),
        "temperature": 21 + number,
        "maxCellTemp": 23 + number,
        "reported_enc_grid_state": "grid-tied",
        "comm_level_sub_ghz": 0,
        "comm_level_2_4_ghz": 0,
        "led_status": 12 if state.power > 1 else 13 if state.power < -1 else 14,
        "dc_switch_off": False,
        "encharge_rev": 3,
        "encharge_capacity": round(state.capacity / len(serial_numbers)),
        "phase": "ph-a",
        "der_index": 2,
    }


def _controller(at: int) -> dict[str, Any]:
    return {
        "part_num": "865-00378-r27",
        "serial_num": _CONTROLLER_SERIAL,
        "installed": _INSTALLED,
        "device_status": ["envoy.global.ok", "prop.done"],
        "last_rpt_date": at // _REPORT_INTERVAL * _REPORT_INTERVAL,
        "admin_state": 24,
        "admin_state_str": "ENPWR_STATE_OPER_CLOSED",
        "created_date": _INSTALLED,
        "img_load_date": _INSTALLED,
        "img_pnum_running": "3.0.5654_rel/31.13",
        "communicating": True,
        "temperature": 72,
        "comm_level_sub_ghz": 0,
        "comm_level_2_4_ghz": 0,
        "mains_admin_state": "closed",
        "mains_oper_state": "closed",
        "Enpwr_grid_mode": "multimode-ongrid",
        "Enchg_grid_mode": "multimode-ongrid",
        "Enpwr_relay_state_bm": 15868,
        "Enpwr_curr_state_id": 16,
    }


def _collar(at: int) -> dict[str, Any]:
    return {
        "part_num": "865-00400-r22",
        "serial_num": _COLLAR_SERIAL,
        "installed": _INSTALLED,
        "device_status": ["envoy.global.ok", "prop.done"],
        "last_rpt_date": at // _REPORT_INTERVAL * _REPORT_INTERVAL,
        "admin_state": 88,
        "admin_state_str": "ENCMN_MDE_ON_GRID",
        "created_date": _INSTALLED,
        "img_load_date": _INSTALLED,
        "img_pnum_running": "3.0.6-D0",
        "communicating": True,
        "temperature": 42,
        "mid_state": "close",
        "grid_state": "on_grid",
        "control_error": 0,
        "collar_state": "Installed",
    }


def _serial_numbers(house: House) -> list[str]:
    """Return the serial numbers of the IQ Batteries; AC Batteries are not part of an ensemble."""
    battery = house.profile.battery
    if battery is None or battery.kind != "encharge":
        return []
    return [f"4924{number + 1:08d}" for number in range(battery.units)]


_NO_BATTERY = BatteryState(power=0, available_energy=0, capacity=0, state_of_charge=0, reserve=0)


def _state(house: House, at: int) -> BatteryState:
    return house.truth(at).battery or _NO_BATTERY
