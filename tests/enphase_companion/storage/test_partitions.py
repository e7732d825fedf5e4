"""Partitions of the readings by month: pruning drops whole months, and nothing else changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import make_url

from enphase_companion.storage import DAY, MINUTE, Database, Resolution, StorageError, maintenance
from enphase_companion.storage.address import parse_url
from enphase_companion.storage.engine import Transactions
from tests.services.mariadb import execute

from .conftest import (
    GATEWAY,
    VIENNA,
    build_message,
    build_steady_messages,
    count_readings,
    execute_sql,
    fetch_rows,
    local_ms,
)

pytestmark = [pytest.mark.services, pytest.mark.slow]

HOUR = 60 * MINUTE
NOW = local_ms(2026, 6, 10, 12)
STEP = 6 * HOUR

_PARTITIONS = (
    "SELECT partition_name FROM information_schema.partitions WHERE table_schema = DATABASE()"
    " AND table_name = 'readings' AND partition_name IS NOT NULL ORDER BY partition_ordinal_position"
)


def ignore_progress(_done: int, _total: int) -> None:
    """Ignore the progress."""


async def fetch_partitions(url: str) -> list[str]:
    return [name for (name,) in await fetch_rows(url, _PARTITIONS)]


def utc_ms(year: int, month: int, day: int = 1) -> int:
    return round(datetime(year, month, day, tzinfo=UTC).timestamp()) * 1000


@pytest.fixture
async def spring(mariadb_url: str) -> AsyncIterator[Database]:
    """Yield a partitioned database with rolled up readings from March to June."""
    async with Database(mariadb_url, VIENNA) as database:
        await database.upgrade()
        await database.write(build_steady_messages(local_ms(2026, 3, 20), NOW, step=STEP))
        await database.roll_up(NOW)
        await database.partition(NOW)
        yield database


async def test_readings_are_partitioned_by_month_for_a_year_ahead(spring: Database, mariadb_url: str) -> None:
    months = [f"p2026_{month:02}" for month in range(3, 13)] + [f"p2027_{month:02}" for month in range(1, 7)]
    assert await fetch_partitions(mariadb_url) == [*months, "later"]
    stored = await fetch_rows(
        mariadb_url, "SELECT COUNT(*), MIN(measured_at), MAX(measured_at) FROM readings PARTITION (p2026_04)"
    )
    assert stored == [(30 * 4, utc_ms(2026, 4) + 5 * HOUR, utc_ms(2026, 5) - HOUR)]
    # Once more, it changes nothing.
    await spring.partition(NOW)
    assert await fetch_partitions(mariadb_url) == [*months, "later"]


async def test_an_empty_database_can_be_partitioned_before_the_first_reading(mariadb_url: str) -> None:
    async with Database(mariadb_url, VIENNA) as database:
        await database.upgrade()
        await database.partition(NOW)
        await database.write([build_message(at) for at in (NOW - 900 * DAY, NOW, NOW + 900 * DAY)])
        await database.write([build_message(NOW), build_message(NOW, active_power=1.0)])
        await database.roll_up(NOW + 901 * DAY)
    partitions = await fetch_partitions(mariadb_url)
    assert (partitions[0], len(partitions)) == ("p2026_06", 14)
    assert await count_readings(mariadb_url) == 4
    assert await fetch_rows(mariadb_url, "SELECT SUM(reading_count) FROM days") == [(4,)]


async def test_pruning_drops_whole_months_and_deletes_the_days_of_the_last_one(
    spring: Database, mariadb_url: str
) -> None:
    before = await spring.series(GATEWAY, "production", local_ms(2026, 3, 20), NOW, MINUTE)
    await execute_sql(mariadb_url, "ANALYZE TABLE readings")
    steps: list[int] = []
    deleted = await spring.prune(Resolution.READING, 20, lambda done, _total: steps.append(done), NOW)
    kept = local_ms(2026, 5, 21)
    assert await fetch_rows(mariadb_url, "SELECT MIN(measured_at), COUNT(*) FROM readings") == [
        (kept + HOUR, (NOW - kept) // STEP)
    ]
    assert (await fetch_partitions(mariadb_url))[0] == "p2026_05"
    assert deleted == pytest.approx((kept - local_ms(2026, 3, 20)) / STEP, rel=0.05)
    # The readings of May one by one, but none of March and April.
    assert len(steps) <= 4 * 21
    assert await spring.series(GATEWAY, "production", local_ms(2026, 3, 20), NOW, MINUTE) == before
    # A late reading of a dropped month is stored again.
    await spring.write([build_message(local_ms(2026, 3, 21))])
    assert await fetch_rows(mariadb_url, "SELECT COUNT(*) FROM readings PARTITION (p2026_05)") == [
        ((utc_ms(2026, 6) - kept) // STEP + 2,)
    ]


async def test_a_month_that_is_not_rolled_up_is_not_dropped(spring: Database, mariadb_url: str) -> None:
    await execute_sql(
        mariadb_url, "INSERT INTO pending_rollups VALUES (1, :minute, 1)", minute=local_ms(2026, 4, 10, 7)
    )
    transactions = Transactions(parse_url(mariadb_url))
    await maintenance.prune(transactions, [1], Resolution.READING, 20, NOW, ignore_progress)
    await transactions.close()
    assert (await fetch_partitions(mariadb_url))[0] == "p2026_04"
    # The hour of that minute is kept, as without partitions.
    assert await fetch_rows(mariadb_url, "SELECT COUNT(*) FROM readings PARTITION (p2026_04)") == [(1,)]


async def test_pruning_adds_the_months_to_come(spring: Database, mariadb_url: str) -> None:
    much_later = local_ms(2028, 2, 10)
    await spring.write(build_steady_messages(much_later - 2 * DAY, much_later, step=STEP))
    await spring.prune(Resolution.READING, 1, ignore_progress, much_later)
    partitions = await fetch_partitions(mariadb_url)
    assert partitions == [
        *(f"p2028_{month:02}" for month in range(2, 13)),
        *(f"p2029_{month:02}" for month in range(1, 3)),
        "later",
    ]
    assert await fetch_rows(mariadb_url, "SELECT COUNT(*) FROM readings PARTITION (later)") == [(0,)]
    assert await count_readings(mariadb_url) == (much_later - local_ms(2028, 2, 9)) // STEP


async def test_readings_are_written_and_rolled_up_while_months_are_added_and_dropped(
    spring: Database, mariadb_url: str
) -> None:
    async with Database(mariadb_url) as other:

        async def write() -> None:
            for start in range(0, 3000, 50):
                await other.write([build_message(NOW + i * 1000) for i in range(start, start + 50)])
                await other.roll_up(NOW + HOUR)

        async def prune() -> None:
            for months in range(1, 8):
                await spring.prune(Resolution.READING, 60 - months, ignore_progress, NOW)
                await spring.partition(NOW + 31 * months * DAY)

        await asyncio.gather(write(), prune(), prune())
    assert await fetch_rows(
        mariadb_url, "SELECT SUM(reading_count) FROM minutes WHERE bucket_start >= :now", now=NOW
    ) == [(3000,)]


async def test_a_user_who_may_alter_create_and_drop_the_tables_partitions_and_prunes(
    spring: Database, mariadb_url: str
) -> None:
    url = make_url(mariadb_url)
    user = f"u{str(url.database)[-12:]}"
    execute(url, f"CREATE USER {user} IDENTIFIED BY 'a secret'")
    execute(url, f"GRANT SELECT, INSERT, UPDATE, DELETE ON {url.database}.* TO {user}")
    user_url = url.set(username=user, password="a secret").render_as_string(hide_password=False)
    try:
        async with Database(user_url) as limited:
            with pytest.raises(StorageError, match=r"lacks a privilege: docs/database\.md lists what"):
                await limited.prune(Resolution.READING, 20, ignore_progress, NOW)
        execute(url, f"GRANT ALTER, CREATE, DROP ON {url.database}.* TO {user}")
        async with Database(user_url) as limited:
            await limited.prune(Resolution.READING, 20, ignore_progress, NOW + 40 * DAY)
            await limited.partition(NOW + 80 * DAY)
    finally:
        execute(url, f"DROP USER {user}")
    assert (await fetch_partitions(mariadb_url))[-2] == "p2027_08"


async def test_sqlite_has_no_partitions(tmp_path: Path) -> None:
    async with Database(f"sqlite:///{tmp_path / 'enphase.db'}") as database:
        await database.upgrade()
        with pytest.raises(StorageError, match="only readings in MariaDB or MySQL can be partitioned"):
            await database.partition()
