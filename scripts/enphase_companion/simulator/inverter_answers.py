"""Answers about the microinverters: their reports, device data and the inventory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import counter_wraps
from .house import House, Inverter
from .profiles import Profile

#: Seconds between two reports of a microinverter.
REPORT_INTERVAL = 300
#: Device data lists no more devices than this.
DEVICE_DATA_LIMIT = 50
_MICROINVERTER, _AC_BATTERY = 1, 11
#: Number of the first microinverter's channel.
_FIRST_CHANNEL = 1627390225
_PHASE_NAMES = ("ph-a", "ph-b", "ph-c")
_INSTALLED = 1735689600
#: A night is never longer than this (seconds), at the latitudes where houses have panels.
_LONGEST_NIGHT = 20 * 3600


@dataclass(frozen=True)
class Report:
    """The last report of a microinverter."""

    inverter: Inverter
    at: int  #: epoch seconds
    watts: float


def last_report_time(house: House, at: int, delay: int = 0) -> int:
    """When microinverters last reported, `delay` seconds after full five minutes; in the dark they do not."""
    latest = (at - delay) // REPORT_INTERVAL * REPORT_INTERVAL + delay
    moments = range(latest, latest - _LONGEST_NIGHT, -REPORT_INTERVAL)
    return next((moment for moment in moments if house.sunshine(moment) > 0), latest)


def reports(house: House, at: int) -> list[Report]:
    """Return the last report of each microinverter; they report one after the other."""
    latest = []
    for number, inverter in enumerate(house.inverters):
        moment = last_report_time(house, at, delay=number * REPORT_INTERVAL // len(house.inverters))
        latest.append(Report(inverter, moment, house.truth(moment).inverters[inverter.serial_number]))
    return latest


def inverters(house: House, at: int) -> list[dict[str, Any]]:
    """Return /api/v1/production/inverters; AC Batteries stand among the microinverters."""
    units = [
        _unit(report.inverter.serial_number, report.at, report.watts, report.inverter.peak, _MICROINVERTER)
        for report in reports(house, at)
    ]
    battery, state = house.profile.battery, house.truth(at).battery
    if battery is not None and state is not None:
        watts = state.power / battery.units
        units += [
            _unit(serial_number, at, watts, battery.unit_power, _AC_BATTERY)
            for serial_number in ac_battery_serials(house.profile)
        ]
    return units


def ac_battery_serials(profile: Profile) -> list[str]:
    """Return the serial numbers of a house's AC Batteries, if it has that kind."""
    if profile.battery is None or profile.battery.kind != "acb":
        return []
    return [f"1219{number + 1:08d}" for number in range(profile.battery.units)]


def device_data(house: House, at: int) -> dict[str, Any]:
    """Return /ivp/pdm/device_data: no more than fifty devices."""
    devices = [
        _device(house, report, _FIRST_CHANNEL + 256 * number)
        for number, report in enumerate(reports(house, at)[:DEVICE_DATA_LIMIT])
    ]
    if "empty-device-data" in house.profile.quirks:
        devices = []
    elif "removed-inverters" in house.profile.quirks:
        last = devices.pop()
        removed = [
            _silent_device(f"4821{number:08d}", _FIRST_CHANNEL - 256 * number, gone=True) for number in (1, 2)
        ]
        unreported = _silent_device(last["sn"], last["channels"][0]["chanEid"], gone=False)
        devices = [*removed, *devices, unreported][:DEVICE_DATA_LIMIT]
    numbered = {str(553648384 + 256 * number): device for number, device in enumerate(devices)}
    return {**numbered, "deviceCount": len(devices), "deviceDataLimit": DEVICE_DATA_LIMIT}


def inventory(house: House, at: int) -> list[dict[str, Any]]:
    """Return /inventory.json."""
    microinverters = [
        {
            "part_num": "800-01374-r02",
            "installed": str(_INSTALLED),
            "serial_num": report.inverter.serial_number,
            "device_status": ["envoy.global.ok"],
            "last_rpt_date": str(report.at),
            "admin_state": 1,
            "dev_type": _MICROINVERTER,
            "created_date": str(_INSTALLED),
            "img_load_date": str(_INSTALLED),
            "img_pnum_running": "520-00082-r01-v04.30.32",
            "ptpn": "540-00135-r01-v04.27.04",
            "chaneid": _FIRST_CHANNEL + 256 * number,
            "device_control": [{"gficlearset": False}],
            "producing": report.watts > 1,
            "communicating": True,
            "provisioned": True,
            "operating": report.watts > 1,
            "phase": _PHASE_NAMES[report.inverter.phase],
        }
        for number, report in enumerate(reports(house, at))
    ]
    batteries = [_ac_battery(house, serial_number, at) for serial_number in ac_battery_serials(house.profile)]
    devices: dict[str, list[dict[str, Any]]] = {
        "PCU": microinverters,
        "ACB": batteries,
        "NSRB": [],
        "ESUB": [],
    }
    return [{"type": kind, "devices": listed} for kind, listed in devices.items()]


def _unit(serial_number: str, at: int, watts: float, most: float, kind: int) -> dict[str, Any]:
    return {
        "serialNumber": serial_number,
        "lastReportDate": at,
        "devType": kind,
        "lastReportWatts": round(watts),
        "maxReportWatts": round(most),
    }


def _device(house: House, report: Report, channel: int) -> dict[str, Any]:
    inverter, at = report.inverter, report.at
    midnight = int(house.midnight(at))
    number = house.inverters.index(inverter)

    def produced(moment: float) -> float:
        return house.truth(moment).production.phases[inverter.phase].energy_delivered * inverter.share

    phase = house.truth(at).production.phases[inverter.phase]
    today, yesterday = produced(at) - produced(midnight), produced(midnight) - produced(midnight - 86400)
    dc_volts = 38.0
    return {
        "devName": "pcu",
        "sn": inverter.serial_number,
        "active": True,
        "modGone": False,
        "channels": [
            {
                "chanEid": channel,
                "created": at,
                "wattHours": {
                    "today": round(today),
                    "yesterday": round(yesterday),
                    "week": round(produced(at) - produced(midnight - 6 * 86400)),
                },
                "watts": {"now": round(report.watts), "nowUsed": 0, "max": round(inverter.peak)},
                "lastReading": {
                    "eid": channel,
                    "interval_type": 0,
                    "endDate": at,
                    "duration": REPORT_INTERVAL,
                    "flags": 0,
                    "flags_hex": "0x0000000000000000",
                    "joulesProduced": round((produced(at) - produced(at - REPORT_INTERVAL)) * 3600),
                    "acVoltageINmV": round(phase.voltage * 1000),
                    "acFrequencyINmHz": round(phase.frequency * 1000),
                    "dcVoltageINmV": round(dc_volts * 1000),
                    "dcCurrentINmA": round(report.watts / 0.96 / dc_volts * 1000),
                    "channelTemp": round(12 + report.watts / 14),
                    "pwrConvErrSecs": 0,
                    "pwrConvMaxErrCycles": 0,
                    "joulesUsed": 0,
                    "leadingVArs": 0,
                    "laggingVArs": 2,
                    "acCurrentInmA": round(report.watts / phase.voltage * 1000),
                    "l1NAcVoltageInmV": 0,
                    "l2NAcVoltageInmV": 0,
                    "l3NAcVoltageInmV": 0,
                    "rssi": 106,
                    "issi": 66,
                },
                "lifetime": {
                    "createdTime": at,
                    "duration": at - _INSTALLED,
                    "joulesProduced": round(counter_wraps.get_inverter_energy(house, number, at) * 3600),
                },
            }
        ],
    }


def _silent_device(serial_number: str, channel: int, gone: bool) -> dict[str, Any]:
    """Return the entry of a microinverter that was removed, or has not reported since it was added."""
    nothing = {
        "chanEid": channel,
        "created": 0,
        "wattHours": {"today": 0, "yesterday": 0, "week": 0},
        "watts": {"now": 0, "nowUsed": 0, "max": 0},
        "lastReading": {},
        "lifetime": {},
    }
    entry = {"devName": "pcu", "sn": serial_number, "active": not gone, "modGone": gone}
    return {**entry, "channels": [nothing]}


def _ac_battery(house: House, serial_number: str, at: int) -> dict[str, Any]:
    battery = house.truth(at).battery
    full = round(battery.state_of_charge) if battery else 0
    power = battery.power if battery else 0.0
    orders = house.orders(at)
    told = {name: levels for name, *levels in orders.told_to_sleep}
    lowest, highest = told.get(serial_number, (25, 30))
    flags = ["envoy.cond_flags.pcu_ctrl.sleep-mode"] if serial_number in orders.asleep else []
    return {
        "part_num": "800-00930-r03",
        "installed": str(_INSTALLED),
        "serial_num": serial_number,
        "device_status": ["envoy.global.ok", *flags],
        "last_rpt_date": str(at),
        "admin_state": 6,
        "dev_type": _AC_BATTERY,
        "created_date": str(_INSTALLED),
        "img_load_date": str(_INSTALLED),
        "img_pnum_running": "520-00063-r01-v02.00.09",
        "producing": False,
        "communicating": True,
        "provisioned": True,
        "operating": True,
        "sleep_enabled": serial_number in told,
        "percentFull": full,
        "maxCellTemp": 21,
        "sleep_min_soc": lowest,
        "sleep_max_soc": highest,
        "charge_status": charge_status(power),
    }


def charge_status(power: float) -> str:
    """Return the gateway's word for the state of a battery that discharges at `power` watts."""
    return "discharging" if power > 1 else "charging" if power < -1 else "idle"
