"""Messages, names on the broker that no other test uses, and a client that inspects queues."""

from __future__ import annotations

import asyncio
import json
import struct
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import reduce
from typing import Any, cast

import aio_pika
import aiormq
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aiormq.abc import ChannelFrame
from aiormq.channel import Channel
from pamqp import commands
from pamqp.body import ContentBody
from pamqp.header import ContentHeader

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


@dataclass
class RawProperties:
    """Encoded message properties, valid or not: the property flags and their bytes."""

    flags: int
    content: bytes

    def marshal(self) -> bytes:
        return struct.pack(">H", self.flags) + self.content


def encode_short_string(text: bytes) -> bytes:
    """Return any bytes as an AMQP short string."""
    return bytes([len(text)]) + text


def encode_table(*fields: tuple[bytes, bytes]) -> bytes:
    """Return an AMQP field table of names and encoded values, each with its type letter."""
    content = b"".join(encode_short_string(name) + value for name, value in fields)
    return struct.pack(">I", len(content)) + content


#: 1,764,000,000 seconds, in nanoseconds.
NANOSECONDS = struct.pack(">Q", AT * 10**9)

#: Properties that the broker accepts and the library cannot decode, by their error.
UNREADABLE = {
    "a name in Latin-1": RawProperties(1 << 7, encode_short_string("Zähler".encode("latin-1"))),
    "a long name in Latin-1": RawProperties(1 << 7, encode_short_string(b"\xe4" * 255)),
    "a type in Latin-1": RawProperties(1 << 15, encode_short_string(b"text/h\xe4uslich")),
    "a timestamp in nanoseconds": RawProperties(1 << 6, NANOSECONDS),
    "a header's name in Latin-1": RawProperties(1 << 13, encode_table((b"Z\xe4hler", b"t\x01"))),
    "a header in nanoseconds": RawProperties(1 << 13, encode_table((b"when", b"T" + NANOSECONDS))),
    "a name in a header": RawProperties(
        1 << 13, encode_table((b"a", b"F" + encode_table((b"\xe4", b"t\x01"))))
    ),
    "a header in Latin-1": RawProperties(1 << 13, encode_table((b"a", b"S\x00\x00\x00\x01\xe4"))),
    "a header too large to send": RawProperties(
        1 << 13, encode_table((b"a", b"d" + struct.pack(">d", 1e39)))
    ),
    "a header with a long name": RawProperties(1 << 13, encode_table((b"a" * 200, b"t\x01"))),
    "tables within tables": RawProperties(
        1 << 13, reduce(lambda inner, _: encode_table((b"a", b"F" + inner)), range(1500), encode_table())
    ),
}


async def publish_raw(url: str, exchange: str, key: str, properties: RawProperties, content: bytes) -> None:
    """Publish a message with encoded properties and wait until the broker has received it."""
    connection = await aiormq.connect(url)
    try:
        channel = cast(Channel, await connection.channel())
        header = ContentHeader(body_size=len(content))
        header.properties = cast(Any, properties)
        frames: list[Any] = [
            commands.Basic.Publish(exchange=exchange, routing_key=key), header, ContentBody(content)
        ]  # fmt: skip
        await channel.write_queue.put(ChannelFrame.marshall(channel_number=channel.number, frames=frames))
        # The broker answers on a channel in order: this answer follows the message.
        await channel.exchange_declare(exchange, passive=True)
    finally:
        await connection.close()


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
