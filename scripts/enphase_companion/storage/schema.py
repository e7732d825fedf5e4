"""Making the tables and keeping them up to date.

resources/schema.sql is what `enphase-database upgrade --sql` prints, for owners whose scripts may not do it.

"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from .errors import StorageError, UnavailableError

#: Where the version of the tables stands, in a table of its own.
VERSION_TABLE = "schema_version"

_MIGRATIONS = Path(__file__).with_name("migrations")
_LOCK_SECONDS = 50


def newest() -> str:
    """Return the version of the tables that this program works with."""
    version = ScriptDirectory(str(_MIGRATIONS)).get_current_head()
    assert version is not None  # noqa: S101 - the first migration is part of this package
    return version


async def version(connection: AsyncConnection) -> str | None:
    """Return the version of a database's tables; None where there are none."""
    return await connection.run_sync(_version)


def _version(connection: Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()


async def upgrade(connection: AsyncConnection) -> None:
    """Bring the tables to the newest version, whoever else tries the same at this moment.

    Raises StorageError where they are of a newer program's.
    """
    locks = connection.dialect.name == "mysql"
    if locks:
        # Tables are made outside of transactions there.
        lock = text("SELECT GET_LOCK('enphase_upgrade', :seconds)")
        if not await connection.scalar(lock, {"seconds": _LOCK_SECONDS}):
            raise UnavailableError("Another program has been making the tables for a long time.")
    try:
        await connection.run_sync(_upgrade)
    finally:
        if locks:
            await connection.execute(text("SELECT RELEASE_LOCK('enphase_upgrade')"))


def _upgrade(connection: Connection) -> None:
    found = _version(connection)
    if found == newest():
        return
    if found is not None and found not in {
        each.revision for each in ScriptDirectory(str(_MIGRATIONS)).walk_revisions()
    }:
        raise StorageError(
            f"The tables of this database are of version {found}: newer than this program. Update it."
        )
    command.upgrade(_configuration({"connection": connection}), "head")


def sql() -> str:
    """Return the statements that make the tables in MariaDB or MySQL."""
    output = io.StringIO()
    options = {"dialect_name": "mysql", "literal_binds": True, "output_buffer": output}
    command.upgrade(_configuration(options), "head", sql=True)
    head = (
        "-- The tables of enphase-iq-gateway in MariaDB or MySQL, made from the migrations by\n"
        "-- enphase-database upgrade --sql\n"
    )
    return head + "\n" + output.getvalue().strip() + "\n"


def _configuration(options: dict[str, Any]) -> Config:
    """Return Alembic's settings, which need no file; the options are for migrations/env.py."""
    configuration = Config(attributes={**options, "version_table": VERSION_TABLE})
    configuration.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return configuration
