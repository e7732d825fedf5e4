"""Create the tables: readings, rollups, and the rollups that are pending."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None

#: Rows are stored in the order of the primary key, in both kinds of database.
_CLUSTERED: dict[str, Any] = {
    "sqlite_with_rowid": False,
    "mysql_engine": "InnoDB",
    "mysql_default_charset": "utf8mb4",
    # MariaDB commits each CREATE TABLE on its own, and an upgrade may be interrupted in between.
    "if_not_exists": True,
}
_NAMED: dict[str, Any] = {**_CLUSTERED, "sqlite_with_rowid": True}

_TIME = "ms since 1970-01-01 00:00 UTC"
_BUCKET = f"start of the bucket, {_TIME}"
_RESOLUTION = "1: minute, 2: quarter-hour, 3: day"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "gateways",
        sa.Column("id", sa.Integer, primary_key=True, comment="gateway_id in other tables"),
        sa.Column(
            "serial_number", _name(), nullable=False, unique=True, comment="serial number of the gateway"
        ),
        _column("has_unmetered_batteries", sa.Boolean, "whether it has batteries without a meter"),
        **_NAMED,
    )
    op.create_table(
        "measurements",
        sa.Column("id", sa.Integer, primary_key=True, comment="measurement_id in other tables"),
        sa.Column("name", _name(), nullable=False, unique=True, comment="production, net-consumption, ..."),
        **_NAMED,
    )
    op.create_table(
        "readings",
        _gateway_id(),
        _key("measured_at", sa.BigInteger, _TIME),
        _measurement_id(),
        _phase(),
        _column("active_power", sa.Double, "W"),
        _column("reactive_power", sa.Float, "var"),
        _column("apparent_power", sa.Float, "VA"),
        _column("voltage", sa.Float, "V"),
        _column("current", sa.Float, "A"),
        _column("power_factor", sa.Float, "-1 to 1"),
        _column("frequency", sa.Float, "Hz"),
        _column("energy_delivered", sa.Double, "Wh, counter of the positive direction"),
        _column("energy_received", sa.Double, "Wh, counter of the negative direction"),
        _column("apparent_energy", sa.Double, "VAh, counter"),
        _column("reactive_energy_lagging", sa.Double, "varh, counter"),
        _column("reactive_energy_leading", sa.Double, "varh, counter"),
        **_CLUSTERED,
    )
    for table in ("minutes", "quarter_hours", "days"):
        op.create_table(
            table,
            _gateway_id(),
            _measurement_id(),
            _phase(),
            _key("bucket_start", sa.BigInteger, _BUCKET),
            _required("reading_count", sa.Integer, "readings in the bucket"),
            _required("first_measured_at", sa.BigInteger, f"first reading, {_TIME}"),
            _required("last_measured_at", sa.BigInteger, f"last reading, {_TIME}"),
            _required("power_reading_count", sa.Integer, "readings with an active power"),
            *(_column(f"power_{each}", sa.Double, "W, active power") for each in ("mean", "min", "max")),
            *(
                _column(f"{counter}_estimated", sa.Double, "Wh, from power where counters are unknown")
                for counter in ("energy_delivered", "energy_received")
            ),
            *(
                _column(f"{counter}_{end}", sa.Double, f"Wh, counter at its {end} reading")
                for counter in ("energy_delivered", "energy_received")
                for end in ("first", "last")
            ),
            _column(
                "segments",
                sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql"),
                "JSON of counter segments [ms, Wh, ms, Wh], NULL where each counter has one",
            ),
            **_CLUSTERED,
        )
    op.create_table(
        "pending_rollups",
        _key("resolution", sa.SmallInteger, _RESOLUTION),
        _key("bucket_start", sa.BigInteger, _BUCKET),
        _gateway_id(),
        **_CLUSTERED,
    )
    op.create_table(
        "properties",
        sa.Column("name", sa.String(64), primary_key=True, comment="time_zone, readings_pruned_before, ..."),
        sa.Column("value", sa.String(255), nullable=False, comment="its value"),
        **_NAMED,
    )


def _name() -> sa.types.TypeEngine[str]:
    return sa.String(32).with_variant(mysql.VARCHAR(32, charset="utf8mb4", collation="utf8mb4_bin"), "mysql")


def _gateway_id() -> sa.Column[Any]:
    return _key("gateway_id", sa.Integer, "gateways.id")


def _measurement_id() -> sa.Column[Any]:
    return _key("measurement_id", sa.SmallInteger, "measurements.id")


def _phase() -> sa.Column[Any]:
    return _key("phase", sa.SmallInteger, "0: whole meter, 1 to 3: L1 to L3")


def _key(name: str, kind: type[sa.types.TypeEngine[Any]], comment: str) -> sa.Column[Any]:
    return sa.Column(name, kind, primary_key=True, autoincrement=False, comment=comment)


def _required(name: str, kind: type[sa.types.TypeEngine[Any]], comment: str) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, comment=comment)


def _column(
    name: str, kind: type[sa.types.TypeEngine[Any]] | sa.types.TypeEngine[Any], comment: str
) -> sa.Column[Any]:
    return sa.Column(name, kind, comment=comment)
