"""The tables, as statements are built from them; the migrations create them.

The comment of each column is its unit or meaning, in the database and in docs/reference.md.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Float,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

from ..message import MAX_TEXT, PHASES, WHOLE
from .buckets import Resolution

metadata = MetaData()

#: The whole meter and its phases. Statements name them, so that the whole key of a rollup is used.
ALL_PHASES = range(WHOLE, PHASES + 1)

#: Without this collation, MariaDB compares "Load" and "load" as equal.
_NAME = String(MAX_TEXT).with_variant(
    mysql.VARCHAR(MAX_TEXT, charset="utf8mb4", collation="utf8mb4_bin"), "mysql"
)

_TIME = "ms since 1970-01-01 00:00 UTC"
_BUCKET = f"start of the bucket, {_TIME}"


def _key(name: str, kind: type[TypeEngine[Any]], comment: str) -> Column[Any]:
    return Column(name, kind, primary_key=True, autoincrement=False, comment=comment)


def _gateway_id() -> Column[Any]:
    return _key("gateway_id", Integer, "gateways.id")


def _measurement_id() -> Column[Any]:
    return _key("measurement_id", SmallInteger, "measurements.id")


def _inverter_id() -> Column[Any]:
    return _key("inverter_id", Integer, "inverters.id")


def _phase() -> Column[Any]:
    return _key("phase", SmallInteger, "0: whole meter, 1 to 3: L1 to L3")


gateways = Table(
    "gateways",
    metadata,
    Column("id", Integer, primary_key=True, comment="gateway_id in other tables"),
    Column("serial_number", _NAME, nullable=False, unique=True, comment="serial number of the gateway"),
    # See BatteryFlags in writer.py.
    Column("has_unmetered_batteries", Boolean, comment="whether it has batteries without a meter"),
)

measurements = Table(
    "measurements",
    metadata,
    Column("id", Integer, primary_key=True, comment="measurement_id in other tables"),
    Column("name", _NAME, nullable=False, unique=True, comment="production, net-consumption, ..."),
)

#: One row for each gateway, time, measurement and phase. With this key, rows of the same second are stored
#: together: an insert touches a tenth of the pages that a key by series would need.
readings = Table(
    "readings",
    metadata,
    _gateway_id(),
    _key("measured_at", BigInteger, _TIME),
    _measurement_id(),
    _phase(),
    # The fields of Quantities in their order: the writer inserts them as they are. MariaDB returns six digits
    # of a FLOAT. Active power has all digits, because energy estimates and rollups are calculated from it.
    Column("active_power", Double, comment="W"),
    Column("reactive_power", Float, comment="var"),
    Column("apparent_power", Float, comment="VA"),
    Column("voltage", Float, comment="V"),
    Column("current", Float, comment="A"),
    Column("power_factor", Float, comment="-1 to 1"),
    Column("frequency", Float, comment="Hz"),
    Column("energy_delivered", Double, comment="Wh, counter of the positive direction"),
    Column("energy_received", Double, comment="Wh, counter of the negative direction"),
    Column("apparent_energy", Double, comment="VAh, counter"),
    Column("reactive_energy_lagging", Double, comment="varh, counter"),
    Column("reactive_energy_leading", Double, comment="varh, counter"),
    sqlite_with_rowid=False,
)


inverters = Table(
    "inverters",
    metadata,
    Column("id", Integer, primary_key=True, comment="inverter_id in other tables"),
    Column("serial_number", _NAME, nullable=False, unique=True, comment="serial number of the microinverter"),
)

#: One row for each gateway, time and microinverter; those of five minutes are stored together.
inverter_readings = Table(
    "inverter_readings",
    metadata,
    _gateway_id(),
    _key("measured_at", BigInteger, _TIME),
    _inverter_id(),
    # All digits of both, as energy is calculated from them.
    Column("power", Double, comment="W, mean since the report before"),
    Column("energy", Double, comment="Wh, counter that starts again at 2^32 J (1.19 MWh)"),
    sqlite_with_rowid=False,
)

#: The rollup of a microinverter's local day. See inverters.py.
inverter_days = Table(
    "inverter_days",
    metadata,
    _gateway_id(),
    _key("bucket_start", BigInteger, _BUCKET),
    _inverter_id(),
    Column("reading_count", Integer, nullable=False, comment="readings in the bucket"),
    Column("first_measured_at", BigInteger, nullable=False, comment=f"first reading, {_TIME}"),
    Column("last_measured_at", BigInteger, nullable=False, comment=f"last reading, {_TIME}"),
    Column("energy", Double, comment="Wh, produced from the first to the last reading"),
    Column("power_max", Double, comment="W"),
    Column("energy_first", Double, comment="Wh, counter at its first reading"),
    Column("energy_last", Double, comment="Wh, counter at its last reading"),
    sqlite_with_rowid=False,
)


def _rollup(name: str) -> Table:
    return Table(
        name,
        metadata,
        _gateway_id(),
        _measurement_id(),
        _phase(),
        _key("bucket_start", BigInteger, _BUCKET),
        Column("reading_count", Integer, nullable=False, comment="readings in the bucket"),
        Column("first_measured_at", BigInteger, nullable=False, comment=f"first reading, {_TIME}"),
        Column("last_measured_at", BigInteger, nullable=False, comment=f"last reading, {_TIME}"),
        Column("power_reading_count", Integer, nullable=False, comment="readings with an active power"),
        Column("power_mean", Double, comment="W, active power"),
        Column("power_min", Double, comment="W, active power"),
        Column("power_max", Double, comment="W, active power"),
        # See estimate_energy in summary.py.
        Column("energy_delivered_estimated", Double, comment="Wh, from power where counters are unknown"),
        Column("energy_received_estimated", Double, comment="Wh, from power where counters are unknown"),
        Column("energy_delivered_first", Double, comment="Wh, counter at its first reading"),
        Column("energy_delivered_last", Double, comment="Wh, counter at its last reading"),
        Column("energy_received_first", Double, comment="Wh, counter at its first reading"),
        Column("energy_received_last", Double, comment="Wh, counter at its last reading"),
        # See counter_segments.py.
        Column(
            "segments",
            Text().with_variant(mysql.MEDIUMTEXT(), "mysql"),
            comment="JSON of counter segments [ms, Wh, ms, Wh], NULL where each counter has one",
        ),
        sqlite_with_rowid=False,
    )


#: The rollups, by the length of their buckets.
rollups = {
    Resolution.MINUTE: _rollup("minutes"),
    Resolution.QUARTER_HOUR: _rollup("quarter_hours"),
    Resolution.DAY: _rollup("days"),
}

#: Buckets with readings that are not rolled up yet.
pending_rollups = Table(
    "pending_rollups",
    metadata,
    _key("resolution", SmallInteger, "1: minute, 2: quarter-hour, 3: day"),
    _key("bucket_start", BigInteger, _BUCKET),
    _gateway_id(),
    sqlite_with_rowid=False,
)

#: Properties of the whole database, such as the time zone of its days.
properties = Table(
    "properties",
    metadata,
    Column(
        "name",
        String(64),
        primary_key=True,
        comment="time_zone, readings_pruned_before, ...",
    ),
    Column("value", String(255), nullable=False, comment="its value"),
)
