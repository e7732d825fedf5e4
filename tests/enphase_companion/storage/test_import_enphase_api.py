"""The import of a database of Enphase-API."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import make_url

from enphase_companion.storage import DAY, MINUTE, QUARTER_HOUR, Database, StorageError
from tests.services.mariadb import create_database

from .conftest import GATEWAY, VIENNA, build_message, count_readings, fetch_rows, local_ms
from .helpers import EnphaseApiDatabase

START = local_ms(2025, 10, 26, 0, 0)


@pytest.fixture
def enphase_api(mariadb_url: str) -> Iterator[EnphaseApiDatabase]:
    with create_database(make_url(mariadb_url)) as url:
        yield EnphaseApiDatabase(url)


def ignore_progress(_done: int, _total: int) -> None:
    """Ignore the progress of the import."""


pytestmark = pytest.mark.services


async def test_readings_are_imported_with_signs_units_and_phases(
    enphase_api: EnphaseApiDatabase, database: Database, database_url: str
) -> None:
    enphase_api.add([START, START + 1000], phases=3)
    assert await database.import_enphase_api(enphase_api.url, GATEWAY, ignore_progress) == 2
    found = await fetch_rows(
        database_url,
        "SELECT name, phase, active_power, reactive_power, apparent_power, voltage, current, power_factor,"
        " frequency, energy_delivered FROM readings JOIN measurements ON measurement_id = measurements.id"
        " WHERE measured_at = :at ORDER BY name, phase",
        at=START,
    )
    assert [row[:2] for row in found] == [
        (name, phase) for name in ("net-consumption", "production", "total-consumption") for phase in range(4)
    ]
    net = [row[2:] for row in found[:4]]
    assert net == [
        (*(pytest.approx(value, rel=1e-5) for value in expected), None)
        for expected in (
            (-11101.5, -631.2, 11161.5, 238.61, 23.55, -11101.5 / 11161.5, 50),
            (-1850.25, -210.4, 1870.25, 238.61, 7.85, -0.99, 50),
            (-3700.5, -210.4, 3720.5, 238.61, 7.85, -0.99, 50),
            (-5550.75, -210.4, 5570.75, 238.61, 7.85, -0.99, 50),
        )
    ]
    assert found[4][2] == pytest.approx(11101.5)


async def test_a_single_phase_is_also_the_total_and_split_phase_voltages_are_added(
    enphase_api: EnphaseApiDatabase, database: Database, database_url: str
) -> None:
    enphase_api.add([START], phases=1)
    enphase_api.add([START + 1000], phases=2, volts=120)
    enphase_api.add([START + 2000], phases=1, volts=7)
    await database.import_enphase_api(enphase_api.url, GATEWAY, ignore_progress)
    found = await fetch_rows(
        database_url,
        "SELECT measured_at, phase, voltage FROM readings WHERE measurement_id = 1"
        " ORDER BY measured_at, phase",
    )
    assert [(time - START, phase, volts) for time, phase, volts in found] == [
        (0, 0, pytest.approx(238.61, rel=1e-5)),
        (0, 1, pytest.approx(238.61, rel=1e-5)),
        (1000, 0, 240),
        (1000, 1, 120),
        (1000, 2, 120),
    ]


async def test_an_interrupted_or_repeated_import_continues_with_new_readings(
    enphase_api: EnphaseApiDatabase, database: Database, database_url: str
) -> None:
    enphase_api.add(range(START, START + 2500 * 1000, 1000))
    progress: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> None:
        progress.append((done, total))
        if done == 1000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await database.import_enphase_api(enphase_api.url, GATEWAY, stop)
    assert progress == [(0, 2500), (1000, 2500)]
    assert await count_readings(database_url) == 6000

    assert await database.import_enphase_api(enphase_api.url, GATEWAY, ignore_progress) == 1500
    assert await count_readings(database_url) == 15_000
    enphase_api.add([START + 3_000_000])
    assert await database.import_enphase_api(enphase_api.url, GATEWAY, ignore_progress) == 1
    assert await database.import_enphase_api(enphase_api.url, GATEWAY, ignore_progress) == 0
    assert await count_readings(database_url) == 15_006


async def test_two_simultaneous_imports_store_every_reading_once(
    enphase_api: EnphaseApiDatabase, database: Database, database_url: str
) -> None:
    enphase_api.add(range(START, START + 3000 * 1000, 1000))
    await asyncio.gather(
        *(database.import_enphase_api(enphase_api.url, GATEWAY, ignore_progress) for _ in range(2))
    )
    assert await count_readings(database_url) == 18_000


async def test_stored_readings_are_not_overwritten_and_others_of_their_time_are_stored(
    enphase_api: EnphaseApiDatabase, database: Database, database_url: str
) -> None:
    await database.write([build_message(START, active_power=1.0)])
    enphase_api.add([START, START, START + 1000])
    enphase_api.add([START], watts=900.0)
    assert await database.import_enphase_api(enphase_api.url, GATEWAY, ignore_progress) == 4
    found = await fetch_rows(
        database_url,
        "SELECT measured_at, active_power FROM readings WHERE measurement_id = 1 AND phase = 0"
        " ORDER BY measured_at",
    )
    assert found == [(START, 1.0), (START + 1, 1850.25), (START + 2, 900.0), (START + 1000, 1850.25)]


async def test_refused_readings_of_an_import_are_logged(
    enphase_api: EnphaseApiDatabase,
    database: Database,
    database_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for number in range(7):
        enphase_api.add([START], watts=100.0 + number)
    await database.import_enphase_api(enphase_api.url, GATEWAY, ignore_progress)
    assert await count_readings(database_url) == 6 * 6
    assert f"6 values refused: gateway {GATEWAY} has 6 others of the same time" in caplog.text


async def test_imported_readings_are_rolled_up(enphase_api: EnphaseApiDatabase, database: Database) -> None:
    """Include the hour that a TIMESTAMP shows twice when clocks go back."""
    enphase_api.add(range(START, START + 6 * 60 * MINUTE, 20_000))
    await database.import_enphase_api(enphase_api.url, GATEWAY, ignore_progress)
    for width, count in ((MINUTE, 360), (QUARTER_HOUR, 24), (DAY, 1)):
        points = await database.series(GATEWAY, "net-consumption", START, START + 6 * 60 * MINUTE, width)
        assert len(points) == count
        assert all(point.power and point.power.mean == pytest.approx(-1850.25) for point in points)
        assert sum(point.reading_count for point in points) == 1080
    # Enphase-API stores no counters: energy is estimated from power, for 6 hours less the last 20 s.
    energies = await database.energies(GATEWAY, START, START + DAY)
    exported = 1850.25 * (6 - 20 / 3600)
    assert energies["net-consumption"].received == pytest.approx(exported)
    assert energies["net-consumption"].received_estimated == pytest.approx(exported)
    assert energies["net-consumption"].delivered == 0
    assert not energies["net-consumption"].resets
    assert energies["production"].delivered_estimated == pytest.approx(energies["production"].delivered)


async def test_tables_of_enphase_api_may_be_in_the_same_database(mariadb_url: str) -> None:
    enphase_api = EnphaseApiDatabase(make_url(mariadb_url))
    enphase_api.add([START])
    async with Database(mariadb_url, VIENNA) as database:
        await database.upgrade()
        assert await database.import_enphase_api(None, GATEWAY, ignore_progress) == 1
    assert await count_readings(mariadb_url) == 6
    assert await fetch_rows(mariadb_url, "SELECT COUNT(*) FROM MeterReading") == [(1,)]


async def test_a_database_without_the_tables_of_enphase_api_is_an_error(database: Database) -> None:
    with pytest.raises(StorageError, match="has no tables MeterReading and MeterReading_Result"):
        await database.import_enphase_api(None, GATEWAY, ignore_progress)
