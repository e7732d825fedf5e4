"""The spool: messages in order that wait for broker or database; on disk, limited in size.

While the disk is not writable (full, over quota, read-only), new messages wait in memory, and removals are
remembered there; both are written as soon as possible. Only messages without space in either are dropped, the
oldest first; `append` returns their count.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Self

from ..config.settings import Settings
from ..message.model import OutgoingMessage
from ..runtime.errors import CommandError
from ..runtime.service import state_file
from .spool_file import PIECE, SpoolFile

#: What spool_limit counts.
_MEGABYTE = 1_000_000

#: Maximum number of messages in memory: a quarter of an hour at one a second, about three megabytes.
MEMORY = 1_000


@dataclass(slots=True, eq=False)
class Place:
    """Position of a message: its number on disk, None in memory."""

    number: int | None = None


class Spool:
    """An open spool. Not for two threads at once, nor for two processes.

    Raises CommandError if the configured file can never be used.
    """

    def __init__(self, file: Path, limit: int) -> None:
        """`limit`: bytes of messages on disk."""
        self.file = file
        self._limit = limit
        self._disk: SpoolFile | None = None
        self._held: deque[tuple[Place, OutgoingMessage]] = deque()
        #: Numbers that are still on disk, although removed.
        self._taken: set[int] = set()
        #: All up to this number are removed.
        self._passed = 0
        #: Why the disk is not writable now; None if it is.
        self.problem: str | None = None
        try:
            self._disk = SpoolFile(file)
        except OSError as error:
            self.problem = str(error)

    @classmethod
    def from_settings(cls, settings: Settings, name: str) -> Self:
        """Return the configured spool, else the one of this name in the script's state directory."""
        return cls(settings.spool_file or state_file(name), settings.spool_limit * _MEGABYTE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        on_disk = self._disk.count - len(self._taken) if self._disk is not None else 0
        return on_disk + len(self._held)

    @property
    def held(self) -> int:
        """How many messages are in memory only."""
        return len(self._held)

    def append(self, message: OutgoingMessage) -> int:
        """Append a message; return how many of the oldest were dropped."""
        self._held.append((Place(), message))
        dropped = self.flush()
        while len(self._held) > MEMORY:
            self._held.popleft()
            dropped += 1
        return dropped

    def flush(self) -> int:
        """Write what is in memory to disk, if possible; return how many on disk were dropped for it.

        Sets `problem`.
        """
        dropped = 0
        try:
            self._forget_taken()
            disk = self._open()
            if not self._held:
                disk.probe()
            while self._held:
                piece = list(islice(self._held, PIECE))
                numbers, gone = disk.append([message for _, message in piece], self._limit)
                dropped += gone
                for (place, _), number in zip(piece, numbers, strict=True):
                    place.number = number
                    self._held.popleft()
            self.problem = None
        except OSError as error:
            self.problem = str(error)
        return dropped

    def oldest(self, count: int) -> list[tuple[Place, OutgoingMessage]]:
        """Return the oldest ones in order, each with the place that `remove` wants.

        Raises OSError if all of them are on disk and the disk is not readable.
        """
        found: list[tuple[Place, OutgoingMessage]] = []
        try:
            with closing(self._on_disk()) as waiting:
                found.extend((Place(number), message) for number, message in islice(waiting, count))
        except OSError:
            if not found and not self._held:
                raise
        return found + list(islice(self._held, count - len(found)))

    def remove(self, places: Iterable[Place]) -> None:
        """Remove these. If the disk is not writable, that is remembered until the script stops."""
        gone = set(places)
        if any(place.number is None for place in gone):
            self._held = deque(each for each in self._held if each[0] not in gone)
        if self._disk is None:
            return
        numbers = {place.number for place in gone if place.number is not None}
        with suppress(OSError):
            # A message that was dropped meanwhile must not be counted.
            numbers = self._disk.present(numbers)
        self._taken |= numbers
        try:
            self._forget_taken()
        except OSError as error:
            self.problem = str(error)

    def close(self) -> None:
        """Close the file; its messages wait for the next start, those in memory are lost."""
        if self._disk is not None:
            self._disk.close()

    def _on_disk(self) -> Generator[tuple[int, OutgoingMessage]]:
        """Yield what waits on disk, the oldest first."""
        if self._disk is None:
            return
        is_first = True
        with closing(self._disk.after(self._passed)) as rows:
            for number, message in rows:
                if number not in self._taken:
                    is_first = False
                    yield number, message
                elif is_first:
                    self._passed = number

    def _forget_taken(self) -> None:
        """Delete removed messages from the disk. Raises OSError."""
        if self._disk is None or not self._taken:
            return
        try:
            self._disk.remove(self._taken)
        except OSError:
            with closing(self._on_disk()) as waiting:
                if next(waiting, None) is not None:
                    raise
            # All are removed: the whole file can be deleted, which needs no space.
            disk, self._disk = self._disk, None
            self._taken.clear()
            self._passed = 0
            disk.destroy()
            self._open()

    def _open(self) -> SpoolFile:
        """Return the file, opened again if that failed before. Raises OSError."""
        if self._disk is None:
            try:
                self._disk = SpoolFile(self.file)
            except CommandError as error:
                raise OSError(str(error)) from error
        return self._disk
