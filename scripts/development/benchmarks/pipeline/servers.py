"""A private broker, database servers with empty databases, and queues that are full."""

from __future__ import annotations

import asyncio
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cached_property
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import aio_pika
import pytest
from aio_pika import DeliveryMode

from enphase_companion.amqp.broker import Broker, open_channel
from enphase_companion.amqp.topology import declare_exchange, declare_queue
from enphase_companion.message import OutgoingMessage
from tests.services import mariadb, rabbitmq

from ..measures import BenchmarkError

T = TypeVar("T")

#: Messages that are unconfirmed at once, as of the sender.
_WINDOW = 500


class Servers:
    """RabbitMQ and MariaDB, each started when it is first needed. A context manager."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Start nothing yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop what was started, and delete its data."""
        self._stack.close()

    @cached_property
    def broker(self) -> Broker:
        """The broker."""
        return Broker(self._start(rabbitmq.running).url)

    @cached_property
    def _mariadb(self) -> mariadb.MariaDB:
        return self._start(mariadb.running)

    @contextmanager
    def new_database(self) -> Iterator[str]:
        """Yield the URL of an empty database in MariaDB; drop it at the end."""
        with mariadb.create_database(self._mariadb.url) as url:
            yield url.set(drivername="mysql").render_as_string(hide_password=False)

    def new_folder(self) -> Path:
        """Return a new folder on the disk of temporary files."""
        return Path(self._stack.enter_context(tempfile.TemporaryDirectory()))

    def _start(self, running: Callable[[Path], AbstractContextManager[T]]) -> T:
        try:
            return self._stack.enter_context(running(self.new_folder()))
        except pytest.skip.Exception as error:
            raise BenchmarkError(f"{error}: scripts/test installs it on Debian") from None


async def fill_queue(broker: Broker, messages: Iterable[OutgoingMessage]) -> str:
    """Publish these to a new durable queue, each confirmed, and return its name."""
    queue = f"benchmark.{uuid.uuid4().hex[:8]}"
    async with open_channel(broker, "benchmark") as channel:
        await declare_queue(channel, await declare_exchange(channel), queue)
    async with await aio_pika.connect(broker.url) as connection:
        exchange = (await connection.channel()).default_exchange

        async def publish(message: OutgoingMessage) -> None:
            body = aio_pika.Message(
                message.body,
                headers={"gateway_serial_number": message.gateway},
                content_type="application/json",
                delivery_mode=DeliveryMode.PERSISTENT,
                message_id=message.message_id,
            )
            await exchange.publish(body, queue)

        remaining = iter(messages)
        while part := list(islice(remaining, _WINDOW)):
            await asyncio.gather(*map(publish, part))
    return queue
