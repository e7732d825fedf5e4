"""What can go wrong with a database, in one line for a person, without secrets and without the data."""

from __future__ import annotations

import re
import sqlite3
import ssl
from collections.abc import Iterator

from sqlalchemy.exc import DBAPIError

from enphase_api.json_values import printable

from ..runtime.errors import CommandError


class StorageError(CommandError):
    """The database does not do what it should, and trying again changes nothing."""


class UnavailableError(StorageError):
    """The database does not answer, or cannot just now: the same may work later."""


class UnstorableError(StorageError):
    """The database can never hold what it was given; without that, it may hold the rest."""


_UPGRADE = "its tables are missing or old. Make them: enphase-database upgrade"

#: Deadlock, lock waited for too long, row changed since it was read: the server ended one transaction for
#: another's sake. https://mariadb.com/kb/en/mariadb-error-code-reference/
_AGAIN = frozenset({1205, 1213, 1020})

#: What a wait does not cure, and what to do about it.
_LASTING = {
    1044: "this user may not use this database. docs/database.md says what to grant.",
    1045: "the server refuses user name or password.",
    1049: "there is no such database. Create it, or correct its name.",
    1054: _UPGRADE,
    1142: "this user may not do that. docs/database.md says what to grant.",
    1146: _UPGRADE,
    1698: "the server refuses this user: it may only come from its own machine's terminal.",
}

_DISK_FULL = 1021
_FULL = "the server's disk is full: make room on it"
_READ_ONLY = "the server only reads just now: it was started so, or is a copy of another"

#: What somebody has to see to at the server; it goes on afterwards as if nothing had been.
_AT_THE_SERVER = {
    20: _FULL,
    _DISK_FULL: _FULL,
    1114: "the server has no more room for this table: make room on its disk, or raise its limit",
    1290: _READ_ONLY,
    1836: _READ_ONLY,
    1792: _READ_ONLY,
    3: "the server cannot write to its disk",
    1026: "the server cannot write to its disk",
    2003: "no connection: see that the server runs there, or correct the address",
}

#: Errors of the disk's within a general one: no space left, read-only, quota. "Got error 28 ... from storage
#: engine InnoDB".
_STORAGE_ENGINE = 1030
_OF_THE_DISK = re.compile(r"\berror (?:28|30|69|122)\b")

#: Too many connections, shutting down, lost connections of several kinds.
_PASSING = frozenset({0, 1040, 1053, 1077, 1129, 1152, 1158, 1159, 1160, 1161, 1203, 1226, 1927})

#: Data that no column takes: a value that is missing, there twice, cut, wrong or out of range; a statement
#: too long (1153) or with too many values (1390); a rule of the table that is broken (3819, 4025).
_UNSTORABLE = frozenset(
    {1048, 1062, 1153, 1264, 1265, 1292, 1366, 1367, 1390, 1406, 1411, 1416, 1441, 1690, 3819, 4025}
)

#: The same of SQLite's.
_SQLITE_UNSTORABLE = frozenset({"CONSTRAINT", "MISMATCH", "RANGE", "TOOBIG"})

#: Characters of what a server says.
_MAX_SAID = 200

#: Numbers that the client library gives: it cannot connect, or not go on.
_CLIENT = range(2000, 3000)

_SQLITE_PASSING = {
    "BUSY": "another program keeps the database locked.",
    "LOCKED": "another program keeps the database locked.",
    "FULL": "the disk is full.",
    "IOERR": "the disk does not read or write as it should.",
}

_SQLITE_LASTING = {
    "CANTOPEN": "cannot be opened. Does its folder exist, and may this user write there?",
    "READONLY": "this user may not write there.",
    "NOTADB": "is no SQLite database.",
    "CORRUPT": "the database is damaged. Bring back a copy of it.",
}


def wants_repeating(error: DBAPIError) -> bool:
    """Return whether a transaction was ended only because of another one: it is to be done again."""
    return _code(error) in _AGAIN or _sqlite_name(error) in {"BUSY", "LOCKED"}


def explained(error: DBAPIError, place: str) -> StorageError:
    """Return the error in a person's words; `place` names the database, without its password."""
    if isinstance(error.orig, sqlite3.Error):
        return _explained_sqlite(error, place)
    code, said = _code(error), _said(error)
    if code in _LASTING:
        return StorageError(f"{place}: {_LASTING[code]}")
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error)):
        return StorageError(f"{place}: the server's certificate is not the one that ssl_ca names.")
    if code == _STORAGE_ENGINE and _OF_THE_DISK.search(said):
        code = _DISK_FULL
    if code in _AT_THE_SERVER:
        return UnavailableError(f"{place}: {_AT_THE_SERVER[code]} ({said}).")
    if error.connection_invalidated or code in _PASSING or code in _CLIENT:
        return UnavailableError(f"{place}: the database does not answer as it should ({said}).")
    kind = UnstorableError if code in _UNSTORABLE else StorageError
    return kind(f"{place}: {said}")


def _explained_sqlite(error: DBAPIError, place: str) -> StorageError:
    said, name = _said(error), _sqlite_name(error)
    if name in _SQLITE_PASSING:
        return UnavailableError(f"{place}: {_SQLITE_PASSING[name]}")
    if said.startswith(("no such table", "no such column")):
        return StorageError(f"{place}: {_UPGRADE}")
    kind = UnstorableError if name in _SQLITE_UNSTORABLE else StorageError
    return kind(f"{place}: {_SQLITE_LASTING.get(name, said)}")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _code(error: DBAPIError) -> int | None:
    """Return the number of an error of MariaDB's or MySQL's."""
    arguments = error.orig.args if error.orig is not None else ()
    return arguments[0] if arguments and isinstance(arguments[0], int) else None


def _sqlite_name(error: DBAPIError) -> str:
    """Return SQLite's name for the error, such as BUSY, without the further details of it."""
    name = getattr(error.orig, "sqlite_errorname", None) or ""
    return name.removeprefix("SQLITE_").partition("_")[0]


def _said(error: DBAPIError) -> str:
    """Return the driver's own words; not SQLAlchemy's, which hold the statement and with it the data."""
    arguments = error.orig.args if error.orig is not None else ()
    # A server's words can hold names and values that somebody else gave it.
    return printable(str(arguments[-1]).rstrip("."), _MAX_SAID) if arguments else type(error.orig).__name__
