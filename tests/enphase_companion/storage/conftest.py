"""Readings to store, and an empty database of each kind to store them in."""

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

#: The tables as SQL, for those who make them by hand.
SCHEMA = files("enphase_companion.storage") / "resources" / "schema.sql"


def local(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    """Milliseconds of a moment in Vienna."""
    return round(datetime(year, month, day, hour, minute, tzinfo=VIENNA).timestamp()) * 1000


def message(at: int, gateway: str = GATEWAY, **quantities: float | None) -> Message:
    """Return what a gateway with a production meter says at a moment (milliseconds)."""
    said = Quantities(**{"active_power": 1000.0, "energy_delivered": 0.0, **quantities})
    return Message(gateway, at / 1000, (Sample("production", 0, at, said),), None)


def rising(
    start: int, end: int, step: int = 10_000, first: float = 1e6, watts: float = 3600.0
) -> list[Message]:
    """Messages of a meter that sees the same power all the time."""
    return [
        message(at, active_power=watts, energy_delivered=first + watts * (at - start) / 3_600_000)
        for at in range(start, end, step)
    ]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Yield an empty database with its tables, whose days are Vienna's."""
    async with Database(database_url, VIENNA) as empty:
        await empty.upgrade()
        yield empty


async def rows(url: str, statement: str, **values: Any) -> list[tuple[Any, ...]]:
    """Return what a statement finds in a database, asked beside the product."""
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            return [tuple(row) for row in await connection.execute(text(statement), values)]
    finally:
        await engine.dispose()


async def change(url: str, statement: str, **values: Any) -> None:
    """Change a database beside the product."""
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            await connection.execute(text(statement), values)
    finally:
        await engine.dispose()


async def stored(url: str) -> int:
    """How many readings there are."""
    return int((await rows(url, "SELECT COUNT(*) FROM readings"))[0][0])
