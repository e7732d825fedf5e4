"""The small numbers that stand for gateways and measurements in the tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from .engine import Transactions
from .statements import keep_first


class Names:
    """The numbers of one of the two tables, `gateways` or `measurements`, by name."""

    def __init__(self, transactions: Transactions, table: Table) -> None:
        self._transactions = transactions
        self._table = table
        self._name = table.columns.values()[1]
        self._known: Mapping[str, int] = {}

    async def all(self) -> Mapping[str, int]:
        """Give all numbers that are in the database."""
        self._known = await self._transactions.read(self._read)
        return self._known

    async def numbers(self, names: Iterable[str]) -> Mapping[str, int]:
        """Give the numbers of at least these names; one that the database has not heard of gets one."""
        missing = set(names) - self._known.keys()
        if missing and (missing := missing - (await self.all()).keys()):
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
