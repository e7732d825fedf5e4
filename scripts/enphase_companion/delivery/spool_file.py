"""The spool's file: messages in order in SQLite, and reserved space to delete them on a full disk.

A message survives a power failure once `append` has returned.
"""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from ..message import OutgoingMessage
from ..runtime.errors import CommandError, join_clauses

_LOGGER = logging.getLogger(__name__)

#: Schema version; a file of another version is renamed. Version 1 did not compress bodies.
_VERSION, _UNCOMPRESSED_VERSION = 2, 1

_TABLE = """
    CREATE TABLE waiting (
        number INTEGER PRIMARY KEY, -- rises; a program does not use one twice
        message_id TEXT NOT NULL,
        gateway TEXT NOT NULL,
        routing_key TEXT NOT NULL,
        body BLOB NOT NULL -- compressed with zlib, or JSON
    )
"""

#: Bytes reserved in a second file. Deleting rows needs space in the write-ahead log, which a full disk lacks:
#: the reserve is released then.
_RESERVE = 1_000_000

#: Rows per deletion while the disk is full: few, so that the reserve is enough.
_PIECE = 100

#: Bytes of a row besides its body.
_OVERHEAD = 100

#: An empty file that is larger than this, in bytes, is shrunk.
_LARGE = 4_000_000

#: Errors of a disk that may be writable later: full, over quota, read-only, failing.
_PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})

#: The same as SQLite reports it.
_SQLITE_PASSING = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY")

#: Codes of a file that is damaged, in the lowest eight bits of SQLite's extended codes.
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CONSTRAINT})


class SpoolFile:
    """An open file. Not for two threads at once, nor for two processes.

    Every method raises OSError if the disk fails, the constructor CommandError if waiting does not help. A
    file that is damaged or not a spool is renamed and kept, and a new one is created.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reserve = path.with_name(f"{path.name}.reserve")
        #: Numbers of the oldest message, and of the newest that there ever was.
        self.first, self.last = 1, 0
        #: Number of messages; too great while messages between others are removed.
        self.count = 0
        #: Bytes of the file that are in use.
        self.bytes = 0
        self._connection = self._open()
        with suppress(OSError):
            # If it is damaged, it is renamed here; then the next line reads a new one.
            self._look()
        self._look()
        self._keep_reserve()

    def append(self, messages: Sequence[OutgoingMessage], limit: int) -> tuple[list[int], int]:
        """Append all or none in one write; return their numbers, and how many of the oldest were dropped.

        They are dropped where the file would grow beyond `limit` bytes.
        """
        numbers = [self.last + position for position in range(1, len(messages) + 1)]
        rows = [
            (number, each.message_id, each.gateway, each.routing_key, zlib.compress(each.body, 1))
            for number, each in zip(numbers, messages, strict=True)
        ]
        with self._transaction():
            dropped = self._make_room(sum(len(row[-1]) + _OVERHEAD for row in rows), limit)
            self._connection.executemany(
                "INSERT INTO waiting (number, message_id, gateway, routing_key, body) VALUES (?, ?, ?, ?, ?)",
                rows,
            )
        self._look()
        self._keep_reserve()
        return numbers, dropped

    def read(
        self, after: int, count: int, without: Collection[int]
    ) -> list[tuple[int, OutgoingMessage | None]]:
        """Return the oldest `count` with numbers greater than `after`, but not those in `without`.

        A damaged message is None.
        """
        query = (
            "SELECT number, message_id, gateway, routing_key, body FROM waiting WHERE number > ? ORDER BY 1"
        )
        found: list[tuple[int, OutgoingMessage | None]] = []
        with self._translate_errors("read"), closing(self._connection.execute(query, (after,))) as rows:
            while len(found) < count and (row := rows.fetchone()) is not None:
                if row[0] not in without:
                    found.append((row[0], _to_message(*row[1:])))
        return found

    def remove(self, numbers: Iterable[int]) -> None:
        """Delete these, in one write if the disk has space for it."""
        runs = _to_runs(numbers)
        try:
            self._delete(runs)
        except OSError:
            if not self._release_reserve():
                raise
            for first, last in runs:
                for start in range(first, last + 1, _PIECE):
                    self._delete([(start, min(start + _PIECE - 1, last))])
        with self._translate_errors("written"):
            if not self.count and self._path.stat().st_size > _LARGE:
                # Release the disk space of a long outage.
                self._connection.execute("VACUUM")
                # The file shrinks only now.
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._keep_reserve()

    def probe(self) -> None:
        """Test that the disk is writable."""
        with self._transaction():
            self._connection.execute(f"PRAGMA user_version = {_VERSION}")

    def close(self) -> None:
        """Close the file; its messages wait for the next start."""
        self._connection.close()

    def destroy(self) -> None:
        """Close and delete the file, which needs no disk space."""
        self.close()
        for ending in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + ending).unlink(missing_ok=True)

    def _look(self) -> None:
        """Set the attributes, without reading the whole file."""
        with self._translate_errors("read"):
            query = "SELECT (SELECT min(number) FROM waiting), (SELECT max(number) FROM waiting)"
            first, last = self._connection.execute(query).fetchone()
            self.bytes = self._count_bytes()
        self.last = max(self.last, last or 0)
        self.first = self.last + 1 if first is None else first
        self.count = self.last + 1 - self.first

    def _count_bytes(self) -> int:
        page, pages, free = (
            int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_size", "page_count", "freelist_count")
        )
        return page * (pages - free)

    def _delete(self, runs: Iterable[tuple[int, int]]) -> None:
        with self._transaction():
            for run in runs:
                self._connection.execute("DELETE FROM waiting WHERE number BETWEEN ? AND ?", run)
        self._look()

    def _make_room(self, length: int, limit: int) -> int:
        """Delete the oldest until there is space, in the open transaction; return their count."""
        dropped = 0
        while self._count_bytes() + length > limit:
            query = "DELETE FROM waiting WHERE number = (SELECT min(number) FROM waiting)"
            if not self._connection.execute(query).rowcount:
                break
            dropped += 1
        return dropped

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._translate_errors("written"), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            yield

    @contextmanager
    def _translate_errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            # Damage shows where it is read: a check of the whole file would take minutes on an SD card.
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
                self.close()
                self.first, self.count = self.last + 1, 0
                self._connection = self._replace(error)
            raise OSError(f"{self._path}: cannot be {what} ({error})") from error

    def _keep_reserve(self) -> None:
        """Reserve space again if there is enough."""
        with suppress(OSError):
            if self._reserve.exists():
                return
            disk = os.statvfs(self._path.parent)
            if disk.f_bavail * disk.f_frsize < 4 * _RESERVE:
                return
            try:
                # No symbolic link is followed: in a shared folder, another user may have created it.
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
                with os.fdopen(os.open(self._reserve, flags, 0o600), "wb") as file:
                    # Zeros take no space on a compressing file system.
                    file.write(os.urandom(_RESERVE))
            except OSError:
                self._reserve.unlink()

    def _release_reserve(self) -> bool:
        """Release the reserve; return False if there was none."""
        try:
            self._reserve.unlink()
        except OSError:
            return False
        return True

    def _open(self) -> sqlite3.Connection:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Consumption reveals who is at home: private to the user.
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            reason = f"{self._path}: cannot be used as spool ({error.strerror})"
            if error.errno in _PASSING:
                raise OSError(reason) from error
            raise CommandError(join_clauses(reason, "set spool_file")) from error
        try:
            return self._connect()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname.startswith(_SQLITE_PASSING):
                raise OSError(f"{self._path}: cannot be used as spool ({error})") from error
            raise CommandError(f"{self._path}: {_what_to_do(error)}") from error
        except sqlite3.DatabaseError as error:
            return self._replace(error)

    def _replace(self, error: sqlite3.Error) -> sqlite3.Connection:
        """Rename a file that is damaged or not a spool, and return a new one. Raises OSError."""
        aside = self._set_aside()
        _LOGGER.warning("%s: not a spool (%s); renamed to %s, a new one is created", self._path, error, aside)
        # Created as in `_open`, with its mode.
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        with self._translate_errors("written"):
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=1, isolation_level=None, check_same_thread=False)
        try:
            # A damaged text is noticed in `read`.
            connection.text_factory = bytes
            # Locked until closed: two programs would send the messages twice.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN EXCLUSIVE")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                connection.execute(_TABLE)
            if version in (0, _UNCOMPRESSED_VERSION):
                connection.execute(f"PRAGMA user_version = {_VERSION}")
            elif version != _VERSION:
                raise sqlite3.DatabaseError(f"its form is {version}, and only {_VERSION} is known here")
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_aside(self) -> Path:
        """Rename the file out of the way and return its new name."""
        number = 1
        while (aside := self._path.with_name(f"{self._path.name}.broken-{number}")).exists():
            number += 1
        self._path.rename(aside)
        for ending in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                self._path.with_name(self._path.name + ending).rename(aside.with_name(aside.name + ending))
        return aside


def _what_to_do(error: sqlite3.OperationalError) -> str:
    if "locked" in str(error):
        return "another program uses this spool: stop it, or set another spool_file"
    return f"cannot be used as spool ({error}): set spool_file"


def _to_message(message_id: Any, gateway: Any, routing_key: Any, body: Any) -> OutgoingMessage | None:
    """Return the message of a row; None if the row is damaged."""
    try:
        return OutgoingMessage(
            message_id.decode(),
            gateway.decode(),
            routing_key.decode(),
            body if body.startswith(b"{") else zlib.decompress(body),
        )
    except (AttributeError, UnicodeDecodeError, zlib.error):
        return None


def _to_runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Return the first and the last of each run of consecutive numbers."""
    runs: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs
