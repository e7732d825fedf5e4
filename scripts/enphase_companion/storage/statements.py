"""Statements that several modules share, and those that differ between SQLite and MariaDB."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import chain, islice
from typing import Any

import orjson
from sqlalchemy import Column, ColumnElement, Insert, Table, func, select
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from ..config.rules import system_zone, zone_of
from .buckets import Calendar, Resolution
from .errors import UnstorableError
from .tables import ALL_PHASES, gateways, properties, readings, rollups

#: Rows per statement: at most 4 megabytes, and servers accept 16. A usual batch has 6,000.
_ROWS = 20_000

#: Rows of one INSERT in SQLite, which halves the time of one row each. Old versions take 999 parameters.
_ROWS_AT_ONCE = 50

#: Types of values that are inserted.
_NUMBERS = {int, float, type(None)}

_TO_SQL = bytes.maketrans(b"[]", b"()")

_TIME_ZONE = "time_zone"
_READINGS_PRUNED_BEFORE = "readings_pruned_before"


async def insert_if_absent(connection: AsyncConnection, table: Table, rows: Sequence[Sequence[Any]]) -> int:
    """Insert the rows whose key is absent, and return their number; the others change nothing.

    Rows have a value for each column, a number or None. Raises UnstorableError for any other value.
    """
    if not set(map(type, chain.from_iterable(rows))) <= _NUMBERS:
        raise UnstorableError(f"only numbers and None can be inserted into {table.name}")
    columns = ", ".join(table.columns.keys())
    insert = f"INSERT INTO {table.name} ({columns}) VALUES"
    inserted = 0
    for batch in _split_batches(rows):
        try:
            if connection.dialect.name == "sqlite":
                inserted += await _insert_parameters(connection, insert, batch)
            else:
                # The driver renders parameters into the text, at twenty times the cost. JSON's numbers and
                # null are SQL's.
                values = orjson.dumps(batch)[1:-1].translate(_TO_SQL).decode()
                # Not INSERT IGNORE, which would also accept invalid values and store something else instead.
                key = table.primary_key.columns.values()[0].name
                result = await connection.exec_driver_sql(
                    f"{insert} {values} ON DUPLICATE KEY UPDATE {key} = {table.name}.{key}"
                )
                inserted += result.rowcount
        except (TypeError, OverflowError) as error:  # an integer of more than 64 bits
            raise UnstorableError(f"{table.name}: {error}") from error
    return inserted


async def _insert_parameters(connection: AsyncConnection, insert: str, rows: list[Sequence[Any]]) -> int:
    """Insert the rows whose key is absent into a table of SQLite; return their number."""
    row = f"({', '.join('?' * len(rows[0]))})"
    rest = len(rows) % _ROWS_AT_ONCE
    inserted = 0
    for size, part in ((_ROWS_AT_ONCE, rows[: len(rows) - rest]), (1, rows[len(rows) - rest :])):
        # Only two texts, whatever the number of rows: SQLite keeps both prepared.
        statement = f"{insert} {', '.join([row] * size)} ON CONFLICT DO NOTHING"
        if part:
            parameters = [
                tuple(chain.from_iterable(part[start : start + size])) for start in range(0, len(part), size)
            ]
            inserted += (await connection.exec_driver_sql(statement, parameters)).rowcount
    return inserted


def _split_batches(rows: Sequence[Sequence[Any]]) -> Iterator[list[Sequence[Any]]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, _ROWS)):
        yield batch


def insert_or_keep(table: Table, dialect: str) -> Insert:
    """Return an INSERT that changes nothing if a row with the same key or name exists."""
    if dialect == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    key = table.primary_key.columns.values()[0]
    return mysql.insert(table).on_duplicate_key_update({key.name: key})


def upsert(table: Table, dialect: str) -> Insert:
    """Return an INSERT that replaces the row with the same key."""
    names = [column.name for column in table.columns if not column.primary_key]
    if dialect == "sqlite":
        lite = sqlite.insert(table)
        return lite.on_conflict_do_update(
            index_elements=list(table.primary_key), set_={name: lite.excluded[name] for name in names}
        )
    my = mysql.insert(table)
    return my.on_duplicate_key_update({name: my.inserted[name] for name in names})


def upsert_rollup(table: Table, dialect: str) -> Insert:
    """Return an INSERT of rollups that replaces the row with the same key, unless that has more readings.

    Readings are only ever added, or pruned. So a rollup of fewer readings is one whose readings were pruned
    before a late reading came, or one that another program has overtaken.
    """
    names = [column.name for column in table.columns if not column.primary_key]
    if dialect == "sqlite":
        lite = sqlite.insert(table)
        return lite.on_conflict_do_update(
            index_elements=list(table.primary_key),
            set_={name: lite.excluded[name] for name in names},
            where=lite.excluded.reading_count >= table.c.reading_count,
        )
    my = mysql.insert(table)
    is_complete = my.inserted.reading_count >= table.c.reading_count
    # Assignments run one after the other, and each sees those before: the count must be the last.
    names.sort(key=lambda name: name == "reading_count")
    return my.on_duplicate_key_update(
        [(name, func.if_(is_complete, my.inserted[name], table.c[name])) for name in names]
    )


@asynccontextmanager
async def acquire_lock(connection: AsyncConnection, name: str, seconds: float) -> AsyncIterator[bool]:
    """Hold a lock of this database and this name, and yield whether it was free within `seconds`.

    SQLite needs none: it has one writer at a time.
    """
    if connection.dialect.name == "sqlite":
        yield True
        return
    # Of the whole server; at most 64 characters.
    lock = func.left(func.concat(f"{name} ", func.database()), 64)
    is_acquired = await connection.scalar(select(func.get_lock(lock, seconds))) == 1
    try:
        yield is_acquired
        if is_acquired:
            await connection.execute(select(func.release_lock(lock)))
    except BaseException:
        # The server may not answer any more. It releases the locks of a connection that is closed.
        await connection.invalidate()
        raise


async def get_property(connection: AsyncConnection, name: str, *, lock: bool = False) -> str | None:
    """Return the value of a property; None where it was never set.

    `lock`: no other program changes it until this transaction ends.
    """
    statement = select(properties.c.value).where(properties.c.name == name)
    value: str | None = await connection.scalar(statement.with_for_update(read=True) if lock else statement)
    return value


async def set_property(connection: AsyncConnection, name: str, value: str) -> None:
    """Set a property."""
    statement = upsert(properties, connection.dialect.name)
    await connection.execute(statement, {"name": name, "value": value})


async def get_time_zone(connection: AsyncConnection) -> str | None:
    """Return the name of the database's time zone; None where none is set yet."""
    return await get_property(connection, _TIME_ZONE)


async def get_calendar(connection: AsyncConnection, *, lock: bool = False) -> Calendar:
    """Return the calendar of the database's time zone, by default the system's.

    `lock`: see `get_property`.
    """
    name = await get_property(connection, _TIME_ZONE, lock=lock)
    return Calendar(zone_of(name) if name else system_zone())


async def set_time_zone(connection: AsyncConnection, name: str) -> None:
    """Set the time zone of the database."""
    await set_property(connection, _TIME_ZONE, name)


async def set_initial_time_zone(connection: AsyncConnection, name: str) -> None:
    """Set the time zone of the database, unless it has one."""
    statement = insert_or_keep(properties, connection.dialect.name)
    await connection.execute(statement, {"name": _TIME_ZONE, "value": name})


async def get_pruned_before(connection: AsyncConnection) -> int:
    """Return the time before which readings were pruned; 0 if they never were."""
    return int(await get_property(connection, _READINGS_PRUNED_BEFORE) or 0)


async def set_pruned_before(connection: AsyncConnection, time: int) -> None:
    """Set the time before which readings are pruned, unless it is later already."""
    if time > await get_pruned_before(connection):
        await set_property(connection, _READINGS_PRUNED_BEFORE, str(time))


async def get_gateways(connection: AsyncConnection) -> dict[int, str]:
    """Return the serial number of each gateway by its id, in the order of serial numbers."""
    found = await connection.execute(
        select(gateways.c.id, gateways.c.serial_number).order_by(gateways.c.serial_number)
    )
    return {row[0]: row[1] for row in found}


async def get_battery_flags(connection: AsyncConnection) -> dict[str, bool | None]:
    """Return by serial number whether a gateway has batteries without a meter; None where unknown."""
    found = await connection.execute(select(gateways.c.serial_number, gateways.c.has_unmetered_batteries))
    return {row[0]: row[1] for row in found}


async def find_reading_range(
    connection: AsyncConnection, gateway: int, since: int = 0
) -> tuple[int, int] | None:
    """Return the times of the oldest and the newest reading from `since` on; None if there are none."""
    time = readings.c.measured_at
    return await _find_range(connection, time, readings.c.gateway_id == gateway, time >= since)


async def find_rollup_range(
    connection: AsyncConnection,
    resolution: Resolution,
    gateway: int,
    measurements: Collection[int],
    since: int = 0,
) -> tuple[int, int] | None:
    """Return the starts of the oldest and the newest bucket from `since` on; None if there are none."""
    columns = rollups[resolution].c
    found = [
        await _find_range(
            connection,
            columns.bucket_start,
            columns.gateway_id == gateway,
            columns.measurement_id == measurement,
            columns.phase == phase,
            columns.bucket_start >= since,
        )
        for measurement in measurements
        for phase in ALL_PHASES
    ]
    ranges = [each for each in found if each is not None]
    return (min(first for first, _ in ranges), max(last for _, last in ranges)) if ranges else None


async def _find_range(
    connection: AsyncConnection, column: Column[int], *where: ColumnElement[bool]
) -> tuple[int, int] | None:
    # In two statements: SQLite scans the whole table for both at once, or with GROUP BY.
    first, last = [await connection.scalar(select(end(column)).where(*where)) for end in (func.min, func.max)]
    return None if first is None or last is None else (first, last)
