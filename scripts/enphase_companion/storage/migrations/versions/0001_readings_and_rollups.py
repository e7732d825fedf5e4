"""The first tables: readings, what they are rolled up to, and what is still to be rolled up."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None

#: The key alone says where a row lies, in both kinds of database.
_CLUSTERED: dict[str, Any] = {
    "sqlite_with_rowid": False,
    "mysql_engine": "InnoDB",
    "mysql_default_charset": "utf8mb4",
    # MariaDB makes one table after the other, and an upgrade may be interrupted in between.
    "if_not_exists": True,
}
_NAMED: dict[str, Any] = {**_CLUSTERED, "sqlite_with_rowid": True}


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "gateways",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("serial_number", _word(), nullable=False, unique=True),
        **_NAMED,
    )
    op.create_table(
        "measurements",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("word", _word(), nullable=False, unique=True),
        **_NAMED,
    )
    op.create_table(
        "readings",
        _key("gateway", sa.Integer),
        _key("time", sa.BigInteger),
        _key("measurement", sa.SmallInteger),
        _key("phase", sa.SmallInteger),
        sa.Column("active_power", sa.Float),
        sa.Column("reactive_power", sa.Float),
        sa.Column("apparent_power", sa.Float),
        sa.Column("voltage", sa.Float),
        sa.Column("current", sa.Float),
        sa.Column("power_factor", sa.Float),
        sa.Column("frequency", sa.Float),
        sa.Column("energy_delivered", sa.Double),
        sa.Column("energy_received", sa.Double),
        sa.Column("apparent_energy", sa.Double),
        sa.Column("reactive_energy_lagging", sa.Double),
        sa.Column("reactive_energy_leading", sa.Double),
        **_CLUSTERED,
    )
    for name in ("minutes", "quarters", "days"):
        op.create_table(
            name,
            _key("gateway", sa.Integer),
            _key("measurement", sa.SmallInteger),
            _key("phase", sa.SmallInteger),
            _key("bucket", sa.BigInteger),
            sa.Column("readings", sa.Integer, nullable=False),
            sa.Column("first_time", sa.BigInteger, nullable=False),
            sa.Column("last_time", sa.BigInteger, nullable=False),
            sa.Column("power_mean", sa.Float),
            sa.Column("power_min", sa.Float),
            sa.Column("power_max", sa.Float),
            sa.Column("delivered_first", sa.Double),
            sa.Column("delivered_last", sa.Double),
            sa.Column("received_first", sa.Double),
            sa.Column("received_last", sa.Double),
            sa.Column("runs", sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql")),
            **_CLUSTERED,
        )
    op.create_table(
        "pending",
        _key("level", sa.SmallInteger),
        _key("bucket", sa.BigInteger),
        _key("gateway", sa.Integer),
        **_CLUSTERED,
    )
    op.create_table(
        "properties",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", sa.String(255), nullable=False),
        **_NAMED,
    )


def _word() -> sa.types.TypeEngine[str]:
    return sa.String(32).with_variant(mysql.VARCHAR(32, charset="utf8mb4", collation="utf8mb4_bin"), "mysql")


def _key(name: str, kind: type[sa.types.TypeEngine[Any]]) -> sa.Column[Any]:
    return sa.Column(name, kind, primary_key=True, autoincrement=False)
