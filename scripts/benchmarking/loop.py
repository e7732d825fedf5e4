"""An event loop that knows how long it was occupied: all the time that it did not spend waiting."""

from __future__ import annotations

import asyncio
import selectors
from time import perf_counter
from typing import Any


class _TimedSelector(selectors.DefaultSelector):
    """Adds up the time that is spent waiting for something to happen."""

    waited = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait as ever, and note how long."""
        began = perf_counter()
        try:
            return super().select(timeout)
        finally:
            self.waited += perf_counter() - began


class OccupiedLoop(asyncio.SelectorEventLoop):
    """An event loop with `occupied`."""

    def __init__(self) -> None:
        self._timed = _TimedSelector()
        super().__init__(self._timed)
        self._made = perf_counter()

    @property
    def occupied(self) -> float:
        """Seconds since the loop was made in which nothing else could have run on it."""
        return perf_counter() - self._made - self._timed.waited


def occupied() -> float:
    """Give `occupied` of the running loop, which is an OccupiedLoop."""
    loop: Any = asyncio.get_running_loop()
    return float(loop.occupied)
