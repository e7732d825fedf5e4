"""The forwarder: messages wait in memory for their batch, and go to the database, the oldest first.

Only in an outage of the database, the spool writes them to its disk.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import NoReturn

from ..message import Message, MessageError, OutgoingMessage, decode, encode
from ..runtime.errors import join_clauses
from ..runtime.metrics import Metrics
from ..runtime.recurring_warning import RecurringWarning
from ..runtime.timing import Backoff
from ..storage import StorageError, UnstorableError
from .spool import Spool

_LOGGER = logging.getLogger(__name__)

#: Seconds to store what is in memory when the script stops; then it goes to the spool's disk.
_LAST = 1.5

#: Seconds without a dropped message until that problem counts as over.
_QUIET = 60.0


class Forwarder:
    """Accepts messages and passes them to `store` in batches."""

    def __init__(
        self,
        spool: Spool,
        store: Callable[[Sequence[Message]], Awaitable[None]],
        metrics: Metrics,
        *,
        batch: int,
        age: float,
    ) -> None:
        """Store `batch` messages together, or those that arrived within `age` seconds.

        `store` returns when they are on disk, and raises StorageError.
        """
        self._spool = spool
        self._store = store
        self._metrics = metrics
        self._batch = batch
        self._age = age
        self._away = RecurringWarning("readings are stored again")
        self._refused = RecurringWarning("all readings can be stored again")

    @property
    def problem(self) -> str | None:
        """What is wrong with spool or store now; None if nothing is."""
        return self._spool.problem or self._away.text

    async def take(self, message: Message) -> None:
        """Accept a message; it is stored, or on the spool's disk, after `age` seconds and a little more."""
        await self._spool.add(OutgoingMessage(message.message_id or "", message.gateway, "", encode(message)))

    async def run(self) -> NoReturn:
        """Store the messages, waiting while the store is unavailable."""
        backoff = Backoff(0.5, 30)
        while True:
            await self._spool.any.wait()
            try:
                await self._move()
            except (StorageError, OSError) as error:
                self._away.raise_(join_clauses(str(error), self._describe_spool()))
                await asyncio.sleep(backoff.next())
            else:
                self._away.clear()
                backoff.reset()
                if len(self._spool) < self._batch:
                    await asyncio.sleep(self._age)

    async def finish(self) -> None:
        """Store what is in memory, for a short time; called when `run` has ended."""
        if self._spool.on_disk and self._spool.is_writable:
            # Behind others that wait.
            return
        with suppress(StorageError, OSError, TimeoutError):
            async with asyncio.timeout(_LAST):
                while self._spool.in_memory:
                    await self._move()

    def _describe_spool(self) -> str:
        return "readings wait on disk" if self._spool.is_writable else "readings wait in memory"

    async def _move(self) -> None:
        """Move the oldest messages to the store. Raises StorageError and OSError, and then they stay."""
        oldest = await self._spool.oldest(self._batch)
        messages = []
        for _, message in oldest:
            try:
                messages.append(decode(message.body))
            except MessageError as error:
                # Only a newer version of this program can have written that.
                self._refuse(f"{self._spool.file}: unreadable message dropped: {error}")
        stored = await self._try_store(messages)
        self._spool.remove([place for place, _ in oldest])
        self._metrics.count("messages_stored", stored)
        self._refused.clear(_QUIET)
        _LOGGER.debug("%d messages stored, %d wait", stored, len(self._spool))

    async def _try_store(self, messages: Sequence[Message]) -> int:
        """Store these without those that can never be stored; return how many were stored."""
        try:
            await self._store(messages)
        except UnstorableError as error:
            if len(messages) > 1:
                middle = len(messages) // 2
                return await self._try_store(messages[:middle]) + await self._try_store(messages[middle:])
            self._refuse(f"reading dropped: {error}")
            return 0
        return len(messages)

    def _refuse(self, text: str) -> None:
        self._metrics.count("messages_dropped")
        self._refused.raise_(text)
