"""The sending side: confirmed by the broker or safe on disk, in order, whatever happens to the broker."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage
from yarl import URL

from enphase_companion.amqp import publisher as publisher_module
from enphase_companion.amqp.broker import Broker
from enphase_companion.amqp.publisher import Publisher
from enphase_companion.delivery.sender import Sender
from enphase_companion.delivery.spool import Spool
from enphase_companion.delivery.spool_file import SpoolFile
from enphase_companion.message import decode
from enphase_companion.runtime.metrics import Metrics
from enphase_companion.runtime.redaction import redact
from tests.services.rabbitmq import RabbitMQ

from ..amqp_helpers import SERIAL, Eyes, message, number_of, until


@dataclass
class OpenSender:
    """An open sender and what is behind it."""

    sender: Sender
    publisher: Publisher
    metrics: Metrics
    spool: Spool

    async def send(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            await self.sender.send(message(number))

    def has_sent(self, count: int) -> bool:
        return self.metrics["messages_published"] >= count and not len(self.spool)


@asynccontextmanager
async def sending(
    broker: Broker, file: Path, queues: Sequence[str], limit: int = 10**9
) -> AsyncIterator[OpenSender]:
    metrics = Metrics()
    publisher = Publisher(broker, queues, "test")
    with Spool(file, limit) as spool:
        async with Sender(publisher, spool, metrics) as sender:
            yield OpenSender(sender, publisher, metrics, spool)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "spool.sqlite"


def numbers(taken: Sequence[AbstractIncomingMessage]) -> list[int]:
    return [number_of(decode(each.body)) for each in taken]


def without_repetitions(taken: Sequence[int]) -> list[int]:
    return list(dict.fromkeys(taken))


async def test_a_message_is_confirmed_persistent_and_says_whose_it_is(
    broker: Broker, queue: str, eyes: Eyes, file: Path
) -> None:
    async with sending(broker, file, [queue]) as sender:
        await sender.publisher.connected.wait()
        await sender.send([1])
        await until(lambda: sender.has_sent(1))
        assert not len(sender.spool)
    [taken] = await eyes.take_all(queue)
    assert taken.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
    assert (taken.message_id, taken.content_type) == ("id-1", "application/json")
    assert taken.headers["gateway_serial_number"] == SERIAL
    assert (taken.routing_key, taken.exchange) == ("MeterStream", broker.exchange)
    assert decode(taken.body).samples == message(1).samples


async def test_readers_of_enphase_api_never_see_a_message_that_would_end_them(
    broker: Broker, queue: str, eyes: Eyes, file: Path
) -> None:
    async with sending(broker, file, [queue]) as sender, eyes.channel() as channel:
        await sender.publisher.connected.wait()
        # As Enphase-API's consumer declares and binds its own.
        theirs = await channel.declare_queue(f"{queue}.theirs", durable=True)
        await theirs.bind(broker.exchange, "MeterStream")
        await sender.send([1])
        await sender.sender.send(message(2, samples=message(2).samples[:2]))
        await until(lambda: sender.has_sent(2))
    assert numbers(await eyes.take_all(f"{queue}.theirs")) == [1]
    ours = await eyes.take_all(queue)
    assert numbers(ours) == [1, 2]
    assert [each.routing_key for each in ours] == ["MeterStream", "MeterStream.partial"]


@pytest.mark.slow
async def test_nothing_is_lost_and_the_order_stays_when_the_broker_is_killed_and_back(
    rabbitmq: RabbitMQ, broker: Broker, queue: str, eyes: Eyes, file: Path
) -> None:
    async with sending(broker, file, [queue]) as sender:
        await sender.publisher.connected.wait()
        for number in range(300):
            await sender.send([number])
            await asyncio.sleep(0.01)
            if number == 100:
                await asyncio.to_thread(rabbitmq.kill)
        assert len(sender.spool) > 100
        await asyncio.to_thread(rabbitmq.start)
        await until(lambda: sender.has_sent(300), within=60)
        await sender.send([300])
        await until(lambda: sender.has_sent(301))
    assert without_repetitions(numbers(await eyes.take_all(queue))) == list(range(301))


async def test_a_broker_that_hangs_delays_nothing_and_loses_nothing(
    rabbitmq: RabbitMQ, broker: Broker, queue: str, eyes: Eyes, file: Path
) -> None:
    async with sending(broker, file, [queue]) as sender:
        await sender.publisher.connected.wait()
        await sender.send([0])
        await until(lambda: sender.has_sent(1))
        rabbitmq.pause()
        await sender.send(range(1, 50))
        assert sender.metrics["messages_published"] == 1, "all were taken, and the broker has none of them"
        await until(lambda: len(sender.spool) == 49)
        rabbitmq.resume()
        await until(lambda: sender.has_sent(50), within=60)
    assert without_repetitions(numbers(await eyes.take_all(queue))) == list(range(50))


@pytest.mark.slow
async def test_what_was_not_sent_at_the_end_is_sent_first_at_the_next_start(
    rabbitmq: RabbitMQ, broker: Broker, queue: str, eyes: Eyes, file: Path
) -> None:
    rabbitmq.kill()
    async with sending(broker, file, [queue]) as sender:
        await sender.send(range(5))
    await asyncio.to_thread(rabbitmq.start)
    async with sending(broker, file, [queue]) as sender:
        await sender.send([5])
        await until(lambda: sender.has_sent(6))
    assert numbers(await eyes.take_all(queue)) == list(range(6))


async def test_the_end_waits_for_what_is_on_its_way(
    broker: Broker, queue: str, eyes: Eyes, file: Path
) -> None:
    async with sending(broker, file, [queue]) as sender:
        await sender.publisher.connected.wait()
        await sender.send(range(50))
    with Spool(file, 10**9) as spool:
        assert (await eyes.waiting(queue)) + len(spool) == 50


async def test_a_queue_that_somebody_deleted_is_declared_again_and_nothing_is_lost(
    broker: Broker, queue: str, eyes: Eyes, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with sending(broker, file, [queue]) as sender:
        await sender.publisher.connected.wait()
        await sender.send([0])
        await until(lambda: sender.has_sent(1))
        await eyes.delete(queue)
        await sender.send([1, 2, 3])
        await until(lambda: sender.has_sent(4))
    assert numbers(await eyes.take_all(queue)) == [1, 2, 3]
    assert f"no queue is bound; declaring {queue} again" in caplog.text


async def test_where_no_queue_is_set_and_nobody_listens_that_is_told_and_counted(
    broker: Broker, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with sending(broker, file, []) as sender:
        await sender.publisher.connected.wait()
        await sender.send([0, 1, 2])
        await until(lambda: sender.metrics["messages_unroutable"] == 3)
        assert not len(sender.spool)
    assert caplog.text.count("no queue is bound, and amqp_queues is none") == 1


async def test_a_queue_that_nobody_reads_is_told_before_it_fills_the_disk(
    broker: Broker,
    queue: str,
    eyes: Eyes,
    file: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publisher_module, "_CHECK_INTERVAL", 0.2)
    monkeypatch.setattr(publisher_module, "_TOO_MANY", 5)
    async with sending(broker, file, [queue]) as sender:
        await sender.publisher.connected.wait()
        await sender.send(range(5))
        await until(lambda: sender.has_sent(5))
        await asyncio.sleep(0.5)
        assert not caplog.messages
        await sender.send([5])
        await until(lambda: f"queue {queue} grows and has no consumer" in caplog.text)
        await eyes.take_all(queue)
        await until(lambda: "all queues have consumers again" in caplog.text)
    assert caplog.text.count("has no consumer") == 1


async def test_a_full_spool_says_that_readings_are_lost_and_counts_them(
    broker: Broker, queue: str, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    away = Broker(str(URL(broker.url).with_port(1)))
    async with sending(away, file, [queue], limit=10_000) as sender:
        await sender.send(range(20))
        await until(lambda: sender.metrics["messages_dropped"] > 0)
        await until(lambda: sender.metrics["messages_dropped"] + len(sender.spool) == 20)
    assert caplog.text.count("readings are being lost") == 1


async def test_what_a_full_disk_does_not_take_is_sent_all_the_same_and_before_the_end(
    broker: Broker,
    queue: str,
    eyes: Eyes,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def full(_: SpoolFile) -> None:
        raise OSError("spool: cannot be written (database or disk is full)")

    monkeypatch.setattr(SpoolFile, "_transaction", full)
    async with sending(broker, file, [queue]) as sender:
        # Not connected yet.
        await sender.send(range(20))
    assert numbers(await eyes.take_all(queue)) == list(range(20))
    assert sender.metrics["messages_dropped"] == 0
    assert "cannot be written (database or disk is full); at most 1000 readings wait" in caplog.text


async def test_a_wrong_password_is_told_by_its_key_and_never_shown(
    broker: Broker, queue: str, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = Broker(str(URL(broker.url).with_password("hunter2-secret")), broker.exchange)
    async with sending(wrong, file, [queue]) as sender:
        await sender.send([0])
        await until(lambda: sender.publisher.problem.text is not None)
        await until(lambda: len(sender.spool) == 1)
    assert "it rejects amqp_username with amqp_password: correct them" in caplog.text
    assert "hunter2" not in redact(caplog.text)
    assert "hunter2" not in "".join(each.getMessage() for each in caplog.records if "enphase" in each.name)
    assert "hunter2" not in repr(wrong) + str(wrong)


async def test_a_virtual_host_that_is_not_there_is_told_by_its_key(
    broker: Broker, queue: str, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with sending(Broker(str(URL(broker.url) / "nowhere")), file, [queue]) as sender:
        await until(lambda: sender.publisher.problem.text is not None)
    assert "it rejects amqp_virtual_host: correct it" in caplog.text


async def test_a_queue_of_that_name_in_another_form_is_told_and_the_readings_wait(
    broker: Broker, queue: str, eyes: Eyes, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with eyes.channel() as channel:
        await channel.declare_queue(queue, durable=True)
    async with sending(broker, file, [queue]) as sender:
        await sender.send([0])
        await until(lambda: sender.publisher.problem.text is not None)
        await until(lambda: len(sender.spool) == 1)
        assert (
            f"queue {queue} (it exists with other arguments: delete it, or set another name)" in caplog.text
        )
        await eyes.delete(queue)
        await until(lambda: sender.has_sent(1))


KILLED = """
import asyncio, sys
from pathlib import Path
from enphase_companion.runtime.metrics import Metrics
from enphase_companion.amqp import publisher as publisher_module
from enphase_companion.amqp.broker import Broker
from enphase_companion.delivery.sender import Sender
from enphase_companion.amqp.publisher import Publisher
from enphase_companion.delivery.spool import Spool
from tests.enphase_companion.amqp_helpers import message

async def main():
    url, exchange, queue, file, first, last = sys.argv[1:]
    publisher = Publisher(Broker(url, exchange), [queue], "killed")
    async with Sender(publisher, Spool(Path(file), 10**9), Metrics()) as sender:
        await publisher.connected.wait()
        print("connected", flush=True)
        sys.stdin.readline()
        for number in range(int(first), int(last)):
            await sender.send(message(number))
        while sender.waiting < int(last) - int(first):
            await asyncio.sleep(0.01)
        print("waiting", flush=True)
        while sender.waiting:
            await asyncio.sleep(0.001)
        print("sent", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.slow
async def test_a_program_that_is_killed_between_sending_and_confirmation_loses_nothing(
    rabbitmq: RabbitMQ, broker: Broker, queue: str, eyes: Eyes, file: Path
) -> None:
    """The broker hangs, so that what is sent is not confirmed; the sender is killed; then both come back."""
    arguments = [sys.executable, "-c", KILLED, broker.url, broker.exchange, queue, str(file), "0", "200"]
    killed = await asyncio.create_subprocess_exec(
        *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert killed.stdin is not None
    assert killed.stdout is not None
    assert await killed.stdout.readline() == b"connected\n"
    rabbitmq.pause()
    killed.stdin.write(b"\n")
    # The first was written to the broker, and went to disk when no confirmation came.
    assert await killed.stdout.readline() == b"waiting\n"
    rabbitmq.resume()
    # Somewhere in the middle of sending what was on disk.
    await asyncio.sleep(0.05)
    os.kill(killed.pid, signal.SIGKILL)
    await killed.wait()
    async with sending(broker, file, [queue]) as sender:
        await sender.send([200])
        await until(lambda: len(sender.spool) == 0 and sender.metrics["messages_published"] >= 1)
    taken = numbers(await eyes.take_all(queue))
    assert set(taken) == set(range(201))
    assert without_repetitions(taken) == list(range(201))
