"""The consumer's decoding and storing in a separate process, without a broker."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from time import process_time

from enphase_companion.delivery.sink import Sink
from enphase_companion.message import decode
from enphase_companion.storage import Database

#: Messages that are written together, as installed.
_BATCH = 500


class ConsumerStore:
    """What a consumer does with messages: decode them, and write them into SQLite."""

    def __init__(self, _: object) -> None:
        self._stack = AsyncExitStack()
        self._store: Sink

    async def start(self) -> None:
        """Make the database."""
        folder = self._stack.enter_context(tempfile.TemporaryDirectory())
        url = f"sqlite:///{Path(folder) / 'enphase.db'}"
        self._store = Sink(await self._stack.enter_async_context(Database(url)))
        await self._store.begin()

    async def consume(self, bodies: Sequence[bytes]) -> tuple[float, float]:
        """Return the seconds of the processor that it took to decode these, and to store them."""
        began = process_time()
        messages = [decode(body) for body in bodies]
        decoded = process_time()
        for start in range(0, len(messages), _BATCH):
            await self._store.write(messages[start : start + _BATCH])
        return decoded - began, process_time() - decoded

    async def stop(self) -> None:
        """Remove the database."""
        await self._stack.aclose()


SUBJECTS = {"sqlite": ConsumerStore}
