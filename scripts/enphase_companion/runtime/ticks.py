"""A steady rate: ticks that never drift, whatever is late."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

#: What comes less than this part of an interval too late is still done at once.
_LATE = 0.1


class Ticks:
    """Ticks every `interval` seconds from now on."""

    def __init__(self, interval: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = interval
        self._clock = clock
        self._start = clock()
        self._last = -1

    def next(self, pause: float = 0) -> tuple[float, int]:
        """Return the seconds to wait for the next tick that is yet to come, and how many were missed.

        With `pause`, it is the first after so many seconds. A tick that was missed is not made up for.
        """
        elapsed = self._clock() + pause - self._start
        tick = max(self._last + 1, math.ceil(elapsed / self._interval - _LATE))
        missed = tick - self._last - 1
        self._last = tick
        return max(0.0, self._start + tick * self._interval - self._clock()), missed
