"""The house's clock: starts with the real one or before, may run faster, and can be moved on."""

from __future__ import annotations

import time


class Clock:
    """House time in epoch seconds."""

    def __init__(self, speed: float = 1.0, start: float | None = None) -> None:
        """`speed`: house seconds a real second; `start`: the house time to begin with, now by default.

        A clock that runs fast from a start in the past goes no further than the present.
        """
        self.speed = speed
        now = time.time()
        self.start = now if start is None else start
        self._origin = time.monotonic()
        self._advanced = 0.0
        self._catches_up = speed > 1 and self.start < now

    def time(self) -> float:
        """House time now."""
        house_time = self.start + (time.monotonic() - self._origin) * self.speed + self._advanced
        return min(house_time, time.time()) if self._catches_up else house_time

    def advance(self, seconds: float) -> None:
        """Move house time on at once."""
        self._advanced += seconds
