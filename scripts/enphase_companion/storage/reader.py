"""Read a range of time, as series and energies: from the longest buckets that fit, else from shorter ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from statistics import median

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

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
from .tables import pending_rollups, readings, rollups


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
    calendar: Calendar, resolution: Resolution, around: Sequence[Summary], start: int, end: int
) -> list[Point]:
    """Return a point for each bucket with data in [start, end), both of which are edges of buckets."""
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
    for (bucket, following), energy in zip(pairwise(edges), _calculate_energies(around, edges), strict=True):
        if (summary := buckets.get(bucket)) is not None:
            after_gap = bucket in gaps
            result.append(Point(bucket, following, summary.reading_count, summary.power, energy, after_gap))
        elif energy.is_known:
            result.append(Point(bucket, following, 0, None, energy, after_gap=False))
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
        connection: AsyncConnection,
        calendar: Calendar,
        gateway: int,
        measurements: Collection[int],
        phase: int,
    ) -> None:
        self._connection = connection
        self._calendar = calendar
        self._gateway = gateway
        self._measurements = measurements
        self._phase = phase

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
        found = await self._connection.execute(
            select(pending_rollups.c.resolution, pending_rollups.c.bucket_start).where(
                pending_rollups.c.resolution.in_(list(rollups)),
                pending_rollups.c.bucket_start >= self._calendar.start(Resolution.DAY, start),
                pending_rollups.c.bucket_start < end,
                pending_rollups.c.gateway_id == self._gateway,
            )
        )
        return [Bucket(Resolution(resolution), bucket) for resolution, bucket in found]

    async def _read_readings(self, part: BucketRange) -> list[tuple[int, Summary]]:
        columns = readings.c
        found = await self._connection.execute(
            select(
                columns.measurement_id,
                columns.measured_at,
                columns.active_power,
                columns.energy_delivered,
                columns.energy_received,
            )
            .where(
                columns.gateway_id == self._gateway,
                columns.measured_at >= part.start,
                columns.measured_at < part.end,
                columns.measurement_id.in_(self._measurements),
                columns.phase == self._phase,
            )
            .order_by(columns.measured_at)
        )
        return [(measurement, summarize_reading(*values)) for measurement, *values in found]

    async def _read_rollup(self, part: BucketRange) -> list[tuple[int, Summary]]:
        columns = rollups[part.resolution].c
        found = await self._connection.execute(
            select(columns.measurement_id, *(columns[name] for name in COLUMNS))
            .where(
                columns.gateway_id == self._gateway,
                columns.measurement_id.in_(self._measurements),
                columns.phase == self._phase,
                columns.bucket_start >= part.start,
                columns.bucket_start < part.end,
            )
            .order_by(columns.measurement_id, columns.bucket_start)
        )
        return [(measurement, from_row(values)) for measurement, *values in found]

    async def _find_last_before(self, measurement: int, start: int) -> list[Summary]:
        found = [
            summary
            for resolution in rollups
            for summary in await self._find_nearest(
                measurement, resolution, self._calendar.start(resolution, start), last=True
            )
        ]
        return [max(found, key=lambda summary: summary.last_time)] if found else []

    async def _find_first_after(self, measurement: int, end: int) -> list[Summary]:
        found = [
            summary
            for resolution in rollups
            for summary in await self._find_nearest(
                measurement, resolution, self._calendar.ceiling(resolution, end), last=False
            )
        ]
        return [min(found, key=lambda summary: summary.first_time)] if found else []

    async def _find_nearest(
        self, measurement: int, resolution: Resolution, edge: int, *, last: bool
    ) -> list[Summary]:
        columns = rollups[resolution].c
        found = await self._connection.execute(
            select(*(columns[name] for name in COLUMNS))
            .where(
                columns.gateway_id == self._gateway,
                columns.measurement_id == measurement,
                columns.phase == self._phase,
                columns.bucket_start < edge if last else columns.bucket_start >= edge,
            )
            .order_by(columns.bucket_start.desc() if last else columns.bucket_start)
            .limit(1)
        )
        return [from_row(values) for values in found]
