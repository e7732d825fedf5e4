"""The energies of batteries that no meter measures, integrated from their power.

No endpoint counts them. Between two samples the power is taken as linear (trapezoids). Nothing is counted in
a gap: the integration then starts again from zero, as it does when Home Assistant starts, and the energy
counters continue from their last values.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryEnergy:
    """The energies since the first sample of an integration without gaps."""

    #: UTC, of the first and of the latest sample.
    started_at: datetime
    measured_at: datetime
    #: W, positive: discharging; of the latest sample.
    power: float
    #: Wh.
    charged: float = 0.0
    discharged: float = 0.0

    def add(self, power: float, measured_at: datetime) -> Self:
        """Return the energies after another sample (W) at a later time."""
        hours = (measured_at - self.measured_at) / timedelta(hours=1)
        return type(self)(
            started_at=self.started_at,
            measured_at=measured_at,
            power=power,
            charged=self.charged + _mean_positive(-self.power, -power) * hours,
            discharged=self.discharged + _mean_positive(self.power, power) * hours,
        )


def integrate(
    latest: BatteryEnergy | None, power: float | None, measured_at: datetime, max_gap: timedelta
) -> BatteryEnergy | None:
    """Return the energies after a sample (W; None: unknown); None if they are unknown.

    After more than `max_gap` without a known power, or if the clock was set back, they start from zero.
    """
    is_gap = latest is None or not timedelta() <= measured_at - latest.measured_at <= max_gap
    if power is None:
        return None if is_gap else latest
    if latest is None or is_gap:
        return BatteryEnergy(started_at=measured_at, measured_at=measured_at, power=power)
    return latest.add(power, measured_at)


def _mean_positive(before: float, after: float) -> float:
    """Return the mean (W) of the positive part of a power that changes linearly."""
    low, high = sorted((before, after))
    if low >= 0:
        return (low + high) / 2
    # It crosses zero: a triangle remains.
    return high * high / (2 * (high - low)) if high > 0 else 0.0
