"""Partition the readings by month, in MariaDB or MySQL: pruning drops whole months instead of deleting rows.

Readings later than the last month are in a partition of their own, from which months are split off.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from .buckets import SECOND
from .errors import StorageError, UnavailableError
from .statements import acquire_lock, find_reading_range, get_gateways
from .tables import pending_rollups

#: Months that are made in advance. Without them nothing is lost, but splitting off a month copies its rows.
_MONTHS_AHEAD = 12

#: The partition of all later readings.
_LATER = "later"

_LOCK_SECONDS = 50

_FIND = text(
    "SELECT partition_name, partition_description, table_rows FROM information_schema.partitions"
    " WHERE table_schema = DATABASE() AND table_name = 'readings' AND partition_method = 'RANGE'"
    " AND REPLACE(partition_expression, '`', '') = 'measured_at' ORDER BY partition_ordinal_position"
)


class Partition(NamedTuple):
    """A partition of the readings."""

    name: str
    #: Milliseconds; its readings are older. None for the last one.
    end: int | None
    #: The server's estimate of the number of rows.
    rows: int


async def get_partitions(connection: AsyncConnection) -> list[Partition]:
    """Return the partitions of the readings, the oldest first; none if they are not partitioned by time."""
    if connection.dialect.name != "mysql":
        return []
    return [
        Partition(name, None if end == "MAXVALUE" else int(end), rows or 0)
        for name, end, rows in await connection.execute(_FIND)
    ]


async def create(connection: AsyncConnection, now: int) -> None:
    """Partition the readings by month (UTC), from the oldest one to a year from `now` (milliseconds).

    Copies the table, unless it is partitioned already: then only missing months are added. Raises
    StorageError.
    """
    if connection.dialect.name != "mysql":
        raise StorageError("only readings in MariaDB or MySQL can be partitioned")
    async with _lock(connection):
        if await get_partitions(connection):
            await _extend(connection, now)
            return
        ranges = [await find_reading_range(connection, gateway) for gateway in await get_gateways(connection)]
        oldest = min((times[0] for times in ranges if times is not None), default=now)
        await connection.exec_driver_sql(
            f"ALTER TABLE readings PARTITION BY RANGE (measured_at) ({_define(oldest, now)})"
        )


async def extend(connection: AsyncConnection, now: int) -> None:
    """Add the months up to a year from `now` to readings that are partitioned; do nothing if they are not."""
    if await get_partitions(connection):
        async with _lock(connection):
            await _extend(connection, now)


async def drop_before(connection: AsyncConnection, end: int) -> int:
    """Drop the partitions with only readings before `end` (milliseconds) that are rolled up.

    Returns the number of dropped rows, as the server estimates it.
    """
    if not await get_partitions(connection):
        return 0
    async with _lock(connection):
        # None where everything is rolled up.
        pending = await connection.scalar(select(func.min(pending_rollups.c.bucket_start)))
        limit = end if pending is None else min(end, pending)
        found = await get_partitions(connection)
        old = [each for each in found if each.end is not None and each.end <= limit]
        if old:
            names = ", ".join(f"`{each.name}`" for each in old)
            await connection.exec_driver_sql(f"ALTER TABLE readings DROP PARTITION {names}")
    return sum(each.rows for each in old)


async def _extend(connection: AsyncConnection, now: int) -> None:
    *months, last = await get_partitions(connection)
    definition = _define(max((each.end for each in months if each.end is not None), default=now), now)
    if last.end is None and definition.count("PARTITION") > 1:
        await connection.exec_driver_sql(
            f"ALTER TABLE readings REORGANIZE PARTITION `{last.name}` INTO ({definition})"
        )


def _define(start: int, now: int) -> str:
    """Return the definitions of the months from `start` to a year from `now`, and of all later readings."""
    months = [
        f"PARTITION {name} VALUES LESS THAN ({end})"
        for name, end in _iter_months(start, _add_months(_start_of_month(now), _MONTHS_AHEAD))
    ]
    return ", ".join([*months, f"PARTITION {_LATER} VALUES LESS THAN MAXVALUE"])


def _iter_months(start: int, last: datetime) -> Iterator[tuple[str, int]]:
    """Yield name and end (milliseconds) of each month, from that of `start` to the `last`."""
    month = _start_of_month(start)
    while month <= last:
        following = _add_months(month, 1)
        yield f"p{month:%Y_%m}", round(following.timestamp()) * SECOND
        month = following


def _start_of_month(time: int) -> datetime:
    return datetime.fromtimestamp(time // SECOND, UTC).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )


def _add_months(month: datetime, count: int) -> datetime:
    years, index = divmod(month.month - 1 + count, 12)
    return month.replace(year=month.year + years, month=index + 1)


@asynccontextmanager
async def _lock(connection: AsyncConnection) -> AsyncIterator[None]:
    """Keep other programs from changing the partitions. Raises UnavailableError."""
    async with acquire_lock(connection, "enphase_partitions", _LOCK_SECONDS) as is_acquired:
        if not is_acquired:
            raise UnavailableError("another program is changing the partitions of the readings")
        yield
