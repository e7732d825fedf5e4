"""The day so far: its powers by the quarter-hour, as a strip chart, and its energies."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any

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

    def __init__(self, zone: tzinfo | None = None) -> None:
        """`zone`: of the day; None: this machine's."""
        self._zone = zone
        self._begin(0.0)
        self._read_at = 0.0
        #: Last value of each counter (Wh), and when it was read.
        self._counters: list[tuple[float, float] | None] = [None, None]
        #: Whether the energies are those since midnight, not since a later first reading.
        self.is_whole = False

    def _begin(self, midnight: float) -> None:
        self._midnight = midnight
        self._sums = np.zeros((2, _MOST))
        self._counts = np.zeros((2, _MOST), dtype=int)
        self._columns = 0
        self._energies: list[float | None] = [None, None]

    @property
    def produced(self) -> float | None:
        """Wh of this day; None if not metered."""
        return self._energies[0]

    @property
    def consumed(self) -> float | None:
        """Wh of this day; None if not metered."""
        return self._energies[1]

    @property
    def quarter_hour(self) -> int:
        """Quarter-hours from the epoch to the end of the latest column."""
        return int(self._midnight // QUARTER_HOUR) + self._columns

    def as_content(self) -> dict[str, Any]:
        """Return the day as JSON objects."""
        return {
            "read_at": self._read_at,
            "midnight": self._midnight,
            "columns": self._columns,
            "sums": self._sums.tolist(),
            "counts": self._counts.tolist(),
            "energies": self._energies,
            "counters": self._counters,
            "is_whole": self.is_whole,
        }

    def restore(self, content: Any) -> None:
        """Continue the day of `as_content`; what is taken later decides whether it has ended.

        Raises ValueError for any other content, which changes nothing.
        """
        try:
            sums = np.array(content["sums"], dtype=float).reshape(2, _MOST)
            counts = np.array(content["counts"], dtype=int).reshape(2, _MOST)
            read_at, midnight = float(content["read_at"]), float(content["midnight"])
            columns, is_whole = int(content["columns"]), bool(content["is_whole"])
            energies = [None if each is None else float(each) for each in content["energies"]]
            counters = [
                None if each is None else (float(each[0]), float(each[1])) for each in content["counters"]
            ]
        except (KeyError, IndexError, TypeError, OverflowError) as error:
            raise ValueError(f"{type(error).__name__} {error}") from None
        if not (0 <= columns <= _MOST and len(energies) == len(counters) == 2 and np.isfinite(sums).all()):
            raise ValueError("values out of range")
        self._sums, self._counts, self._columns = sums, counts, columns
        self._read_at, self._midnight, self.is_whole = read_at, midnight, is_whole
        self._energies, self._counters = energies, counters

    def take(self, powers: Powers) -> None:
        """Add powers that are not older than the last ones."""
        local = self._local(powers.read_at)
        # The first one, where the clock is set back to midnight.
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).timestamp()
        if midnight != self._midnight:
            self._begin(midnight)
            # Less than 0: the clock was ahead.
            self.is_whole = 0 <= midnight - self._read_at <= QUARTER_HOUR
            if not self.is_whole:
                self._counters = [None, None]
        self._read_at = powers.read_at
        column = min(int((powers.read_at - midnight) // QUARTER_HOUR), _MOST - 1)
        self._columns = column + 1
        for row, watts in enumerate((powers.production, powers.consumption)):
            if watts is not None:
                self._sums[row, column] += watts
                self._counts[row, column] += 1
        for row, energy in enumerate((powers.produced, powers.consumed)):
            if energy is not None:
                self._count(row, energy)

    def _count(self, row: int, energy: float) -> None:
        """Add the increase of a counter; its first value only begins it."""
        before, at = self._counters[row] or (energy, self._read_at)
        change = energy - before
        is_plausible = -_SMALL <= change <= _FASTEST * (self._read_at - at) / 3_600 + _SMALL
        self._energies[row] = (self._energies[row] or 0.0) + (change if is_plausible else 0.0)
        self._counters[row] = energy, self._read_at

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
            time = self._local(self._midnight + column * QUARTER_HOUR)
            if time.minute == 0 and time.hour % _MARKED == 0:
                yield column, _NOON if time.hour == 12 else MARK

    def _local(self, at: float) -> datetime:
        return datetime.fromtimestamp(at, self._zone)


def scroll_day(strip: npt.NDArray[np.uint8]) -> Iterator[Frame]:
    """Yield a frame for each step by one LED: the day runs in from the right, up to its latest column."""
    padded = np.pad(strip, ((0, 0), (SIZE, 0), (0, 0)))
    for start in range(1, strip.shape[1] + 1):
        yield padded[:, start : start + SIZE]


def _cover(shares: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return how much of each LED above the line is covered by a column of this share of the height."""
    from_bottom = np.arange(ROWS)[::-1, np.newaxis]
    return np.clip(shares * ROWS - from_bottom, 0, 1)[..., np.newaxis]
