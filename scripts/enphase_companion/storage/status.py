"""Status: what a database holds, as data and as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from enphase_api.json_values import printable

from . import schema
from .buckets import SECOND, Resolution
from .inverters import count_inverters
from .statements import find_reading_range, get_battery_flags, get_gateways, get_time_zone
from .tables import metadata, pending_rollups

_NAMES = {
    Resolution.MINUTE: "minute",
    Resolution.QUARTER_HOUR: "quarter-hour",
    Resolution.DAY: "day",
}


@dataclass(frozen=True, slots=True)
class GatewayStatus:
    """The readings of one gateway; times in milliseconds since the epoch, None where none is left."""

    serial_number: str
    oldest_reading: int | None
    newest_reading: int | None
    #: Whether the gateway has batteries without a meter; None where it never reported it.
    has_unmetered_batteries: bool | None
    #: The number of microinverters with readings, whose days are kept for ever.
    inverters: int = 0


@dataclass(frozen=True, slots=True)
class Status:
    """The contents of a database."""

    #: The version of its tables; None if there are none.
    version: str | None
    #: The version that this program needs.
    newest_version: str
    time_zone: str | None = None
    gateways: tuple[GatewayStatus, ...] = ()
    #: The number of buckets that are not rolled up yet, including those that have not ended.
    pending: Mapping[Resolution, int] | None = None
    #: Size on disk in bytes; None if the server does not report it.
    size: int | None = None

    @property
    def is_up_to_date(self) -> bool:
        """Whether this program can work with the tables."""
        return self.version == self.newest_version


async def get_status(connection: AsyncConnection) -> Status:
    """Return the status of a database; only its versions where its tables are not those of this program."""
    version, newest = await schema.get_version(connection), schema.newest_version()
    if version != newest:
        return Status(version, newest)
    resolution = pending_rollups.c.resolution
    counts = await connection.execute(select(resolution, func.count()).group_by(resolution))
    batteries = await get_battery_flags(connection)
    gateways = []
    for gateway, serial_number in (await get_gateways(connection)).items():
        oldest, newest_reading = await find_reading_range(connection, gateway) or (None, None)
        inverters = await count_inverters(connection, gateway)
        gateways.append(
            GatewayStatus(serial_number, oldest, newest_reading, batteries[serial_number], inverters)
        )
    return Status(
        version,
        newest,
        await get_time_zone(connection),
        tuple(gateways),
        {Resolution(each): count for each, count in counts},
        await _get_size(connection),
    )


async def _get_size(connection: AsyncConnection) -> int | None:
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


def format_status(name: str, status: Status, zone: ZoneInfo | None, protection: str | None) -> str:
    """Return the status of the database `name` as text, with times in `zone`.

    `protection`: of the connection, see `Database.protection`.
    """
    if status.version is None:
        return f"{name}: has no tables yet: run enphase-database upgrade"
    if not status.is_up_to_date:
        return (
            f"{name}: tables of version {status.version}, but this program needs version "
            f"{status.newest_version}: run enphase-database upgrade"
        )
    size = "" if status.size is None else f", {status.size / 1e6:,.1f} MB"
    pending = [
        f"{count:,} {_NAMES[resolution]}{'s' if count > 1 else ''}"
        for resolution, count in sorted((status.pending or {}).items())
    ]
    lines = [
        f"{name}: tables of version {status.version}, days of {status.time_zone}{size}",
        *([f"connection: {protection}"] if protection is not None else []),
        *(_format_gateway(gateway, zone) for gateway in status.gateways),
        f"pending rollups: {', '.join(pending) or 'none'}",
    ]
    return "\n".join(lines if status.gateways else [*lines, "no readings yet"])


def _format_gateway(gateway: GatewayStatus, zone: ZoneInfo | None) -> str:
    # Another program may have stored anything as its serial number.
    name = printable(gateway.serial_number)
    rest = ", batteries without a meter" if gateway.has_unmetered_batteries else ""
    rest += f", {gateway.inverters:,} panels" if gateway.inverters else ""
    if gateway.oldest_reading is None or gateway.newest_reading is None:
        return f"{name}: no single readings{rest}"
    first, last = (
        f"{datetime.fromtimestamp(at / SECOND, zone):%Y-%m-%d %H:%M:%S}"
        for at in (gateway.oldest_reading, gateway.newest_reading)
    )
    return f"{name}: readings from {first} to {last}{rest}"
