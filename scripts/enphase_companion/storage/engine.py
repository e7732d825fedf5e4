"""Connections to the database, and transactions that are retried when another one conflicts."""

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
from .address import describe_protection, display_name
from .errors import StorageError, UnavailableError, is_retryable, translate_error

_LOGGER = logging.getLogger(__name__)
# It logs each statement at debug level, including the data.
logging.getLogger("aiosqlite").setLevel(logging.WARNING)

T = TypeVar("T")

#: Seconds for one transaction. Long operations run in many transactions that are far shorter.
TIMEOUT = 60.0

_ATTEMPTS = 10

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    # With NORMAL, a power cut could roll back what was committed, and acknowledged to the broker.
    "PRAGMA synchronous = FULL",
    "PRAGMA busy_timeout = 1000",
    "PRAGMA cache_size = -16000",
)


def _create_private(path: Path) -> None:
    """Create the file for its owner only, because consumption reveals who is at home and when.

    SQLite gives the files that it adds the same mode. An existing file keeps its mode.
    """
    # SQLite reports what is wrong, and its errors are translated.
    with suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


class Transactions:
    """Runs transactions on one database."""

    def __init__(self, url: URL, timeout: float = TIMEOUT) -> None:
        """`timeout`: seconds for one transaction, after which the database counts as unavailable."""
        self.name = display_name(url)
        self.protection = describe_protection(url)
        self._timeout = timeout
        is_sqlite = url.get_backend_name() == "sqlite"
        self._file = url.database if is_sqlite else None
        self._folder = Path(url.database).parent if is_sqlite and url.database else None
        self._engine = _sqlite(url) if is_sqlite else mariadb.create_engine(url, self.name)
        self._writing = self._engine.execution_options(begin="BEGIN IMMEDIATE")

    async def open(self, *, create: bool = False) -> None:
        """Check that the file of a SQLite database can be opened, and `create` it if it is missing.

        Raises StorageError.
        """
        # Several tasks may run this at once; the first that ends marks the file as checked.
        file = self._file
        if file is None:
            return
        path = await asyncio.to_thread(Path(file).absolute)
        if not create and not await asyncio.to_thread(path.exists):
            raise StorageError(
                f"{path}: no such file: if yours is elsewhere, start this in its folder or set database_url; "
                "scripts that write, and enphase-database upgrade, create a new one"
            )
        # Not only in a transaction, where a failure would leave the thread of aiosqlite behind.
        try:
            if create:
                await asyncio.to_thread(_create_private, path)
            await asyncio.to_thread(lambda: sqlite3.connect(file).close())
        except sqlite3.Error as error:
            raise self._translate(DBAPIError(None, None, error)) from error
        self._file = None

    async def read(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Run `work` in a transaction that only reads, and return its result. Raises StorageError."""
        return await self._run(self._engine, work, self._timeout)

    async def write(
        self, work: Callable[[AsyncConnection], Awaitable[T]], *, may_take_long: bool = False
    ) -> T:
        """Run `work` in a transaction that is on disk when this returns, and return its result.

        It is retried from its beginning if another transaction conflicts. Raises StorageError, and
        UnavailableError where it may work later: then it is unknown whether the transaction is committed.
        """
        return await self._run(self._writing, work, None if may_take_long else self._timeout)

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()

    async def _run(
        self, engine: AsyncEngine, work: Callable[[AsyncConnection], Awaitable[T]], timeout: float | None
    ) -> T:
        await self.open()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with asyncio.timeout(timeout), engine.begin() as connection:
                    return await work(connection)
            except DBAPIError as error:
                if attempt == _ATTEMPTS or not is_retryable(error):
                    if self._folder is not None:
                        # A connection opened while the disk was read-only can never write.
                        await self._engine.dispose()
                    raise self._translate(error) from error
                _LOGGER.debug("%s: another transaction conflicts: retrying", self.name)
            except (TimeoutError, PoolTimeoutError):
                raise UnavailableError(f"{self.name}: the database does not respond in time") from None
            except OSError as error:
                reason = error.strerror or type(error).__name__
                raise UnavailableError(f"{self.name}: the database cannot be reached ({reason})") from error
            # A random delay, so that two transactions do not conflict again.
            await asyncio.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311
        raise AssertionError("the last attempt returns or raises")

    def _translate(self, error: DBAPIError) -> StorageError:
        """Return the StorageError for an error; with a read-only disk, the database is unavailable."""
        problem = translate_error(error, self.name)
        if self._folder is None or isinstance(problem, UnavailableError):
            return problem
        with suppress(OSError):
            if os.statvfs(self._folder).f_flag & os.ST_RDONLY:
                return UnavailableError(f"{self.name}: its disk is read-only")
        return problem


def _sqlite(url: URL) -> AsyncEngine:
    engine = create_async_engine(url, hide_parameters=True)

    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: Any, _: object) -> None:
        # Otherwise Python's sqlite3 begins transactions by itself, and none around CREATE TABLE.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine.sync_engine, "invalidate")
    def invalidate(connection: Any, _: object, __: object) -> None:
        # A statement was cancelled. Closing alone releases the lock only when Python has deleted the cursor,
        # which the exception still refers to.
        connection.rollback()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

    return engine
