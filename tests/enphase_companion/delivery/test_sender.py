"""The sender: each message is confirmed by the broker or safe on disk, in order, despite failures."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage
from yarl import URL

from enphase_companion.amqp import publisher as publisher_module
from enphase_companion.amqp.broker import Broker
from enphase_companion.amqp.publisher import Publisher
from enphase_companion.delivery import sender as sender_module
from enphase_companion.delivery.sender import Sender
from enphase_companion.delivery.spool import Spool
from enphase_companion.delivery.spool_file import SpoolFile
from enphase_companion.message import InverterSample, decode
from enphase_companion.runtime.metrics import Metrics
from enphase_companion.runtime.redaction import redact
from tests.services.rabbitmq import RabbitMQ

from ..amqp_helpers import SERIAL, BrokerInspector, build_message, get_number, wait_until


@dataclass
class OpenSender:
    """An open sender with its publisher, metrics and spool."""

    sender: Sender
    publisher: Publisher
    metrics: Metrics
    spool: Spool

    async def send(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            await self.sender.send(build_message(number))

    def has_sent(self, count: int) -> bool:
        return self.metrics["messages_published"] >= count and not len(self.spool)


@asynccontextmanager
async def open_sender(
    broker: Broker, file: Path, queues: Sequence[str], limit: int = 10**9
) -> AsyncIterator[OpenSender]:
    metrics = Metrics()
    publisher = Publisher(broker, queues, "test")
    async with Spool(file, limit, metrics) as spool, Sender(publisher, spool, metrics) as sender:
        yield OpenSender(sender, publisher, metrics, spool)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "spool.sqlite"


def get_numbers(taken: Sequence[AbstractIncomingMessage]) -> list[int]:
    return [get_number(decode(each.body)) for each in taken]


def remove_duplicates(taken: Sequence[int]) -> list[int]:
    return list(dict.fromkeys(taken))


async def test_a_message_is_confirmed_persistent_and_has_its_gateway_in_a_header(
    broker: Broker, queue: str, inspector: BrokerInspector, file: Path
) -> None:
    async with open_sender(broker, file, [queue]) as sender:
        await sender.publisher.connected.wait()
        await sender.send([1])
        await wait_until(lambda: sender.has_sent(1))
        assert not len(sender.spool)
    [taken] = await inspector.take_all(queue)
    assert taken.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
    assert (taken.message_id, taken.content_type) == ("id-1", "application/json")
    assert taken.headers["gateway_serial_number"] == SERIAL
    assert (taken.routing_key, taken.exchange) == ("MeterStream", broker.exchange)
    assert decode(taken.body).samples == build_message(1).samples


async def test_consumers_of_enphase_api_receive_only_complete_messages(
    broker: Broker, queue: str, inspector: BrokerInspector, file: Path
) -> None:
    async with open_sender(broker, file, [queue]) as sender, inspector.channel() as channel:
        await sender.publisher.connected.wait()
        # Enphase-API's consumer declares and binds its queue like this.
        other = await channel.declare_queue(f"{queue}.other", durable=True)
        await other.bind(broker.exchange, "MeterStream")
        await sender.send([1])
        await sender.sender.send(build_message(2, samples=build_message(2).samples[:2]))
        await wait_until(lambda: sender.has_sent(2))
    assert get_numbers(await inspector.take_all(f"{queue}.other")) == [1]
    taken = await inspector.take_all(queue)
    assert get_numbers(taken) == [1, 2]
    assert [each.routing_key for each in taken] == ["MeterStream", "MeterStream.partial"]


async def test_microinverters_wait_on_disk_and_have_a_routing_key_of_their_own(
    broker: Broker, queue: str, inspector: BrokerInspector, file: Path
) -> None:
    sample = InverterSample("482100000001", 1_764_000_000_000, 231.0, 298_261.25)
    async with Spool(file, 10**9, Metrics()) as spool:
        # Not connected to a broker.
        sender = Sender(Publisher(broker, [queue], "test"), spool, Metrics())
        await sender.send(build_message(1, samples=(), inverters=(sample,)))
        await spool.flush()
        assert spool.on_disk == 1
    async with open_sender(broker, file, [queue]) as opened:
        await opened.send([2])
        await wait_until(lambda: opened.has_sent(2))
    taken = await inspector.take_all(queue)
    assert [each.routing_key for each in taken] == ["Inverters", "MeterStream"]
    assert decode(taken[0].body).inverters == (sample,)


@pytest.mark.slow
async def test_nothing_is_lost_or_reordered_when_the_broker_is_killed_and_restarted(
    rabbitmq: RabbitMQ, broker: Broker, queue: str, inspector: BrokerInspector, file: Path
) -> None:
    async with open_sender(broker, file, [queue]) as sender:
        await sender.publisher.connected.wait()
        # Killed sooner after a queue's first declaration, RabbitMQ 3.10 never elects its leader.
        await asyncio.sleep(6)
        for number in range(300):
            await sender.send([number])
            await asyncio.sleep(0.01)
            if number == 100:
                await asyncio.to_thread(rabbitmq.kill)
        assert sender.spool.on_disk > 100
        await asyncio.to_thread(rabbitmq.start)
        await wait_until(lambda: sender.has_sent(300), within=60)
        await sender.send([300])
        await wait_until(lambda: sender.has_sent(301))
    assert remove_duplicates(get_numbers(await inspector.take_all(queue))) == list(range(301))


async def test_a_broker_that_hangs_delays_nothing_and_loses_nothing(
    rabbitmq: RabbitMQ, broker: Broker, queue: str, inspector: BrokerInspector, file: Path
) -> None:
    async with open_sender(broker, file, [queue]) as sender:
        await sender.publisher.connected.wait()
        await sender.send([0])
        await wait_until(lambda: sender.has_sent(1))
        rabbitmq.pause()
        await sender.send(range(1, 50))
        assert sender.metrics["messages_published"] == 1, (
            "the sender accepted all of them, and the broker none"
        )
        await wait_until(lambda: sender.spool.on_disk == 49)
        rabbitmq.resume()
        await wait_until(lambda: sender.has_sent(50), within=60)
    assert remove_duplicates(get_numbers(await inspector.take_all(queue))) == list(range(50))


async def test_messages_do_not_pile_up_while_the_broker_does_not_read(
    rabbitmq: RabbitMQ,
    broker: Broker,
    queue: str,
    inspector: BrokerInspector,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sender_module, "_TIMEOUT", 0.2)
    async with open_sender(broker, file, [queue]) as sender:
        await sender.publisher.connected.wait()
        await sender.send([0])
        await wait_until(lambda: sender.has_sent(1))
        rabbitmq.pause()
        await sender.send(range(1, 50))
        # It would send them again and again.
        await asyncio.sleep(4)
        rabbitmq.resume()
        await wait_until(lambda: sender.has_sent(50), within=60)
    taken = get_numbers(await inspector.take_all(queue))
    assert remove_duplicates(taken) == list(range(50))
    assert len(taken) <= 1 + 2 * 49


@pytest.mark.slow
async def test_unsent_messages_are_sent_first_at_the_next_start(
    rabbitmq: RabbitMQ, broker: Broker, queue: str, inspector: BrokerInspector, file: Path
) -> None:
    rabbitmq.kill()
    async with open_sender(broker, file, [queue]) as sender:
        await sender.send(range(5))
    await asyncio.to_thread(rabbitmq.start)
    async with open_sender(broker, file, [queue]) as sender:
        await sender.send([5])
        await wait_until(lambda: sender.has_sent(6))
    assert get_numbers(await inspector.take_all(queue)) == list(range(6))


async def test_every_message_is_published_or_spooled_when_the_sender_stops(
    broker: Broker, queue: str, inspector: BrokerInspector, file: Path
) -> None:
    async with open_sender(broker, file, [queue]) as sender:
        await sender.publisher.connected.wait()
        await sender.send(range(50))
    with closing(SpoolFile(file)) as spool:
        assert (await inspector.count_ready(queue)) + spool.count == 50


async def test_a_deleted_queue_is_declared_again_and_nothing_is_lost(
    broker: Broker, queue: str, inspector: BrokerInspector, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_sender(broker, file, [queue]) as sender:
        await sender.publisher.connected.wait()
        await sender.send([0])
        await wait_until(lambda: sender.has_sent(1))
        await inspector.delete(queue)
        await sender.send([1, 2, 3])
        await wait_until(lambda: sender.has_sent(4))
    assert get_numbers(await inspector.take_all(queue)) == [1, 2, 3]
    assert f"no queue is bound; declaring {queue} again" in caplog.text


async def test_messages_without_any_bound_queue_are_logged_and_counted(
    broker: Broker, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_sender(broker, file, []) as sender:
        await sender.publisher.connected.wait()
        await sender.send([0, 1, 2])
        await wait_until(lambda: sender.metrics["messages_unroutable"] == 3)
        assert not len(sender.spool)
    assert caplog.text.count("no queue is bound, and amqp_queues is none") == 1


async def test_a_growing_queue_without_consumers_is_logged(
    broker: Broker,
    queue: str,
    inspector: BrokerInspector,
    file: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publisher_module, "_CHECK_INTERVAL", 0.2)
    monkeypatch.setattr(publisher_module, "_TOO_MANY", 5)
    async with open_sender(broker, file, [queue]) as sender:
        await sender.publisher.connected.wait()
        await sender.send(range(5))
        await wait_until(lambda: sender.has_sent(5))
        await asyncio.sleep(0.5)
        assert not caplog.messages
        await sender.send([5])
        await wait_until(lambda: f"queue {queue} grows and has no consumer" in caplog.text)
        await inspector.take_all(queue)
        await wait_until(lambda: "all queues have consumers again" in caplog.text)
    assert caplog.text.count("has no consumer") == 1


async def test_readings_dropped_from_a_full_spool_are_logged_and_counted(
    broker: Broker, queue: str, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    unreachable = Broker(str(URL(broker.url).with_port(1)))
    async with open_sender(unreachable, file, [queue], limit=25_000) as sender:
        for start in range(0, 100, 25):
            await sender.send(range(start, start + 25))
            await wait_until(lambda: not sender.spool.in_memory)
        assert sender.metrics["messages_dropped"] > 0
        assert sender.metrics["messages_dropped"] + len(sender.spool) == 100
    assert caplog.text.count("readings are being lost") == 1


async def test_readings_are_sent_from_memory_while_the_disk_is_full(
    broker: Broker,
    queue: str,
    inspector: BrokerInspector,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def raise_disk_full(_: SpoolFile) -> None:
        raise OSError("spool: cannot be written (database or disk is full)")

    monkeypatch.setattr(SpoolFile, "_transaction", raise_disk_full)
    async with open_sender(broker, file, [queue]) as sender:
        # The sender is not connected yet.
        await sender.send(range(20))
    assert get_numbers(await inspector.take_all(queue)) == list(range(20))
    assert sender.metrics["messages_dropped"] == 0
    assert "cannot be written (database or disk is full); at most 1000 readings wait" in caplog.text


async def test_the_error_of_a_wrong_password_names_its_key_and_never_the_password(
    broker: Broker, queue: str, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = Broker(str(URL(broker.url).with_password("hunter2-secret")), broker.exchange)
    async with open_sender(wrong, file, [queue]) as sender:
        await sender.send([0])
        await wait_until(lambda: sender.publisher.problem.text is not None)
        await wait_until(lambda: sender.spool.on_disk == 1)
    assert "it rejects amqp_username with amqp_password: correct them" in caplog.text
    assert "hunter2" not in redact(caplog.text)
    assert "hunter2" not in "".join(each.getMessage() for each in caplog.records if "enphase" in each.name)
    assert "hunter2" not in repr(wrong) + str(wrong)


async def test_the_error_of_a_missing_virtual_host_names_its_key(
    broker: Broker, queue: str, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_sender(Broker(str(URL(broker.url) / "nowhere")), file, [queue]) as sender:
        await wait_until(lambda: sender.publisher.problem.text is not None)
    assert "it rejects amqp_virtual_host: correct it" in caplog.text


async def test_readings_wait_while_the_queue_exists_with_other_arguments(
    broker: Broker, queue: str, inspector: BrokerInspector, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with inspector.channel() as channel:
        await channel.declare_queue(queue, durable=True)
    async with open_sender(broker, file, [queue]) as sender:
        await sender.send([0])
        await wait_until(lambda: sender.publisher.problem.text is not None)
        await wait_until(lambda: sender.spool.on_disk == 1)
        assert (
            f"queue {queue} (it exists with other arguments: delete it, or set another name)" in caplog.text
        )
        await inspector.delete(queue)
        await wait_until(lambda: sender.has_sent(1))


KILLED = """
import asyncio, sys
from pathlib import Path
from enphase_companion.runtime.metrics import Metrics
from enphase_companion.amqp import publisher as publisher_module
from enphase_companion.amqp.broker import Broker
from enphase_companion.delivery.sender import Sender
from enphase_companion.amqp.publisher import Publisher
from enphase_companion.delivery.spool import Spool
from tests.enphase_companion.amqp_helpers import build_message

async def main():
    url, exchange, queue, file, first, last = sys.argv[1:]
    publisher = Publisher(Broker(url, exchange), [queue], "killed")
    async with Spool(Path(file), 10**9, Metrics()) as spool, Sender(publisher, spool, Metrics()) as sender:
        await publisher.connected.wait()
        print("connected", flush=True)
        sys.stdin.readline()
        for number in range(int(first), int(last)):
            await sender.send(build_message(number))
        while spool.on_disk < int(last) - int(first):
            await asyncio.sleep(0.01)
        print("waiting", flush=True)
        while len(spool):
            await asyncio.sleep(0.001)
        print("sent", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.slow
async def test_a_program_killed_between_sending_and_confirmation_loses_nothing(
    rabbitmq: RabbitMQ, broker: Broker, queue: str, inspector: BrokerInspector, file: Path
) -> None:
    """The broker hangs, so that it confirms nothing; the sender is killed and then restarted."""
    arguments = [sys.executable, "-c", KILLED, broker.url, broker.exchange, queue, str(file), "0", "200"]
    killed = await asyncio.create_subprocess_exec(
        *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert killed.stdin is not None
    assert killed.stdout is not None
    assert await killed.stdout.readline() == b"connected\n"
    rabbitmq.pause()
    killed.stdin.write(b"\n")
    # They were sent and, without confirmations, written to disk.
    assert await killed.stdout.readline() == b"waiting\n"
    rabbitmq.resume()
    # The sender is now sending messages from disk.
    await asyncio.sleep(0.05)
    os.kill(killed.pid, signal.SIGKILL)
    await killed.wait()
    async with open_sender(broker, file, [queue]) as sender:
        await sender.send([200])
        await wait_until(lambda: len(sender.spool) == 0 and sender.metrics["messages_published"] >= 1)
    taken = get_numbers(await inspector.take_all(queue))
    assert set(taken) == set(range(201))
    assert remove_duplicates(taken) == list(range(201))
