"""Batteries without a meter: the database keeps the newest flag that each gateway reported."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from enphase_companion.message import Message
from enphase_companion.storage import Database, writer
from enphase_companion.storage.engine import Transactions
from enphase_companion.storage.status import format_status

from .conftest import GATEWAY, VIENNA, build_message, fetch_rows, local_ms

START = local_ms(2026, 6, 1, 12)
FLAGS = "SELECT serial_number, has_unmetered_batteries FROM gateways ORDER BY serial_number"


def build_messages(second: int, flag: bool | None, gateway: str = GATEWAY) -> list[Message]:
    return [replace(build_message(START + second * 1000, gateway), has_unmetered_batteries=flag)]


async def test_the_newest_flag_of_a_gateway_is_kept(database: Database, database_url: str) -> None:
    assert not await database.has_unmetered_batteries(GATEWAY)
    await database.write(
        [*build_messages(2, True), *build_messages(1, False), *build_messages(1, False, "other")]
    )
    assert await fetch_rows(database_url, FLAGS) == [(GATEWAY, 1), ("other", 0)]
    assert await database.has_unmetered_batteries(GATEWAY)
    assert not await database.has_unmetered_batteries("other")
    await database.write(build_messages(3, False))
    assert not await database.has_unmetered_batteries(GATEWAY)


async def test_a_late_flag_or_a_message_without_one_changes_nothing(
    database: Database, database_url: str
) -> None:
    # Messages of Enphase-API's scripts have no flag.
    await database.write(build_messages(1, None))
    assert await fetch_rows(database_url, FLAGS) == [(GATEWAY, None)]
    await database.write(build_messages(9, True))
    await database.write(build_messages(2, False))
    await database.write(build_messages(10, None))
    assert await database.has_unmetered_batteries(GATEWAY)


async def test_an_unchanged_flag_causes_no_further_transaction(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await database.write(build_messages(0, True))
    calls: list[str] = []
    for name in ("read", "write"):
        work = getattr(Transactions, name)

        async def count_call(self: Transactions, *args: Any, name: str = name, work: Any = work) -> Any:
            calls.append(name)
            return await work(self, *args)

        monkeypatch.setattr(Transactions, name, count_call)
    for second in range(1, 6):
        await database.write(build_messages(second, True))
    assert calls == ["write"] * 5, "one transaction a batch, that of the readings"


async def test_an_older_flag_stored_by_another_program_is_corrected(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_REFRESH_INTERVAL", 0.0)
    await database.write(build_messages(5, True))
    async with Database(database_url) as other:
        await other.write(build_messages(4, False))
    assert not await database.has_unmetered_batteries(GATEWAY)
    await database.write(build_messages(6, True))
    assert await database.has_unmetered_batteries(GATEWAY)


async def test_the_status_names_gateways_with_unmetered_batteries(database: Database) -> None:
    await database.write(
        [*build_messages(0, True), *build_messages(0, False, "other"), *build_messages(0, None, "third")]
    )
    shown = format_status("here", await database.status(), VIENNA, None).splitlines()
    assert [line.partition(":")[0] for line in shown if "batteries without a meter" in line] == [GATEWAY]
