"""The forwarder: each message goes to disk at once, and from there to the database, the oldest first.

An outage of the database is no special case: the spool only grows. While the disk is not writable, messages
wait in memory instead, and the database is still tried.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import NoReturn

from ..message import Message, MessageError, decode, encode
from ..message.model import OutgoingMessage
from ..runtime.errors import join_clauses
from ..runtime.metrics import Metrics
from ..runtime.recurring_warning import RecurringWarning
from ..runtime.timing import Backoff
from ..storage import StorageError, UnstorableError
from .spool import Spool
from .spool_thread import SpoolThread

_LOGGER = logging.getLogger(__name__)

#: Seconds to store what still waits when the script stops; the rest waits for the next start.
_LAST = 2.0

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
        on_safe: Callable[[], None],
    ) -> None:
        """Store `batch` messages together, or those that arrived within `age` seconds.

        `store` returns when they are on disk, and raises StorageError. `on_safe` is called when messages are
        on a disk: the spool's or the database's.
        """
        self._disk = SpoolThread(spool, metrics)
        self._store = store
        self._metrics = metrics
        self._batch = batch
        self._age = age
        self._on_safe = on_safe
        self._away = RecurringWarning("readings are stored again")
        self._refused = RecurringWarning("all readings can be stored again")

    @property
    def problem(self) -> str | None:
        """What is wrong with spool or store now; None if nothing is."""
        return self._disk.problem or self._away.text

    async def take(self, message: Message) -> None:
        """Accept a message; it is on disk when this returns, or in memory if the disk is not writable."""
        outgoing = OutgoingMessage(message.message_id or "", message.gateway, "", encode(message))
        if await self._disk.keep(outgoing):
            self._on_safe()

    async def run(self) -> NoReturn:
        """Store the messages, waiting while the store is unavailable."""
        backoff = Backoff(0.5, 30)
        while True:
            await self._disk.any.wait()
            if len(self._disk) < self._batch:
                await asyncio.sleep(self._age)
            try:
                await self._move()
            except (StorageError, OSError) as error:
                self._away.raise_(join_clauses(str(error), self._describe_spool()))
                await asyncio.sleep(backoff.next())
            else:
                self._away.clear()
                backoff.reset()

    async def finish(self) -> None:
        """Store what still waits, for a short time; called when `run` has ended."""
        with suppress(StorageError, OSError, TimeoutError):
            async with asyncio.timeout(_LAST):
                while len(self._disk):
                    await self._move()
        self._disk.end()

    def _describe_spool(self) -> str:
        return "readings wait in memory" if self._disk.held else "readings wait on disk"

    async def _move(self) -> None:
        """Move the oldest messages to the store. Raises StorageError and OSError, and then they stay."""
        oldest = await self._disk.oldest(self._batch)
        messages = []
        for _, message in oldest:
            try:
                messages.append(decode(message.body))
            except MessageError as error:
                # Only a newer version of this program can have written that.
                self._refuse(f"{self._disk}: unreadable message dropped: {error}")
        stored = await self._try_store(messages)
        await self._disk.remove([place for place, _ in oldest])
        self._on_safe()
        self._metrics.count("messages_stored", stored)
        self._refused.clear(_QUIET)
        _LOGGER.debug("%d messages stored, %d in the spool", stored, len(self._disk))

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
