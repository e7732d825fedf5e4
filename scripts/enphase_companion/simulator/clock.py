"""The house's clock: starts with the real one, may run faster, and can be moved on."""

from __future__ import annotations

import time


class Clock:
    """House time in epoch seconds."""

    def __init__(self, speed: float = 1.0, start: float | None = None) -> None:
        """`speed`: house seconds a real second; `start`: the house time to begin with, now by default."""
        self.speed = speed
        self.start = time.time() if start is None else start
        self._origin = time.monotonic()
        self._advanced = 0.0

    def time(self) -> float:
        """House time now."""
        return self.start + (time.monotonic() - self._origin) * self.speed + self._advanced

    def advance(self, seconds: float) -> None:
        """Moves house time on at once."""
        self._advanced += seconds
