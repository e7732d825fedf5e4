"""The tables: created and upgraded by migrations, or created by hand from schema.sql."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from enphase_companion.storage import Database, StorageError, schema
from enphase_companion.storage.address import parse_url
from enphase_companion.storage.engine import Transactions
from enphase_companion.storage.tables import metadata
from tests.services.mariadb import execute

from .conftest import GATEWAY, SCHEMA, VIENNA, build_message, execute_sql, fetch_rows


async def test_migrations_create_the_tables_that_the_metadata_defines(
    database: Database, database_url: str
) -> None:
    def compare(connection: Connection) -> list[object]:
        options = {"version_table": schema.VERSION_TABLE, "compare_type": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    await database.write([build_message(0)])
    engine = create_async_engine(database_url)
    async with engine.connect() as connection:
        assert await connection.run_sync(compare) == []
    await engine.dispose()


async def test_a_second_upgrade_changes_nothing(database: Database, database_url: str) -> None:
    await database.write([build_message(0)])
    await database.upgrade()
    assert await fetch_rows(database_url, "SELECT COUNT(*) FROM readings") == [(1,)]


async def test_programs_that_start_simultaneously_create_the_tables_once(database_url: str) -> None:
    async def start_program() -> None:
        async with Database(database_url, VIENNA) as database:
            await database.upgrade()
            await database.write([build_message(0)])

    await asyncio.gather(*(start_program() for _ in range(5)))
    assert await fetch_rows(database_url, "SELECT version_num FROM schema_version") == [
        (schema.newest_version(),)
    ]
    assert await fetch_rows(database_url, "SELECT COUNT(*) FROM readings") == [(1,)]


def test_schema_sql_equals_the_migrations() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == schema.render_sql()


@pytest.mark.services
async def test_a_user_without_create_rights_works_with_the_tables_of_schema_sql(mariadb_url: str) -> None:
    url = make_url(mariadb_url)
    for statement in SCHEMA.read_text(encoding="utf-8").split(";"):
        if statement.strip():
            execute(url, statement)
    user = f"u{str(url.database)[-12:]}"
    execute(url, f"CREATE USER {user} IDENTIFIED BY 'a secret'")
    execute(url, f"GRANT SELECT, INSERT, UPDATE, DELETE ON {url.database}.* TO {user}")
    user_url = url.set(username=user, password="a secret").render_as_string(hide_password=False)
    try:
        async with Database(user_url, VIENNA) as database:
            await database.upgrade()
            await database.write([build_message(at * 1000) for at in range(1000)])
            await database.roll_up()
            assert list(await database.energies(GATEWAY, 0, 10**9)) == ["production"]
            await database.rebuild(lambda *_: None)
    finally:
        execute(url, f"DROP USER {user}")


@pytest.mark.services
@pytest.mark.parametrize("password", ["p€ss wörd/:@%", "grün", "密碼"])
async def test_a_password_may_have_any_characters(mariadb_url: str, password: str) -> None:
    url = make_url(mariadb_url)
    user = f"u{str(url.database)[-12:]}"
    execute(url, f"CREATE USER {user} IDENTIFIED BY '{password}'")
    execute(url, f"GRANT ALL ON {url.database}.* TO {user}")
    try:
        async with Database(url.set(username=user, password=password), VIENNA) as database:
            await database.upgrade()
        async with Database(url.set(username=user, password=password + "€")) as database:
            with pytest.raises(StorageError, match="refuses user name or password"):
                await database.upgrade()
    finally:
        execute(url, f"DROP USER {user}")


@pytest.mark.services
async def test_the_error_of_a_user_without_rights_does_not_show_the_password(mariadb_url: str) -> None:
    url = make_url(mariadb_url)
    user = f"u{str(url.database)[-12:]}"
    execute(url, f"CREATE USER {user} IDENTIFIED BY 'a secret'")
    try:
        for password, hint in (("a secret", "grant"), ("another secret", "refuses user name or password")):
            user_url = url.set(username=user, password=password).render_as_string(hide_password=False)
            async with Database(user_url) as database:
                with pytest.raises(StorageError, match=hint) as error:
                    await database.upgrade()
                assert "secret" not in str(error.value)
                assert "secret" not in repr(error.value)
    finally:
        execute(url, f"DROP USER {user}")


async def test_tables_of_a_newer_version_stay_unchanged(database: Database, database_url: str) -> None:
    await execute_sql(database_url, "UPDATE schema_version SET version_num = '9999'")
    with pytest.raises(StorageError, match="9999"):
        await database.upgrade()
    assert await fetch_rows(database_url, "SELECT version_num FROM schema_version") == [("9999",)]


async def test_an_interrupted_upgrade_continues(database: Database, database_url: str) -> None:
    """MariaDB creates each table outside of a transaction."""
    await execute_sql(database_url, "DELETE FROM schema_version")
    await execute_sql(database_url, "DROP TABLE days")
    await execute_sql(database_url, "DROP TABLE properties")
    await database.upgrade()
    await database.write([build_message(0)])
    await database.roll_up()
    assert await fetch_rows(database_url, "SELECT COUNT(*) FROM days") == [(1,)]


async def test_tables_of_the_first_version_are_upgraded_and_keep_their_readings(
    database: Database, database_url: str
) -> None:
    await database.write([build_message(0)])
    for table in ("inverters", "inverter_readings", "inverter_days"):
        await execute_sql(database_url, f"DROP TABLE {table}")
    await execute_sql(database_url, "UPDATE schema_version SET version_num = '0001'")
    with pytest.raises(StorageError, match="enphase-database upgrade"):
        await database.inverters(GATEWAY, 0, 1)
    await database.upgrade()
    assert await fetch_rows(database_url, "SELECT COUNT(*) FROM readings") == [(1,)]
    assert await database.inverters(GATEWAY, 0, 1) == []


async def test_a_database_keeps_the_time_zone_of_its_creation(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "America/Havana")
    async with Database(database_url) as database:
        await database.upgrade()
        assert (await database.time_zone()).key == "America/Havana"
    monkeypatch.setenv("TZ", "Europe/Vienna")
    async with Database(database_url) as database:
        await database.upgrade()
        assert (await database.time_zone()).key == "America/Havana"
    async with Database(database_url, ZoneInfo("Asia/Tokyo")) as database:
        with pytest.raises(StorageError, match="--time-zone Asia/Tokyo"):
            await database.upgrade()


async def test_a_commit_is_on_disk_in_sqlite(tmp_path: Path) -> None:
    """With WAL and NORMAL, a power cut may undo the last commits, as SQLite documents."""
    transactions = Transactions(parse_url(f"sqlite:///{tmp_path}/x.db"))

    async def read_pragmas(connection: AsyncConnection) -> list[object]:
        return [await connection.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous")]

    await transactions.open(create=True)
    assert await transactions.write(read_pragmas) == ["wal", 2]
    await transactions.close()


async def test_a_new_file_is_private_and_an_existing_one_keeps_its_mode(tmp_path: Path) -> None:
    old_mask = os.umask(0)
    try:
        async with Database(f"sqlite:///{tmp_path / 'new.db'}") as database:
            await database.upgrade()
            await database.write([build_message(0)])
            assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
        (tmp_path / "new.db").chmod(0o640)
        async with Database(f"sqlite:///{tmp_path / 'new.db'}") as database:
            await database.write([build_message(1)])
            assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o640}
    finally:
        os.umask(old_mask)
