"""Frames are read as the library reads them, however they arrive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pamqp.frame
import pytest
from aiormq.abc import AbstractChannel, DeliveredMessage
from aiormq.connection import FrameReceiver
from aiormq.exceptions import AMQPConnectionError
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader
from pamqp.heartbeat import Heartbeat

from enphase_companion.amqp.frames import _FrameReceiver, header_size, receive

PROPERTIES = Basic.Properties(
    content_type="application/json", headers={"gateway_serial_number": "122300000001"}, message_id="7"
)
FRAMES: list[Any] = [
    Basic.QosOk(),
    Heartbeat(),
    Basic.Deliver("consumer", 1, False, "Enphase", "MeterStream"),
    ContentHeader(0, 8, PROPERTIES),
    ContentBody(b"{ }"),
    ContentBody(b"     "),
    Basic.Deliver("consumer", 2, True, "Enphase", "MeterStream"),
    ContentHeader(0, 0, Basic.Properties()),
    Basic.Ack(3, True),
]
STREAM = b"".join(pamqp.frame.marshal(frame, 0 if isinstance(frame, Heartbeat) else 1) for frame in FRAMES)


async def read_all(
    receiver: Callable[[asyncio.StreamReader], FrameReceiver], stream: bytes, piece: int
) -> list[tuple[Any, ...]]:
    """Return what this receiver reads from a stream that arrives in pieces of this size."""
    reader = asyncio.StreamReader()

    async def feed() -> None:
        for start in range(0, len(stream), piece):
            reader.feed_data(stream[start : start + piece])
            await asyncio.sleep(0)
        reader.feed_eof()

    feeding = asyncio.ensure_future(feed())
    found: list[tuple[Any, ...]] = []
    receives = receiver(reader)
    while True:
        try:
            size, channel, frame = await receives.get_frame()
        except AMQPConnectionError:
            break
        properties = dict(frame.properties) if isinstance(frame, ContentHeader) else None
        body = frame.value if isinstance(frame, ContentBody) else None
        fields = dict(frame) if isinstance(frame, pamqp.base.Frame) else None
        length = frame.body_size if isinstance(frame, ContentHeader) else None
        found.append((size, channel, frame.name, fields, length, properties, body))
    await feeding
    return found


@pytest.mark.parametrize("piece", [1, 2, 7, 8, 50, len(STREAM)])
async def test_frames_are_read_as_by_the_library_in_pieces_of_any_size(piece: int) -> None:
    expected = await read_all(FrameReceiver, STREAM, len(STREAM))
    assert len(expected) == len(FRAMES)
    assert await read_all(_FrameReceiver, STREAM, piece) == expected


async def test_a_frame_that_is_longer_than_what_is_read_at_once_is_read_whole() -> None:
    stream = STREAM + pamqp.frame.marshal(ContentBody(b"x" * 1_000_000), 1)
    assert (await read_all(_FrameReceiver, stream, 60_000))[-1][-1] == b"x" * 1_000_000


async def test_a_frame_that_is_cut_off_is_not_read() -> None:
    expected = await read_all(FrameReceiver, STREAM[:-1], len(STREAM))
    assert len(expected) == len(FRAMES) - 1
    assert await read_all(_FrameReceiver, STREAM[:-1], 50) == expected


async def test_deliveries_are_passed_on_and_other_frames_go_to_the_library() -> None:
    frames: asyncio.Queue[tuple[int, Any]] = asyncio.Queue()
    channel = cast("AbstractChannel", SimpleNamespace(frames=frames))
    taken: list[DeliveredMessage] = []
    receive(channel, taken.append)
    for frame in FRAMES:
        await frames.put((1, frame))
    assert [(each.delivery_tag, each.body) for each in taken] == [(1, b"{ }     "), (2, b"")]
    assert taken[0].header.properties.message_id == "7"
    assert [frames.get_nowait()[1].name for _ in range(frames.qsize())] == [
        "Basic.QosOk", "Heartbeat", "Basic.Ack",
    ]  # fmt: skip


async def test_properties_are_decoded_when_needed_and_count_in_bytes() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(pamqp.frame.marshal(Basic.QosOk(), 1))
    reader.feed_data(pamqp.frame.marshal(ContentHeader(0, 8, PROPERTIES), 1))
    receiver = _FrameReceiver(reader)
    await receiver.get_frame()
    _, _, header = await receiver.get_frame()
    assert isinstance(header, ContentHeader)
    delivered = DeliveredMessage(Basic.Deliver(), header, b"", cast("AbstractChannel", None))
    assert header_size(delivered) == len(pamqp.frame.marshal(ContentHeader(0, 8, PROPERTIES), 1)) - 8
    assert "properties" not in vars(header)
    assert header.properties.headers == {"gateway_serial_number": "122300000001"}
