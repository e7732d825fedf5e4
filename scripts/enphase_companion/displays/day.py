"""The day so far: its powers by the quarter-hour, as a strip chart, and its energies."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .bars import BOUGHT, LINE, MARK, ROWS, SURPLUS, USED
from .frames import SIZE, Colour, Frame

if TYPE_CHECKING:
    from .state import Powers

#: Seconds of a column.
QUARTER_HOUR = 900

#: Columns of the longest day, which has 25 hours.
_MOST = 100

#: W and Wh: a counter that changes faster has been reset or replaced. Sums of several counters, which are
#: not read at the same time, may fall a little.
_FASTEST, _SMALL = 1e6, 100.0

#: Hours between two marks below the chart.
_MARKED = 3
_NOON: Colour = (255, 255, 255)


class Day:
    """The current local day, from its first reading on."""

    def __init__(self) -> None:
        self._begin(0.0)
        self._last: Powers | None = None
        #: Whether the energies are those since midnight, not since a later first reading.
        self.is_whole = False

    def _begin(self, midnight: float) -> None:
        self._midnight = midnight
        self._sums = np.zeros((2, _MOST))
        self._counts = np.zeros((2, _MOST), dtype=int)
        self._columns = 0
        #: Wh of this day; None if not metered.
        self.produced: float | None = None
        self.consumed: float | None = None

    def take(self, powers: Powers) -> None:
        """Add powers that are not older than the last ones."""
        midnight, last = _midnight(powers.read_at), self._last or powers
        if midnight != self._midnight:
            self._begin(midnight)
            self.is_whole = last.read_at < midnight <= last.read_at + QUARTER_HOUR
        column = min(int((powers.read_at - midnight) // QUARTER_HOUR), _MOST - 1)
        self._columns = column + 1
        for row, watts in enumerate((powers.production, powers.consumption)):
            if watts is not None:
                self._sums[row, column] += watts
                self._counts[row, column] += 1
        seconds = powers.read_at - last.read_at
        self.produced = _add(self.produced, last.produced, powers.produced, seconds)
        self.consumed = _add(self.consumed, last.consumed, powers.consumed, seconds)
        self._last = powers

    def draw(self, top: float) -> npt.NDArray[np.uint8]:
        """Return the chart: 16 rows, and a column for each quarter-hour since midnight.

        The colours are those of the bars; `top`: W of the full height, unless a column is higher. Where
        nothing was read, the line at the bottom is interrupted.
        """
        columns = self._columns
        counts = self._counts[:, :columns]
        production, consumption = np.maximum(self._sums[:, :columns] / np.maximum(counts, 1), 0)
        metered = counts.any(axis=1)
        is_read = counts.any(axis=0)
        # Without a meter of consumption, all production counts as used, as in the bars.
        used = np.minimum(production, consumption) if metered[1] else production
        higher = np.maximum(production, consumption)
        top = max(top, float(higher.max(initial=0)), 1.0)
        chart = np.zeros((SIZE, columns, 3))
        is_surplus = (production > consumption)[:, np.newaxis]
        lower_part, whole = _cover(used / top), _cover(higher / top)
        chart[:ROWS] = lower_part * np.array(USED)
        chart[:ROWS] += (whole - lower_part) * np.where(is_surplus, SURPLUS, BOUGHT)
        chart[ROWS, is_read] = LINE
        for column, colour in self._marks():
            chart[ROWS, column] = colour if is_read[column] else 0
        return np.rint(chart).astype(np.uint8)

    def _marks(self) -> Iterator[tuple[int, Colour]]:
        for column in range(0, self._columns, 2):
            time = _local(self._midnight + column * QUARTER_HOUR)
            if time.minute == 0 and time.hour % _MARKED == 0:
                yield column, _NOON if time.hour == 12 else MARK


def scroll_day(strip: npt.NDArray[np.uint8]) -> Iterator[Frame]:
    """Yield a frame for each step by one LED: the day runs in from the right, up to its latest column."""
    padded = np.pad(strip, ((0, 0), (SIZE, 0), (0, 0)))
    for start in range(1, strip.shape[1] + 1):
        yield padded[:, start : start + SIZE]


def _cover(shares: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return how much of each LED above the line is covered by a column of this share of the height."""
    from_bottom = np.arange(ROWS)[::-1, np.newaxis]
    return np.clip(shares * ROWS - from_bottom, 0, 1)[..., np.newaxis]


def _add(energy: float | None, before: float | None, now: float | None, seconds: float) -> float | None:
    """Return the energy with the increase of a counter; the first value only begins it."""
    if now is None:
        return energy
    change = now - (now if before is None else before)
    is_plausible = -_SMALL <= change <= _FASTEST * seconds / 3_600 + _SMALL
    return (energy or 0.0) + (change if is_plausible else 0.0)


def _midnight(at: float) -> float:
    return _local(at).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()


def _local(at: float) -> datetime:
    return datetime.fromtimestamp(at)  # noqa: DTZ006 - the owner's clock, which is this machine's
