"""A replica of MariaDB, with the settings of configuration/fleet, has each acknowledged reading."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import URL

from enphase_companion.storage import Database, StorageError
from tests.services.mariadb import MariaDB, create_database, execute, running

from ..amqp_helpers import build_message
from ..commands.running import DatabaseInspector
from .conftest import VIENNA

_ROOT = Path(__file__).parents[3]
_COMPOSE, _DOCS = _ROOT / "configuration" / "fleet" / "compose.yaml", _ROOT / "docs" / "fleet.md"

pytestmark = [pytest.mark.services, pytest.mark.slow]


def read_options(service: str) -> tuple[str, ...]:
    """Return the options of a database server in compose.yaml."""
    text = re.search(rf"^  {service}:\n.*?^    environment:", _COMPOSE.read_text(), re.MULTILINE | re.DOTALL)
    assert text
    return tuple(re.findall(r"^      - (--\S+)$", text[0], re.MULTILINE))


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[MariaDB, MariaDB]]:
    """Yield a primary and its replica."""
    folders = tmp_path / "primary", tmp_path / "replica"
    for folder in folders:
        folder.mkdir()
    with (
        running(folders[0], read_options("database")) as primary,
        running(folders[1], read_options("replica")) as replica,
    ):
        execute(
            replica.url,
            f"CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={primary.port}, MASTER_USER='root', "
            "MASTER_USE_GTID=slave_pos",
        )
        execute(replica.url, "START SLAVE")
        while select(primary, "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_master_clients'") != "1":
            time.sleep(0.1)
        yield primary, replica


def select(server: MariaDB, statement: str) -> str:
    """Return the last column of the row that a statement returns."""
    [row] = DatabaseInspector(str(server.url)).query(statement)
    return str(row[-1])


def has_applied_all(replica: MariaDB) -> bool:
    """Whether all that a replica has received is in its tables."""
    [row] = DatabaseInspector(str(replica.url)).query("SHOW SLAVE STATUS")
    return "read all relay log" in str(row._mapping["Slave_SQL_Running_State"])


async def test_no_acknowledged_reading_is_lost_with_the_primary(servers: tuple[MariaDB, MariaDB]) -> None:
    primary, replica = servers
    with create_database(primary.url) as url:
        acknowledged = await write_until_killed(primary, url)
        copy = replica.url.set(database=url.database)
        async with asyncio.timeout(30):
            while not has_applied_all(replica):
                await asyncio.sleep(0.1)
        statements = re.search(r"^-- On the replica\n(.*?)^```", _DOCS.read_text(), re.MULTILINE | re.DOTALL)
        assert statements
        for statement in statements[1].splitlines():
            execute(replica.url, statement)
        async with Database(copy, VIENNA) as database:
            await database.upgrade()
            await database.write([build_message(number) for number in range(acknowledged, 400)])
        rows = DatabaseInspector(copy.render_as_string(hide_password=False)).query(
            "SELECT COUNT(*), COUNT(DISTINCT measured_at) FROM readings"
        )
        assert rows == [(400 * len(build_message(0).samples), 400)]


async def write_until_killed(primary: MariaDB, url: URL) -> int:
    """Write one reading after the other until the primary is killed; return how many it acknowledged."""
    acknowledged = 50
    async with Database(url, VIENNA) as database:
        await database.upgrade()
        for number in range(50):
            await database.write([build_message(number)])
        killing = asyncio.create_task(asyncio.to_thread(primary.kill))
        with suppress(StorageError):
            for number in range(50, 400):
                await database.write([build_message(number)])
                acknowledged = number + 1
        await killing
    return acknowledged


async def test_a_chart_can_be_drawn_from_the_replica_by_a_user_who_may_only_read(
    servers: tuple[MariaDB, MariaDB],
) -> None:
    primary, replica = servers
    with create_database(primary.url) as url:
        async with Database(url, VIENNA) as database:
            await database.upgrade()
            await database.write([build_message(number) for number in range(60)])
        execute(primary.url, "CREATE USER reader IDENTIFIED BY 'a secret'")
        execute(primary.url, f"GRANT SELECT ON {url.database}.* TO reader")
        copy = replica.url.set(database=url.database, username="reader", password="a secret")
        written = select(primary, "SELECT @@gtid_binlog_pos")
        async with asyncio.timeout(30):
            while select(replica, "SELECT @@gtid_slave_pos") != written:
                await asyncio.sleep(0.1)
        async with Database(copy, VIENNA) as database:
            assert await database.gateways() == [build_message(0).gateway]
            assert await database.first_reading(build_message(0).gateway) is not None
