"""Batteries that no meter measures: the gateway's newest word stands in the database."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from alembic import command
from sqlalchemy.ext.asyncio import AsyncConnection

from enphase_companion.message import Message
from enphase_companion.storage import Database, batteries, schema, words
from enphase_companion.storage.address import parse
from enphase_companion.storage.engine import Transactions

from .conftest import GATEWAY, VIENNA, change, local, message, rows

START = local(2026, 6, 1, 12)
ASKED = "SELECT serial_number, unmetered_batteries FROM gateways ORDER BY serial_number"


def said(second: int, word: bool | None, gateway: str = GATEWAY) -> list[Message]:
    return [replace(message(START + second * 1000, gateway), unmetered_batteries=word)]


async def test_the_newest_word_of_a_gateway_counts(database: Database, database_url: str) -> None:
    assert not await database.has_unmetered_batteries(GATEWAY)
    await database.write([*said(2, True), *said(1, False), *said(1, False, "other")])
    assert await rows(database_url, ASKED) == [(GATEWAY, 1), ("other", 0)]
    assert await database.has_unmetered_batteries(GATEWAY)
    assert not await database.has_unmetered_batteries("other")
    await database.write(said(3, False))
    assert not await database.has_unmetered_batteries(GATEWAY)


async def test_what_is_redelivered_late_or_says_nothing_of_batteries_is_no_news(
    database: Database, database_url: str
) -> None:
    # As messages of Enphase-API's scripts do.
    await database.write(said(1, None))
    assert await rows(database_url, ASKED) == [(GATEWAY, None)]
    await database.write(said(9, True))
    await database.write(said(2, False))
    await database.write(said(10, None))
    assert await database.has_unmetered_batteries(GATEWAY)


async def test_nothing_more_is_asked_or_written_while_the_word_is_the_same(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await database.write(said(0, True))
    done: list[str] = []
    for name in ("read", "write"):
        work = getattr(Transactions, name)

        async def counted(self: Transactions, *given: Any, name: str = name, work: Any = work) -> Any:
            done.append(name)
            return await work(self, *given)

        monkeypatch.setattr(Transactions, name, counted)
    for second in range(1, 6):
        await database.write(said(second, True))
    assert done == ["write"] * 5, "one transaction a batch, that of the readings"


async def test_an_older_word_that_another_program_stored_is_mended(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batteries, "_LOOK", 0.0)
    await database.write(said(5, True))
    async with Database(database_url) as other:
        await other.write(said(4, False))
    assert not await database.has_unmetered_batteries(GATEWAY)
    await database.write(said(6, True))
    assert await database.has_unmetered_batteries(GATEWAY)


async def test_the_status_names_them(database: Database) -> None:
    await database.write([*said(0, True), *said(0, False, "other"), *said(0, None, "third")])
    shown = words.status("here", await database.status(), VIENNA, None).splitlines()
    assert [line.partition(":")[0] for line in shown if "batteries without a meter" in line] == [GATEWAY]


@pytest.mark.parametrize("interrupted", [False, True], ids=["", "interrupted"])
async def test_a_database_of_version_0001_keeps_all_that_it_holds(
    database_url: str, interrupted: bool
) -> None:
    await of_version("0001", database_url)
    await change(database_url, "INSERT INTO gateways (id, serial_number) VALUES (7, :name)", name=GATEWAY)
    await change(database_url, "INSERT INTO measurements (id, word) VALUES (3, 'production')")
    await change(database_url, "INSERT INTO properties VALUES ('time_zone', 'Europe/Vienna')")
    for second in range(0, 120, 10):
        await change(
            database_url,
            "INSERT INTO readings (gateway, time, measurement, phase, active_power, energy_delivered) "
            "VALUES (7, :at, 3, 0, 3600, :counter)",
            at=START + second * 1000, counter=1000.0 + second,
        )  # fmt: skip
    await change(database_url, "INSERT INTO pending VALUES (1, :at, 7)", at=START)
    await change(database_url, "INSERT INTO pending VALUES (1, :at, 7)", at=START + 60_000)
    if interrupted:
        # Between the change of the table and the note of it, which MariaDB cannot do together.
        await change(database_url, "ALTER TABLE gateways ADD COLUMN unmetered_batteries BOOL")

    async with Database(database_url) as database:
        await database.upgrade()
        assert await rows(database_url, "SELECT version_num FROM schema_version") == [(schema.newest(),)]
        assert await rows(database_url, "SELECT * FROM gateways") == [(7, GATEWAY, None)]
        assert (await database.time_zone()).key == "Europe/Vienna"
        await database.write(said(120, True))
        await database.roll_up()
        energies = await database.energies(GATEWAY, START, START + 110_000)
        assert energies["production"].delivered == pytest.approx(110)
        assert await database.has_unmetered_batteries(GATEWAY)


async def of_version(version: str, url: str) -> None:
    """Make the tables as an older program did."""

    async def make(connection: AsyncConnection) -> None:
        await connection.run_sync(
            lambda sync: command.upgrade(schema._configuration({"connection": sync}), version)
        )

    transactions = Transactions(parse(url))
    await transactions.open(make=True)
    await transactions.write(make)
    await transactions.close()
