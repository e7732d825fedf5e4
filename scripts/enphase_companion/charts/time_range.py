"""The stretch of time that a chart shows: today, day, week, month, year, or FROM..TO, in local time."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

#: Milliseconds of 24 hours; a local day may have fewer or more.
DAY = 86_400_000
HOUR, QUARTER_HOUR = 3_600_000, 900_000

_DAY = timedelta(days=1)

_DATE = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class Span:
    """The stretch of time [start, end), in milliseconds since the epoch."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """Milliseconds."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Range:
    """The value of `--range`; its limits depend on the time zone, and mostly on the current time."""

    text: str
    _span: Callable[[datetime], tuple[datetime, datetime]]
    #: Whether it moves on with the clock.
    moves: bool = True

    def span(self, zone: ZoneInfo, now: float) -> Span:
        """Return the span of time at `now` (epoch seconds) in this time zone."""
        start, end = self._span(datetime.fromtimestamp(now, zone))
        return Span(_milliseconds(start), _milliseconds(end))


def parse(text: str) -> Range:
    """Parse `--range`. Raises ValueError with the reason."""
    if (known := _NAMED.get(text)) is not None:
        return Range(text, known)
    first, dots, last = text.partition("..")
    start, _ = _parse_time(first)
    if dots and not last:
        return Range(text, lambda now: (_local(start, now, min), _up_to_now(_local(start, now, min), now)))
    _, end = _parse_time(last if dots else first)
    if end <= start:
        raise ValueError(f"{last} is not after {first}")
    return Range(text, lambda now: (_local(start, now, min), _local(end, now, max)), moves=False)


def _parse_time(text: str) -> tuple[datetime, datetime]:
    """Return start and end of what a text names on the clock: a whole day, or a time."""
    try:
        if _DATE.fullmatch(text):
            day = datetime.combine(date.fromisoformat(text), time())
            return day, day + _DAY
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is not None or not _DATE.match(text):
        raise ValueError(
            "must be today, day, week, month, year, a date such as 2026-06-21, or FROM..TO, such as "
            "2026-06-01..2026-06-14 or 2026-06-21T08:00..2026-06-21T20:00, in local time"
        )
    return moment, moment


def _local(clock: datetime, now: datetime, pick: Callable[..., datetime]) -> datetime:
    """Return the time of a local clock time.

    Of a time that comes twice, or is left out, when the clock is changed, `pick` (min or max) takes one: what
    is named is shown whole, and no range ends before it begins.
    """
    if clock.time() == time():
        # A day begins once.
        return clock.replace(tzinfo=now.tzinfo)
    return pick((clock.replace(tzinfo=now.tzinfo, fold=fold) for fold in (0, 1)), key=datetime.timestamp)


def _up_to_now(start: datetime, now: datetime) -> datetime:
    # Not by comparing datetimes, which compare what the clock shows.
    return datetime.fromtimestamp(max(now.timestamp(), start.timestamp() + 60), now.tzinfo)


def _midnight(now: datetime, days: int = 0) -> datetime:
    """Return the beginning of a day; a day is not always 24 hours, so it is found on the calendar."""
    return datetime.combine(now.date() + days * _DAY, time(), now.tzinfo)


def _month_ago(now: datetime) -> datetime:
    last = _midnight(now).replace(day=1) - _DAY
    return _midnight(last.replace(day=min(now.day, last.day)), 1)


def _year(now: datetime) -> datetime:
    """Return the beginning of the twelve months of which this is the last."""
    return _months_on(_midnight(now).replace(day=1), -11)


def _months_on(first: datetime, months: int) -> datetime:
    """Return the first of another month, from the first of one."""
    year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
    return first.replace(year=year, month=month + 1)


_NAMED: dict[str, Callable[[datetime], tuple[datetime, datetime]]] = {
    "today": lambda now: (_midnight(now), _midnight(now, 1)),
    # In real hours: on the clock, it is 23 or 25 where it was changed.
    "day": lambda now: (datetime.fromtimestamp(now.timestamp() - 86_400, now.tzinfo), now),
    "week": lambda now: (_midnight(now, -6), _midnight(now, 1)),
    "month": lambda now: (_month_ago(now), _midnight(now, 1)),
    "year": lambda now: (_year(now), _midnight(now, 1)),
}


def days_back(span: Span, zone: ZoneInfo) -> int:
    """Return how many days before a time the one is that it is compared with: as many as it touches."""
    return len(split_into_days(span, zone))


def before(span: Span, zone: ZoneInfo, days: int | None) -> Span:
    """Return the time this number of days before on the local clock, or (None) a year before."""
    edges = (datetime.fromtimestamp(each / 1000, zone) for each in (span.start, span.end))
    return Span(
        *(_milliseconds(_year_before(each) if days is None else each - days * _DAY) for each in edges)
    )


def _year_before(clock: datetime) -> datetime:
    day = 28 if (clock.month, clock.day) == (2, 29) else clock.day
    return clock.replace(year=clock.year - 1, day=day)


def split_into_days(span: Span, zone: ZoneInfo) -> list[Span]:
    """Return the local days that a time touches."""
    return _split(span, zone, _midnight, lambda day: _midnight(day, 1))


def split_into_months(span: Span, zone: ZoneInfo) -> list[Span]:
    """Return the local months that a time touches."""
    return _split(
        span, zone, lambda clock: _midnight(clock).replace(day=1), lambda month: _months_on(month, 1)
    )


def split_into_years(span: Span, zone: ZoneInfo) -> list[Span]:
    """Return the local years that a time touches."""
    return _split(
        span,
        zone,
        lambda clock: _midnight(clock).replace(month=1, day=1),
        lambda year: year.replace(year=year.year + 1),
    )


def split_into_hours(span: Span, zone: ZoneInfo) -> list[Span]:
    """Return the hours of the local clock in a time that begins and ends with a quarter-hour.

    An hour that comes twice is two. One in which the clock is changed is shorter than 60 minutes.
    """
    edges = [span.start]
    hour = _hour(span.start, zone)
    for at in range(span.start, span.end, QUARTER_HOUR):
        if (following := _hour(at, zone)) != hour:
            edges.append(at)
            hour = following
    return [Span(*each) for each in pairwise([*edges, span.end])]


def _hour(at: int, zone: ZoneInfo) -> tuple[int, timedelta | None]:
    clock = datetime.fromtimestamp(at / 1000, zone)
    return clock.hour, clock.utcoffset()


def day_start(day: date, zone: ZoneInfo) -> int:
    """Return when a local day begins, in milliseconds since the epoch."""
    return _milliseconds(datetime.combine(day, time(), zone))


def _split(
    span: Span,
    zone: ZoneInfo,
    begin: Callable[[datetime], datetime],
    following: Callable[[datetime], datetime],
) -> list[Span]:
    edges = [begin(datetime.fromtimestamp(span.start / 1000, zone))]
    while _milliseconds(edges[-1]) < span.end:
        edges.append(following(edges[-1]))
    return [Span(*map(_milliseconds, each)) for each in pairwise(edges)]


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
