"""Which database: from a URL, from Enphase-API's keys, or a SQLite file where nothing is said."""

from __future__ import annotations

import ssl

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from ..running.errors import SettingsError

DEFAULT = "sqlite+aiosqlite:///enphase.db"

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "mysql": "mysql+aiomysql",
    "mariadb": "mysql+aiomysql",
}


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
