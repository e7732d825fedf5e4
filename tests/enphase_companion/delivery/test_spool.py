"""The spool: in order, through crashes, within its limit, and honest about what it dropped."""

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
    """A disk on which a spool can write nothing: always, or while this file is there."""

    is_full = False
    is_full_while: Path | None = None

    def refuse(self) -> None:
        if self.is_full or (self.is_full_while is not None and self.is_full_while.exists()):
            raise OSError("spool.sqlite: cannot be written (database or disk is full)")


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    writing = SpoolFile._transaction

    def transaction(self: SpoolFile) -> AbstractContextManager[None]:
        disk.refuse()
        return writing(self)

    monkeypatch.setattr(SpoolFile, "_transaction", transaction)
    return disk


def message(number: int, length: int = 10) -> OutgoingMessage:
    return OutgoingMessage(f"id-{number}", "122300000001", "MeterStream", f"{number}".encode().ljust(length))


def waiting(spool: Spool) -> list[int]:
    return [int(each.body) for _, each in spool.oldest(1_000_000)]


def test_what_was_appended_comes_back_in_order_after_a_restart(file: Path) -> None:
    with Spool(file, LIMIT) as spool:
        for number in range(5):
            assert spool.append(message(number)) == 0
    with Spool(file, LIMIT) as spool:
        assert len(spool) == 5
        assert [each for _, each in spool.oldest(3)] == [message(0), message(1), message(2)]


def test_what_was_removed_does_not_come_back(file: Path) -> None:
    with Spool(file, LIMIT) as spool:
        for number in range(5):
            spool.append(message(number))
        spool.remove([number for number, _ in spool.oldest(3)])
    with Spool(file, LIMIT) as spool:
        assert waiting(spool) == [3, 4]


def test_a_number_that_was_removed_is_never_given_again(file: Path) -> None:
    with Spool(file, LIMIT) as spool:
        spool.append(message(0))
        [(first, _)] = spool.oldest(1)
        spool.remove([first])
        spool.append(message(1))
        spool.remove([first])
        assert waiting(spool) == [1]


def test_at_the_limit_the_oldest_give_way_and_are_counted(file: Path) -> None:
    with Spool(file, 1_000) as spool:
        dropped = [spool.append(message(number, 100)) for number in range(15)]
        assert dropped == [0] * 10 + [1] * 5
        assert waiting(spool) == list(range(5, 15))
        assert spool.append(message(99, 450)) == 5
    with Spool(file, 1_000) as spool:
        assert spool.append(message(100, 200)) == 2, "the limit is the same after a restart"


def test_a_message_larger_than_the_limit_is_kept_alone(file: Path) -> None:
    with Spool(file, 100) as spool:
        spool.append(message(1, 50))
        assert spool.append(message(2, 500)) == 1
        assert waiting(spool) == [2]


def test_nobody_else_can_read_what_waits(file: Path) -> None:
    with Spool(file, LIMIT) as spool:
        spool.append(message(1))
        assert {stat.S_IMODE(each.stat().st_mode) for each in file.parent.iterdir()} == {0o600}


def test_the_disk_space_of_an_outage_is_given_back(file: Path) -> None:
    with Spool(file, 10 * LIMIT) as spool:
        for number in range(100):
            spool.append(message(number, 10_000))
        spool.remove([number for number, _ in spool.oldest(100)])
    assert file.stat().st_size < 100_000


@pytest.mark.slow
def test_two_programs_cannot_send_from_the_same_spool(file: Path) -> None:
    with (
        Spool(file, LIMIT),
        pytest.raises(CommandError, match=r"another program uses this spool.*spool_file"),
    ):
        Spool(file, LIMIT)


def test_a_file_that_is_no_spool_is_kept_and_a_new_one_begun(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file.parent.mkdir()
    file.write_bytes(b"This is an important letter. " * 100)
    with Spool(file, LIMIT) as spool:
        spool.append(message(1))
        assert waiting(spool) == [1]
    assert file.with_name("spool.sqlite.broken-1").read_bytes().startswith(b"This is an important letter.")
    assert "spool.sqlite.broken-1" in caplog.text


def test_a_spool_of_another_version_is_kept_and_a_new_one_begun(file: Path) -> None:
    Spool(file, LIMIT).close()
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with Spool(file, LIMIT) as spool:
        assert waiting(spool) == []
    assert file.with_name("spool.sqlite.broken-1").exists()


def test_a_torn_file_costs_no_more_than_itself(file: Path) -> None:
    with Spool(file, LIMIT) as spool:
        for number in range(200):
            spool.append(message(number, 1_000))
    with file.open("r+b") as opened:
        opened.truncate(100_000)
    with Spool(file, LIMIT) as spool:
        spool.append(message(7))
        assert waiting(spool) == [7]


def test_a_folder_that_cannot_be_made_says_which_setting_to_change(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match=r"file/spool.*set spool_file"):
        Spool(tmp_path / "file" / "spool", LIMIT)


def test_what_a_full_disk_does_not_take_waits_in_memory_behind_what_is_on_it(file: Path) -> None:
    with Spool(file, LIMIT) as spool:
        spool.append(message(0))
        # SQLite's own word for a disk that is full, at a size that a test can reach.
        pages(spool, 10)
        assert [spool.append(message(number, 1_000)) for number in range(1, 100)] == [0] * 99
        assert "disk is full" in (spool.problem or "")
        assert spool.held
        assert waiting(spool) == list(range(100))
        assert len(spool) == 100
        pages(spool, 1_000_000)
        spool.append(message(100))
        assert spool.problem is None
        assert not spool.held
    with Spool(file, LIMIT) as spool:
        assert waiting(spool) == list(range(101))


def pages(spool: Spool, count: int) -> None:
    assert spool._disk is not None
    spool._disk._connection.execute(f"PRAGMA max_page_count = {count}")


def test_a_quota_that_is_used_up_is_waited_for_as_a_full_disk_is(file: Path) -> None:
    """So many bytes in a file and no more: a limit of the system's, in SQLite's words a disk I/O error."""
    with Spool(file, LIMIT) as spool:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        try:
            for number in range(100):
                spool.append(message(number, 3_000))
            assert "disk I/O error" in (spool.problem or "")
            assert waiting(spool) == list(range(100))
            spool.remove([place for place, _ in spool.oldest(50)])
            assert waiting(spool) == list(range(50, 100))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        spool.append(message(100))
        assert spool.problem is None
    with Spool(file, LIMIT) as spool:
        assert waiting(spool) == list(range(50, 101))


def test_memory_is_limited_and_what_gives_way_is_counted(file: Path, disk: Disk) -> None:
    with Spool(file, LIMIT) as spool:
        spool.append(message(0))
        disk.is_full = True
        dropped = sum(spool.append(message(number)) for number in range(1, MEMORY + 6))
        assert dropped == 5
        assert waiting(spool) == [0, *range(6, MEMORY + 6)]


def test_what_was_taken_is_not_given_again_though_a_full_disk_does_not_forget_it(
    file: Path, disk: Disk
) -> None:
    with Spool(file, LIMIT) as spool:
        for number in range(10):
            spool.append(message(number))
        disk.is_full = True
        first = spool.oldest(3)
        spool.remove([place for place, _ in first])
        assert waiting(spool) == list(range(3, 10))
        assert len(spool) == 7
        # Not the oldest: some that were sent at the same time had to be sent again.
        spool.remove([place for place, each in spool.oldest(7) if int(each.body) % 2])
        assert waiting(spool) == [4, 6, 8]
        disk.is_full = False
        spool.append(message(10))
        assert waiting(spool) == [4, 6, 8, 10]
    with Spool(file, LIMIT) as spool:
        assert waiting(spool) == [4, 6, 8, 10]


def test_a_file_of_which_all_was_taken_is_made_anew_where_nothing_can_be_deleted_from_it(
    file: Path, disk: Disk
) -> None:
    with Spool(file, LIMIT) as spool:
        for number in range(100):
            spool.append(message(number, 1_000))
        disk.is_full = True
        spool.remove([place for place, _ in spool.oldest(100)])
        assert len(spool) == 0
        assert file.stat().st_size < 20_000
        disk.is_full = False
        spool.append(message(7))
    with Spool(file, LIMIT) as spool:
        assert waiting(spool) == [7]


def test_what_is_in_memory_can_go_to_the_disk_while_it_is_on_its_way(file: Path, disk: Disk) -> None:
    with Spool(file, LIMIT) as spool:
        disk.is_full = True
        spool.append(message(1))
        [(place, _)] = spool.oldest(10)
        disk.is_full = False
        spool.append(message(2))
        spool.remove([place])
        assert waiting(spool) == [2]


def test_room_is_kept_in_hand_given_up_for_deleting_and_taken_again(file: Path, disk: Disk) -> None:
    reserve = file.with_name("spool.sqlite.reserve")
    with Spool(file, LIMIT) as spool:
        for number in range(3):
            spool.append(message(number))
        assert reserve.stat().st_size == 1_000_000
        disk.is_full_while = reserve
        spool.remove([place for place, _ in spool.oldest(1)])
        assert waiting(spool) == [1, 2]
        assert spool.problem is None
        disk.is_full_while = None
        spool.append(message(3))
        assert reserve.stat().st_size == 1_000_000


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_a_disk_that_takes_nothing_now_is_no_reason_not_to_begin(
    file: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refused(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    with Spool(file, LIMIT) as spool:
        spool.append(message(1))
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refused)
        spool = Spool(file, LIMIT)
        spool.append(message(2))
        assert os.strerror(number) in (spool.problem or "")
        assert waiting(spool) == [2]
    spool.append(message(3))
    assert waiting(spool) == [1, 2, 3]
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


def test_what_append_returned_from_survives_the_end_of_the_program_at_any_moment(file: Path) -> None:
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
