"""Format an overview as one JSON document: stable keys with units, null for unknown values.

docs/scripts.md describes it. Keys are only ever added; a change of meaning would raise `schema_version`.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from enphase_api.models import Batteries, Inverter, InverterDetails, Meter, Quantities, Reading, Site, Tariff

from . import devices
from .overview import Overview

_UNITS = {
    "active_power": "active_power_w",
    "reactive_power": "reactive_power_var",
    "apparent_power": "apparent_power_va",
    "voltage": "voltage_v",
    "current": "current_a",
    "power_factor": "power_factor",
    "frequency": "frequency_hz",
    "energy_delivered": "energy_delivered_wh",
    "energy_received": "energy_received_wh",
    "apparent_energy": "apparent_energy_vah",
    "reactive_energy_lagging": "reactive_energy_lagging_varh",
    "reactive_energy_leading": "reactive_energy_leading_varh",
}


def build_document(overview: Overview) -> dict[str, Any]:
    """Return everything as objects for `json`. Powers in W, energies in Wh, times in UTC."""
    site = _round_sums(overview.site)
    return {
        "schema_version": 1,
        "gateway": {
            "host": overview.host,
            "serial_number": overview.info.serial_number,
            "firmware": overview.info.firmware,
            "part_number": overview.info.part_number,
        },
        "measured_at": _time(overview.at),
        "production": {
            "power_w": site.production_power,
            "lifetime_wh": site.produced_energy,
            "today_wh": overview.produced_today,
            "source": "meter" if overview.is_metered("production") else "inverters",
        },
        "consumption": {"power_w": site.home_power, "lifetime_wh": site.consumed_energy},
        "grid": {
            "power_w": site.grid_power,
            "direction": get_direction(site.grid_power),
            "imported_lifetime_wh": site.imported_energy,
            "exported_lifetime_wh": site.exported_energy,
        },
        "battery": _battery(overview.batteries, site) if overview.has_batteries else None,
        "storage": devices.build_storage_document(overview.storage),
        "tariff": None if overview.tariff is None else _tariff(overview.tariff, overview.prices),
        "devices": devices.build_device_documents(overview),
        "generator": devices.build_generator_document(overview),
        "dry_contacts": devices.build_contact_documents(overview.contacts),
        "meters": [_meter(meter, overview) for meter in overview.meters],
        "inverters": None
        if overview.inverters is None
        else [_inverter(inverter, overview) for inverter in overview.inverters],
        "problems": list(overview.problems),
    }


def _tariff(tariff: Tariff, prices: tuple[float | None, float | None]) -> dict[str, str | float | None]:
    return {"currency": tariff.currency, "import_price_per_kwh": prices[0], "export_price_per_kwh": prices[1]}


def get_direction(grid_power: float | None) -> str | None:
    """Return the direction of the grid's power: "import", "export" or "none"; None if unknown."""
    if grid_power is None:
        return None
    return "import" if grid_power > 0 else "export" if grid_power < 0 else "none"


def _round_sums(site: Site) -> Site:
    """Round sums to the three digits of the meters."""
    known = {name: value for name, value in asdict(site).items() if value is not None}
    return Site(**{name: round(value, 3) for name, value in known.items()})


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def _quantities(quantities: Quantities) -> dict[str, float | None]:
    return {_UNITS[name]: value for name, value in quantities._asdict().items()}


def _meter(meter: Meter, overview: Overview) -> dict[str, Any]:
    reading = next((each for each in overview.readings if each.meter.eid == meter.eid), None)
    return {
        "eid": meter.eid,
        "type": meter.measurement_type,
        "enabled": meter.enabled,
        "phase_mode": meter.phase_mode,
        "status": meter.metering_status,
        "status_flags": list(meter.status_flags),
        "measured_at": None if reading is None else _time(reading.measured_at),
        "total": None if reading is None else _quantities(reading.total),
        "phases": [] if reading is None else _phases(reading),
    }


def _phases(reading: Reading) -> list[dict[str, Any]]:
    return [
        {"phase": f"L{number}", **_quantities(phase)}
        for number, phase in enumerate(reading.phases, start=1)
        if phase is not None
    ]


def _inverter(inverter: Inverter, overview: Overview) -> dict[str, Any]:
    return {
        "serial_number": inverter.serial_number,
        "reporting": overview.is_reporting(inverter),
        "last_reported_at": _time(inverter.last_reported_at),
        "last_reported_power_w": inverter.power,
        "max_reported_power_w": inverter.max_power,
        **(_inverter_details(inverter) if isinstance(inverter, InverterDetails) else {}),
    }


def _inverter_details(inverter: InverterDetails) -> dict[str, float | None]:
    return {
        "lifetime_wh": inverter.lifetime_energy,
        "today_wh": inverter.energy_today,
        "dc_voltage_v": inverter.dc_voltage,
        "dc_current_a": inverter.dc_current,
        "ac_voltage_v": inverter.ac_voltage,
        "ac_current_a": inverter.ac_current,
        "frequency_hz": inverter.frequency,
        "temperature_celsius": inverter.temperature,
    }


def _battery(batteries: Batteries | None, site: Site) -> dict[str, Any]:
    known = batteries or Batteries(units=())
    return {
        "power_w": site.battery_power,
        "charged_lifetime_wh": site.charged_energy,
        "discharged_lifetime_wh": site.discharged_energy,
        "state_of_charge_percent": known.state_of_charge,
        "available_wh": known.available_energy,
        "capacity_wh": known.capacity,
        "reserve_percent": known.reserve,
        "grid_connected": known.grid_connected,
        "units": [
            {
                "serial_number": unit.serial_number,
                "part_number": unit.part_number,
                "firmware": unit.firmware,
                "power_w": unit.power,
                "state_of_charge_percent": unit.state_of_charge,
                "capacity_wh": unit.capacity,
                "temperature_celsius": unit.temperature,
                "communicating": unit.communicating,
                "last_reported_at": _time(unit.last_reported_at),
            }
            for unit in known.units
        ],
    }
