"""The status of a database in words."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from enphase_api.json_values import printable

from .levels import SECOND, Level
from .status import GatewayStatus, Status

_NAMES = {Level.MINUTE: "minute", Level.QUARTER: "quarter-hour", Level.DAY: "day"}


def status(place: str, found: Status, zone: ZoneInfo | None, protection: str | None) -> str:
    """Return what is in the database at `place`, with moments in the time zone of its days.

    `protection`: of the connection, see `Database.protection`.
    """
    if found.version is None:
        return f"{place}: has no tables yet. Make them: enphase-database upgrade"
    if not found.is_up_to_date:
        return (
            f"{place}: its tables are of version {found.version}, and this program needs "
            f"{found.newest_version}. Bring them up to date: enphase-database upgrade"
        )
    size = "" if found.size is None else f", {found.size / 1e6:,.1f} MB"
    waiting = [
        f"{count:,} {_NAMES[level]}{'s' if count > 1 else ''}"
        for level, count in sorted((found.pending or {}).items())
    ]
    lines = [
        f"{place}: tables of version {found.version}, days of {found.time_zone}{size}",
        *([f"connection: {protection}"] if protection is not None else []),
        *(_gateway(gateway, zone) for gateway in found.gateways),
        f"to be rolled up, or not ended yet: {', '.join(waiting) or 'nothing'}",
    ]
    return "\n".join(lines if found.gateways else [*lines, "no readings yet"])


def _gateway(gateway: GatewayStatus, zone: ZoneInfo | None) -> str:
    # Another program can have stored any name there.
    name = printable(gateway.serial_number)
    batteries = ", batteries without a meter" if gateway.unmetered_batteries else ""
    if gateway.oldest_reading is None or gateway.newest_reading is None:
        return f"{name}: no single readings{batteries}"
    first, last = (
        f"{datetime.fromtimestamp(at / SECOND, zone):%Y-%m-%d %H:%M:%S}"
        for at in (gateway.oldest_reading, gateway.newest_reading)
    )
    return f"{name}: readings from {first} to {last}{batteries}"
