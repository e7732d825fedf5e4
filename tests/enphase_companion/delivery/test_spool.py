"""The spool: it keeps messages in order, survives crashes, respects its limit and counts losses."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from enphase_companion.delivery import spool as spool_module
from enphase_companion.delivery.spool import MEMORY, Spool
from enphase_companion.delivery.spool_file import SpoolFile
from enphase_companion.message import OutgoingMessage
from enphase_companion.runtime.errors import CommandError
from enphase_companion.runtime.metrics import Metrics

from ..amqp_helpers import wait_until

LIMIT = 10_000_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "spool.sqlite"


class Disk:
    """A disk that rejects all writes: always, or while a certain file exists."""

    is_full = False
    is_full_while: Path | None = None
    writes = 0

    def check(self) -> None:
        if self.is_full or (self.is_full_while is not None and self.is_full_while.exists()):
            raise OSError("spool.sqlite: cannot be written (database or disk is full)")
        self.writes += 1


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    original = SpoolFile._transaction

    def transaction(self: SpoolFile) -> AbstractContextManager[None]:
        disk.check()
        return original(self)

    monkeypatch.setattr(SpoolFile, "_transaction", transaction)
    return disk


def build_message(number: int, length: int = 0) -> OutgoingMessage:
    """Return a message whose body is its number and `length` bytes that cannot be compressed."""
    return OutgoingMessage(
        f"id-{number}", "122300000001", "MeterStream", f"{number} ".encode() + os.urandom(length)
    )


def get_number(message: OutgoingMessage) -> int:
    return int(message.body.partition(b" ")[0])


async def list_numbers(spool: Spool) -> list[int]:
    return [get_number(each) for _, each in await spool.oldest(1_000_000)]


async def write(spool: Spool, messages: Iterable[OutgoingMessage]) -> None:
    """Add messages and write them to disk."""
    for message in messages:
        await spool.add(message)
    await spool.flush()


async def remove_oldest(spool: Spool, count: int) -> None:
    spool.remove([place for place, _ in await spool.oldest(count)])
    await spool.flush()


async def test_messages_keep_their_order_after_a_restart(file: Path) -> None:
    messages = [build_message(number) for number in range(5)]
    async with Spool(file, LIMIT, Metrics()) as spool:
        await write(spool, messages[:3])
        await write(spool, messages[3:])
        assert (spool.on_disk, spool.in_memory) == (5, 0)
    async with Spool(file, LIMIT, Metrics()) as spool:
        assert len(spool) == 5
        assert [each for _, each in await spool.oldest(3)] == messages[:3]
        await spool.add(build_message(5))
        assert await list_numbers(spool) == list(range(6)), "what is in memory is the newest"


async def test_a_message_that_is_removed_in_time_is_never_written(file: Path, disk: Disk) -> None:
    async with Spool(file, LIMIT, Metrics(), age=60) as spool:
        for number in range(100):
            await spool.add(build_message(number))
            spool.remove([place for place, _ in await spool.oldest(1)])
        await asyncio.sleep(2 * spool_module._WRITE_INTERVAL)
        assert disk.writes == 0


async def test_messages_that_wait_are_written_together(
    file: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "_WRITE_INTERVAL", 0.05)
    async with Spool(file, LIMIT, Metrics(), age=0.1) as spool:
        for number in range(100):
            await spool.add(build_message(number))
        await wait_until(lambda: spool.on_disk == 100)
        assert disk.writes == 1
        places = [place for place, _ in await spool.oldest(100)]
        for place in places:
            spool.remove([place])
        await asyncio.sleep(0.3)
        assert disk.writes == 2, "they are deleted together, too"


async def test_removed_messages_do_not_return_after_a_restart(file: Path) -> None:
    async with Spool(file, LIMIT, Metrics()) as spool:
        await write(spool, map(build_message, range(5)))
        spool.remove([place for place, _ in await spool.oldest(3)])
    async with Spool(file, LIMIT, Metrics()) as spool:
        assert await list_numbers(spool) == [3, 4]


async def test_messages_between_others_can_be_removed(file: Path) -> None:
    async with Spool(file, LIMIT, Metrics()) as spool:
        await write(spool, map(build_message, range(10)))
        found = await spool.oldest(10)
        spool.remove([place for place, each in found if get_number(each) % 3])
        assert await list_numbers(spool) == [0, 3, 6, 9]
        await spool.flush()
        assert await list_numbers(spool) == [0, 3, 6, 9]
        await remove_oldest(spool, 4)
        assert len(spool) == 0
        assert not spool.any.is_set()


async def test_messages_are_counted_right_while_they_are_read_and_deleted(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread deletes messages while the loop counts them."""
    monkeypatch.setattr(spool_module, "_WRITE_INTERVAL", 0.0001)
    async with Spool(file, LIMIT, Metrics(), age=0) as spool:
        for number in range(2_000):
            await spool.add(build_message(number))
        left = 2_000
        while found := await spool.oldest(7):
            for place, _ in found:
                assert len(spool) == left
                spool.remove([place])
                left -= 1
                await asyncio.sleep(0)
        assert left == len(spool) == 0
        assert not spool.any.is_set()


async def test_a_count_that_includes_removed_messages_is_corrected_at_the_end(file: Path) -> None:
    async with Spool(file, LIMIT, Metrics()) as spool:
        await write(spool, map(build_message, range(10)))
        found = await spool.oldest(10)
        spool.remove([place for place, _ in found[1:9]])
        await spool.flush()
        spool.remove([found[0][0], found[9][0]])
        assert await spool.oldest(10) == []
        assert not spool.any.is_set()


async def test_the_place_of_a_removed_message_is_never_used_again(file: Path) -> None:
    async with Spool(file, LIMIT, Metrics()) as spool:
        await write(spool, [build_message(0)])
        [(first, _)] = await spool.oldest(1)
        spool.remove([first])
        await write(spool, [build_message(1)])
        spool.remove([first])
        assert await list_numbers(spool) == [1]


async def test_the_oldest_messages_are_dropped_at_the_limit_and_counted(file: Path) -> None:
    limit = 100_000
    for start in (0, 100):
        metrics = Metrics()
        async with Spool(file, limit, metrics) as spool:
            for number in range(start, start + 100):
                await write(spool, [build_message(number, 3_000)])
                assert file.stat().st_size <= limit
            kept = await list_numbers(spool)
            assert kept == list(range(start + 100 - len(kept), start + 100))
            assert 15 < len(kept) < 34
        assert metrics["messages_dropped"] == (100 - len(kept) if start == 0 else 100), "also after a restart"


async def test_a_message_larger_than_the_limit_is_kept_alone(file: Path) -> None:
    metrics = Metrics()
    async with Spool(file, 20_000, metrics) as spool:
        await write(spool, [build_message(1, 50)])
        await write(spool, [build_message(2, 50_000)])
        assert metrics["messages_dropped"] == 1
        assert await list_numbers(spool) == [2]


async def test_only_the_user_can_read_the_spool(file: Path) -> None:
    async with Spool(file, LIMIT, Metrics()) as spool:
        await write(spool, [build_message(1)])
        assert {stat.S_IMODE(each.stat().st_mode) for each in file.parent.iterdir()} == {0o600}


async def test_disk_space_is_released_after_an_outage(file: Path) -> None:
    async with Spool(file, LIMIT, Metrics()) as spool:
        await write(spool, (build_message(number, 100_000) for number in range(60)))
        assert file.stat().st_size > 5_000_000
        await remove_oldest(spool, 60)
        assert file.stat().st_size < 100_000


@pytest.mark.slow
async def test_two_programs_cannot_use_the_same_spool(file: Path) -> None:
    async with Spool(file, LIMIT, Metrics()):
        with pytest.raises(CommandError, match=r"another program uses this spool.*spool_file"):
            Spool(file, LIMIT, Metrics())


async def test_a_file_that_is_no_spool_is_renamed_and_replaced(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file.parent.mkdir()
    file.write_bytes(b"This is an important letter. " * 100)
    async with Spool(file, LIMIT, Metrics()) as spool:
        await write(spool, [build_message(1)])
        assert await list_numbers(spool) == [1]
    assert file.with_name("spool.sqlite.broken-1").read_bytes().startswith(b"This is an important letter.")
    assert "spool.sqlite.broken-1" in caplog.text


async def test_a_spool_of_another_version_is_renamed_and_replaced(file: Path) -> None:
    SpoolFile(file).close()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 99")
    async with Spool(file, LIMIT, Metrics()) as spool:
        assert await list_numbers(spool) == []
    assert file.with_name("spool.sqlite.broken-1").exists()


#: What version 1 created.
VERSION_1 = """
    CREATE TABLE waiting (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        message_id TEXT NOT NULL,
        gateway TEXT NOT NULL,
        routing_key TEXT NOT NULL,
        body BLOB NOT NULL
    );
    INSERT INTO waiting (message_id, gateway, routing_key, body)
        VALUES ('id-1', '122300000001', 'MeterStream', CAST('{"timestamp": 1}' AS BLOB));
    PRAGMA user_version = 1;
"""


async def test_messages_of_the_previous_version_are_kept(file: Path) -> None:
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(VERSION_1)
    async with Spool(file, LIMIT, Metrics()) as spool:
        await write(spool, [build_message(2)])
        [(_, first), (_, second)] = await spool.oldest(10)
    assert first == OutgoingMessage("id-1", "122300000001", "MeterStream", b'{"timestamp": 1}')
    assert get_number(second) == 2
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)


async def test_a_truncated_file_is_replaced(file: Path) -> None:
    async with Spool(file, LIMIT, Metrics()) as spool:
        await write(spool, (build_message(number, 1_000) for number in range(200)))
    os.truncate(file, 100_000)
    async with Spool(file, LIMIT, Metrics()) as spool:
        await write(spool, [build_message(7)])
        assert await list_numbers(spool) == [7]


async def test_a_file_with_a_damaged_page_is_replaced_when_that_page_is_read(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Spool(file, LIMIT, Metrics()) as spool:
        await write(spool, (build_message(number, 1_000) for number in range(200)))
    with file.open("r+b") as opened:
        opened.seek(4096 * 20)
        opened.write(b"\xff" * 4096)
    async with Spool(file, LIMIT, Metrics()) as spool:
        sent: list[int] = []
        for _ in range(100):
            try:
                found = await spool.oldest(10)
            except OSError:
                break
            sent += [get_number(each) for _, each in found]
            spool.remove([place for place, _ in found])
        assert sent == list(range(len(sent)))
        assert len(sent) > 20, "what is before it can be read"
        await write(spool, [build_message(777)])
        assert await list_numbers(spool) == [777]
    assert "spool.sqlite.broken-1" in caplog.text


async def test_a_damaged_message_is_dropped_and_the_others_are_kept(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Spool(file, LIMIT, Metrics()) as spool:
        await write(spool, map(build_message, range(3)))
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE waiting SET body = 'x' WHERE number = 2")
    metrics = Metrics()
    async with Spool(file, LIMIT, metrics) as spool:
        assert await list_numbers(spool) == [0, 2]
        assert len(spool) == 2
    assert metrics["messages_dropped"] == 1
    assert "1 damaged messages dropped" in caplog.text


async def test_the_error_of_an_impossible_folder_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match=r"file/spool.*set spool_file"):
        Spool(tmp_path / "file" / "spool", LIMIT, Metrics())


async def test_messages_wait_in_memory_behind_those_on_a_full_disk(file: Path) -> None:
    metrics = Metrics()
    async with Spool(file, LIMIT, metrics) as spool:
        await write(spool, [build_message(0)])
        # SQLite reports its page limit as a full disk.
        set_page_limit(spool, 10)
        await write(spool, (build_message(number, 1_000) for number in range(1, 100)))
        assert "disk is full" in (spool.problem or "")
        assert spool.in_memory == 99
        assert metrics["spool_messages"] == 100
        assert await list_numbers(spool) == list(range(100))
        set_page_limit(spool, 1_000_000)
        await write(spool, [build_message(100)])
        assert spool.problem is None
        assert not spool.in_memory
    async with Spool(file, LIMIT, metrics) as spool:
        assert await list_numbers(spool) == list(range(101))


def set_page_limit(spool: Spool, count: int) -> None:
    assert spool._disk is not None
    spool._disk._connection.execute(f"PRAGMA max_page_count = {count}")


async def test_an_exhausted_quota_is_handled_like_a_full_disk(file: Path) -> None:
    """SQLite reports the system's limit of a file's size as a disk I/O error."""
    async with Spool(file, LIMIT, Metrics()) as spool:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        try:
            for number in range(100):
                await write(spool, [build_message(number, 3_000)])
            assert "disk I/O error" in (spool.problem or "")
            assert await list_numbers(spool) == list(range(100))
            await remove_oldest(spool, 50)
            assert await list_numbers(spool) == list(range(50, 100))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        await write(spool, [build_message(100)])
        assert spool.problem is None
    async with Spool(file, LIMIT, Metrics()) as spool:
        assert await list_numbers(spool) == list(range(50, 101))


async def test_memory_is_limited_and_dropped_messages_are_counted(file: Path, disk: Disk) -> None:
    metrics = Metrics()
    async with Spool(file, LIMIT, metrics, age=0) as spool:
        await write(spool, [build_message(0)])
        disk.is_full = True
        await write(spool, [build_message(1)])
        for number in range(2, MEMORY + 6):
            await spool.add(build_message(number))
        assert metrics["messages_dropped"] == 5
        assert await list_numbers(spool) == [0, *range(6, MEMORY + 6)]


async def test_a_producer_waits_for_the_disk_instead_of_losing_messages(file: Path) -> None:
    metrics = Metrics()
    async with Spool(file, LIMIT, metrics, age=0) as spool:
        for number in range(2 * MEMORY + 5):
            await spool.add(build_message(number))
        assert await list_numbers(spool) == list(range(2 * MEMORY + 5))
    assert metrics["messages_dropped"] == 0


async def test_removed_messages_are_not_returned_although_a_full_disk_cannot_delete_them(
    file: Path, disk: Disk
) -> None:
    async with Spool(file, LIMIT, Metrics()) as spool:
        await write(spool, map(build_message, range(10)))
        disk.is_full = True
        await remove_oldest(spool, 3)
        assert await list_numbers(spool) == list(range(3, 10))
        assert len(spool) == 7
        # Remove messages other than the oldest: the rest of the batch must be sent again.
        spool.remove([place for place, each in await spool.oldest(7) if get_number(each) % 2])
        await spool.flush()
        assert await list_numbers(spool) == [4, 6, 8]
        disk.is_full = False
        await write(spool, [build_message(10)])
        assert await list_numbers(spool) == [4, 6, 8, 10]
    async with Spool(file, LIMIT, Metrics()) as spool:
        assert await list_numbers(spool) == [4, 6, 8, 10]


async def test_an_emptied_file_is_recreated_if_nothing_can_be_deleted_from_it(file: Path, disk: Disk) -> None:
    async with Spool(file, LIMIT, Metrics()) as spool:
        await write(spool, (build_message(number, 1_000) for number in range(100)))
        disk.is_full = True
        await remove_oldest(spool, 100)
        assert len(spool) == 0
        assert file.stat().st_size < 20_000
        disk.is_full = False
        await write(spool, [build_message(7)])
        assert await list_numbers(spool) == [7]
    async with Spool(file, LIMIT, Metrics()) as spool:
        assert await list_numbers(spool) == [7]


async def test_a_message_can_move_from_memory_to_disk_while_it_is_being_sent(file: Path) -> None:
    async with Spool(file, LIMIT, Metrics()) as spool:
        await spool.add(build_message(1))
        [(place, _)] = await spool.oldest(10)
        await write(spool, [build_message(2)])
        spool.remove([place])
        assert await list_numbers(spool) == [2]


async def test_a_message_that_is_sent_while_it_is_being_written_is_not_sent_again(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Spool(file, LIMIT, Metrics()) as spool:
        await spool.add(build_message(1))
        [(place, _)] = await spool.oldest(10)
        writing = asyncio.ensure_future(spool.flush())
        await asyncio.sleep(0)
        spool.remove([place])
        await writing
        assert await list_numbers(spool) == []
    async with Spool(file, LIMIT, Metrics()) as spool:
        assert await list_numbers(spool) == []


async def test_reserved_disk_space_is_released_for_deleting_and_reserved_again(
    file: Path, disk: Disk
) -> None:
    reserve = file.with_name("spool.sqlite.reserve")
    async with Spool(file, LIMIT, Metrics()) as spool:
        await write(spool, map(build_message, range(3)))
        assert reserve.stat().st_size == 1_000_000
        disk.is_full_while = reserve
        await remove_oldest(spool, 1)
        assert await list_numbers(spool) == [1, 2]
        assert spool.problem is None
        disk.is_full_while = None
        await write(spool, [build_message(3)])
        assert reserve.stat().st_size == 1_000_000


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
async def test_the_spool_opens_although_the_disk_rejects_writes(
    file: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def raise_error(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    async with Spool(file, LIMIT, Metrics()) as spool:
        await write(spool, [build_message(1)])
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", raise_error)
        spool = Spool(file, LIMIT, Metrics())
        await write(spool, [build_message(2)])
        assert os.strerror(number) in (spool.problem or "")
        assert await list_numbers(spool) == [2]
    async with spool:
        await write(spool, [build_message(3)])
        assert await list_numbers(spool) == [1, 2, 3]


async def test_the_log_forecasts_when_the_limit_is_reached(
    file: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 0.0
    monkeypatch.setattr("time.monotonic", lambda: clock)
    async with Spool(file, 10_000_000, Metrics()) as spool:
        for second in range(100):
            clock = float(second)
            await write(spool, [build_message(second, 900)])
        # Four of these fit into a page of 4,096 bytes: 10 MB hold some 9,000, which come at one a second.
        [line] = [each for each in caplog.messages if "at this rate" in each]
        assert line.endswith("readings wait on disk; at this rate spool_limit is reached in about 2 hours")
        await remove_oldest(spool, 100)
        assert "no readings wait on disk any more" in caplog.text


WRITER = """
import asyncio, sys
from pathlib import Path
from enphase_companion.delivery.spool import Spool
from enphase_companion.message import OutgoingMessage
from enphase_companion.runtime.metrics import Metrics

async def main():
    async with Spool(Path(sys.argv[1]), 1 << 30, Metrics()) as spool:
        for number in range(1_000_000):
            await spool.add(OutgoingMessage(str(number), "1", "k", b"x" * 1000))
            await spool.flush()
            print(number, flush=True)

asyncio.run(main())
"""


async def test_written_messages_survive_a_killed_program(file: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        reported = [int(writer.stdout.readline()) for _ in range(200)]
        os.kill(writer.pid, signal.SIGKILL)
        reported += [int(line) for line in writer.stdout.read().split("\n")[:-1]]
    async with Spool(file, LIMIT, Metrics()) as spool:
        kept = [int(each.message_id) for _, each in await spool.oldest(1_000_000)]
    assert kept[: len(reported)] == reported
    assert kept == list(range(len(kept)))
    assert len(kept) <= len(reported) + 1
