"""Which database the settings mean, and where its days begin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .keys import Settings
from .time_zone import zone_of

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from sqlalchemy import URL

_ENPHASE_API = ("database_host", "database_username", "database_password", "database_database")


def database_zone(settings: Settings) -> ZoneInfo | None:
    """Give the time zone that is set; None: the database's own, or the system's for a new one."""
    return zone_of(settings.time_zone) if settings.time_zone else None


def database_address(settings: Settings) -> URL:
    """Give the address in `database_url`, else the one in Enphase-API's keys, else a SQLite file here.

    Raises SettingsError where that can be none.
    """
    # Only now: scripts without a database need no SQLAlchemy.
    from ..storage.address import DEFAULT, of_enphase_api, parse  # noqa: PLC0415

    values = [getattr(settings, name) for name in _ENPHASE_API]
    if settings.database_url is None and any(values):
        return of_enphase_api(*values)
    return parse(settings.database_url or DEFAULT)
