"""A place of its own on the broker for each test, and a look into it with other eyes than the product's."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from enphase_api.models import Quantities
from enphase_companion.message import Message, Sample
from enphase_companion.messaging.broker import Broker

AT = 1_764_000_000
SERIAL = "122300000001"


def message(number: int, **other: Any) -> Message:
    """A message that anybody can read, whose measured time is its number."""
    quantities = Quantities(
        active_power=100.0 + number, reactive_power=1.0, apparent_power=101.0 + number, voltage=230.0,
        current=1.0, power_factor=0.99, frequency=50.0, energy_delivered=1000.0, energy_received=10.0,
    )  # fmt: skip
    at = (AT + number) * 1000
    samples = tuple(
        Sample(measurement, phase, at, quantities)
        for measurement in ("production", "net-consumption")
        for phase in (0, 1)
    )
    given = {
        "gateway": SERIAL,
        "timestamp": AT + number + 0.5,
        "samples": samples,
        "message_id": f"id-{number}",
    }
    return Message(**{**given, **other})


def number_of(sent: Message) -> int:
    """The number that `message` made this one of."""
    return sent.samples[0].measured_at // 1000 - AT


class Eyes:
    """Looks at the broker over a connection of its own."""

    def __init__(self, url: str) -> None:
        self.url = url

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[AbstractChannel]:
        async with await aio_pika.connect(self.url) as connection:
            yield await connection.channel()

    async def waiting(self, queue: str) -> int:
        """How many messages are ready there; 0 where there is no such queue."""
        async with await aio_pika.connect(self.url) as connection:
            try:
                found = await (await connection.channel()).declare_queue(queue, passive=True)
            except aio_pika.exceptions.ChannelClosed:
                return 0
            return found.declaration_result.message_count or 0

    async def take_all(self, queue: str) -> list[AbstractIncomingMessage]:
        """Empty a queue."""
        taken = []
        async with self.channel() as channel:
            place = await channel.get_queue(queue)
            while (got := await place.get(fail=False)) is not None:
                await got.ack()
                taken.append(got)
        return taken

    async def delete(self, queue: str) -> None:
        async with self.channel() as channel:
            await channel.queue_delete(queue)


@pytest.fixture
def place() -> str:
    """A name on the broker that no other test has."""
    return f"Enphase.{uuid.uuid4().hex[:8]}"


@pytest.fixture
def broker(amqp_url: str, place: str) -> Broker:
    return Broker(amqp_url, place)


@pytest.fixture
def queue(place: str) -> str:
    return f"{place}.Meters"


@pytest.fixture
def eyes(amqp_url: str) -> Eyes:
    return Eyes(amqp_url)


async def until(condition: Callable[[], Any], within: float = 20) -> None:
    """Wait until this is so."""
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.02)
