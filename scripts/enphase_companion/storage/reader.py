"""Reading a stretch of time: from the longest buckets that hold it, else shorter ones, else readings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from .levels import Bucket, Calendar, Level, Segment, cover
from .runs import GLITCH
from .summary import COLUMNS, Summary, from_row, of_reading
from .tables import pending_rollups, readings, rollups

#: So far around a stretch of time is read too, by which a fall at its edge is told from a glitch. Only
#: where nothing was said so near is the nearest looked for, in rollups alone: further away nothing should
#: be pending.
_NEAR = 2 * GLITCH

#: By measurement, in the order of time.
Summaries = Mapping[int, list[Summary]]


class Reader:
    """Reads, in one transaction, what one gateway's meters said: as a whole (phase 0) or on one phase."""

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

    async def within(self, level: Level, start: int, end: int) -> Summaries:
        """Return what was said in [start, end), in summaries no longer than the buckets of `level`."""
        result: dict[int, list[Summary]] = defaultdict(list)
        for segment in cover(self._calendar, level, start, end, await self._stale(start, end)):
            read = self._readings if segment.level is Level.READING else self._rollup
            for measurement, summary in await read(segment):
                result[measurement].append(summary)
        return result

    async def around(self, level: Level, start: int, end: int) -> Summaries:
        """Return the same, and at either end what was said near it, or else next to it."""
        before = await self.within(Level.QUARTER, start - _NEAR, start)
        inside = await self.within(level, start, end)
        after = await self.within(Level.QUARTER, end, end + _NEAR)
        result: dict[int, list[Summary]] = {}
        for measurement in self._measurements:
            previous = before.get(measurement) or await self._last_before(measurement, start)
            following = after.get(measurement) or await self._first_after(measurement, end)
            result[measurement] = [*previous, *inside.get(measurement, []), *following]
        return result

    async def _stale(self, start: int, end: int) -> list[Bucket]:
        # A day that is pending may have begun before.
        found = await self._connection.execute(
            select(pending_rollups.c.resolution, pending_rollups.c.bucket_start).where(
                pending_rollups.c.resolution.in_(list(rollups)),
                pending_rollups.c.bucket_start >= self._calendar.start(Level.DAY, start),
                pending_rollups.c.bucket_start < end,
                pending_rollups.c.gateway_id == self._gateway,
            )
        )
        return [Bucket(Level(level), bucket) for level, bucket in found]

    async def _readings(self, segment: Segment) -> list[tuple[int, Summary]]:
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
                columns.measured_at >= segment.start,
                columns.measured_at < segment.end,
                columns.measurement_id.in_(self._measurements),
                columns.phase == self._phase,
            )
            .order_by(columns.measured_at)
        )
        return [(measurement, of_reading(*values)) for measurement, *values in found]

    async def _rollup(self, segment: Segment) -> list[tuple[int, Summary]]:
        columns = rollups[segment.level].c
        found = await self._connection.execute(
            select(columns.measurement_id, *(columns[name] for name in COLUMNS))
            .where(
                columns.gateway_id == self._gateway,
                columns.measurement_id.in_(self._measurements),
                columns.phase == self._phase,
                columns.bucket_start >= segment.start,
                columns.bucket_start < segment.end,
            )
            .order_by(columns.measurement_id, columns.bucket_start)
        )
        return [(measurement, from_row(values)) for measurement, *values in found]

    async def _last_before(self, measurement: int, start: int) -> list[Summary]:
        found = [
            summary
            for level in rollups
            for summary in await self._nearest(
                measurement, level, self._calendar.start(level, start), last=True
            )
        ]
        return [max(found, key=lambda summary: summary.last_time)] if found else []

    async def _first_after(self, measurement: int, end: int) -> list[Summary]:
        found = [
            summary
            for level in rollups
            for summary in await self._nearest(
                measurement, level, self._calendar.ceiling(level, end), last=False
            )
        ]
        return [min(found, key=lambda summary: summary.first_time)] if found else []

    async def _nearest(self, measurement: int, level: Level, edge: int, *, last: bool) -> list[Summary]:
        columns = rollups[level].c
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
