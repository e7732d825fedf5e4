"""What differs between versions of RabbitMQ, as docs/pipeline.md says, and what does not for a consumer."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage
from pamqp.common import FieldTable

from enphase_companion.amqp.broker import Broker
from enphase_companion.amqp.consumer import Consumer, StoreError
from enphase_companion.amqp.publisher import Publisher
from enphase_companion.delivery.sender import Sender
from enphase_companion.delivery.spool import Spool
from enphase_companion.message import Message
from enphase_companion.runtime.metrics import Metrics
from tests.services.rabbitmq import RabbitMQ

from ..amqp_helpers import BrokerInspector, build_message, get_number, wait_until

#: Milliseconds that a consumer has for an acknowledgement, and between two checks of that.
_SHORT = {"consumer_timeout": 2_000, "channel_tick_interval": 500, "quorum_tick_interval": 500}
_USUAL = {"consumer_timeout": 1_800_000, "channel_tick_interval": 60_000, "quorum_tick_interval": 5_000}


@pytest.fixture
def impatient_rabbitmq(rabbitmq: RabbitMQ) -> Iterator[RabbitMQ]:
    """Yield a broker that waits only seconds, not half an hour, for an acknowledgement."""
    set_limits(rabbitmq, _SHORT)
    yield rabbitmq
    set_limits(rabbitmq, _USUAL)


def set_limits(rabbitmq: RabbitMQ, limits: Mapping[str, int]) -> None:
    for name, milliseconds in limits.items():
        rabbitmq.control("eval", f"application:set_env(rabbit, {name}, {milliseconds}).")


async def test_a_consumer_that_the_broker_gives_up_stores_everything_when_the_store_is_back(
    impatient_rabbitmq: RabbitMQ,
    exchange_name: str,
    queue: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """RabbitMQ 4.3 cancels the consumer alone; older ones close its channel."""
    broker = Broker(impatient_rabbitmq.url, exchange_name)
    metrics, stopping, stored = Metrics(), asyncio.Event(), set[int]()
    is_away = True

    async def store(messages: Sequence[Message]) -> None:
        if is_away:
            raise StoreError("the database is away")
        stored.update(map(get_number, messages))

    consumer = Consumer(broker, queue, store, metrics, name="test")
    running = asyncio.create_task(consumer.run(stopping))
    async with (
        Spool(tmp_path / "spool", 10**9, metrics) as spool,
        Sender(Publisher(broker, [queue], "publisher"), spool, metrics) as sender,
    ):
        for number in range(20):
            await sender.send(build_message(number))
        await wait_until(lambda: "the database is away" in caplog.text)
        await wait_until(lambda: "the connection was lost" in caplog.text, within=60)
        is_away = False
        await wait_until(lambda: stored == set(range(20)), within=60)
    stopping.set()
    await running
    assert await BrokerInspector(broker.url).count_ready(queue) == 0


async def return_three_times(rabbitmq: RabbitMQ, queue: str) -> int:
    """Return a message three times to a queue that takes it back twice; return how often it was delivered."""
    arguments: FieldTable = {"x-queue-type": "quorum", "x-delivery-limit": 2}
    async with BrokerInspector(rabbitmq.url).channel() as channel:
        declared = await channel.declare_queue(queue, durable=True, arguments=arguments)
        await channel.default_exchange.publish(aio_pika.Message(b"again"), queue)
        received: list[AbstractIncomingMessage] = []

        async def give_back(message: AbstractIncomingMessage) -> None:
            received.append(message)
            await (message.nack(requeue=True) if len(received) < 4 else message.ack())

        await declared.consume(give_back)
        await wait_until(lambda: len(received) >= 3)
        # On older versions there is no fourth time.
        await asyncio.sleep(0.5)
        return len(received)


async def test_a_returned_message_counts_towards_the_delivery_limit_until_rabbitmq_4_2(
    rabbitmq: RabbitMQ, queue: str
) -> None:
    delivered = await return_three_times(rabbitmq, queue)
    assert delivered == (4 if rabbitmq.version_numbers >= (4, 3) else 3)


async def test_definitions_with_mirrored_queues_are_refused_whole_from_rabbitmq_4_on(
    rabbitmq: RabbitMQ, queue: str, tmp_path: Path
) -> None:
    definitions = tmp_path / "definitions.json"
    policy = {"vhost": "/", "name": queue, "pattern": queue, "apply-to": "queues", "priority": 0}
    arguments = {"x-queue-type": "quorum"}
    wanted = {"name": queue, "vhost": "/", "durable": True, "auto_delete": False, "arguments": arguments}
    definitions.write_text(
        json.dumps({"policies": [{**policy, "definition": {"ha-mode": "all"}}], "queues": [wanted]})
    )
    if rabbitmq.version_numbers >= (4, 0):
        with pytest.raises(subprocess.CalledProcessError) as error:
            rabbitmq.control("import_definitions", str(definitions))
        assert "ha-mode" in error.value.stdout + error.value.stderr
        assert queue not in rabbitmq.control("list_queues", "name")
    else:
        rabbitmq.control("import_definitions", str(definitions))
        assert queue in rabbitmq.control("list_queues", "name")
        rabbitmq.control("clear_policy", queue)
