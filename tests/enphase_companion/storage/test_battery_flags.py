"""Batteries that no meter measures: the gateway's newest word stands in the database."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from enphase_companion.message import Message
from enphase_companion.storage import Database, writer
from enphase_companion.storage.engine import Transactions
from enphase_companion.storage.status import format_status

from .conftest import GATEWAY, VIENNA, local, message, rows

START = local(2026, 6, 1, 12)
ASKED = "SELECT serial_number, has_unmetered_batteries FROM gateways ORDER BY serial_number"


def reports(second: int, flag: bool | None, gateway: str = GATEWAY) -> list[Message]:
    return [replace(message(START + second * 1000, gateway), has_unmetered_batteries=flag)]


async def test_the_newest_word_of_a_gateway_counts(database: Database, database_url: str) -> None:
    assert not await database.has_unmetered_batteries(GATEWAY)
    await database.write([*reports(2, True), *reports(1, False), *reports(1, False, "other")])
    assert await rows(database_url, ASKED) == [(GATEWAY, 1), ("other", 0)]
    assert await database.has_unmetered_batteries(GATEWAY)
    assert not await database.has_unmetered_batteries("other")
    await database.write(reports(3, False))
    assert not await database.has_unmetered_batteries(GATEWAY)


async def test_what_is_redelivered_late_or_says_nothing_of_batteries_is_no_news(
    database: Database, database_url: str
) -> None:
    # As messages of Enphase-API's scripts do.
    await database.write(reports(1, None))
    assert await rows(database_url, ASKED) == [(GATEWAY, None)]
    await database.write(reports(9, True))
    await database.write(reports(2, False))
    await database.write(reports(10, None))
    assert await database.has_unmetered_batteries(GATEWAY)


async def test_nothing_more_is_asked_or_written_while_the_word_is_the_same(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await database.write(reports(0, True))
    done: list[str] = []
    for name in ("read", "write"):
        work = getattr(Transactions, name)

        async def counting(self: Transactions, *given: Any, name: str = name, work: Any = work) -> Any:
            done.append(name)
            return await work(self, *given)

        monkeypatch.setattr(Transactions, name, counting)
    for second in range(1, 6):
        await database.write(reports(second, True))
    assert done == ["write"] * 5, "one transaction a batch, that of the readings"


async def test_an_older_word_that_another_program_stored_is_mended(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_REFRESH_INTERVAL", 0.0)
    await database.write(reports(5, True))
    async with Database(database_url) as other:
        await other.write(reports(4, False))
    assert not await database.has_unmetered_batteries(GATEWAY)
    await database.write(reports(6, True))
    assert await database.has_unmetered_batteries(GATEWAY)


async def test_the_status_names_them(database: Database) -> None:
    await database.write([*reports(0, True), *reports(0, False, "other"), *reports(0, None, "third")])
    shown = format_status("here", await database.status(), VIENNA, None).splitlines()
    assert [line.partition(":")[0] for line in shown if "batteries without a meter" in line] == [GATEWAY]
