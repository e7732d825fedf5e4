"""Writes power, energy and times for people."""

from __future__ import annotations

from datetime import datetime

UNKNOWN = "unknown"


def format_power(watts: float | None) -> str:
    """Return "215 W" or "3.42 kW"."""
    if watts is None:
        return UNKNOWN
    # Adding 0.0 makes a zero out of "-0".
    return f"{round(watts) + 0.0:.0f} W" if abs(watts) < 999.5 else f"{watts / 1000:.2f} kW"


def format_energy(watt_hours: float | None) -> str:
    """Return "512 Wh", "12.3 kWh" or "45.21 MWh"."""
    if watt_hours is None:
        return UNKNOWN
    if abs(watt_hours) < 999.5:
        return f"{round(watt_hours) + 0.0:.0f} Wh"
    return f"{watt_hours / 1e3:.1f} kWh" if abs(watt_hours) < 999.95e3 else f"{watt_hours / 1e6:.2f} MWh"


def format_quantity(value: float | None, unit: str, digits: int = 1) -> str:
    """Return a number with its unit, such as "231.2 V"."""
    return UNKNOWN if value is None else f"{round(value, digits) + 0.0:.{digits}f} {unit}".rstrip()


def format_local_time(moment: datetime | None, today: datetime | None = None) -> str:
    """Return a time on this machine's clock: "12:31" if of the same day as `today`, else with its date."""
    if moment is None:
        return "never"
    local = moment.astimezone()
    if today is not None and local.date() == today.astimezone().date():
        return f"{local:%H:%M}"
    return f"{local:%Y-%m-%d %H:%M}"
