"""The database of readings: write, roll up, query and maintain it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncConnection

from ..config.rules import system_zone
from ..message import Message
from . import inverters as inverter_storage
from . import maintenance, partitions, rollup, schema
from .address import parse_url
from .buckets import SECOND, Resolution
from .engine import TIMEOUT, Transactions
from .errors import StorageError
from .import_enphase_api import import_readings
from .import_hours import ImportedSeries, import_series
from .inverters import InverterHistory
from .maintenance import Progress
from .readable import ReadableDatabase
from .reader import Query
from .statements import (
    get_time_zone,
    set_initial_time_zone,
)
from .status import Status, get_status
from .tables import gateways, inverters, measurements
from .writer import IdTable, Refused, Writer

T = TypeVar("T")

#: Twice the largest fleet in the benchmarks.
MAX_GATEWAYS = 2_000

#: Gateways have eight types of meters. The column has room for 32,767 ids.
MAX_MEASUREMENTS = 100

#: Of all gateways: fifty for each.
MAX_INVERTERS = 100_000


class Database(ReadableDatabase):
    """A database in SQLite, MariaDB or MySQL; an asynchronous context manager.

    Times are milliseconds since the epoch. Every method raises StorageError, and its subclass
    UnavailableError if the database is unavailable and the operation may work later.
    """

    def __init__(
        self, url: str | URL, time_zone: ZoneInfo | None = None, *, timeout: float = TIMEOUT
    ) -> None:
        """`time_zone`: of the days of a new database; by default the system's.

        `timeout`: seconds for one transaction, after which the database counts as unavailable.
        Raises SettingsError if the URL is invalid.
        """
        self._transactions = Transactions(parse_url(url) if isinstance(url, str) else url, timeout)
        self._gateway_ids = IdTable(self._transactions, gateways, MAX_GATEWAYS)
        self._measurement_ids = IdTable(self._transactions, measurements, MAX_MEASUREMENTS)
        inverter_ids = IdTable(self._transactions, inverters, MAX_INVERTERS)
        self._writer = Writer(self._transactions, self._gateway_ids, self._measurement_ids, inverter_ids)
        self._time_zone = time_zone

    @property
    def name(self) -> str:
        """The name of the database, without its password."""
        return self._transactions.name

    @property
    def protection(self) -> str | None:
        """A description of how the connection is protected; None for a file."""
        return self._transactions.protection

    async def __aenter__(self) -> Self:
        """Connect on first use."""
        return self

    async def read(self, work: Callable[[Query], Awaitable[T]]) -> T:
        """Run `work` in a transaction that only reads, and return its result."""

        async def with_connection(connection: AsyncConnection) -> T:
            async def query(statement: str, **values: int) -> Sequence[Sequence[Any]]:
                return (await connection.execute(text(statement), values)).all()

            return await work(query)

        return await self._transactions.read(with_connection)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        await self._transactions.close()

    async def upgrade(self) -> None:
        """Create or upgrade the tables; change nothing if they are up to date.

        Raises StorageError also if the days of the database are those of another time zone.
        """
        await self._transactions.open(create=True)
        stored = await self._transactions.read(_get_time_zone_if_ready)
        if stored is None:
            await self._transactions.write(schema.upgrade, may_take_long=True)
            zone = self._time_zone or system_zone()
            await self._transactions.write(partial(set_initial_time_zone, name=zone.key))
            stored = await self._transactions.read(_get_time_zone_if_ready)
        if self._time_zone is not None and stored != self._time_zone.key:
            raise StorageError(
                f"{self._transactions.name}: its time zone is {stored}, not {self._time_zone.key}: to "
                f"change it, run enphase-database rebuild --time-zone {self._time_zone.key}"
            )

    async def write(self, messages: Iterable[Message]) -> Refused:
        """Write all messages or none; they are on disk when this returns.

        Messages may be written repeatedly, and in any order: a reading that exists (same gateway, time,
        measurement, phase and values) is kept. Another reading with the same time, as of a gateway whose
        clock was set back, is stored a millisecond later. Returns the number of readings that are refused, by
        reason: those with a date that cannot be right. Raises UnstorableError if the database can never store
        a message.
        """
        return await self._writer.write(messages)

    async def roll_up(self, now: int | None = None) -> int:
        """Roll up all pending buckets that have ended, and return their number.

        Programs that write call this every few seconds; several may do so at the same time.
        """
        return await rollup.roll_up(self._transactions, _now() if now is None else now)

    async def inverters(self, gateway: str, start: int, end: int) -> list[InverterHistory]:
        """Return what each microinverter produced on the local days that start in [start, end).

        Those without a reading there are included, unless they were read last long before.
        """
        gateway_id = (await self._gateway_ids.refresh()).get(gateway)
        if gateway_id is None:
            return []
        return await self._transactions.read(
            partial(inverter_storage.read, gateway=gateway_id, start=start, end=end)
        )

    async def status(self) -> Status:
        """Return the contents of the database."""
        return await self._transactions.read(get_status)

    async def import_enphase_api(self, source: URL | None, gateway: str, progress: Progress) -> int:
        """Import what Enphase-API's scripts stored in `source` (None: in the same database).

        It is stored as readings of `gateway`, because it names none. Continues where it was interrupted.
        Returns the number of imported readings.
        """
        other = Transactions(source) if source is not None else self._transactions
        try:
            return await import_readings(
                other, self._transactions, self.write, self.roll_up, gateway, progress
            )
        finally:
            if other is not self._transactions:
                await other.close()

    async def import_hours(
        self, gateway: str, series: Sequence[ImportedSeries], start: int, end: int, *, dry_run: bool = False
    ) -> list[list[int]]:
        """Import the hours of other meters' records in [start, end) as quarter-hours and days.

        What is there is kept: the rollups of readings, and those of earlier imports. Returns for each series
        when its new quarter-hours start; with `dry_run`, nothing is changed.
        """
        names = [each.measurement for each in series]
        if dry_run:
            gateway_ids, ids = await self._gateway_ids.refresh(), await self._measurement_ids.refresh()
        else:
            await self.roll_up()
            gateway_ids = await self._gateway_ids.get_or_create([gateway])
            ids = await self._measurement_ids.get_or_create(names)
        imported = [
            await import_series(
                self._transactions,
                # No row has the id 0.
                (gateway_ids.get(gateway, 0), ids.get(each.measurement, 0)),
                each,
                start,
                end,
                dry_run=dry_run,
            )
            for each in series
        ]
        if not dry_run:
            await self.roll_up()
        return imported

    async def prune(
        self, resolution: Resolution, keep_days: int, progress: Progress, now: int | None = None
    ) -> int:
        """Delete readings, minutes or quarter-hours older than today and the `keep_days` days before it.

        Days are whole local days. What is not rolled up yet is kept. Returns the number of deleted rows; the
        server estimates those of partitions.
        """
        now = _now() if now is None else now
        await self.roll_up(now)
        await self._transactions.write(partial(partitions.extend, now=now), may_take_long=True)
        ids = (await self._measurement_ids.refresh()).values()
        return await maintenance.prune(self._transactions, ids, resolution, keep_days, now, progress)

    async def partition(self, now: int | None = None) -> None:
        """Partition the readings by month, so that `prune` drops whole months; once more, add months.

        Only in MariaDB and MySQL. Copies the readings the first time; nothing is written meanwhile.
        """
        await self._transactions.write(
            partial(partitions.create, now=_now() if now is None else now), may_take_long=True
        )

    async def rebuild(self, progress: Progress, now: int | None = None) -> None:
        """Rebuild the rollups from the readings, in the time zone of this object if it has one.

        Rollups from before the oldest reading are kept.
        """
        now = _now() if now is None else now
        ids = (await self._measurement_ids.refresh()).values()
        if self._time_zone is not None:
            await maintenance.change_time_zone(self._transactions, ids, self._time_zone.key)
        await maintenance.rebuild(self._transactions, ids, now, progress)
        await inverter_storage.rebuild(self._transactions)
        await self.roll_up(now)


async def _get_time_zone_if_ready(connection: AsyncConnection) -> str | None:
    """Return the time zone of a database whose tables are up to date; else None."""
    if await schema.get_version(connection) != schema.newest_version():
        return None
    return await get_time_zone(connection)


def _now() -> int:
    return round(time.time() * SECOND)
