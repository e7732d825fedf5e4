"""Statements that SQLite and MariaDB (or MySQL) spell differently."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import orjson
from sqlalchemy import Insert, Table, func
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from .errors import UnstorableError

#: Rows in one statement: some hundred kilobytes, and servers take 16 megabytes. More are not faster.
_ROWS = 2000

_TO_SQL = bytes.maketrans(b"[]", b"()")


async def insert_new(connection: AsyncConnection, table: Table, rows: Sequence[Sequence[Any]]) -> None:
    """Insert those rows, of numbers and None only, whose key is not there yet; the others change nothing.

    Rows have a value for each column. As one text of SQL they cost a twentieth of what parameters cost.
    Raises UnstorableError for anything but numbers and None.
    """
    head, tail = _spelled(table, connection.dialect.name)
    for batch in _batches(rows):
        try:
            values = orjson.dumps(batch)
        except TypeError:  # an integer of more than 64 bits, among others
            values = b'"'
        # JSON's numbers and null are SQL's. Without quotes and braces there is no text among them to be
        # wary of.
        if b'"' in values or b"{" in values:
            raise UnstorableError(f"only numbers and None can be inserted into {table.name}")
        await connection.exec_driver_sql(f"{head}{values[1:-1].translate(_TO_SQL).decode()}{tail}")


def _spelled(table: Table, dialect: str) -> tuple[str, str]:
    columns = ", ".join(table.columns.keys())
    head = f"INSERT INTO {table.name} ({columns}) VALUES "  # noqa: S608 - the tables are this package's
    if dialect == "sqlite":
        return head, " ON CONFLICT DO NOTHING"
    # Not INSERT IGNORE, which would also take wrong values and store something else in their place.
    key = table.primary_key.columns.values()[0].name
    return head, f" ON DUPLICATE KEY UPDATE {key} = {table.name}.{key}"


def _batches(rows: Sequence[Sequence[Any]]) -> Iterator[list[Sequence[Any]]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, _ROWS)):
        yield batch


def keep_first(table: Table, dialect: str) -> Insert:
    """Return an INSERT that changes nothing where a row with the same key or name is there."""
    if dialect == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    key = table.primary_key.columns.values()[0]
    return mysql.insert(table).on_duplicate_key_update({key.name: key})


def replace(table: Table, dialect: str) -> Insert:
    """Return an INSERT that takes the place of a row with the same key."""
    names = [column.name for column in table.columns if not column.primary_key]
    if dialect == "sqlite":
        lite = sqlite.insert(table)
        return lite.on_conflict_do_update(
            index_elements=list(table.primary_key), set_={name: lite.excluded[name] for name in names}
        )
    my = mysql.insert(table)
    return my.on_duplicate_key_update({name: my.inserted[name] for name in names})


def replace_unless_poorer(table: Table, dialect: str) -> Insert:
    """Return an INSERT of summaries that takes the place of a row, unless that is of more readings.

    Readings are only ever added, or pruned. So a summary of fewer is one of a bucket whose readings were
    pruned before a late one came, or one that another program has meanwhile overtaken.
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
    richer = my.inserted.reading_count >= table.c.reading_count
    # Assignments are made one after the other, and each sees those before: the count must be the last.
    names.sort(key=lambda name: name == "reading_count")
    return my.on_duplicate_key_update(
        [(name, func.if_(richer, my.inserted[name], table.c[name])) for name in names]
    )
