"""Which database is meant, by a URL, Enphase-API's keys or nothing at all; and where its days begin."""

from __future__ import annotations

import ssl
from zoneinfo import ZoneInfo

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from ..running.errors import SettingsError
from ..settings.keys import Settings
from ..settings.time_zone import zone_of

DEFAULT = "sqlite+aiosqlite:///enphase.db"

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "mysql": "mysql+aiomysql",
    "mariadb": "mysql+aiomysql",
}

_ENPHASE_API = ("database_host", "database_username", "database_password", "database_database")


def database_address(settings: Settings) -> URL:
    """Give the address in `database_url`, else the one in Enphase-API's keys, else a SQLite file here.

    Raises SettingsError where that can be none.
    """
    values = [getattr(settings, name) for name in _ENPHASE_API]
    if settings.database_url is None and any(values):
        return of_enphase_api(*values)
    return parse(settings.database_url or DEFAULT)


def database_zone(settings: Settings) -> ZoneInfo | None:
    """Give the time zone that is set; None: the database's own, or the system's for a new one."""
    return zone_of(settings.time_zone) if settings.time_zone else None


def parse(url: str, key: str = "database_url") -> URL:
    """Read the URL of a database; the driver in it may be left out. `key`: of the setting, for messages.

    Raises SettingsError, without the URL, which may hold a password.
    """
    try:
        parsed = make_url(url.strip())
    except (ArgumentError, ValueError):
        raise SettingsError(
            f"{key}: is no address of a database. It must look like sqlite:///enphase.db or "
            "mysql://user:password@host/database"
        ) from None
    driver = _DRIVERS.get(parsed.get_backend_name())
    if driver is None:
        raise SettingsError(
            f"{key}: {parsed.get_backend_name()} is no database that this program knows. "
            "It must begin with sqlite:// or mysql:// (MariaDB)."
        )
    if not parsed.database or parsed.database == ":memory:":
        raise SettingsError(f"{key}: no database is named at its end, as in mysql://host/enphase")
    return parsed.set(drivername=driver)


def of_enphase_api(host: str | None, username: str | None, password: str | None, database: str | None) -> URL:
    """Give the MariaDB or MySQL that Enphase-API's keys mean, with its defaults for the others."""
    return URL.create(
        "mysql+aiomysql",
        username=username or "root",
        password=password or None,
        host=host or "localhost",
        database=database or "Enphase",
    )


def named(url: URL) -> str:
    """Give the address as a message may name it: without user, password and options."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    port = f":{url.port}" if url.port else ""
    return f"{url.database} on {url.host or 'localhost'}{port}"


def tls(url: URL) -> tuple[URL, ssl.SSLContext | None]:
    """Take `ssl_ca=FILE` out of the options of a URL, and give the context that trusts only that.

    SQLAlchemy would make a dict of it, which the driver aiomysql does not take. Raises SettingsError where
    the file cannot be read.
    """
    file = url.query.get("ssl_ca")
    if file is None:
        return url, None
    try:
        return url.difference_update_query(["ssl_ca"]), ssl.create_default_context(cafile=str(file))
    except OSError as error:
        raise SettingsError(
            f"database_url: ssl_ca={file}: {error.strerror or 'holds no certificate'}"
        ) from None
