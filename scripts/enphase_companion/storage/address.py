"""Which database is meant, by a URL, Enphase-API's keys or nothing at all; and where its days begin."""

from __future__ import annotations

import re
import ssl
from zoneinfo import ZoneInfo

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from ..config.addresses import SPELLING, is_clear, is_this_machine
from ..config.settings import Settings
from ..config.time_zone import zone_of
from ..runtime.errors import SettingsError

DEFAULT = "sqlite+aiosqlite:///enphase.db"

_MYSQL = "mysql+aiomysql"
_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
}

#: What may stand after the ? of a MariaDB's address; a SQLite file's is SQLite's own.
_OPTIONS = ("ssl", "ssl_ca", "unix_socket")

_WITHOUT_URL = {
    "database_url": ", or set database_host, database_username, database_password and database_database, "
    "which take them as they are"
}

_ENPHASE_API = ("database_host", "database_username", "database_password", "database_database")


def database_address(settings: Settings) -> URL:
    """Return the address in `database_url`, else the one in Enphase-API's keys, else a SQLite file here.

    Raises SettingsError where that can be none.
    """
    values = [getattr(settings, name) for name in _ENPHASE_API]
    if settings.database_url is None and any(values):
        return of_enphase_api(*values)
    return parse(settings.database_url or DEFAULT)


def database_zone(settings: Settings) -> ZoneInfo | None:
    """Return the time zone that is set; None: the database's own, or the system's for a new one."""
    return zone_of(settings.time_zone) if settings.time_zone else None


def parse(url: str, key: str = "database_url") -> URL:
    """Read the URL of a database; the driver in it may be left out. `key`: of the setting, for messages.

    Raises SettingsError, without the URL, which may hold a password.
    """
    url = url.strip()
    if re.fullmatch(r"[\w./~ -]+\.(?:db|sqlite3?)", url):
        raise SettingsError(f"{key}: {url} is no address: write sqlite:///{url} for this file")
    if url.startswith("sqlite") and not re.match(r"sqlite[+\w]*:///", url):
        raise SettingsError(
            f"{key}: a file has three slashes before its name, as in sqlite:///enphase.db, and four before a "
            "path from the root, as in sqlite:////var/lib/enphase/enphase.db"
        )
    alike = (
        f"{key}: is no address of a database: it must look like sqlite:///enphase.db, or like "
        "mysql://host/database with user:password@ before the host"
    )
    if not url.startswith("sqlite") and not is_clear(url):
        raise SettingsError(f"{alike}: {SPELLING}" + _WITHOUT_URL.get(key, ""))
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise SettingsError(alike) from None
    driver = _DRIVERS.get(parsed.get_backend_name())
    if driver is None:
        raise SettingsError(
            f"{key}: {parsed.get_backend_name()} is no database that this program knows. "
            "It must begin with sqlite:// or mysql:// (MariaDB)."
        )
    if parsed.database == ":memory:":
        raise SettingsError(
            f"{key}: readings in memory would be lost: name a file, as in sqlite:///enphase.db"
        )
    if not parsed.database:
        raise SettingsError(f"{key}: no database is named at its end, as in mysql://host/enphase")
    if driver == _MYSQL and (unknown := parsed.query.keys() - _OPTIONS):
        raise SettingsError(
            f"{key}: {', '.join(sorted(unknown))} after the ? is no option of an address: "
            f"only {', '.join(_OPTIONS)} are"
        )
    return parsed.set(drivername=driver)


def of_enphase_api(host: str | None, username: str | None, password: str | None, database: str | None) -> URL:
    """Return the MariaDB or MySQL that Enphase-API's keys mean, with its defaults for the others."""
    return URL.create(
        _MYSQL,
        username=username or "root",
        password=password or None,
        host=host or "localhost",
        database=database or "Enphase",
    )


def named(url: URL) -> str:
    """Return the address as a message may name it: without user, password and options."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    port = f":{url.port}" if url.port else ""
    return f"{url.database} on {url.host or 'localhost'}{port}"


def protection(url: URL) -> str | None:
    """Return in words how the way to a database is protected; None for a file."""
    if url.get_backend_name() == "sqlite":
        return None
    if "unix_socket" in url.query:
        return "by a socket of this machine"
    if "ssl_ca" in url.query:
        return "encrypted, to the server that ssl_ca names"
    if "ssl" in url.query:
        return "encrypted, but whose server it is nobody verifies: ?ssl_ca=FILE in database_url does"
    if is_this_machine(url.host):
        return "not encrypted, but stays on this machine"
    return "not encrypted: ?ssl_ca=FILE, or ?ssl=required, in database_url encrypts it"


def tls(url: URL) -> tuple[URL, ssl.SSLContext | None]:
    """Take `ssl_ca=FILE` and `ssl=required` out of a URL, and return the context that they mean.

    With `ssl_ca` only a server is trusted whose certificate that file vouches for; `ssl=required` alone takes
    any certificate. SQLAlchemy would hand the driver values that it does not take. Raises SettingsError where
    the file cannot be read.
    """
    file, wanted = url.query.get("ssl_ca"), url.query.get("ssl")
    if wanted not in (None, "required"):
        raise SettingsError(
            "database_url: ssl= can only be required; for a server to be trusted, ssl_ca=FILE"
        )
    url = url.difference_update_query(["ssl_ca", "ssl"])
    if file is not None:
        try:
            return url, ssl.create_default_context(cafile=str(file))
        except OSError as error:
            raise SettingsError(
                f"database_url: ssl_ca={file}: {error.strerror or 'holds no certificate'}"
            ) from None
    if wanted is None:
        return url, None
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return url, context
