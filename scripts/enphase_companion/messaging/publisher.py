"""The publisher: keeps a connection, declares what must stand there, and publishes what is then confirmed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NoReturn

from aio_pika import DeliveryMode
from aio_pika import Message as AmqpMessage
from aio_pika.abc import AbstractExchange

from ..backoff import Backoff
from ..spool import Parcel
from ..trouble import Trouble
from .broker import Broker, BrokerError, Link, lost, open_link, translated
from .topology import declare_exchange, declare_queue


class Publisher:
    """Publishes while it is connected; `run` connects it again for as long as it runs."""

    def __init__(self, broker: Broker, queues: Sequence[str], name: str) -> None:
        """`queues`: durable ones that shall take all messages; `name`: what the broker calls us."""
        self.broker = broker
        self.queues = tuple(queues)
        self.connected = asyncio.Event()
        self.trouble = Trouble(f"{broker}: connected again")
        self._name = name
        self._link: Link | None = None
        self._exchange: AbstractExchange | None = None

    async def run(self) -> NoReturn:
        """Keep connected until cancelled; says what is wrong while it is not."""
        backoff = Backoff(1, 30)
        while True:
            try:
                async with open_link(self.broker, self._name) as link:
                    exchange = await declare_exchange(link)
                    for queue in self.queues:
                        await declare_queue(link, exchange, queue)
                    self._link, self._exchange = link, exchange
                    self.connected.set()
                    self.trouble.end()
                    await lost(link, backoff)
                    self.trouble.tell(f"{self.broker}: the connection was lost")
            except BrokerError as error:
                self.trouble.tell(str(error))
            finally:
                self.connected.clear()
                self._link = self._exchange = None
            await asyncio.sleep(backoff.next())

    def renew(self) -> None:
        """Give the connection up for a new one, on which all is declared again."""
        self.connected.clear()
        if self._link is not None:
            self._link.lost.set()

    async def publish(self, parcel: Parcel, timeout: float) -> None:
        """Publish a message, and return when the broker has it safely in every queue that takes it.

        Raises UnroutableError where no queue takes it, BrokerError where that is not confirmed within
        `timeout` seconds: then it may or may not have it.
        """
        if self._exchange is None or not self.connected.is_set():
            raise BrokerError(f"{self.broker}: not connected")
        message = AmqpMessage(
            parcel.body,
            headers={"gateway": parcel.gateway},
            content_type="application/json",
            delivery_mode=DeliveryMode.PERSISTENT,
            message_id=parcel.message_id,
            app_id=self._name,
        )
        with translated(f"{self.broker}: a message was not confirmed"):
            await self._exchange.publish(message, parcel.routing_key, mandatory=True, timeout=timeout)
