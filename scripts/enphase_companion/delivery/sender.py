"""The sender: accepts messages at once and makes sure that each reaches the broker or the disk, in order.

While the disk is not writable, they wait in memory, and the broker is still tried.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, NoReturn, Self

from ..amqp.broker import BrokerError, UnroutableError
from ..amqp.publisher import Publisher
from ..amqp.topology import PARTIAL_ROUTING_KEY, ROUTING_KEY
from ..message import Message, are_complete, build_reports, encode
from ..message.model import OutgoingMessage
from ..runtime.metrics import Metrics
from ..runtime.recurring_warning import RecurringWarning
from ..runtime.timing import Backoff
from .spool import Spool
from .spool_thread import SpoolThread

_LOGGER = logging.getLogger(__name__)

#: Seconds that a message waits for the broker's confirmation before it goes to the spool.
_TIMEOUT = 1.0

#: Seconds for messages of the spool, and how many are unconfirmed at once: one by one is six times slower.
_REPLAY_TIMEOUT, _WINDOW = 10.0, 500

#: Seconds to send what is in memory only, when the script stops.
_LAST = 2.0

#: Messages in memory; the limit is reached only while the disk hangs.
_LONGEST_QUEUE = 1_000


class Sender:
    """Sends messages: directly while the broker confirms them, else through the spool, the oldest first.

    An async context manager: at its end all messages are confirmed or in the spool.
    """

    def __init__(
        self, publisher: Publisher, spool: Spool, metrics: Metrics, on_safe: Callable[[], None] = lambda: None
    ) -> None:
        """`on_safe` is called for each message that is confirmed or on disk."""
        self._publisher = publisher
        self._disk = SpoolThread(spool, metrics)
        self._metrics = metrics
        self._on_safe = on_safe
        self._queue: asyncio.Queue[OutgoingMessage] = asyncio.Queue(_LONGEST_QUEUE)
        self._tasks: list[asyncio.Task[None]] = []
        self._unroutable = RecurringWarning("messages are routable again")
        self._unreadable = RecurringWarning("spool can be read again")

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(self._publisher.run()),
            asyncio.create_task(self._take()),
            asyncio.create_task(self._replay()),
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connecting, *working = self._tasks
        all_taken = asyncio.ensure_future(self._queue.join())
        await asyncio.wait([all_taken, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        await _cancel(all_taken, *working)
        await self._send_held()
        await _cancel(connecting)
        self._disk.end()
        self._raise_failure()

    @property
    def waiting(self) -> int:
        """How many messages wait in the spool, on disk or in memory."""
        return len(self._disk)

    @property
    def problem(self) -> str | None:
        """What is wrong with the spool or the broker now; None if nothing is."""
        return self._disk.problem or self._publisher.problem.text

    async def send(self, message: Message) -> None:
        """Accept a message; it is published or on disk soon after."""
        self._raise_failure()
        built = build_reports(message)
        key = ROUTING_KEY if are_complete(built) else PARTIAL_ROUTING_KEY
        body = encode(message, built)
        await self._queue.put(OutgoingMessage(message.message_id or "", message.gateway, key, body))

    def _raise_failure(self) -> None:
        """Raise the error of a task that ended; none of them should."""
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()

    async def _take(self) -> NoReturn:
        while True:
            message = await self._queue.get()
            directly = self._publisher.connected.is_set() and not self._disk.any.is_set()
            if directly and await self._try_publish(message, _TIMEOUT):
                self._on_safe()
                await self._disk.look_again()
            elif await self._disk.keep(message):
                self._on_safe()
            self._queue.task_done()

    async def _try_publish(self, message: OutgoingMessage, seconds: float) -> bool:
        """Publish a message; return False if it must be sent again."""
        try:
            await self._publisher.publish(message, seconds)
        except UnroutableError:
            return self._is_unwanted()
        except BrokerError as error:
            self._publisher.problem.raise_(str(error))
            return False
        self._unroutable.clear()
        self._metrics.count("messages_published")
        _LOGGER.debug("Broker confirmed message %s", message.message_id)
        return True

    def _is_unwanted(self) -> bool:
        """Return whether an unroutable message may be dropped: if amqp_queues is none."""
        self._metrics.count("messages_unroutable")
        if not self._publisher.queues:
            self._unroutable.raise_(f"{self._publisher.broker}: no queue is bound, and amqp_queues is none")
            return True
        names = ", ".join(self._publisher.queues)
        self._unroutable.raise_(f"{self._publisher.broker}: no queue is bound; declaring {names} again")
        self._publisher.renew()
        return False

    async def _replay(self) -> NoReturn:
        backoff = Backoff(0.5, 30)
        while True:
            await self._disk.any.wait()
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
        oldest = await self._disk.oldest(_WINDOW)
        sent = await asyncio.gather(*(self._try_publish(message, _REPLAY_TIMEOUT) for _, message in oldest))
        await self._disk.remove([place for (place, _), taken in zip(oldest, sent, strict=True) if taken])
        if all(sent):
            self._on_safe()
        return all(sent)

    async def _send_held(self) -> None:
        """Send what is in memory only, for a short time: it would be lost otherwise."""
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_LAST):
                while self._disk.held:
                    await self._publisher.connected.wait()
                    if not await self._send_oldest():
                        return


async def _cancel(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
