"""Writing: every reading exactly once and on disk, whatever comes in between."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from enphase_api.models import Quantities
from enphase_companion.message import Message, Sample
from enphase_companion.storage import Database, StorageError, UnavailableError, UnstorableError
from enphase_companion.storage import database as database_module
from enphase_companion.storage import writer as writer_module
from enphase_companion.storage.status import GatewayStatus, Status, format_status
from enphase_companion.storage.tables import readings
from tests.services.mariadb import MariaDB

from .conftest import GATEWAY, VIENNA, change, local, message, rising, rows, stored

START = local(2026, 6, 1, 12)


def test_the_columns_of_a_reading_are_the_quantities_in_their_order() -> None:
    columns = [column.name for column in readings.columns if not column.primary_key]
    assert columns == list(Quantities._fields)


async def test_what_a_meter_said_stands_in_the_database_as_it_said_it(
    database: Database, database_url: str
) -> None:
    reported = Quantities(
        active_power=-1850.25, reactive_power=-210.4, apparent_power=1873.6, voltage=238.61, current=7.85,
        power_factor=-0.99, frequency=50.0, energy_delivered=8123456.217, energy_received=0.0,
        apparent_energy=None, reactive_energy_lagging=120034.1, reactive_energy_leading=1e12,
    )  # fmt: skip
    await database.write([Message(GATEWAY, 0.0, (Sample("net-consumption", 2, START, reported),), "id")])

    ((found),) = await rows(
        database_url,
        "SELECT serial_number, name, phase, measured_at, active_power, reactive_power, apparent_power,"
        " voltage, current, power_factor, frequency, energy_delivered, energy_received, apparent_energy,"
        " reactive_energy_lagging, reactive_energy_leading FROM readings"
        " JOIN gateways ON gateway_id = gateways.id JOIN measurements ON measurement_id = measurements.id",
    )
    assert found[:4] == (GATEWAY, "net-consumption", 2, START)
    values = (-1850.25, -210.4, 1873.6, 238.61, 7.85, -0.99, 50.0, 8123456.217, 0.0, None, 120034.1, 1e12)
    assert found[4:11] == pytest.approx(values[:7], rel=1e-6)
    assert found[11:] == values[7:]


async def test_a_redelivered_message_changes_nothing(database: Database, database_url: str) -> None:
    await database.write([message(START, active_power=1.0)])
    await database.write([message(START, active_power=2.0), message(START, active_power=3.0)])
    assert await rows(database_url, "SELECT active_power FROM readings") == [(1.0,)]


async def test_messages_may_come_doubled_and_in_any_order(database: Database, database_url: str) -> None:
    reported = rising(START, START + 3_600_000)
    often = reported * 3
    random.Random(1).shuffle(often)
    for i in range(0, len(often), 50):
        await database.write(often[i : i + 50])
        if i % 200 == 0:
            await database.roll_up()
    await database.roll_up()
    assert await stored(database_url) == len(reported)
    assert (await database.energies(GATEWAY, START, START + 3_600_000))[
        "production"
    ].delivered == pytest.approx(3600 * 3590 / 3600)


async def test_nothing_to_write_is_no_error(database: Database, database_url: str) -> None:
    await database.write([])
    await database.write([Message(GATEWAY, 0.0, (), None)])
    assert await stored(database_url) == 0


async def test_gateways_and_words_never_heard_of_get_a_number_each(database_url: str) -> None:
    words = ["production", "Production", "evse", "pv3p", "backfeed", "läd", "'; DROP TABLE readings; --"]
    async with Database(database_url, VIENNA) as first, Database(database_url) as second:
        await first.upgrade()
        reported = Quantities(active_power=1.0)
        for number, word in enumerate(words * 2):
            database = (first, second)[number % 2]
            await database.write(
                [Message(f"g{number % 3}", 0.0, (Sample(word, 0, START + number, reported),), None)]
            )
        assert await first.gateways() == await second.gateways() == ["g0", "g1", "g2"]
    found = await rows(database_url, "SELECT name FROM measurements ORDER BY id")
    assert [word for (word,) in found] == words
    assert await stored(database_url) == 2 * len(words)


async def test_a_value_that_is_no_number_is_refused_before_it_becomes_sql(
    database: Database, database_url: str
) -> None:
    with pytest.raises(UnstorableError, match="only numbers and None"):
        await database.write(
            [message(START), message(START + 1, active_power="1); DELETE FROM readings; --")]  # type: ignore[arg-type]
        )
    assert await stored(database_url) == 0


@pytest.mark.parametrize("value", [10**30, -(2**70)])
async def test_an_integer_that_no_column_holds_is_refused(
    database: Database, database_url: str, value: int
) -> None:
    with pytest.raises(UnstorableError):
        await database.write([message(START), message(START + 1, active_power=value)])
    assert await stored(database_url) == 0


async def test_invented_gateways_and_measurements_fill_no_table_and_known_ones_go_on(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "MAX_GATEWAYS", 3)
    monkeypatch.setattr(database_module, "MAX_MEASUREMENTS", 2)
    reported = Quantities(active_power=1.0)

    def measured(word: str) -> Message:
        return Message(GATEWAY, 0.0, (Sample(word, 0, START, reported),), None)

    async with Database(database_url, VIENNA) as database:
        await database.upgrade()
        await database.write([message(START), message(START, "1"), message(START, "2")])
        for number in range(10, 15):
            with pytest.raises(
                UnstorableError, match="table gateways has reached its maximum of 3 rows: delete"
            ):
                await database.write([message(START + 1), message(START + 1, str(number))])
        await database.write([measured("evse")])
        with pytest.raises(UnstorableError, match="table measurements has reached its maximum of 2"):
            await database.write([measured("invented")])
        await database.write([message(START + 2)])
        assert await database.gateways() == ["1", GATEWAY, "2"]
    assert await rows(database_url, "SELECT name FROM measurements ORDER BY id") == [
        ("production",),
        ("evse",),
    ]
    assert await stored(database_url) == 5


async def test_room_that_the_owner_makes_for_gateways_is_seen(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "MAX_GATEWAYS", 1)
    monkeypatch.setattr(writer_module, "_REFRESH_INTERVAL", 0.0)
    async with Database(database_url, VIENNA) as database:
        await database.upgrade()
        await database.write([Message("1", 0.0, (), None)])
        with pytest.raises(UnstorableError):
            await database.write([message(START)])
        await change(database_url, "DELETE FROM gateways")
        await database.write([message(START)])
    assert await stored(database_url) == 1


@pytest.mark.slow
async def test_several_writers_and_rollers_at_once_leave_every_reading_once(database_url: str) -> None:
    reported = rising(START, START + 2 * 3_600_000)
    async with (
        Database(database_url, VIENNA) as first,
        Database(database_url) as second,
        Database(database_url) as third,
    ):
        await first.upgrade()

        async def write(database: Database, seed: int) -> None:
            mine = reported.copy()
            random.Random(seed).shuffle(mine)
            for i in range(0, len(mine), 90):
                await database.write(mine[i : i + 90])

        async def roll(database: Database) -> None:
            for _ in range(15):
                await database.roll_up()
                await asyncio.sleep(0.01)

        await asyncio.gather(write(first, 1), write(second, 2), roll(second), roll(third), write(third, 3))
        await first.roll_up()
    assert await stored(database_url) == len(reported)
    assert await rows(database_url, "SELECT COUNT(*), SUM(reading_count) FROM minutes") == [
        (120, len(reported))
    ]
    assert await rows(database_url, "SELECT COUNT(*), SUM(reading_count) FROM days") == [(1, len(reported))]
    assert await rows(database_url, "SELECT * FROM pending_rollups") == []


#: Writes a batch after the other, saying each time what is committed; batches are 90 readings.
WRITER = """
import asyncio, sys
from enphase_companion.storage import Database
from tests.enphase_companion.storage.conftest import message

async def main(url, start):
    async with Database(url) as database:
        for batch in range(1_000_000):
            first = start + batch * 90_000
            await database.write([message(first + i * 1000) for i in range(90)])
            print(batch, flush=True)

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


@pytest.mark.parametrize("after", [3, 20])
@pytest.mark.slow
async def test_a_writer_that_is_killed_leaves_whole_batches_and_all_that_it_had_committed(
    database: Database, database_url: str, after: int
) -> None:
    project = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, database_url, str(START)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=project,
    ) as writer:
        assert writer.stdout is not None
        committed = -1
        for line in writer.stdout:
            committed = int(line)
            if committed == after:
                writer.send_signal(signal.SIGKILL)
                break
        committed = max([committed, *(int(line) for line in writer.stdout if line.endswith("\n"))])

    division = "DIV" if database_url.startswith("mysql") else "/"
    batches = await rows(
        database_url,
        f"SELECT (measured_at - :start) {division} 90000 AS batch, COUNT(*) FROM readings"
        " GROUP BY batch ORDER BY batch",
        start=START,
    )
    assert [number for number, _ in batches] == list(range(len(batches)))
    assert {count for _, count in batches} == {90}
    assert len(batches) - 1 in {committed, committed + 1}

    # Delivered again from a while before, it is all there once, and nothing of it has missed its rollup.
    await database.write([message(START + i * 1000) for i in range((committed + 5) * 90)])
    await database.roll_up()
    assert await stored(database_url) == (committed + 5) * 90
    assert (await rows(database_url, "SELECT SUM(reading_count) FROM minutes"))[0][0] == (committed + 5) * 90


@pytest.mark.services
async def test_what_was_written_is_there_after_the_servers_power_cut(
    mariadb: MariaDB, mariadb_url: str
) -> None:
    async with Database(mariadb_url, VIENNA) as database:
        await database.upgrade()
        for i in range(30):
            await database.write([message(START + i * 1000)])
        mariadb.kill()
        with pytest.raises(UnavailableError) as error:
            await database.write([message(START + 30_000)])
        assert "Can't connect" in str(error.value) or "Lost connection" in str(error.value)
        assert "root" not in str(error.value)
        mariadb.start()
        assert await stored(mariadb_url) == 30
        await database.write([message(START + 30_000)])
        assert await stored(mariadb_url) == 31


@pytest.mark.services
async def test_a_server_that_hangs_is_given_up_in_time_and_used_again_when_it_is_back(
    mariadb: MariaDB, mariadb_url: str
) -> None:
    async with Database(mariadb_url, VIENNA, timeout=1) as database:
        await database.upgrade()
        await database.write([message(START)])
        mariadb.pause()
        try:
            with pytest.raises(UnavailableError, match="in time"):
                await asyncio.wait_for(database.write([message(START + 1000)]), 10)
        finally:
            mariadb.resume()
        await database.write([message(START + 1000)])
    assert await stored(mariadb_url) == 2


async def test_a_database_without_its_tables_says_what_to_do(database_url: str) -> None:
    async with Database(database_url, VIENNA) as database:
        for _ in range(2):
            with pytest.raises(StorageError, match="enphase-database upgrade") as error:
                await database.write([message(START)])
            assert not isinstance(error.value, UnavailableError)
            if database_url.startswith("sqlite"):
                # Now with a file, but still without tables.
                Path(database_url.removeprefix("sqlite+aiosqlite:///")).touch()
        await database.upgrade()
        await database.write([message(START)])


def test_a_name_that_another_program_stored_is_printable_in_the_status() -> None:
    stranger = GatewayStatus("1\x1b[2J\u202e", None, None, None)
    shown = format_status("enphase.db", Status("1", "1", "UTC", (stranger,)), None, None)
    assert r"1\x1b[2J\u202e: no single readings" in shown.splitlines()
