"""Message properties that RabbitMQ accepts and the AMQP library cannot decode, and a way to publish them."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import reduce
from typing import Any, cast

import aiormq
from aiormq.abc import ChannelFrame
from aiormq.channel import Channel
from pamqp import commands
from pamqp.body import ContentBody
from pamqp.header import ContentHeader


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
NANOSECONDS = struct.pack(">Q", 1_764_000_000 * 10**9)

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
