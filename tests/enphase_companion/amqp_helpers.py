"""A place of its own on the broker for each test, and a look into it with other eyes than the product's."""

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

#: What Enphase-API's scripts ask a report or a line for, besides reportType.
ASKED = {"actPower", "reactPwr", "apprntPwr", "rmsVoltage", "rmsCurrent", "pwrFactor", "freqHz"}


def message(number: int, **other: Any) -> Message:
    """Return a message that anybody can read, whose measured time is its number."""
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


def encode_for_broker(sent: Message) -> bytes:
    """Return the body that the publisher sends."""
    return encode(sent, build_reports(sent))


def read_as_enphase_api_does(body: bytes) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows that Enphase-API's consumer would store: seven numbers per line of its three types."""
    content = json.loads(body)
    assert isinstance(content["timestamp"], float)
    rows: dict[str, list[tuple[Any, ...]]] = {}
    for report in content["readings"]:
        assert report["reportType"] in {"production", "net-consumption", "total-consumption"}
        assert 1 <= len(report["lines"]) <= 3
        for block in (report["cumulative"], *report["lines"]):
            assert all(isinstance(block[key], float | int) for key in ASKED)
        rows[report["reportType"]] = [tuple(line[key] for key in sorted(ASKED)) for line in report["lines"]]
    # Its display asks for both by name.
    assert {"production", "total-consumption"} <= set(rows)
    return rows


def number_of(sent: Message) -> int:
    """Return the number that `message` made this one of."""
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


@dataclass
class RawProperties:
    """Properties as any program may write them: which there are, and their bytes."""

    flags: int
    content: bytes

    def marshal(self) -> bytes:
        return struct.pack(">H", self.flags) + self.content


def short(text: bytes) -> bytes:
    """Return a short text of AMQP's: of any bytes."""
    return bytes([len(text)]) + text


def headers(*fields: tuple[bytes, bytes]) -> bytes:
    """Return a table of AMQP's: names, and values with the letter of their type before them."""
    content = b"".join(short(name) + value for name, value in fields)
    return struct.pack(">I", len(content)) + content


#: 1,764,000,000 seconds, in nanoseconds.
NANOSECONDS = struct.pack(">Q", AT * 10**9)

#: What a broker takes and the library refuses to read, by what is wrong with it.
UNREADABLE = {
    "a name in Latin-1": RawProperties(1 << 7, short("Zähler".encode("latin-1"))),
    "a long name in Latin-1": RawProperties(1 << 7, short(b"\xe4" * 255)),
    "a type in Latin-1": RawProperties(1 << 15, short(b"text/h\xe4uslich")),
    "a moment in nanoseconds": RawProperties(1 << 6, NANOSECONDS),
    "a header's name in Latin-1": RawProperties(1 << 13, headers((b"Z\xe4hler", b"t\x01"))),
    "a header in nanoseconds": RawProperties(1 << 13, headers((b"when", b"T" + NANOSECONDS))),
    "a name in a header": RawProperties(1 << 13, headers((b"a", b"F" + headers((b"\xe4", b"t\x01"))))),
    "a header in Latin-1": RawProperties(1 << 13, headers((b"a", b"S\x00\x00\x00\x01\xe4"))),
    "a header too large to send": RawProperties(1 << 13, headers((b"a", b"d" + struct.pack(">d", 1e39)))),
    "a header with a long name": RawProperties(1 << 13, headers((b"a" * 200, b"t\x01"))),
    "tables within tables": RawProperties(
        1 << 13, reduce(lambda inner, _: headers((b"a", b"F" + inner)), range(1500), headers())
    ),
}


async def publish_raw(url: str, exchange: str, key: str, properties: RawProperties, content: bytes) -> None:
    """Publish a message whose properties no library of ours would write; return when the broker has it."""
    connection = await aiormq.connect(url)
    try:
        channel = cast(Channel, await connection.channel())
        header = ContentHeader(body_size=len(content))
        header.properties = cast(Any, properties)
        frames: list[Any] = [
            commands.Basic.Publish(exchange=exchange, routing_key=key), header, ContentBody(content)
        ]  # fmt: skip
        await channel.write_queue.put(ChannelFrame.marshall(channel_number=channel.number, frames=frames))
        # What is asked on the same channel is answered after that.
        await channel.exchange_declare(exchange, passive=True)
    finally:
        await connection.close()


@pytest.fixture
def place() -> str:
    """Return a name on the broker that no other test has."""
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
