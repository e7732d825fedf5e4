"""Read a range of time, as series and energies: from the longest buckets that fit, else from shorter ones."""

# ruff: noqa: S608 - names of tables and columns are constants, and the ids of measurements are numbers

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise, takewhile
from statistics import median
from typing import Any, Protocol

from ..message import PHASES, WHOLE
from .buckets import DAY, MINUTE, QUARTER_HOUR, Bucket, BucketRange, Calendar, Resolution, cover
from .counter_segments import GLITCH, count_energy
from .summary import (
    COLUMNS,
    Power,
    Summary,
    divide_estimates,
    estimate_energy,
    fold,
    from_row,
    summarize_reading,
)

#: The tables of rollups, as `tables.rollups` has them: without SQLAlchemy, a chart is there much earlier.
_ROLLUPS = {
    Resolution.MINUTE: "minutes",
    Resolution.QUARTER_HOUR: "quarter_hours",
    Resolution.DAY: "days",
}

_COLUMNS = ", ".join(COLUMNS)


class Query(Protocol):
    """Runs a SELECT with values for its names, such as `:start`."""

    def __call__(self, statement: str, **values: int) -> Awaitable[Sequence[Sequence[Any]]]:
        """Return the rows."""


@dataclass(frozen=True, slots=True)
class Energy:
    """Energy in a range of time, in Wh; None where neither counters nor powers are known."""

    #: Positive direction: produced, imported, consumed, discharged.
    delivered: float | None
    #: Negative direction: exported, charged; what inverters draw at night.
    received: float | None
    #: The part of it from gaps that ended in this time: the sum is known, but not its course.
    delivered_recovered: float
    received_recovered: float
    #: When (milliseconds since the epoch) a counter was first read after a reset, or after its meter was
    #: exchanged. The energy between that reading and the one before is missing.
    resets: tuple[int, ...]
    #: The part of it that is estimated from power, because the meter's counters were not stored.
    delivered_estimated: float = 0.0
    received_estimated: float = 0.0

    @property
    def is_known(self) -> bool:
        """Whether any direction is known."""
        return self.delivered is not None or self.received is not None


_UNKNOWN = Energy(None, None, 0.0, 0.0, ())


@dataclass(frozen=True, slots=True)
class Point:
    """One bucket of a series; times in milliseconds since the epoch."""

    #: The bucket is [start, end). With single readings: from one to the next.
    start: int
    end: int
    #: The number of readings; 0 in a bucket that slow polling leaves out.
    reading_count: int
    #: W; None without readings that have it.
    power: Power | None
    energy: Energy
    #: A gap precedes this point: a line is interrupted here.
    after_gap: bool
    #: When the last reading before this bucket was, also if that is before the series; None: there is none.
    read_before: int | None


#: A pause interrupts a line if it is longer than this, and than three times the usual pause between readings.
_SHORTEST_GAP = {
    Resolution.READING: MINUTE,
    Resolution.MINUTE: MINUTE,
    Resolution.QUARTER_HOUR: QUARTER_HOUR,
    Resolution.DAY: DAY + 60 * MINUTE,
}


def energy_between(around: Sequence[Summary], start: int, end: int) -> Energy:
    """Return the energy in [start, end), from the summaries of that time and their neighbours."""
    return _calculate_energies(around, (start, end))[0]


def build_points(
    calendar: Calendar,
    resolution: Resolution,
    around: Sequence[Summary],
    start: int,
    end: int,
    *,
    has_energies: bool = True,
) -> list[Point]:
    """Return a point for each bucket with data in [start, end), both of which are edges of buckets.

    Without energies, which take longer than all the rest, only for buckets with readings.
    """
    buckets = {
        bucket: fold(list(parts))
        for bucket, parts in groupby(
            (summary for summary in around if start <= summary.first_time < end),
            lambda summary: calendar.start(resolution, summary.first_time),
        )
    }
    is_single = resolution is Resolution.READING
    edges = [*buckets, end] if is_single else calendar.edges(resolution, start, end)
    gaps = _find_gaps(buckets, _SHORTEST_GAP[resolution])
    result = []
    energies = _calculate_energies(around, edges) if has_energies else [_UNKNOWN] * (len(edges) - 1)
    before = [summary.last_time for summary in takewhile(lambda each: each.first_time < start, around)]
    read_before = before[-1] if before else None
    for (bucket, following), energy in zip(pairwise(edges), energies, strict=True):
        if (summary := buckets.get(bucket)) is not None:
            after_gap = bucket in gaps
            result.append(
                Point(bucket, following, summary.reading_count, summary.power, energy, after_gap, read_before)
            )
            read_before = summary.last_time
        elif energy.is_known:
            result.append(Point(bucket, following, 0, None, energy, after_gap=False, read_before=read_before))
    return result


def _calculate_energies(around: Sequence[Summary], edges: Sequence[int]) -> list[Energy]:
    directions = zip(
        count_energy([segment for summary in around for segment in summary.delivered], edges),
        count_energy([segment for summary in around for segment in summary.received], edges),
        strict=True,
    )
    estimates = divide_estimates(estimate_energy(around), edges)
    return [
        Energy(
            _add(delivered.energy, estimate, 0),
            _add(received.energy, estimate, 1),
            delivered.recovered,
            received.recovered,
            tuple(sorted({*delivered.resets, *received.resets})),
            *(estimate or (0.0, 0.0)),
        )
        for (delivered, received), estimate in zip(directions, estimates, strict=True)
    ]


def _add(counted: float | None, estimate: tuple[float, float] | None, direction: int) -> float | None:
    return counted if estimate is None else (counted or 0.0) + estimate[direction]


def _find_gaps(buckets: Mapping[int, Summary], shortest: int) -> set[int]:
    """Return the buckets that follow a pause longer than the usual ones of polling."""
    pauses = {
        bucket: summary.first_time - before.last_time
        for before, (bucket, summary) in zip(buckets.values(), list(buckets.items())[1:], strict=False)
    }
    if not pauses:
        return set()
    distances = [
        (summary.last_time - summary.first_time) / (summary.reading_count - 1)
        for summary in buckets.values()
        if summary.reading_count > 1
    ]
    longest = max(shortest, 3 * median(distances or pauses.values()))
    return {bucket for bucket, pause in pauses.items() if pause > longest}


#: The time before and after a range that is read too, to tell a reset at its edge from a glitch. Without any
#: readings in it, the nearest rollup is looked up: further away, nothing should be pending.
_MARGIN = 2 * GLITCH

#: By measurement, in order of time.
Summaries = Mapping[int, list[Summary]]


class Reader:
    """Reads the meters of one gateway in one transaction: whole meters (phase 0) or one phase."""

    def __init__(
        self,
        query: Query,
        calendar: Calendar,
        gateway: int,
        measurements: Collection[int],
        phase: int,
    ) -> None:
        self._query = query
        self._calendar = calendar
        self._measurements = measurements
        #: Of all statements but one.
        self._of_meters = {"gateway": gateway, "phase": phase}

    async def read(self, resolution: Resolution, start: int, end: int) -> Summaries:
        """Return the summaries in [start, end), no longer than the buckets of `resolution`."""
        result: dict[int, list[Summary]] = defaultdict(list)
        stale = await self._find_stale(start, end)
        for part in cover(self._calendar, resolution, start, end, stale):
            read = self._read_readings if part.resolution is Resolution.READING else self._read_rollup
            for measurement, summary in await read(part):
                result[measurement].append(summary)
        return result

    async def read_with_neighbours(self, resolution: Resolution, start: int, end: int) -> Summaries:
        """Return the summaries in [start, end), and those shortly before and after, else the nearest."""
        before = await self.read(Resolution.QUARTER_HOUR, start - _MARGIN, start)
        inside = await self.read(resolution, start, end)
        after = await self.read(Resolution.QUARTER_HOUR, end, end + _MARGIN)
        result: dict[int, list[Summary]] = {}
        for measurement in self._measurements:
            previous = before.get(measurement) or await self._find_last_before(measurement, start)
            following = after.get(measurement) or await self._find_first_after(measurement, end)
            result[measurement] = [*previous, *inside.get(measurement, []), *following]
        return result

    async def _find_stale(self, start: int, end: int) -> list[Bucket]:
        # From the start of the day: a day that is pending may start before the range.
        found = await self._query(
            "SELECT resolution, bucket_start FROM pending_rollups WHERE resolution IN (1, 2, 3) "
            "AND bucket_start >= :start AND bucket_start < :end AND gateway_id = :gateway",
            start=self._calendar.start(Resolution.DAY, start),
            end=end,
            gateway=self._of_meters["gateway"],
        )
        return [Bucket(Resolution(resolution), bucket) for resolution, bucket in found]

    async def _read_readings(self, part: BucketRange) -> list[tuple[int, Summary]]:
        found = await self._query(
            "SELECT measurement_id, measured_at, active_power, energy_delivered, energy_received "
            "FROM readings WHERE gateway_id = :gateway AND measured_at >= :start AND measured_at < :end "
            f"AND measurement_id IN {self._in()} AND phase = :phase ORDER BY measured_at",
            start=part.start,
            end=part.end,
            **self._of_meters,
        )
        return [(measurement, summarize_reading(*values)) for measurement, *values in found]

    async def _read_rollup(self, part: BucketRange) -> list[tuple[int, Summary]]:
        found = await self._query(
            f"SELECT measurement_id, {_COLUMNS} FROM {_ROLLUPS[part.resolution]} "
            f"WHERE gateway_id = :gateway AND measurement_id IN {self._in()} AND phase = :phase "
            "AND bucket_start >= :start AND bucket_start < :end ORDER BY measurement_id, bucket_start",
            start=part.start,
            end=part.end,
            **self._of_meters,
        )
        return [(measurement, from_row(values)) for measurement, *values in found]

    def _in(self) -> str:
        # Of a database without measurements: no row has the id 0.
        return f"({', '.join(str(int(each)) for each in self._measurements) or 0})"

    async def _find_last_before(self, measurement: int, start: int) -> list[Summary]:
        found = [
            summary
            for resolution in _ROLLUPS
            for summary in await self._find_nearest(
                measurement, resolution, self._calendar.start(resolution, start), last=True
            )
        ]
        return [max(found, key=lambda summary: summary.last_time)] if found else []

    async def _find_first_after(self, measurement: int, end: int) -> list[Summary]:
        found = [
            summary
            for resolution in _ROLLUPS
            for summary in await self._find_nearest(
                measurement, resolution, self._calendar.ceiling(resolution, end), last=False
            )
        ]
        return [min(found, key=lambda summary: summary.first_time)] if found else []

    async def _find_nearest(
        self, measurement: int, resolution: Resolution, edge: int, *, last: bool
    ) -> list[Summary]:
        beyond, order = ("<", "DESC") if last else (">=", "ASC")
        found = await self._query(
            f"SELECT {_COLUMNS} FROM {_ROLLUPS[resolution]} WHERE gateway_id = :gateway "
            "AND measurement_id = :measurement AND phase = :phase "
            f"AND bucket_start {beyond} :edge ORDER BY bucket_start {order} LIMIT 1",
            measurement=measurement,
            edge=edge,
            **self._of_meters,
        )
        return [from_row(values) for values in found]


async def find_first_reading(query: Query, gateway: int, measurements: Collection[int]) -> int | None:
    """Return the time of the oldest reading that is stored or part of a rollup; None without any."""
    found = [
        *await query("SELECT MIN(measured_at) FROM readings WHERE gateway_id = :gateway", gateway=gateway),
        *[
            row
            for table in _ROLLUPS.values()
            for measurement in measurements
            for phase in range(WHOLE, PHASES + 1)
            for row in await query(
                f"SELECT first_measured_at FROM {table} WHERE gateway_id = :gateway "
                "AND measurement_id = :measurement AND phase = :phase ORDER BY bucket_start LIMIT 1",
                gateway=gateway,
                measurement=measurement,
                phase=phase,
            )
        ],
    ]
    return min((row[0] for row in found if row[0] is not None), default=None)
