"""The store: a database that may be away at first, and be another one when it is back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import make_url

from enphase_companion.delivery.sink import Sink
from enphase_companion.storage import Database, StorageError
from tests.services.mariadb import MariaDB, execute

from ..amqp_helpers import AT, message, until
from ..commands.running import Eyes


async def test_tables_are_made_at_the_first_look(database_url: str) -> None:
    async with Database(database_url) as database:
        await Sink(database).begin()
        assert (await database.status()).is_up_to_date


@pytest.mark.slow
async def test_it_begins_without_a_server_and_stores_when_it_is_there(
    mariadb: MariaDB, mariadb_url: str
) -> None:
    await asyncio.to_thread(mariadb.kill)
    async with Database(mariadb_url) as database:
        sink = Sink(database)
        await sink.begin()
        with pytest.raises(StorageError, match="no connection: check that the server runs there"):
            await sink.write([message(1)])
        await asyncio.to_thread(mariadb.start)
        await sink.write([message(1)])
    assert Eyes(mariadb_url).moments == {(AT + 1) * 1000}


async def test_a_database_that_was_made_anew_gets_its_tables_and_the_same_message_again(
    mariadb_url: str,
) -> None:
    url = make_url(mariadb_url)
    async with Database(mariadb_url) as database:
        sink = Sink(database)
        await sink.begin()
        await sink.write([message(1)])
        for statement in ("DROP DATABASE", "CREATE DATABASE"):
            execute(url.set(database="mysql"), f"{statement} {url.database}")
        with pytest.raises(StorageError):
            await sink.write([message(2)])
        await sink.write([message(2)])
    assert Eyes(mariadb_url).moments == {(AT + 2) * 1000}


async def test_what_no_wait_cures_is_raised_at_the_beginning(tmp_path: Path) -> None:
    async with Database(f"sqlite:///{tmp_path / 'none' / 'enphase.db'}") as database:
        with pytest.raises(StorageError, match="cannot be opened"):
            await Sink(database).begin()


async def test_what_cannot_be_rolled_up_is_told_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("enphase_companion.delivery.sink._ROLL_UP", 0.05)
    async with Database(f"sqlite:///{tmp_path / 'enphase.db'}") as database:
        sink = Sink(database)
        await sink.begin()
        await sink.write([message(1)])

        async def refused() -> int:
            raise StorageError("this user may not do that.")

        with monkeypatch.context() as patch:
            patch.setattr(database, "roll_up", refused)
            rolling = asyncio.ensure_future(sink.roll_up())
            await until(lambda: "readings are not rolled up: this user may not" in caplog.text)
        await until(lambda: "readings are rolled up again" in caplog.text)
        rolling.cancel()
        await asyncio.wait([rolling])
    assert (
        len(Eyes(f"sqlite:///{tmp_path / 'enphase.db'}").query("SELECT DISTINCT bucket_start FROM days")) == 1
    )
