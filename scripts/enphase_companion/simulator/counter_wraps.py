"""Values of the gateway's energy counters, with the wraps of some firmware."""

from __future__ import annotations

from dataclasses import replace

from .house import House
from .truth import Electricity, Measurement

#: How long after the start (house seconds) the counters that wrap do so.
WRAP_AFTER = 600
_METER_LIMIT = 2**32
#: A microinverter counts joules in 32 bits: 1.19 MWh (home-assistant/core #140602).
INVERTER_LIMIT = 2**32 / 3600

#: The last firmware whose sum over the microinverters wraps at the limit of one of them.
_SUM_WRAPS_UNTIL = (8, 2, 127)


def get_meter_values(house: House, measurement_type: str, at: float) -> Measurement:
    """Return the true values of a measurement type, with the energies of its meter's counters."""
    true = house.truth(at).of(measurement_type)
    if "meters-wrap" not in house.profile.quirks:
        return true
    then = house.truth(house.start + WRAP_AFTER).of(measurement_type)
    phases = tuple(map(_wrap_counters, true.phases, then.phases))
    return Measurement(_wrap_counters(true.total, then.total), phases)


def get_array_energy(house: House, at: float) -> float:
    """Return the lifetime energy (Wh) that all microinverters report."""
    true = house.truth(at).production.total.energy_delivered
    if "inverters-wrap" in house.profile.quirks:
        return sum(get_inverter_energy(house, number, at) for number in range(len(house.inverters)))
    if "inverter-wraps" not in house.profile.quirks:
        return true
    return true - _get_true_energy(house, 0, at) + get_inverter_energy(house, 0, at)


def get_inverters_sum(house: House, at: float) -> float:
    """Return the lifetime energy (Wh) of all microinverters in /production.json."""
    made = get_array_energy(house, at)
    # 7.6.175 reports 174,174 Wh for 6,139,406 Wh: five times 2^32 J less.
    return made % INVERTER_LIMIT if house.profile.version <= _SUM_WRAPS_UNTIL else made


def get_inverter_energy(house: House, number: int, at: float) -> float:
    """Return the lifetime energy (Wh) that one microinverter reports."""
    true = _get_true_energy(house, number, at)
    if "inverters-wrap" in house.profile.quirks:
        return true % INVERTER_LIMIT
    if number > 0 or "inverter-wraps" not in house.profile.quirks:
        return true
    return _wrap(true, _get_true_energy(house, number, house.start + WRAP_AFTER), INVERTER_LIMIT)


def _get_true_energy(house: House, number: int, at: float) -> float:
    inverter = house.inverters[number]
    return house.truth(at).production.phases[inverter.phase].energy_delivered * inverter.share


def _wrap_counters(now: Electricity, then: Electricity) -> Electricity:
    return replace(
        now,
        energy_delivered=_wrap(now.energy_delivered, then.energy_delivered, _METER_LIMIT),
        energy_received=_wrap(now.energy_received, then.energy_received, _METER_LIMIT),
    )


def _wrap(now: float, then: float, limit: float) -> float:
    """Return the value of a counter that wraps at `limit`, if it last wrapped at `then`."""
    # Rounded: otherwise an unchanged counter could end a whole limit above itself.
    return round(now - then, 3) % limit
