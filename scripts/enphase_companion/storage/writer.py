"""Writing messages: each reading exactly once, and a note that its minute is to be rolled up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import attrgetter, itemgetter
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ..message import Message
from .batteries import Batteries
from .engine import Transactions
from .errors import UnavailableError
from .levels import MINUTE, Level
from .names import Names
from .statements import insert_new
from .tables import QUANTITIES, pending_rollups, readings

_values = attrgetter(*QUANTITIES)
_key = itemgetter(0, 1, 2, 3)

#: gateway, time, measurement, phase, and the values.
Row = tuple[Any, ...]


class Writer:
    """Writes messages into one database."""

    def __init__(self, transactions: Transactions, gateways: Names, measurements: Names) -> None:
        self._transactions = transactions
        self._gateways = gateways
        self._measurements = measurements
        self._batteries = Batteries(transactions)

    async def write(self, messages: Iterable[Message]) -> None:
        """Write all or nothing; when this returns, it is on disk.

        A reading that is there already (same gateway, moment, measurement and phase) stays as it is. Raises
        StorageError, and UnavailableError where the same may work later.
        """
        messages = list(messages)
        try:
            rows = _rows(
                messages,
                await self._gateways.numbers(message.gateway for message in messages),
                await self._measurements.numbers(
                    {sample.measurement for message in messages for sample in message.samples}
                ),
            )
            if rows:
                await self._transactions.write(lambda connection: _insert(connection, rows))
            await self._batteries.note(messages)
        except UnavailableError:
            self._gateways.forget()
            self._measurements.forget()
            self._batteries.forget()
            raise


def _rows(
    messages: Iterable[Message], gateways: Mapping[str, int], measurements: Mapping[str, int]
) -> list[Row]:
    rows: list[Row] = [
        (
            gateway,
            sample.measured_at,
            measurements[sample.measurement],
            sample.phase,
            *_values(sample.quantities),
        )
        for message in messages
        for gateway in (gateways[message.gateway],)
        for sample in message.samples
    ]
    # In the order of the key: two writers that lock rows in the same order wait for one another, and do not
    # deadlock.
    rows.sort(key=_key)
    return rows


async def _insert(connection: AsyncConnection, rows: list[Row]) -> None:
    await insert_new(connection, readings, rows)
    # The note is written even if it is there: this waits for whoever is rolling up that minute, who may not
    # have seen these readings. A reading that is committed is therefore either rolled up or noted.
    touched = {(int(Level.MINUTE), time - time % MINUTE, gateway) for gateway, time, *_ in rows}
    await insert_new(connection, pending_rollups, sorted(touched))
