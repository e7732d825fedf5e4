"""Import hours that another system recorded as quarter-hours, where this database has none.

An hour is divided evenly. Its energy becomes a counter that joins the counters of the readings, so that no
energy is lost or doubled between them; days are then rolled up from the quarter-hours as usual.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from .buckets import HOUR, QUARTER_HOUR, SECOND, Calendar, Resolution
from .counter_segments import CounterSegment, largest_rise
from .engine import Transactions
from .statements import get_calendar, insert_if_absent, insert_or_keep
from .summary import COLUMNS, Power, Summary, from_row, to_row
from .tables import pending_rollups, rollups

#: Quarter-hours of one transaction.
_AT_ONCE = 5_000

#: A counter between two readings is stretched by at most this much to reach the later one.
_STRETCH = 2.0


#: Ids of gateway and measurement, and the phase.
_Key = tuple[int, int, int]


class CountedHour(NamedTuple):
    """The total of a counter at the end of an hour, both in Wh."""

    start: int
    #: The total since counting began, which never starts again.
    sum: float
    #: The counter itself; None if unknown.
    state: float | None


@dataclass(frozen=True, slots=True)
class ImportedSeries:
    """What another system recorded of a meter, or of a phase, in order of time."""

    measurement: str
    phase: int
    powers: Sequence[tuple[int, Power]]
    delivered: Sequence[CountedHour]
    received: Sequence[CountedHour]


class _Anchor(NamedTuple):
    """A reading of the counter."""

    at: int
    value: float


async def import_series(
    transactions: Transactions,
    key: tuple[int, int],
    series: ImportedSeries,
    start: int,
    end: int,
    *,
    dry_run: bool,
) -> list[int]:
    """Insert the quarter-hours in [start, end) that are missing, and return when they start.

    `key`: ids of gateway and measurement. With `dry_run`, nothing is inserted. Rollups that exist are never
    changed, whether they are of readings or of an earlier import, nor are days whose quarter-hours were
    pruned. Raises StorageError.
    """
    series_key = (*key, series.phase)
    calendar, own = await transactions.read(partial(_read_own, key=series_key))
    rows = [(at, summary) for at, summary in _build(series, own) if start <= at < end]
    for first in range(0, 0 if dry_run else len(rows), _AT_ONCE):
        part = rows[first : first + _AT_ONCE]
        await transactions.write(partial(_insert, calendar=calendar, key=series_key, rows=part))
    return [at for at, _ in rows]


@dataclass(frozen=True, slots=True)
class _Own:
    """The rollups of this series that the database has."""

    #: By the start of the quarter-hour, in order.
    quarter_hours: dict[int, Summary]
    #: Days without any quarter-hour: [start, end).
    days: list[tuple[int, int, Summary]]

    def contains(self, start: int) -> bool:
        """Return whether this quarter-hour is there, or was pruned."""
        index = bisect_right(self.days, start, key=lambda day: day[0]) - 1
        return start in self.quarter_hours or (index >= 0 and start < self.days[index][1])

    def segments(self, direction: str) -> list[CounterSegment]:
        """Return what is known of a counter: "delivered" or "received"."""
        summaries = [*self.quarter_hours.values(), *(day[2] for day in self.days)]
        return sorted(segment for summary in summaries for segment in getattr(summary, direction))


async def _read_own(connection: AsyncConnection, key: _Key) -> tuple[Calendar, _Own]:
    calendar = await get_calendar(connection)
    found = {}
    for resolution in (Resolution.QUARTER_HOUR, Resolution.DAY):
        columns = rollups[resolution].c
        rows = await connection.execute(
            select(columns.bucket_start, *(columns[name] for name in COLUMNS))
            .where(
                columns.gateway_id == key[0],
                columns.measurement_id == key[1],
                columns.phase == key[2],
            )
            .order_by(columns.bucket_start)
        )
        found[resolution] = {start: from_row(values) for start, *values in rows}
    quarter_hours = found[Resolution.QUARTER_HOUR]
    starts = list(quarter_hours)
    days = []
    for start, summary in found[Resolution.DAY].items():
        end = calendar.after(Resolution.DAY, start)
        counts = sum(
            quarter_hours[each].reading_count
            for each in starts[bisect_left(starts, start) : bisect_left(starts, end)]
        )
        if counts < summary.reading_count:
            days.append((start, end, summary))
    return calendar, _Own(quarter_hours, days)


def _build(series: ImportedSeries, own: _Own) -> Iterator[tuple[int, Summary]]:
    """Yield the missing quarter-hours and their start, in order."""
    powers = dict(series.powers)
    hours = sorted({*powers, *(each.start for each in (*series.delivered, *series.received))})
    starts = [
        start for hour in hours for start in range(hour, hour + HOUR, QUARTER_HOUR) if not own.contains(start)
    ]
    counted = {each.start for each in (*series.delivered, *series.received)}
    delivered = _Counter(series.delivered, own.segments("delivered"))
    received = _Counter(series.received, own.segments("received"))
    for start in starts:
        counters = delivered.segment(start), received.segment(start)
        known = [segment for segment in counters if segment is not None]
        hour = start - start % HOUR
        power = powers.get(hour)
        if power is None:
            power = _mean_power(*counters)
        if power is None and not known:
            continue
        last = start + QUARTER_HOUR - SECOND
        # In the hour after a gap, the counter has all of its energy at the end: nothing is estimated there,
        # nor between its quarter-hours.
        is_counted = hour in counted
        summary = Summary(
            reading_count=1,
            first_time=min((each.first_time for each in known), default=last if is_counted else start),
            last_time=last,
            power_reading_count=0 if power is None else 1,
            power=power,
            estimated=None if is_counted or power is None else _estimate(power),
            delivered=_as_tuple(counters[0]),
            received=_as_tuple(counters[1]),
        )
        yield start, summary


def _as_tuple(segment: CounterSegment | None) -> tuple[CounterSegment, ...]:
    return () if segment is None else (segment,)


def _mean_power(delivered: CounterSegment | None, received: CounterSegment | None) -> Power | None:
    """Return the power that these counters mean, if no power was recorded."""
    known = [each for each in (delivered, received) if each is not None and each.first_time < each.last_time]
    if delivered not in known:
        return None
    energy = sum(
        sign * (each.last - each.first)
        for sign, each in ((1, delivered), (-1, received))
        if each is not None and each in known
    )
    mean = energy * HOUR / QUARTER_HOUR
    return Power(mean, mean, mean)


def _estimate(power: Power) -> tuple[float, float]:
    energy = power.mean * QUARTER_HOUR / HOUR
    return max(energy, 0.0), max(-energy, 0.0)


class _Counter:
    """A recorded counter, moved so that it joins the readings of the database."""

    def __init__(self, hours: Sequence[CountedHour], own: Sequence[CounterSegment]) -> None:
        self._starts = [each.start for each in hours]
        self._hours = hours
        #: The first and last reading of each segment of the database.
        self._own = own
        self._own_times = [segment.first_time for segment in own]

    def segment(self, start: int) -> CounterSegment | None:
        """Return the counter in a quarter-hour; None if it is unknown at its end.

        In the hour after a gap only the end of the hour is known.
        """
        end = start + QUARTER_HOUR
        if (last := self._total(end)) is None:
            return None
        first, at = self._total(start), start
        if first is None:
            first, at = last, end - SECOND
        low, high = self._move(start, first), self._move(start, last)
        if low is None or high is None:
            return None
        return CounterSegment(at, low, end - SECOND, high)

    def _total(self, at: int) -> float | None:
        """Return the recorded total at a time; None if nothing was recorded."""
        index = bisect_left(self._starts, at) - 1
        if index < 0 or at > self._starts[index] + HOUR:
            return self._before_first(at) if index < 0 else None
        hour = self._hours[index]
        if at == hour.start + HOUR:
            return hour.sum
        if (before := self._total_before(index)) is None:
            return None
        return before + (hour.sum - before) * (at - hour.start) / HOUR

    def _total_before(self, index: int) -> float | None:
        """Return the total at the start of an hour; None after a gap."""
        if index == 0:
            # A sum starts at 0 in its first hour, unless the earlier ones are not there any more.
            return 0.0 if 0 <= self._hours[0].sum <= largest_rise(HOUR) else None
        before = self._hours[index - 1]
        return before.sum if before.start + HOUR == self._hours[index].start else None

    def _before_first(self, at: int) -> float | None:
        return self._total_before(0) if self._starts and at == self._starts[0] else None

    def _move(self, start: int, total: float) -> float | None:
        """Return a recorded total as the counter of the database's readings."""
        index = bisect_left(self._own_times, start)
        later = self._own[index] if index < len(self._own) else None
        earlier = self._own[index - 1] if index else None
        after = None if later is None else self._anchor(_Anchor(later.first_time, later.first))
        before = None if earlier is None else self._anchor(_Anchor(earlier.last_time, earlier.last))
        if after is not None:
            share = 1.0
            if before is not None:
                recorded, counted = after[1] - before[1], after[0] - before[0]
                if recorded > 0 and 1 / _STRETCH <= counted / recorded <= _STRETCH:
                    share = counted / recorded
            return after[0] - (after[1] - total) * share
        if before is not None:
            return before[0] + total - before[1]
        newest = self._hours[-1 if later is None else max(bisect_left(self._starts, later.first_time) - 1, 0)]
        return None if newest.state is None else newest.state + total - newest.sum

    def _anchor(self, reading: _Anchor) -> tuple[float, float] | None:
        """Return a reading and the recorded total at its time; None if nothing was recorded then."""
        # A quarter-hour of an import ends a second before the next one begins.
        at = reading.at + SECOND if (reading.at + SECOND) % QUARTER_HOUR == 0 else reading.at
        total = self._total(at)
        return None if total is None else (reading.value, total)


async def _insert(
    connection: AsyncConnection, calendar: Calendar, key: _Key, rows: Sequence[tuple[int, Summary]]
) -> None:
    table = rollups[Resolution.QUARTER_HOUR]
    columns = [column.name for column in table.columns]
    regular: list[tuple[Any, ...]] = []
    others: list[tuple[Any, ...]] = []
    for start, summary in rows:
        values = (*key, start, *to_row(summary).values())
        # Only numbers are inserted fast; few quarter-hours have a text in `segments`.
        (regular if values[-1] is None else others).append(values)
    await insert_if_absent(connection, table, regular)
    if others:
        statement = insert_or_keep(table, connection.dialect.name)
        await connection.execute(statement, [dict(zip(columns, values, strict=True)) for values in others])
    days = sorted({calendar.start(Resolution.DAY, start) for start, _ in rows})
    pending = [(int(Resolution.DAY), day, key[0]) for day in days]
    await insert_if_absent(connection, pending_rollups, pending)
