"""Read a range of time: from the longest buckets that fit, else from shorter ones, else from readings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from .buckets import Bucket, BucketRange, Calendar, Resolution, cover
from .counter_segments import GLITCH
from .summary import COLUMNS, Summary, from_row, summarize_reading
from .tables import pending_rollups, readings, rollups

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
