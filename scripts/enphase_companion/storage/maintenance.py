"""Maintenance: prune old rows, rebuild rollups, and change the time zone of days."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Delete, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from . import inverters
from .buckets import DAY, MINUTE, SECOND, Calendar, Resolution
from .engine import Transactions
from .partitions import drop_before
from .rollup import roll_up
from .statements import (
    find_reading_range,
    find_rollup_range,
    get_calendar,
    get_gateways,
    get_pruned_before,
    insert_if_absent,
    set_pruned_before,
    set_time_zone,
)
from .tables import ALL_PHASES, pending_rollups, readings, rollups

#: Called with the number of steps that are done, and of all steps.
Progress = Callable[[int, int], None]

#: The range of time of one gateway that is pruned in one transaction: some ten thousand rows.
_PRUNE_AT_ONCE = {
    Resolution.READING: 60 * MINUTE,
    Resolution.MINUTE: DAY,
    Resolution.QUARTER_HOUR: 15 * DAY,
}


class _PendingError(Exception):
    """A bucket in the range is not rolled up yet: nothing of the range may be deleted."""


async def prune(
    transactions: Transactions,
    measurements: Collection[int],
    resolution: Resolution,
    keep_days: int,
    now: int,
    progress: Progress,
) -> int:
    """Delete readings or rollups older than today and the `keep_days` days before it.

    Days are whole local days. What is not rolled up yet is kept. Returns the number of deleted rows; the
    server estimates those of partitions. Raises StorageError.
    """
    calendar = await transactions.read(get_calendar)
    today = datetime.fromtimestamp(now / SECOND, calendar.zone).date()
    end = calendar.midnight(today - timedelta(days=keep_days))
    deleted = done = 0
    if resolution is Resolution.READING:
        await transactions.write(partial(set_pruned_before, time=end))
        deleted += await transactions.write(partial(drop_before, end=end), may_take_long=True)
        deleted += await inverters.prune(transactions, end)
    find_next = partial(_find_oldest, resolution=resolution, measurements=measurements)
    width = _PRUNE_AT_ONCE[resolution]
    ranges = [
        (gateway, range(calendar.start(Resolution.DAY, first), end, width))
        for gateway in await transactions.read(get_gateways)
        if (first := await transactions.read(partial(find_next, gateway=gateway))) is not None
    ]
    total = sum(len(starts) for _, starts in ranges)
    for gateway, starts in ranges:
        index = 0
        while index < len(starts):
            progress(done + index, total)
            start = starts[index]
            work = partial(
                _prune_range,
                calendar=calendar,
                measurements=measurements,
                resolution=resolution,
                gateway=gateway,
                start=start,
                end=min(start + width, end),
            )
            with suppress(_PendingError):
                deleted += await transactions.write(work)
            # Years without rows, as after one reading with a wrong date, take no time.
            following = await transactions.read(partial(find_next, gateway=gateway, since=start + width))
            index = len(starts) if following is None else (following - starts[0]) // width
        done += len(starts)
    progress(total, total)
    return deleted


async def rebuild(
    transactions: Transactions, measurements: Collection[int], now: int, progress: Progress
) -> None:
    """Rebuild all rollups from the readings; those from before the oldest or a pruned reading are kept.

    May be interrupted and restarted at any time, while readings are written. Raises StorageError.
    """
    calendar = await transactions.read(get_calendar)
    pruned_before = await transactions.read(get_pruned_before)
    ranges = [
        (gateway, first, calendar.edges(Resolution.DAY, first, last + 1))
        for gateway, first, last in await transactions.read(
            partial(_find_reading_ranges, since=pruned_before)
        )
    ]
    done, total = 0, sum(len(edges) - 1 for _, _, edges in ranges)
    for gateway, first, edges in ranges:
        index = 0
        while index < len(edges) - 1:
            progress(done + index, total)
            # Years without readings, as after one with a wrong date, are one step.
            following = await transactions.read(
                partial(find_reading_range, gateway=gateway, since=edges[index + 1])
            )
            after = len(edges) - 1 if following is None else bisect_right(edges, following[0]) - 1
            work = partial(
                _reset_days,
                measurements=measurements,
                gateway=gateway,
                oldest=first,
                start=edges[index],
                end=edges[after],
            )
            await transactions.write(work)
            await roll_up(transactions, now)
            index = after
        done += len(edges) - 1
    progress(total, total)


async def change_time_zone(transactions: Transactions, measurements: Collection[int], name: str) -> None:
    """Change the time zone of days; days whose quarter-hours are pruned are kept as they are.

    All other days are pending afterwards. Raises StorageError.
    """
    await transactions.write(
        partial(_change_time_zone, measurements=measurements, name=name), may_take_long=True
    )


async def _find_oldest(
    connection: AsyncConnection,
    resolution: Resolution,
    measurements: Collection[int],
    gateway: int,
    since: int = 0,
) -> int | None:
    """Return the time of the oldest reading, or bucket, from `since` on; None if there is none."""
    if resolution is Resolution.READING:
        found = await find_reading_range(connection, gateway, since)
    else:
        found = await find_rollup_range(connection, resolution, gateway, measurements, since)
    return found and found[0]


async def _find_reading_ranges(connection: AsyncConnection, since: int) -> list[tuple[int, int, int]]:
    """Return each gateway with the times of its oldest and newest reading from `since` on."""
    found = [
        (gateway, await find_reading_range(connection, gateway, since))
        for gateway in await get_gateways(connection)
    ]
    return [(gateway, *times) for gateway, times in found if times is not None]


async def _prune_range(
    connection: AsyncConnection,
    calendar: Calendar,
    measurements: Collection[int],
    resolution: Resolution,
    gateway: int,
    start: int,
    end: int,
) -> int:
    if resolution is Resolution.READING:
        statement = delete(readings).where(
            readings.c.gateway_id == gateway, readings.c.measured_at >= start, readings.c.measured_at < end
        )
    else:
        statement = _delete_rollups(resolution, measurements, gateway, start, end)
    deleted = (await connection.execute(statement)).rowcount
    # Checked last: readings that were written during the deletion have made their minute pending by now.
    pending = await connection.scalar(
        select(func.count()).where(
            pending_rollups.c.resolution <= resolution.coarser,
            pending_rollups.c.bucket_start >= calendar.start(resolution.coarser, start),
            pending_rollups.c.bucket_start < end,
            pending_rollups.c.gateway_id == gateway,
        )
    )
    if pending:
        raise _PendingError
    return deleted


async def _reset_days(
    connection: AsyncConnection,
    measurements: Collection[int],
    gateway: int,
    oldest: int,
    start: int,
    end: int,
) -> None:
    """Delete the rollups of some days, and make all minutes with readings pending."""
    # A bucket that starts before the oldest reading has lost some of its readings to pruning, and is kept.
    for resolution in rollups:
        await connection.execute(_delete_rollups(resolution, measurements, gateway, max(start, oldest), end))
    minute = readings.c.measured_at - readings.c.measured_at % MINUTE
    found = await connection.scalars(
        select(minute)
        .where(
            readings.c.gateway_id == gateway, readings.c.measured_at >= start, readings.c.measured_at < end
        )
        .distinct()
        .order_by(minute)
    )
    await insert_if_absent(
        connection, pending_rollups, [(int(Resolution.MINUTE), each, gateway) for each in found]
    )


async def _change_time_zone(connection: AsyncConnection, measurements: Collection[int], name: str) -> None:
    await set_time_zone(connection, name)
    calendar = await get_calendar(connection)
    await connection.execute(delete(pending_rollups).where(pending_rollups.c.resolution == Resolution.DAY))
    for gateway in await get_gateways(connection):
        found = await find_rollup_range(connection, Resolution.QUARTER_HOUR, gateway, measurements)
        if found is not None:
            first, last = found
            await connection.execute(_delete_rollups(Resolution.DAY, measurements, gateway, first, last + 1))
            days = calendar.edges(Resolution.DAY, first, last + 1)[:-1]
            await insert_if_absent(
                connection, pending_rollups, [(int(Resolution.DAY), day, gateway) for day in days]
            )


def _delete_rollups(
    resolution: Resolution, measurements: Collection[int], gateway: int, start: int, end: int
) -> Delete:
    columns = rollups[resolution].c
    return delete(rollups[resolution]).where(
        columns.gateway_id == gateway,
        columns.measurement_id.in_(measurements),
        columns.phase.in_(ALL_PHASES),
        columns.bucket_start >= start,
        columns.bucket_start < end,
    )
