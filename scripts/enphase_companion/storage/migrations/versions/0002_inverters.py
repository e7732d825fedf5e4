"""Create the tables of the microinverters: their readings and days."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"

#: As in 0001_initial.py.
_CLUSTERED: dict[str, Any] = {
    "sqlite_with_rowid": False,
    "mysql_engine": "InnoDB",
    "mysql_default_charset": "utf8mb4",
    "if_not_exists": True,
}
_NAMED: dict[str, Any] = {**_CLUSTERED, "sqlite_with_rowid": True}

_TIME = "ms since 1970-01-01 00:00 UTC"


def upgrade() -> None:
    """Create the tables."""
    name = sa.String(32).with_variant(mysql.VARCHAR(32, charset="utf8mb4", collation="utf8mb4_bin"), "mysql")
    op.create_table(
        "inverters",
        sa.Column("id", sa.Integer, primary_key=True, comment="inverter_id in other tables"),
        sa.Column(
            "serial_number", name, nullable=False, unique=True, comment="serial number of the microinverter"
        ),
        **_NAMED,
    )
    op.create_table(
        "inverter_readings",
        _key("gateway_id", sa.Integer, "gateways.id"),
        _key("measured_at", sa.BigInteger, _TIME),
        _key("inverter_id", sa.Integer, "inverters.id"),
        sa.Column("power", sa.Double, comment="W, mean since the report before"),
        sa.Column("energy", sa.Double, comment="Wh, counter that starts again at 2^32 J (1.19 MWh)"),
        **_CLUSTERED,
    )
    op.create_table(
        "inverter_days",
        _key("gateway_id", sa.Integer, "gateways.id"),
        _key("bucket_start", sa.BigInteger, f"start of the bucket, {_TIME}"),
        _key("inverter_id", sa.Integer, "inverters.id"),
        sa.Column("reading_count", sa.Integer, nullable=False, comment="readings in the bucket"),
        *(
            sa.Column(f"{end}_measured_at", sa.BigInteger, nullable=False, comment=f"{end} reading, {_TIME}")
            for end in ("first", "last")
        ),
        sa.Column("energy", sa.Double, comment="Wh, produced from the first to the last reading"),
        sa.Column("power_max", sa.Double, comment="W"),
        *(
            sa.Column(f"energy_{end}", sa.Double, comment=f"Wh, counter at its {end} reading")
            for end in ("first", "last")
        ),
        **_CLUSTERED,
    )


def _key(name: str, kind: type[sa.types.TypeEngine[Any]], comment: str) -> sa.Column[Any]:
    return sa.Column(name, kind, primary_key=True, autoincrement=False, comment=comment)
