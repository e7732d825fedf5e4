"""The spool, for what must not wait for the disk: all that is done with it happens in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

from ..message.parcel import Parcel
from ..running.figures import Figures
from ..running.trouble import Trouble
from .spool import Spool

_LOGGER = logging.getLogger(__name__)

_Arguments = TypeVarTuple("_Arguments")
_Result = TypeVar("_Result")


class SpoolThread:
    """Does with a spool one thing after the other, and counts what waits there and what is lost."""

    def __init__(self, spool: Spool, figures: Figures) -> None:
        self._spool = spool
        self._figures = figures
        self._thread = ThreadPoolExecutor(1, "spool")
        #: Set while anything waits.
        self.any = asyncio.Event()
        #: Messages are being lost.
        self.dropping = Trouble("The spool takes all readings again")
        self._note()

    def __len__(self) -> int:
        return len(self._spool)

    def __str__(self) -> str:
        return str(self._spool.file)

    async def keep(self, parcel: Parcel) -> bool:
        """Put a message behind those that wait; False where the disk did not take it, which is told."""
        try:
            dropped = await self._do(self._spool.append, parcel)
            reason = "is full (spool_limit)"
        except OSError as error:
            dropped, reason, kept = 1, f"cannot be written: {error}", False
        else:
            kept = True
        self._note()
        if dropped:
            self._figures.count("dropped", dropped)
            self.dropping.tell(
                f"The spool {reason}. Readings are being lost; the count of the lost is in the status"
            )
        else:
            self.dropping.end()
        _LOGGER.debug("%d messages wait on disk", len(self))
        return kept

    async def oldest(self, count: int) -> list[tuple[int, Parcel]]:
        """See Spool.oldest."""
        return await self._do(self._spool.oldest, count)

    async def remove(self, numbers: Iterable[int]) -> None:
        """See Spool.remove."""
        await self._do(self._spool.remove, numbers)
        self._note()

    def end(self) -> None:
        """End the thread, when it has done what it was given."""
        self._thread.shutdown()

    async def _do(self, work: Callable[[*_Arguments], _Result], *arguments: *_Arguments) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    def _note(self) -> None:
        if len(self._spool):
            self.any.set()
        else:
            self.any.clear()
        self._figures.set("waiting", len(self._spool))
