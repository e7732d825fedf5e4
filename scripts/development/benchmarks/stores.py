"""Stores of messages in a separate process: the consumer's, and bare inserts."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter, process_time

from enphase_companion.delivery.sink import Sink
from enphase_companion.message import decode
from enphase_companion.runtime.metrics import Metrics
from enphase_companion.storage import Database
from enphase_companion.storage.tables import readings

from .meter_messages import build_message

#: Messages that are written together, as installed.
_BATCH = 500


class ConsumerStore:
    """What a consumer does with messages: decode them, and write them into SQLite."""

    def __init__(self, _: object) -> None:
        self._stack = AsyncExitStack()
        self._database: Database
        self._store: Sink

    async def start(self) -> None:
        """Make the database."""
        folder = self._stack.enter_context(tempfile.TemporaryDirectory())
        url = f"sqlite:///{Path(folder) / 'enphase.db'}"
        self._database = await self._stack.enter_async_context(Database(url))
        self._store = Sink(self._database, Metrics())
        await self._store.begin()

    async def consume(self, bodies: Sequence[bytes]) -> tuple[float, float]:
        """Return the seconds of the processor that it took to decode these, and to store them."""
        began = process_time()
        messages = [decode(body) for body in bodies]
        decoded = process_time()
        for start in range(0, len(messages), _BATCH):
            await self._store.write(messages[start : start + _BATCH])
        return decoded - began, process_time() - decoded

    async def store(self, first: int, count: int) -> tuple[int, float]:
        """Store and roll up the messages of `count` seconds; return the rows, and the seconds it took."""
        messages = [build_message(second) for second in range(first, first + count)]
        began = perf_counter()
        for start in range(0, count, _BATCH):
            await self._store.write(messages[start : start + _BATCH])
        await self._database.roll_up((first + count) * 1000)
        return sum(len(each.samples) for each in messages), perf_counter() - began

    async def stop(self) -> None:
        """Remove the database."""
        await self._stack.aclose()


class BareInserts:
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
        ids: dict[str, int] = {}
        rows = [
            (1, each.measured_at, ids.setdefault(each.measurement, len(ids)), each.phase, *each.quantities)
            for second in range(first, first + count)
            for each in build_message(second).samples
        ]
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


SUBJECTS = {"sqlite": ConsumerStore, "bare_inserts": BareInserts}
