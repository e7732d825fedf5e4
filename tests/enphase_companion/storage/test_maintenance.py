"""Maintenance: what pruning and rebuilding delete, keep and recalculate."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from enphase_companion.storage import (
    DAY,
    MINUTE,
    QUARTER_HOUR,
    SECOND,
    Database,
    Resolution,
    StorageError,
    maintenance,
)
from enphase_companion.storage.address import parse_url
from enphase_companion.storage.engine import Transactions

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

pytestmark = pytest.mark.slow

HOUR = 60 * MINUTE
FIRST, NOW = local_ms(2026, 10, 20), local_ms(2026, 10, 29, 13, 37)
STEP = 300 * SECOND


def ignore_progress(_done: int, _total: int) -> None:
    """Ignore the progress."""


@pytest.fixture
async def nine_days(database: Database) -> Database:
    """Return a database with 9.5 days of rolled up readings and a clock change on the sixth day."""
    await database.write(build_steady_messages(FIRST, NOW, step=STEP))
    await database.write(build_steady_messages(FIRST, NOW, step=3600 * SECOND))
    await database.roll_up(NOW)
    return database


async def test_pruning_keeps_today_and_the_given_number_of_whole_days_before(
    nine_days: Database, database_url: str
) -> None:
    deleted = await nine_days.prune(Resolution.READING, 3, ignore_progress, NOW)
    assert await fetch_rows(database_url, "SELECT MIN(measured_at), COUNT(*) FROM readings") == [
        (local_ms(2026, 10, 26), (NOW - local_ms(2026, 10, 26)) // STEP + 1)
    ]
    assert deleted == (local_ms(2026, 10, 26) - FIRST) // STEP
    assert await nine_days.prune(Resolution.READING, 3, ignore_progress, NOW) == 0


async def test_pruning_readings_does_not_change_rollups(nine_days: Database) -> None:
    async def fetch_all() -> list[object]:
        return [
            await nine_days.series(GATEWAY, "production", FIRST, NOW, width)
            for width in (MINUTE, QUARTER_HOUR, DAY)
        ] + [await nine_days.energies(GATEWAY, FIRST, NOW)]

    before = await fetch_all()
    await nine_days.prune(Resolution.READING, 1, ignore_progress, NOW)
    assert await fetch_all() == before
    await nine_days.prune(Resolution.MINUTE, 2, ignore_progress, NOW)
    assert (await fetch_all())[1:] == before[1:]
    await nine_days.prune(Resolution.QUARTER_HOUR, 3, ignore_progress, NOW)
    assert (await fetch_all())[2:] == before[2:]


async def test_pruning_keeps_readings_that_are_not_rolled_up(database: Database, database_url: str) -> None:
    """A minute with a pending rollup, as of a gateway with a wrong clock, keeps its readings."""
    await database.write(build_steady_messages(FIRST, FIRST + 2 * DAY, step=600 * SECOND))
    await database.roll_up(NOW)
    await execute_sql(
        database_url, "INSERT INTO pending_rollups VALUES (1, :minute, 1)", minute=FIRST + 90 * MINUTE
    )
    transactions = Transactions(parse_url(database_url))
    await maintenance.prune(transactions, [1], Resolution.READING, 0, NOW, ignore_progress)
    assert await fetch_rows(database_url, "SELECT measured_at FROM readings") == [
        (FIRST + 60 * MINUTE + i * 600 * SECOND,) for i in range(6)
    ]
    await maintenance.prune(transactions, [1], Resolution.MINUTE, 0, NOW, ignore_progress)
    assert await fetch_rows(database_url, "SELECT COUNT(*) FROM minutes") == [(144,)]
    await transactions.close()

    await database.prune(Resolution.READING, 0, ignore_progress, NOW)
    assert await count_readings(database_url) == 0


async def test_a_reading_of_a_pruned_day_does_not_change_rollups(
    nine_days: Database, database_url: str
) -> None:
    before = await nine_days.series(GATEWAY, "production", FIRST, NOW, DAY)
    await nine_days.prune(Resolution.READING, 1, ignore_progress, NOW)
    await nine_days.prune(Resolution.MINUTE, 1, ignore_progress, NOW)
    await nine_days.write(
        [build_message(FIRST + 12 * HOUR + 1000, active_power=9e6, energy_delivered=1e6 + 43_201)]
    )
    await nine_days.roll_up(NOW)
    assert await nine_days.series(GATEWAY, "production", FIRST, NOW, DAY) == before
    assert await fetch_rows(
        database_url,
        "SELECT COUNT(*) FROM pending_rollups WHERE bucket_start < :day",
        day=local_ms(2026, 10, 29),
    ) == [(0,)]


async def test_pruning_reports_its_progress(nine_days: Database) -> None:
    progress: list[tuple[int, int]] = []
    await nine_days.prune(Resolution.READING, 1, lambda done, total: progress.append((done, total)), NOW)
    assert progress[0][0] == 0
    assert progress[-1][0] == progress[-1][1] > 100
    assert all(a[0] < b[0] and a[1] == b[1] for a, b in pairwise(progress))


async def test_a_rebuild_restores_identical_rollups(nine_days: Database, database_url: str) -> None:
    tables = ("minutes", "quarter_hours", "days", "pending_rollups")
    before = [await fetch_rows(database_url, f"SELECT * FROM {table}") for table in tables]
    for table in ("minutes", "quarter_hours", "days"):
        await execute_sql(
            database_url,
            f"UPDATE {table} SET power_mean = 0, energy_delivered_last = 0 WHERE reading_count > 1",
        )
        await execute_sql(database_url, f"DELETE FROM {table} WHERE bucket_start % 7 = 0")
    progress: list[tuple[int, int]] = []
    await nine_days.rebuild(lambda done, total: progress.append((done, total)), NOW)
    assert [await fetch_rows(database_url, f"SELECT * FROM {table}") for table in tables] == before
    assert progress[0] == (0, 10)
    assert progress[-1] == (10, 10)


async def test_a_rebuild_drops_deleted_readings(nine_days: Database, database_url: str) -> None:
    """A user may delete implausible readings."""
    await nine_days.write([build_message(NOW - DAY, active_power=9e6, energy_delivered=5.0)])
    await nine_days.roll_up(NOW)
    await execute_sql(database_url, "DELETE FROM readings WHERE active_power > 1e6")
    await execute_sql(database_url, "DELETE FROM readings WHERE measured_at < :day", day=FIRST + DAY)
    await nine_days.rebuild(ignore_progress, NOW)
    points = await nine_days.series(GATEWAY, "production", FIRST, NOW, DAY)
    assert max(point.power.high for point in points if point.power) < 10_000
    assert sum(point.reading_count for point in points[1:]) == await count_readings(database_url)


async def test_a_rebuild_keeps_rollups_older_than_the_readings(
    nine_days: Database, database_url: str
) -> None:
    before = await nine_days.series(GATEWAY, "production", FIRST, NOW, DAY)
    await nine_days.prune(Resolution.READING, 2, ignore_progress, NOW)
    await nine_days.rebuild(ignore_progress, NOW)
    assert await nine_days.series(GATEWAY, "production", FIRST, NOW, DAY) == before


async def test_a_reading_with_a_wrong_date_costs_no_rollup_and_no_time(
    nine_days: Database, database_url: str
) -> None:
    """A gateway without a clock, such as after a power cut, dates its readings years back."""
    before = await nine_days.series(GATEWAY, "production", FIRST, NOW, DAY)
    await nine_days.prune(Resolution.READING, 2, ignore_progress, NOW)
    wrong = local_ms(2008, 5, 1)
    await nine_days.write([build_message(wrong, active_power=1.0, energy_delivered=1e6)])
    await nine_days.rebuild(ignore_progress, NOW)
    first, *others = await nine_days.series(GATEWAY, "production", FIRST, NOW, DAY)
    # It is the last one before the first day, as after an outage.
    assert first.read_before == wrong
    assert [replace(first, read_before=None), *others] == before

    steps: list[int] = []
    assert await nine_days.prune(Resolution.READING, 2, lambda done, _total: steps.append(done), NOW) == 1
    assert len(steps) < 5
    assert steps[-1] > 100_000  # hours


async def test_a_rebuild_over_years_without_readings_is_one_step(database: Database) -> None:
    await database.write([build_message(local_ms(2008, 5, 1)), build_message(FIRST)])
    steps: list[tuple[int, int]] = []
    await database.rebuild(lambda *each: steps.append(each), NOW)
    assert len(steps) == 3
    assert steps[-1][0] == steps[-1][1] > 6000  # days
    points = await database.series(GATEWAY, "production", 0, NOW, DAY)
    assert [point.start for point in points] == [local_ms(2008, 5, 1), FIRST]


async def test_days_can_be_moved_to_another_time_zone(nine_days: Database, database_url: str) -> None:
    tokyo = ZoneInfo("Asia/Tokyo")
    whole = await nine_days.energies(GATEWAY, FIRST, NOW)
    async with Database(database_url, tokyo) as moved:
        with pytest.raises(StorageError, match="rebuild --time-zone Asia/Tokyo"):
            await moved.upgrade()
        await moved.rebuild(ignore_progress, NOW)
        await moved.upgrade()
        days = await moved.series(GATEWAY, "production", FIRST, NOW, DAY)
        assert {day.end - day.start for day in days} == {DAY}
        assert {day.start % DAY for day in days} == {15 * HOUR}
        assert sum(day.reading_count for day in days) == await count_readings(database_url)
        assert (await moved.energies(GATEWAY, FIRST, NOW)) == whole
    # A program that is already running continues in the new time zone.
    assert (await nine_days.time_zone()).key == "Asia/Tokyo"
    await nine_days.write(build_steady_messages(NOW, NOW + 2 * DAY, step=600 * SECOND))
    await nine_days.roll_up(NOW + 3 * DAY)
    assert {
        bucket % DAY for (bucket,) in await fetch_rows(database_url, "SELECT bucket_start FROM days")
    } == {15 * HOUR}


async def test_the_status_lists_gateways_readings_and_pending_rollups(database_url: str) -> None:
    if database_url.startswith("sqlite"):
        Path(database_url.removeprefix("sqlite+aiosqlite:///")).touch()
    async with Database(database_url, VIENNA) as database:
        empty = await database.status()
        assert (empty.version, empty.is_up_to_date) == (None, False)
        await database.upgrade()
        await database.write(
            [
                build_message(FIRST, "g2"),
                build_message(FIRST + HOUR, "g1"),
                build_message(FIRST + 2 * HOUR, "g2"),
            ]
        )
        status = await database.status()
        assert status.is_up_to_date
        assert status.time_zone == "Europe/Vienna"
        assert [
            (each.serial_number, each.oldest_reading, each.newest_reading) for each in status.gateways
        ] == [
            ("g1", FIRST + HOUR, FIRST + HOUR),
            ("g2", FIRST, FIRST + 2 * HOUR),
        ]
        assert status.pending == {Resolution.MINUTE: 3}
        assert status.size is not None
        assert 10_000 < status.size < 10_000_000
        await database.roll_up()
        assert not (await database.status()).pending


async def test_the_first_reading_stays_known_after_it_is_pruned(nine_days: Database) -> None:
    first = await nine_days.first_reading(GATEWAY)
    assert first is not None
    points = await nine_days.series(GATEWAY, "production", 0, first + DAY, 1)
    assert points[0].start == first
    for resolution in (Resolution.READING, Resolution.MINUTE, Resolution.QUARTER_HOUR):
        await nine_days.prune(resolution, 1, lambda *_: None, first + 9 * DAY)
        assert await nine_days.first_reading(GATEWAY) == first
    assert await nine_days.first_reading("122300000009") is None
