"""What is true of the database as a whole, such as the time zone of its days."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..config.time_zone import system_zone, zone_of
from .levels import Calendar
from .statements import keep_first, replace
from .tables import properties

_TIME_ZONE = "time_zone"


async def get(connection: AsyncConnection, name: str, *, lock: bool = False) -> str | None:
    """Return the value of a property; None where it was never set.

    `lock`: nobody else changes it until this transaction ends.
    """
    statement = select(properties.c.value).where(properties.c.name == name)
    value: str | None = await connection.scalar(statement.with_for_update(read=True) if lock else statement)
    return value


async def put(connection: AsyncConnection, name: str, value: str) -> None:
    """Set a property."""
    statement = replace(properties, connection.dialect.name)
    await connection.execute(statement, {"name": name, "value": value})


async def time_zone(connection: AsyncConnection) -> str | None:
    """Return the time zone of the database's days; None where it has none yet."""
    return await get(connection, _TIME_ZONE)


async def calendar(connection: AsyncConnection, *, lock: bool = False) -> Calendar:
    """Return the calendar of the database's days, the system's where none is set. `lock`: see `get`."""
    name = await get(connection, _TIME_ZONE, lock=lock)
    return Calendar(zone_of(name) if name else system_zone())


async def put_time_zone(connection: AsyncConnection, name: str) -> None:
    """Set the time zone of the database's days."""
    await put(connection, _TIME_ZONE, name)


async def put_first_time_zone(connection: AsyncConnection, name: str) -> None:
    """Set the time zone of the database's days, unless it has one."""
    statement = keep_first(properties, connection.dialect.name)
    await connection.execute(statement, {"name": _TIME_ZONE, "value": name})
