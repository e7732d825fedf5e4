"""Answers of /ivp/ensemble and the tariff: batteries, system controller, relays."""

from __future__ import annotations

from typing import Any

from . import controller_answers
from .house import House
from .orders import BACKUP, ECONOMY, Orders
from .truth import BatteryState

_INSTALLED = 1735689600
#: Seconds between two reports of a battery.
_REPORT_INTERVAL = 60
_CONTROLLER_SERIAL = "482500000001"
_COLLAR_SERIAL = "482520000001"
_COMBINER_SERIAL = "482530000001"
_IDLE, _ZERO_NET, _CHARGE_FROM_GRID = "ID - Idle", "ZN - Zero Net", "CG - Charge From Grid"
_DISCHARGE_TO_LOAD, _CHARGE_FROM_PV = "DL - Discharge to Load", "CP - Charge From PV"
_SCHED_MODES = (
    _IDLE,
    _ZERO_NET,
    _CHARGE_FROM_GRID,
    "DG - Discharge to Grid",
    "ND - No Discharge",
    _DISCHARGE_TO_LOAD,
    _CHARGE_FROM_PV,
)


def inventory(house: House, at: int) -> list[dict[str, Any]]:
    """Return /ivp/ensemble/inventory."""
    if not _serial_numbers(house):
        return []
    units = [_unit(house, number, at) for number in range(len(_serial_numbers(house)))]
    if not house.profile.has_controller:
        return [
            {"type": "ENCHARGE", "devices": units},
            {"type": "COLLAR", "devices": [_collar(house, at)]},
            {"type": "C6 COMBINER CONTROLLER", "devices": [_combiner(at)]},
        ]
    return [{"type": "ENCHARGE", "devices": units}, {"type": "ENPOWER", "devices": [_controller(house, at)]}]


def forget_temperatures(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the inventory with a word for the temperatures of IQ Batteries, as after a restart."""
    unknown = {"temperature": "unknown", "maxCellTemp": "unknown"}
    return [
        {**group, "devices": [{**device, **unknown} for device in group["devices"]]}
        if group["type"] == "ENCHARGE"
        else group
        for group in groups
    ]


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
    kept = house.orders(at).kept if state.capacity else 0.0
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
        "configured_backup_soc": round(kept),
        "adjusted_backup_soc": round(kept),
        "agg_soc": round(state.state_of_charge),
        "Max_energy": round(state.capacity),
        "ENC_agg_soc": round(iq.state_of_charge),
        "ENC_agg_soh": 100 if iq.capacity else 0,
        "ENC_agg_backup_energy": round(iq.capacity * kept / 100),
        "ENC_agg_avail_energy": round(iq.available_energy),
        "Enc_commissioned_capacity": round(iq.capacity),
        "Enc_max_available_capacity": round(iq.capacity),
        "ACB_agg_soc": round(ac.state_of_charge),
        "ACB_agg_energy": round(ac.available_energy),
        "VLS_Limit": round(house.orders(at).very_low),
        "soc_rec_enabled": False,
        "soc_recovery_entry": 0,
        "soc_recovery_exit": 10,
        "Commission_in_progress": False,
        "ESS_in_progress": False,
    }


def sched(house: House, at: int, allowed: bool) -> dict[str, Any]:
    """Return /ivp/sc/sched: what the scheduler does, and whether it is `allowed` to charge from the grid."""
    state, orders = _state(house, at), house.orders(at)
    iq = state if _serial_numbers(house) else _NO_BATTERY
    return {
        "acb_current_mode": _SCHED_MODES.index(_sched_mode(state, orders)),
        "acb_debug_mode": -1,
        "ENC_agg_energy": round(iq.available_energy),
        "Agg Backup Energy": round(iq.capacity * orders.kept / 100),
        "Agg VLS Energy": round(iq.capacity * orders.very_low / 100),
        "Num_of_enc": len(_serial_numbers(house)),
        "ENC_agg_soc": round(iq.state_of_charge),
        "Force Discharge": False,
        "Charge From Grid Allowed": allowed,
        "ACB_agg_soc": 0,
        "ACB_agg_energy": 0,
        "Num_of_acb": 0,
        "agg_soc": round(state.state_of_charge),
        "max_energy": round(state.capacity),
        "sched_mode_key": list(_SCHED_MODES),
    }


def sc_status(house: House, at: int) -> dict[str, Any]:
    """Return /ivp/sc/status: the setpoint of each group, in percent of its nameplate; - is charging."""
    battery, charge = house.profile.battery, 0.0
    strongest = battery.units * battery.unit_power if battery else 0.0
    if strongest and _sched_mode(_state(house, at), house.orders(at)) == _CHARGE_FROM_GRID:
        charge = max(-100.0, round(100 * min(0.0, _state(house, at).power) / strongest, 1))
    groups = {"ACB": 0.0, "ENC": charge, "PV": 100.0, "SLP": 0.0}
    peak = sum(inverter.peak for inverter in house.inverters)
    return {
        "nameplate": {"PV": [round(peak), 0, 0], "ENC": [round(strongest), 0, 0], "ACB": [0, 0, 0]},
        "response": {
            "f_state": 0.0,
            "v_state": 0.0,
            "groups": [
                {"id": name, "min": -100, "max": 0, "setpoint_val": setpoint}
                for name, setpoint in groups.items()
            ],
        },
        "acbstats": {"encharge_feedback": {"raw_setpt": charge, "avg_setpt": charge}},
    }


def _sched_mode(state: BatteryState, orders: Orders) -> str:
    """Return what the scheduler does, in its own words."""
    if not orders.on_grid:
        return _IDLE
    if orders.charge_from_grid and state.state_of_charge < orders.kept - 0.5:
        return _CHARGE_FROM_GRID
    return {BACKUP: _CHARGE_FROM_PV, ECONOMY: _DISCHARGE_TO_LOAD}.get(orders.mode, _ZERO_NET)


def status(house: House, at: int) -> dict[str, Any]:
    """Return /ivp/ensemble/status."""
    units = {
        serial_number: {
            "device_type": 13,
            "admin_state": 6,
            "admin_state_str": "ENCHG_STATE_READY",
            "reported_grid_mode": "grid-tied" if house.orders(at).on_grid else house.orders(at).grid_mode,
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
        "relay": controller_answers.relay(house, at),
        "profile": {"message": "Obsolete API, please use ivp/arf/profile"},
        "fakeit": {"fake_inventory_mode": False},
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
        "reported_enc_grid_state": "grid-tied" if house.orders(at).on_grid else house.orders(at).grid_mode,
        "comm_level_sub_ghz": 0,
        "comm_level_2_4_ghz": 0,
        "led_status": 12 if state.power > 1 else 13 if state.power < -1 else 14,
        "dc_switch_off": False,
        "encharge_rev": 3,
        "encharge_capacity": round(state.capacity / len(serial_numbers)),
        "phase": "ph-a",
        "der_index": 2,
    }


def _controller(house: House, at: int) -> dict[str, Any]:
    return {
        "part_num": "865-00378-r27",
        "serial_num": _CONTROLLER_SERIAL,
        "installed": _INSTALLED,
        "device_status": ["envoy.global.ok", "prop.done"],
        "last_rpt_date": at // _REPORT_INTERVAL * _REPORT_INTERVAL,
        "admin_state": 24,
        "admin_state_str": f"ENPWR_STATE_OPER_{'CLOSED' if house.orders(at).on_grid else 'OPEN'}",
        "created_date": _INSTALLED,
        "img_load_date": _INSTALLED,
        "img_pnum_running": "3.0.5654_rel/31.13",
        "communicating": True,
        "temperature": 72,
        "comm_level_sub_ghz": 0,
        "comm_level_2_4_ghz": 0,
        "mains_admin_state": house.orders(at).relay_asked,
        "mains_oper_state": house.orders(at).relay,
        "Enpwr_grid_mode": house.orders(at).grid_mode,
        "Enchg_grid_mode": house.orders(at).grid_mode,
        "Enpwr_relay_state_bm": 15868,
        "Enpwr_curr_state_id": 16,
    }


def _collar(house: House, at: int) -> dict[str, Any]:
    on_grid = house.orders(at).on_grid
    return {
        "part_num": "865-00400-r22",
        "serial_num": _COLLAR_SERIAL,
        "installed": _INSTALLED,
        "device_status": ["envoy.global.ok", "prop.done"],
        "last_rpt_date": at // _REPORT_INTERVAL * _REPORT_INTERVAL,
        "admin_state": 88 if on_grid else 89,
        "admin_state_str": "ENCMN_MDE_ON_GRID" if on_grid else "ENCMN_MDE_OFF_GRID",
        "created_date": _INSTALLED,
        "img_load_date": _INSTALLED,
        "img_pnum_running": "3.0.6-D0",
        "communicating": True,
        "temperature": 42,
        "mid_state": "close" if on_grid else "open",
        # Seen not to follow.
        "grid_state": "on_grid",
        "control_error": 0,
        "collar_state": "Installed",
    }


def _combiner(at: int) -> dict[str, Any]:
    return {
        "part_num": "800-02403-r08",
        "serial_num": _COMBINER_SERIAL,
        "installed": _INSTALLED,
        "last_rpt_date": at // _REPORT_INTERVAL * _REPORT_INTERVAL,
        "admin_state": 82,
        "admin_state_str": "ENCMN_C6_CC_READY",
        "created_date": _INSTALLED,
        "img_load_date": _INSTALLED,
        "fw_version": "0.1.20-D1",
        "dmir_version": "0.1.20-D1",
        "communicating": True,
        "temperature": 31,
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
