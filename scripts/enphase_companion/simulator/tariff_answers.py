"""The tariff document: prices, and how the batteries are to be used."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from .house import House

#: When the document was last written, at the start.
_WRITTEN = 1735689600
#: The first firmware with `opt_schedules`.
_HAS_OPTIMIZED_SCHEDULES = (8, 2, 4200)
_EVERY_DAY = "Mon,Tue,Wed,Thu,Fri,Sat,Sun"
_WEEK = {"weekdays": "Mon,Tue,Wed,Thu,Fri", "weekend": "Sat,Sun"}


def tariff(house: House) -> dict[str, Any]:
    """Return the part `tariff` of /admin/lib/tariff: one price all year, and how the battery is used."""
    profile = house.profile
    usage: dict[str, Any] = {
        "mode": "self-consumption",
        "operation_mode_sub_type": "",
        "reserved_soc": 100.0 * profile.battery.reserve if profile.battery else 0.0,
        "very_low_soc": 5,
        "charge_from_grid": False,
        "date": str(_WRITTEN),
    }
    if profile.version >= _HAS_OPTIMIZED_SCHEDULES:
        usage["opt_schedules"] = "opt-schedules" in profile.quirks
    document = {
        "currency": {"code": "USD" if profile.time_of_use else "EUR"},
        "logger": "mylogger",
        "date": str(_WRITTEN),
        "storage_settings": usage,
        "single_rate": {"rate": 0.25, "sell": 0.08},
        "seasons": [_season("all_year_long", "1/1", {"all_days": _EVERY_DAY}, [(0, 0.25)])],
        "seasons_sell": [],
    }
    if profile.time_of_use:
        document["seasons"] = [
            _season("summer", "6/1", _WEEK, [(0, 0.32), (900, 0.52), (960, 0.63), (1260, 0.52)]),
            _season("winter", "10/1", _WEEK, [(0, 0.32), (900, 0.49), (960, 0.5), (1260, 0.49)]),
        ]
        document["seasons_sell"] = [
            _season("summer", "6/1", {"all_days": _EVERY_DAY}, [(0, 0.05), (960, 0.2), (1260, 0.05)]),
            _season("winter", "10/1", {"all_days": _EVERY_DAY}, [(0, 0.04)]),
        ]
    return document


def _season(name: str, start: str, days: dict[str, str], prices: list[tuple[int, float]]) -> dict[str, Any]:
    """Return a season with the same `prices` on weekdays; on a weekend the first one holds all day.

    A price begins at a minute of the day.
    """
    return {
        "id": name,
        "start": start,
        "days": [
            {
                "id": group,
                "days": named,
                "must_charge_start": 0,
                "must_charge_duration": 0,
                "must_charge_mode": "CG",
                "enable_discharge_to_grid": False,
                "periods": [
                    {"id": f"period_{number}" if number else "filler", "start": minute, "rate": rate}
                    for number, (minute, rate) in enumerate(prices[:1] if group == "weekend" else prices)
                ],
            }
            for group, named in days.items()
        ],
        "tiers": [],
    }


def schedule(document: dict[str, Any], at: int, defaults: bool) -> dict[str, Any]:
    """Return the part `schedule` of /admin/lib/tariff.

    With `defaults` it is rebuilt at each read without regard to the document (8.3.5433, 8.3.6086).
    """
    settings = document["storage_settings"]
    if defaults:
        settings = {"reserved_soc": 30.0, "very_low_soc": 10, "charge_from_grid": False}
    mode = settings.get("mode", "self-consumption")
    return {
        "source": "" if defaults else "Tariff",
        "date": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        "operation_mode_sub_type": "",
        "reserved_soc": settings["reserved_soc"],
        "very_low_soc": settings["very_low_soc"],
        "charge_from_grid": settings["charge_from_grid"],
        "battery_mode": mode,
        "schedule": {},
    }
