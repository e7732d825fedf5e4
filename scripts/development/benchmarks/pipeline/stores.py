"""Stores of messages, each in a process of its own: the consumer's, and bare inserts of the same rows."""

from __future__ import annotations

import gc
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

import aiomysql  # type: ignore[import-untyped]
import orjson
from sqlalchemy import make_url

from enphase_companion.message import decode
from enphase_companion.storage import Database
from enphase_companion.storage.tables import readings

from ..meter_messages import build_message
from ..process import Process, start_measured
from ..results import Result, middle

if TYPE_CHECKING:
    from .run import Run

#: Messages that are written together, as installed.
_BATCH = 500

#: Messages of a round: ten batches.
_MESSAGES = 5_000

#: Messages after which memory is compared: a tenth of them first.
_MEMORY = 100_000

#: Rounds are short, and so are several times as many.
_TIMES = 5

#: This module, for the processes that are started here.
_MODULE = "pipeline.stores"

#: As amqp_database_meters sets it; earlier builds do not name it.
_GC_THRESHOLD = 20_000

#: JSON's numbers and null are SQL's.
_TO_SQL = bytes.maketrans(b"[]", b"()")

Row = tuple[Any, ...]


def bare_inserts(run: Run) -> Iterator[Result]:
    """Yield rows per second with their rollups, beside bare inserts of the same rows, in both databases."""
    yield _beside_bare_inserts(run, "sqlite", None)
    with run.servers.new_database() as url:
        yield _beside_bare_inserts(run, "mariadb", url)


def memory(run: Run) -> Iterator[Result]:
    """Yield the memory of a process that writes into SQLite: at the end, beside that after a tenth."""
    total = max(_MESSAGES * 10, run.count(_MEMORY, _MESSAGES))
    first = int(time.time()) - total
    used: list[int] = []
    with start_measured("sqlite", None, module=_MODULE) as process:
        for start in run.progress.track(range(0, total, _MESSAGES), description="filling memory"):
            process.store(first + start, _MESSAGES)
            used.append(process.memory())
    tenth, end = used[len(used) // 10 - 1] / 2**20, used[-1] / 2**20
    yield Result("pipeline", f"memory_after_{total}_messages", "MB", middle([end]), middle([tenth]))


def _beside_bare_inserts(run: Run, database: str, url: str | None) -> Result:
    with (
        start_measured(database, url, module=_MODULE) as ours,
        start_measured(f"bare_{database}", url, module=_MODULE) as bare,
    ):
        # What a round adds is in the past.
        first = int(time.time()) - (_TIMES * run.rounds + 1) * _MESSAGES
        rates = run.alternate(_begin(ours, first), _begin(bare, first), times=_TIMES)
    return Result("pipeline", f"store_against_bare_inserts_{database}", "rows/s", *map(middle, rates))


def _begin(process: Process, first: int) -> Callable[[], float]:
    """Return what stores a round of messages, and returns the rows per second."""
    rounds = count(first, _MESSAGES)

    def store() -> float:
        rows, seconds = process.store(next(rounds), _MESSAGES)
        return rows / seconds

    store()  # Imports packages, and is not counted.
    return store


class ConsumerStore:
    """What a consumer does with messages: decode them, and write them."""

    def __init__(self, url: str | None) -> None:
        """`url`: of an empty database; None: a file of SQLite."""
        self._url = url
        self._stack = AsyncExitStack()
        self._database: Database

    async def start(self) -> None:
        """Make the tables, and look for unreachable objects as rarely as the script does."""
        gc.set_threshold(_GC_THRESHOLD)
        folder = self._stack.enter_context(tempfile.TemporaryDirectory())
        url = self._url or f"sqlite:///{Path(folder) / 'enphase.db'}"
        self._database = await self._stack.enter_async_context(Database(url))
        await self._database.upgrade()

    async def consume(self, bodies: Sequence[bytes]) -> tuple[float, float]:
        """Return the seconds of the processor that it took to decode these, and to store them."""
        began = process_time()
        messages = [decode(body) for body in bodies]
        decoded = process_time()
        for start in range(0, len(messages), _BATCH):
            await self._database.write(messages[start : start + _BATCH])
        return decoded - began, process_time() - decoded

    async def store(self, first: int, count: int) -> tuple[int, float]:
        """Store and roll up the messages of `count` seconds; return the rows, and the seconds it took."""
        rows, took = 0, 0.0
        for start in range(first, first + count, _BATCH):
            # A consumer has no more in memory either: Python's garbage collection looks at all.
            messages = [build_message(second) for second in range(start, min(start + _BATCH, first + count))]
            rows += sum(len(each.samples) for each in messages)
            began = perf_counter()
            await self._database.write(messages)
            took += perf_counter() - began
        began = perf_counter()
        await self._database.roll_up((first + count) * 1000)
        return rows, took + perf_counter() - began

    async def stop(self) -> None:
        """Remove the file."""
        await self._stack.aclose()


def _build_rows(first: int, count: int) -> list[Row]:
    """Return the rows of `count` seconds, with the columns of `readings`."""
    ids: dict[str, int] = {}
    return [
        (1, each.measured_at, ids.setdefault(each.measurement, len(ids)), each.phase, *each.quantities)
        for second in range(first, first + count)
        for each in build_message(second).samples
    ]


class BareSqlite:
    """The same rows by Python's sqlite3 alone, each batch in a transaction that is on disk; no rollups."""

    def __init__(self, _: object) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._connection: sqlite3.Connection

    async def start(self) -> None:
        """Make the table, with the columns and the key of `readings`."""
        self._connection = sqlite3.connect(Path(self._folder.name) / "bare.db", isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        names = ", ".join(column.name for column in readings.columns)
        key = ", ".join(column.name for column in readings.primary_key)
        self._connection.execute(f"CREATE TABLE readings ({names}, PRIMARY KEY ({key})) WITHOUT ROWID")

    async def store(self, first: int, count: int) -> tuple[int, float]:
        """Insert the rows of `count` seconds; return how many, and the seconds it took."""
        rows = _build_rows(first, count)
        width = _BATCH * len(rows) // count
        values = ", ".join("?" * len(readings.columns))
        began = perf_counter()
        for start in range(0, len(rows), width):
            self._connection.execute("BEGIN")
            insert = f"INSERT INTO readings VALUES ({values})"  # noqa: S608 - question marks
            self._connection.executemany(insert, rows[start : start + width])
            self._connection.execute("COMMIT")
        return len(rows), perf_counter() - began

    async def stop(self) -> None:
        """Remove the database."""
        self._connection.close()
        self._folder.cleanup()


class BareMariadb:
    """The same rows by aiomysql, each batch in one statement and one transaction; no rollups."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self._connection: Any

    async def start(self) -> None:
        """Make a table with the columns and the key of `readings`."""
        url = self._url
        self._connection = await aiomysql.connect(
            host=url.host, port=url.port, user=url.username, password=url.password or "", db=url.database
        )
        names = ", ".join(f"{column.name} {column.type}" for column in readings.columns)
        key = ", ".join(column.name for column in readings.primary_key)
        async with self._connection.cursor() as cursor:
            await cursor.execute(f"CREATE TABLE bare ({names}, PRIMARY KEY ({key}))")

    async def store(self, first: int, count: int) -> tuple[int, float]:
        """Insert the rows of `count` seconds; return how many, and the seconds it took."""
        rows = _build_rows(first, count)
        width = _BATCH * len(rows) // count
        began = perf_counter()
        async with self._connection.cursor() as cursor:
            for start in range(0, len(rows), width):
                # As text: `executemany`, which escapes each value, is several times slower.
                values = orjson.dumps(rows[start : start + width])[1:-1].translate(_TO_SQL).decode()
                await cursor.execute(f"INSERT INTO bare VALUES {values}")  # noqa: S608
                await self._connection.commit()
        return len(rows), perf_counter() - began

    async def stop(self) -> None:
        """Disconnect."""
        await self._connection.ensure_closed()


SUBJECTS: dict[str, Callable[[Any], Any]] = {
    "sqlite": ConsumerStore,
    "mariadb": ConsumerStore,
    "bare_sqlite": BareSqlite,
    "bare_mariadb": BareMariadb,
}
