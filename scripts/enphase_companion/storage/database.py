"""A database of readings: writing, rolling up, and asking what was."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from functools import partial
from types import TracebackType
from typing import Self
from zoneinfo import ZoneInfo

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncConnection

from ..config.time_zone import system_zone
from ..message import Message
from ..message.model import WHOLE
from . import importing, properties, pruning, rebuilding, roller, schema
from .address import parse
from .batteries import unmetered_batteries
from .engine import TIMEOUT, Transactions
from .errors import StorageError
from .history import Energy, Point, energy_within, points
from .levels import SECOND, Level, level_for
from .names import Names
from .pruning import Progress
from .reader import Reader
from .spans import first_reading
from .status import Status, status
from .tables import gateways, measurements
from .writer import Writer

#: Twice the largest fleet that this was measured with.
MAX_GATEWAYS = 2_000

#: Gateways know eight types of meters. The column has room for 32,767 numbers.
MAX_MEASUREMENTS = 100


class Database:
    """One database: SQLite, MariaDB or MySQL; an asynchronous context manager.

    Times are milliseconds since the epoch. Every method raises StorageError, and UnavailableError, which is
    one, where the database is only away and the same may work later.
    """

    def __init__(
        self, url: str | URL, time_zone: ZoneInfo | None = None, *, timeout: float = TIMEOUT
    ) -> None:
        """`time_zone`: where days begin; a database keeps its first one, without this the system's.

        `timeout`: seconds for one transaction, until the database counts as away.
        Raises SettingsError where the URL cannot be right.
        """
        self._transactions = Transactions(parse(url) if isinstance(url, str) else url, timeout)
        self._gateways = Names(self._transactions, gateways, MAX_GATEWAYS)
        self._measurements = Names(self._transactions, measurements, MAX_MEASUREMENTS)
        self._writer = Writer(self._transactions, self._gateways, self._measurements)
        self._time_zone = time_zone

    @property
    def place(self) -> str:
        """Which database that is, without its password."""
        return self._transactions.place

    @property
    def protection(self) -> str | None:
        """How the connection is protected, in words; None for a file."""
        return self._transactions.protection

    async def __aenter__(self) -> Self:
        """Connect only when something is asked."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        await self._transactions.close()

    async def upgrade(self) -> None:
        """Make the tables or bring them to this program's version; nothing is changed where they are.

        Raises StorageError too where days begin in another time zone than was asked for.
        """
        await self._transactions.open(make=True)
        stored = await self._transactions.read(_ready_with)
        if stored is None:
            await self._transactions.write(schema.upgrade, may_take_long=True)
            zone = self._time_zone or system_zone()
            await self._transactions.write(partial(properties.put_first_time_zone, name=zone.key))
            stored = await self._transactions.read(_ready_with)
        if self._time_zone is not None and stored != self._time_zone.key:
            raise StorageError(
                f"{self._transactions.place}: its days are those of {stored}, not {self._time_zone.key}. "
                f"Change them with: enphase-database rebuild --time-zone {self._time_zone.key}"
            )

    async def write(self, messages: Iterable[Message]) -> None:
        """Write all of them or none; when this returns, they are on disk.

        A reading that is there already (gateway, moment, measurement and phase) stays as it is, so the same
        messages may come any number of times, in any order. Raises UnstorableError where it can never hold
        one of them.
        """
        await self._writer.write(messages)

    async def roll_up(self, now: int | None = None) -> int:
        """Roll up what has ended, and give how many buckets that were.

        To be called every few seconds by whoever writes; any number of programs may do so at once.
        """
        return await roller.roll_up(self._transactions, _now() if now is None else now)

    async def gateways(self) -> list[str]:
        """Return the serial numbers of the gateways that were ever written."""
        return sorted(await self._gateways.all())

    async def first_reading(self, gateway: str) -> int | None:
        """Return when a gateway was first read, as far as that is still stored; None where it never was.

        Of readings that are pruned, their oldest minute, quarter-hour or day tells.
        """
        number = (await self._gateways.all()).get(gateway)
        measurements = (await self._measurements.all()).values()
        if number is None:
            return None
        return await self._transactions.read(
            partial(first_reading, gateway=number, measurements=measurements)
        )

    async def has_unmetered_batteries(self, gateway: str) -> bool:
        """Return whether no meter measures the batteries of a gateway, so that consumption is not known.

        It is the gateway's newest word; False where it never said.
        """
        return (await self._transactions.read(unmetered_batteries)).get(gateway) is True

    async def energies(self, gateway: str, start: int, end: int, phase: int = WHOLE) -> Mapping[str, Energy]:
        """Return the energy that flowed in [start, end), by measurement.

        Those that no counter tells anything about are left out.
        """
        number = (await self._gateways.all()).get(gateway)
        names = await self._measurements.all()
        if number is None:
            return {}

        async def work(connection: AsyncConnection) -> Mapping[str, Energy]:
            reader = Reader(connection, await properties.calendar(connection), number, names.values(), phase)
            around = await reader.around(Level.DAY, start, end)
            found = {name: energy_within(around[each], start, end) for name, each in names.items()}
            return {name: energy for name, energy in found.items() if energy.is_known}

        return await self._transactions.read(work)

    async def series(
        self, gateway: str, measurement: str, start: int, end: int, width: int, phase: int = WHOLE
    ) -> list[Point]:
        """Return power and energy over time, in the longest buckets that are not longer than `width`.

        They are minutes, quarter-hours or local days, whole ones, so that the first may begin before
        `start` and the last end after `end`; below a minute, single readings. Of the buckets in a gap there
        are none.
        """
        number = (await self._gateways.all()).get(gateway)
        name = (await self._measurements.all()).get(measurement)
        if number is None or name is None:
            return []
        level = level_for(width)

        async def work(connection: AsyncConnection) -> list[Point]:
            calendar = await properties.calendar(connection)
            first, last = calendar.start(level, start), calendar.ceiling(level, end)
            reader = Reader(connection, calendar, number, [name], phase)
            around = await reader.around(level, first, last)
            return points(calendar, level, around[name], first, last)

        return await self._transactions.read(work)

    async def status(self) -> Status:
        """Return what the database holds."""
        return await self._transactions.read(status)

    async def time_zone(self) -> ZoneInfo:
        """Return the time zone of the database's days."""
        return (await self._transactions.read(properties.calendar)).zone

    async def import_enphase_api(self, source: URL | None, gateway: str, progress: Progress) -> int:
        """Bring in what Enphase-API's scripts stored at `source` (None: beside this, in the same database).

        It counts as this gateway's, as it names none. Goes on where it was interrupted, and gives how many
        moments were brought in.
        """
        other = Transactions(source) if source is not None else self._transactions
        try:
            return await importing.import_readings(
                other, self._transactions, self.write, self.roll_up, gateway, progress
            )
        finally:
            if other is not self._transactions:
                await other.close()

    async def prune(self, level: Level, keep_days: int, progress: Progress, now: int | None = None) -> int:
        """Delete readings, or minutes or quarter-hours, but for today's and those of `keep_days` before.

        Gives how many rows that were. Days are whole local ones. What is not rolled up yet stays.
        """
        now = _now() if now is None else now
        await self.roll_up(now)
        numbers = (await self._measurements.all()).values()
        return await pruning.prune(self._transactions, numbers, level, keep_days, now, progress)

    async def rebuild(self, progress: Progress, now: int | None = None) -> None:
        """Make what readings are rolled up to anew, in the time zone that was asked for, if any was.

        What is older than the oldest reading stays as it is.
        """
        now = _now() if now is None else now
        numbers = (await self._measurements.all()).values()
        if self._time_zone is not None:
            await rebuilding.change_time_zone(self._transactions, numbers, self._time_zone.key)
        await rebuilding.rebuild(self._transactions, numbers, now, progress)
        await self.roll_up(now)


async def _ready_with(connection: AsyncConnection) -> str | None:
    """Return the time zone of a database whose tables are as they should be; else None."""
    if await schema.version(connection) != schema.newest():
        return None
    return await properties.time_zone(connection)


def _now() -> int:
    return round(time.time() * SECOND)
