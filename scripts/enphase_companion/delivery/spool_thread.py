"""The spool for asyncio: all its work runs in one thread."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

from ..message.model import OutgoingMessage
from ..runtime.errors import join_clauses
from ..runtime.metrics import Metrics
from ..runtime.recurring_warning import RecurringWarning
from .spool import MEMORY, Place, Spool

_LOGGER = logging.getLogger(__name__)

_Arguments = TypeVarTuple("_Arguments")
_Result = TypeVar("_Result")


class SpoolThread:
    """Runs the spool's work in order, and counts messages in it and dropped ones."""

    def __init__(self, spool: Spool, metrics: Metrics) -> None:
        self._spool = spool
        self._metrics = metrics
        self._thread = ThreadPoolExecutor(1, "spool")
        #: Set while the spool holds messages.
        self.any = asyncio.Event()
        self._losing = RecurringWarning("no readings are lost any more")
        self._unwritable = RecurringWarning(f"{spool.file}: takes all readings again")
        self._note()

    def __len__(self) -> int:
        return len(self._spool)

    def __str__(self) -> str:
        return str(self._spool.file)

    @property
    def problem(self) -> str | None:
        """What is wrong with the spool now; None if nothing is."""
        return self._losing.text or self._unwritable.text

    @property
    def held(self) -> int:
        """How many messages are in memory only."""
        return self._spool.held

    async def keep(self, message: OutgoingMessage) -> bool:
        """Append a message; return False, and warn, if it is in memory only."""
        dropped = await self._do(self._spool.append, message)
        self._note()
        self._tell(dropped)
        _LOGGER.debug("%d messages wait on disk, %d in memory", len(self) - self.held, self.held)
        return not self._spool.held

    async def look_again(self) -> None:
        """Try the disk again if it has a problem."""
        if self.problem is not None:
            self._tell(await self._do(self._spool.flush))
            self._note()

    async def oldest(self, count: int) -> list[tuple[Place, OutgoingMessage]]:
        """See Spool.oldest."""
        return await self._do(self._spool.oldest, count)

    async def remove(self, places: Iterable[Place]) -> None:
        """See Spool.remove."""
        await self._do(self._spool.remove, places)
        self._note()

    def end(self) -> None:
        """End the thread after its work; write what is in memory to disk, or count it as lost."""
        self._thread.shutdown()
        if not self._spool.held:
            return
        dropped = self._spool.flush() + self._spool.held
        if dropped:
            self._metrics.count("messages_dropped", dropped)
            _LOGGER.warning("%s", join_clauses(f"{dropped} readings are lost", self._spool.problem))

    async def _do(self, work: Callable[[*_Arguments], _Result], *arguments: *_Arguments) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    def _tell(self, dropped: int) -> None:
        problem = self._spool.problem
        if dropped:
            self._metrics.count("messages_dropped", dropped)
            self._losing.raise_(
                join_clauses(
                    "readings are being lost",
                    problem or f"{self}: is full (spool_limit)",
                    "the status line counts them",
                )
            )
        else:
            self._losing.clear()
        if problem is not None:
            self._unwritable.raise_(
                join_clauses(problem, f"at most {MEMORY} readings wait in memory: free space on that disk")
            )
        else:
            self._unwritable.clear()

    def _note(self) -> None:
        if len(self._spool):
            self.any.set()
        else:
            self.any.clear()
        self._metrics.set("spool_messages", len(self._spool))
