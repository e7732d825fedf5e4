"""Whether a gateway has batteries that no meter measures: its newest word, kept beside its name."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ..message import Message
from .engine import Transactions
from .tables import gateways

#: Seconds after which the database is asked again: another program may have stored an older word meanwhile.
_LOOK = 60.0


async def unmetered_batteries(connection: AsyncConnection) -> dict[str, bool | None]:
    """Return the newest word of each gateway, by serial number; None where it never said."""
    found = await connection.execute(select(gateways.c.serial_number, gateways.c.has_unmetered_batteries))
    return {row[0]: row[1] for row in found}


class Batteries:
    """Keeps what gateways say of their batteries; it hardly ever changes, and else nothing is written."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._stored: Mapping[str, bool | None] = {}
        self._next_look = 0.0
        #: When each gateway last said something here: what is redelivered late is no news.
        self._said_at: dict[str, float] = {}

    async def note(self, messages: Iterable[Message]) -> None:
        """Store the newest words of gateways that are in the database, in a transaction of their own.

        Raises StorageError, and UnavailableError where the same may work later.
        """
        said = self._news(messages)
        if time.monotonic() >= self._next_look or self._differs(said):
            self._stored = await self._transactions.read(unmetered_batteries)
            self._next_look = time.monotonic() + _LOOK
        if changed := self._differs(said):
            await self._transactions.write(lambda connection: _put(connection, changed))
            self._stored = {**self._stored, **changed}

    def forget(self) -> None:
        """Ask the database again next time: it may have been another one's, or restored from a copy."""
        self._next_look = 0.0

    def _news(self, messages: Iterable[Message]) -> dict[str, bool]:
        said: dict[str, bool] = {}
        for message in messages:
            word, gateway, at = message.unmetered_batteries, message.gateway, message.timestamp
            if word is not None and at >= self._said_at.get(gateway, at):
                said[gateway], self._said_at[gateway] = word, at
        return said

    def _differs(self, said: Mapping[str, bool]) -> dict[str, bool]:
        return {gateway: word for gateway, word in said.items() if word is not self._stored.get(gateway)}


async def _put(connection: AsyncConnection, words: Mapping[str, bool]) -> None:
    statement = (
        update(gateways)
        .where(gateways.c.serial_number == bindparam("gateway"))
        .values(has_unmetered_batteries=bindparam("word"))
    )
    # In one order, so that two writers wait for one another and do not deadlock.
    await connection.execute(
        statement, [{"gateway": gateway, "word": word} for gateway, word in sorted(words.items())]
    )
