"""A battery that takes what the sun leaves over and gives it back before the next morning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from .series import STEP, positive_mean

#: What is kept of the energy on its way in, and again on its way out.
EFFICIENCY = 0.95
_HOURS = STEP / 3600
#: Near full and near empty the power falls off over this many steps, so that the limits are never crossed.
_EASING = 4
#: Of what the house is expected to need until the morning, this much is stored at most.
_SHARE_OF_NEED = 0.9
#: The day's last half hour gives back what is left of it.
_CLOSING_KNOTS = 60


@dataclass(frozen=True)
class Battery:
    """All battery units of a house together."""

    units: int
    unit_capacity: float  #: Wh
    unit_power: float  #: W, charging or discharging
    reserve: float = 0.2  #: the share never discharged

    @property
    def capacity(self) -> float:
        """Wh when full."""
        return self.units * self.unit_capacity

    @property
    def reserve_energy(self) -> float:
        """Wh at the start of every day, and never less."""
        return self.capacity * self.reserve

    def stored(self, delivered: float, received: float) -> float:
        """Wh in the battery when since the day's start it delivered and received these (Wh, at its meter)."""
        return self.reserve_energy + received * EFFICIENCY - delivered / EFFICIENCY

    def day(self, surplus: Sequence[float]) -> list[float]:
        """Watts (positive: discharging) at each knot, given the power the house has over (negative: lacks).

        The day starts and ends at the reserve, with no power, so that days can be computed in any order.
        """
        strongest = self.units * self.unit_power
        needs = [min(max(-over, 0.0), strongest) for over in surplus]
        still_needed = list(
            accumulate(
                ((a + b) / 2 * _HOURS for a, b in zip(reversed(needs), list(reversed(needs))[1:], strict=False)),
                initial=0.0,
            )
        )
        still_needed.reverse()
        usable = self.capacity - self.reserve_energy
        level, power = 0.0, 0.0
        powers = [0.0]
        for knot in range(1, len(surplus)):
            room = min(usable, still_needed[knot] * _SHARE_OF_NEED / EFFICIENCY) - level
            most_in = max(0.0, room) / EFFICIENCY / (_EASING * _HOURS)
            most_out = level * EFFICIENCY / (_EASING * _HOURS)
            wanted = min(max(-surplus[knot], -strongest, -most_in), strongest, most_out)
            out = positive_mean(power, wanted)
            into = positive_mean(-power, -wanted)
            level += (into * EFFICIENCY - out / EFFICIENCY) * _HOURS
            power = wanted
            powers.append(power)
        return self._closed(powers, level)

    def _closed(self, powers: list[float], level: float) -> list[float]:
        """The same day, ending without power and with what is left of `level` given back."""
        last = len(powers) - 1
        level += positive_mean(powers[last - 1], powers[last]) / EFFICIENCY * _HOURS
        level -= positive_mean(powers[last - 1], 0.0) / EFFICIENCY * _HOURS
        powers[last] = 0.0
        extra = level * EFFICIENCY / (_HOURS * (_CLOSING_KNOTS - 1))
        for knot in range(last - _CLOSING_KNOTS + 1, last):
            powers[knot] += extra
        return powers
