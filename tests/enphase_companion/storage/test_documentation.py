"""The SQL examples of the documentation work on the database that they are written for."""

from __future__ import annotations

import asyncio
import re
import subprocess
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from enphase_companion.message import InverterSample, Message
from enphase_companion.storage import SECOND, Database
from tests.services.mariadb import MariaDB, execute

from .conftest import GATEWAY, SCHEMA, VIENNA, build_message, build_steady_messages, fetch_rows, local_ms

ROOT = Path(__file__).parents[3]
BLOCKS: set[tuple[str, str]] = {
    (file.name, text)
    for file in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    for text in re.findall(r"^```sql\n(.*?)^```", file.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
}


def find_block(first_line: str) -> str:
    (found,) = (text for _, text in BLOCKS if text.startswith(f"-- {first_line}\n"))
    return found


def test_every_example_is_covered_here() -> None:
    assert {text.partition("\n")[0] for _, text in BLOCKS} == {
        "-- SQLite",
        "-- SQLite or MariaDB",
        "-- MariaDB",
        "-- MariaDB, in its own client",
        # In test_replica.py.
        "-- On the replica",
    }
    assert len(BLOCKS) == 5


@pytest.mark.parametrize(
    ("zone", "noon", "first", "count"),
    [
        # Across both clock changes.
        ("Europe/Vienna", "13:00", date(2026, 3, 28), 3),
        ("Europe/Vienna", "13:00", date(2026, 10, 24), 3),
        ("America/New_York", "07:00", date(2026, 3, 7), 3),
        ("America/New_York", "07:00", date(2026, 10, 31), 3),
        ("Australia/Sydney", "22:00", date(2026, 10, 3), 3),
        ("Australia/Lord_Howe", "22:30", date(2026, 4, 4), 3),
        ("Australia/Lord_Howe", "22:30", date(2026, 10, 3), 3),
        ("Africa/Casablanca", "13:00", date(2026, 2, 14), 3),
        ("Africa/Casablanca", "13:00", date(2026, 3, 21), 3),
        ("Pacific/Kiritimati", "26:00", date(2026, 6, 1), 2),
    ],
)
@pytest.mark.slow
async def test_the_daily_kwh_have_the_dates_of_the_databases_time_zone(
    database_url: str, zone: str, noon: str, first: date, count: int
) -> None:
    local = ZoneInfo(zone)
    days = [first + timedelta(days=day) for day in range(count + 1)]
    midnights = [
        round(datetime(day.year, day.month, day.day, tzinfo=local).timestamp()) * SECOND for day in days
    ]
    async with Database(database_url, local) as database:
        await database.upgrade()
        await database.write(
            build_steady_messages(midnights[0], midnights[-1], step=300 * SECOND, watts=1200)
        )
        # Another gateway's reading does not count.
        await database.write([build_message(midnights[0] + 1000, "122300000009", energy_delivered=5.0)])
        await database.roll_up(midnights[-1] + 10 * SECOND)
    statement = find_block("SQLite" if database_url.startswith("sqlite") else "MariaDB")
    if noon == "26:00":
        statement = statement.replace("1970-01-01 13:00", "1970-01-02 02:00")
    found = await fetch_rows(database_url, statement.replace("13:00", noon).replace(":", "\\:"))
    assert [str(day) for day, _ in found] == [str(day) for day in days[:-1]]
    for (_, kwh), start, end in zip(found, midnights, midnights[1:], strict=False):
        # The five minutes between the last reading and the next day's first one do not count.
        assert kwh == pytest.approx(1.2 * (end - start - 300 * SECOND) / 3_600_000)


@pytest.mark.services("mariadb")
async def test_the_administrators_statements_create_a_database_for_the_scripts(
    mariadb: MariaDB, tmp_path: Path
) -> None:
    (tmp_path / "schema.sql").write_text(SCHEMA.read_text(encoding="utf-8"))
    client = ["mariadb", "--no-defaults", "--host=127.0.0.1", f"--port={mariadb.port}", "--user=root"]
    try:
        statements = find_block("MariaDB, in its own client").encode()
        await asyncio.to_thread(subprocess.run, client, input=statements, cwd=tmp_path, check=True)
        url = mariadb.url.set(database="enphase", username="meters", password="…")
        async with Database(url, VIENNA) as database:
            await database.upgrade()
            await database.write([build_message(0)])
            await database.roll_up()
            assert await database.gateways() == [GATEWAY]
    finally:
        execute(mariadb.url, "DROP DATABASE IF EXISTS enphase")
        execute(mariadb.url, "DROP USER IF EXISTS meters@'%'")


async def test_the_example_of_panels_returns_their_energy(database: Database, database_url: str) -> None:
    at = local_ms(2026, 6, 1, 12)
    samples = [InverterSample("482100000001", at + part * 300_000, 240.0, 20.0 * part) for part in (0, 1)]
    await database.write([Message(GATEWAY, at / 1000, (), inverters=(each,)) for each in samples])
    # Of the month before.
    early = InverterSample("482100000002", local_ms(2026, 5, 31, 23), 1.0, 5.0)
    await database.write([Message(GATEWAY, at / 1000, (), inverters=(early,))])
    assert await fetch_rows(database_url, find_block("SQLite or MariaDB")) == [("482100000001", 0.02, 240.0)]
