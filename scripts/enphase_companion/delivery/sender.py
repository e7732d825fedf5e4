"""The sender: accepts messages at once and makes sure that each reaches the broker, in order.

Messages that the broker does not confirm in time wait in the spool, which writes them to disk.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from types import TracebackType
from typing import Any, NoReturn, Self

from ..amqp.broker import BrokerError, UnroutableError
from ..amqp.publisher import Publisher
from ..amqp.topology import INVERTERS_ROUTING_KEY, PARTIAL_ROUTING_KEY, ROUTING_KEY
from ..message import Message, OutgoingMessage, are_complete, build_reports, encode
from ..runtime.metrics import Metrics
from ..runtime.recurring_warning import RecurringWarning
from ..runtime.timing import Backoff
from .spool import Spool

_LOGGER = logging.getLogger(__name__)

#: Seconds that a message waits for the broker's confirmation before it is sent again.
_TIMEOUT = 10.0

#: How many messages are unconfirmed at once: one by one is six times slower.
_WINDOW = 500

#: Seconds to send what is in memory when the script stops; then it goes to the spool's disk.
_LAST = 1.5


class Sender:
    """Sends messages, the oldest first.

    An async context manager: at its end all messages are confirmed or in the spool.
    """

    def __init__(
        self, publisher: Publisher, spool: Spool, metrics: Metrics, *, warn_if_unwanted: bool = True
    ) -> None:
        """`warn_if_unwanted`: warn if no queue is bound although amqp_queues is none."""
        self._warn_if_unwanted = warn_if_unwanted
        self._publisher = publisher
        self._spool = spool
        self._metrics = metrics
        self._tasks: list[asyncio.Task[None]] = []
        self._unroutable = RecurringWarning("messages are routable again")
        self._unreadable = RecurringWarning("spool can be read again")

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._publisher.run()), asyncio.create_task(self._deliver())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._send_last()
        await _cancel(*reversed(self._tasks))
        self._raise_failure()

    @property
    def problem(self) -> str | None:
        """What is wrong with the spool or the broker now; None if nothing is."""
        return self._spool.problem or self._publisher.problem.text

    async def send(self, message: Message) -> None:
        """Accept a message; it is published or on disk soon after."""
        self._raise_failure()
        built = build_reports(message)
        key = ROUTING_KEY if are_complete(built) else PARTIAL_ROUTING_KEY
        if message.inverters:
            key = INVERTERS_ROUTING_KEY
        body = encode(message, built)
        message_id = message.message_id or uuid.uuid4().hex
        await self._spool.add(OutgoingMessage(message_id, message.gateway, key, body))

    def _raise_failure(self) -> None:
        """Raise the error of a task that ended; none of them should."""
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()

    def _is_unwanted(self, message: OutgoingMessage) -> bool:
        """Return whether an unroutable message may be dropped: if amqp_queues is none."""
        self._metrics.count("messages_unroutable")
        if not self._publisher.queues:
            # Displays take the meters, and seldom the microinverters.
            if self._warn_if_unwanted and message.routing_key != INVERTERS_ROUTING_KEY:
                self._unroutable.raise_(
                    f"{self._publisher.broker}: no queue is bound, and amqp_queues is none"
                )
            return True
        names = ", ".join(self._publisher.queues)
        self._unroutable.raise_(f"{self._publisher.broker}: no queue is bound; declaring {names} again")
        self._publisher.renew()
        return False

    async def _deliver(self) -> NoReturn:
        backoff = Backoff(0.5, 30)
        while True:
            await self._spool.any.wait()
            await self._publisher.connected.wait()
            try:
                done = await self._send_oldest()
            except OSError as error:
                self._unreadable.raise_(str(error))
                done = False
            if done:
                self._unreadable.clear()
                backoff.reset()
            else:
                await asyncio.sleep(backoff.next())

    async def _send_oldest(self) -> bool:
        """Send the oldest messages of the spool; return False if some must be sent again."""
        oldest = await self._spool.oldest(_WINDOW)

        def remove(index: int) -> None:
            place, message = oldest[index]
            self._unroutable.clear()
            self._metrics.count("messages_published")
            _LOGGER.debug("Broker confirmed message %s", message.message_id)
            self._spool.remove([place])

        try:
            errors = await self._publisher.publish([message for _, message in oldest], remove, _TIMEOUT)
        except BrokerError as error:
            self._publisher.problem.raise_(str(error))
            return False
        done = True
        for index, problem in errors.items():
            if not isinstance(problem, UnroutableError):
                self._publisher.problem.raise_(str(problem))
                done = False
            elif self._is_unwanted(oldest[index][1]):
                self._spool.remove([oldest[index][0]])
            else:
                done = False
        return done

    async def _send_last(self) -> None:
        """Wait a short time until what is in memory is sent, and again if the disk does not take it."""
        if self._publisher.connected.is_set() and not self._spool.on_disk:
            await self._wait_until_sent()
        await self._spool.flush()
        await self._wait_until_sent()

    async def _wait_until_sent(self) -> None:
        waiting = asyncio.ensure_future(self._spool.memory_is_empty.wait())
        await asyncio.wait([waiting, *self._tasks], timeout=_LAST, return_when=asyncio.FIRST_COMPLETED)
        await _cancel(waiting)


async def _cancel(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
