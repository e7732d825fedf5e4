"""The consumer: messages are stored in batches before they are acknowledged, despite failures."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
import pytest
from aio_pika.abc import AbstractExchange

from enphase_companion.amqp import consumer as consumer_module
from enphase_companion.amqp.broker import Broker
from enphase_companion.amqp.consumer import Consumer, StoreError
from enphase_companion.message import MAX_BODY, Message, MessageError, encode
from enphase_companion.runtime.metrics import Metrics
from tests.services.amqp_properties import UNREADABLE, RawProperties, publish_raw
from tests.services.rabbitmq import RabbitMQ

from ..amqp_helpers import (
    AT,
    SERIAL,
    BrokerInspector,
    build_message,
    get_number,
    wait_until,
)


class Store:
    """A store that can be unavailable, hang or reject messages, and keeps the stored batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.messages: list[Message] = []
        self.is_unavailable = False
        self.is_hanging = False
        self.rejects: set[int] = set()

    async def __call__(self, messages: Sequence[Message]) -> None:
        if self.is_hanging:
            await asyncio.sleep(3600)
        await asyncio.sleep(0)
        if self.is_unavailable:
            raise StoreError("the store is unavailable")
        if rejected := [number for number in map(get_number, messages) if number in self.rejects]:
            raise MessageError(f"{rejected[0]} cannot be stored")
        self.batches.append([get_number(each) for each in messages])
        self.messages.extend(messages)

    @property
    def numbers(self) -> list[int]:
        return [number for batch in self.batches for number in batch]


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@asynccontextmanager
async def run_consumer(
    broker: Broker, queue: str, store: Store, metrics: Metrics, **options: Any
) -> AsyncIterator[None]:
    consumer = Consumer(broker, queue, store, metrics, name="test", **options)
    stopping = asyncio.Event()
    running = asyncio.create_task(consumer.run(stopping))
    try:
        yield
    finally:
        stopping.set()
        # Only a consumer that hangs exceeds this limit.
        async with asyncio.timeout(30):
            await running


async def declare(channel: aio_pika.abc.AbstractChannel, broker: Broker, queue: str) -> AbstractExchange:
    """Declare and bind exchange and queue as the publisher does, and return the exchange."""
    exchange = await channel.declare_exchange(broker.exchange, aio_pika.ExchangeType.TOPIC, durable=True)
    arguments: dict[str, Any] = {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000}
    await (await channel.declare_queue(queue, durable=True, arguments=arguments)).bind(
        exchange, "MeterStream.#"
    )
    return exchange


async def publish(inspector: BrokerInspector, broker: Broker, queue: str, *bodies: bytes) -> None:
    async with inspector.channel() as channel:
        exchange = await declare(channel, broker, queue)
        sent = (
            exchange.publish(
                aio_pika.Message(
                    body,
                    message_id=f"id-{number}",
                    delivery_mode=2,
                    headers={"gateway_serial_number": SERIAL},
                ),
                "MeterStream",
            )
            for number, body in enumerate(bodies)
        )
        await asyncio.gather(*sent)


def build_bodies(count: int) -> list[bytes]:
    return [encode(build_message(number)) for number in range(count)]


async def test_waiting_messages_are_stored_in_batches_and_in_order(
    broker: Broker, queue: str, inspector: BrokerInspector, store: Store, metrics: Metrics
) -> None:
    await publish(inspector, broker, queue, *build_bodies(250))
    async with run_consumer(broker, queue, store, metrics, batch=100):
        await wait_until(lambda: len(store.numbers) == 250)
    assert store.numbers == list(range(250))
    assert max(map(len, store.batches)) <= 100
    assert len(store.batches) <= 5
    assert metrics["messages_stored"] == 250
    assert await inspector.count_ready(queue) == 0
    assert store.messages[7] == build_message(7, message_id=None)


async def test_a_partial_batch_is_stored_at_its_maximum_age(
    broker: Broker, queue: str, inspector: BrokerInspector, store: Store, metrics: Metrics
) -> None:
    async with run_consumer(broker, queue, store, metrics, batch=1000, age=0.2):
        await publish(inspector, broker, queue, *build_bodies(3))
        await wait_until(lambda: len(store.numbers) == 3, within=3)
    assert store.numbers == [0, 1, 2]


async def test_messages_of_enphase_api_are_stored_for_the_configured_gateway(
    broker: Broker, queue: str, inspector: BrokerInspector, store: Store, metrics: Metrics
) -> None:
    block = {"actPower": 5.0, "rmsVoltage": 230.0}
    report = {"createdAt": AT, "reportType": "production", "cumulative": block, "lines": [block]}
    async with run_consumer(broker, queue, store, metrics, default_gateway=SERIAL):
        await publish(
            inspector, broker, queue, json.dumps({"timestamp": AT + 0.5, "readings": [report]}).encode()
        )
        await wait_until(lambda: len(store.messages) == 1)
    assert store.messages[0].gateway == SERIAL
    assert [each.phase for each in store.messages[0].samples] == [0, 1]


async def test_nothing_is_acknowledged_while_the_store_is_unavailable(
    broker: Broker,
    queue: str,
    inspector: BrokerInspector,
    store: Store,
    metrics: Metrics,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store.is_unavailable = True
    await publish(inspector, broker, queue, *build_bodies(50))
    async with run_consumer(broker, queue, store, metrics, batch=20):
        await wait_until(lambda: "the store is unavailable" in caplog.text)
        await asyncio.sleep(1.5)
        store.is_unavailable = False
        await wait_until(lambda: len(store.numbers) == 50)
    assert store.numbers == list(range(50))
    assert caplog.text.count("the store is unavailable") == 1
    assert "readings are stored again" in caplog.text


async def test_unstored_messages_stay_in_the_queue_when_the_consumer_stops(
    broker: Broker,
    queue: str,
    inspector: BrokerInspector,
    store: Store,
    metrics: Metrics,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store.is_unavailable = True
    await publish(inspector, broker, queue, *build_bodies(10))
    async with run_consumer(broker, queue, store, metrics):
        await wait_until(lambda: "the store is unavailable" in caplog.text)
    assert await inspector.count_ready(queue) == 10


async def test_the_consumer_stops_while_the_store_hangs(
    broker: Broker, queue: str, inspector: BrokerInspector, store: Store, metrics: Metrics
) -> None:
    store.is_hanging = True
    await publish(inspector, broker, queue, *build_bodies(10))
    async with run_consumer(broker, queue, store, metrics):
        await asyncio.sleep(0.7)
    assert await inspector.count_ready(queue) == 10


async def test_an_unreadable_message_is_dead_lettered_with_its_reason(
    broker: Broker, queue: str, inspector: BrokerInspector, store: Store, metrics: Metrics
) -> None:
    valid = build_bodies(4)
    await publish(inspector, broker, queue, valid[0], valid[1], b"<html>", valid[3])
    async with run_consumer(broker, queue, store, metrics):
        await wait_until(lambda: len(store.numbers) == 3)
    assert store.numbers == [0, 1, 3]
    assert metrics["messages_dead_lettered"] == 1
    assert await inspector.count_ready(queue) == 0
    [dead] = await inspector.take_all(f"{broker.exchange}.DeadLetter")
    assert dead.body == b"<html>"
    assert (dead.message_id, dead.routing_key) == ("id-2", "MeterStream")
    assert str(dead.headers["dead_letter_reason"]).startswith("not JSON")
    assert (dead.headers["original_queue"], dead.headers["gateway_serial_number"]) == (queue, SERIAL)


@pytest.mark.parametrize("properties", UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_a_message_with_undecodable_properties_is_stored_over_the_same_connection(
    broker: Broker,
    queue: str,
    inspector: BrokerInspector,
    store: Store,
    metrics: Metrics,
    caplog: pytest.LogCaptureFixture,
    properties: RawProperties,
) -> None:
    valid = build_bodies(4)
    await publish(inspector, broker, queue, valid[0])
    await publish_raw(inspector.url, broker.exchange, "MeterStream", properties, valid[1])
    await publish_raw(inspector.url, broker.exchange, "MeterStream", properties, b"<html>")
    await publish(inspector, broker, queue, valid[3])
    async with run_consumer(broker, queue, store, metrics):
        await wait_until(lambda: len(store.numbers) == 3 and metrics["messages_dead_lettered"] == 1)
    # Not in order: quorum queues of RabbitMQ 4.3 deliver the message without a priority before those with 0.
    assert sorted(store.numbers) == [0, 1, 3]
    assert await inspector.count_ready(queue) == 0
    assert "lost" not in caplog.text
    assert await inspector.count_ready(f"{broker.exchange}.DeadLetter") == 1


async def test_headers_too_large_for_the_reason_are_dropped_from_a_dead_letter(
    broker: Broker, queue: str, inspector: BrokerInspector, store: Store, metrics: Metrics
) -> None:
    await publish(inspector, broker, queue, *build_bodies(1))
    async with inspector.channel() as channel:
        exchange = await channel.get_exchange(broker.exchange)
        # Almost the maximum size of headers that a broker accepts.
        large = {"long": "x" * 131_000}
        await exchange.publish(aio_pika.Message(b"<html>", headers={**large}), "MeterStream")
    async with run_consumer(broker, queue, store, metrics):
        await wait_until(lambda: metrics["messages_dead_lettered"] == 1)
    [dead] = await inspector.take_all(f"{broker.exchange}.DeadLetter")
    assert dead.body == b"<html>"
    assert str(dead.headers["dead_letter_reason"]).startswith("not JSON")


async def test_recovery_from_unreadable_messages_is_logged_after_a_quiet_period(
    broker: Broker,
    queue: str,
    inspector: BrokerInspector,
    store: Store,
    metrics: Metrics,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(consumer_module, "_QUIET", 0.5)
    await publish(inspector, broker, queue, b"<html>", build_bodies(2)[1])
    async with run_consumer(broker, queue, store, metrics):
        await wait_until(lambda: store.numbers == [1])
        await asyncio.sleep(0.6)
        await publish(inspector, broker, queue, build_bodies(3)[2])
        await wait_until(lambda: "all messages can be read again" in caplog.text)
    assert caplog.text.count("messages go to") == 1


async def test_a_rejected_message_is_dead_lettered_and_the_others_are_stored(
    broker: Broker, queue: str, inspector: BrokerInspector, store: Store, metrics: Metrics
) -> None:
    store.rejects = {3, 5}
    await publish(inspector, broker, queue, *build_bodies(8))
    async with run_consumer(broker, queue, store, metrics):
        await wait_until(lambda: len(store.numbers) == 6)
    assert store.numbers == [0, 1, 2, 4, 6, 7]
    assert await inspector.count_ready(queue) == 0
    dead = await inspector.take_all(f"{broker.exchange}.DeadLetter")
    assert [each.headers["dead_letter_reason"] for each in dead] == [
        "3 cannot be stored",
        "5 cannot be stored",
    ]


async def test_few_attempts_isolate_the_rejected_message_of_a_large_batch(
    broker: Broker, queue: str, inspector: BrokerInspector, store: Store, metrics: Metrics
) -> None:
    store.rejects = {100}
    await publish(inspector, broker, queue, *build_bodies(256))
    async with run_consumer(broker, queue, store, metrics, batch=256, age=2):
        await wait_until(lambda: len(store.numbers) == 255)
    assert store.numbers == [number for number in range(256) if number != 100]
    assert len(store.batches) < 30
    assert await inspector.count_ready(queue) == 0
    [dead] = await inspector.take_all(f"{broker.exchange}.DeadLetter")
    assert dead.body == encode(build_message(100))


async def test_an_oversized_message_is_dead_lettered_unchanged(
    broker: Broker, queue: str, inspector: BrokerInspector, store: Store, metrics: Metrics
) -> None:
    large = b"[" + b" " * 300_000 + b"]"
    valid = build_bodies(3)
    await publish(inspector, broker, queue, valid[0], large, valid[2])
    async with run_consumer(broker, queue, store, metrics):
        await wait_until(lambda: store.numbers == [0, 2])
    [dead] = await inspector.take_all(f"{broker.exchange}.DeadLetter")
    assert dead.body == large
    assert dead.headers["dead_letter_reason"] == f"{len(large)} bytes, more than the maximum of {MAX_BODY}"


async def test_a_message_after_a_pause_is_stored_at_once_and_the_next_ones_together(
    broker: Broker, queue: str, inspector: BrokerInspector, store: Store, metrics: Metrics
) -> None:
    bodies = build_bodies(4)
    async with run_consumer(broker, queue, store, metrics, batch=3, age=3600):
        await publish(inspector, broker, queue, bodies[0])
        await wait_until(lambda: store.numbers == [0])
        await publish(inspector, broker, queue, *bodies[1:])
        await wait_until(lambda: len(store.batches) == 2)
    assert store.numbers == [0, 1, 2, 3]


@pytest.fixture
def small_memory_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limit a consumer's memory to five large messages."""
    monkeypatch.setattr(consumer_module, "_MOST_BYTES", 200_000)
    monkeypatch.setattr(consumer_module, "_LONG", 1)


def build_large_bodies(count: int) -> list[bytes]:
    return [body[:-1] + b" " * 40_000 + b"}" for body in build_bodies(count)]


@pytest.mark.usefixtures("small_memory_limit")
async def test_messages_held_in_memory_are_limited_in_bytes_and_stored_after_recovery(
    broker: Broker,
    queue: str,
    inspector: BrokerInspector,
    store: Store,
    metrics: Metrics,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store.is_unavailable = True
    await publish(inspector, broker, queue, *build_large_bodies(60))
    async with run_consumer(broker, queue, store, metrics):
        await wait_until(lambda: "far larger than a gateway's" in caplog.text)
        await asyncio.sleep(2)
        # Messages that the consumer holds are not ready. It holds no more than fit in its memory limit.
        assert await inspector.count_ready(queue) >= 60 - 200_000 // 40_000
        store.is_unavailable = False
        await wait_until(lambda: set(store.numbers) == set(range(60)))
    assert await inspector.count_ready(queue) == 0
    assert max(map(len, store.batches)) <= 5


@pytest.mark.usefixtures("small_memory_limit")
async def test_batches_grow_again_after_large_messages(
    broker: Broker,
    queue: str,
    inspector: BrokerInspector,
    store: Store,
    metrics: Metrics,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(consumer_module, "_QUIET", 0.5)
    monkeypatch.setattr(consumer_module, "_IDLE", 0.2)
    await publish(inspector, broker, queue, *build_large_bodies(20))
    async with run_consumer(broker, queue, store, metrics, batch=50, age=0.5):
        await wait_until(lambda: set(store.numbers) == set(range(20)))
        assert max(map(len, store.batches)) <= 5
        await asyncio.sleep(3)
        await publish(inspector, broker, queue, *build_bodies(20))
        # The first is stored at once.
        await wait_until(lambda: max(map(len, store.batches)) > 10)
    assert "lost" not in caplog.text


async def test_an_unreadable_message_is_dead_lettered_once_across_reconnections(
    broker: Broker, queue: str, inspector: BrokerInspector, store: Store, metrics: Metrics
) -> None:
    store.is_unavailable = True
    await publish(inspector, broker, queue, b"<html>", *build_bodies(2))
    for _ in range(3):
        async with run_consumer(broker, queue, store, metrics):
            await asyncio.sleep(0.7)
    store.is_unavailable = False
    async with run_consumer(broker, queue, store, metrics):
        await wait_until(lambda: len(store.numbers) == 2)
    assert len(await inspector.take_all(f"{broker.exchange}.DeadLetter")) == 1
    assert await inspector.count_ready(queue) == 0


async def test_many_kinds_of_unreadable_messages_cause_few_log_lines(
    broker: Broker,
    queue: str,
    inspector: BrokerInspector,
    store: Store,
    metrics: Metrics,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await publish(inspector, broker, queue, *[b"1" * number + b"<" for number in range(1, 60)])
    async with run_consumer(broker, queue, store, metrics):
        await wait_until(lambda: metrics["messages_dead_lettered"] == 59)
    assert 1 < caplog.text.count("messages go to") <= 11


@pytest.mark.slow
async def test_the_consumer_continues_after_the_broker_was_killed_and_restarted(
    rabbitmq: RabbitMQ, broker: Broker, queue: str, inspector: BrokerInspector, store: Store, metrics: Metrics
) -> None:
    await publish(inspector, broker, queue, *build_bodies(100))
    async with run_consumer(broker, queue, store, metrics, batch=10):
        await wait_until(lambda: len(store.numbers) >= 20)
        await asyncio.to_thread(rabbitmq.kill)
        await asyncio.sleep(0.5)
        await asyncio.to_thread(rabbitmq.start)
        await publish(
            inspector, broker, queue, *[encode(build_message(number)) for number in range(100, 120)]
        )
        await wait_until(lambda: set(store.numbers) == set(range(120)), within=60)
    assert await inspector.count_ready(queue) == 0


async def test_the_consumer_continues_after_its_queue_was_deleted(
    broker: Broker, queue: str, inspector: BrokerInspector, store: Store, metrics: Metrics
) -> None:
    await publish(inspector, broker, queue, *build_bodies(1))
    async with run_consumer(broker, queue, store, metrics):
        await wait_until(lambda: store.numbers == [0])
        await inspector.delete(queue)
        await asyncio.sleep(2.5)
        async with inspector.channel() as channel:
            exchange = await channel.get_exchange(broker.exchange)
            await exchange.publish(aio_pika.Message(encode(build_message(1))), "MeterStream")
        await wait_until(lambda: store.numbers == [0, 1])


async def test_a_message_requeued_a_hundred_times_is_not_dropped(
    broker: Broker, queue: str, inspector: BrokerInspector, store: Store, metrics: Metrics
) -> None:
    await publish(inspector, broker, queue, *build_bodies(1))
    async with inspector.channel() as channel:
        declared = await channel.get_queue(queue)
        for _ in range(100):
            got = await declared.get(timeout=5)
            assert got is not None
            await got.nack(requeue=True)
    async with run_consumer(broker, queue, store, metrics):
        await wait_until(lambda: store.numbers == [0])


async def test_consumers_share_a_queue_and_store_each_message_once(
    broker: Broker, queue: str, inspector: BrokerInspector, store: Store, metrics: Metrics
) -> None:
    other = Store()
    async with (
        run_consumer(broker, queue, store, metrics, batch=10),
        run_consumer(broker, queue, other, metrics, batch=10),
    ):
        await asyncio.sleep(0.5)
        await publish(inspector, broker, queue, *build_bodies(400))
        await wait_until(lambda: len(store.numbers) + len(other.numbers) == 400)
    assert sorted(store.numbers + other.numbers) == list(range(400))
    assert store.numbers
    assert other.numbers


STORES_THEN_WAITS = """
import asyncio, sys
from enphase_companion.runtime.metrics import Metrics
from enphase_companion.amqp.broker import Broker
from enphase_companion.amqp.consumer import Consumer

async def store(messages):
    print(len(messages), flush=True)
    await asyncio.sleep(60)  # stored, and not yet acknowledged

async def main():
    url, exchange, queue = sys.argv[1:]
    await Consumer(Broker(url, exchange), queue, store, Metrics(), name="killed").run(asyncio.Event())

asyncio.run(main())
"""


async def test_a_consumer_killed_between_commit_and_acknowledgement_loses_nothing(
    broker: Broker, queue: str, inspector: BrokerInspector, store: Store, metrics: Metrics
) -> None:
    await publish(inspector, broker, queue, *build_bodies(30))
    arguments = [sys.executable, "-c", STORES_THEN_WAITS, broker.url, broker.exchange, queue]
    killed = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
    assert killed.stdout is not None
    assert int(await killed.stdout.readline()) > 0
    os.kill(killed.pid, signal.SIGKILL)
    await killed.wait()
    async with run_consumer(broker, queue, store, metrics):
        await wait_until(lambda: len(store.numbers) == 30)
    assert store.numbers == list(range(30))
    assert await inspector.count_ready(queue) == 0
