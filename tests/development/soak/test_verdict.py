"""The verdict finds what is lost, doubled or wrong in a database."""

import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import URL, create_engine, text

from development.soak.gateways import Ledger, Moment
from development.soak.stores import Store
from development.soak.verdict import Verdict, judge
from enphase_api.models import Quantities
from enphase_companion.message import Message, Sample
from enphase_companion.storage import Database

ZONE = ZoneInfo("Europe/Vienna")
SERIAL = "122300000001"
#: 2025-11-24 16:00 UTC; the readings reach into the next day in Vienna.
START = 1_764_000_000
COUNT = 500
VALUES = (1.0, 2.0, 230.0, 1.5, 0.9, 50.0)
COUNTERS = (5.0, 6.0, 7.0, 8.0)


class Records:
    """Readings in a database, each a minute apart, and the ledger of them."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger()
        self.url = URL.create("sqlite", database=str(folder / "enphase.db"))
        self.store = Store("SQLite", self.url, self.ledger)
        self.store.serials.add(SERIAL)

    async def write(self) -> None:
        messages = []
        for number in range(COUNT):
            at = (START + 60 * number) * 1000
            values = (float(number), *VALUES, 10.0 * number, *COUNTERS)
            self.ledger.note((SERIAL, at), {("production", 0): values})
            sample = Sample("production", 0, at, Quantities(*values))
            messages.append(Message(SERIAL, at / 1000, (sample,)))
        async with Database(self.url.set(drivername="sqlite+aiosqlite"), ZONE) as database:
            await database.upgrade()
            await database.write(messages)
            await database.roll_up()

    def change(self, *statements: str) -> None:
        engine = create_engine(self.url)
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()

    def judge(self, *published: Moment) -> Verdict:
        return judge(self.store, self.ledger, {*published}, ZONE, time.time())


@pytest.fixture
async def records(tmp_path: Path) -> Records:
    records = Records(tmp_path)
    await records.write()
    return records


def test_a_right_database_is_good(records: Records) -> None:
    verdict = records.judge()
    assert verdict.is_good
    assert (verdict.attempted, verdict.stored, verdict.excused) == (COUNT, COUNT, 0)
    # 500 minutes are 34 quarter-hours on two days.
    assert verdict.rollups == COUNT + 34 + 2


def test_a_missing_reading_is_lost(records: Records) -> None:
    records.change(f"DELETE FROM readings WHERE measured_at = {START * 1000}")
    verdict = records.judge()
    assert verdict.lost == [(SERIAL, START * 1000)]
    assert verdict.wrong_rollups


def test_a_missing_reading_of_a_killed_program_is_not_lost(records: Records) -> None:
    records.change(f"DELETE FROM readings WHERE measured_at = {START * 1000}")
    records.ledger.excuse(SERIAL, 60)
    verdict = records.judge()
    assert (verdict.lost, verdict.excused) == ([], 1)


def test_a_missing_reading_that_reached_the_broker_is_lost_also_at_a_kill(records: Records) -> None:
    records.change(f"DELETE FROM readings WHERE measured_at = {START * 1000}")
    records.ledger.excuse(SERIAL, 60)
    verdict = records.judge((SERIAL, START * 1000))
    assert (len(verdict.lost), verdict.excused) == (1, 0)


def test_a_pruned_reading_is_not_lost(records: Records) -> None:
    assert not records.store.missing(records.ledger.moments())
    records.change("DELETE FROM readings")
    assert records.judge().is_good


def test_a_doubled_reading_is_found(records: Records) -> None:
    records.change(
        "CREATE TABLE copies AS SELECT * FROM readings",
        "DROP TABLE readings",
        "ALTER TABLE copies RENAME TO readings",
        f"INSERT INTO readings SELECT * FROM readings WHERE measured_at = {START * 1000}",
    )
    assert len(records.judge().doubled) == 1


def test_a_reading_that_is_stored_again_at_another_millisecond_is_doubled(records: Records) -> None:
    records.change(
        "CREATE TEMPORARY TABLE copies AS SELECT * FROM readings",
        "UPDATE copies SET measured_at = measured_at + 1",
        "INSERT INTO readings SELECT * FROM copies",
    )
    verdict = records.judge()
    assert len(verdict.doubled) == COUNT
    assert not verdict.wrong_values


def test_several_readings_of_a_second_are_right_in_any_order(records: Records) -> None:
    moment = SERIAL, START * 1000
    records.ledger.note((SERIAL, moment[1] + 1), records.ledger.said[moment])
    records.ledger.said[moment] = {("production", 0): (-7.0, *VALUES, 0.0, *COUNTERS)}
    records.change(
        "CREATE TEMPORARY TABLE copies AS SELECT * FROM readings ORDER BY measured_at LIMIT 1",
        "UPDATE copies SET measured_at = measured_at + 1, active_power = -7",
        "INSERT INTO readings SELECT * FROM copies",
    )
    records.store.unordered.add(SERIAL)
    verdict = records.judge()
    assert (verdict.doubled, verdict.wrong_values, verdict.lost) == ([], [], [])


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("active_power = active_power + 0.1", "active_power: 0.1 stored, 0.0 said"),
        ("energy_received = NULL", "energy_received: None stored, 5.0 said"),
        ("phase = 1", "[('production', 1)] stored, [('production', 0)] said"),
        ("measured_at = measured_at + 1000", "stored, but never said"),
    ],
)
def test_a_wrong_value_is_found(records: Records, change: str, found: str) -> None:
    records.change(f"UPDATE readings SET {change} WHERE measured_at = {START * 1000}")
    [wrong] = records.judge().wrong_values
    assert found in wrong


@pytest.mark.parametrize("table", ["minutes", "quarter_hours", "days"])
@pytest.mark.parametrize(
    "column",
    [
        "reading_count",
        "first_measured_at",
        "last_measured_at",
        "power_mean",
        "power_min",
        "power_max",
        "energy_delivered_last",
        "energy_received_first",
    ],
)
def test_a_wrong_rollup_is_found(records: Records, table: str, column: str) -> None:
    # Plain buckets hold first and last value of the counters.
    records.change(
        f"UPDATE {table} SET segments = NULL, {column} = {column} + 1 WHERE bucket_start = "
        f"(SELECT max(bucket_start) FROM {table})"
    )
    assert len(records.judge().wrong_rollups) == 1


@pytest.mark.parametrize("table", ["minutes", "quarter_hours", "days"])
def test_a_missing_rollup_is_found(records: Records, table: str) -> None:
    records.change(f"DELETE FROM {table} WHERE bucket_start = (SELECT max(bucket_start) FROM {table})")
    [wrong] = records.judge().wrong_rollups
    assert "missing" in wrong


def test_a_rollup_without_readings_is_found(records: Records) -> None:
    latest = "(SELECT max(bucket_start) FROM minutes)"
    records.change(f"UPDATE minutes SET bucket_start = 60000 WHERE bucket_start = {latest}")
    assert any("without readings" in wrong for wrong in records.judge().wrong_rollups)
