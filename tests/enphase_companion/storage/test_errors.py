"""Database errors: clear texts, and whether a retry can succeed."""

from __future__ import annotations

import pytest
from pymysql.err import DataError as MariaDataError  # type: ignore[import-untyped]
from pymysql.err import OperationalError
from sqlalchemy.exc import DBAPIError

from enphase_api.json_values import is_printable
from enphase_companion.storage import Database, UnavailableError, UnstorableError
from enphase_companion.storage.errors import translate_error
from tests.services.mariadb import MariaDB, create_database, execute

from .conftest import VIENNA, build_message, count_readings, execute_sql, fetch_rows


@pytest.mark.parametrize(
    ("number", "server_text", "expected"),
    [
        (1021, "Disk full (/tmp/#sql); waiting for someone to free some space", "the server's disk is full"),
        (1030, 'Got error 28 "No space left on device" from storage engine InnoDB', "disk is full"),
        (1114, "The table 'readings' is full", "no room for this table"),
        (1290, "The MariaDB server is running with the --read-only option", "the server is read-only"),
        (1836, "Running in read-only mode", "the server is read-only"),
        (1026, "Error writing file './x/readings.ibd' (Errcode: 30)", "cannot write to its disk"),
    ],
)
def test_a_full_or_read_only_server_is_unavailable(number: int, server_text: str, expected: str) -> None:
    error = translate_error(
        DBAPIError("INSERT", None, OperationalError(number, server_text)), "enphase on db.lan"
    )
    assert isinstance(error, UnavailableError)
    assert str(error).startswith("enphase on db.lan: ")
    assert expected in str(error)


@pytest.mark.parametrize(
    ("number", "server_text"),
    [
        (1264, "Out of range value for column 'measurement' at row 1"),
        (1406, "Data too long for column 'word' at row 1"),
        (1366, "Incorrect double value: 'much' for column 'voltage' at row 1"),
        (1265, "Data truncated for column 'voltage' at row 1"),
        (1292, "Truncated incorrect DOUBLE value: 'much'"),
        (1153, "Got a packet bigger than 'max_allowed_packet' bytes"),
        (4025, "CONSTRAINT `sane` failed for `enphase`.`readings`"),
    ],
)
def test_data_that_the_server_can_never_store_is_unstorable(number: int, server_text: str) -> None:
    for kind in (MariaDataError, OperationalError):
        error = translate_error(DBAPIError("INSERT", None, kind(number, server_text)), "enphase on db.lan")
        assert isinstance(error, UnstorableError)
        assert str(error) == f"enphase on db.lan: {server_text}"


@pytest.mark.parametrize("number", [1205, 1213, 1054, 1142, 1021, 2003, 2006, 2013, 9999])
def test_errors_of_the_server_do_not_make_data_unstorable(number: int) -> None:
    error = translate_error(DBAPIError("INSERT", None, OperationalError(number, "x")), "enphase on db.lan")
    assert not isinstance(error, UnstorableError)


async def test_data_that_violates_a_constraint_is_unstorable(database: Database, database_url: str) -> None:
    await execute_sql(database_url, "DROP TABLE pending_rollups")
    await execute_sql(
        database_url,
        "CREATE TABLE pending_rollups"
        " (resolution INT CHECK (resolution < 0), bucket_start BIGINT, gateway_id INT)",
    )
    with pytest.raises(UnstorableError, match=r"(?i)constraint"):
        await database.write([build_message(0)])
    assert await count_readings(database_url) == 0


def test_the_servers_error_text_is_printable_and_short() -> None:
    server_text = "Unknown error \x1b[2J\u202e" + "x" * 10_000
    error = str(
        translate_error(DBAPIError("INSERT", None, OperationalError(9999, server_text)), "enphase on db.lan")
    )
    assert is_printable(error, 300)
    assert r"\x1b[2J\u202e" in error


def test_a_broken_storage_engine_is_not_unavailable() -> None:
    server_text = 'Got error 194 "Tablespace is missing for a table" from storage engine InnoDB'
    error = translate_error(
        DBAPIError("INSERT", None, OperationalError(1030, server_text)), "enphase on db.lan"
    )
    assert not isinstance(error, UnavailableError)


@pytest.mark.services
async def test_readings_rejected_by_a_read_only_server_are_stored_once_it_is_writable(
    mariadb: MariaDB,
) -> None:
    with create_database(mariadb.url) as url:
        execute(url, "CREATE USER writer IDENTIFIED BY 'a secret'")
        execute(url, f"GRANT ALL ON {url.database}.* TO writer")
        try:
            async with Database(url.set(username="writer", password="a secret"), VIENNA) as database:
                await database.upgrade()
                execute(url, "SET GLOBAL read_only = 1")
                with pytest.raises(UnavailableError, match="the server is read-only"):
                    await database.write([build_message(0)])
                execute(url, "SET GLOBAL read_only = 0")
                await database.write([build_message(0)])
            assert await count_readings(url.render_as_string(hide_password=False)) == 1
        finally:
            execute(url, "SET GLOBAL read_only = 0")
            execute(url, "DROP USER writer")


def test_the_error_of_an_unreachable_server_names_the_remedy() -> None:
    server_text = "Can't connect to MySQL server on 'db.lan'"
    error = translate_error(
        DBAPIError("INSERT", None, OperationalError(2003, server_text)), "enphase on db.lan"
    )
    assert isinstance(error, UnavailableError)
    assert str(error) == (
        "enphase on db.lan: no connection: check that the server runs there, or correct the address "
        f"({server_text})"
    )


async def test_a_connection_returns_to_the_pool_without_another_rollback(mariadb_url: str) -> None:
    """It would take time, and log a traceback if the connection is lost just then."""

    async def count_rollbacks() -> int:
        return int((await fetch_rows(mariadb_url, "SHOW GLOBAL STATUS LIKE 'Com_rollback'"))[0][1])

    async with Database(mariadb_url, VIENNA) as database:
        await database.upgrade()
        before = await count_rollbacks()
        for second in range(20):
            await database.write([build_message(1_764_000_000_000 + second * 1000)])
        # Connections of the test itself roll back too.
        assert await count_rollbacks() - before < 10
