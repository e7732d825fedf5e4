"""Resolutions of rollups, and where their buckets start.

Times are milliseconds since the epoch, UTC. A day is a local day in the time zone of the database.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from enum import IntEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

SECOND = 1000
MINUTE = 60 * SECOND
QUARTER_HOUR = 15 * MINUTE
HOUR = 60 * MINUTE
#: The width of a day in charts. The shortest local day has 23 hours, in rare places less.
DAY = 24 * HOUR

#: Further readings of one time that are stored, each a millisecond after the one before. A gateway's times
#: have whole seconds; it measures one again when its clock is set back.
MAX_OTHERS = 5


class Resolution(IntEnum):
    """From single readings to days; the numbers are stored in the database."""

    READING = 0
    MINUTE = 1
    QUARTER_HOUR = 2
    DAY = 3

    @property
    def finer(self) -> Resolution:
        """The resolution that this one is rolled up from."""
        return Resolution(self - 1)

    @property
    def coarser(self) -> Resolution:
        """The resolution that this one is rolled up to."""
        return Resolution(self + 1)


def resolution_for(width: int) -> Resolution:
    """Return the longest buckets that are not longer than `width` milliseconds."""
    if width >= DAY:
        return Resolution.DAY
    if width >= QUARTER_HOUR:
        return Resolution.QUARTER_HOUR
    return Resolution.MINUTE if width >= MINUTE else Resolution.READING


class Calendar:
    """The buckets of a time zone."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone

    def start(self, resolution: Resolution, at: int) -> int:
        """Return the start of the bucket that contains `at`; for single readings, `at` itself."""
        match resolution:
            case Resolution.READING:
                return at
            case Resolution.MINUTE:
                return at - at % MINUTE
            case Resolution.QUARTER_HOUR:
                # Since 1972, every offset of a time zone is a multiple of 15 minutes.
                return at - at % QUARTER_HOUR
            case Resolution.DAY:
                return self.midnight(datetime.fromtimestamp(at // SECOND, self.zone).date())

    def after(self, resolution: Resolution, start: int) -> int:
        """Return the start of the bucket after the one that starts at `start`."""
        match resolution:
            case Resolution.READING:
                return start + 1
            case Resolution.MINUTE:
                return start + MINUTE
            case Resolution.QUARTER_HOUR:
                return start + QUARTER_HOUR
            case Resolution.DAY:
                day = datetime.fromtimestamp(start // SECOND, self.zone).date()
                # A time zone that crosses the date line skips a whole day.
                while (following := self.midnight(day := day + timedelta(days=1))) <= start:
                    pass
                return following

    def ceiling(self, resolution: Resolution, at: int) -> int:
        """Return the first start of a bucket at or after `at`."""
        start = self.start(resolution, at)
        return start if start == at else self.after(resolution, start)

    def edges(self, resolution: Resolution, start: int, end: int) -> list[int]:
        """Return the starts of all buckets that overlap [start, end), and the end of the last one."""
        result = [self.start(resolution, start)]
        while result[-1] < end:
            result.append(self.after(resolution, result[-1]))
        return result

    def midnight(self, day: date) -> int:
        """Return the start of a local day; where the clock skips midnight, the time of the change."""
        return round(datetime(day.year, day.month, day.day, tzinfo=self.zone).timestamp()) * SECOND


class BucketRange(NamedTuple):
    """A range of time [start, end) that is read at one resolution."""

    resolution: Resolution
    start: int
    end: int


class Bucket(NamedTuple):
    """A bucket, identified by its resolution and its start."""

    resolution: Resolution
    start: int


def cover(
    calendar: Calendar, resolution: Resolution, start: int, end: int, stale: Iterable[Bucket]
) -> list[BucketRange]:
    """Divide [start, end), in order, into ranges to be read at `resolution` and at finer ones.

    `stale` are buckets whose rollup lacks some of their readings, as do those of the longer buckets around
    them.
    """
    result: list[BucketRange] = []
    for each in _cover(calendar, resolution, start, end, stale):
        if result and result[-1].resolution is each.resolution:
            each = BucketRange(each.resolution, result.pop().start, each.end)  # noqa: PLW2901
        result.append(each)
    return result


def _cover(
    calendar: Calendar, resolution: Resolution, start: int, end: int, stale: Iterable[Bucket]
) -> Iterator[BucketRange]:
    if start >= end:
        return
    if resolution is Resolution.READING:
        yield BucketRange(resolution, start, end)
        return
    first, last = calendar.ceiling(resolution, start), calendar.start(resolution, end)
    if first >= last:
        yield from _cover(calendar, resolution.finer, start, end, stale)
        return
    holes: dict[int, list[Bucket]] = defaultdict(list)
    for bucket in stale:
        if bucket.resolution <= resolution:
            holes[calendar.start(resolution, bucket.start)].append(bucket)
    yield from _cover(
        calendar, resolution.finer, start, first, holes.get(calendar.start(resolution, start), ())
    )
    position = first
    for hole in sorted(hole for hole in holes if first <= hole < last):
        if position < hole:
            yield BucketRange(resolution, position, hole)
        position = calendar.after(resolution, hole)
        yield from _cover(calendar, resolution.finer, hole, position, holes[hole])
    if position < last:
        yield BucketRange(resolution, position, last)
    yield from _cover(calendar, resolution.finer, last, end, holes.get(last, ()))
