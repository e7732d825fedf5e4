"""Rolling up: minutes from readings, quarter-hours from minutes, days from quarter-hours, each made anew.

What is to be done stands in the table `pending_rollups`; any number of programs may do it at the same time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import partial
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from . import properties
from .engine import Transactions
from .levels import MINUTE, SECOND, Calendar, Level
from .minutes import roll_up_minutes
from .statements import insert_new, replace_unless_poorer
from .summary import COLUMNS, fold, from_row, to_row
from .tables import ALL_PHASES, measurements, pending_rollups, rollups

#: Readings that come in time are there this long after their minute.
GRACE = 3 * SECOND

#: How many buckets of one gateway are done in one transaction: some ten thousand rows are read for them.
_AT_ONCE = {Level.MINUTE: 240, Level.QUARTER: 60, Level.DAY: 10}

#: Milliseconds between minutes that are still made together.
_HOLE = 10 * MINUTE


class Block(NamedTuple):
    """Buckets of some gateways that are made in one statement, with what else lies in [start, end)."""

    gateways: Sequence[int]
    buckets: list[int]
    end: int

    @property
    def start(self) -> int:
        """Where the first bucket begins."""
        return self.buckets[0]


async def roll_up(transactions: Transactions, now: int) -> int:
    """Roll up all pending buckets that ended before `now` (milliseconds), and give how many that were.

    Raises StorageError.
    """
    total = 0
    for level in rollups:
        work = partial(_some, level=level, now=now)
        while done := await transactions.write(work):
            total += done
    return total


async def _some(connection: AsyncConnection, level: Level, now: int) -> int:
    # Locked: no day may be made in a time zone that is just being changed.
    calendar = await properties.calendar(connection, lock=True)
    before = calendar.start(level, now - GRACE)
    found = (
        await connection.execute(
            select(pending_rollups.c.bucket_start, pending_rollups.c.gateway_id)
            .where(pending_rollups.c.resolution == level, pending_rollups.c.bucket_start < before)
            .order_by(pending_rollups.c.bucket_start, pending_rollups.c.gateway_id)
            .limit(_AT_ONCE[level])
            .with_for_update(skip_locked=_can_skip(connection))
        )
    ).all()
    # After the pending buckets: another program may just have written the first reading of a new measurement.
    numbers = (await connection.execute(select(measurements.c.id))).scalars().all()
    for block in _blocks(calendar, level, [(bucket, gateway) for bucket, gateway in found]):
        if level is Level.MINUTE:
            await roll_up_minutes(connection, block.gateways, numbers, block.start, block.end)
        else:
            await _roll_up(connection, calendar, level, block, numbers)
        await connection.execute(
            delete(pending_rollups).where(
                pending_rollups.c.resolution == level,
                pending_rollups.c.bucket_start.in_(block.buckets),
                pending_rollups.c.gateway_id.in_(block.gateways),
            )
        )
    if level is not Level.DAY:
        longer = Level(level + 1)
        touched = {(int(longer), calendar.start(longer, bucket), gateway) for bucket, gateway in found}
        await insert_new(connection, pending_rollups, sorted(touched))
    return len(found)


async def _roll_up(
    connection: AsyncConnection, calendar: Calendar, level: Level, block: Block, numbers: Collection[int]
) -> None:
    source = rollups[level.finer]
    key = (source.c.gateway_id, source.c.measurement_id, source.c.phase)
    found = await connection.execute(
        select(*key, source.c.bucket_start, *(source.c[name] for name in COLUMNS))
        .where(
            source.c.gateway_id.in_(block.gateways),
            # All there are; named, so that the whole key is used.
            source.c.measurement_id.in_(numbers),
            source.c.phase.in_(ALL_PHASES),
            source.c.bucket_start >= block.start,
            source.c.bucket_start < block.end,
        )
        .order_by(*key, source.c.bucket_start)
    )
    rows = [
        {"gateway_id": gateway, "measurement_id": measurement, "phase": phase, "bucket_start": bucket}
        | to_row(fold([from_row(row[4:]) for row in parts]))
        for (gateway, measurement, phase, bucket), parts in groupby(
            found, lambda row: (*row[:3], calendar.start(level, row[3]))
        )
    ]
    if rows:
        await connection.execute(replace_unless_poorer(rollups[level], connection.dialect.name), rows)


def _blocks(calendar: Calendar, level: Level, found: Iterable[tuple[int, int]]) -> list[Block]:
    """Put together buckets of the same gateways; `found` are buckets and gateways in order.

    A few minutes between them that are not pending are made too, as slow polling leaves some out each time.
    """
    hole = _HOLE if level is Level.MINUTE else 0
    blocks: list[Block] = []
    for start, group in groupby(found, lambda each: each[0]):
        gateways = [gateway for _, gateway in group]
        buckets = [start]
        if blocks and start - blocks[-1].end <= hole and blocks[-1].gateways == gateways:
            buckets = [*blocks.pop().buckets, start]
        blocks.append(Block(gateways, buckets, calendar.after(level, start)))
    return blocks


def _can_skip(connection: AsyncConnection) -> bool:
    """Return whether the server has SKIP LOCKED: MariaDB 10.6, MySQL 8.0. SQLite locks no rows."""
    dialect = connection.dialect
    oldest = (10, 6) if getattr(dialect, "is_mariadb", False) else (8, 0)
    return tuple(getattr(dialect, "server_version_info", None) or ()) >= oldest
