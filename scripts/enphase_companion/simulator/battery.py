"""A battery that stores the solar surplus and discharges it before the next morning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from .series import STEP, positive_mean

#: Efficiency of charging, and again of discharging.
EFFICIENCY = 0.95
_HOURS = STEP / 3600
#: Near full and near empty the power falls off over this many hours, so that the limits are never crossed.
EASING = 4 * _HOURS
#: Of what the house will need until the morning, this much is stored at most.
_SHARE_OF_NEED = 0.9
#: The last half hour of the day discharges the remaining energy.
_CLOSING_KNOTS = 30


@dataclass(frozen=True)
class Battery:
    """All battery units of a house together."""

    units: int
    unit_capacity: float  #: Wh
    unit_power: float  #: W, charging or discharging
    reserve: float = 0.2  #: the share that is never discharged
    kind: str = "encharge"  #: encharge (IQ Battery) or acb (AC Battery)
    collar: bool = False  #: whether an IQ Meter Collar replaces the System Controller

    @property
    def capacity(self) -> float:
        """Wh when full."""
        return self.units * self.unit_capacity

    @property
    def reserve_energy(self) -> float:
        """Wh at the start of every day, and never less."""
        return self.capacity * self.reserve

    def stored(self, at_start: float, delivered: float, received: float) -> float:
        """Wh stored, when since the day's start the battery gave and took these (Wh at its meter)."""
        return at_start + received * EFFICIENCY - delivered / EFFICIENCY

    def day(self, surplus: Sequence[float]) -> list[float]:
        """Watts (positive: discharging) at each knot of a day, given the house's surplus (negative: lack).

        A day starts and ends at the reserve and without power, so that days can be computed in any order.
        """
        strongest = self.units * self.unit_power
        needed_after = _still_to_come([min(max(-over, 0.0), strongest) for over in surplus])
        usable = self.capacity - self.reserve_energy
        level, power, powers = 0.0, 0.0, [0.0]
        for knot in range(1, len(surplus)):
            room = min(usable, needed_after[knot] * _SHARE_OF_NEED / EFFICIENCY) - level
            most_in = max(0.0, room) / EFFICIENCY / EASING
            most_out = level * EFFICIENCY / EASING
            wanted = min(max(-surplus[knot], -strongest, -most_in), strongest, most_out)
            level += get_stored_energy(power, wanted)
            power = wanted
            powers.append(power)
        return _end_at_zero(powers, level)


def get_stored_energy(first: float, last: float) -> float:
    """Wh stored in one step in which the power goes from `first` to `last`; negative when discharging."""
    return (positive_mean(-first, -last) * EFFICIENCY - positive_mean(first, last) / EFFICIENCY) * _HOURS


def _still_to_come(watts: list[float]) -> list[float]:
    """Wh from each knot to the end."""
    backwards = accumulate(((a + b) / 2 * _HOURS for a, b in pairwise(reversed(watts))), initial=0.0)
    return list(backwards)[::-1]


def _end_at_zero(powers: list[float], level: float) -> list[float]:
    """Return the day ending at zero power; the rest, `level`, is discharged evenly in its last half hour."""
    last = len(powers) - 1
    level += get_stored_energy(powers[last - 1], 0.0) - get_stored_energy(powers[last - 1], powers[last])
    extra = level * EFFICIENCY / (_HOURS * (_CLOSING_KNOTS - 1))
    closing = range(last - _CLOSING_KNOTS + 1, last)
    return [power + extra if knot in closing else power for knot, power in enumerate(powers[:-1])] + [0.0]
