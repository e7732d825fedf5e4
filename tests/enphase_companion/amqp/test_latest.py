"""The latest-reading consumer: older messages are skipped, and it reconnects after outages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aio_pika
import pytest

from enphase_companion.amqp.broker import Broker
from enphase_companion.amqp.latest import LatestConsumer
from enphase_companion.message import Message, encode
from tests.services.amqp_properties import UNREADABLE, RawProperties, publish_raw
from tests.services.rabbitmq import RabbitMQ

from ..amqp_helpers import (
    BrokerInspector,
    build_message,
    get_number,
    wait_until,
)


class Display:
    """Shows one message at a time, for `seconds` each."""

    def __init__(self) -> None:
        self.shown: list[int] = []
        self.seconds = 0.0

    async def show(self, newest: Message) -> None:
        self.shown.append(get_number(newest))
        await asyncio.sleep(self.seconds)


@pytest.fixture
def display() -> Display:
    return Display()


@asynccontextmanager
async def run_consumer(broker: Broker, display: Display) -> AsyncIterator[LatestConsumer]:
    consumer = LatestConsumer(broker, display.show, name="test")
    running = asyncio.create_task(consumer.run())
    try:
        yield consumer
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def publish(inspector: BrokerInspector, broker: Broker, *bodies: bytes) -> None:
    async with inspector.channel() as channel:
        exchange = await channel.declare_exchange(broker.exchange, aio_pika.ExchangeType.TOPIC, durable=True)
        for body in bodies:
            await exchange.publish(aio_pika.Message(body), "MeterStream")


async def test_an_oversized_message_is_skipped_and_the_next_is_shown(
    broker: Broker, inspector: BrokerInspector, display: Display, caplog: pytest.LogCaptureFixture
) -> None:
    async with run_consumer(broker, display) as consumer:
        await publish_until_shown(inspector, broker, display, 1)
        await publish(inspector, broker, b" " * 300_000, encode(build_message(2)))
        await wait_until(lambda: display.shown[-1] == 2)
        assert consumer.problem.text is None
    assert "message skipped: 300000 bytes, more than the maximum of" in caplog.text


@pytest.mark.parametrize("properties", UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_a_message_with_undecodable_properties_is_shown(
    broker: Broker, inspector: BrokerInspector, display: Display, properties: RawProperties
) -> None:
    async with run_consumer(broker, display) as consumer:
        await publish_until_shown(inspector, broker, display, 1)
        await publish_raw(inspector.url, broker.exchange, "MeterStream", properties, encode(build_message(2)))
        await wait_until(lambda: display.shown[-1] == 2)
        assert consumer.problem.text is None


async def publish_until_shown(
    inspector: BrokerInspector, broker: Broker, display: Display, number: int
) -> None:
    async with asyncio.timeout(60):
        while number not in display.shown:
            await publish(inspector, broker, encode(build_message(number)))
            await asyncio.sleep(0.3)


async def test_all_but_the_latest_message_are_skipped_while_the_display_is_busy(
    broker: Broker, inspector: BrokerInspector, display: Display
) -> None:
    async with run_consumer(broker, display):
        await publish_until_shown(inspector, broker, display, 0)
        display.shown.clear()
        display.seconds = 0.5
        await publish(inspector, broker, *[encode(build_message(number)) for number in range(1, 100)])
        await wait_until(lambda: 99 in display.shown)
    assert len(display.shown) <= 3


async def test_an_unreadable_message_is_skipped_and_logged(
    broker: Broker, inspector: BrokerInspector, display: Display, caplog: pytest.LogCaptureFixture
) -> None:
    async with run_consumer(broker, display):
        await publish_until_shown(inspector, broker, display, 0)
        await publish(inspector, broker, b"<html>")
        await wait_until(lambda: "message skipped: not JSON" in caplog.text)
        await publish_until_shown(inspector, broker, display, 1)


@pytest.mark.slow
async def test_the_consumer_continues_after_the_broker_was_killed_and_restarted(
    rabbitmq: RabbitMQ, broker: Broker, inspector: BrokerInspector, display: Display
) -> None:
    async with run_consumer(broker, display) as consumer:
        await publish_until_shown(inspector, broker, display, 0)
        await asyncio.to_thread(rabbitmq.kill)
        await wait_until(lambda: consumer.problem.text is not None)
        await asyncio.to_thread(rabbitmq.start)
        await publish_until_shown(inspector, broker, display, 1)
        assert consumer.problem.text is None


async def test_the_queue_is_deleted_when_the_consumer_stops(
    broker: Broker, inspector: BrokerInspector, display: Display
) -> None:
    async with run_consumer(broker, display):
        await publish_until_shown(inspector, broker, display, 0)
    async with inspector.channel() as channel:
        exchange = await channel.get_exchange(broker.exchange)
        returned = await exchange.publish(aio_pika.Message(encode(build_message(1))), "MeterStream")
        assert not isinstance(returned, aio_pika.abc.AbstractMessage)
        assert type(returned).__name__ == "DeliveredMessage", "no queue takes it any more"


async def test_an_error_of_the_display_is_raised(
    broker: Broker, inspector: BrokerInspector, display: Display
) -> None:
    async def raise_error(newest: Message) -> None:
        raise OSError("no display")

    running = asyncio.create_task(LatestConsumer(broker, raise_error, name="test").run())
    async with asyncio.timeout(20):
        while not running.done():
            await publish(inspector, broker, encode(build_message(0)))
            await asyncio.sleep(0.2)
    with pytest.raises(OSError, match="no display"):
        await running
