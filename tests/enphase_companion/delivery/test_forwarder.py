"""The forwarder: messages go to the store in batches, and to disk while that fails; losses are counted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from enphase_companion.delivery.forwarder import Forwarder
from enphase_companion.delivery.spool import Spool
from enphase_companion.delivery.spool_file import SpoolFile
from enphase_companion.message import Message, OutgoingMessage, encode
from enphase_companion.runtime.metrics import Metrics
from enphase_companion.storage import UnavailableError, UnstorableError

from ..amqp_helpers import SERIAL, build_message, get_number, wait_until


class Store:
    """A store that can be unavailable, hang or reject messages, and keeps the stored batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.is_unavailable = False
        self.is_hanging = False
        self.rejects: set[int] = set()

    async def __call__(self, messages: Sequence[Message]) -> None:
        if self.is_hanging:
            await asyncio.sleep(3600)
        if self.is_unavailable:
            raise UnavailableError("the store is unavailable.")
        if rejected := [number for number in map(get_number, messages) if number in self.rejects]:
            raise UnstorableError(f"{rejected[0]} is out of range.")
        self.batches.append([get_number(each) for each in messages])

    @property
    def numbers(self) -> list[int]:
        return [number for batch in self.batches for number in batch]


class ForwarderSetup:
    """The spool and the store of a forwarder, which `running` starts."""

    def __init__(self, file: Path, limit: int = 10**6) -> None:
        self.file = file
        self.limit = limit
        self.store = Store()
        self.metrics = Metrics()
        self.safe = 0

    def _note_safe(self) -> None:
        self.safe += 1

    @asynccontextmanager
    async def run(self, **options: Any) -> AsyncIterator[Forwarder]:
        async with Spool(self.file, self.limit, self.metrics, age=0.2, on_safe=self._note_safe) as spool:
            options = {"batch": 500, "age": 0.05, **options}
            forwarder = Forwarder(spool, self.store, self.metrics, **options)
            task = asyncio.ensure_future(forwarder.run())
            yield forwarder
            task.cancel()
            await asyncio.wait([task])
            await forwarder.finish()

    def count_waiting(self) -> int:
        """Return how many messages are on disk after the forwarder has stopped."""
        with closing(SpoolFile(self.file)) as spool:
            return spool.count

    def fill(self, bodies: Iterable[bytes]) -> None:
        """Write messages to disk before the forwarder starts."""
        with closing(SpoolFile(self.file)) as spool:
            spool.append([OutgoingMessage("id", SERIAL, "", body) for body in bodies], self.limit)


@pytest.fixture
def setup(tmp_path: Path) -> ForwarderSetup:
    return ForwarderSetup(tmp_path / "spool")


async def test_messages_are_stored_in_order_and_leave_the_spool(setup: ForwarderSetup) -> None:
    async with setup.run() as forwarder:
        for number in range(5):
            await forwarder.take(build_message(number))
        await wait_until(lambda: setup.metrics["messages_stored"] == 5)
        assert setup.safe
    assert setup.store.numbers == [0, 1, 2, 3, 4]
    assert setup.count_waiting() == setup.metrics["spool_messages"] == 0


async def test_the_spool_is_not_written_while_the_store_takes_all(
    setup: ForwarderSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("the disk is written")

    monkeypatch.setattr(SpoolFile, "append", fail)
    monkeypatch.setattr(SpoolFile, "remove", fail)
    async with setup.run() as forwarder:
        for number in range(30):
            await forwarder.take(build_message(number))
            await asyncio.sleep(0.05)
    assert setup.store.numbers == list(range(30))
    assert len(setup.store.batches) > 5


async def test_the_first_message_is_stored_at_once_and_the_next_ones_together(setup: ForwarderSetup) -> None:
    async with setup.run(age=0.5) as forwarder:
        for number in range(10):
            await forwarder.take(build_message(number))
            await asyncio.sleep(0.01)
        await wait_until(lambda: setup.metrics["messages_stored"] == 10)
    assert setup.store.batches == [[0], list(range(1, 10))]


@pytest.mark.slow
async def test_waiting_messages_are_stored_in_batches_without_delay(setup: ForwarderSetup) -> None:
    setup.fill(encode(build_message(number)) for number in range(250))
    async with setup.run(batch=100, age=1) as forwarder:
        await wait_until(lambda: len(setup.store.numbers) == 200, within=0.9)
        await wait_until(lambda: setup.metrics["messages_stored"] == 250)
        assert forwarder.problem is None
    assert [len(batch) for batch in setup.store.batches] == [100, 100, 50]


@pytest.mark.slow
async def test_readings_wait_on_disk_while_the_store_is_unavailable_and_the_problem_is_logged(
    setup: ForwarderSetup, caplog: pytest.LogCaptureFixture
) -> None:
    setup.store.is_unavailable = True
    async with setup.run() as forwarder:
        await forwarder.take(build_message(1))
        await wait_until(lambda: forwarder.problem == "the store is unavailable; readings wait on disk")
        await forwarder.take(build_message(2))
        await asyncio.sleep(1)
        setup.store.is_unavailable = False
        await wait_until(lambda: setup.store.numbers == [1, 2])
        await wait_until(lambda: forwarder.problem is None)
    assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == [
        "the store is unavailable; readings wait on disk",
        "readings are stored again",
    ]


@pytest.mark.slow
async def test_the_forwarder_stops_while_the_store_hangs_and_the_next_one_stores(
    setup: ForwarderSetup,
) -> None:
    setup.store.is_hanging = True
    async with setup.run() as forwarder:
        await forwarder.take(build_message(1))
    assert setup.count_waiting() == 1
    setup.store.is_hanging = False
    async with setup.run():
        await wait_until(lambda: setup.store.numbers == [1])


async def test_messages_in_memory_are_stored_when_the_forwarder_stops(setup: ForwarderSetup) -> None:
    async with setup.run(age=60) as forwarder:
        await forwarder.take(build_message(0))
        await wait_until(lambda: setup.store.numbers == [0])
        await forwarder.take(build_message(1))
    assert setup.store.numbers == [0, 1]
    assert setup.count_waiting() == 0


async def test_a_full_spool_drops_the_oldest_messages_and_reports_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    setup = ForwarderSetup(tmp_path / "spool", limit=25_000)
    setup.store.is_unavailable = True
    async with setup.run() as forwarder:
        for number in range(100):
            await forwarder.take(build_message(number))
            if number % 25 == 24:
                await wait_until(lambda: not forwarder._spool.in_memory)
        assert setup.metrics["messages_dropped"] > 0
        dropped = int(setup.metrics["messages_dropped"])
        assert "is full (spool_limit)" in (forwarder.problem or "")
        setup.store.is_unavailable = False
        await wait_until(lambda: setup.store.numbers == list(range(dropped, 100)), within=30)
        await wait_until(lambda: "no readings are lost any more" in caplog.text)


def raise_disk_full(*_: object) -> None:
    raise OSError("spool: cannot be written (database or disk is full)")


async def test_readings_are_stored_from_memory_while_the_disk_is_full(
    setup: ForwarderSetup, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with setup.run() as forwarder:
        with monkeypatch.context() as patch:
            patch.setattr(SpoolFile, "_transaction", raise_disk_full)
            setup.store.is_unavailable = True
            await forwarder.take(build_message(1))
            await wait_until(lambda: "disk is full" in (forwarder.problem or ""))
            assert setup.safe == 0, "a reading in memory only is not reported as safe"
            setup.store.is_unavailable = False
            await wait_until(lambda: setup.store.numbers == [1])
            assert setup.safe
        await forwarder.take(build_message(2))
        await wait_until(lambda: setup.store.numbers == [1, 2])
        await wait_until(lambda: forwarder.problem is None)
    assert setup.metrics["messages_dropped"] == 0
    assert "takes all readings again" in caplog.text


async def test_stored_messages_are_not_repeated_while_the_disk_cannot_delete_them(
    setup: ForwarderSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup.store.is_unavailable = True
    async with setup.run(batch=2) as forwarder:
        for number in range(1, 4):
            await forwarder.take(build_message(number))
        await wait_until(lambda: setup.metrics["spool_messages"] == 3)
        monkeypatch.setattr(SpoolFile, "_transaction", raise_disk_full)
        await forwarder.take(build_message(4))
        setup.store.is_unavailable = False
        await wait_until(lambda: len(setup.store.numbers) >= 4)
        await asyncio.sleep(0.2)
    assert setup.store.numbers == [1, 2, 3, 4]
    assert setup.metrics["messages_dropped"] == 0


async def test_messages_left_in_memory_when_the_forwarder_stops_are_counted_as_dropped(
    setup: ForwarderSetup, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    setup.store.is_unavailable = True
    async with setup.run() as forwarder:
        monkeypatch.setattr(SpoolFile, "_transaction", raise_disk_full)
        for number in range(3):
            await forwarder.take(build_message(number))
        assert setup.metrics["messages_dropped"] == 0
        await wait_until(lambda: "readings wait in memory" in caplog.text)
    assert setup.metrics["messages_dropped"] == 3
    assert "3 readings are lost; spool: cannot be written (database or disk is full)" in caplog.text


async def test_an_unreadable_message_in_the_spool_is_dropped(
    setup: ForwarderSetup, caplog: pytest.LogCaptureFixture
) -> None:
    setup.fill([b"{}", encode(build_message(1))])
    async with setup.run():
        await wait_until(lambda: setup.metrics["messages_stored"] == 1)
    assert setup.store.numbers == [1]
    assert setup.count_waiting() == 0
    assert setup.metrics["messages_dropped"] == 1
    assert "unreadable message dropped: it names no gateway" in caplog.text


async def test_an_unstorable_reading_is_dropped_and_the_others_are_stored(
    setup: ForwarderSetup, caplog: pytest.LogCaptureFixture
) -> None:
    setup.store.rejects = {3, 4, 17}
    setup.fill(encode(build_message(number)) for number in range(20))
    async with setup.run():
        await wait_until(lambda: len(setup.store.numbers) == 17)
        await wait_until(lambda: setup.metrics["messages_stored"] == 17)
    assert setup.store.numbers == [number for number in range(20) if number not in {3, 4, 17}]
    assert setup.count_waiting() == 0
    assert setup.metrics["messages_dropped"] == 3
    assert "reading dropped: 3 is out of range." in caplog.text
