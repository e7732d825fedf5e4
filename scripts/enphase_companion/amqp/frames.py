"""Read frames in large pieces, pass deliveries on and publish, without a task for each message.

The library takes three awaits for each of the three frames of a message, a queue for each and a task for
each message, and decodes properties that a consumer of readings needs only for a dead letter: more time than
everything else that is done with a message. To publish one takes as long. What is replaced here is internal
to aiormq 7.2: test_frames.py and test_sender.py fail where another version has changed it.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import pamqp.frame
from aiormq import Channel, connection
from aiormq.abc import AbstractChannel, ChannelFrame, DeliveredMessage
from aiormq.connection import ReceivedFrame
from aiormq.exceptions import AMQPConnectionError, InvalidFrameError
from pamqp import constants
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader

#: Bytes that are read at once.
_PIECE = 1 << 18

#: Type, channel and size of a frame; an octet follows its payload.
_HEADER = struct.Struct(">BHI")

#: Class and method of a delivery. Its number follows the text that names the consumer.
_DELIVER, _NUMBER = struct.pack(">HH", 60, 60), struct.Struct(">Q")

#: Class, weight and size of the body; properties follow.
_CONTENT_HEADER = struct.Struct(">HHQ")


def read_fast() -> None:
    """Let the library read frames by the class here; to be called before connecting, any number of times."""
    connection.FrameReceiver = _FrameReceiver  # type: ignore[misc]


def receive(channel: AbstractChannel, take: Callable[[DeliveredMessage], None]) -> None:
    """Pass each delivery of a channel to `take`; other frames go where they always do."""
    put = channel.frames.put
    delivery: Basic.Deliver | None = None
    header: ContentHeader | None = None
    body: list[bytes] = []

    async def sort(item: tuple[int, Any]) -> None:
        nonlocal delivery, header, body
        frame = item[1]
        if delivery is None:
            if not isinstance(frame, Basic.Deliver):
                await put(item)
                return
            delivery, header, body = frame, None, []
            return
        # Nothing else comes between the frames of a delivery.
        if header is None:
            header = frame
        else:
            body.append(frame.value)
        if sum(map(len, body)) >= header.body_size:
            message = DeliveredMessage(delivery=delivery, header=header, body=b"".join(body), channel=channel)
            delivery = None
            take(message)

    channel.frames.put = sort  # type: ignore[method-assign]


async def publish(
    channel: Channel, messages: Iterable[tuple[Basic.Publish, Basic.Properties, bytes]]
) -> list[asyncio.Future[Any]]:
    """Send messages in one piece; return a future for each, done when the broker confirms or returns it.

    Each needs a message_id in its properties: the broker returns messages without their number.
    """
    frames: list[Any] = []
    names: list[str] = []
    for method, properties, body in messages:
        frames += [method, ContentHeader(0, len(body), properties), *channel._split_body(body)]
        names.append(properties.message_id or "")
    async with channel.lock:
        await channel.write_queue.put(ChannelFrame.marshall(channel.number, frames))
        # Nothing is awaited any more: no answer is read before its future is there.
        confirmations = []
        for name in names:
            channel.delivery_tag += 1
            confirmation = channel.create_future()
            channel.confirmations[channel.delivery_tag] = confirmation
            channel.message_id_delivery_tag[name] = channel.delivery_tag
            confirmations.append(confirmation)
    return confirmations


def header_size(message: DeliveredMessage) -> int:
    """Return the bytes of a message's properties."""
    return len(getattr(message.header, "data", b""))


class _FrameReceiver(connection.FrameReceiver):
    """Reads as many frames at once as have arrived."""

    def __init__(self, reader: Any) -> None:
        super().__init__(reader)
        self._data = b""
        self._position = 0

    async def get_frame(self) -> ReceivedFrame:
        """Return size, channel and frame. Raises AMQPConnectionError at the end of the connection."""
        if not self.started:
            # Answers to what is no AMQP, too.
            return await super().get_frame()
        while (found := self._next()) is None:
            await self._read_more()
        return found

    def _next(self) -> ReceivedFrame | None:
        """Return the next frame if all of it has arrived."""
        data, start = self._data, self._position
        if len(data) < start + _HEADER.size:
            return None
        kind, channel, size = _HEADER.unpack_from(data, start)
        payload = start + _HEADER.size
        end = payload + size
        if len(data) <= end:
            return None
        self._position = end + 1
        if data[end] == constants.FRAME_END:
            if kind == constants.FRAME_BODY:
                return end + 1 - start, channel, ContentBody(data[payload:end])
            if kind == constants.FRAME_HEADER and size >= _CONTENT_HEADER.size:
                return end + 1 - start, channel, _Header(data[payload:end])
        try:
            if kind == constants.FRAME_METHOD and data.startswith(_DELIVER, payload):
                return end + 1 - start, channel, _Delivery(data[payload + len(_DELIVER) : end])
            return pamqp.frame.unmarshal(data[start : end + 1])
        except (pamqp.exceptions.PAMQPException, struct.error, IndexError) as error:
            raise InvalidFrameError(str(error)) from error

    async def _read_more(self) -> None:
        rest = self._data[self._position :]
        missing = 0
        if len(rest) >= _HEADER.size:
            missing = _HEADER.size + _HEADER.unpack_from(rest)[2] + 1 - len(rest)
        try:
            # A frame that is longer than a piece is read whole: joining pieces would take the square of it.
            more = await (self.reader.readexactly(missing) if missing > _PIECE else self.reader.read(_PIECE))
        except (EOFError, OSError) as error:
            raise AMQPConnectionError(f"Server connection lost: {error!r}") from error
        if not more:
            raise AMQPConnectionError("Server connection unexpectedly closed")
        self._data, self._position = rest + more, 0


class _Delivery(Basic.Deliver):
    """A delivery of which all but the number is decoded when it is needed."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        (self.delivery_tag,) = _NUMBER.unpack_from(data, 1 + data[0])

    def __getattr__(self, name: str) -> Any:
        if name not in Basic.Deliver.__slots__:
            raise AttributeError(name)
        self.unmarshal(self.data)
        return getattr(self, name)


class _Header(ContentHeader):
    """A content header whose properties are decoded when they are needed."""

    def __init__(self, data: bytes) -> None:
        self.class_id, self.weight, self.body_size = _CONTENT_HEADER.unpack_from(data)
        self.data = data

    def __getattr__(self, name: str) -> Any:
        if name != "properties":
            raise AttributeError(name)
        self.properties = Basic.Properties()
        # A broker sends no others; what cannot be decoded is absent.
        with suppress(ValueError, struct.error, IndexError, KeyError):
            self.unmarshal(self.data)
        return self.properties
