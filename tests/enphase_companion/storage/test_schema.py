"""The tables: made, brought up to date, and made by hand from schema.sql."""

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

from .conftest import GATEWAY, SCHEMA, VIENNA, change, message, rows


async def test_the_migrations_make_the_tables_that_statements_are_built_from(
    database: Database, database_url: str
) -> None:
    def differences(connection: Connection) -> list[object]:
        options = {"version_table": schema.VERSION_TABLE, "compare_type": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    await database.write([message(0)])
    engine = create_async_engine(database_url)
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_upgrading_again_changes_nothing(database: Database, database_url: str) -> None:
    await database.write([message(0)])
    await database.upgrade()
    assert await rows(database_url, "SELECT COUNT(*) FROM readings") == [(1,)]


async def test_programs_that_begin_at_the_same_time_make_the_tables_once(database_url: str) -> None:
    async def begin() -> None:
        async with Database(database_url, VIENNA) as database:
            await database.upgrade()
            await database.write([message(0)])

    await asyncio.gather(*(begin() for _ in range(5)))
    assert await rows(database_url, "SELECT version_num FROM schema_version") == [(schema.newest_version(),)]
    assert await rows(database_url, "SELECT COUNT(*) FROM readings") == [(1,)]


def test_schema_sql_is_what_the_migrations_make() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == schema.render_sql()


@pytest.mark.services
async def test_a_user_who_may_not_make_tables_works_with_those_of_schema_sql(mariadb_url: str) -> None:
    url = make_url(mariadb_url)
    for statement in SCHEMA.read_text(encoding="utf-8").split(";"):
        if statement.strip():
            execute(url, statement)
    user = f"u{str(url.database)[-12:]}"
    execute(url, f"CREATE USER {user} IDENTIFIED BY 'a secret'")
    execute(url, f"GRANT SELECT, INSERT, UPDATE, DELETE ON {url.database}.* TO {user}")
    mine = url.set(username=user, password="a secret").render_as_string(hide_password=False)
    try:
        async with Database(mine, VIENNA) as database:
            await database.upgrade()
            await database.write([message(at * 1000) for at in range(1000)])
            await database.roll_up()
            assert list(await database.energies(GATEWAY, 0, 10**9)) == ["production"]
            await database.rebuild(lambda *_: None)
    finally:
        execute(url, f"DROP USER {user}")


@pytest.mark.services
@pytest.mark.parametrize("password", ["p€ss wörd/:@%", "grün", "密碼"])
async def test_a_password_may_have_any_letters(mariadb_url: str, password: str) -> None:
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
async def test_a_user_who_may_nothing_is_told_so_without_the_password(mariadb_url: str) -> None:
    url = make_url(mariadb_url)
    user = f"u{str(url.database)[-12:]}"
    execute(url, f"CREATE USER {user} IDENTIFIED BY 'a secret'")
    try:
        for password, hint in (("a secret", "grant"), ("another secret", "refuses user name or password")):
            mine = url.set(username=user, password=password).render_as_string(hide_password=False)
            async with Database(mine) as database:
                with pytest.raises(StorageError, match=hint) as error:
                    await database.upgrade()
                assert "secret" not in str(error.value)
                assert "secret" not in repr(error.value)
    finally:
        execute(url, f"DROP USER {user}")


async def test_tables_of_a_newer_program_are_left_alone(database: Database, database_url: str) -> None:
    await change(database_url, "UPDATE schema_version SET version_num = '9999'")
    with pytest.raises(StorageError, match="9999"):
        await database.upgrade()
    assert await rows(database_url, "SELECT version_num FROM schema_version") == [("9999",)]


async def test_an_upgrade_that_was_interrupted_goes_on(database: Database, database_url: str) -> None:
    """MariaDB makes one table after the other, outside of any transaction."""
    await change(database_url, "DELETE FROM schema_version")
    await change(database_url, "DROP TABLE days")
    await change(database_url, "DROP TABLE properties")
    await database.upgrade()
    await database.write([message(0)])
    await database.roll_up()
    assert await rows(database_url, "SELECT COUNT(*) FROM days") == [(1,)]


async def test_a_database_keeps_the_time_zone_that_it_was_made_with(
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
    """With WAL and NORMAL, SQLite's documentation says, a power cut may take back the last commits."""
    transactions = Transactions(parse_url(f"sqlite:///{tmp_path}/x.db"))

    async def asked(connection: AsyncConnection) -> list[object]:
        return [await connection.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous")]

    await transactions.open(create=True)
    assert await transactions.write(asked) == ["wal", 2]
    await transactions.close()


async def test_a_new_file_is_for_its_owner_only_and_one_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    old_mask = os.umask(0)
    try:
        async with Database(f"sqlite:///{tmp_path / 'new.db'}") as database:
            await database.upgrade()
            await database.write([message(0)])
            assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
        (tmp_path / "new.db").chmod(0o640)
        async with Database(f"sqlite:///{tmp_path / 'new.db'}") as database:
            await database.write([message(1)])
            assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o640}
    finally:
        os.umask(old_mask)
