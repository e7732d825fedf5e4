"""Errors of the database, in one line for a person, without secrets and without data."""

from __future__ import annotations

import re
import sqlite3
import ssl
from collections.abc import Iterator

from sqlalchemy.exc import DBAPIError

from enphase_api.json_values import printable

from ..runtime.errors import CommandError


class StorageError(CommandError):
    """An operation of the database failed, and retrying it does not help."""


class UnavailableError(StorageError):
    """The database is unavailable: the operation may work later."""


class UnstorableError(StorageError):
    """The database can never store some of the data; without it, the rest may be stored."""


_UPGRADE = "its tables are missing or old: run enphase-database upgrade"

#: Deadlock, lock wait timeout, row changed since it was read, table changed: the server ended one of two
#: conflicting transactions. https://mariadb.com/kb/en/mariadb-error-code-reference/
_RETRYABLE = frozenset({1205, 1213, 1020, 1412})

#: Errors that do not pass, and what to do about them.
_PERMANENT = {
    1044: "this user may not use this database: docs/database.md lists what to grant",
    1045: "the server refuses user name or password",
    1049: "no such database: create it, or correct its name",
    1054: _UPGRADE,
    1142: "this user lacks a privilege: docs/database.md lists what to grant",
    1146: _UPGRADE,
    1698: "the server refuses this user: it may only connect through the socket of the machine",
}

_DISK_FULL = 1021
_FULL = "the server's disk is full: make room on it"
_READ_ONLY = "the server is read-only: it was started so, or is a replica"

#: Errors that an administrator of the server has to fix; afterwards, writing continues.
_AT_THE_SERVER = {
    20: _FULL,
    _DISK_FULL: _FULL,
    1114: "the server has no room for this table: make room on its disk, or raise its limit",
    1290: _READ_ONLY,
    1836: _READ_ONLY,
    1792: _READ_ONLY,
    3: "the server cannot write to its disk",
    1026: "the server cannot write to its disk",
    2003: "no connection: check that the server runs there, or correct the address",
}

#: Disk errors within a general error: no space left, read-only, quota. "Got error 28 ... from storage engine
#: InnoDB".
_STORAGE_ENGINE = 1030
_DISK_ERROR = re.compile(r"\berror (?:28|30|69|122)\b")

#: Too many connections, shutting down, lost connections of several kinds.
_TRANSIENT = frozenset({0, 1040, 1053, 1077, 1129, 1152, 1158, 1159, 1160, 1161, 1203, 1226, 1927})

#: Data that no column accepts: a missing, duplicate, truncated, invalid or out-of-range value; a statement
#: too long (1153) or with too many values (1390); a violated constraint (3819, 4025).
_UNSTORABLE = frozenset(
    {1048, 1062, 1153, 1264, 1265, 1292, 1366, 1367, 1390, 1406, 1411, 1416, 1441, 1690, 3819, 4025}
)

#: The same errors of SQLite.
_SQLITE_UNSTORABLE = frozenset({"CONSTRAINT", "MISMATCH", "RANGE", "TOOBIG"})

#: Maximum length of a message from the server.
_MAX_MESSAGE = 200

#: Errors of the client library: it cannot connect, or lost the connection.
_CLIENT = range(2000, 3000)

_SQLITE_TRANSIENT = {
    "BUSY": "another program keeps the database locked",
    "LOCKED": "another program keeps the database locked",
    "FULL": "the disk is full",
    "IOERR": "the disk cannot read or write",
}

_SQLITE_PERMANENT = {
    "CANTOPEN": "cannot be opened: check that its folder exists and this user may write there",
    "READONLY": "this user may not write there",
    "NOTADB": "not an SQLite database",
    "CORRUPT": "the database is damaged: restore a backup",
}


def is_retryable(error: DBAPIError) -> bool:
    """Return whether a transaction failed only because another one conflicted: it is retried."""
    return _get_code(error) in _RETRYABLE or _get_sqlite_name(error) in {"BUSY", "LOCKED"}


def translate_error(error: DBAPIError, database: str) -> StorageError:
    """Return the StorageError for a driver's error; `database` is its name, without a password."""
    if isinstance(error.orig, sqlite3.Error):
        return _translate_sqlite_error(error, database)
    code, message = _get_code(error), _get_message(error)
    if code in _PERMANENT:
        return StorageError(f"{database}: {_PERMANENT[code]}")
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _iter_causes(error)):
        return StorageError(f"{database}: the server's certificate is not trusted by ssl_ca")
    if code == _STORAGE_ENGINE and _DISK_ERROR.search(message):
        code = _DISK_FULL
    if code in _AT_THE_SERVER:
        return UnavailableError(f"{database}: {_AT_THE_SERVER[code]} ({message})")
    if error.connection_invalidated or code in _TRANSIENT or code in _CLIENT:
        return UnavailableError(f"{database}: the connection to the database failed ({message})")
    kind = UnstorableError if code in _UNSTORABLE else StorageError
    return kind(f"{database}: {message}")


def _translate_sqlite_error(error: DBAPIError, database: str) -> StorageError:
    message, name = _get_message(error), _get_sqlite_name(error)
    if name in _SQLITE_TRANSIENT:
        return UnavailableError(f"{database}: {_SQLITE_TRANSIENT[name]}")
    if message.startswith(("no such table", "no such column")):
        return StorageError(f"{database}: {_UPGRADE}")
    kind = UnstorableError if name in _SQLITE_UNSTORABLE else StorageError
    return kind(f"{database}: {_SQLITE_PERMANENT.get(name, message)}")


def _iter_causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _get_code(error: DBAPIError) -> int | None:
    """Return the error number of MariaDB or MySQL."""
    arguments = error.orig.args if error.orig is not None else ()
    return arguments[0] if arguments and isinstance(arguments[0], int) else None


def _get_sqlite_name(error: DBAPIError) -> str:
    """Return SQLite's primary name of the error, such as BUSY."""
    name = getattr(error.orig, "sqlite_errorname", None) or ""
    return name.removeprefix("SQLITE_").partition("_")[0]


def _get_message(error: DBAPIError) -> str:
    """Return the message of the driver; SQLAlchemy's contains the statement, and with it the data."""
    arguments = error.orig.args if error.orig is not None else ()
    # The message can contain names and values of other users.
    return printable(str(arguments[-1]).rstrip("."), _MAX_MESSAGE) if arguments else type(error.orig).__name__
