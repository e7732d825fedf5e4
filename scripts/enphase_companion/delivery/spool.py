"""The spool: messages in order that wait for broker or database; in memory, and on disk if they wait long.

The disk is written in groups, at most once a second. While it is not writable (full, over quota, read-only),
messages stay in memory, and removals are remembered there. Only messages without space in either are dropped,
the oldest first.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self, TypeVar, TypeVarTuple

from ..config.settings import Settings
from ..message import OutgoingMessage
from ..runtime.errors import CommandError, join_clauses
from ..runtime.metrics import Metrics
from ..runtime.recurring_warning import RecurringWarning
from ..runtime.service import state_file
from .spool_file import SpoolFile

_LOGGER = logging.getLogger(__name__)

#: What spool_limit counts.
_MEGABYTE = 1_000_000

#: Maximum number of messages in memory: a quarter of an hour at one a second, some five megabytes.
MEMORY = 1_000

#: Seconds between two writes to disk.
_WRITE_INTERVAL = 1.0

#: Messages on disk from which on their size and rate tell how long the disk will do.
_ENOUGH = 60

_Arguments = TypeVarTuple("_Arguments")
_Result = TypeVar("_Result")


@dataclass(slots=True, eq=False)
class Place:
    """Where a message is: its number on disk, None in memory, and since when it waits (monotonic clock)."""

    number: int | None = None
    since: float = 0.0


class Spool:
    """An open spool; an async context manager, at whose end what is in memory is written to disk.

    Not for two processes at once. Raises CommandError if the configured file can never be used.
    """

    def __init__(
        self,
        file: Path,
        limit: int,
        metrics: Metrics,
        *,
        age: float = 1.0,
        on_safe: Callable[[], None] = lambda: None,
    ) -> None:
        """`limit`: bytes of the file. `age`: seconds that a message waits in memory only.

        `on_safe` is called when messages are on disk or removed.
        """
        self.file = file
        #: Set while messages wait, and while none is in memory.
        self.any, self.memory_is_empty = asyncio.Event(), asyncio.Event()
        #: Why the disk is not writable now; None if it is.
        self._problem: str | None = None
        self._limit = limit
        self._metrics = metrics
        self._age = age
        self._on_safe = on_safe
        self._memory: dict[Place, OutgoingMessage] = {}
        self._has_room = asyncio.Event()
        #: Numbers that are still on disk, although removed.
        self._taken: set[int] = set()
        #: How many messages are on disk, these included, and the number of the oldest. Copies: the thread
        #: changes those of the file at any time.
        self._count, self._first = 0, 1
        #: All up to this number are removed.
        self._passed = 0
        self._thread = ThreadPoolExecutor(1, "spool")
        self._writing: asyncio.Task[NoReturn] | None = None
        #: When the disk was first written in this outage, and the greatest number then.
        self._outage: tuple[float, int] | None = None
        self._growing = RecurringWarning("no readings wait on disk any more")
        self._losing = RecurringWarning("no readings are lost any more")
        self._unwritable = RecurringWarning(f"{file}: takes all readings again")
        self._disk: SpoolFile | None = None
        try:
            self._disk = SpoolFile(file)
        except OSError as error:
            self._problem = str(error)
        self._look()
        self._note()

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        name: str,
        metrics: Metrics,
        *,
        age: float = 1.0,
        on_safe: Callable[[], None] = lambda: None,
    ) -> Self:
        """Return the configured spool, else the one of this name in the script's state directory."""
        file = settings.spool_file or state_file(name)
        return cls(file, settings.spool_limit * _MEGABYTE, metrics, age=age, on_safe=on_safe)

    async def __aenter__(self) -> Self:
        self._tell(0)
        self._writing = asyncio.create_task(self._write_regularly())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writing is not None:
            self._writing.cancel()
            with suppress(asyncio.CancelledError):
                await self._writing
        await self.flush()
        if self._disk is not None:
            await self._do(self._disk.close)
        self._thread.shutdown()
        if self._memory:
            self._metrics.count("messages_dropped", len(self._memory))
            _LOGGER.warning("%s", join_clauses(f"{len(self._memory)} readings are lost", self._problem))

    def __len__(self) -> int:
        return self.on_disk + len(self._memory)

    @property
    def on_disk(self) -> int:
        """How many messages are on disk."""
        return self._count - len(self._taken)

    @property
    def in_memory(self) -> int:
        """How many messages are in memory only."""
        return len(self._memory)

    @property
    def is_writable(self) -> bool:
        """Whether the disk was writable when it was written last."""
        return self._problem is None

    @property
    def problem(self) -> str | None:
        """What is wrong with the spool now; None if nothing is."""
        return self._losing.text or self._unwritable.text

    async def add(self, message: OutgoingMessage) -> None:
        """Append a message, in memory. Wait while too many are there, but not for a disk with a problem."""
        if self._writing is not None and self._writing.done():
            # It ends with an error only.
            self._writing.result()
        await self._has_room.wait()
        if len(self._memory) >= MEMORY:
            del self._memory[next(iter(self._memory))]
            self._tell(1)
        self._memory[Place(since=time.monotonic())] = message
        self._note()

    async def oldest(self, count: int) -> list[tuple[Place, OutgoingMessage]]:
        """Return the oldest ones in order, each with the place that `remove` wants.

        Raises OSError if all of them are on disk and the disk is not readable.
        """
        found: list[tuple[Place, OutgoingMessage]] = []
        if self.on_disk:
            try:
                found = await self._read(count)
            except OSError:
                if not self._memory:
                    raise
        return found + list(islice(self._memory.items(), count - len(found)))

    def remove(self, places: Iterable[Place]) -> None:
        """Remove these; those on disk with the next write. If the script is killed before, they return."""
        for place in places:
            if place.number is None:
                self._memory.pop(place, None)
            elif place.number >= self._first:
                # Others were dropped meanwhile.
                self._taken.add(place.number)
        self._on_safe()
        self._note()

    async def flush(self) -> None:
        """Write what is in memory to disk, and delete there what is removed, if that is possible."""
        dropped = 0
        try:
            if taken := set(self._taken):
                await self._do(self._delete, taken)
                self._taken -= taken
                self._look()
            if self._memory:
                dropped = await self._append()
                self._on_safe()
            elif not taken:
                await self._do(lambda: self._open().probe())
            self._problem = None
        except OSError as error:
            self._problem = str(error)
        self._note()
        self._tell(dropped)
        self._forecast()
        _LOGGER.debug("%d messages wait on disk, %d in memory", self.on_disk, len(self._memory))

    async def _write_regularly(self) -> NoReturn:
        while True:
            await asyncio.sleep(_WRITE_INTERVAL)
            oldest = next(iter(self._memory), None)
            is_due = oldest is not None and time.monotonic() - oldest.since >= self._age
            if is_due or self._taken or self.problem is not None:
                await self.flush()

    async def _append(self) -> int:
        """Write all messages of the memory to disk; return how many on disk were dropped. Raises OSError."""
        staged = list(self._memory.items())
        messages = [message for _, message in staged]
        numbers, dropped = await self._do(lambda: self._open().append(messages, self._limit))
        for (place, _), number in zip(staged, numbers, strict=True):
            place.number = number
            if self._memory.pop(place, None) is None:
                # It was removed while it was being written.
                self._taken.add(number)
        self._look()
        return dropped

    async def _read(self, count: int) -> list[tuple[Place, OutgoingMessage]]:
        """Return the oldest messages on disk. Raises OSError."""
        try:
            rows = await self._do(lambda: self._open().read(self._passed, count, self._taken))
        except OSError:
            # It was damaged, perhaps, and is a new file.
            self._look()
            raise
        if rows:
            self._passed = rows[0][0] - 1
        if len(rows) < count:
            # The file's count includes those between others that are deleted.
            self._count = len(self._taken) + len(rows)
            self._note()
        if damaged := [number for number, message in rows if message is None]:
            self._taken.update(damaged)
            self._metrics.count("messages_dropped", len(damaged))
            _LOGGER.warning("%s: %d damaged messages dropped", self.file, len(damaged))
            self._note()
        return [(Place(number), message) for number, message in rows if message is not None]

    def _look(self) -> None:
        """Copy what the file holds, after each work of the thread; what was dropped is no longer taken."""
        if self._disk is not None:
            self._count, self._first = self._disk.count, self._disk.first
            self._taken = {number for number in self._taken if number >= self._first}

    def _delete(self, taken: Collection[int]) -> None:
        """Delete these from the disk, in the thread. Raises OSError."""
        disk = self._open()
        try:
            disk.remove(taken)
        except OSError:
            if disk.read(0, 1, taken):
                raise
            # All are removed: the whole file can be deleted, which needs no space.
            self._disk = None
            self._passed = 0
            disk.destroy()
            self._open()

    def _open(self) -> SpoolFile:
        """Return the file, opened again if that failed before, in the thread. Raises OSError."""
        if self._disk is None:
            try:
                self._disk = SpoolFile(self.file)
            except CommandError as error:
                raise OSError(str(error)) from error
        return self._disk

    async def _do(self, work: Callable[[*_Arguments], _Result], *arguments: *_Arguments) -> _Result:
        """Run `work` in the thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    def _tell(self, dropped: int) -> None:
        if dropped:
            self._metrics.count("messages_dropped", dropped)
            self._losing.raise_(
                join_clauses(
                    "readings are being lost",
                    self._problem or f"{self.file}: is full (spool_limit)",
                    "the status line counts them",
                )
            )
        else:
            self._losing.clear()
        if self._problem is not None:
            self._unwritable.raise_(
                join_clauses(
                    self._problem, f"at most {MEMORY} readings wait in memory: free space on that disk"
                )
            )
        else:
            self._unwritable.clear()

    def _forecast(self) -> None:
        """Log, once in an outage, for how long the disk will do."""
        disk, now = self._disk, time.monotonic()
        if disk is None or not self.on_disk:
            self._outage = None
            self._growing.clear()
        elif self._outage is None:
            self._outage = now, disk.last
        elif self.on_disk >= _ENOUGH and self._growing.text is None:
            begun, last = self._outage
            if rate := (disk.last - last) / (now - begun):
                left = max(0, self._limit - disk.bytes) / (disk.bytes / disk.count * rate)
                self._growing.raise_(
                    f"{self.file}: {self.on_disk} readings wait on disk; at this rate spool_limit is reached "
                    f"in {_describe_duration(left)}"
                )

    def _note(self) -> None:
        for event, is_set in (
            (self.any, len(self) > 0),
            (self.memory_is_empty, not self._memory),
            (self._has_room, len(self._memory) < MEMORY or not self.is_writable),
        ):
            if is_set:
                event.set()
            else:
                event.clear()
        self._metrics.set("spool_messages", self.on_disk if self.is_writable else len(self))


def _describe_duration(seconds: float) -> str:
    hours = seconds / 3_600
    return f"about {hours:.0f} hours" if hours < 72 else f"about {hours / 24:.0f} days"
