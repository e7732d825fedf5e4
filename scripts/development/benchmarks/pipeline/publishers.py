"""Messages published with confirmations, and replayed from the spool, beside a bare publisher."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from time import perf_counter, time
from typing import Any

import aio_pika
from aio_pika import DeliveryMode

from enphase_companion.amqp.broker import Broker, open_channel
from enphase_companion.amqp.publisher import Publisher
from enphase_companion.amqp.topology import ROUTING_KEY, declare_exchange, declare_queue
from enphase_companion.delivery.sender import Sender
from enphase_companion.delivery.spool import Spool
from enphase_companion.message import OutgoingMessage, build_reports, encode
from enphase_companion.runtime.metrics import Metrics

from ..meter_messages import build_message
from ..process import start_measured
from ..results import Result, middle
from .run import Run

#: Messages of a round, and of one to check that it works.
_MESSAGES, _QUICK = 10_000, 1_000

#: Messages that are unconfirmed at once, as of the sender.
_WINDOW = 500

#: Bytes of the spool.
_LIMIT = 10**9

_MODULE = "pipeline.publishers"


def publish(run: Run) -> Iterator[Result]:
    """Yield messages per second that are encoded and confirmed, beside bare publishing of encoded ones."""
    yield _beside_bare(run, "publish", "publish_against_bare_publish")


def replay(run: Run) -> Iterator[Result]:
    """Yield messages per second from a full spool, beside the same bare publishing."""
    yield _beside_bare(run, "replay", "spool_replay")


def _beside_bare(run: Run, what: str, figure: str) -> Result:
    count = run.count(_MESSAGES, _QUICK)
    url = run.servers.broker.url
    with (
        start_measured("sender", url, module=_MODULE) as ours,
        start_measured("bare", url, module=_MODULE) as bare,
    ):
        rates = run.alternate(
            lambda: ours.measure(what, count), lambda: bare.measure("publish", count), times=2
        )
    return Result("pipeline", figure, "messages/s", *map(middle, rates))


class SenderSubject:
    """The sender of the scripts, with its spool and its publisher."""

    def __init__(self, url: str) -> None:
        self._broker = Broker(url)

    async def start(self) -> None:
        """Connect with each round."""
        # A full spool is what is measured.
        logging.getLogger("enphase_companion").setLevel(logging.ERROR)

    async def publish(self, count: int) -> float:
        """Return the messages per second that are encoded and confirmed."""
        messages = _build_messages(count)
        async with _new_queue(self._broker) as queue, _new_spool() as (spool, metrics):
            publisher = Publisher(self._broker, [queue], "benchmark")
            async with Sender(publisher, spool, metrics) as sender:
                await publisher.connected.wait()
                began = perf_counter()
                for message in messages:
                    await sender.send(message)
                return await _wait_for(metrics, count, began)

    async def replay(self, count: int) -> float:
        """Return the messages per second from a spool whose messages are all on disk."""
        async with _new_queue(self._broker) as queue, _new_spool() as (spool, metrics):
            messages = iter(_build_messages(count))
            while part := list(islice(messages, _WINDOW)):
                for each in part:
                    body = encode(each, build_reports(each))
                    outgoing = OutgoingMessage(uuid.uuid4().hex, each.gateway, ROUTING_KEY, body)
                    await spool.add(outgoing)
                await spool.flush()
            publisher = Publisher(self._broker, [queue], "benchmark")
            async with Sender(publisher, spool, metrics):
                await publisher.connected.wait()
                return await _wait_for(metrics, count, perf_counter())

    async def stop(self) -> None:
        """Keep nothing."""


class BarePublisher:
    """A program that publishes encoded messages by aio-pika, each confirmed."""

    def __init__(self, url: str) -> None:
        self._broker = Broker(url)

    async def start(self) -> None:
        """Connect with each round."""

    async def publish(self, count: int) -> float:
        """Return the messages per second that are confirmed."""
        bodies = [encode(each, build_reports(each)) for each in _build_messages(count)]
        async with _new_queue(self._broker), await aio_pika.connect(self._broker.url) as connection:
            channel = await connection.channel(publisher_confirms=True)
            exchange = await channel.get_exchange(self._broker.exchange, ensure=False)

            async def send(body: bytes) -> None:
                message = aio_pika.Message(
                    body, message_id=uuid.uuid4().hex, delivery_mode=DeliveryMode.PERSISTENT
                )
                await exchange.publish(message, ROUTING_KEY, mandatory=True)

            began = perf_counter()
            for start in range(0, count, _WINDOW):
                await asyncio.gather(*map(send, bodies[start : start + _WINDOW]))
            return count / (perf_counter() - began)

    async def stop(self) -> None:
        """Keep nothing."""


def _build_messages(count: int) -> list[Any]:
    first = int(time()) - count
    return [build_message(second) for second in range(first, first + count)]


async def _wait_for(metrics: Metrics, count: int, began: float) -> float:
    while metrics["messages_published"] < count:  # noqa: ASYNC110 - it has no event
        await asyncio.sleep(0.005)
    return count / (perf_counter() - began)


@asynccontextmanager
async def _new_queue(broker: Broker) -> AsyncIterator[str]:
    """Yield a queue that gets all readings, and delete it at the end."""
    name = f"benchmark.{uuid.uuid4().hex[:8]}"
    async with open_channel(broker, "benchmark") as channel:
        queue = await declare_queue(channel, await declare_exchange(channel), name)
        yield name
        await queue.delete(if_unused=False, if_empty=False)


@asynccontextmanager
async def _new_spool() -> AsyncIterator[tuple[Spool, Metrics]]:
    metrics = Metrics()
    with tempfile.TemporaryDirectory() as folder:
        async with Spool(Path(folder) / "spool.db", _LIMIT, metrics) as spool:
            yield spool, metrics


SUBJECTS: dict[str, Callable[[str], Any]] = {"sender": SenderSubject, "bare": BarePublisher}
