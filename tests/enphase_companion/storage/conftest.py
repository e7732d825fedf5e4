"""Helpers that build readings, an empty database of each kind, and SQL that bypasses the product."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from enphase_api.models import Quantities
from enphase_companion.message import Message, Sample
from enphase_companion.storage import Database

VIENNA = ZoneInfo("Europe/Vienna")
GATEWAY = "122300000001"

#: The tables as SQL, for administrators who create them by hand.
SCHEMA = files("enphase_companion.storage") / "resources" / "schema.sql"


def local_ms(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    """Return a local time in Vienna as a timestamp in milliseconds."""
    return round(datetime(year, month, day, hour, minute, tzinfo=VIENNA).timestamp()) * 1000


def build_message(at: int, gateway: str = GATEWAY, **quantities: float | None) -> Message:
    """Return a message of a gateway with one production meter, read at a timestamp in milliseconds."""
    quantities_read = Quantities(**{"active_power": 1000.0, "energy_delivered": 0.0, **quantities})
    return Message(gateway, at / 1000, (Sample("production", 0, at, quantities_read),), None)


def build_steady_messages(
    start: int, end: int, step: int = 10_000, first: float = 1e6, watts: float = 3600.0
) -> list[Message]:
    """Return the messages of a meter that measures constant power."""
    return [
        build_message(at, active_power=watts, energy_delivered=first + watts * (at - start) / 3_600_000)
        for at in range(start, end, step)
    ]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Yield an empty database with its tables, with days in Vienna's time zone."""
    async with Database(database_url, VIENNA) as empty:
        await empty.upgrade()
        yield empty


async def fetch_rows(url: str, statement: str, **values: Any) -> list[tuple[Any, ...]]:
    """Return the rows of a query, over a connection of the test's own."""
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            return [tuple(row) for row in await connection.execute(text(statement), values)]
    finally:
        await engine.dispose()


async def execute_sql(url: str, statement: str, **values: Any) -> None:
    """Run a statement that changes the database, over a connection of the test's own."""
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            await connection.execute(text(statement), values)
    finally:
        await engine.dispose()


async def count_readings(url: str) -> int:
    """Return the number of stored readings."""
    return int((await fetch_rows(url, "SELECT COUNT(*) FROM readings"))[0][0])
