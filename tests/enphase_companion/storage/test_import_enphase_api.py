"""Bringing in a database of Enphase-API's, made by hand from what is known of its tables and columns."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import make_url

from enphase_companion.storage import DAY, MINUTE, QUARTER_HOUR, Database, StorageError
from tests.services.mariadb import new_database

from .conftest import GATEWAY, VIENNA, local, message, rows, stored
from .helpers import EnphaseApiDatabase

START = local(2025, 10, 26, 0, 0)


@pytest.fixture
def theirs(mariadb_url: str) -> Iterator[EnphaseApiDatabase]:
    with new_database(make_url(mariadb_url)) as url:
        yield EnphaseApiDatabase(url)


def quiet(_done: int, _total: int) -> None:
    """Nobody watches the progress."""


pytestmark = pytest.mark.services


async def test_every_moment_comes_in_with_its_signs_units_and_phases(
    theirs: EnphaseApiDatabase, database: Database, database_url: str
) -> None:
    theirs.add([START, START + 1000], phases=3)
    assert await database.import_enphase_api(theirs.url, GATEWAY, quiet) == 2
    found = await rows(
        database_url,
        "SELECT name, phase, active_power, reactive_power, apparent_power, voltage, current, power_factor,"
        " frequency, energy_delivered FROM readings JOIN measurements ON measurement_id = measurements.id"
        " WHERE measured_at = :at ORDER BY name, phase",
        at=START,
    )
    assert [row[:2] for row in found] == [
        (word, phase) for word in ("net-consumption", "production", "total-consumption") for phase in range(4)
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


async def test_one_phase_is_the_whole_and_a_split_phase_keeps_its_sum_of_volts(
    theirs: EnphaseApiDatabase, database: Database, database_url: str
) -> None:
    theirs.add([START], phases=1)
    theirs.add([START + 1000], phases=2, volts=120)
    theirs.add([START + 2000], phases=1, volts=7)
    await database.import_enphase_api(theirs.url, GATEWAY, quiet)
    found = await rows(
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


async def test_an_import_may_be_interrupted_and_repeated_and_goes_on_with_what_is_new(
    theirs: EnphaseApiDatabase, database: Database, database_url: str
) -> None:
    theirs.add(range(START, START + 2500 * 1000, 1000))
    told: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> None:
        told.append((done, total))
        if done == 1000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await database.import_enphase_api(theirs.url, GATEWAY, stop)
    assert told == [(0, 2500), (1000, 2500)]
    assert await stored(database_url) == 6000

    assert await database.import_enphase_api(theirs.url, GATEWAY, quiet) == 1500
    assert await stored(database_url) == 15_000
    theirs.add([START + 3_000_000])
    assert await database.import_enphase_api(theirs.url, GATEWAY, quiet) == 1
    assert await database.import_enphase_api(theirs.url, GATEWAY, quiet) == 0
    assert await stored(database_url) == 15_006


async def test_two_imports_at_once_bring_in_everything_once(
    theirs: EnphaseApiDatabase, database: Database, database_url: str
) -> None:
    theirs.add(range(START, START + 3000 * 1000, 1000))
    await asyncio.gather(*(database.import_enphase_api(theirs.url, GATEWAY, quiet) for _ in range(2)))
    assert await stored(database_url) == 18_000


async def test_what_is_here_already_stays(
    theirs: EnphaseApiDatabase, database: Database, database_url: str
) -> None:
    await database.write([message(START, active_power=1.0)])
    theirs.add([START, START, START + 1000])
    assert await database.import_enphase_api(theirs.url, GATEWAY, quiet) == 3
    found = await rows(
        database_url,
        "SELECT active_power FROM readings WHERE measurement_id = 1 AND phase = 0 ORDER BY measured_at",
    )
    assert found == [(1.0,), (pytest.approx(1850.25),)]


async def test_what_was_imported_is_rolled_up(theirs: EnphaseApiDatabase, database: Database) -> None:
    """Through the night when clocks went back, which their TIMESTAMP shows twice."""
    theirs.add(range(START, START + 6 * 60 * MINUTE, 20_000))
    await database.import_enphase_api(theirs.url, GATEWAY, quiet)
    for width, count in ((MINUTE, 360), (QUARTER_HOUR, 24), (DAY, 1)):
        points = await database.series(GATEWAY, "net-consumption", START, START + 6 * 60 * MINUTE, width)
        assert len(points) == count
        assert all(point.power and point.power.mean == pytest.approx(-1850.25) for point in points)
        assert sum(point.reading_count for point in points) == 1080
    # Their tables have no counters, so energy is what the power makes up: 6 hours but for the last 20 s.
    energies = await database.energies(GATEWAY, START, START + DAY)
    exported = 1850.25 * (6 - 20 / 3600)
    assert energies["net-consumption"].received == pytest.approx(exported)
    assert energies["net-consumption"].received_estimated == pytest.approx(exported)
    assert energies["net-consumption"].delivered == 0
    assert not energies["net-consumption"].resets
    assert energies["production"].delivered_estimated == pytest.approx(energies["production"].delivered)


async def test_their_tables_may_lie_beside_ours(mariadb_url: str) -> None:
    theirs = EnphaseApiDatabase(make_url(mariadb_url))
    theirs.add([START])
    async with Database(mariadb_url, VIENNA) as database:
        await database.upgrade()
        assert await database.import_enphase_api(None, GATEWAY, quiet) == 1
    assert await stored(mariadb_url) == 6
    assert await rows(mariadb_url, "SELECT COUNT(*) FROM MeterReading") == [(1,)]


async def test_a_database_without_their_tables_is_named(database: Database) -> None:
    with pytest.raises(StorageError, match="has no tables MeterReading and MeterReading_Result"):
        await database.import_enphase_api(None, GATEWAY, quiet)
