"""Create the tables and upgrade them by migrations.

resources/schema.sql is the output of `enphase-database upgrade --sql`, for administrators whose users may not
create tables.
"""

# ruff: noqa: PLC0415 - programs that only read, such as a chart, do not wait for Alembic

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from .errors import StorageError, UnavailableError
from .statements import acquire_lock

if TYPE_CHECKING:
    from alembic.config import Config

#: The table that holds the version of the tables.
VERSION_TABLE = "schema_version"

_MIGRATIONS = Path(__file__).with_name("migrations")
_LOCK_SECONDS = 50


def newest_version() -> str:
    """Return the version of the tables that this program needs."""
    from alembic.script import ScriptDirectory

    version = ScriptDirectory(str(_MIGRATIONS)).get_current_head()
    assert version is not None  # noqa: S101 - the first migration is part of this package
    return version


async def get_version(connection: AsyncConnection) -> str | None:
    """Return the version of a database's tables; None if there are none."""
    return await connection.run_sync(_get_version)


def _get_version(connection: Connection) -> str | None:
    from alembic.migration import MigrationContext

    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()


async def upgrade(connection: AsyncConnection) -> None:
    """Upgrade the tables to the newest version; several programs may do so at the same time.

    Raises StorageError where a newer program has upgraded them.
    """
    # MariaDB and MySQL commit each CREATE TABLE on its own.
    async with acquire_lock(connection, "enphase_upgrade", _LOCK_SECONDS) as is_acquired:
        if not is_acquired:
            raise UnavailableError("another program is still upgrading the tables")
        await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.script import ScriptDirectory

    found = _get_version(connection)
    if found == newest_version():
        return
    if found is not None and found not in {
        each.revision for each in ScriptDirectory(str(_MIGRATIONS)).walk_revisions()
    }:
        raise StorageError(
            f"the tables have version {found}, which is newer than this program: update the program"
        )
    command.upgrade(_configuration({"connection": connection}), "head")


def render_sql() -> str:
    """Return the statements that create the tables in MariaDB or MySQL."""
    from alembic import command

    output = io.StringIO()
    options = {"dialect_name": "mysql", "literal_binds": True, "output_buffer": output}
    command.upgrade(_configuration(options), "head", sql=True)
    head = (
        "-- The tables of enphase-iq-gateway in MariaDB or MySQL,\n"
        "-- generated from the migrations by enphase-database upgrade --sql\n"
    )
    return head + "\n" + output.getvalue().strip() + "\n"


def _configuration(options: dict[str, Any]) -> Config:
    """Return the configuration of Alembic, without a file; migrations/env.py takes the options."""
    from alembic.config import Config

    configuration = Config(attributes={**options, "version_table": VERSION_TABLE})
    configuration.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return configuration
