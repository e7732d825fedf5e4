"""The receiving side: stored before it is acknowledged, in batches, whatever happens to broker and store."""

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
from tests.services.rabbitmq import RabbitMQ

from ..amqp_helpers import (
    AT,
    SERIAL,
    UNREADABLE,
    Eyes,
    RawProperties,
    message,
    number_of,
    publish_raw,
    until,
)


class Store:
    """A store that can be away, hang, or refuse; it keeps what it was given, as batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.messages: list[Message] = []
        self.away = False
        self.hangs = False
        self.refuses: set[int] = set()

    async def __call__(self, messages: Sequence[Message]) -> None:
        if self.hangs:
            await asyncio.sleep(3600)
        await asyncio.sleep(0)
        if self.away:
            raise StoreError("the store is away")
        if refused := [number for number in map(number_of, messages) if number in self.refuses]:
            raise MessageError(f"{refused[0]} cannot be stored")
        self.batches.append([number_of(each) for each in messages])
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
async def consuming(
    broker: Broker, queue: str, store: Store, metrics: Metrics, **options: Any
) -> AsyncIterator[None]:
    consumer = Consumer(broker, queue, store, metrics, name="test", **options)
    stopping = asyncio.Event()
    running = asyncio.create_task(consumer.run(stopping))
    try:
        yield
    finally:
        stopping.set()
        # The 5 seconds that systemd, and whoever ends it, is promised.
        async with asyncio.timeout(5):
            await running


async def declared(channel: aio_pika.abc.AbstractChannel, broker: Broker, queue: str) -> AbstractExchange:
    """Return the exchange as any publisher declares it, and the queue as ours does."""
    exchange = await channel.declare_exchange(broker.exchange, aio_pika.ExchangeType.TOPIC, durable=True)
    arguments: dict[str, Any] = {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000}
    await (await channel.declare_queue(queue, durable=True, arguments=arguments)).bind(
        exchange, "MeterStream.#"
    )
    return exchange


async def publish(eyes: Eyes, broker: Broker, queue: str, *bodies: bytes) -> None:
    async with eyes.channel() as channel:
        exchange = await declared(channel, broker, queue)
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


def bodies(count: int) -> list[bytes]:
    return [encode(message(number)) for number in range(count)]


async def test_what_waits_is_stored_in_batches_in_order_and_then_gone(
    broker: Broker, queue: str, eyes: Eyes, store: Store, metrics: Metrics
) -> None:
    await publish(eyes, broker, queue, *bodies(250))
    async with consuming(broker, queue, store, metrics, batch=100):
        await until(lambda: len(store.numbers) == 250)
    assert store.numbers == list(range(250))
    assert max(map(len, store.batches)) <= 100
    assert len(store.batches) <= 5
    assert metrics["messages_stored"] == 250
    assert await eyes.waiting(queue) == 0
    assert store.messages[7] == message(7, message_id="id-7")


async def test_a_batch_that_does_not_fill_is_stored_when_it_is_old_enough(
    broker: Broker, queue: str, eyes: Eyes, store: Store, metrics: Metrics
) -> None:
    async with consuming(broker, queue, store, metrics, batch=1000, age=0.2):
        await publish(eyes, broker, queue, *bodies(3))
        await until(lambda: len(store.numbers) == 3, within=3)
    assert store.numbers == [0, 1, 2]


async def test_messages_of_enphase_api_are_stored_as_the_set_gateways(
    broker: Broker, queue: str, eyes: Eyes, store: Store, metrics: Metrics
) -> None:
    block = {"actPower": 5.0, "rmsVoltage": 230.0}
    report = {"createdAt": AT, "reportType": "production", "cumulative": block, "lines": [block]}
    async with consuming(broker, queue, store, metrics, default_gateway=SERIAL):
        await publish(eyes, broker, queue, json.dumps({"timestamp": AT + 0.5, "readings": [report]}).encode())
        await until(lambda: len(store.messages) == 1)
    assert store.messages[0].gateway == SERIAL
    assert [each.phase for each in store.messages[0].samples] == [0, 1]


async def test_nothing_is_acknowledged_while_the_store_is_away(
    broker: Broker, queue: str, eyes: Eyes, store: Store, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    store.away = True
    await publish(eyes, broker, queue, *bodies(50))
    async with consuming(broker, queue, store, metrics, batch=20):
        await until(lambda: "the store is away" in caplog.text)
        await asyncio.sleep(1.5)
        store.away = False
        await until(lambda: len(store.numbers) == 50)
    assert store.numbers == list(range(50))
    assert caplog.text.count("the store is away") == 1
    assert "readings are stored again" in caplog.text


async def test_what_a_store_never_took_stays_in_the_queue_at_the_end(
    broker: Broker, queue: str, eyes: Eyes, store: Store, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    store.away = True
    await publish(eyes, broker, queue, *bodies(10))
    async with consuming(broker, queue, store, metrics):
        await until(lambda: "the store is away" in caplog.text)
    assert await eyes.waiting(queue) == 10


async def test_a_store_that_hangs_does_not_keep_the_script_from_ending(
    broker: Broker, queue: str, eyes: Eyes, store: Store, metrics: Metrics
) -> None:
    store.hangs = True
    await publish(eyes, broker, queue, *bodies(10))
    async with consuming(broker, queue, store, metrics):
        await asyncio.sleep(0.7)
    assert await eyes.waiting(queue) == 10


async def test_a_message_that_cannot_be_read_goes_to_the_dead_letters_with_its_reason(
    broker: Broker, queue: str, eyes: Eyes, store: Store, metrics: Metrics
) -> None:
    good = bodies(4)
    await publish(eyes, broker, queue, good[0], good[1], b"<html>", good[3])
    async with consuming(broker, queue, store, metrics):
        await until(lambda: len(store.numbers) == 3)
    assert store.numbers == [0, 1, 3]
    assert metrics["messages_dead_lettered"] == 1
    assert await eyes.waiting(queue) == 0
    [dead] = await eyes.take_all(f"{broker.exchange}.DeadLetter")
    assert dead.body == b"<html>"
    assert (dead.message_id, dead.routing_key) == ("id-2", "MeterStream")
    assert str(dead.headers["dead_letter_reason"]).startswith("not JSON")
    assert (dead.headers["original_queue"], dead.headers["gateway_serial_number"]) == (queue, SERIAL)


@pytest.mark.parametrize("properties", UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_properties_that_the_library_refuses_end_no_connection_and_the_reading_is_stored(
    broker: Broker,
    queue: str,
    eyes: Eyes,
    store: Store,
    metrics: Metrics,
    caplog: pytest.LogCaptureFixture,
    properties: RawProperties,
) -> None:
    good = bodies(4)
    await publish(eyes, broker, queue, good[0])
    await publish_raw(eyes.url, broker.exchange, "MeterStream", properties, good[1])
    await publish_raw(eyes.url, broker.exchange, "MeterStream", properties, b"<html>")
    await publish(eyes, broker, queue, good[3])
    async with consuming(broker, queue, store, metrics):
        await until(lambda: len(store.numbers) == 3 and metrics["messages_dead_lettered"] == 1)
    assert store.numbers == [0, 1, 3]
    assert await eyes.waiting(queue) == 0
    assert "lost" not in caplog.text
    assert await eyes.waiting(f"{broker.exchange}.DeadLetter") == 1


async def test_headers_that_leave_no_room_for_the_reason_stay_behind_when_a_message_cannot_be_read(
    broker: Broker, queue: str, eyes: Eyes, store: Store, metrics: Metrics
) -> None:
    await publish(eyes, broker, queue, *bodies(1))
    async with eyes.channel() as channel:
        exchange = await channel.get_exchange(broker.exchange)
        # All but a few of the bytes that a broker takes as headers.
        long = {"long": "x" * 131_000}
        await exchange.publish(aio_pika.Message(b"<html>", headers={**long}), "MeterStream")
    async with consuming(broker, queue, store, metrics):
        await until(lambda: metrics["messages_dead_lettered"] == 1)
    [dead] = await eyes.take_all(f"{broker.exchange}.DeadLetter")
    assert dead.body == b"<html>"
    assert str(dead.headers["dead_letter_reason"]).startswith("not JSON")


async def test_that_all_messages_can_be_read_again_is_said_after_a_while_without_any_other(
    broker: Broker,
    queue: str,
    eyes: Eyes,
    store: Store,
    metrics: Metrics,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(consumer_module, "_QUIET", 0.5)
    await publish(eyes, broker, queue, b"<html>", bodies(2)[1])
    async with consuming(broker, queue, store, metrics):
        await until(lambda: store.numbers == [1])
        await asyncio.sleep(0.6)
        await publish(eyes, broker, queue, bodies(3)[2])
        await until(lambda: "all messages can be read again" in caplog.text)
    assert caplog.text.count("messages go to") == 1


async def test_a_message_that_no_store_takes_goes_to_the_dead_letters_and_the_others_are_stored(
    broker: Broker, queue: str, eyes: Eyes, store: Store, metrics: Metrics
) -> None:
    store.refuses = {3, 5}
    await publish(eyes, broker, queue, *bodies(8))
    async with consuming(broker, queue, store, metrics):
        await until(lambda: len(store.numbers) == 6)
    assert store.numbers == [0, 1, 2, 4, 6, 7]
    assert await eyes.waiting(queue) == 0
    dead = await eyes.take_all(f"{broker.exchange}.DeadLetter")
    assert [each.headers["dead_letter_reason"] for each in dead] == [
        "3 cannot be stored",
        "5 cannot be stored",
    ]


async def test_of_a_large_batch_only_the_message_that_no_store_takes_is_left_out_and_few_attempts_find_it(
    broker: Broker, queue: str, eyes: Eyes, store: Store, metrics: Metrics
) -> None:
    store.refuses = {100}
    await publish(eyes, broker, queue, *bodies(256))
    async with consuming(broker, queue, store, metrics, batch=256, age=2):
        await until(lambda: len(store.numbers) == 255)
    assert store.numbers == [number for number in range(256) if number != 100]
    assert len(store.batches) < 30
    assert await eyes.waiting(queue) == 0
    [dead] = await eyes.take_all(f"{broker.exchange}.DeadLetter")
    assert dead.body == encode(message(100))


async def test_a_message_that_is_far_too_large_goes_unread_and_whole_to_the_dead_letters(
    broker: Broker, queue: str, eyes: Eyes, store: Store, metrics: Metrics
) -> None:
    large = b"[" + b" " * 300_000 + b"]"
    good = bodies(3)
    await publish(eyes, broker, queue, good[0], large, good[2])
    async with consuming(broker, queue, store, metrics):
        await until(lambda: store.numbers == [0, 2])
    [dead] = await eyes.take_all(f"{broker.exchange}.DeadLetter")
    assert dead.body == large
    assert dead.headers["dead_letter_reason"] == f"{len(large)} bytes, more than the maximum of {MAX_BODY}"


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a consumer hold five large messages."""
    monkeypatch.setattr(consumer_module, "_MOST_BYTES", 200_000)
    monkeypatch.setattr(consumer_module, "_LONG", 1)


def large_bodies(count: int) -> list[bytes]:
    return [body[:-1] + b" " * 40_000 + b"}" for body in bodies(count)]


@pytest.mark.usefixtures("little_memory")
async def test_what_is_held_in_memory_is_bounded_in_bytes_and_all_is_stored_once_the_store_is_back(
    broker: Broker,
    queue: str,
    eyes: Eyes,
    store: Store,
    metrics: Metrics,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store.away = True
    await publish(eyes, broker, queue, *large_bodies(60))
    async with consuming(broker, queue, store, metrics):
        await until(lambda: "far larger than a gateway's" in caplog.text)
        await asyncio.sleep(2)
        # Those that the consumer has are not ready for others; no more than fit are with it.
        assert await eyes.waiting(queue) >= 60 - 200_000 // 40_000
        store.away = False
        await until(lambda: set(store.numbers) == set(range(60)))
    assert await eyes.waiting(queue) == 0
    assert max(map(len, store.batches)) <= 5


@pytest.mark.usefixtures("little_memory")
async def test_messages_that_are_small_again_come_as_many_at_once_as_before(
    broker: Broker,
    queue: str,
    eyes: Eyes,
    store: Store,
    metrics: Metrics,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(consumer_module, "_QUIET", 0.5)
    monkeypatch.setattr(consumer_module, "_IDLE", 0.2)
    await publish(eyes, broker, queue, *large_bodies(20))
    async with consuming(broker, queue, store, metrics, batch=50, age=0.5):
        await until(lambda: set(store.numbers) == set(range(20)))
        assert max(map(len, store.batches)) <= 5
        await asyncio.sleep(3)
        await publish(eyes, broker, queue, *bodies(20))
        await until(lambda: max(map(len, store.batches)) == 20)
    assert "lost" not in caplog.text


async def test_what_cannot_be_read_is_buried_once_though_the_store_is_away_through_many_connections(
    broker: Broker, queue: str, eyes: Eyes, store: Store, metrics: Metrics
) -> None:
    store.away = True
    await publish(eyes, broker, queue, b"<html>", *bodies(2))
    for _ in range(3):
        async with consuming(broker, queue, store, metrics):
            await asyncio.sleep(0.7)
    store.away = False
    async with consuming(broker, queue, store, metrics):
        await until(lambda: len(store.numbers) == 2)
    assert len(await eyes.take_all(f"{broker.exchange}.DeadLetter")) == 1
    assert await eyes.waiting(queue) == 0


async def test_messages_that_are_wrong_in_ever_other_ways_make_few_lines_in_the_log(
    broker: Broker, queue: str, eyes: Eyes, store: Store, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    await publish(eyes, broker, queue, *[b"1" * number + b"<" for number in range(1, 60)])
    async with consuming(broker, queue, store, metrics):
        await until(lambda: metrics["messages_dead_lettered"] == 59)
    assert 1 < caplog.text.count("messages go to") <= 11


@pytest.mark.slow
async def test_it_goes_on_when_the_broker_was_killed_and_is_back(
    rabbitmq: RabbitMQ, broker: Broker, queue: str, eyes: Eyes, store: Store, metrics: Metrics
) -> None:
    await publish(eyes, broker, queue, *bodies(100))
    async with consuming(broker, queue, store, metrics, batch=10):
        await until(lambda: len(store.numbers) >= 20)
        await asyncio.to_thread(rabbitmq.kill)
        await asyncio.sleep(0.5)
        await asyncio.to_thread(rabbitmq.start)
        await publish(eyes, broker, queue, *[encode(message(number)) for number in range(100, 120)])
        await until(lambda: set(store.numbers) == set(range(120)), within=60)
    assert await eyes.waiting(queue) == 0


async def test_it_goes_on_when_somebody_deleted_its_queue(
    broker: Broker, queue: str, eyes: Eyes, store: Store, metrics: Metrics
) -> None:
    await publish(eyes, broker, queue, *bodies(1))
    async with consuming(broker, queue, store, metrics):
        await until(lambda: store.numbers == [0])
        await eyes.delete(queue)
        await asyncio.sleep(2.5)
        async with eyes.channel() as channel:
            exchange = await channel.get_exchange(broker.exchange)
            await exchange.publish(aio_pika.Message(encode(message(1))), "MeterStream")
        await until(lambda: store.numbers == [0, 1])


async def test_a_message_that_was_returned_a_hundred_times_is_still_there(
    broker: Broker, queue: str, eyes: Eyes, store: Store, metrics: Metrics
) -> None:
    await publish(eyes, broker, queue, *bodies(1))
    async with eyes.channel() as channel:
        place = await channel.get_queue(queue)
        for _ in range(100):
            got = await place.get(timeout=5)
            assert got is not None
            await got.nack(requeue=True)
    async with consuming(broker, queue, store, metrics):
        await until(lambda: store.numbers == [0])


async def test_many_workers_share_a_queue_and_each_message_is_stored_by_one(
    broker: Broker, queue: str, eyes: Eyes, store: Store, metrics: Metrics
) -> None:
    other = Store()
    async with (
        consuming(broker, queue, store, metrics, batch=10),
        consuming(broker, queue, other, metrics, batch=10),
    ):
        await asyncio.sleep(0.5)
        await publish(eyes, broker, queue, *bodies(400))
        await until(lambda: len(store.numbers) + len(other.numbers) == 400)
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


async def test_a_consumer_that_is_killed_between_commit_and_acknowledgement_loses_nothing(
    broker: Broker, queue: str, eyes: Eyes, store: Store, metrics: Metrics
) -> None:
    await publish(eyes, broker, queue, *bodies(30))
    arguments = [sys.executable, "-c", STORES_THEN_WAITS, broker.url, broker.exchange, queue]
    killed = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
    assert killed.stdout is not None
    assert int(await killed.stdout.readline()) > 0
    os.kill(killed.pid, signal.SIGKILL)
    await killed.wait()
    async with consuming(broker, queue, store, metrics):
        await until(lambda: len(store.numbers) == 30)
    assert store.numbers == list(range(30))
    assert await eyes.waiting(queue) == 0
