"""Answers of /production and /api/v1/production: sums of meters and microinverters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import counter_wraps
from .house import House
from .inverter_answers import ac_battery_serials, charge_status, last_report_time
from .meter_answers import CHANNELS, reported_types
from .profiles import NET, PRODUCTION, TOTAL
from .truth import NOTHING, Electricity, Measurement

_DAY = 86400
#: The old values that /api/v1/production repeats without a production meter (recorded, 8.2.4264).
_STALLED = {"wattHoursToday": 0, "wattHoursSevenDays": 1583, "wattHoursLifetime": 1583, "wattsNow": 4}


def production(house: House, at: int, details: bool) -> dict[str, Any]:
    """Return /production.json, with the phases if `details`, and /production without them."""
    answer: dict[str, Any] = {"production": [_inverters(house, at)]}
    if house.profile.metered:
        answer["production"].append(_meter(house, PRODUCTION, at, details))
        answer["consumption"] = [_meter(house, name, at, details) for name in (TOTAL, NET)]
    answer["storage"] = [_storage(house, at)]
    return answer


def summary(house: House, at: int) -> dict[str, Any]:
    """Return /api/v1/production: the production meter's sums, or else what the microinverters reported."""
    if "no-production-data" in house.profile.quirks:
        return _STALLED
    metered = house.profile.measures(PRODUCTION)
    moment = at if metered else last_report_time(house, at)
    truth = house.truth(moment)
    if metered:
        lifetime = counter_wraps.get_meter_values(house, PRODUCTION, at).total.energy_delivered
    else:
        lifetime = counter_wraps.get_array_energy(house, moment)
    today, week = _sums(
        house, moment, lifetime, lambda then: house.truth(then).production.total.energy_delivered
    )
    if "empty-totals" in house.profile.quirks:
        today = week = lifetime = 0
    watts = truth.production.total.active_power if metered else sum(truth.inverters.values())
    return {
        "wattHoursToday": round(today),
        "wattHoursSevenDays": round(week),
        "wattHoursLifetime": round(lifetime),
        "wattsNow": round(watts),
    }


def _inverters(house: House, at: int) -> dict[str, Any]:
    moment = last_report_time(house, at)
    truth = house.truth(moment)
    return {
        "type": "inverters",
        "activeCount": len(house.inverters),
        "readingTime": moment,
        "wNow": round(sum(truth.inverters.values())),
        "whLifetime": round(counter_wraps.get_inverters_sum(house, moment)),
    }


def _meter(house: House, name: str, at: int, details: bool) -> dict[str, Any]:
    active = name in reported_types(house)
    entry = {
        "type": "eim",
        "activeCount": int(active),
        "measurementType": name,
        "readingTime": at,
        **_values(house, name, at, lambda measured: measured.total),
    }
    if details:
        entry["lines"] = [_values(house, name, at, _phase(number)) for number in range(CHANNELS)]
    return entry


def _phase(number: int) -> Callable[[Measurement], Electricity]:
    return lambda measured: measured.phases[number] if number < len(measured.phases) else NOTHING


def _values(house: House, name: str, at: int, part: Callable[[Measurement], Electricity]) -> dict[str, float]:
    """Return the numbers of one meter or of one of its phases; `part` picks which."""
    # 8.3.5433 writes net into total, power and energy (pyenphase #467).
    shown = NET if name == TOTAL and "total-is-net" in house.profile.quirks else name
    if name not in reported_types(house):
        seen = part(_get_noise(house, at))
        today = week = lifetime = lag = lead = apparent = 0.0
    else:
        seen = part(counter_wraps.get_meter_values(house, shown, at))
        lag, lead, apparent = seen.energy_lagging, seen.energy_leading, seen.energy_apparent
        lifetime = _lifetime(shown, seen)
        today, week = _sums(
            house, at, lifetime, lambda then: _lifetime(shown, part(house.truth(then).of(shown)))
        )
    if name == NET:
        # No recorded gateway counts a day of the grid's.
        today = week = 0.0
    return {
        "wNow": round(seen.active_power, 3),
        "whLifetime": round(lifetime, 3),
        "varhLeadLifetime": round(lead, 3),
        "varhLagLifetime": round(lag, 3),
        "vahLifetime": round(apparent, 3),
        "rmsCurrent": round(seen.current, 3),
        "rmsVoltage": round(seen.voltage, 3),
        "reactPwr": round(seen.reactive_power, 3),
        "apprntPwr": round(seen.apparent_power, 3),
        "pwrFactor": round(seen.power_factor, 2),
        "whToday": round(today, 3),
        "whLastSevenDays": round(week, 3),
        "vahToday": 0.0,
        "varhLeadToday": 0.0,
        "varhLagToday": 0.0,
    }


def _get_noise(house: House, at: int) -> Measurement:
    return Measurement.of([house.noise(phase, at, connected=True) for phase in range(CHANNELS)])


def _lifetime(name: str, seen: Electricity) -> float:
    """Return the single energy: for the grid, imports less exports, as on recorded gateways."""
    return seen.energy_delivered - (seen.energy_received if name == NET else 0.0)


def _sums(house: House, at: int, lifetime: float, energy: Callable[[float], float]) -> tuple[float, float]:
    """Return the energy of today and of the seven days before; `energy` is lifetime energy by time."""
    if "today-is-lifetime" in house.profile.quirks:
        return lifetime, lifetime
    midnight = house.midnight(at)
    before = energy(midnight)
    return energy(at) - before, before - energy(midnight - 7 * _DAY)


def _storage(house: House, at: int) -> dict[str, Any]:
    entry = {"type": "acb", "activeCount": 0, "readingTime": 0, "wNow": 0, "whNow": 0, "state": "idle"}
    battery, serial_numbers = house.truth(at).battery, ac_battery_serials(house.profile)
    if battery is None or not serial_numbers:
        return entry
    return {
        **entry,
        "activeCount": len(serial_numbers),
        "readingTime": at,
        "wNow": round(battery.power),
        "whNow": round(battery.available_energy),
        "state": charge_status(battery.power),
        "percentFull": round(battery.state_of_charge),
    }
