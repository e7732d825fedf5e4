"""The spool's file: messages in order in SQLite, and reserved space to delete them on a full disk.

A message survives a power failure once `append` has returned.
"""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from ..message.model import OutgoingMessage
from ..runtime.errors import CommandError, join_clauses

_LOGGER = logging.getLogger(__name__)

#: Schema version; a file of another version is renamed.
_VERSION = 1

_TABLE = """
    CREATE TABLE waiting (
        number INTEGER PRIMARY KEY AUTOINCREMENT, -- never reused, even after the last row is deleted
        message_id TEXT NOT NULL,
        gateway TEXT NOT NULL,
        routing_key TEXT NOT NULL,
        body BLOB NOT NULL
    )
"""

#: Bytes reserved in a second file. Deleting rows needs space in the write-ahead log, which a full disk lacks:
#: the reserve is released then.
_RESERVE = 1_000_000

#: Rows per transaction: few, so that little space is enough.
PIECE = 100

#: Errors of a disk that may be writable later: full, over quota, read-only, failing.
_PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})

#: The same as SQLite reports it.
_SQLITE_PASSING = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY")


class SpoolFile:
    """An open file. Not for two threads at once, nor for two processes.

    Every method raises OSError if the disk fails, the constructor CommandError if waiting does not help. A
    file that is not a spool is renamed and kept.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reserve = path.with_name(f"{path.name}.reserve")
        self._connection = self._open()
        row = self._connection.execute(
            "SELECT count(*), ifnull(sum(length(body)), 0) FROM waiting"
        ).fetchone()
        #: Number of messages, and the bytes of their bodies.
        self.count, self.bytes = int(row[0]), int(row[1])
        self._keep_reserve()

    def append(self, messages: Sequence[OutgoingMessage], limit: int) -> tuple[list[int], int]:
        """Append all or none; return their numbers, and how many of the oldest were dropped for the limit."""
        length = sum(len(message.body) for message in messages)
        with self._transaction():
            dropped, freed = self._make_room(length, limit)
            numbers = [
                self._connection.execute(
                    "INSERT INTO waiting (message_id, gateway, routing_key, body) VALUES (?, ?, ?, ?) "
                    "RETURNING number",
                    (message.message_id, message.gateway, message.routing_key, message.body),
                ).fetchone()[0]
                for message in messages
            ]
        self.count += len(messages) - dropped
        self.bytes += length - freed
        self._keep_reserve()
        return numbers, dropped

    def after(self, number: int) -> Generator[tuple[int, OutgoingMessage]]:
        """Yield those with a greater number, the oldest first; close it before any other call."""
        query = (
            "SELECT number, message_id, gateway, routing_key, body FROM waiting WHERE number > ? ORDER BY 1"
        )
        with self._translate_errors("read"), closing(self._connection.execute(query, (number,))) as rows:
            for row in rows:
                yield row[0], OutgoingMessage(*row[1:])

    def present(self, numbers: Collection[int]) -> set[int]:
        """Return those of these numbers that are in the file."""
        query = "SELECT number FROM waiting WHERE number = ?"
        with self._translate_errors("read"):
            return {number for number in numbers if self._connection.execute(query, (number,)).fetchall()}

    def remove(self, numbers: set[int]) -> None:
        """Delete these in pieces, and remove the deleted ones from the set."""
        for piece in _pieces(sorted(numbers)):
            try:
                self._delete(piece)
            except OSError:
                if not self._release_reserve():
                    raise
                self._delete(piece)
            numbers.difference_update(piece)
        if not self.count:
            # Release the disk space of a long outage.
            with self._translate_errors("written"):
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

    def _delete(self, numbers: Sequence[int]) -> None:
        gone = freed = 0
        with self._transaction():
            for number in numbers:
                query = "DELETE FROM waiting WHERE number = ? RETURNING length(body)"
                for (length,) in self._connection.execute(query, (number,)).fetchall():
                    gone += 1
                    freed += length
        self.count -= gone
        self.bytes -= freed

    def _make_room(self, length: int, limit: int) -> tuple[int, int]:
        """Delete the oldest until there is space, in the open transaction; return their count and bytes."""
        dropped = freed = 0
        while self.bytes - freed + length > limit and dropped < self.count:
            query = (
                "DELETE FROM waiting WHERE number = (SELECT min(number) FROM waiting) RETURNING length(body)"
            )
            [(bytes_,)] = self._connection.execute(query).fetchall()
            dropped += 1
            freed += bytes_
        return dropped, freed

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
            aside = self._set_aside()
            _LOGGER.warning(
                "%s: not a spool (%s); renamed to %s, a new one is created", self._path, error, aside
            )
            with self._translate_errors("written"):
                return self._connect()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=1, isolation_level=None, check_same_thread=False)
        try:
            # Locked until closed: two programs would send the messages twice.
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


def _pieces(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    return (numbers[start : start + PIECE] for start in range(0, len(numbers), PIECE))
