"""The newest message: what is older is left out while somebody is busy, and outages are waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aio_pika
import pytest

from enphase_companion.amqp.broker import Broker
from enphase_companion.amqp.latest import LatestConsumer
from enphase_companion.message import Message, encode
from tests.services.rabbitmq import RabbitMQ

from ..amqp_helpers import UNREADABLE, Eyes, RawProperties, message, number_of, publish_raw, until


class Display:
    """Shows one message at a time, each for `seconds`."""

    def __init__(self) -> None:
        self.shown: list[int] = []
        self.seconds = 0.0

    async def show(self, newest: Message) -> None:
        self.shown.append(number_of(newest))
        await asyncio.sleep(self.seconds)


@pytest.fixture
def display() -> Display:
    return Display()


@asynccontextmanager
async def showing(broker: Broker, display: Display) -> AsyncIterator[LatestConsumer]:
    consumer = LatestConsumer(broker, display.show, name="test")
    running = asyncio.create_task(consumer.run())
    try:
        yield consumer
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def publish(eyes: Eyes, broker: Broker, *bodies: bytes) -> None:
    async with eyes.channel() as channel:
        exchange = await channel.declare_exchange(broker.exchange, aio_pika.ExchangeType.TOPIC, durable=True)
        for body in bodies:
            await exchange.publish(aio_pika.Message(body), "MeterStream")


async def test_a_message_that_is_far_too_large_is_left_out_unread_and_the_next_is_shown(
    broker: Broker, eyes: Eyes, display: Display, caplog: pytest.LogCaptureFixture
) -> None:
    async with showing(broker, display) as consumer:
        await shows_what_is_published(eyes, broker, display, 1)
        await publish(eyes, broker, b" " * 300_000, encode(message(2)))
        await until(lambda: display.shown[-1] == 2)
        assert consumer.problem.text is None
    assert "message skipped: 300000 bytes, more than the maximum of" in caplog.text


@pytest.mark.parametrize("properties", UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_properties_that_the_library_refuses_are_in_the_way_of_no_picture(
    broker: Broker, eyes: Eyes, display: Display, properties: RawProperties
) -> None:
    async with showing(broker, display) as consumer:
        await shows_what_is_published(eyes, broker, display, 1)
        await publish_raw(eyes.url, broker.exchange, "MeterStream", properties, encode(message(2)))
        await until(lambda: display.shown[-1] == 2)
        assert consumer.problem.text is None


async def shows_what_is_published(eyes: Eyes, broker: Broker, display: Display, number: int) -> None:
    async with asyncio.timeout(60):
        while number not in display.shown:
            await publish(eyes, broker, encode(message(number)))
            await asyncio.sleep(0.3)


async def test_while_the_display_is_busy_all_but_the_newest_are_left_out(
    broker: Broker, eyes: Eyes, display: Display
) -> None:
    async with showing(broker, display):
        await shows_what_is_published(eyes, broker, display, 0)
        display.shown.clear()
        display.seconds = 0.5
        await publish(eyes, broker, *[encode(message(number)) for number in range(1, 100)])
        await until(lambda: 99 in display.shown)
    assert len(display.shown) <= 3


async def test_what_cannot_be_read_is_left_out_and_told(
    broker: Broker, eyes: Eyes, display: Display, caplog: pytest.LogCaptureFixture
) -> None:
    async with showing(broker, display):
        await shows_what_is_published(eyes, broker, display, 0)
        await publish(eyes, broker, b"<html>")
        await until(lambda: "message skipped: not JSON" in caplog.text)
        await shows_what_is_published(eyes, broker, display, 1)


@pytest.mark.slow
async def test_it_goes_on_when_the_broker_was_killed_and_is_back(
    rabbitmq: RabbitMQ, broker: Broker, eyes: Eyes, display: Display
) -> None:
    async with showing(broker, display) as consumer:
        await shows_what_is_published(eyes, broker, display, 0)
        await asyncio.to_thread(rabbitmq.kill)
        await until(lambda: consumer.problem.text is not None)
        await asyncio.to_thread(rabbitmq.start)
        await shows_what_is_published(eyes, broker, display, 1)
        assert consumer.problem.text is None


async def test_nothing_of_it_stays_on_the_broker(broker: Broker, eyes: Eyes, display: Display) -> None:
    async with showing(broker, display):
        await shows_what_is_published(eyes, broker, display, 0)
    async with eyes.channel() as channel:
        exchange = await channel.get_exchange(broker.exchange)
        returned = await exchange.publish(aio_pika.Message(encode(message(1))), "MeterStream")
        assert not isinstance(returned, aio_pika.abc.AbstractMessage)
        assert type(returned).__name__ == "DeliveredMessage", "no queue takes it any more"


async def test_an_error_of_the_display_is_not_hidden(broker: Broker, eyes: Eyes, display: Display) -> None:
    async def broken(newest: Message) -> None:
        raise OSError("no display")

    running = asyncio.create_task(LatestConsumer(broker, broken, name="test").run())
    async with asyncio.timeout(20):
        while not running.done():
            await publish(eyes, broker, encode(message(0)))
            await asyncio.sleep(0.2)
    with pytest.raises(OSError, match="no display"):
        await running
