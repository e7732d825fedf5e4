"""The forwarder: on disk at once, in the store when that can be, and honest about what neither takes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from enphase_companion.delivery.forwarder import Forwarder
from enphase_companion.delivery.spool import Spool
from enphase_companion.delivery.spool_file import SpoolFile
from enphase_companion.message import Message, encode
from enphase_companion.message.model import OutgoingMessage
from enphase_companion.runtime.metrics import Metrics
from enphase_companion.storage import UnavailableError, UnstorableError

from ..amqp_helpers import SERIAL, message, number_of, until


class Store:
    """A store that can be away or hang; it keeps what it was given, as batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.away = False
        self.hangs = False
        self.refuses: set[int] = set()

    async def __call__(self, messages: Sequence[Message]) -> None:
        if self.hangs:
            await asyncio.sleep(3600)
        if self.away:
            raise UnavailableError("the store is away.")
        if refused := [number for number in map(number_of, messages) if number in self.refuses]:
            raise UnstorableError(f"{refused[0]} is out of range.")
        self.batches.append([number_of(each) for each in messages])

    @property
    def numbers(self) -> list[int]:
        return [number for batch in self.batches for number in batch]


class Relaying:
    """A forwarder at work, with the spool and the store that it is between."""

    def __init__(self, file: Path, limit: int = 10**6) -> None:
        self.file = file
        self.limit = limit
        self.store = Store()
        self.metrics = Metrics()
        self.safe = 0

    def _note_safe(self) -> None:
        self.safe += 1

    @asynccontextmanager
    async def running(self, **options: Any) -> AsyncIterator[Forwarder]:
        with Spool(self.file, self.limit) as spool:
            options = {"batch": 500, "age": 0.05, "on_safe": self._note_safe, **options}
            forwarder = Forwarder(spool, self.store, self.metrics, **options)
            task = asyncio.ensure_future(forwarder.run())
            yield forwarder
            task.cancel()
            await asyncio.wait([task])
            await forwarder.finish()

    def waiting(self) -> int:
        with Spool(self.file, self.limit) as spool:
            return len(spool)


@pytest.fixture
def relaying(tmp_path: Path) -> Relaying:
    return Relaying(tmp_path / "spool")


async def test_messages_are_stored_in_order_and_then_gone_from_the_disk(relaying: Relaying) -> None:
    async with relaying.running() as forwarder:
        for number in range(5):
            await forwarder.take(message(number))
        assert relaying.safe >= 5
        await until(lambda: relaying.metrics["messages_stored"] == 5)
    assert relaying.store.numbers == [0, 1, 2, 3, 4]
    assert relaying.waiting() == relaying.metrics["spool_messages"] == 0


@pytest.mark.slow
async def test_what_waited_is_stored_in_batches_without_pause(relaying: Relaying) -> None:
    with Spool(relaying.file, relaying.limit) as spool:
        for number in range(250):
            spool.append(OutgoingMessage(f"id-{number}", SERIAL, "", encode(message(number))))
    async with relaying.running(batch=100, age=1) as forwarder:
        await until(lambda: len(relaying.store.numbers) == 200, within=0.9)
        await until(lambda: relaying.metrics["messages_stored"] == 250)
        assert forwarder.problem is None
    assert [len(batch) for batch in relaying.store.batches] == [100, 100, 50]


@pytest.mark.slow
async def test_what_the_store_does_not_take_waits_on_disk_and_that_is_told_until_it_is_over(
    relaying: Relaying, caplog: pytest.LogCaptureFixture
) -> None:
    relaying.store.away = True
    async with relaying.running() as forwarder:
        await forwarder.take(message(1))
        await until(lambda: forwarder.problem == "the store is away; readings wait on disk")
        await forwarder.take(message(2))
        await asyncio.sleep(1)
        relaying.store.away = False
        await until(lambda: relaying.store.numbers == [1, 2])
        await until(lambda: forwarder.problem is None)
    assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == [
        "the store is away; readings wait on disk",
        "readings are stored again",
    ]


@pytest.mark.slow
async def test_a_store_that_hangs_does_not_keep_it_from_ending_and_the_next_one_stores(
    relaying: Relaying,
) -> None:
    relaying.store.hangs = True
    begun = asyncio.get_running_loop().time()
    async with relaying.running() as forwarder:
        await forwarder.take(message(1))
    assert asyncio.get_running_loop().time() - begun < 4
    assert relaying.waiting() == 1
    relaying.store.hangs = False
    async with relaying.running():
        await until(lambda: relaying.store.numbers == [1])


async def test_what_is_still_on_disk_is_stored_at_the_end(relaying: Relaying) -> None:
    async with relaying.running(age=60) as forwarder:
        await forwarder.take(message(1))
        assert relaying.store.numbers == []
    assert relaying.store.numbers == [1]


async def test_a_full_spool_gives_up_the_oldest_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    relaying = Relaying(tmp_path / "spool", limit=3 * len(encode(message(10))))
    relaying.store.away = True
    async with relaying.running() as forwarder:
        for number in range(10, 15):
            await forwarder.take(message(number))
        assert relaying.metrics["messages_dropped"] == 2
        assert "is full (spool_limit)" in (forwarder.problem or "")
        relaying.store.away = False
        await until(lambda: relaying.store.numbers == [12, 13, 14])
        await forwarder.take(message(15))
        assert "no readings are lost any more" in caplog.text


def full(*_: object) -> None:
    raise OSError("spool: cannot be written (database or disk is full)")


async def test_what_a_full_disk_does_not_take_is_stored_all_the_same(
    relaying: Relaying, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with relaying.running() as forwarder:
        with monkeypatch.context() as patch:
            patch.setattr(SpoolFile, "_transaction", full)
            await forwarder.take(message(1))
            assert relaying.safe == 0, "systemd is not told that a reading is safe which is in memory only"
            assert "disk is full" in (forwarder.problem or "")
            await until(lambda: relaying.store.numbers == [1])
            assert relaying.safe == 1
        await forwarder.take(message(2))
        await until(lambda: relaying.store.numbers == [1, 2])
        assert forwarder.problem is None
    assert relaying.metrics["messages_dropped"] == 0
    assert "takes all readings again" in caplog.text


async def test_what_was_stored_is_not_stored_again_and_again_while_the_disk_does_not_forget_it(
    relaying: Relaying, monkeypatch: pytest.MonkeyPatch
) -> None:
    relaying.store.away = True
    async with relaying.running(batch=2) as forwarder:
        for number in range(1, 4):
            await forwarder.take(message(number))
        monkeypatch.setattr(SpoolFile, "_transaction", full)
        await forwarder.take(message(4))
        relaying.store.away = False
        await until(lambda: len(relaying.store.numbers) >= 4)
        await asyncio.sleep(0.2)
    assert relaying.store.numbers == [1, 2, 3, 4]
    assert relaying.metrics["messages_dropped"] == 0


async def test_what_is_in_memory_at_the_end_and_nobody_takes_is_counted_as_lost(
    relaying: Relaying, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    relaying.store.away = True
    async with relaying.running() as forwarder:
        monkeypatch.setattr(SpoolFile, "_transaction", full)
        for number in range(3):
            await forwarder.take(message(number))
        assert relaying.metrics["messages_dropped"] == 0
        await until(lambda: "readings wait in memory" in caplog.text)
    assert relaying.metrics["messages_dropped"] == 3
    assert "3 readings are lost; spool: cannot be written (database or disk is full)" in caplog.text


async def test_what_cannot_be_read_in_the_spool_is_in_the_way_of_nothing(
    relaying: Relaying, caplog: pytest.LogCaptureFixture
) -> None:
    with Spool(relaying.file, relaying.limit) as spool:
        for body in (b"{}", encode(message(1))):
            spool.append(OutgoingMessage("id", SERIAL, "", body))
    async with relaying.running():
        await until(lambda: relaying.metrics["messages_stored"] == 1)
    assert relaying.store.numbers == [1]
    assert relaying.waiting() == 0
    assert relaying.metrics["messages_dropped"] == 1
    assert "unreadable message dropped: it names no gateway" in caplog.text


async def test_a_reading_that_can_never_be_stored_is_left_out_and_told_and_the_others_are_stored(
    relaying: Relaying, caplog: pytest.LogCaptureFixture
) -> None:
    relaying.store.refuses = {3, 4, 17}
    with Spool(relaying.file, relaying.limit) as spool:
        for number in range(20):
            spool.append(OutgoingMessage("id", SERIAL, "", encode(message(number))))
    async with relaying.running():
        await until(lambda: len(relaying.store.numbers) == 17)
        await until(lambda: relaying.metrics["messages_stored"] == 17)
    assert relaying.store.numbers == [number for number in range(20) if number not in {3, 4, 17}]
    assert relaying.waiting() == 0
    assert relaying.metrics["messages_dropped"] == 3
    assert "reading dropped: 3 is out of range." in caplog.text
