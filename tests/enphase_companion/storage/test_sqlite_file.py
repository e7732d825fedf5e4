"""An SQLite file that is read without SQLAlchemy: what it says, and what imports it spares a chart."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from operator import attrgetter
from pathlib import Path

import pytest

from enphase_api.models import Quantities
from enphase_companion.config.settings import Settings
from enphase_companion.message import Message, Sample
from enphase_companion.storage import MINUTE, SECOND, Database
from enphase_companion.storage.sqlite_file import SqliteFile, find_file

GATEWAY = "122300000001"
START = 1782043200
#: The last 90 seconds are not rolled up yet.
END = START + 690


def _message(second: int) -> Message:
    of_phases = [(phase, 100.0 * phase + second % 60) for phase in range(4)]
    samples = tuple(
        Sample(
            name,
            phase,
            second * 1000,
            Quantities(active_power=power, energy_delivered=second / 7, energy_received=second / 9),
        )
        for name in ("production", "net-consumption")
        for phase, power in of_phases
    )
    return Message(GATEWAY, second, samples, has_unmetered_batteries=True)


async def test_a_file_is_read_as_the_database_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "enphase ä.db"
    async with Database(f"sqlite:///{file}") as database:
        await database.upgrade()
        await database.write([_message(second) for second in range(START, END)])
        await database.roll_up((START + 600) * 1000)
        start, end = START * 1000 - 5 * MINUTE, END * 1000 + MINUTE
        with SqliteFile(file) as readings:
            for each in ("time_zone", "gateways"):
                assert await getattr(readings, each)() == await getattr(database, each)()
            for each in ("first_reading", "has_unmetered_batteries"):
                assert await getattr(readings, each)(GATEWAY) == await getattr(database, each)(GATEWAY)
            assert await readings.first_reading(GATEWAY) == START * 1000
            assert await readings.has_unmetered_batteries(GATEWAY) is True
            assert await readings.has_unmetered_batteries("1") is None
            for phase in (0, 2):
                energies = await readings.energies(GATEWAY, start, end, phase)
                assert energies["production"].delivered == pytest.approx(689 / 7)
                assert energies == await database.energies(GATEWAY, start, end, phase)
                for width in (SECOND, MINUTE):
                    series = await readings.series(GATEWAY, "production", start, end, width, phase)
                    assert series[0].power is not None
                    assert series == await database.series(GATEWAY, "production", start, end, width, phase)


async def test_a_file_that_is_missing_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError), SqliteFile(tmp_path / "none.db"):
        pass
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("url", "file"),
    [
        (None, "enphase.db"),
        ("sqlite:///a.db", "a.db"),
        ("sqlite+aiosqlite:////var/lib/a.db", "/var/lib/a.db"),
        ("sqlite:///a.db?mode=ro", None),
        ("sqlite:///:memory:", None),
        ("sqlite://a.db", None),
        ("mysql://host/enphase", None),
    ],
)
def test_only_a_plain_name_of_a_file_is_read_this_way(url: str | None, file: str | None) -> None:
    settings = Settings(folder=Path(), origins={}, files={}, database_url=url)
    assert find_file(settings) == (None if file is None else Path(file))


def test_the_server_of_enphase_api_is_no_file() -> None:
    assert find_file(Settings(folder=Path(), origins={}, files={}, database_host="host")) is None


async def _store_a_minute(url: str) -> None:
    async with Database(url) as database:
        await database.upgrade()
        await database.write([_message(second) for second in range(START, START + 60)])


def test_a_chart_of_a_file_imports_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'enphase.db'}"
    asyncio.run(_store_a_minute(url))
    code = (
        "import sys; from enphase_companion.commands.database_pyplot_meters import main\n"
        f"status = main(['--range', '2026-06-21', '--output', {str(tmp_path / 'a.png')!r}])\n"
        "print({'sqlalchemy', 'aiosqlite', 'aiomysql', 'alembic', 'aiohttp', 'pyarrow'} & set(sys.modules))\n"
        "sys.exit(status)"
    )
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "ENPHASE_DATABASE_URL": url}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["set()"]


async def test_powers_without_energies_are_those_with_energies(tmp_path: Path) -> None:
    file = tmp_path / "enphase.db"
    async with Database(f"sqlite:///{file}") as database:
        await database.upgrade()
        await database.write([_message(second) for second in range(START, END)])
        asked = (GATEWAY, "production", START * 1000, END * 1000, MINUTE)
        complete = await database.series(*asked)
        powers = await database.series(*asked, has_energies=False)
    assert len(powers) == 12
    fields = attrgetter("start", "end", "reading_count", "power", "after_gap")
    assert [*map(fields, powers)] == [*map(fields, complete)]
    assert not any(point.energy.is_known for point in powers)
