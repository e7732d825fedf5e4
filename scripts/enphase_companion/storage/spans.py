"""From when to when there is something of a gateway, each found at one end of a key."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Column, ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from .levels import Level
from .tables import ALL_PHASES, gateways, readings, rollups


async def numbers(connection: AsyncConnection) -> dict[int, str]:
    """Return the serial number of each gateway by its number here, in the order of serial numbers."""
    found = await connection.execute(
        select(gateways.c.id, gateways.c.serial_number).order_by(gateways.c.serial_number)
    )
    return {row[0]: row[1] for row in found}


async def span_of_readings(connection: AsyncConnection, gateway: int) -> tuple[int, int] | None:
    """Return the times of the oldest and the newest reading; None where there is none."""
    return await _span(connection, readings.c.measured_at, readings.c.gateway_id == gateway)


async def span_of_rollup(
    connection: AsyncConnection, level: Level, gateway: int, measurements: Collection[int]
) -> tuple[int, int] | None:
    """Return where the oldest and the newest bucket begin; None where there is none."""
    columns = rollups[level].c
    found = [
        await _span(
            connection,
            columns.bucket_start,
            columns.gateway_id == gateway,
            columns.measurement_id == measurement,
            columns.phase == phase,
        )
        for measurement in measurements
        for phase in ALL_PHASES
    ]
    there = [each for each in found if each is not None]
    return (min(first for first, _ in there), max(last for _, last in there)) if there else None


async def first_reading(
    connection: AsyncConnection, gateway: int, measurements: Collection[int]
) -> int | None:
    """Return the time of the oldest reading, or of the oldest that rollups know of; None without any."""
    span = await span_of_readings(connection, gateway)
    found = [] if span is None else [span[0]]
    for level in rollups:
        columns = rollups[level].c
        if (buckets := await span_of_rollup(connection, level, gateway, measurements)) is not None:
            first = await connection.scalar(
                select(func.min(columns.first_measured_at)).where(
                    columns.gateway_id == gateway,
                    columns.measurement_id.in_(measurements),
                    columns.phase.in_(ALL_PHASES),
                    columns.bucket_start == buckets[0],
                )
            )
            found.append(first if first is not None else buckets[0])
    return min(found, default=None)


async def _span(
    connection: AsyncConnection, column: Column[int], *where: ColumnElement[bool]
) -> tuple[int, int] | None:
    # One end after the other: SQLite goes through everything when it is asked for both at once, or by group.
    first, last = [await connection.scalar(select(end(column)).where(*where)) for end in (func.min, func.max)]
    return None if first is None or last is None else (first, last)
