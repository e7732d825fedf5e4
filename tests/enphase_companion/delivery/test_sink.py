"""The sink: its database may be unavailable at first and may be recreated while it runs."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from sqlalchemy import make_url

from enphase_companion.delivery.sink import Sink
from enphase_companion.runtime.metrics import Metrics
from enphase_companion.storage import Database, StorageError
from tests.services.mariadb import MariaDB, execute

from ..amqp_helpers import AT, SERIAL, build_message, wait_until
from ..commands.running import DatabaseInspector


async def test_tables_are_created_at_the_start(database_url: str) -> None:
    async with Database(database_url) as database:
        await Sink(database, Metrics()).begin()
        assert (await database.status()).is_up_to_date


@pytest.mark.slow
async def test_the_sink_starts_without_a_server_and_stores_once_it_is_available(
    mariadb: MariaDB, mariadb_url: str
) -> None:
    await asyncio.to_thread(mariadb.kill)
    async with Database(mariadb_url) as database:
        sink = Sink(database, Metrics())
        await sink.begin()
        with pytest.raises(StorageError, match="no connection: check that the server runs there"):
            await sink.write([build_message(1)])
        await asyncio.to_thread(mariadb.start)
        await sink.write([build_message(1)])
    assert DatabaseInspector(mariadb_url).timestamps == {(AT + 1) * 1000}


async def test_a_recreated_database_gets_its_tables_and_the_repeated_message(
    mariadb_url: str,
) -> None:
    url = make_url(mariadb_url)
    async with Database(mariadb_url) as database:
        sink = Sink(database, Metrics())
        await sink.begin()
        await sink.write([build_message(1)])
        for statement in ("DROP DATABASE", "CREATE DATABASE"):
            execute(url.set(database="mysql"), f"{statement} {url.database}")
        with pytest.raises(StorageError):
            await sink.write([build_message(2)])
        await sink.write([build_message(2)])
    assert DatabaseInspector(mariadb_url).timestamps == {(AT + 2) * 1000}


async def test_a_permanent_error_is_raised_at_the_start(tmp_path: Path) -> None:
    async with Database(f"sqlite:///{tmp_path / 'missing' / 'enphase.db'}") as database:
        with pytest.raises(StorageError, match="cannot be opened"):
            await Sink(database, Metrics()).begin()


async def test_refused_readings_are_counted_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    metrics = Metrics()
    url = f"sqlite:///{tmp_path / 'enphase.db'}"
    async with Database(url) as database:
        sink = Sink(database, metrics)
        await sink.write([build_message(1), build_message(2, timestamp=AT + 60 * 86_400.0)])
    assert DatabaseInspector(url).timestamps == {(AT + 1) * 1000}
    assert metrics["readings_refused"] == 4
    assert f"readings refused: gateway {SERIAL} dates them 2025-11-24, but they were read on" in caplog.text


async def test_a_minute_is_rolled_up_once_its_last_messages_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("enphase_companion.delivery.sink._ROLL_UP", 0.05)
    monkeypatch.setattr("enphase_companion.delivery.sink._INTERVALS", 0)
    url = f"sqlite:///{tmp_path / 'enphase.db'}"
    minutes_ago = [int(time.time()) - 60 * minutes - AT for minutes in (6, 3)]
    async with Database(url) as database:
        sink = Sink(database, Metrics(), flush_interval=280)
        await sink.write([build_message(number) for number in minutes_ago])
        rolling = asyncio.ensure_future(sink.roll_up())
        inspector = DatabaseInspector(url)
        await wait_until(lambda: bool(inspector.query("SELECT * FROM minutes")))
        rolling.cancel()
        await asyncio.wait([rolling])
        starts = inspector.query("SELECT DISTINCT bucket_start FROM minutes")
    assert [tuple(row) for row in starts] == [((AT + minutes_ago[0]) * 1000 // 60_000 * 60_000,)]


async def test_a_failed_rollup_is_logged_and_retried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("enphase_companion.delivery.sink._ROLL_UP", 0.05)
    async with Database(f"sqlite:///{tmp_path / 'enphase.db'}") as database:
        sink = Sink(database, Metrics())
        await sink.begin()
        await sink.write([build_message(1)])

        async def raise_error(_now: int) -> int:
            raise StorageError("this user may not do that.")

        with monkeypatch.context() as patch:
            patch.setattr(database, "roll_up", raise_error)
            rolling = asyncio.ensure_future(sink.roll_up())
            await wait_until(lambda: "readings are not rolled up: this user may not" in caplog.text)
        await wait_until(lambda: "readings are rolled up again" in caplog.text)
        rolling.cancel()
        await asyncio.wait([rolling])
    assert (
        len(
            DatabaseInspector(f"sqlite:///{tmp_path / 'enphase.db'}").query(
                "SELECT DISTINCT bucket_start FROM days"
            )
        )
        == 1
    )
