"""The spool: it keeps messages in order, survives crashes, respects its limit and counts losses."""

from __future__ import annotations

import errno
import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from enphase_companion.delivery.spool import MEMORY, Spool
from enphase_companion.delivery.spool_file import SpoolFile
from enphase_companion.message.model import OutgoingMessage
from enphase_companion.runtime.errors import CommandError

LIMIT = 1_000_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "spool.sqlite"


class Disk:
    """A disk that rejects all writes: always, or while a certain file exists."""

    is_full = False
    is_full_while: Path | None = None

    def check(self) -> None:
        if self.is_full or (self.is_full_while is not None and self.is_full_while.exists()):
            raise OSError("spool.sqlite: cannot be written (database or disk is full)")


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    original = SpoolFile._transaction

    def transaction(self: SpoolFile) -> AbstractContextManager[None]:
        disk.check()
        return original(self)

    monkeypatch.setattr(SpoolFile, "_transaction", transaction)
    return disk


def build_message(number: int, length: int = 10) -> OutgoingMessage:
    return OutgoingMessage(f"id-{number}", "122300000001", "MeterStream", f"{number}".encode().ljust(length))


def list_numbers(spool: Spool) -> list[int]:
    return [int(each.body) for _, each in spool.oldest(1_000_000)]


def test_messages_keep_their_order_after_a_restart(file: Path) -> None:
    with Spool(file, LIMIT) as spool:
        for number in range(5):
            assert spool.append(build_message(number)) == 0
    with Spool(file, LIMIT) as spool:
        assert len(spool) == 5
        assert [each for _, each in spool.oldest(3)] == [build_message(0), build_message(1), build_message(2)]


def test_removed_messages_do_not_return_after_a_restart(file: Path) -> None:
    with Spool(file, LIMIT) as spool:
        for number in range(5):
            spool.append(build_message(number))
        spool.remove([number for number, _ in spool.oldest(3)])
    with Spool(file, LIMIT) as spool:
        assert list_numbers(spool) == [3, 4]


def test_the_id_of_a_removed_message_is_never_reused(file: Path) -> None:
    with Spool(file, LIMIT) as spool:
        spool.append(build_message(0))
        [(first, _)] = spool.oldest(1)
        spool.remove([first])
        spool.append(build_message(1))
        spool.remove([first])
        assert list_numbers(spool) == [1]


def test_the_oldest_messages_are_dropped_at_the_limit_and_counted(file: Path) -> None:
    with Spool(file, 1_000) as spool:
        dropped = [spool.append(build_message(number, 100)) for number in range(15)]
        assert dropped == [0] * 10 + [1] * 5
        assert list_numbers(spool) == list(range(5, 15))
        assert spool.append(build_message(99, 450)) == 5
    with Spool(file, 1_000) as spool:
        assert spool.append(build_message(100, 200)) == 2, "the limit is the same after a restart"


def test_a_message_larger_than_the_limit_is_kept_alone(file: Path) -> None:
    with Spool(file, 100) as spool:
        spool.append(build_message(1, 50))
        assert spool.append(build_message(2, 500)) == 1
        assert list_numbers(spool) == [2]


def test_only_the_user_can_read_the_spool(file: Path) -> None:
    with Spool(file, LIMIT) as spool:
        spool.append(build_message(1))
        assert {stat.S_IMODE(each.stat().st_mode) for each in file.parent.iterdir()} == {0o600}


def test_disk_space_is_released_after_an_outage(file: Path) -> None:
    with Spool(file, 10 * LIMIT) as spool:
        for number in range(100):
            spool.append(build_message(number, 10_000))
        spool.remove([number for number, _ in spool.oldest(100)])
    assert file.stat().st_size < 100_000


@pytest.mark.slow
def test_two_programs_cannot_use_the_same_spool(file: Path) -> None:
    with (
        Spool(file, LIMIT),
        pytest.raises(CommandError, match=r"another program uses this spool.*spool_file"),
    ):
        Spool(file, LIMIT)


def test_a_file_that_is_no_spool_is_renamed_and_replaced(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file.parent.mkdir()
    file.write_bytes(b"This is an important letter. " * 100)
    with Spool(file, LIMIT) as spool:
        spool.append(build_message(1))
        assert list_numbers(spool) == [1]
    assert file.with_name("spool.sqlite.broken-1").read_bytes().startswith(b"This is an important letter.")
    assert "spool.sqlite.broken-1" in caplog.text


def test_a_spool_of_another_version_is_renamed_and_replaced(file: Path) -> None:
    Spool(file, LIMIT).close()
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with Spool(file, LIMIT) as spool:
        assert list_numbers(spool) == []
    assert file.with_name("spool.sqlite.broken-1").exists()


def test_a_truncated_file_is_replaced(file: Path) -> None:
    with Spool(file, LIMIT) as spool:
        for number in range(200):
            spool.append(build_message(number, 1_000))
    with file.open("r+b") as opened:
        opened.truncate(100_000)
    with Spool(file, LIMIT) as spool:
        spool.append(build_message(7))
        assert list_numbers(spool) == [7]


def test_the_error_of_an_impossible_folder_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match=r"file/spool.*set spool_file"):
        Spool(tmp_path / "file" / "spool", LIMIT)


def test_messages_wait_in_memory_behind_those_on_a_full_disk(file: Path) -> None:
    with Spool(file, LIMIT) as spool:
        spool.append(build_message(0))
        # SQLite reports its page limit as a full disk.
        set_page_limit(spool, 10)
        assert [spool.append(build_message(number, 1_000)) for number in range(1, 100)] == [0] * 99
        assert "disk is full" in (spool.problem or "")
        assert spool.held
        assert list_numbers(spool) == list(range(100))
        assert len(spool) == 100
        set_page_limit(spool, 1_000_000)
        spool.append(build_message(100))
        assert spool.problem is None
        assert not spool.held
    with Spool(file, LIMIT) as spool:
        assert list_numbers(spool) == list(range(101))


def set_page_limit(spool: Spool, count: int) -> None:
    assert spool._disk is not None
    spool._disk._connection.execute(f"PRAGMA max_page_count = {count}")


def test_an_exhausted_quota_is_handled_like_a_full_disk(file: Path) -> None:
    """SQLite reports the system's limit of a file's size as a disk I/O error."""
    with Spool(file, LIMIT) as spool:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        try:
            for number in range(100):
                spool.append(build_message(number, 3_000))
            assert "disk I/O error" in (spool.problem or "")
            assert list_numbers(spool) == list(range(100))
            spool.remove([number for number, _ in spool.oldest(50)])
            assert list_numbers(spool) == list(range(50, 100))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        spool.append(build_message(100))
        assert spool.problem is None
    with Spool(file, LIMIT) as spool:
        assert list_numbers(spool) == list(range(50, 101))


def test_memory_is_limited_and_dropped_messages_are_counted(file: Path, disk: Disk) -> None:
    with Spool(file, LIMIT) as spool:
        spool.append(build_message(0))
        disk.is_full = True
        dropped = sum(spool.append(build_message(number)) for number in range(1, MEMORY + 6))
        assert dropped == 5
        assert list_numbers(spool) == [0, *range(6, MEMORY + 6)]


def test_removed_messages_are_not_returned_although_a_full_disk_cannot_delete_them(
    file: Path, disk: Disk
) -> None:
    with Spool(file, LIMIT) as spool:
        for number in range(10):
            spool.append(build_message(number))
        disk.is_full = True
        first = spool.oldest(3)
        spool.remove([number for number, _ in first])
        assert list_numbers(spool) == list(range(3, 10))
        assert len(spool) == 7
        # Remove messages other than the oldest: the rest of the batch must be sent again.
        spool.remove([number for number, each in spool.oldest(7) if int(each.body) % 2])
        assert list_numbers(spool) == [4, 6, 8]
        disk.is_full = False
        spool.append(build_message(10))
        assert list_numbers(spool) == [4, 6, 8, 10]
    with Spool(file, LIMIT) as spool:
        assert list_numbers(spool) == [4, 6, 8, 10]


def test_an_emptied_file_is_recreated_if_nothing_can_be_deleted_from_it(file: Path, disk: Disk) -> None:
    with Spool(file, LIMIT) as spool:
        for number in range(100):
            spool.append(build_message(number, 1_000))
        disk.is_full = True
        spool.remove([number for number, _ in spool.oldest(100)])
        assert len(spool) == 0
        assert file.stat().st_size < 20_000
        disk.is_full = False
        spool.append(build_message(7))
    with Spool(file, LIMIT) as spool:
        assert list_numbers(spool) == [7]


def test_a_message_can_move_from_memory_to_disk_while_it_is_being_sent(file: Path, disk: Disk) -> None:
    with Spool(file, LIMIT) as spool:
        disk.is_full = True
        spool.append(build_message(1))
        [(number, _)] = spool.oldest(10)
        disk.is_full = False
        spool.append(build_message(2))
        spool.remove([number])
        assert list_numbers(spool) == [2]


def test_reserved_disk_space_is_released_for_deleting_and_reserved_again(file: Path, disk: Disk) -> None:
    reserve = file.with_name("spool.sqlite.reserve")
    with Spool(file, LIMIT) as spool:
        for number in range(3):
            spool.append(build_message(number))
        assert reserve.stat().st_size == 1_000_000
        disk.is_full_while = reserve
        spool.remove([number for number, _ in spool.oldest(1)])
        assert list_numbers(spool) == [1, 2]
        assert spool.problem is None
        disk.is_full_while = None
        spool.append(build_message(3))
        assert reserve.stat().st_size == 1_000_000


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_the_spool_opens_although_the_disk_rejects_writes(
    file: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def raise_error(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    with Spool(file, LIMIT) as spool:
        spool.append(build_message(1))
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", raise_error)
        spool = Spool(file, LIMIT)
        spool.append(build_message(2))
        assert os.strerror(number) in (spool.problem or "")
        assert list_numbers(spool) == [2]
    spool.append(build_message(3))
    assert list_numbers(spool) == [1, 2, 3]
    spool.close()


WRITER = """
import sys
from pathlib import Path
from enphase_companion.delivery.spool import MEMORY, Spool
from enphase_companion.delivery.spool_file import SpoolFile
from enphase_companion.message.model import OutgoingMessage
spool = Spool(Path(sys.argv[1]), 1 << 30)
for number in range(1_000_000):
    spool.append(OutgoingMessage(str(number), "1", "k", b"x" * 1000))
    print(number, flush=True)
"""


def test_appended_messages_survive_a_killed_program(file: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        reported = [int(writer.stdout.readline()) for _ in range(200)]
        os.kill(writer.pid, signal.SIGKILL)
        reported += [int(line) for line in writer.stdout.read().split("\n")[:-1]]
    with Spool(file, LIMIT) as spool:
        kept = [int(each.message_id) for _, each in spool.oldest(1_000_000)]
    assert kept[: len(reported)] == reported
    assert kept == list(range(len(kept)))
    assert len(kept) <= len(reported) + 1
