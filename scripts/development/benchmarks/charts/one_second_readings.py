"""A database of one-second readings, made once and kept: rows by SQL, rollups as the product makes them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.progress import Progress
from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import Connection

from enphase_api.models import Quantities
from enphase_companion.message import Message, Sample
from enphase_companion.storage import Database

from ...steps import PROJECT

#: 2025-07-01 in Vienna.
START = 1751320800
ZONE = ZoneInfo("Europe/Vienna")
_GATEWAY = "122300000001"

_SECONDS = 86_400
#: Days between two roll-ups, so that a broken run continues near where it was.
_DAYS_AT_ONCE = 5

#: Both meters read each second: a parabola of sun, and a home that is never twice the same.
_INSERT = """
INSERT INTO readings (gateway_id, measured_at, measurement_id, phase, active_power, voltage, frequency,
    energy_delivered, energy_received)
SELECT :gateway, :start + 1000 * second, meter, 0,
    CASE meter WHEN :production THEN sun ELSE 300 + (second * 7919) % 1013 - sun END, 230.5, 50.0,
    (:passed + second) * (CASE meter WHEN :production THEN 0.5 ELSE 0.2 END),
    (:passed + second) * (CASE meter WHEN :production THEN 0.0 ELSE 0.3 END)
FROM (
    SELECT second, meter,
        CASE WHEN second BETWEEN 21800 AND 71800
            THEN :peak * (1 - (second - 46800.0) * (second - 46800.0) / 625000000.0) ELSE 0.0 END AS sun
    FROM seconds CROSS JOIN (SELECT :production AS meter UNION ALL SELECT :net) meters
) AS seen
ORDER BY second, meter
"""

_PENDING = """
INSERT INTO pending_rollups (resolution, bucket_start, gateway_id)
SELECT 1, :start + 1000 * second, :gateway FROM seconds WHERE second % 60 = 0
"""


def kept_file(days: int) -> Path:
    """Return the SQLite file of a database of this number of days."""
    folder = PROJECT / ".cache"
    folder.mkdir(exist_ok=True)
    return folder / f"one-second-readings-{days}.db"


def fill(url: str, days: int, progress: Progress) -> None:
    """Fill a database, unless it is full: a second for each second of these days, of two meters."""
    done = asyncio.run(_begin(url))
    with _connect(url) as connection:
        for first in progress.track(range(done, days, _DAYS_AT_ONCE), description="filling"):
            for day in range(first, min(first + _DAYS_AT_ONCE, days)):
                _fill_day(connection, day)
            connection.execute(
                text("UPDATE properties SET value = :days WHERE name = 'benchmark'"),
                {"days": min(first + _DAYS_AT_ONCE, days)},
            )
            connection.commit()
            asyncio.run(_roll_up(url))


async def _begin(url: str) -> int:
    """Create tables, ids and the number of full days, unless they are there; return that number."""
    names = ("production", "net-consumption")
    samples = tuple(Sample(name, 0, (START - 1) * 1000, Quantities(active_power=0.0)) for name in names)
    async with Database(url, ZONE) as database:
        await database.upgrade()
        if not await database.gateways():
            await database.write([Message(_GATEWAY, START - 1, samples, None)])
    with _connect(url) as connection:
        done = connection.scalar(text("SELECT value FROM properties WHERE name = 'benchmark'"))
        if done is None:
            connection.execute(text("INSERT INTO properties (name, value) VALUES ('benchmark', '0')"))
            connection.commit()
    return int(done or 0)


async def _roll_up(url: str) -> None:
    async with Database(url) as database:
        await database.roll_up()


def _fill_day(connection: Connection, day: int) -> None:
    ids = {
        name: connection.scalar(text("SELECT id FROM measurements WHERE name = :name"), {"name": name})
        for name in ("production", "net-consumption")
    }
    # Days differ: the seventh part of the sun to all of it.
    values = {
        "gateway": connection.scalar(text("SELECT id FROM gateways")),
        "start": (START + day * _SECONDS) * 1000,
        "production": ids["production"],
        "net": ids["net-consumption"],
        "peak": 600.0 * (1 + day * 5 % 7),
        "passed": day * _SECONDS,
    }
    connection.execute(text(_INSERT), values)
    connection.execute(text(_PENDING), {name: values[name] for name in ("start", "gateway")})


@contextmanager
def _connect(url: str) -> Iterator[Connection]:
    driver = url.replace("mysql://", "mysql+pymysql://")
    engine = create_engine(driver)
    if driver.startswith("sqlite"):

        @event.listens_for(engine, "connect")
        def configure(connection: object, _: object) -> None:
            connection.execute("PRAGMA synchronous = OFF")  # type: ignore[attr-defined]

    try:
        with engine.connect() as connection:
            connection.execute(text("CREATE TEMPORARY TABLE seconds (second INTEGER PRIMARY KEY)"))
            connection.execute(
                text("INSERT INTO seconds VALUES (:second)"), [{"second": each} for each in range(_SECONDS)]
            )
            connection.commit()
            yield connection
    finally:
        engine.dispose()
