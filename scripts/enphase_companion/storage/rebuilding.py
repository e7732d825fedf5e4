"""Rebuilding rollups: all from the readings that there are, or the days alone in another time zone."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from itertools import pairwise

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from . import properties
from .engine import Transactions
from .levels import MINUTE, Level
from .pruning import Progress
from .roller import roll_up
from .spans import numbers, span_of_readings, span_of_rollup
from .statements import insert_new
from .tables import ALL_PHASES, pending_rollups, readings, rollups


async def rebuild(
    transactions: Transactions, measurements: Collection[int], now: int, progress: Progress
) -> None:
    """Make all rollups anew from the readings; what is older than the oldest of them stays as it is.

    May be interrupted and begun again at any time, and readings may be written meanwhile. Raises
    StorageError.
    """
    calendar = await transactions.read(properties.calendar)
    spans = await transactions.read(_spans)
    days = [
        (gateway, first, start, end)
        for gateway, first, last in spans
        for start, end in pairwise(calendar.edges(Level.DAY, first, last + 1))
    ]
    for done, (gateway, first, start, end) in enumerate(days):
        progress(done, len(days))
        work = partial(
            _begin_anew, measurements=measurements, gateway=gateway, oldest=first, start=start, end=end
        )
        await transactions.write(work)
        await roll_up(transactions, now)
    progress(len(days), len(days))


async def change_time_zone(transactions: Transactions, measurements: Collection[int], name: str) -> None:
    """Let days begin in another time zone; those whose quarter-hours are pruned stay as they are.

    The days are pending afterwards. Raises StorageError.
    """
    await transactions.write(
        partial(_change_time_zone, measurements=measurements, name=name), may_take_long=True
    )


async def _spans(connection: AsyncConnection) -> list[tuple[int, int, int]]:
    """Return each gateway with the times of its oldest and newest reading."""
    found = [(number, await span_of_readings(connection, number)) for number in await numbers(connection)]
    return [(number, *span) for number, span in found if span is not None]


async def _begin_anew(
    connection: AsyncConnection,
    measurements: Collection[int],
    gateway: int,
    oldest: int,
    start: int,
    end: int,
) -> None:
    """Delete the rollups of a day, and note all of its minutes."""
    # A bucket that began before the oldest reading has lost some of its readings, and is better left alone.
    for level in rollups:
        await _delete(connection, level, measurements, gateway, max(start, oldest), end)
    bucket = readings.c.measured_at - readings.c.measured_at % MINUTE
    found = await connection.scalars(
        select(bucket)
        .where(
            readings.c.gateway_id == gateway, readings.c.measured_at >= start, readings.c.measured_at < end
        )
        .distinct()
        .order_by(bucket)
    )
    await insert_new(connection, pending_rollups, [(int(Level.MINUTE), minute, gateway) for minute in found])


async def _change_time_zone(connection: AsyncConnection, measurements: Collection[int], name: str) -> None:
    await properties.put_time_zone(connection, name)
    calendar = await properties.calendar(connection)
    await connection.execute(delete(pending_rollups).where(pending_rollups.c.resolution == Level.DAY))
    for gateway in await numbers(connection):
        span = await span_of_rollup(connection, Level.QUARTER, gateway, measurements)
        if span is not None:
            first, last = span
            await _delete(connection, Level.DAY, measurements, gateway, first, last + 1)
            days = calendar.edges(Level.DAY, first, last + 1)[:-1]
            await insert_new(connection, pending_rollups, [(int(Level.DAY), day, gateway) for day in days])


async def _delete(
    connection: AsyncConnection,
    level: Level,
    measurements: Collection[int],
    gateway: int,
    start: int,
    end: int,
) -> None:
    table = rollups[level]
    await connection.execute(
        delete(table).where(
            table.c.gateway_id == gateway,
            table.c.measurement_id.in_(measurements),
            table.c.phase.in_(ALL_PHASES),
            table.c.bucket_start >= start,
            table.c.bucket_start < end,
        )
    )
