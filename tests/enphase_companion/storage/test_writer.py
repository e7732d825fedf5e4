"""The writer: every reading is stored exactly once and on disk, despite failures."""

from __future__ import annotations

import asyncio
import random
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from enphase_api.models import Quantities
from enphase_companion.message import Message, Sample
from enphase_companion.storage import (
    DAY,
    SECOND,
    Database,
    StorageError,
    UnavailableError,
    UnstorableError,
)
from enphase_companion.storage import database as database_module
from enphase_companion.storage import writer as writer_module
from enphase_companion.storage.status import GatewayStatus, Status, format_status
from enphase_companion.storage.tables import readings
from tests.services.mariadb import MariaDB

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

START = local_ms(2026, 6, 1, 12)


def test_the_columns_of_a_reading_are_the_quantities_in_their_order() -> None:
    columns = [column.name for column in readings.columns if not column.primary_key]
    assert columns == list(Quantities._fields)


async def test_readings_are_stored_with_their_exact_values(database: Database, database_url: str) -> None:
    reported = Quantities(
        active_power=-1850.25, reactive_power=-210.4, apparent_power=1873.6, voltage=238.61, current=7.85,
        power_factor=-0.99, frequency=50.0, energy_delivered=8123456.217, energy_received=0.0,
        apparent_energy=None, reactive_energy_lagging=120034.1, reactive_energy_leading=1e12,
    )  # fmt: skip
    await database.write(
        [Message(GATEWAY, START / 1000, (Sample("net-consumption", 2, START, reported),), "id")]
    )

    (found,) = await fetch_rows(
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
    message = build_message(START, active_power=-0.1, voltage=238.61, frequency=None, apparent_power=1e8 / 3)
    await database.write([message])
    await database.write([message, message])
    await database.write([message])
    assert await fetch_rows(database_url, "SELECT measured_at, active_power FROM readings") == [(START, -0.1)]


async def test_messages_may_arrive_twice_and_in_any_order(database: Database, database_url: str) -> None:
    reported = build_steady_messages(START, START + 3_600_000)
    repeated = reported * 3
    random.Random(1).shuffle(repeated)
    for i in range(0, len(repeated), 50):
        await database.write(repeated[i : i + 50])
        if i % 200 == 0:
            await database.roll_up()
    await database.roll_up()
    assert await count_readings(database_url) == len(reported)
    assert (await database.energies(GATEWAY, START, START + 3_600_000))[
        "production"
    ].delivered == pytest.approx(3600 * 3590 / 3600)


@pytest.mark.parametrize("count", [1, 49, 50, 51, 120])
async def test_a_batch_of_any_size_stores_each_reading_once_with_its_values(
    database: Database, database_url: str, count: int
) -> None:
    messages = [build_message(START + second * SECOND, active_power=float(second)) for second in range(count)]
    await database.write(messages[::3])
    await database.write(messages)
    assert await fetch_rows(
        database_url, "SELECT measured_at, phase, active_power FROM readings ORDER BY measured_at"
    ) == [(START + second * SECOND, 0, float(second)) for second in range(count)]


async def test_an_empty_write_is_no_error(database: Database, database_url: str) -> None:
    await database.write([])
    await database.write([Message(GATEWAY, 0.0, (), None)])
    assert await count_readings(database_url) == 0


async def test_new_gateways_and_measurements_get_an_id_each(database_url: str) -> None:
    names = ["production", "Production", "evse", "pv3p", "backfeed", "läd", "'; DROP TABLE readings; --"]
    async with Database(database_url, VIENNA) as first, Database(database_url) as second:
        await first.upgrade()
        reported = Quantities(active_power=1.0)
        for number, name in enumerate(names * 2):
            database = (first, second)[number % 2]
            await database.write(
                [Message(f"g{number % 3}", START / 1000, (Sample(name, 0, START + number, reported),), None)]
            )
        assert await first.gateways() == await second.gateways() == ["g0", "g1", "g2"]
    found = await fetch_rows(database_url, "SELECT name FROM measurements ORDER BY id")
    assert [name for (name,) in found] == names
    assert await count_readings(database_url) == 2 * len(names)


async def test_a_value_that_is_not_a_number_is_rejected_before_sql_is_built(
    database: Database, database_url: str
) -> None:
    with pytest.raises(UnstorableError, match="only numbers and None"):
        await database.write(
            [build_message(START), build_message(START + 1, active_power="1); DELETE FROM readings; --")]  # type: ignore[arg-type]
        )
    assert await count_readings(database_url) == 0


@pytest.mark.parametrize("value", [10**30, -(2**70)])
async def test_an_integer_too_large_for_its_column_is_rejected(
    database: Database, database_url: str, value: int
) -> None:
    with pytest.raises(UnstorableError):
        await database.write([build_message(START), build_message(START + 1, active_power=value)])
    assert await count_readings(database_url) == 0


async def test_too_many_gateways_or_measurements_are_rejected_while_known_ones_are_stored(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "MAX_GATEWAYS", 3)
    monkeypatch.setattr(database_module, "MAX_MEASUREMENTS", 2)
    reported = Quantities(active_power=1.0)

    def build_message_of(name: str) -> Message:
        return Message(GATEWAY, START / 1000, (Sample(name, 0, START, reported),), None)

    async with Database(database_url, VIENNA) as database:
        await database.upgrade()
        await database.write([build_message(START), build_message(START, "1"), build_message(START, "2")])
        for number in range(10, 15):
            with pytest.raises(
                UnstorableError, match="table gateways has reached its maximum of 3 rows: delete"
            ):
                await database.write([build_message(START + 1), build_message(START + 1, str(number))])
        await database.write([build_message_of("evse")])
        with pytest.raises(UnstorableError, match="table measurements has reached its maximum of 2"):
            await database.write([build_message_of("invented")])
        await database.write([build_message(START + 2)])
        assert await database.gateways() == ["1", GATEWAY, "2"]
    assert await fetch_rows(database_url, "SELECT name FROM measurements ORDER BY id") == [
        ("production",),
        ("evse",),
    ]
    assert await count_readings(database_url) == 5


async def test_gateways_deleted_by_the_user_make_room_for_others(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "MAX_GATEWAYS", 1)
    monkeypatch.setattr(writer_module, "_REFRESH_INTERVAL", 0.0)
    async with Database(database_url, VIENNA) as database:
        await database.upgrade()
        await database.write([Message("1", 0.0, (), None)])
        with pytest.raises(UnstorableError):
            await database.write([build_message(START)])
        await execute_sql(database_url, "DELETE FROM gateways")
        await database.write([build_message(START)])
    assert await count_readings(database_url) == 1


@pytest.mark.slow
async def test_concurrent_writers_and_rollups_store_every_reading_once(database_url: str) -> None:
    reported = build_steady_messages(START, START + 2 * 3_600_000)
    async with (
        Database(database_url, VIENNA) as first,
        Database(database_url) as second,
        Database(database_url) as third,
    ):
        await first.upgrade()

        async def write_all(database: Database, seed: int) -> None:
            shuffled = reported.copy()
            random.Random(seed).shuffle(shuffled)
            for i in range(0, len(shuffled), 90):
                await database.write(shuffled[i : i + 90])

        async def roll_up_repeatedly(database: Database) -> None:
            for _ in range(15):
                await database.roll_up()
                await asyncio.sleep(0.01)

        await asyncio.gather(
            write_all(first, 1),
            write_all(second, 2),
            roll_up_repeatedly(second),
            roll_up_repeatedly(third),
            write_all(third, 3),
        )
        await first.roll_up()
    assert await count_readings(database_url) == len(reported)
    assert await fetch_rows(database_url, "SELECT COUNT(*), SUM(reading_count) FROM minutes") == [
        (120, len(reported))
    ]
    assert await fetch_rows(database_url, "SELECT COUNT(*), SUM(reading_count) FROM days") == [
        (1, len(reported))
    ]
    assert await fetch_rows(database_url, "SELECT * FROM pending_rollups") == []


async def fetch_counter(url: str, name: str) -> int:
    """Return a counter of the server."""
    ((_, value),) = await fetch_rows(url, f"SHOW GLOBAL STATUS LIKE '{name}'")
    return int(value)


async def count_deadlocks(url: str) -> int:
    """Return how many deadlocks the server has resolved."""
    ((count,),) = await fetch_rows(
        url, "SELECT count FROM information_schema.innodb_metrics WHERE name = 'lock_deadlocks'"
    )
    return int(count)


@pytest.mark.services
async def test_a_batch_is_one_statement_for_its_readings_and_one_for_its_minutes(mariadb_url: str) -> None:
    async with Database(mariadb_url, VIENNA) as database:
        await database.upgrade()
        await database.write([build_message(START)])
        before = await fetch_counter(mariadb_url, "Com_insert")
        samples = tuple(
            Sample("production", phase, START, Quantities(active_power=1.0)) for phase in range(4)
        )
        await database.write(
            [
                Message(
                    GATEWAY,
                    START / 1000 + second,
                    tuple(each._replace(measured_at=START + second * SECOND) for each in samples),
                )
                for second in range(1, 1501)
            ]
        )
        assert await fetch_counter(mariadb_url, "Com_insert") - before == 2
    assert await count_readings(mariadb_url) == 6001


@pytest.mark.slow
@pytest.mark.services
async def test_programs_that_write_and_roll_up_at_the_same_time_do_not_deadlock(mariadb_url: str) -> None:
    async with Database(mariadb_url, VIENNA) as first, Database(mariadb_url) as second:
        await first.upgrade()
        before = await count_deadlocks(mariadb_url)
        is_written = False

        async def write(database: Database, number: int) -> None:
            for minute in range(number, 60, 2):
                await database.write(
                    [
                        build_message(START + minute * 60_000 + second * SECOND, f"g{gateway}")
                        for gateway in range(40)
                        for second in range(0, 60, 10)
                    ]
                )

        async def roll_up(database: Database) -> None:
            while not is_written:
                await database.roll_up()

        rolling = [asyncio.ensure_future(roll_up(database)) for database in (first, second)]
        await asyncio.gather(write(first, 0), write(second, 1))
        is_written = True
        await asyncio.gather(*rolling)
        await first.roll_up()
        assert await count_deadlocks(mariadb_url) == before
    assert await fetch_rows(mariadb_url, "SELECT SUM(reading_count) FROM days") == [(60 * 40 * 6,)]


#: Writes batches of 90 readings and prints the number of each batch after its commit.
WRITER = """
import asyncio, sys
from enphase_companion.storage import Database
from tests.enphase_companion.storage.conftest import build_message

async def main(url, start):
    async with Database(url) as database:
        for batch in range(1_000_000):
            first = start + batch * 90_000
            await database.write([build_message(first + i * 1000) for i in range(90)])
            print(batch, flush=True)

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


@pytest.mark.parametrize("after", [3, 20])
@pytest.mark.slow
async def test_a_killed_writer_leaves_whole_batches_and_everything_committed(
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
    batches = await fetch_rows(
        database_url,
        f"SELECT (measured_at - :start) {division} 90000 AS batch, COUNT(*) FROM readings"
        " GROUP BY batch ORDER BY batch",
        start=START,
    )
    assert [number for number, _ in batches] == list(range(len(batches)))
    assert {count for _, count in batches} == {90}
    assert len(batches) - 1 in {committed, committed + 1}

    # After a redelivery with some overlap, every reading is stored and rolled up once.
    await database.write([build_message(START + i * 1000) for i in range((committed + 5) * 90)])
    await database.roll_up()
    assert await count_readings(database_url) == (committed + 5) * 90
    assert (await fetch_rows(database_url, "SELECT SUM(reading_count) FROM minutes"))[0][0] == (
        committed + 5
    ) * 90


@pytest.mark.services
async def test_committed_readings_survive_a_power_cut_of_the_server(
    mariadb: MariaDB, mariadb_url: str
) -> None:
    async with Database(mariadb_url, VIENNA) as database:
        await database.upgrade()
        for i in range(30):
            await database.write([build_message(START + i * 1000)])
        mariadb.kill()
        with pytest.raises(UnavailableError) as error:
            await database.write([build_message(START + 30_000)])
        assert "Can't connect" in str(error.value) or "Lost connection" in str(error.value)
        assert "root" not in str(error.value)
        mariadb.start()
        assert await count_readings(mariadb_url) == 30
        await database.write([build_message(START + 30_000)])
        assert await count_readings(mariadb_url) == 31


@pytest.mark.services
async def test_a_hanging_server_times_out_and_is_used_after_it_recovers(
    mariadb: MariaDB, mariadb_url: str
) -> None:
    async with Database(mariadb_url, VIENNA, timeout=1) as database:
        await database.upgrade()
        await database.write([build_message(START)])
        mariadb.pause()
        try:
            with pytest.raises(UnavailableError, match="in time"):
                await asyncio.wait_for(database.write([build_message(START + 1000)]), 10)
        finally:
            mariadb.resume()
        await database.write([build_message(START + 1000)])
    assert await count_readings(mariadb_url) == 2


async def test_the_error_of_a_database_without_tables_names_the_command(database_url: str) -> None:
    async with Database(database_url, VIENNA) as database:
        for _ in range(2):
            with pytest.raises(StorageError, match="enphase-database upgrade") as error:
                await database.write([build_message(START)])
            assert not isinstance(error.value, UnavailableError)
            if database_url.startswith("sqlite"):
                # Second round: the file exists, but has no tables.
                Path(database_url.removeprefix("sqlite+aiosqlite:///")).touch()
        await database.upgrade()
        await database.write([build_message(START)])


def test_the_status_escapes_unprintable_serial_numbers() -> None:
    stranger = GatewayStatus("1\x1b[2J\u202e", None, None, None)
    shown = format_status("enphase.db", Status("1", "1", "UTC", (stranger,)), None, None)
    assert r"1\x1b[2J\u202e: no single readings" in shown.splitlines()


async def test_readings_of_a_clock_that_was_set_back_are_stored_beside_those_of_the_same_time(
    database: Database, database_url: str
) -> None:
    # A minute, and its last 30 seconds again; 1 Wh is counted in each second.
    seconds = [*range(60), *range(30, 70)]
    messages = [
        build_message(START + second * SECOND, energy_delivered=float(number))
        for number, second in enumerate(seconds)
    ]
    for i in range(0, 100, 7):
        assert await database.write(messages[i : i + 7]) == {}
    # All of them are delivered again, in another order.
    random.Random(1).shuffle(messages)
    await database.write(messages[:60])
    await database.write(messages[60:])
    assert await fetch_rows(
        database_url, "SELECT measured_at, energy_delivered FROM readings ORDER BY energy_delivered"
    ) == [
        (START + second * SECOND + (60 <= number < 90), float(number))
        for number, second in enumerate(seconds)
    ]
    await database.roll_up()
    assert await fetch_rows(database_url, "SELECT SUM(reading_count) FROM minutes") == [(100,)]
    assert (await database.energies(GATEWAY, START, START + 120_000))["production"].delivered == 99


async def test_two_writers_store_readings_of_the_same_time_once_each(database_url: str) -> None:
    messages = [
        build_message(START + second * SECOND, active_power=float(number))
        for number in range(4)
        for second in range(200)
    ]
    async with Database(database_url, VIENNA) as first, Database(database_url) as second:
        await first.upgrade()

        async def write_all(database: Database, seed: int) -> None:
            shuffled = messages.copy()
            random.Random(seed).shuffle(shuffled)
            for i in range(0, len(shuffled), 40):
                await database.write(shuffled[i : i + 40])

        await asyncio.gather(write_all(first, 1), write_all(second, 2), write_all(first, 3))
    assert await fetch_rows(
        database_url, "SELECT active_power, COUNT(*) FROM readings GROUP BY active_power ORDER BY 1"
    ) == [(float(number), 200) for number in range(4)]


async def test_more_readings_of_one_time_are_refused_and_counted(
    database: Database, database_url: str
) -> None:
    refused = await database.write([build_message(START, active_power=float(number)) for number in range(8)])
    assert refused == {f"gateway {GATEWAY} has 6 others of the same time": 2}
    assert await fetch_rows(database_url, "SELECT measured_at, active_power FROM readings") == [
        (START + number, float(number)) for number in range(6)
    ]


@pytest.mark.parametrize("days", [-6_700, -31, 31, 10_000])
async def test_a_reading_with_an_impossible_date_is_refused_and_the_others_are_stored(
    database: Database, database_url: str, days: int
) -> None:
    wrong = build_message(START + days * DAY)
    refused = await database.write(
        [build_message(START), replace(wrong, timestamp=START / 1000), build_message(START + 1000)]
    )
    ((reason, count),) = refused.items()
    assert count == 1
    assert re.fullmatch(
        rf"gateway {GATEWAY} dates them \d{{4}}-\d\d-\d\d, but they were read on 2026-06-01: check .* clocks",
        reason,
    )
    assert await count_readings(database_url) == 2


async def test_a_late_message_is_stored_whenever_it_arrives(database: Database, database_url: str) -> None:
    messages = [build_message(local_ms(year, 6, 1)) for year in (2008, 2020, 2026, 2090)]
    assert await database.write(messages) == {}
    assert await count_readings(database_url) == 4
