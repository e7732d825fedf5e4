"""Connections to the database, and transactions that are done again when another one came between."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from . import mariadb
from .address import named, protection
from .errors import StorageError, UnavailableError, explained, wants_repeating

_LOGGER = logging.getLogger(__name__)
# It logs each statement at debug level, with all that is in it.
logging.getLogger("aiosqlite").setLevel(logging.WARNING)

T = TypeVar("T")

#: Seconds that a statement may take in all; what takes long is done in pieces that are far shorter.
TIMEOUT = 60.0

_ATTEMPTS = 10

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    # With NORMAL, a power cut could take back what was committed, and acknowledged to the broker.
    "PRAGMA synchronous = FULL",
    "PRAGMA busy_timeout = 1000",
    "PRAGMA cache_size = -16000",
)


def _make_private(path: Path) -> None:
    """Make the file where there is none, for its owner only: consumption tells who is at home and when.

    SQLite gives the files that it adds the same mode. One that is there keeps its mode.
    """
    # What is wrong is said by SQLite, in words that are explained.
    with suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


class Transactions:
    """The way into one database."""

    def __init__(self, url: URL, timeout: float = TIMEOUT) -> None:
        """`timeout`: seconds for one transaction, before the database counts as gone."""
        self.place = named(url)
        self.protection = protection(url)
        self._timeout = timeout
        is_sqlite = url.get_backend_name() == "sqlite"
        self._file = url.database if is_sqlite else None
        self._folder = Path(url.database).parent if is_sqlite and url.database else None
        self._engine = _sqlite(url) if is_sqlite else mariadb.engine(url, self.place)
        self._writing = self._engine.execution_options(begin="BEGIN IMMEDIATE")

    async def open(self, *, make: bool = False) -> None:
        """See that the file of a SQLite database can be opened, and `make` it where there is none.

        Raises StorageError.
        """
        # Several may come here at once, and the first to end says that the file is there.
        file = self._file
        if file is None:
            return
        path = await asyncio.to_thread(Path(file).absolute)
        if not make and not await asyncio.to_thread(path.exists):
            raise StorageError(
                f"{path}: there is no such file. If yours is elsewhere, start this in its folder or "
                "set database_url; the scripts that write, and enphase-database upgrade, make a new one."
            )
        # Here and not only below, where a failure would leave aiosqlite's thread behind.
        try:
            if make:
                await asyncio.to_thread(_make_private, path)
            await asyncio.to_thread(lambda: sqlite3.connect(file).close())
        except sqlite3.Error as error:
            raise self._explained(DBAPIError(None, None, error)) from error
        self._file = None

    async def read(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Do the work in a transaction that only reads, and give its result. Raises StorageError."""
        return await self._do(self._engine, work, self._timeout)

    async def write(
        self, work: Callable[[AsyncConnection], Awaitable[T]], *, may_take_long: bool = False
    ) -> T:
        """Do the work in a transaction that is on disk when this returns, and give its result.

        The work is done again from its beginning where another transaction came between. Raises
        StorageError, and UnavailableError where it may work later: then it is not known whether it was
        done.
        """
        return await self._do(self._writing, work, None if may_take_long else self._timeout)

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()

    async def _do(
        self, engine: AsyncEngine, work: Callable[[AsyncConnection], Awaitable[T]], timeout: float | None
    ) -> T:
        await self.open()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with asyncio.timeout(timeout), engine.begin() as connection:
                    return await work(connection)
            except DBAPIError as error:
                if attempt == _ATTEMPTS or not wants_repeating(error):
                    if self._folder is not None:
                        # What was opened while the disk was read-only can never write.
                        await self._engine.dispose()
                    raise self._explained(error) from error
                _LOGGER.debug("%s: another transaction came between; once more", self.place)
            except (TimeoutError, PoolTimeoutError):
                raise UnavailableError(f"{self.place}: the database does not answer in time.") from None
            except OSError as error:
                reason = error.strerror or type(error).__name__
                raise UnavailableError(f"{self.place}: the database cannot be reached ({reason}).") from error
            # Two that met once should not meet again.
            await asyncio.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311
        raise AssertionError("the last attempt returns or raises")

    def _explained(self, error: DBAPIError) -> StorageError:
        """Return the error in a person's words; a disk that the system made read-only is only away."""
        problem = explained(error, self.place)
        if self._folder is None or isinstance(problem, UnavailableError):
            return problem
        with suppress(OSError):
            if os.statvfs(self._folder).f_flag & os.ST_RDONLY:
                return UnavailableError(f"{self.place}: its disk is read-only now.")
        return problem


def _sqlite(url: URL) -> AsyncEngine:
    engine = create_async_engine(url, hide_parameters=True)

    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: Any, _: object) -> None:
        # Python's sqlite3 would begin transactions where it thinks best, and none around CREATE TABLE.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine.sync_engine, "invalidate")
    def given_up(connection: Any, _: object, __: object) -> None:
        # In the middle of a statement that is cancelled. Closing alone lets go of the lock only when Python
        # has forgotten the cursor, which the exception still refers to.
        connection.rollback()

    @event.listens_for(engine.sync_engine, "begin")
    def begun(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

    return engine
