"""What a database holds, for its owner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import bindparam, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from . import properties, schema
from .batteries import unmetered_batteries
from .levels import Level
from .spans import numbers, span_of_readings
from .tables import metadata, pending_rollups


@dataclass(frozen=True, slots=True)
class GatewayStatus:
    """What there is of one gateway; milliseconds since the epoch, None where its readings are pruned."""

    serial_number: str
    oldest_reading: int | None
    newest_reading: int | None
    #: Batteries that no meter measures are there; None where the gateway never said.
    unmetered_batteries: bool | None


@dataclass(frozen=True, slots=True)
class Status:
    """What a database holds."""

    #: Of the tables; None where there are none.
    version: str | None
    #: The version that this program needs.
    newest_version: str
    time_zone: str | None = None
    gateways: tuple[GatewayStatus, ...] = ()
    #: How many buckets are still to be rolled up, the ones that have not ended included.
    pending: Mapping[Level, int] | None = None
    #: On disk, in bytes; None where the server does not say.
    size: int | None = None

    @property
    def is_up_to_date(self) -> bool:
        """Whether this program can work with the tables."""
        return self.version == self.newest_version


async def status(connection: AsyncConnection) -> Status:
    """Return what the database holds; only the versions where its tables are not of this program's."""
    version, newest = await schema.version(connection), schema.newest()
    if version != newest:
        return Status(version, newest)
    counts = await connection.execute(
        select(pending_rollups.c.resolution, func.count()).group_by(pending_rollups.c.resolution)
    )
    batteries = await unmetered_batteries(connection)
    there = []
    for number, name in (await numbers(connection)).items():
        oldest, newest_reading = await span_of_readings(connection, number) or (None, None)
        there.append(GatewayStatus(name, oldest, newest_reading, batteries[name]))
    return Status(
        version,
        newest,
        await properties.time_zone(connection),
        tuple(there),
        {Level(level): count for level, count in counts},
        await _size(connection),
    )


async def _size(connection: AsyncConnection) -> int | None:
    if connection.dialect.name == "sqlite":
        pages = await connection.scalar(text("SELECT page_count FROM pragma_page_count"))
        return int(pages) * int(await connection.scalar(text("SELECT page_size FROM pragma_page_size")))
    size = await connection.scalar(
        text(
            "SELECT SUM(data_length + index_length) FROM information_schema.tables"
            " WHERE table_schema = DATABASE() AND table_name IN :names"
        ).bindparams(bindparam("names", list(metadata.tables), expanding=True))
    )
    return None if size is None else int(size)
