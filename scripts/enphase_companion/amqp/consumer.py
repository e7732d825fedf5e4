"""The consumer: takes batches of messages from a durable queue and acknowledges them when stored."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from aio_pika import DeliveryMode
from aio_pika import Message as AmqpMessage
from aio_pika.abc import AbstractExchange
from aiormq.abc import DeliveredMessage

from ..message import Message, MessageError, decode
from ..runtime.metrics import Metrics
from ..runtime.recurring_warning import RecurringWarning
from ..runtime.timing import Backoff
from .broker import (
    CONNECTION_LOST,
    Broker,
    Channel,
    keep_connected,
    translate_amqp_errors,
    wait_for_any,
)
from .frames import header_size, receive
from .topology import declare_dead_letters, declare_exchange, declare_queue

_LOGGER = logging.getLogger(__name__)

#: Seconds for a batch that is being stored when the script stops, and for the broker's responses.
_LAST, _TIMEOUT = 2.0, 10.0

#: Seconds between two calls of `alive` while nothing arrives.
_IDLE = 10.0

#: Characters; some brokers refuse a header that is much longer.
_LONGEST_REASON = 500

#: Characters; with more, the headers and the reason would not fit into one frame.
_LONGEST_HEADERS = 50_000

#: Seconds without an unreadable or a large message until that problem counts as over.
_QUIET = 60.0

#: Bytes of messages in memory, and of a message that is longer than usual. RabbitMQ limits the prefetch by
#: count, not by bytes: the count follows from their size.
_MOST_BYTES, _LONG = 32_000_000, 8_000


class StoreError(Exception):
    """The sink is not available now; the text is the reason. The batch is tried again."""


Store = Callable[[Sequence[Message]], Awaitable[None]]

_Decoded = tuple[DeliveredMessage, Message]

#: With the reason why it cannot be decoded instead of a message, and the size in memory (bytes).
_Arrived = tuple[DeliveredMessage, Message | MessageError, int]


class Consumer:
    """Passes messages to a store, each at least once, through every outage of broker and store.

    `store` gets batches in the order of the queue, and returns when they are on disk. It raises StoreError if
    it is not available now, and MessageError if it can never store a message of this batch: it then gets the
    batch in ever smaller parts, and a message that it refuses alone is dead-lettered, as is one that cannot
    be decoded.
    """

    def __init__(
        self,
        broker: Broker,
        queue: str,
        store: Store,
        metrics: Metrics,
        *,
        name: str,
        default_gateway: str | None = None,
        batch: int = 500,
        age: float = 0.25,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        """Store `batch` messages together, or those that arrived within `age` seconds of the batch before.

        So a message that comes later than that is stored at once.

        `default_gateway`: gateway of messages from Enphase-API's scripts, which name none. `alive` is called
        regularly.
        """
        self._broker = broker
        self._queue = queue
        self._store = store
        self._metrics = metrics
        self._name = name
        self._default_gateway = default_gateway
        self._batch = batch
        self._age = age
        self._alive = alive
        self._problem = RecurringWarning(f"{broker}: connected again")
        self._store_problem = RecurringWarning("readings are stored again")
        self._unreadable = RecurringWarning("all messages can be read again")
        #: Delivery tags of the current batch that are acknowledged already.
        self._acknowledged: set[int] = set()
        # With less, a batch would never fill while the previous one is being stored.
        self._usual = self._prefetch = min(2 * batch, _MOST_BYTES // _LONG)

    @property
    def problem(self) -> str | None:
        """What is wrong with broker or store now; None where nothing is."""
        return self._problem.text or self._store_problem.text

    async def run(self, stopping: asyncio.Event) -> None:
        """Consume until `stopping` is set; then store what is in memory, if that is possible at once."""

        async def work(channel: Channel) -> str | None:
            return await self._consume(channel, stopping)

        await keep_connected(self._broker, self._name, self._problem, work, stopping, self._alive)

    async def _consume(self, channel: Channel, stopping: asyncio.Event) -> str | None:
        """Consume on this channel until it is lost or `stopping` is set.

        Returns why it ended; None if only the prefetch count is raised again.
        """
        dead_letters = await declare_dead_letters(channel)
        await declare_queue(channel, await declare_exchange(channel), self._queue)
        inbox = _Inbox(min(self._batch, self._prefetch), channel.lost, self._default_gateway)
        with translate_amqp_errors(f"{self._broker}: queue {self._queue}"):
            await channel.amqp.set_qos(prefetch_count=self._prefetch, timeout=_TIMEOUT)
            # Not aio-pika's own consumer, which builds an object of twenty attributes and starts two tasks
            # for each message.
            amqp = await channel.amqp.get_underlay_channel()
            receive(amqp, inbox.put)
            await amqp.basic_consume(self._queue, inbox.put_later, timeout=_TIMEOUT)
        self._problem.clear()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        #: When the last batch was taken.
        last = begun - self._age
        ending = asyncio.ensure_future(_set_by(stopping, channel.lost))
        try:
            while not channel.lost.is_set():
                self._alive()
                self._unreadable.clear(_QUIET)
                await wait_for_any(inbox.any, channel.lost, timeout=_IDLE)
                if inbox.any.is_set():
                    await wait_for_any(
                        inbox.full, channel.lost, timeout=max(0, last + self._age - loop.time())
                    )
                    last = loop.time()
                if stopping.is_set() or not channel.lost.is_set():
                    with inbox.take() as arrived:
                        await self._settle(arrived, channel, dead_letters)
                if self._prefetch < self._usual and loop.time() - begun > _QUIET:
                    self._prefetch = self._usual
                    return None
        finally:
            ending.cancel()
            if inbox.overflowed:
                # All of them are delivered again, fewer at a time.
                self._prefetch = max(1, inbox.overflowed // 2)
        if inbox.overflowed:
            return (
                f"messages in {self._queue} are far larger than a gateway's: prefetching {self._prefetch} "
                "for a while"
            )
        return CONNECTION_LOST

    async def _settle(
        self,
        arrived: Sequence[_Arrived],
        channel: Channel,
        dead_letters: AbstractExchange,
    ) -> None:
        """Store what can be decoded, dead-letter the rest, and acknowledge both."""
        if not arrived:
            return
        self._acknowledged.clear()
        decoded: list[_Decoded] = []
        for raw, message, _ in arrived:
            if isinstance(message, MessageError):
                await self._dead_letter(raw, str(message), dead_letters)
            else:
                decoded.append((raw, message))
        if await self._store_all(decoded, channel, dead_letters):
            if kept := [raw for raw, _ in decoded if _tag(raw) not in self._acknowledged]:
                await self._acknowledge(kept[-1], multiple=True)
            _LOGGER.debug("%d messages stored and acknowledged", len(arrived))

    async def _store_all(
        self, decoded: Sequence[_Decoded], channel: Channel, dead_letters: AbstractExchange
    ) -> bool:
        """Store these, waiting while the store is away; return False if the channel is lost first."""
        backoff = Backoff(0.5, 30)
        while decoded:
            self._alive()
            try:
                if not await self._try_store([message for _, message in decoded], channel.lost):
                    return False
            except StoreError as error:
                self._store_problem.raise_(str(error))
                await wait_for_any(channel.lost, timeout=backoff.next())
                if channel.lost.is_set():
                    return False
            except MessageError as error:
                if len(decoded) > 1:
                    middle = len(decoded) // 2
                    return await self._store_all(
                        decoded[:middle], channel, dead_letters
                    ) and await self._store_all(decoded[middle:], channel, dead_letters)
                await self._dead_letter(decoded[0][0], str(error), dead_letters)
                return True
            else:
                self._store_problem.clear()
                self._metrics.count("messages_stored", len(decoded))
                return True
        return True

    async def _try_store(self, messages: Sequence[Message], end: asyncio.Event) -> bool:
        """Store these once; return False if that fails, some seconds after `end` is set."""
        storing = asyncio.ensure_future(self._store(messages))
        ending = asyncio.ensure_future(end.wait())
        try:
            await asyncio.wait((storing, ending), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((storing,), timeout=_LAST)
            if storing.done():
                await storing
            return storing.done()
        finally:
            ending.cancel()
            if not storing.done():
                storing.cancel()
                with suppress(asyncio.CancelledError, StoreError, MessageError):
                    await storing

    async def _dead_letter(self, raw: DeliveredMessage, reason: str, dead_letters: AbstractExchange) -> None:
        """Publish a message to the dead-letter exchange, with the reason, and acknowledge it.

        Raises BrokerError.
        """
        self._alive()
        properties = raw.header.properties
        headers = properties.headers or {}
        if len(str(headers)) > _LONGEST_HEADERS:
            headers = {}
        letter = AmqpMessage(
            raw.body,
            headers={
                **headers,
                "dead_letter_reason": reason[:_LONGEST_REASON],
                "original_queue": self._queue,
            },
            content_type=properties.content_type,
            delivery_mode=DeliveryMode.PERSISTENT,
            message_id=properties.message_id,
            app_id=self._name,
        )
        with translate_amqp_errors(
            f"{self._broker}: exchange {dead_letters.name}: dead letter not confirmed"
        ):
            await dead_letters.publish(letter, raw.routing_key or "", mandatory=True, timeout=_TIMEOUT)
        # At once: while the store is away, each new connection would deliver and dead-letter it again.
        await self._acknowledge(raw)
        self._metrics.count("messages_dead_lettered")
        self._unreadable.raise_(f"{self._broker}: messages go to {dead_letters.name}: {reason}")

    async def _acknowledge(self, raw: DeliveredMessage, *, multiple: bool = False) -> None:
        with translate_amqp_errors(f"{self._broker}: message not acknowledged"):
            async with asyncio.timeout(_TIMEOUT):
                await raw.channel.basic_ack(_tag(raw), multiple=multiple)
        self._acknowledged.add(_tag(raw))


class _Inbox:
    """What has arrived on one channel and is not settled yet; if it is too large, it sets `lost`.

    Messages are decoded when they arrive: that is, while the batch before is being stored.
    """

    def __init__(self, batch: int, lost: asyncio.Event, default_gateway: str | None) -> None:
        self._batch = batch
        self._lost = lost
        self._default_gateway = default_gateway
        #: Bytes of all messages here, and how many of them are being settled.
        self._bytes = self._taken = 0
        #: How many messages there were when they became too large; 0 if they did not.
        self.overflowed = 0
        self._messages: deque[_Arrived] = deque()
        self.any = asyncio.Event()
        self.full = asyncio.Event()

    async def put_later(self, raw: DeliveredMessage) -> None:
        """Put a message; as a callback of the library, should it not be received before."""
        self.put(raw)

    def put(self, raw: DeliveredMessage) -> None:
        if self.overflowed:
            return
        message: Message | MessageError
        try:
            message = decode(raw.body, self._default_gateway)
        except MessageError as error:
            message = error
        # What is decoded takes about as much again.
        size = 2 * len(raw.body) + header_size(raw)
        self._messages.append((raw, message, size))
        self._bytes += size
        if self._bytes > _MOST_BYTES and (count := self._taken + len(self._messages)) > 1:
            self.overflowed = count
            self._messages.clear()
            self._lost.set()
        self._set_events()

    @contextmanager
    def take(self) -> Iterator[list[_Arrived]]:
        """Yield the oldest ones, a batch at most; they count until the body ends."""
        taken = [self._messages.popleft() for _ in range(min(self._batch, len(self._messages)))]
        self._taken += len(taken)
        self._set_events()
        yield taken
        self._taken -= len(taken)
        self._bytes -= sum(size for *_, size in taken)

    def _set_events(self) -> None:
        for event, count in ((self.any, 1), (self.full, self._batch)):
            if len(self._messages) >= count:
                event.set()
            else:
                event.clear()


def _tag(raw: DeliveredMessage) -> int:
    tag = raw.delivery_tag
    assert tag is not None  # noqa: S101 - only what a consumer does not get has none
    return tag


async def _set_by(event: asyncio.Event, other: asyncio.Event) -> None:
    """Set the other event when the first is set."""
    await event.wait()
    other.set()
