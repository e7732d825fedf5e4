"""Write messages: each reading exactly once, and its minute made pending in the same transaction."""

from __future__ import annotations

import struct
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Double, Table, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ..message import Message
from . import inverters
from .buckets import DAY, MAX_OTHERS, MINUTE, SECOND, Resolution
from .engine import Transactions
from .errors import UnavailableError, UnstorableError
from .statements import get_battery_flags, insert_if_absent, insert_or_keep
from .tables import gateways, pending_rollups, readings

#: Seconds after which a cache is refreshed: another program, or the owner, may have changed the table.
_REFRESH_INTERVAL = 60.0

#: Milliseconds between the times at which a gateway measured and a machine read it. More is a wrong clock.
_MAX_DISTANCE = 30 * DAY

#: Values in an IN. MariaDB converts more than a thousand to a join.
_VALUES = 500

#: Ids, time and phase in the order of the primary key, and the quantities.
Row = tuple[Any, ...]

#: The number of readings that were not stored, by reason.
Refused = Mapping[str, int]

_get_key = itemgetter(0, 1, 2, 3)


class IdTable:
    """The ids of names in one of the tables `gateways`, `measurements` and `inverters`, cached."""

    def __init__(self, transactions: Transactions, table: Table, limit: int) -> None:
        """`limit`: maximum number of names, because any sender of messages can invent them."""
        self._transactions = transactions
        self._table = table
        self._name = table.columns.values()[1]
        self._limit = limit
        self._ids: Mapping[str, int] = {}
        self._refreshed_at = 0.0

    async def refresh(self) -> Mapping[str, int]:
        """Return all ids that are in the database."""
        self._ids = await self._transactions.read(self._read)
        self._refreshed_at = time.monotonic()
        return self._ids

    async def get_or_create(self, names: Iterable[str]) -> Mapping[str, int]:
        """Return the ids of at least these names, and create those that are missing.

        Raises UnstorableError, and creates none, where the table has no room for all of them.
        """
        missing = set(names) - self._ids.keys()
        is_recent = time.monotonic() - self._refreshed_at < _REFRESH_INTERVAL
        if missing and not (len(self._ids) >= self._limit and is_recent):
            missing -= (await self.refresh()).keys()
        if missing:
            if len(self._ids) + len(missing) > self._limit:
                raise UnstorableError(
                    f"{self._transactions.name}: table {self._table.name} has reached its maximum of "
                    f"{self._limit} rows: delete the rows that are not yours"
                )
            await self._transactions.write(lambda connection: self._create(connection, missing))
            await self.refresh()
        return self._ids

    def invalidate(self) -> None:
        """Empty the cache: the database may have been replaced, or restored from a backup."""
        self._ids = {}

    async def _read(self, connection: AsyncConnection) -> dict[str, int]:
        rows = await connection.execute(select(self._name, self._table.c.id))
        return {row[0]: row[1] for row in rows}

    async def _create(self, connection: AsyncConnection, names: Iterable[str]) -> None:
        statement = insert_or_keep(self._table, connection.dialect.name)
        await connection.execute(statement, [{self._name.name: name} for name in sorted(names)])


class BatteryFlags:
    """The column `gateways.has_unmetered_batteries`; written only when a gateway reports a change."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._stored: Mapping[str, bool | None] = {}
        self._next_refresh = 0.0
        #: Timestamp of the newest message of each gateway: a message that is redelivered late is ignored.
        self._reported_at: dict[str, float] = {}

    async def update(self, messages: Iterable[Message]) -> None:
        """Store the newest flags of gateways that are in the database, in a transaction of their own.

        Raises StorageError, and UnavailableError where it may work later.
        """
        reported = self._find_newest(messages)
        if time.monotonic() >= self._next_refresh or self._find_changes(reported):
            self._stored = await self._transactions.read(get_battery_flags)
            self._next_refresh = time.monotonic() + _REFRESH_INTERVAL
        if changes := self._find_changes(reported):
            await self._transactions.write(lambda connection: _update_flags(connection, changes))
            self._stored = {**self._stored, **changes}

    def invalidate(self) -> None:
        """Read the column again next time: the database may have been replaced, or restored from a backup."""
        self._next_refresh = 0.0

    def _find_newest(self, messages: Iterable[Message]) -> dict[str, bool]:
        reported: dict[str, bool] = {}
        for message in messages:
            flag, gateway, at = message.has_unmetered_batteries, message.gateway, message.timestamp
            if flag is not None and at >= self._reported_at.get(gateway, at):
                reported[gateway], self._reported_at[gateway] = flag, at
        return reported

    def _find_changes(self, reported: Mapping[str, bool]) -> dict[str, bool]:
        return {gateway: flag for gateway, flag in reported.items() if flag is not self._stored.get(gateway)}


async def _update_flags(connection: AsyncConnection, flags: Mapping[str, bool]) -> None:
    statement = (
        update(gateways)
        .where(gateways.c.serial_number == bindparam("gateway"))
        .values(has_unmetered_batteries=bindparam("flag"))
    )
    # Sorted, so that concurrent writers wait for each other instead of deadlocking.
    await connection.execute(
        statement, [{"gateway": gateway, "flag": flag} for gateway, flag in sorted(flags.items())]
    )


class Writer:
    """Writes messages to one database."""

    def __init__(
        self,
        transactions: Transactions,
        gateway_ids: IdTable,
        measurement_ids: IdTable,
        inverter_ids: IdTable,
    ) -> None:
        self._transactions = transactions
        self._gateway_ids = gateway_ids
        self._measurement_ids = measurement_ids
        self._inverter_ids = inverter_ids
        self._battery_flags = BatteryFlags(transactions)

    async def write(self, messages: Iterable[Message]) -> Refused:
        """Write all messages or none; they are on disk when this returns. Return the readings it refused.

        A reading that exists is kept. Another reading with the same time, as of a clock that was set back, is
        stored some milliseconds later. Refused are those with a date that cannot be right. Raises
        StorageError, and UnavailableError where it may work later.
        """
        messages = list(messages)
        refused: Counter[str] = Counter()
        try:
            gateway_ids = await self._gateway_ids.get_or_create(message.gateway for message in messages)
            rows = _build_rows(
                messages,
                gateway_ids,
                await self._measurement_ids.get_or_create(
                    {sample.measurement for message in messages for sample in message.samples}
                ),
                refused,
            )
            inverter_rows = inverters.build_rows(
                messages,
                gateway_ids,
                await self._inverter_ids.get_or_create(
                    {each.serial_number for message in messages for each in message.inverters}
                ),
                refused,
            )
            if rows or inverter_rows:
                left = await self._transactions.write(
                    lambda connection: _insert_all(connection, rows, inverter_rows)
                )
                names = {gateway_id: name for name, gateway_id in gateway_ids.items()}
                refused.update(
                    f"gateway {names[gateway]} has {MAX_OTHERS + 1} others of the same time"
                    for gateway, *_ in left
                )
            await self._battery_flags.update(messages)
        except UnavailableError:
            self._gateway_ids.invalidate()
            self._measurement_ids.invalidate()
            self._inverter_ids.invalidate()
            self._battery_flags.invalidate()
            raise
        return refused


def _build_rows(
    messages: Iterable[Message],
    gateway_ids: Mapping[str, int],
    measurement_ids: Mapping[str, int],
    refused: Counter[str],
) -> list[Row]:
    """Return the rows of readings with a possible date, in the order of their key; count the others."""
    rows: list[Row] = []
    for message in messages:
        gateway_id, read_at = gateway_ids[message.gateway], message.timestamp * SECOND
        # Compared with the time of the message, not with today: it may have waited for weeks.
        earliest, latest = read_at - _MAX_DISTANCE, read_at + _MAX_DISTANCE
        # In the order of the columns.
        possible = [
            (gateway_id, measured_at, measurement_ids[measurement], phase) + quantities  # noqa: RUF005 - faster
            for measurement, phase, measured_at, quantities in message.samples
            if earliest <= measured_at <= latest
        ]
        rows += possible
        if len(possible) < len(message.samples):
            refused.update(
                _describe_date(message, sample.measured_at)
                for sample in message.samples
                if not earliest <= sample.measured_at <= latest
            )
    # Sorted by key, so that concurrent writers wait for each other instead of deadlocking.
    rows.sort(key=_get_key)
    return rows


def _describe_date(message: Message, measured_at: int) -> str:
    measured, read = (
        f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}" for at in (measured_at / SECOND, message.timestamp)
    )
    return f"gateway {message.gateway} dates them {measured}, but they were read on {read}: check both clocks"


async def _insert_all(
    connection: AsyncConnection, rows: Sequence[Row], inverter_rows: Sequence[inverters.Row]
) -> Sequence[Row]:
    """Insert readings of meters and of microinverters; return the former for which no time is free."""
    if inverter_rows:
        # First, because it locks.
        await inverters.insert(connection, inverter_rows)
    return await _insert(connection, rows) if rows else ()


async def _insert(connection: AsyncConnection, rows: Sequence[Row]) -> Sequence[Row]:
    """Insert the rows, and return those for which no time is free."""
    minutes: set[tuple[int, int, int]] = set()
    for _ in range(MAX_OTHERS + 1):
        times = {(row[1], row[0]) for row in rows}
        minutes |= {(int(Resolution.MINUTE), time - time % MINUTE, gateway) for time, gateway in times}
        if await insert_if_absent(connection, readings, rows) == len(rows):
            rows = ()
            break
        # Delivered again, or other readings of the same times.
        rows = [
            (gateway, time + 1, *rest) for gateway, time, *rest in await _find_different(connection, rows)
        ]
        if not rows:
            break
    # A minute that is pending is inserted too: the statement waits for a rollup of it that is in progress,
    # and that may not include these readings. So every committed reading is either rolled up or pending.
    await insert_if_absent(connection, pending_rollups, sorted(minutes))
    return rows


async def _find_different(connection: AsyncConnection, rows: Sequence[Row]) -> list[Row]:
    """Return those of these rows that are not stored with these values; all keys exist."""
    is_sqlite = connection.dialect.name == "sqlite"
    columns = [
        # All digits of a FLOAT, which MariaDB otherwise rounds to six.
        column if is_sqlite or isinstance(column.type, Double) or column.primary_key else column * 1e0
        for column in readings.columns
    ]
    is_float = [each is not column for each, column in zip(columns, readings.columns, strict=True)]
    stored: dict[Row, Row] = {}
    for gateway, group in groupby(rows, itemgetter(0)):
        times = sorted({row[1] for row in group})
        for start in range(0, len(times), _VALUES):
            found = await connection.execute(
                select(*columns).where(
                    readings.c.gateway_id == gateway,
                    readings.c.measured_at.in_(times[start : start + _VALUES]),
                )
            )
            stored.update((_get_key(row), tuple(row)) for row in found)
    return [row for row in rows if stored.get(_get_key(row)) != tuple(_as_stored(row, is_float))]


def _as_stored(row: Row, is_float: Iterable[bool]) -> Iterator[Any]:
    for value, is_single in zip(row, is_float, strict=True):
        yield struct.unpack("f", struct.pack("f", value))[0] if is_single and value is not None else value
