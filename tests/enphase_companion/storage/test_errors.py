"""What a database says when it cannot, in an owner's words; and whether waiting cures it."""

from __future__ import annotations

import pytest
from pymysql.err import OperationalError  # type: ignore[import-untyped]
from sqlalchemy.exc import DBAPIError

from enphase_companion.storage import Database, UnavailableError
from enphase_companion.storage.errors import explained
from tests.services.mariadb import MariaDB, execute, new_database

from .conftest import VIENNA, message, stored


@pytest.mark.parametrize(
    ("number", "said", "words"),
    [
        (1021, "Disk full (/tmp/#sql); waiting for someone to free some space", "the server's disk is full"),
        (1030, 'Got error 28 "No space left on device" from storage engine InnoDB', "disk is full"),
        (1114, "The table 'readings' is full", "no more room for this table"),
        (1290, "The MariaDB server is running with the --read-only option", "only reads just now"),
        (1836, "Running in read-only mode", "only reads just now"),
        (1026, "Error writing file './x/readings.ibd' (Errcode: 30)", "cannot write to its disk"),
    ],
)
def test_a_server_that_is_full_or_read_only_is_waited_for(number: int, said: str, words: str) -> None:
    error = explained(DBAPIError("INSERT", None, OperationalError(number, said)), "enphase on db.lan")
    assert isinstance(error, UnavailableError)
    assert str(error).startswith("enphase on db.lan: ")
    assert words in str(error)


def test_an_engine_that_is_broken_is_not_waited_for() -> None:
    said = 'Got error 194 "Tablespace is missing for a table" from storage engine InnoDB'
    error = explained(DBAPIError("INSERT", None, OperationalError(1030, said)), "enphase on db.lan")
    assert not isinstance(error, UnavailableError)


@pytest.mark.services
async def test_what_a_read_only_server_refused_is_stored_when_it_writes_again(mariadb: MariaDB) -> None:
    with new_database(mariadb.url) as url:
        execute(url, "CREATE USER writer IDENTIFIED BY 'a secret'")
        execute(url, f"GRANT ALL ON {url.database}.* TO writer")
        try:
            async with Database(url.set(username="writer", password="a secret"), VIENNA) as database:
                await database.upgrade()
                execute(url, "SET GLOBAL read_only = 1")
                with pytest.raises(UnavailableError, match="only reads just now"):
                    await database.write([message(0)])
                execute(url, "SET GLOBAL read_only = 0")
                await database.write([message(0)])
            assert await stored(url.render_as_string(hide_password=False)) == 1
        finally:
            execute(url, "SET GLOBAL read_only = 0")
            execute(url, "DROP USER writer")


def test_a_server_that_cannot_be_reached_comes_with_what_to_see_to() -> None:
    said = "Can't connect to MySQL server on 'db.lan'"
    error = explained(DBAPIError("INSERT", None, OperationalError(2003, said)), "enphase on db.lan")
    assert isinstance(error, UnavailableError)
    assert str(error) == (
        f"enphase on db.lan: no connection: see that the server runs there, or correct the address ({said})."
    )
