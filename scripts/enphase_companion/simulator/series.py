"""Smooth random curves; power as straight lines between knots, and the exact energy under them."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from math import hypot
from typing import NamedTuple

_MASK = (1 << 64) - 1


def _hash(seed: int, index: int) -> float:
    """Return a number from 0 to 1 that depends on `seed` and `index` alone (the splitmix64 mixer)."""
    mixed = (seed + (index + 1) * 0x9E3779B97F4A7C15) & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
    return ((mixed ^ (mixed >> 31)) >> 11) / (1 << 53)


class Noise:
    """A curve over time: random between 0 and 1, smooth, with about one hill a `period` (seconds)."""

    def __init__(self, seed: int, name: str, period: float) -> None:
        self._seed = (seed * 0x100000001B3 + int.from_bytes(name.encode(), "big")) & _MASK
        self._period = period

    def __call__(self, at: float) -> float:
        """Return the value at `at` (seconds)."""
        position = at / self._period
        index = int(position // 1)
        fraction = position - index
        before, after = _hash(self._seed, index), _hash(self._seed, index + 1)
        return before + (after - before) * fraction * fraction * (3 - 2 * fraction)


#: Seconds between two knots. Short enough for a kettle, long enough that a value holds for a second.
STEP = 60
_HOURS = STEP / 3600


def positive_mean(first: float, last: float) -> float:
    """Return the mean of the positive part of a straight line from `first` to `last`."""
    if first >= 0 and last >= 0:
        return (first + last) / 2
    if first <= 0 and last <= 0:
        return 0.0
    above = first if first > 0 else last
    return above * above / (2 * abs(first - last))


class Times:
    """When the knots of a day are: at every STEP, or at the given times (seconds after its start)."""

    def __init__(self, times: Sequence[float] | None = None) -> None:
        self._times = times

    def place(self, seconds: float, knots: int) -> tuple[int, float, float]:
        """Return the knot at or before `seconds`, how far (0 to 1) it is to the next, and their distance.

        The distance is in STEPs.
        """
        if self._times is None:
            index = min(int(seconds // STEP), knots - 2)
            return index, seconds / STEP - index, 1.0
        index = min(max(bisect_right(self._times, seconds) - 1, 0), knots - 2)
        first, length = self._times[index], self._times[index + 1] - self._times[index]
        return index, (seconds - first) / length, length / STEP

    def weigh(self, means: Iterable[float]) -> Iterable[float]:
        """Return the areas, in STEPs, of the means between one knot and the next."""
        if self._times is None:
            return means
        return (
            mean * (last - first) / STEP
            for mean, (first, last) in zip(means, pairwise(self._times), strict=True)
        )

    def of(self, index: int) -> float:
        """Return the time of a knot (seconds)."""
        return index * STEP if self._times is None else self._times[index]


REGULAR = Times()


class Curve:
    """One quantity over one day: straight between its knots, with the areas above and below zero."""

    def __init__(self, knots: Sequence[float], times: Times = REGULAR) -> None:
        """`knots`: the values from the day's start to its end, both included."""
        self._times = times
        self._knots = array("d", knots)
        self._above = _sum_positive(self._knots, times)
        self._below = _sum_positive(array("d", [-knot for knot in knots]), times)

    def at(self, seconds: float) -> float:
        """Return the value, `seconds` after the day's start."""
        index, fraction, _ = self._times.place(seconds, len(self._knots))
        first = self._knots[index]
        return first + (self._knots[index + 1] - first) * fraction

    def areas(self, seconds: float) -> tuple[float, float]:
        """Return the positive and the negative integral since the day began, in value-hours, unsigned."""
        index, fraction, length = self._times.place(seconds, len(self._knots))
        first = self._knots[index]
        now = first + (self._knots[index + 1] - first) * fraction
        passed = fraction * length
        return (
            (self._above[index] + positive_mean(first, now) * passed) * _HOURS,
            (self._below[index] + positive_mean(-first, -now) * passed) * _HOURS,
        )


def _sum_positive(knots: array[float], times: Times) -> array[float]:
    """Return the running sum of the positive part, in steps."""
    if max(knots) <= 0:
        return array("d", bytes(knots.itemsize * len(knots)))
    if min(knots) >= 0:
        means = [(first + last) / 2 for first, last in pairwise(knots)]
    else:
        means = [positive_mean(first, last) for first, last in pairwise(knots)]
    return array("d", accumulate(times.weigh(means), initial=0.0))


class Energy(NamedTuple):
    """What a meter's counters hold; each never negative, none ever falls."""

    delivered: float = 0.0  #: Wh in the positive direction
    received: float = 0.0  #: Wh in the negative direction
    apparent: float = 0.0  #: VAh
    lagging: float = 0.0  #: varh
    leading: float = 0.0  #: varh

    def plus(self, other: Energy, times: float = 1.0) -> Energy:
        """Return the sum of this energy and `times` the other."""
        return Energy(*(mine + times * more for mine, more in zip(self, other, strict=True)))


class Series:
    """One day of active and reactive power on one phase."""

    def __init__(self, active: Sequence[float], reactive: Sequence[float], times: Times = REGULAR) -> None:
        """Take `active` (W) and `reactive` (var) at the knots."""
        self._times = times
        self.active = Curve(active, times)
        self.reactive = Curve(reactive, times)
        steps = pairwise(zip(active, reactive, strict=True))
        means = (_apparent_mean(*step) for step in steps)
        self._apparent = array("d", accumulate(times.weigh(means), initial=0.0))

    def energy(self, seconds: float) -> Energy:
        """Energy since the day's start."""
        index, fraction, length = self._times.place(seconds, len(self._apparent))
        knot = self._times.of(index)
        first, now = ((self.active.at(moment), self.reactive.at(moment)) for moment in (knot, seconds))
        apparent = (self._apparent[index] + _apparent_mean(first, now) * (fraction * length)) * _HOURS
        return Energy(*self.active.areas(seconds), apparent, *self.reactive.areas(seconds))


def _apparent_mean(first: tuple[float, float], last: tuple[float, float]) -> float:
    """Return the mean apparent power while (active, reactive) changes linearly (Simpson's rule)."""
    middle = hypot((first[0] + last[0]) / 2, (first[1] + last[1]) / 2)
    return (hypot(*first) + 4 * middle + hypot(*last)) / 6
