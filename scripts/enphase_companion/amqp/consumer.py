"""The consumer: takes messages from a durable queue in batches, and lets go of them when they are stored."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from aio_pika import DeliveryMode
from aio_pika import Message as AmqpMessage
from aio_pika.abc import AbstractExchange, AbstractIncomingMessage

from ..message import Message, MessageError, decode
from ..runtime.metrics import Metrics
from ..runtime.recurring_warning import RecurringWarning
from ..runtime.timing import Backoff
from .broker import Broker, BrokerError, Channel, lost, open_channel, translate_errors
from .topology import declare_dead_letters, declare_exchange, declare_queue

_LOGGER = logging.getLogger(__name__)

#: Seconds: for what is on its way to the store when the script shall end, and for the broker's answers.
_LAST, _ANSWER = 2.0, 10.0

#: Seconds between two signs of life while nothing arrives.
_IDLE = 10.0

#: Some brokers refuse a header that is much longer.
_LONGEST_REASON = 500

#: Characters; with more, a message and the reason would not fit into what a broker takes at once.
_LONGEST_HEADERS = 50_000

#: Seconds without a message that cannot be read, or with room for all, before that is said to be over.
_QUIET = 60.0

#: Bytes of messages in memory, and of a message that is longer than usual ones. RabbitMQ knows no limit in
#: bytes: how many messages it may send ahead follows from their size.
_MOST_BYTES, _LONG = 32_000_000, 8_000

#: What headers take in memory, as a multiple of what they are written in.
_HEADERS_GROW = 10


class StoreError(Exception):
    """The store cannot take anything now; the text says why. It is asked again."""


Store = Callable[[Sequence[Message]], Awaitable[None]]


class Consumer:
    """Gives messages to a store, each at least once, through every outage of broker and store.

    `store` gets batches in the order of the queue, and returns when they are safe. It raises StoreError where
    it cannot take anything now, and MessageError where it can never take something of this batch: it then
    gets the batch in ever smaller parts, and a message that it refuses alone is buried, as one that cannot be
    read.
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
        """`batch` messages, or what came within `age` seconds, are stored together.

        `default_gateway`: whose the messages of Enphase-API's scripts are, which do not say. `alive` is
        called again and again while it works.
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
        self._store_problem = RecurringWarning("The readings are stored again")
        self._burials = RecurringWarning("All messages can be read again")
        # Less, and a batch would never fill while the one before is being stored.
        self._usual = self._prefetch = min(2 * batch, _MOST_BYTES // _LONG)

    @property
    def problem(self) -> str | None:
        """What is wrong with broker or store now; None where nothing is."""
        return self._problem.text or self._store_problem.text

    async def run(self, stopping: asyncio.Event) -> None:
        """Consume until `stopping` is set; what is on its way then is stored first, if that can be."""
        backoff = Backoff(1, 30)
        while not stopping.is_set():
            try:
                async with open_channel(self._broker, self._name) as channel:
                    why = await self._consume(channel, stopping, backoff)
                if why is not None and not stopping.is_set():
                    self._problem.raise_(f"{self._broker}: {why}")
            except BrokerError as error:
                self._problem.raise_(str(error))
            self._alive()
            await _first(stopping, timeout=backoff.next())

    async def _consume(self, channel: Channel, stopping: asyncio.Event, backoff: Backoff) -> str | None:
        """Consume on this connection until it is lost or `stopping` is set.

        Returns why it ended; None where a new connection only gets more at once again.
        """
        graves = await declare_dead_letters(channel)
        queue = await declare_queue(channel, await declare_exchange(channel), self._queue)
        inbox = _Inbox(min(self._batch, self._prefetch), channel.lost)
        with translate_errors(f"{self._broker}: queue {self._queue}"):
            await channel.amqp.set_qos(prefetch_count=self._prefetch, timeout=_ANSWER)
            await queue.consume(inbox.put, timeout=_ANSWER)
        self._problem.clear()
        begun = asyncio.get_running_loop().time()
        ends = [
            asyncio.ensure_future(lost(channel, backoff)),
            asyncio.ensure_future(_set_by(stopping, channel.lost)),
        ]
        try:
            while not channel.lost.is_set():
                self._alive()
                self._burials.clear(_QUIET)
                await _first(inbox.any, channel.lost, timeout=_IDLE)
                if inbox.any.is_set():
                    await _first(inbox.full, channel.lost, timeout=self._age)
                if stopping.is_set() or not channel.lost.is_set():
                    arrived = inbox.take()
                    await self._settle(arrived, _Bench(channel, graves))
                    inbox.release(arrived)
                if self._prefetch < self._usual and asyncio.get_running_loop().time() - begun > _QUIET:
                    self._prefetch = self._usual
                    return None
        finally:
            for end in ends:
                end.cancel()
            if inbox.overflowed:
                # All of them are delivered again, fewer at a time.
                self._prefetch = max(1, inbox.overflowed // 2)
        if inbox.overflowed:
            return (
                f"the messages in {self._queue} are far larger than a gateway's: {self._prefetch} of them "
                "are taken at once for a while"
            )
        return "the connection was lost"

    async def _settle(self, arrived: Sequence[AbstractIncomingMessage], bench: _Bench) -> None:
        """Store what can be read, bury what cannot, and let the broker forget both; or leave all to it."""
        if not arrived:
            return
        read: list[tuple[AbstractIncomingMessage, Message]] = []
        for raw in arrived:
            try:
                message = decode(raw.body, self._default_gateway)
            except MessageError as error:
                await self._bury(raw, str(error), bench)
            else:
                read.append((raw, replace(message, message_id=raw.message_id)))
        if await self._stored(read, bench):
            if kept := [raw for raw, _ in read if not raw.processed]:
                await self._acknowledge(kept[-1], multiple=True)
            _LOGGER.debug("%d messages are stored and acknowledged", len(arrived))

    async def _stored(self, read: Sequence[tuple[AbstractIncomingMessage, Message]], bench: _Bench) -> bool:
        """Store these, waiting for as long as the store is away; False where the connection ends first."""
        backoff = Backoff(0.5, 30)
        while read:
            self._alive()
            try:
                if not await self._asked([message for _, message in read], bench.channel.lost):
                    return False
            except StoreError as error:
                self._store_problem.raise_(str(error))
                await _first(bench.channel.lost, timeout=backoff.next())
                if bench.channel.lost.is_set():
                    return False
            except MessageError as error:
                if len(read) > 1:
                    middle = len(read) // 2
                    return await self._stored(read[:middle], bench) and await self._stored(
                        read[middle:], bench
                    )
                await self._bury(read[0][0], str(error), bench)
                return True
            else:
                self._store_problem.clear()
                self._metrics.count("messages_stored", len(read))
                return True
        return True

    async def _asked(self, messages: Sequence[Message], end: asyncio.Event) -> bool:
        """Ask the store to take these; False where it is given up, a while after `end` is set."""
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

    async def _bury(self, raw: AbstractIncomingMessage, reason: str, bench: _Bench) -> None:
        """Publish a message where a person can look at it, with the reason, and let go of it.

        Raises BrokerError.
        """
        self._alive()
        headers = raw.headers if len(str(raw.headers)) <= _LONGEST_HEADERS else {}
        grave = AmqpMessage(
            raw.body,
            headers={
                **headers,
                "dead_letter_reason": reason[:_LONGEST_REASON],
                "original_queue": self._queue,
            },
            content_type=raw.content_type,
            delivery_mode=DeliveryMode.PERSISTENT,
            message_id=raw.message_id,
            app_id=self._name,
        )
        with translate_errors(
            f"{self._broker}: a message that cannot be read was not taken by {bench.graves.name}"
        ):
            await bench.graves.publish(grave, raw.routing_key or "", mandatory=True, timeout=_ANSWER)
        # At once: while the store is away, it would be delivered and buried again on each new connection.
        await self._acknowledge(raw)
        self._metrics.count("messages_dead_lettered")
        self._burials.raise_(f"{self._broker}: messages go to {bench.graves.name}: {reason}")

    async def _acknowledge(self, raw: AbstractIncomingMessage, *, multiple: bool = False) -> None:
        with translate_errors(f"{self._broker}: an acknowledgement"):
            async with asyncio.timeout(_ANSWER):
                await raw.ack(multiple=multiple)


@dataclass(frozen=True, slots=True)
class _Bench:
    """Where a batch is worked on."""

    channel: Channel
    graves: AbstractExchange


class _Inbox:
    """What has arrived on one connection and was not taken yet; where that is too large, it sets `lost`."""

    def __init__(self, batch: int, lost: asyncio.Event) -> None:
        self._batch = batch
        self._lost = lost
        #: Bytes of what is here, and of what was taken and is not released.
        self._held = 0
        #: How many messages there were when they became too large; 0 where they did not.
        self.overflowed = 0
        self._taken = 0
        self._messages: deque[AbstractIncomingMessage] = deque()
        self.any = asyncio.Event()
        self.full = asyncio.Event()

    async def put(self, message: AbstractIncomingMessage) -> None:
        if self.overflowed:
            return
        self._messages.append(message)
        self._held += _size(message)
        if self._held > _MOST_BYTES and (count := self._taken + len(self._messages)) > 1:
            self.overflowed = count
            self._messages.clear()
            self._lost.set()
        self._note()

    def take(self) -> list[AbstractIncomingMessage]:
        """Return the oldest ones, a batch at most."""
        taken = [self._messages.popleft() for _ in range(min(self._batch, len(self._messages)))]
        self._taken += len(taken)
        self._note()
        return taken

    def release(self, taken: Sequence[AbstractIncomingMessage]) -> None:
        """Forget the size of what was taken and is not needed any more."""
        self._taken -= len(taken)
        self._held -= sum(map(_size, taken))

    def _note(self) -> None:
        for event, count in ((self.any, 1), (self.full, self._batch)):
            if len(self._messages) >= count:
                event.set()
            else:
                event.clear()


def _size(message: AbstractIncomingMessage) -> int:
    return len(message.body) + _HEADERS_GROW * len(str(message.headers))


async def _first(*events: asyncio.Event, timeout: float) -> None:
    """Return when the first of the events is set, or after `timeout` seconds."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _set_by(event: asyncio.Event, other: asyncio.Event) -> None:
    """Set the other event when the first is set."""
    await event.wait()
    other.set()
