"""The publisher: keeps a connection, declares exchange and queues, and waits for each confirmation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

import aiormq
from aio_pika import DeliveryMode
from aio_pika.abc import AbstractExchange
from aiormq import spec

from ..message import OutgoingMessage
from ..runtime.recurring_warning import RecurringWarning
from .broker import (
    CONNECTION_LOST,
    Broker,
    BrokerError,
    Channel,
    NackedError,
    keep_connected,
    translate_amqp_errors,
    wait_for_any,
)
from .frames import publish
from .topology import declare_exchange, declare_queue

#: Seconds between two checks of the queues, and how many messages mean that no consumer will come: half a day
#: of readings.
_CHECK_INTERVAL, _TOO_MANY = 3_600, 43_200


class Publisher:
    """Publishes while it is connected; `run` connects it again for as long as it runs."""

    def __init__(self, broker: Broker, queues: Sequence[str], name: str) -> None:
        """`queues`: durable ones that get all messages; `name`: the connection's name on the broker."""
        self.broker = broker
        self.queues = tuple(queues)
        self.connected = asyncio.Event()
        self.problem = RecurringWarning(f"{broker}: connected again")
        self._unread = RecurringWarning("all queues have consumers again")
        self._name = name
        self._channel: Channel | None = None
        self._not_confirmed = f"{broker}: message not confirmed"

    @property
    def node(self) -> Broker | None:
        """The node of the broker to which it is connected; None while it is not."""
        return None if self._channel is None else self._channel.broker

    async def run(self) -> None:
        """Keep connected until cancelled; log what is wrong while it is not."""
        await keep_connected(self.broker, self._name, self.problem, self._use)

    async def _use(self, channel: Channel) -> str:
        """Publish on this channel until it is lost; check the queues from time to time."""
        try:
            exchange = await declare_exchange(channel)
            await self._declare_queues(channel, exchange)
            self._channel = channel
            self.connected.set()
            self.problem.clear()
            while not channel.lost.is_set():
                await wait_for_any(channel.lost, timeout=_CHECK_INTERVAL)
                if not channel.lost.is_set():
                    await self._declare_queues(channel, exchange)
        finally:
            self.connected.clear()
            self._channel = None
        return CONNECTION_LOST

    async def _declare_queues(self, channel: Channel, exchange: AbstractExchange) -> None:
        """Declare the queues, and warn of one without a consumer: it would fill the broker's disk."""
        is_unread = False
        for name in self.queues:
            found = (await declare_queue(channel, exchange, name)).declaration_result
            if not found.consumer_count and (found.message_count or 0) > _TOO_MANY:
                is_unread = True
                self._unread.raise_(
                    f"{self.broker}: queue {name} grows and has no consumer: start one, or remove the queue "
                    "from amqp_queues and delete it"
                )
        if not is_unread:
            self._unread.clear()

    def renew(self) -> None:
        """Open a new connection, on which everything is declared again."""
        self.connected.clear()
        if self._channel is not None:
            self._channel.lost.set()

    async def publish(
        self, messages: Sequence[OutgoingMessage], confirmed: Callable[[int], None], timeout: float
    ) -> Mapping[int, BrokerError]:
        """Publish messages; call `confirmed` with the index of each that every bound queue has confirmed.

        Returns when all are confirmed, or after `timeout` seconds, with the errors of the others by index:
        UnroutableError if no queue is bound for a message, else BrokerError, and the broker may have it or
        not. Raises BrokerError if nothing is sent.
        """
        if not messages:
            return {}
        channel = self._channel
        if channel is None or not self.connected.is_set():
            raise BrokerError(f"{self.broker}: not connected")
        with translate_amqp_errors(self._not_confirmed):
            amqp = cast(aiormq.Channel, await channel.amqp.get_underlay_channel())
            confirmations = await publish(amqp, map(self._build, messages))

        def note(index: int, confirmation: asyncio.Future[Any]) -> None:
            if not confirmation.cancelled() and confirmation.exception() is None:
                confirmed(index)

        try:
            for index, confirmation in enumerate(confirmations):
                confirmation.add_done_callback(partial(note, index))
            await asyncio.wait(confirmations, timeout=timeout)
            errors = {
                index: error
                for index, confirmation in enumerate(confirmations)
                if (error := self._find_error(confirmation)) is not None
            }
        finally:
            for message in messages:
                amqp.message_id_delivery_tag.pop(message.message_id, None)
        if any(map(_is_stuck, errors.values())) and channel is self._channel:
            self.renew()
        return errors

    def _build(self, message: OutgoingMessage) -> tuple[spec.Basic.Publish, spec.Basic.Properties, bytes]:
        properties = spec.Basic.Properties(
            headers={"gateway_serial_number": message.gateway},
            content_type="application/json",
            delivery_mode=DeliveryMode.PERSISTENT,
            message_id=message.message_id,
            app_id=self._name,
        )
        method = spec.Basic.Publish(
            exchange=self.broker.exchange, routing_key=message.routing_key, mandatory=True
        )
        return method, properties, message.body

    def _find_error(self, confirmation: asyncio.Future[Any]) -> BrokerError | None:
        """Return why a message is not confirmed; None if it is."""
        try:
            with translate_amqp_errors(self._not_confirmed):
                if not confirmation.done():
                    confirmation.cancel()
                    raise TimeoutError
                confirmation.result()
        except BrokerError as error:
            return error
        return None


def _is_stuck(error: BrokerError) -> bool:
    """Whether a new connection may help: this one does not confirm in time, or nacks.

    A broker with an alarm reads nothing: messages that are sent again would pile up in memory, and arrive as
    often as they were sent. RabbitMQ 3.10 nacks all messages of a channel that was opened while a quorum
    queue had no leader, also when it has one.
    """
    return isinstance(error, NackedError) or isinstance(error.__cause__, TimeoutError)
