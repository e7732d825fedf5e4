"""Messages, names on the broker that no other test uses, and a client that inspects queues."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from enphase_api.models import Quantities
from enphase_companion.amqp.broker import Broker
from enphase_companion.message import Message, Sample, build_reports, encode

AT = 1_764_000_000
SERIAL = "122300000001"

#: The keys that Enphase-API's scripts read from a report or a line, besides reportType.
REQUIRED_KEYS = {"actPower", "reactPwr", "apprntPwr", "rmsVoltage", "rmsCurrent", "pwrFactor", "freqHz"}


def build_message(number: int, **other: Any) -> Message:
    """Return a complete message, whose time of measurement encodes its number."""
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
    fields = {
        "gateway": SERIAL,
        "timestamp": AT + number + 0.5,
        "samples": samples,
        "message_id": f"id-{number}",
    }
    return Message(**{**fields, **other})


def encode_for_broker(message: Message) -> bytes:
    """Return the body that the publisher sends."""
    return encode(message, build_reports(message))


def read_as_enphase_api_does(body: bytes) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows that Enphase-API's consumer would store: seven numbers per line of its three types."""
    content = json.loads(body)
    assert isinstance(content["timestamp"], float)
    rows: dict[str, list[tuple[Any, ...]]] = {}
    for report in content["readings"]:
        assert report["reportType"] in {"production", "net-consumption", "total-consumption"}
        assert 1 <= len(report["lines"]) <= 3
        for block in (report["cumulative"], *report["lines"]):
            assert all(isinstance(block[key], float | int) for key in REQUIRED_KEYS)
        rows[report["reportType"]] = [
            tuple(line[key] for key in sorted(REQUIRED_KEYS)) for line in report["lines"]
        ]
    # Its display reads both by name.
    assert {"production", "total-consumption"} <= set(rows)
    return rows


def get_number(message: Message) -> int:
    """Return the number that `build_message` encoded in this message."""
    return message.samples[0].measured_at // 1000 - AT


class BrokerInspector:
    """Inspects queues of the broker over a connection of its own."""

    def __init__(self, url: str) -> None:
        self.url = url

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[AbstractChannel]:
        async with await aio_pika.connect(self.url) as connection:
            yield await connection.channel()

    async def count_ready(self, queue: str) -> int:
        """Return the number of ready messages of a queue; 0 if it does not exist."""
        async with await aio_pika.connect(self.url) as connection:
            try:
                found = await (await connection.channel()).declare_queue(queue, passive=True)
            except aio_pika.exceptions.ChannelClosed:
                return 0
            return found.declaration_result.message_count or 0

    async def take_all(self, queue: str) -> list[AbstractIncomingMessage]:
        """Take and acknowledge all messages of a queue."""
        taken = []
        async with self.channel() as channel:
            declared = await channel.get_queue(queue)
            while (got := await declared.get(fail=False)) is not None:
                await got.ack()
                taken.append(got)
        return taken

    async def delete(self, queue: str) -> None:
        async with self.channel() as channel:
            await channel.queue_delete(queue)


@pytest.fixture
def exchange_name() -> str:
    """Return an exchange name that no other test uses."""
    return f"Enphase.{uuid.uuid4().hex[:8]}"


@pytest.fixture
def broker(amqp_url: str, exchange_name: str) -> Broker:
    return Broker(amqp_url, exchange_name)


@pytest.fixture
def queue(exchange_name: str) -> str:
    return f"{exchange_name}.Meters"


@pytest.fixture
def inspector(amqp_url: str) -> BrokerInspector:
    return BrokerInspector(amqp_url)


async def wait_until(condition: Callable[[], Any], within: float = 20) -> None:
    """Wait until the condition is true."""
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.02)
