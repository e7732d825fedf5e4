"""An event loop that knows how long it was occupied: all the time that it did not spend waiting."""

from __future__ import annotations

import asyncio
import selectors
from time import perf_counter, thread_time
from typing import Any


class _TimedSelector(selectors.DefaultSelector):
    """Adds up the time that is spent waiting for something to happen, and finds the longest without."""

    waited = 0.0
    longest = 0.0
    woken = perf_counter()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait as ever, and note how long, and how long nobody had waited before."""
        began = perf_counter()
        self.longest = max(self.longest, began - self.woken)
        try:
            return super().select(timeout)
        finally:
            self.woken = perf_counter()
            self.waited += self.woken - began


class OccupiedLoop(asyncio.SelectorEventLoop):
    """An event loop with `occupied` and `longest_blockage`."""

    def __init__(self) -> None:
        self._timed = _TimedSelector()
        super().__init__(self._timed)
        self._made = perf_counter()

    @property
    def occupied(self) -> float:
        """Seconds since the loop was made in which nothing else could have run on it."""
        return perf_counter() - self._made - self._timed.waited

    def watch_blockages(self) -> None:
        """Count blockages from now on."""
        self._timed.longest, self._timed.woken = 0.0, perf_counter()

    @property
    def longest_blockage(self) -> float:
        """Most seconds at a stretch, since `watch_blockages`, in which nothing else could have run."""
        return self._timed.longest


def occupied() -> float:
    """Return `occupied` of the running loop, which is an OccupiedLoop."""
    loop: Any = asyncio.get_running_loop()
    return float(loop.occupied)


class Blockages:
    """What the running loop, which is an OccupiedLoop, is kept from since this was made."""

    def __init__(self) -> None:
        loop: Any = asyncio.get_running_loop()
        loop.watch_blockages()
        self._loop: OccupiedLoop = loop
        self._began = thread_time()

    @property
    def longest(self) -> float:
        """Most seconds at a stretch in which nothing else could have run."""
        return self._loop.longest_blockage

    @property
    def cpu(self) -> float:
        """Seconds that the processor worked for the loop, without threads beside it."""
        return thread_time() - self._began
