"""The address of the database, from a URL, from the keys of Enphase-API or by default; and its time zone."""

from __future__ import annotations

import re
import ssl
from zoneinfo import ZoneInfo

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from ..config.rules import SPELLING, is_clear, is_this_machine, zone_of
from ..config.settings import Settings
from ..runtime.errors import SettingsError
from .sqlite_file import DEFAULT

_MYSQL = "mysql+aiomysql"
_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
}

#: The options after the ? in the URL of MariaDB; those of SQLite are its own.
_OPTIONS = ("ssl", "ssl_ca", "unix_socket")

_WITHOUT_URL = {
    "database_url": ", or set database_host, database_username, database_password and database_database, "
    "which take them as they are"
}

_ENPHASE_API = ("database_host", "database_username", "database_password", "database_database")


def database_address(settings: Settings) -> URL:
    """Return the URL in `database_url`, else from the keys of Enphase-API, else of a file in this folder.

    Raises SettingsError if it is invalid.
    """
    values = [getattr(settings, name) for name in _ENPHASE_API]
    if settings.database_url is None and any(values):
        return enphase_api_url(*values)
    return parse_url(settings.database_url or DEFAULT)


def database_zone(settings: Settings) -> ZoneInfo | None:
    """Return the time zone that is set; None for the database's own, or the system's for a new one."""
    return zone_of(settings.time_zone) if settings.time_zone else None


def parse_url(url: str, key: str = "database_url") -> URL:
    """Return the URL of a database with its driver. `key`: the setting, for messages.

    Raises SettingsError, without the URL, which may contain a password.
    """
    url = url.strip()
    if re.fullmatch(r"[\w./~ -]+\.(?:db|sqlite3?)", url):
        raise SettingsError(f"{key}: {url} is not a URL: write sqlite:///{url} for this file")
    if url.startswith("sqlite") and not re.match(r"sqlite[+\w]*:///", url):
        raise SettingsError(
            f"{key}: three slashes precede a file name, as in sqlite:///enphase.db, and four an absolute "
            "path, as in sqlite:////var/lib/enphase/enphase.db"
        )
    invalid = (
        f"{key}: not the URL of a database: it must look like sqlite:///enphase.db, or like "
        "mysql://host/database with user:password@ before the host"
    )
    if not url.startswith("sqlite") and not is_clear(url):
        raise SettingsError(f"{invalid}: {SPELLING}" + _WITHOUT_URL.get(key, ""))
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise SettingsError(invalid) from None
    driver = _DRIVERS.get(parsed.get_backend_name())
    if driver is None:
        raise SettingsError(
            f"{key}: {parsed.get_backend_name()} is not supported: the URL must begin with sqlite:// or "
            "mysql:// (also for MariaDB)"
        )
    if parsed.database == ":memory:":
        raise SettingsError(
            f"{key}: a database in memory would be lost: name a file, as in sqlite:///enphase.db"
        )
    if not parsed.database:
        raise SettingsError(
            f"{key}: the name of the database is missing at its end, as in mysql://host/enphase"
        )
    if driver == _MYSQL and (unknown := parsed.query.keys() - _OPTIONS):
        raise SettingsError(
            f"{key}: unknown option {', '.join(sorted(unknown))} after the ?: use {', '.join(_OPTIONS)}"
        )
    return parsed.set(drivername=driver)


def enphase_api_url(
    host: str | None, username: str | None, password: str | None, database: str | None
) -> URL:
    """Return the URL for the keys of Enphase-API, with its defaults for those that are missing."""
    return URL.create(
        _MYSQL,
        username=username or "root",
        password=password or None,
        host=host or "localhost",
        database=database or "Enphase",
    )


def display_name(url: URL) -> str:
    """Return the name of the database for messages: without user, password and options."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    port = f":{url.port}" if url.port else ""
    return f"{url.database} on {url.host or 'localhost'}{port}"


def describe_protection(url: URL) -> str | None:
    """Return a description of how the connection is protected; None for a file."""
    if url.get_backend_name() == "sqlite":
        return None
    if "unix_socket" in url.query:
        return "a socket of this machine"
    if "ssl_ca" in url.query:
        return "encrypted, to a server verified by ssl_ca"
    if "ssl" in url.query:
        return "encrypted, but the server is not verified: add ?ssl_ca=FILE to database_url"
    if is_this_machine(url.host):
        return "not encrypted, but stays on this machine"
    return "not encrypted: add ?ssl_ca=FILE or ?ssl=required to database_url"


def extract_tls(url: URL) -> tuple[URL, ssl.SSLContext | None]:
    """Return a URL without `ssl_ca=FILE` and `ssl=required`, and the SSL context for them.

    With `ssl_ca`, the certificate of the server must be signed by one in that file; `ssl=required` alone
    accepts any certificate. SQLAlchemy would pass the driver values that it does not accept. Raises
    SettingsError if the file cannot be read.
    """
    file, wanted = url.query.get("ssl_ca"), url.query.get("ssl")
    if wanted not in (None, "required"):
        raise SettingsError(
            "database_url: the only value of ssl is required; to verify the server, use ssl_ca=FILE"
        )
    url = url.difference_update_query(["ssl_ca", "ssl"])
    if file is not None:
        try:
            return url, ssl.create_default_context(cafile=str(file))
        except OSError as error:
            raise SettingsError(
                f"database_url: ssl_ca={file}: {error.strerror or 'contains no certificate'}"
            ) from None
    if wanted is None:
        return url, None
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return url, context
