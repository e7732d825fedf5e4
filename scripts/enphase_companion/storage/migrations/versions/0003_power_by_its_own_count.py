"""How many readings had a power, the energy by power of those without counters, and all digits of powers."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import context, op

revision = "0003"
down_revision = "0002"

_ROLLUPS = ("minutes", "quarters", "days")
_DIGITS = {"readings": ("active_power",), **dict.fromkeys(_ROLLUPS, ("power_mean", "power_min", "power_max"))}


def upgrade() -> None:
    """Add the columns that an interrupted upgrade did not add yet: MariaDB does it outside of transactions.

    `enphase-database rebuild` then fills in what rollups of before do not know.
    """
    for table in _ROLLUPS:
        there = set() if context.is_offline_mode() else _columns(table)
        for column in _new_columns():
            if column.name not in there:
                op.add_column(table, column)
        op.execute(f"UPDATE {table} SET power_readings = readings WHERE power_mean IS NOT NULL")  # noqa: S608
    # SQLite has one size of numbers only.
    if op.get_context().dialect.name != "sqlite":
        for table, names in _DIGITS.items():
            op.execute(f"ALTER TABLE {table} " + ", ".join(f"MODIFY {name} DOUBLE" for name in names))


def _new_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("power_readings", sa.Integer, nullable=False, server_default="0"),
        sa.Column("estimated_delivered", sa.Double),
        sa.Column("estimated_received", sa.Double),
    ]


def _columns(table: str) -> set[str]:
    return {column["name"] for column in sa.inspect(op.get_bind()).get_columns(table)}
