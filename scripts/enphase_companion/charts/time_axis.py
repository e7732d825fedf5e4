"""The horizontal axis: local time, whenever the clock is changed.

Ticks are times in UTC whose local time is round. matplotlib's own locators count on the local clock: in an
hour that comes twice they make millions of ticks, or none.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time
from math import gcd
from zoneinfo import ZoneInfo

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, Formatter, Locator

from . import text
from .model import Floats, Times, View
from .time_range import DAY, HOUR, Span, day_start

#: Maximum number of buckets with a label.
_MOST_NAMES = 14

#: Distances of ticks, up to a maximum of ticks: seconds, and whole days.
_MOST_TICKS = 10
_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200)
_DAYS = (1, 2, 7, 14, 28, 91, 182, 365, 1_826)

#: Seconds; the clocks of all time zones differ by multiples of this, and are changed by such.
_QUARTER = 900

#: Milliseconds; beyond, no time zone is defined, and only zooming leads there.
_EARLIEST, _LATEST = 0, 4_102_444_800_000


def to_axis(times: Times) -> Floats:
    """Return times (milliseconds since the epoch) as the axis counts them: in days since then."""
    return times / DAY


def set_time_axis(axes: Axes, view: View) -> None:
    """Have the axis show the local time of a view, or which day or month each bar is."""
    if view.buckets and view.buckets[-1].length > HOUR:
        _name_buckets(axes, view)
    else:
        axes.xaxis.set_major_locator(_LocalTicks(view.zone))
        axes.xaxis.set_major_formatter(_LocalTime(view.zone))


def ticks(span: Span, zone: ZoneInfo) -> list[int]:
    """Return times (milliseconds since the epoch) at which the local clock is round, some ten at most."""
    start, end = max(span.start, _EARLIEST), min(span.end, _LATEST)
    step = next((step for step in _SECONDS if (end - start) <= step * 1000 * _MOST_TICKS), None)
    if step is not None:
        return list(_times_of_day(Span(start, end), zone, step))
    every = next((each for each in _DAYS if end - start <= each * DAY * _MOST_TICKS), _DAYS[-1])
    return [at for at in _days(Span(start, end), zone, every) if start <= at <= end]


def _times_of_day(span: Span, zone: ZoneInfo, step: int) -> Iterator[int]:
    grid = gcd(step, _QUARTER)
    for at in range(-(-span.start // (1000 * grid)) * grid, span.end // 1000 + 1, grid):
        clock = datetime.fromtimestamp(at, zone)
        is_round = (clock.hour * 3600 + clock.minute * 60 + clock.second) % step == 0
        # A day that begins at one o'clock has its name there.
        if is_round or (clock.time() == time(1) and day_start(clock.date(), zone) == at * 1000):
            yield at * 1000


def _days(span: Span, zone: ZoneInfo, every: int) -> Iterator[int]:
    first = datetime.fromtimestamp(span.start / 1000, zone).date().toordinal()
    last = datetime.fromtimestamp(span.end / 1000, zone).date().toordinal()
    for number in range(-(-first // every) * every, last + 1, every):
        yield day_start(date.fromordinal(number), zone)


class _LocalTicks(Locator):
    """Ticks of what the axis shows now, also after zooming."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone

    def __call__(self) -> Floats:  # type: ignore[override]  # stubs: a sequence
        """Return where ticks are on the axis."""
        if self.axis is None:
            return np.array([])
        first, last = sorted(self.axis.get_view_interval())
        return self.tick_values(float(first), float(last))

    def tick_values(self, vmin: float, vmax: float) -> Floats:  # type: ignore[override]  # stubs: a sequence
        """Return where ticks are between these places."""
        return to_axis(np.array(ticks(Span(round(vmin * DAY), round(vmax * DAY)), self._zone)))


class _LocalTime(Formatter):
    """The local time of a tick; in an hour that comes twice also which of both it is."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone

    def __call__(self, x: float, pos: int | None = None) -> str:  # noqa: ARG002 - matplotlib's signature
        """Return the label at a place on the axis."""
        at = round(x * DAY)
        clock = datetime.fromtimestamp(at / 1000, self._zone)
        if day_start(clock.date(), self._zone) == at:
            return text.weekday(clock)
        label = f"{clock:%H:%M:%S}" if at % 60_000 else f"{clock:%H:%M}"
        return f"{label}\n{text.offset(clock)}" if _comes_twice(clock) else label

    def format_data_short(self, value: float) -> str:
        """Return the time under the mouse, for a window's tool bar."""
        at = min(max(round(value * DAY), _EARLIEST), _LATEST)
        return f"{datetime.fromtimestamp(at / 1000, self._zone):%Y-%m-%d %H:%M:%S}"


def _comes_twice(clock: datetime) -> bool:
    return clock.replace(fold=0).utcoffset() != clock.replace(fold=1).utcoffset()


def _name_buckets(axes: Axes, view: View) -> None:
    every = -(-len(view.buckets) // _MOST_NAMES)
    named = view.buckets[every // 2 :: every]
    middles = [to_axis(np.array([(each.start + each.end) // 2]))[0] for each in named]
    axes.xaxis.set_major_locator(FixedLocator(middles))
    axes.xaxis.set_major_formatter(FixedFormatter([text.format_bucket(each, view.zone) for each in named]))
