"""The spool: what waits on disk, in order, while the broker cannot take it; one SQLite file of limited size.

What `append` has returned from survives a power cut. At the limit the oldest gives way, and whoever appends
is told how much went.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Self

from ..message.parcel import Parcel
from ..running.errors import CommandError
from ..running.service import state_file
from ..settings.keys import Settings

_LOGGER = logging.getLogger(__name__)

#: What spool_limit counts.
_MEGABYTE = 1_000_000

#: Of the file's form; a file of another is set aside.
_VERSION = 1

_TABLE = """
    CREATE TABLE waiting (
        number INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice, also when the last row is gone
        message_id TEXT NOT NULL,
        gateway TEXT NOT NULL,
        routing_key TEXT NOT NULL,
        body BLOB NOT NULL
    )
"""


class Spool:
    """An open spool. Not for two threads at once, nor for two processes.

    Raises CommandError where the file cannot be used. What is in a file that is no spool is kept beside it.
    """

    def __init__(self, file: Path, limit: int) -> None:
        """`limit`: bytes of messages."""
        self.file = file
        self._limit = limit
        self._connection = self._opened()
        row = self._connection.execute(
            "SELECT count(*), ifnull(sum(length(body)), 0) FROM waiting"
        ).fetchone()
        self._count, self._bytes = int(row[0]), int(row[1])

    @classmethod
    def from_settings(cls, settings: Settings, name: str) -> Self:
        """Give the spool that is set, else the one of this name in the script's state directory."""
        return cls(settings.spool_file or state_file(name), settings.spool_limit * _MEGABYTE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return self._count

    def append(self, parcel: Parcel) -> int:
        """Keep one, and give how many of the oldest had to go for it.

        Raises OSError where the disk does not take it.
        """
        try:
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                dropped, freed = self._make_room(len(parcel.body))
                self._connection.execute(
                    "INSERT INTO waiting (message_id, gateway, routing_key, body) VALUES (?, ?, ?, ?)",
                    (parcel.message_id, parcel.gateway, parcel.routing_key, parcel.body),
                )
        except sqlite3.Error as error:
            raise OSError(f"{self.file}: cannot be written ({error})") from error
        self._count += 1 - dropped
        self._bytes += len(parcel.body) - freed
        return dropped

    def oldest(self, count: int) -> list[tuple[int, Parcel]]:
        """Give the oldest ones in order, each with the number that `remove` wants.

        Raises OSError where the disk does not give them.
        """
        query = "SELECT number, message_id, gateway, routing_key, body FROM waiting ORDER BY number LIMIT ?"
        try:
            return [(row[0], Parcel(*row[1:])) for row in self._connection.execute(query, (count,))]
        except sqlite3.Error as error:
            raise OSError(f"{self.file}: cannot be read ({error})") from error

    def remove(self, numbers: Iterable[int]) -> None:
        """Forget these: they have been taken.

        Raises OSError where the disk does not take that.
        """
        gone = 0
        freed = 0
        try:
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                for number in numbers:
                    query = "DELETE FROM waiting WHERE number = ? RETURNING length(body)"
                    for (length,) in self._connection.execute(query, (number,)).fetchall():
                        gone += 1
                        freed += length
            self._count -= gone
            self._bytes -= freed
            if gone and not self._count:
                # A day's outage must not cost its disk space for ever.
                self._connection.execute("VACUUM")
        except sqlite3.Error as error:
            raise OSError(f"{self.file}: cannot be written ({error})") from error

    def close(self) -> None:
        """Close the file; what waits in it waits for the next start."""
        self._connection.close()

    def _make_room(self, length: int) -> tuple[int, int]:
        """Delete the oldest until there is room, in the open transaction; give how many and their bytes."""
        dropped = freed = 0
        while self._bytes - freed + length > self._limit and dropped < self._count:
            query = (
                "DELETE FROM waiting WHERE number = (SELECT min(number) FROM waiting) RETURNING length(body)"
            )
            [(bytes_,)] = self._connection.execute(query).fetchall()
            dropped += 1
            freed += bytes_
        return dropped, freed

    def _opened(self) -> sqlite3.Connection:
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Consumption tells who is at home and when: nobody else's business.
            os.close(os.open(self.file, os.O_CREAT | os.O_RDWR, 0o600))
            try:
                return self._connected()
            except sqlite3.OperationalError as error:
                raise CommandError(f"{self.file}: {_what_to_do(error)}") from error
            except sqlite3.DatabaseError as error:
                aside = self._set_aside()
                _LOGGER.warning("%s: no spool (%s). Kept as %s; a new one begins.", self.file, error, aside)
                return self._connected()
        except OSError as error:
            raise CommandError(
                f"{self.file}: cannot be used as spool ({error.strerror}). Set spool_file."
            ) from error

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.file, timeout=1, isolation_level=None, check_same_thread=False)
        try:
            # Held until it is closed: two programs that send what is in it would send it twice.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN EXCLUSIVE")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                connection.execute(_TABLE)
                connection.execute(f"PRAGMA user_version = {_VERSION}")
            elif version != _VERSION:
                raise sqlite3.DatabaseError(f"its form is {version}, and only {_VERSION} is known here")
            connection.execute("COMMIT")
            if connection.execute("PRAGMA quick_check").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError("it is damaged")
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_aside(self) -> Path:
        """Rename the file out of the way, and give its new name."""
        number = 1
        while (aside := self.file.with_name(f"{self.file.name}.broken-{number}")).exists():
            number += 1
        self.file.rename(aside)
        for ending in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                self.file.with_name(self.file.name + ending).rename(aside.with_name(aside.name + ending))
        return aside


def _what_to_do(error: sqlite3.OperationalError) -> str:
    if "locked" in str(error):
        return "another program is using this spool. End that one, or set another spool_file for this one."
    return f"cannot be used as spool ({error}). Set spool_file."
