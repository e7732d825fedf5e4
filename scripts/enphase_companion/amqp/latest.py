"""The latest messages, for displays: exclusive queues that hold only as many as belong together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aio_pika.abc import AbstractIncomingMessage

from ..message import Message, MessageError, decode
from ..runtime.recurring_warning import RecurringWarning
from .broker import CONNECTION_LOST, Broker, Channel, keep_connected, translate_amqp_errors
from .topology import BINDING, INVERTERS_ROUTING_KEY, declare_exchange

#: Seconds.
_TIMEOUT = 10.0

#: Seconds without an unreadable message until that problem counts as over.
_QUIET = 60.0

#: How many messages the broker keeps; it drops the older ones. Those of a large array's panels are several.
_KEPT = {BINDING: 1, INVERTERS_ROUTING_KEY: 8}


class LatestConsumer:
    """Passes messages to `show`; while that is busy, all but the latest are skipped."""

    def __init__(
        self,
        broker: Broker,
        show: Callable[[Message], Awaitable[None]],
        *,
        name: str,
        default_gateway: str | None = None,
    ) -> None:
        """`default_gateway`: gateway of messages from Enphase-API's scripts, which name none."""
        self._broker = broker
        self._show = show
        self._name = name
        self._default_gateway = default_gateway
        #: What is wrong with the broker.
        self.problem = RecurringWarning(f"{broker}: connected again")
        self._unreadable = RecurringWarning("messages can be read again")

    async def run(self) -> None:
        """Consume through every outage of the broker until cancelled."""
        await keep_connected(self._broker, self._name, self.problem, self._consume)

    async def _consume(self, channel: Channel) -> str:
        """Show each message until the channel is lost."""
        arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        with translate_amqp_errors(f"{self._broker}: a queue for the latest reading"):
            await channel.amqp.set_qos(prefetch_count=1, timeout=_TIMEOUT)
            exchange = await declare_exchange(channel)
            for binding, kept in _KEPT.items():
                # Exclusive, as RabbitMQ 4.3 refuses other transient queues.
                queue = await channel.amqp.declare_queue(
                    exclusive=True, auto_delete=True, arguments={"x-max-length": kept}, timeout=_TIMEOUT
                )
                await queue.bind(exchange, binding, timeout=_TIMEOUT)
                await queue.consume(arrived.put, timeout=_TIMEOUT)
        self.problem.clear()
        losing = asyncio.ensure_future(channel.lost.wait())
        try:
            while not losing.done():
                arriving = asyncio.ensure_future(arrived.get())
                try:
                    await asyncio.wait((arriving, losing), return_when=asyncio.FIRST_COMPLETED)
                    if arriving.done():
                        await self._take(arriving.result())
                finally:
                    arriving.cancel()
        finally:
            losing.cancel()
        return CONNECTION_LOST

    async def _take(self, raw: AbstractIncomingMessage) -> None:
        try:
            message = decode(raw.body, self._default_gateway)
        except MessageError as error:
            self._unreadable.raise_(f"{self._broker}: message skipped: {error}")
        else:
            self._unreadable.clear(_QUIET)
            await self._show(message)
        with translate_amqp_errors(f"{self._broker}: message not acknowledged"):
            # The broker sends the next one only now: the latest by then.
            await raw.ack()
