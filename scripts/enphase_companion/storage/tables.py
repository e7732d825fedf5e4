"""The tables as statements are built from them; the migrations make them."""

from __future__ import annotations

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

from ..message.sample import MAX_TEXT, PHASES, WHOLE
from .levels import Level

metadata = MetaData()

#: What a meter says at one moment, W to Hz.
INSTANT = (
    "active_power",
    "reactive_power",
    "apparent_power",
    "voltage",
    "current",
    "power_factor",
    "frequency",
)
#: Counters over a meter's life, Wh to varh: all digits.
COUNTERS = (
    "energy_delivered",
    "energy_received",
    "apparent_energy",
    "reactive_energy_lagging",
    "reactive_energy_leading",
)

#: The whole meter and its phases. Statements name them so that the whole of a rollup's key is used.
ALL_PHASES = range(WHOLE, PHASES + 1)

#: MariaDB takes "Load" and "load" for one word unless it is told otherwise.
_WORD = String(MAX_TEXT).with_variant(
    mysql.VARCHAR(MAX_TEXT, charset="utf8mb4", collation="utf8mb4_bin"), "mysql"
)

#: SQLite has one size only, and its tables were made with the other name of it.
_POWER: TypeEngine[float] = Double().with_variant(Float(), "sqlite")

gateways = Table(
    "gateways",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("serial_number", _WORD, nullable=False, unique=True),
    # See batteries.py.
    Column("unmetered_batteries", Boolean),
)

measurements = Table(
    "measurements",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("word", _WORD, nullable=False, unique=True),
)

#: One row for each gateway, moment, measurement and phase. In this order a second of all gateways lies close
#: together: a tenth of the pages are touched that one place a series would need.
readings = Table(
    "readings",
    metadata,
    Column("gateway", Integer, primary_key=True, autoincrement=False),
    Column("time", BigInteger, primary_key=True, autoincrement=False),
    Column("measurement", SmallInteger, primary_key=True, autoincrement=False),
    Column("phase", SmallInteger, primary_key=True, autoincrement=False),
    # MariaDB gives back six digits of a FLOAT: enough of what is only shown, but all else is worked out from
    # active power.
    Column("active_power", _POWER),
    *(Column(name, Float) for name in INSTANT[1:]),
    *(Column(name, Double) for name in COUNTERS),
    sqlite_with_rowid=False,
)


def _rollup(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("gateway", Integer, primary_key=True, autoincrement=False),
        Column("measurement", SmallInteger, primary_key=True, autoincrement=False),
        Column("phase", SmallInteger, primary_key=True, autoincrement=False),
        Column("bucket", BigInteger, primary_key=True, autoincrement=False),
        Column("readings", Integer, nullable=False),
        Column("first_time", BigInteger, nullable=False),
        Column("last_time", BigInteger, nullable=False),
        # How many of them had a power; the mean is theirs.
        Column("power_readings", Integer, nullable=False, server_default="0"),
        Column("power_mean", _POWER),
        Column("power_min", _POWER),
        Column("power_max", _POWER),
        # Wh in either direction by power, of readings that have no counters: see estimates.py.
        Column("estimated_delivered", Double),
        Column("estimated_received", Double),
        Column("delivered_first", Double),
        Column("delivered_last", Double),
        Column("received_first", Double),
        Column("received_last", Double),
        # JSON, only where a counter fell or paused inside the bucket: see runs.py.
        Column("runs", Text().with_variant(mysql.MEDIUMTEXT(), "mysql")),
        sqlite_with_rowid=False,
    )


#: What readings are rolled up to, by the length of their buckets.
rollups = {
    Level.MINUTE: _rollup("minutes"),
    Level.QUARTER: _rollup("quarters"),
    Level.DAY: _rollup("days"),
}

#: Buckets that something was written into since they were last rolled up, or that never were.
pending = Table(
    "pending",
    metadata,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("bucket", BigInteger, primary_key=True, autoincrement=False),
    Column("gateway", Integer, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

#: What is true of the database as a whole, such as the time zone of its days.
properties = Table(
    "properties",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", String(255), nullable=False),
)
