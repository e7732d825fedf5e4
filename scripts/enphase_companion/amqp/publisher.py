"""The publisher: keeps a connection, declares what must stand there, and publishes what is then confirmed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NoReturn

from aio_pika import DeliveryMode
from aio_pika import Message as AmqpMessage
from aio_pika.abc import AbstractExchange

from ..message.model import OutgoingMessage
from ..runtime.recurring_warning import RecurringWarning
from ..runtime.timing import Backoff
from .broker import Broker, BrokerError, Channel, lost, open_channel, translate_errors
from .topology import declare_exchange, declare_queue

#: Seconds between two looks at the queues, and how many messages are too many to wait for a reader that will
#: start soon: half a day of readings.
_LOOK_EVERY, _MANY = 3_600, 43_200


class Publisher:
    """Publishes while it is connected; `run` connects it again for as long as it runs."""

    def __init__(self, broker: Broker, queues: Sequence[str], name: str) -> None:
        """`queues`: durable ones that shall take all messages; `name`: what the broker calls us."""
        self.broker = broker
        self.queues = tuple(queues)
        self.connected = asyncio.Event()
        self.problem = RecurringWarning(f"{broker}: connected again")
        self._unread = RecurringWarning("The queues are being read again")
        self._name = name
        self._channel: Channel | None = None
        self._exchange: AbstractExchange | None = None

    async def run(self) -> NoReturn:
        """Keep connected until cancelled; says what is wrong while it is not."""
        backoff = Backoff(1, 30)
        while True:
            try:
                async with open_channel(self.broker, self._name) as channel:
                    exchange = await declare_exchange(channel)
                    await self._declare_queues(channel, exchange)
                    self._channel, self._exchange = channel, exchange
                    self.connected.set()
                    self.problem.clear()
                    await self._watch(channel, exchange, backoff)
                    self.problem.raise_(f"{self.broker}: the connection was lost")
            except BrokerError as error:
                self.problem.raise_(str(error))
            finally:
                self.connected.clear()
                self._channel = self._exchange = None
            await asyncio.sleep(backoff.next())

    async def _watch(self, channel: Channel, exchange: AbstractExchange, backoff: Backoff) -> None:
        """Return when the connection is lost; look after the queues until then."""
        losing = asyncio.ensure_future(lost(channel, backoff))
        try:
            while not (await asyncio.wait((losing,), timeout=_LOOK_EVERY))[0]:
                await self._declare_queues(channel, exchange)
        finally:
            losing.cancel()

    async def _declare_queues(self, channel: Channel, exchange: AbstractExchange) -> None:
        """Declare the queues, and tell of one that only grows: it would fill the broker's disk in the end."""
        is_unread = False
        for name in self.queues:
            found = (await declare_queue(channel, exchange, name)).declaration_result
            if not found.consumer_count and (found.message_count or 0) > _MANY:
                is_unread = True
                self._unread.raise_(
                    f"{self.broker}: nobody reads {name}, and more and more messages wait in it. Start what "
                    "shall read it, or take it out of amqp_queues and delete it."
                )
        if not is_unread:
            self._unread.clear()

    def renew(self) -> None:
        """Return the connection up for a new one, on which all is declared again."""
        self.connected.clear()
        if self._channel is not None:
            self._channel.lost.set()

    async def publish(self, message: OutgoingMessage, timeout: float) -> None:
        """Publish a message, and return when the broker has it safely in every queue that takes it.

        Raises UnroutableError where no queue takes it, BrokerError where that is not confirmed within
        `timeout` seconds: then it may or may not have it.
        """
        if self._exchange is None or not self.connected.is_set():
            raise BrokerError(f"{self.broker}: not connected")
        published = AmqpMessage(
            message.body,
            headers={"gateway_serial_number": message.gateway},
            content_type="application/json",
            delivery_mode=DeliveryMode.PERSISTENT,
            message_id=message.message_id,
            app_id=self._name,
        )
        with translate_errors(f"{self.broker}: a message was not confirmed"):
            await self._exchange.publish(published, message.routing_key, mandatory=True, timeout=timeout)
