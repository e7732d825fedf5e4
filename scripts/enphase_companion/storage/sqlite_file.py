"""An SQLite file, read by Python's own sqlite3: a picture is there before SQLAlchemy would be imported."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from .readable import ReadableDatabase

if TYPE_CHECKING:
    from ..config.settings import Settings
    from .reader import Query

T = TypeVar("T")

#: Without any setting: a file in this folder.
DEFAULT = "sqlite+aiosqlite:///enphase.db"

#: A URL that says no more than which file: without options, and without what would have to be decoded.
_PLAIN = re.compile(r"sqlite(?:\+aiosqlite)?:///([^?#%:]+)")

_OTHERS = ("database_host", "database_username", "database_password", "database_database")


def find_file(settings: Settings) -> Path | None:
    """Return the SQLite file of these settings; None where they say anything else, or more."""
    if settings.database_url is None and any(getattr(settings, name) for name in _OTHERS):
        return None
    found = _PLAIN.fullmatch((settings.database_url or DEFAULT).strip())
    return Path(found[1]) if found else None


class SqliteFile(ReadableDatabase):
    """The file; a context manager. Its methods raise sqlite3.Error where `Database` says what is wrong."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __enter__(self) -> Self:
        """Open the file, which must exist. Raises sqlite3.Error."""
        # Not mode=ro: the last one that closes the file tidies up, which only a writer may do.
        uri = f"{self._file.absolute().as_uri()}?mode=rw"
        self._connection = sqlite3.connect(uri, uri=True, isolation_level=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._connection.close()

    @property
    def name(self) -> str:
        """The file's name."""
        return str(self._file)

    async def read(self, work: Callable[[Query], Awaitable[T]]) -> T:
        """Run `work` in a transaction. Raises sqlite3.Error."""
        self._connection.execute("BEGIN")
        try:
            return await work(self._query)
        finally:
            self._connection.rollback()

    async def _query(self, statement: str, **values: int) -> Sequence[Sequence[Any]]:
        return self._connection.execute(statement, values).fetchall()
