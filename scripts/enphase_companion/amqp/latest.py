"""The newest message, for who shows what is now: a queue of its own that holds one message."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aio_pika.abc import AbstractIncomingMessage

from ..message import Message, MessageError, decode
from ..runtime.recurring_warning import RecurringWarning
from ..runtime.timing import Backoff
from .broker import Broker, BrokerError, Channel, lost, open_channel, translate_errors
from .topology import BINDING, declare_exchange

#: Seconds.
_ANSWER = 10.0

#: Seconds without a message that cannot be read, before that is said to be over.
_QUIET = 60.0

#: The broker keeps the newest and throws away what is older: nobody wants to see that.
_ARGUMENTS = {"x-max-length": 1}


class LatestConsumer:
    """Gives each message to `show`; while that is busy, all but the newest are left out."""

    def __init__(
        self,
        broker: Broker,
        show: Callable[[Message], Awaitable[None]],
        *,
        name: str,
        default_gateway: str | None = None,
    ) -> None:
        """`default_gateway`: whose the messages of Enphase-API's scripts are, which do not say."""
        self._broker = broker
        self._show = show
        self._name = name
        self._default_gateway = default_gateway
        #: What is wrong, for who shows that too.
        self.problem = RecurringWarning(f"{broker}: connected again")
        self._unreadable = RecurringWarning("Messages can be read again")

    async def run(self) -> None:
        """Go on through every outage of the broker until cancelled."""
        backoff = Backoff(1, 30)
        while True:
            try:
                async with open_channel(self._broker, self._name) as channel:
                    await self._follow(channel, backoff)
                self.problem.raise_(f"{self._broker}: the connection was lost")
            except BrokerError as error:
                self.problem.raise_(str(error))
            await asyncio.sleep(backoff.next())

    async def _follow(self, channel: Channel, backoff: Backoff) -> None:
        with translate_errors(f"{self._broker}: a queue for the newest reading"):
            await channel.amqp.set_qos(prefetch_count=1, timeout=_ANSWER)
            # Only exclusive ones may be transient: RabbitMQ 4.3 refuses others.
            queue = await channel.amqp.declare_queue(
                exclusive=True, auto_delete=True, arguments={**_ARGUMENTS}, timeout=_ANSWER
            )
            await queue.bind(await declare_exchange(channel), BINDING, timeout=_ANSWER)
            arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
            await queue.consume(arrived.put, timeout=_ANSWER)
        self.problem.clear()
        losing = asyncio.ensure_future(lost(channel, backoff))
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

    async def _take(self, raw: AbstractIncomingMessage) -> None:
        try:
            message = decode(raw.body, self._default_gateway)
        except MessageError as error:
            self._unreadable.raise_(f"{self._broker}: a message is left out: {error}")
        else:
            self._unreadable.clear(_QUIET)
            await self._show(message)
        with translate_errors(f"{self._broker}: an acknowledgement"):
            # Only now comes the next one, the newest by then.
            await raw.ack()
