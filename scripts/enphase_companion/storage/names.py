"""The small numbers that stand for gateways and measurements in the tables."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from .engine import Transactions
from .errors import UnstorableError
from .statements import keep_first

#: Seconds after which a full table is looked at again: its owner may have made room.
_LOOK = 60.0


class Names:
    """The numbers of one of the two tables, `gateways` or `measurements`, by name."""

    def __init__(self, transactions: Transactions, table: Table, limit: int) -> None:
        """`limit`: names at most; whoever may send messages can invent as many as they like."""
        self._transactions = transactions
        self._table = table
        self._name = table.columns.values()[1]
        self._limit = limit
        self._known: Mapping[str, int] = {}
        self._looked_at = 0.0

    async def all(self) -> Mapping[str, int]:
        """Return all numbers that are in the database."""
        self._known = await self._transactions.read(self._read)
        self._looked_at = time.monotonic()
        return self._known

    async def numbers(self, names: Iterable[str]) -> Mapping[str, int]:
        """Return the numbers of at least these names; one that the database has not heard of gets one.

        Raises UnstorableError where the table has no room for all of them, and then adds none.
        """
        missing = set(names) - self._known.keys()
        is_full = len(self._known) >= self._limit and time.monotonic() - self._looked_at < _LOOK
        if missing and not is_full:
            missing -= (await self.all()).keys()
        if missing:
            if len(self._known) + len(missing) > self._limit:
                raise UnstorableError(
                    f"{self._transactions.place}: its table {self._table.name} takes no more than "
                    f"{self._limit}: delete there what is not yours"
                )
            await self._transactions.write(lambda connection: self._add(connection, missing))
            await self.all()
        return self._known

    def forget(self) -> None:
        """Ask the database again next time: it may have been another one's, or restored from a copy."""
        self._known = {}

    async def _read(self, connection: AsyncConnection) -> dict[str, int]:
        rows = await connection.execute(select(self._name, self._table.c.id))
        return {row[0]: row[1] for row in rows}

    async def _add(self, connection: AsyncConnection, names: Iterable[str]) -> None:
        statement = keep_first(self._table, connection.dialect.name)
        await connection.execute(statement, [{self._name.name: name} for name in sorted(names)])
