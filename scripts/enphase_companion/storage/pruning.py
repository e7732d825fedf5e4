"""Pruning: deleting what is older than the owner wants to keep, but nothing that is not yet rolled up."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from . import properties
from .engine import Transactions
from .levels import DAY, MINUTE, SECOND, Calendar, Level
from .spans import numbers, span_of_readings, span_of_rollup
from .tables import ALL_PHASES, pending_rollups, readings, rollups

#: Called with how much is done, and of how much.
Progress = Callable[[int, int], None]

#: How much time of one gateway goes in one transaction: some ten thousand rows.
_AT_ONCE = {Level.READING: 60 * MINUTE, Level.MINUTE: DAY, Level.QUARTER: 15 * DAY}


class _NotRolledUpError(Exception):
    """Something in a stretch of time is not rolled up yet: nothing of it may go."""


async def prune(
    transactions: Transactions,
    measurements: Collection[int],
    level: Level,
    keep_days: int,
    now: int,
    progress: Progress,
) -> int:
    """Delete readings or a rollup, but for today's and those of `keep_days` before; give how many rows.

    Days are whole local ones; what is not rolled up stays. Raises StorageError.
    """
    calendar = await transactions.read(properties.calendar)
    today = datetime.fromtimestamp(now / SECOND, calendar.zone).date()
    end = calendar.midnight(today - timedelta(days=keep_days))
    oldest = await transactions.read(partial(_oldest, level=level, measurements=measurements))
    stretches = [
        (gateway, start, min(start + _AT_ONCE[level], end))
        for gateway, first in oldest
        for start in range(calendar.start(Level.DAY, first), end, _AT_ONCE[level])
    ]
    deleted = 0
    for done, (gateway, start, until) in enumerate(stretches):
        progress(done, len(stretches))
        work = partial(
            _delete,
            calendar=calendar,
            measurements=measurements,
            level=level,
            gateway=gateway,
            start=start,
            end=until,
        )
        try:
            deleted += await transactions.write(work)
        except _NotRolledUpError:
            continue
    progress(len(stretches), len(stretches))
    return deleted


async def _oldest(
    connection: AsyncConnection, level: Level, measurements: Collection[int]
) -> list[tuple[int, int]]:
    """Return each gateway with the time of its oldest reading, or bucket, of this level."""
    result = []
    for gateway in await numbers(connection):
        if level is Level.READING:
            span = await span_of_readings(connection, gateway)
        else:
            span = await span_of_rollup(connection, level, gateway, measurements)
        if span is not None:
            result.append((gateway, span[0]))
    return result


async def _delete(
    connection: AsyncConnection,
    calendar: Calendar,
    measurements: Collection[int],
    level: Level,
    gateway: int,
    start: int,
    end: int,
) -> int:
    if level is Level.READING:
        statement = delete(readings).where(
            readings.c.gateway_id == gateway, readings.c.measured_at >= start, readings.c.measured_at < end
        )
    else:
        table = rollups[level]
        statement = delete(table).where(
            table.c.gateway_id == gateway,
            table.c.measurement_id.in_(measurements),
            table.c.phase.in_(ALL_PHASES),
            table.c.bucket_start >= start,
            table.c.bucket_start < end,
        )
    deleted = (await connection.execute(statement)).rowcount
    # Asked only now: what came late, while the rows were being deleted, has its note by now.
    longer = Level(level + 1)
    not_rolled_up = await connection.scalar(
        select(func.count()).where(
            pending_rollups.c.resolution <= longer,
            pending_rollups.c.bucket_start >= calendar.start(longer, start),
            pending_rollups.c.bucket_start < end,
            pending_rollups.c.gateway_id == gateway,
        )
    )
    if not_rolled_up:
        raise _NotRolledUpError
    return deleted
