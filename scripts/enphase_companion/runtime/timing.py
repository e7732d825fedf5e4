"""Waits of scripts that run for long: a fixed rate that never drifts, and a backoff between attempts."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable

#: Part of an interval by which a tick may be late without being skipped.
_LATE = 0.1


class FixedRate:
    """Ticks every `interval` seconds from now on."""

    def __init__(self, interval: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = interval
        self._clock = clock
        self._start = clock()
        self._last = -1

    def next(self, pause: float = 0) -> tuple[float, int]:
        """Return the seconds until the next tick, and how many ticks were skipped.

        With `pause`, it is the first tick after these seconds. Skipped ticks are not made up for.
        """
        elapsed = self._clock() + pause - self._start
        tick = max(self._last + 1, math.ceil(elapsed / self._interval - _LATE))
        missed = tick - self._last - 1
        self._last = tick
        return max(0.0, self._start + tick * self._interval - self._clock()), missed


class Backoff:
    """Waits that double from `first` up to `longest` seconds, each reduced by random jitter."""

    def __init__(self, first: float, longest: float) -> None:
        self._first = first
        self._longest = longest
        self._next = first

    def next(self) -> float:
        """Return the seconds to wait now: between half of this attempt's wait and all of it."""
        wait, self._next = self._next, min(self._next * 2, self._longest)
        return wait * random.uniform(0.5, 1)  # noqa: S311 - chance, not a secret

    def reset(self) -> None:
        """Start over with `first` after a success."""
        self._next = self._first
