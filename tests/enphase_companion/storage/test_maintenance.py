"""Maintenance: what pruning and rebuilding delete, keep and recalculate."""

from __future__ import annotations

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

from .conftest import GATEWAY, VIENNA, change, local, message, rising, rows, stored

pytestmark = pytest.mark.slow

HOUR = 60 * MINUTE
FIRST, NOW = local(2026, 10, 20), local(2026, 10, 29, 13, 37)
STEP = 300 * SECOND


def quiet(_done: int, _total: int) -> None:
    """Nobody watches the progress."""


@pytest.fixture
async def nine_days(database: Database) -> Database:
    """Return readings of nine days and a half, with a clock change on the sixth, rolled up."""
    await database.write(rising(FIRST, NOW, step=STEP))
    await database.write(rising(FIRST, NOW, step=3600 * SECOND, watts=100))
    await database.roll_up(NOW)
    return database


async def test_pruning_keeps_todays_and_as_many_whole_days_before(
    nine_days: Database, database_url: str
) -> None:
    deleted = await nine_days.prune(Resolution.READING, 3, quiet, NOW)
    assert await rows(database_url, "SELECT MIN(measured_at), COUNT(*) FROM readings") == [
        (local(2026, 10, 26), (NOW - local(2026, 10, 26)) // STEP + 1)
    ]
    assert deleted == (local(2026, 10, 26) - FIRST) // STEP
    assert await nine_days.prune(Resolution.READING, 3, quiet, NOW) == 0


async def test_pruning_readings_changes_nothing_of_what_is_rolled_up(nine_days: Database) -> None:
    async def known() -> list[object]:
        return [
            await nine_days.series(GATEWAY, "production", FIRST, NOW, width)
            for width in (MINUTE, QUARTER_HOUR, DAY)
        ] + [await nine_days.energies(GATEWAY, FIRST, NOW)]

    before = await known()
    await nine_days.prune(Resolution.READING, 1, quiet, NOW)
    assert await known() == before
    await nine_days.prune(Resolution.MINUTE, 2, quiet, NOW)
    assert (await known())[1:] == before[1:]
    await nine_days.prune(Resolution.QUARTER_HOUR, 3, quiet, NOW)
    assert (await known())[2:] == before[2:]


async def test_pruning_deletes_nothing_that_is_not_rolled_up(database: Database, database_url: str) -> None:
    """A minute that has not ended by this machine's clock, as when a gateway's clock is wrong, cannot be."""
    await database.write(rising(FIRST, FIRST + 2 * DAY, step=600 * SECOND))
    await database.roll_up(NOW)
    await change(
        database_url, "INSERT INTO pending_rollups VALUES (1, :minute, 1)", minute=FIRST + 90 * MINUTE
    )
    transactions = Transactions(parse_url(database_url))
    await maintenance.prune(transactions, [1], Resolution.READING, 0, NOW, quiet)
    assert await rows(database_url, "SELECT measured_at FROM readings") == [
        (FIRST + 60 * MINUTE + i * 600 * SECOND,) for i in range(6)
    ]
    await maintenance.prune(transactions, [1], Resolution.MINUTE, 0, NOW, quiet)
    assert await rows(database_url, "SELECT COUNT(*) FROM minutes") == [(144,)]
    await transactions.close()

    await database.prune(Resolution.READING, 0, quiet, NOW)
    assert await stored(database_url) == 0


async def test_a_reading_that_comes_after_its_time_was_pruned_does_no_harm(
    nine_days: Database, database_url: str
) -> None:
    before = await nine_days.series(GATEWAY, "production", FIRST, NOW, DAY)
    await nine_days.prune(Resolution.READING, 1, quiet, NOW)
    await nine_days.prune(Resolution.MINUTE, 1, quiet, NOW)
    await nine_days.write(
        [message(FIRST + 12 * HOUR + 1000, active_power=9e6, energy_delivered=1e6 + 43_201)]
    )
    await nine_days.roll_up(NOW)
    assert await nine_days.series(GATEWAY, "production", FIRST, NOW, DAY) == before
    assert await rows(
        database_url,
        "SELECT COUNT(*) FROM pending_rollups WHERE bucket_start < :day",
        day=local(2026, 10, 29),
    ) == [(0,)]


async def test_pruning_tells_how_far_it_is(nine_days: Database) -> None:
    told: list[tuple[int, int]] = []
    await nine_days.prune(Resolution.READING, 1, lambda done, total: told.append((done, total)), NOW)
    assert told[0][0] == 0
    assert told[-1][0] == told[-1][1] > 100
    assert all(a[0] < b[0] and a[1] == b[1] for a, b in pairwise(told))


async def test_rebuilding_makes_the_same_again(nine_days: Database, database_url: str) -> None:
    tables = ("minutes", "quarter_hours", "days", "pending_rollups")
    before = [await rows(database_url, f"SELECT * FROM {table}") for table in tables]
    for table in ("minutes", "quarter_hours", "days"):
        await change(
            database_url,
            f"UPDATE {table} SET power_mean = 0, energy_delivered_last = 0 WHERE reading_count > 1",
        )
        await change(database_url, f"DELETE FROM {table} WHERE bucket_start % 7 = 0")
    told: list[tuple[int, int]] = []
    await nine_days.rebuild(lambda done, total: told.append((done, total)), NOW)
    assert [await rows(database_url, f"SELECT * FROM {table}") for table in tables] == before
    assert told[0] == (0, 10)
    assert told[-1] == (10, 10)


async def test_rebuilding_forgets_readings_that_were_deleted(nine_days: Database, database_url: str) -> None:
    """As an owner does who finds nonsense among them."""
    await nine_days.write([message(NOW - DAY, active_power=9e6, energy_delivered=5.0)])
    await nine_days.roll_up(NOW)
    await change(database_url, "DELETE FROM readings WHERE active_power > 1e6")
    await change(database_url, "DELETE FROM readings WHERE measured_at < :day", day=FIRST + DAY)
    await nine_days.rebuild(quiet, NOW)
    points = await nine_days.series(GATEWAY, "production", FIRST, NOW, DAY)
    assert max(point.power.high for point in points if point.power) < 10_000
    assert sum(point.reading_count for point in points[1:]) == await stored(database_url)


async def test_rebuilding_leaves_what_is_older_than_the_readings(
    nine_days: Database, database_url: str
) -> None:
    before = await nine_days.series(GATEWAY, "production", FIRST, NOW, DAY)
    await nine_days.prune(Resolution.READING, 2, quiet, NOW)
    await nine_days.rebuild(quiet, NOW)
    assert await nine_days.series(GATEWAY, "production", FIRST, NOW, DAY) == before


async def test_days_can_be_moved_to_another_time_zone(nine_days: Database, database_url: str) -> None:
    tokyo = ZoneInfo("Asia/Tokyo")
    whole = await nine_days.energies(GATEWAY, FIRST, NOW)
    async with Database(database_url, tokyo) as moved:
        with pytest.raises(StorageError, match="rebuild --time-zone Asia/Tokyo"):
            await moved.upgrade()
        await moved.rebuild(quiet, NOW)
        await moved.upgrade()
        days = await moved.series(GATEWAY, "production", FIRST, NOW, DAY)
        assert {day.end - day.start for day in days} == {DAY}
        assert {day.start % DAY for day in days} == {15 * HOUR}
        assert sum(day.reading_count for day in days) == await stored(database_url)
        assert (await moved.energies(GATEWAY, FIRST, NOW)) == whole
    # Who was running all the time goes on in the new zone.
    assert (await nine_days.time_zone()).key == "Asia/Tokyo"
    await nine_days.write(rising(NOW, NOW + 2 * DAY, step=600 * SECOND))
    await nine_days.roll_up(NOW + 3 * DAY)
    assert {bucket % DAY for (bucket,) in await rows(database_url, "SELECT bucket_start FROM days")} == {
        15 * HOUR
    }


async def test_the_status_says_what_there_is(database_url: str) -> None:
    if database_url.startswith("sqlite"):
        Path(database_url.removeprefix("sqlite+aiosqlite:///")).touch()
    async with Database(database_url, VIENNA) as database:
        nothing = await database.status()
        assert (nothing.version, nothing.is_up_to_date) == (None, False)
        await database.upgrade()
        await database.write(
            [message(FIRST, "g2"), message(FIRST + HOUR, "g1"), message(FIRST + 2 * HOUR, "g2")]
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


async def test_the_first_reading_is_known_also_when_it_is_pruned(nine_days: Database) -> None:
    first = await nine_days.first_reading(GATEWAY)
    assert first is not None
    points = await nine_days.series(GATEWAY, "production", 0, first + DAY, 1)
    assert points[0].start == first
    for resolution in (Resolution.READING, Resolution.MINUTE, Resolution.QUARTER_HOUR):
        await nine_days.prune(resolution, 1, lambda *_: None, first + 9 * DAY)
        assert await nine_days.first_reading(GATEWAY) == first
    assert await nine_days.first_reading("122300000009") is None
