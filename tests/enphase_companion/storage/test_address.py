"""Database URLs: how they are parsed, and that no error shows their password."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enphase_companion.runtime.errors import SettingsError
from enphase_companion.storage import Database, StorageError, UnavailableError, address
from enphase_companion.storage.address import display_name, enphase_api_url, parse_url
from enphase_companion.storage.sqlite_file import DEFAULT

from .conftest import VIENNA, build_message, execute_sql


@pytest.mark.parametrize(
    ("url", "driver", "place"),
    [
        (DEFAULT, "sqlite+aiosqlite", "enphase.db"),
        ("sqlite:////var/lib/enphase.db", "sqlite+aiosqlite", "/var/lib/enphase.db"),
        ("mysql://me:secret@db.lan/enphase", "mysql+aiomysql", "enphase on db.lan"),
        ("mariadb://me:secret@db.lan:3307/enphase", "mysql+aiomysql", "enphase on db.lan:3307"),
        ("mysql+pymysql://me:se%20cret@[::1]/enphase", "mysql+aiomysql", "enphase on ::1"),
        (" mysql:///enphase?unix_socket=/run/mysqld/mysqld.sock\n", "mysql+aiomysql", "enphase on localhost"),
    ],
)
def test_a_url_may_name_any_driver_or_none(url: str, driver: str, place: str) -> None:
    parsed = parse_url(url)
    assert parsed.drivername == driver
    assert display_name(parsed) == place


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("enphase.db", r"enphase\.db is not a URL: write sqlite:///enphase\.db for this file"),
        ("/var/lib/enphase.db", "write sqlite:////var/lib/enphase.db for this file"),
        ("sqlite://var/enphase.db", "three slashes"),
        ("sqlite:enphase.db", "three slashes"),
        ("me:secret@db/enphase", "must look like"),
        ("mysql://me:secret@db/enphase?conect_timeout=3", "unknown option conect_timeout after the [?]"),
        ("postgresql://me:secret@db/enphase", "postgresql is not supported"),
        ("mysql://me:secret@db", "name of the database is missing"),
        ("sqlite://", "three slashes"),
        ("sqlite:///", "name of the database is missing"),
        ("sqlite:///:memory:", "would be lost"),
        ("mysql://me:secret@db:port/x", "must look like"),
        ("mysql://me:secret@db:99999/x", "must look like"),
    ],
)
def test_an_invalid_url_is_rejected_without_showing_its_password(url: str, hint: str) -> None:
    with pytest.raises(SettingsError, match=hint) as error:
        parse_url(url)
    assert "secret" not in str(error.value)
    assert error.value.__cause__ is None


@pytest.mark.parametrize("key", ["database_url", "import_database_url"])
@pytest.mark.parametrize(
    "password",
    ["Pa@WORD", "Pa@23608", "23608/WORD", "23608#WORD", "23608?WORD", "Pa:WORD@x", "Pa/@WORD", "@WORD"],
)
def test_a_password_with_reserved_characters_never_appears_in_the_error(password: str, key: str) -> None:
    """URL parsers take part of each password for the host or port, and their errors would show it."""
    with pytest.raises(SettingsError) as error:
        parse_url(f"mysql://me:{password}@db.lan/enphase", key)
    expected = str(error.value)
    assert "WORD" not in expected
    assert "23608" not in expected
    assert expected.startswith(f"{key}: ")
    assert "@ : / # ? % are written %40 %3A %2F %23 %3F %25" in expected
    assert ("database_password" in expected) is (key == "database_url")


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1))
def test_a_percent_encoded_password_is_decoded_unchanged(password: str) -> None:
    parsed = parse_url(f"mysql://me:{quote(password, safe='')}@db.lan/enphase")
    assert (parsed.password, parsed.host, parsed.database) == (password, "db.lan", "enphase")


@pytest.mark.parametrize(
    ("url", "protection"),
    [
        ("sqlite:///enphase.db", None),
        ("mysql://db.lan/x", r"not encrypted: add \?ssl_ca=FILE or \?ssl=required to database_url"),
        ("mysql://127.0.0.1/x", "not encrypted, but stays on this machine"),
        ("mysql:///x?unix_socket=/run/mysqld.sock", "a socket of this machine"),
        ("mysql://db.lan/x?ssl=required", "encrypted, but the server is not verified"),
        ("mysql://db.lan/x?ssl=required&ssl_ca=ca.pem", "encrypted, to a server verified by ssl_ca"),
    ],
)
def test_the_description_states_how_the_connection_is_protected(url: str, protection: str | None) -> None:
    expected = address.describe_protection(parse_url(url))
    assert expected is None if protection is None else re.match(protection, expected or "")


def test_enphase_api_settings_have_the_defaults_of_enphase_api() -> None:
    url = enphase_api_url(None, None, None, None)
    assert url.render_as_string(hide_password=False) == "mysql+aiomysql://root@localhost/Enphase"
    url = enphase_api_url("db.lan", "me", "p@ss/word:%", "Solar")
    assert parse_url(url.render_as_string(hide_password=False)) == url
    assert "p@ss" not in repr(url)


async def test_an_unreachable_server_is_unavailable() -> None:
    async with Database("mysql://me:secret@127.0.0.1:1/enphase") as database:
        with pytest.raises(UnavailableError, match=r"enphase on 127\.0\.0\.1:1") as error:
            await database.upgrade()
    assert "secret" not in str(error.value)


async def test_the_error_names_why_a_file_cannot_be_created(tmp_path: Path) -> None:
    async with Database(f"sqlite:///{tmp_path}/missing/enphase.db") as database:
        with pytest.raises(StorageError, match=r"check that its folder exists") as error:
            await database.upgrade()
    assert not isinstance(error.value, UnavailableError)


async def test_a_query_creates_no_file(tmp_path: Path) -> None:
    async with Database(f"sqlite:///{tmp_path}/enphase.db") as database:
        with pytest.raises(StorageError, match=r"no such file: .*enphase-database upgrade"):
            await database.gateways()
        assert not list(tmp_path.iterdir())
        await database.upgrade()
        assert await database.gateways() == []


async def test_a_file_that_is_not_a_database_stays_unchanged(tmp_path: Path) -> None:
    file = tmp_path / "enphase.db"
    file.write_text("a diary, " * 1000)
    async with Database(f"sqlite:///{file}") as database:
        with pytest.raises(StorageError, match="not an SQLite database"):
            await database.upgrade()
    assert file.read_text() == "a diary, " * 1000


async def test_a_full_disk_is_reported_and_leaves_no_partial_batch(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/enphase.db"
    async with Database(url, VIENNA) as database:
        await database.upgrade()
        await database.write([build_message(0)])
        # SQLite reports its own page limit as a full disk.
        many = [build_message(at) for at in range(1000, 3_000_000, 1000)]
        await execute_sql(url, "PRAGMA wal_checkpoint(TRUNCATE)")
        transactions = database._transactions  # the limit is set per connection

        async def limit(connection: object) -> None:
            await connection.exec_driver_sql("PRAGMA max_page_count = 30")  # type: ignore[attr-defined]

        await transactions.write(limit)
        with pytest.raises(UnavailableError, match="the disk is full"):
            await database.write(many)
        await transactions.write(
            lambda connection: connection.exec_driver_sql("PRAGMA max_page_count = 100000")
        )
        await database.write(many)
        assert (await database.status()).gateways[0].newest_reading == 2_999_000
