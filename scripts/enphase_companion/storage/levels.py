"""The lengths that readings are rolled up to, and where a bucket of each begins.

Times are milliseconds since the epoch, UTC; a day is the owner's local day.
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
QUARTER = 15 * MINUTE
HOUR = 60 * MINUTE
#: What a chart takes for a day; the shortest local day has 23 hours, in rare places less.
DAY = 24 * HOUR


class Level(IntEnum):
    """From readings to days; the numbers stand in the database."""

    READING = 0
    MINUTE = 1
    QUARTER = 2
    DAY = 3

    @property
    def finer(self) -> Level:
        """What this level is made from."""
        return Level(self - 1)


def level_for(width: int) -> Level:
    """Return the longest buckets that are not longer than `width` milliseconds."""
    if width >= DAY:
        return Level.DAY
    if width >= QUARTER:
        return Level.QUARTER
    return Level.MINUTE if width >= MINUTE else Level.READING


class Calendar:
    """Where buckets begin in one time zone."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone

    def start(self, level: Level, at: int) -> int:
        """Return the beginning of the bucket that `at` lies in; at the level of readings, `at` itself."""
        match level:
            case Level.READING:
                return at
            case Level.MINUTE:
                return at - at % MINUTE
            case Level.QUARTER:
                # No zone has been off by anything but quarter-hours since 1972.
                return at - at % QUARTER
            case Level.DAY:
                return self.midnight(datetime.fromtimestamp(at // SECOND, self.zone).date())

    def after(self, level: Level, start: int) -> int:
        """Return the beginning of the bucket after the one that begins at `start`."""
        match level:
            case Level.READING:
                return start + 1
            case Level.MINUTE:
                return start + MINUTE
            case Level.QUARTER:
                return start + QUARTER
            case Level.DAY:
                day = datetime.fromtimestamp(start // SECOND, self.zone).date()
                # A zone that crosses the date line skips a whole day.
                while (following := self.midnight(day := day + timedelta(days=1))) <= start:
                    pass
                return following

    def ceiling(self, level: Level, at: int) -> int:
        """Return the first beginning of a bucket at or after `at`."""
        start = self.start(level, at)
        return start if start == at else self.after(level, start)

    def edges(self, level: Level, start: int, end: int) -> list[int]:
        """Return the beginnings of all buckets that touch [start, end), and the end of the last."""
        result = [self.start(level, start)]
        while result[-1] < end:
            result.append(self.after(level, result[-1]))
        return result

    def midnight(self, day: date) -> int:
        """Return the beginning of a local day; where the clock skips midnight, the moment it does."""
        return round(datetime(day.year, day.month, day.day, tzinfo=self.zone).timestamp()) * SECOND


class Segment(NamedTuple):
    """A stretch of time [start, end) that is read at one level."""

    level: Level
    start: int
    end: int


class Bucket(NamedTuple):
    """One bucket of one level, by where it begins."""

    level: Level
    start: int


def cover(calendar: Calendar, level: Level, start: int, end: int, stale: Iterable[Bucket]) -> list[Segment]:
    """Divide [start, end), in order, into what is read at `level` and what at a finer one.

    `stale` are buckets whose rollup does not hold all of their readings; nor do those of longer buckets
    around them.
    """
    result: list[Segment] = []
    for segment in _cover(calendar, level, start, end, stale):
        if result and result[-1].level is segment.level:
            segment = Segment(segment.level, result.pop().start, segment.end)  # noqa: PLW2901
        result.append(segment)
    return result


def _cover(
    calendar: Calendar, level: Level, start: int, end: int, stale: Iterable[Bucket]
) -> Iterator[Segment]:
    if start >= end:
        return
    if level is Level.READING:
        yield Segment(level, start, end)
        return
    first, last = calendar.ceiling(level, start), calendar.start(level, end)
    if first >= last:
        yield from _cover(calendar, level.finer, start, end, stale)
        return
    holes: dict[int, list[Bucket]] = defaultdict(list)
    for bucket in stale:
        if bucket.level <= level:
            holes[calendar.start(level, bucket.start)].append(bucket)
    yield from _cover(calendar, level.finer, start, first, holes.get(calendar.start(level, start), ()))
    position = first
    for hole in sorted(hole for hole in holes if first <= hole < last):
        if position < hole:
            yield Segment(level, position, hole)
        position = calendar.after(level, hole)
        yield from _cover(calendar, level.finer, hole, position, holes[hole])
    if position < last:
        yield Segment(level, position, last)
    yield from _cover(calendar, level.finer, last, end, holes.get(last, ()))
