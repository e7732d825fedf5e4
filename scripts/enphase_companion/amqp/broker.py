"""The broker: its address, a connection that is opened again when lost, and its errors in plain words."""

from __future__ import annotations

import asyncio
import errno
import itertools
import logging
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Self
from urllib.parse import quote

import aio_pika
from aio_pika.abc import AbstractChannel
from aiormq import exceptions
from yarl import URL

from enphase_api.json_values import printable

from ..config.rules import is_this_machine, split_hosts
from ..config.settings import Settings
from ..runtime.recurring_warning import RecurringWarning
from ..runtime.redaction import hide
from ..runtime.timing import Backoff
from .frames import read_fast
from .properties import read_all

_LOGGER = logging.getLogger(__name__)

#: Seconds to connect and to close.
_CONNECT, _CLOSE = 10, 1

#: Seconds after which a connection counts as stable.
_HELD = 30

#: Seconds between heartbeats; after three missed ones the connection is closed.
_HEARTBEAT = 10

#: The reason for which work on a channel ends.
CONNECTION_LOST = "the connection was lost"

#: Characters of a reason.
_LONGEST_REASON = 300

#: What the library raises when the connection, the channel or the broker fails.
_FAILURES = (exceptions.AMQPError, exceptions.ChannelInvalidStateError, OSError, asyncio.InvalidStateError)


class BrokerError(Exception):
    """The broker refused a request or did not confirm it; the text names it, and what to do."""


class UnroutableError(BrokerError):
    """No queue on the broker is bound for this message."""


class NackedError(BrokerError):
    """The broker has a queue for this message that does not take it now."""


@dataclass(frozen=True, slots=True)
class Broker:
    """A RabbitMQ broker, or a cluster of several, and the exchange that is used there."""

    #: As `amqp://user:password@host:port/virtual-host`, amqps for TLS; for a cluster `host:port,host:port`.
    url: str = field(repr=False)
    exchange: str = "Enphase"

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return the configured broker; warn if a password would cross the network in plain text."""
        url = settings.amqp_url
        if url is None:
            user, password = (quote(text, "") for text in (settings.amqp_username, settings.amqp_password))
            hosts = [
                host if URL(f"//{host}").explicit_port else f"{host}:{settings.amqp_port}"
                for host in settings.amqp_host.split(",")
            ]
            url = f"amqp://{user}:{password}@{','.join(hosts)}/{quote(settings.amqp_virtual_host)}"
        broker = cls(url, settings.amqp_exchange)
        nodes = [URL(node.url) for node in broker.nodes]
        hide(nodes[0].password or "")
        if any(node.scheme == "amqp" and node.password and not is_this_machine(node.host) for node in nodes):
            _LOGGER.warning(
                "%s: user, password and readings cross the network in plain text; use TLS: set amqp_url to "
                "a URL that begins with amqps://",
                broker,
            )
        return broker

    @property
    def nodes(self) -> tuple[Broker, ...]:
        """The nodes of the cluster, each as a broker."""
        return tuple(replace(self, url=url) for url in split_hosts(self.url))

    def __str__(self) -> str:
        """Return host and port of each node, without secrets."""
        urls = map(URL, split_hosts(self.url))
        return ", ".join(
            f"{url.host}:{url.port or (5671 if url.scheme == 'amqps' else 5672)}" for url in urls
        )


@dataclass(frozen=True, slots=True)
class Channel:
    """An open connection with one channel."""

    broker: Broker
    amqp: AbstractChannel
    #: Set when connection, channel or consumer has ended, or when a new connection is wanted.
    lost: asyncio.Event


class _Connection(aio_pika.Connection):
    """A connection that only `open_channel` closes."""

    def __del__(self) -> None:
        # The library's own starts a coroutine, even without an event loop: Python warns about that.
        pass


@asynccontextmanager
async def open_channel(broker: Broker, name: str) -> AsyncIterator[Channel]:
    """Yield a connection named `name`; its channel confirms messages and raises for unroutable ones.

    `broker` is a single node. Raises BrokerError.
    """
    # They log tracebacks of what is one line here, and every frame at debug level.
    for library in ("aio_pika", "aiormq"):
        logging.getLogger(library).setLevel(
            logging.INFO if _LOGGER.isEnabledFor(logging.DEBUG) else logging.CRITICAL
        )
    read_all()
    read_fast()
    lost = asyncio.Event()

    def lose(*_: Any) -> None:
        lost.set()

    url = URL(broker.url)
    if "heartbeat" not in url.query:
        url = url.update_query(heartbeat=_HEARTBEAT)
    with translate_amqp_errors(f"{broker}: no connection"):
        async with asyncio.timeout(_CONNECT):
            connection = await aio_pika.connect(
                url, client_properties={"connection_name": name}, connection_class=_Connection
            )
    try:
        connection.close_callbacks.add(lose)
        with translate_amqp_errors(f"{broker}: no channel"):
            async with asyncio.timeout(_CONNECT):
                channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
                channel.close_callbacks.add(lose)
                # A deleted queue ends the consumer alone.
                (await channel.get_underlay_channel()).on_consumer_cancel_callbacks.add(lose)
        yield Channel(broker, channel, lost)
    finally:
        with suppress(*_FAILURES, TimeoutError):
            async with asyncio.timeout(_CLOSE):
                await connection.close()
        _raise_if_cancelled()


async def keep_connected(
    broker: Broker,
    name: str,
    problem: RecurringWarning,
    work: Callable[[Channel], Awaitable[str | None]],
    stopping: asyncio.Event | None = None,
    alive: Callable[[], None] = lambda: None,
) -> None:
    """Run `work` on one connection after another until `stopping` is set, or until cancelled.

    `work` clears `problem` when it is ready, and returns when the channel is lost: with the reason, or with
    None if that needs no warning. BrokerError means the same. The nodes of a cluster take turns, so that a
    node that is down, or cannot reach the others, is left for the next one at once. The waits after the last
    node grow; they start over after a connection that lasted. `alive` is called after each connection.
    """
    loop = asyncio.get_running_loop()
    stopping = stopping or asyncio.Event()
    backoff = Backoff(1, 30)
    nodes = broker.nodes
    for node in itertools.cycle(nodes):
        if stopping.is_set():
            return
        opened = loop.time()
        try:
            async with open_channel(node, name) as channel:
                opened = loop.time()
                reason = await work(channel)
            if reason is not None and not stopping.is_set():
                problem.raise_(f"{node}: {reason}")
        except BrokerError as error:
            problem.raise_(str(error))
        if loop.time() - opened > _HELD:
            backoff.reset()
        alive()
        if node is nodes[-1]:
            await wait_for_any(stopping, timeout=backoff.next())


async def wait_for_any(*events: asyncio.Event, timeout: float) -> None:
    """Return when the first of the events is set, or after `timeout` seconds."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


@contextmanager
def translate_amqp_errors(what: str) -> Iterator[None]:
    """Raise the library's errors as BrokerError: `what` failed, and why."""
    try:
        yield
    except (asyncio.CancelledError, *_FAILURES) as error:
        _raise_if_cancelled()
        if isinstance(error, exceptions.PublishError):
            raise UnroutableError(f"{what} (no queue is bound)") from error
        if isinstance(error, exceptions.DeliveryError):
            raise NackedError(f"{what} (a queue is full, or has no leader now)") from error
        raise BrokerError(f"{what} ({_reason(error)})") from error


def _raise_if_cancelled() -> None:
    """Raise CancelledError if this task was cancelled: aiormq 7.2 can raise its own error instead.

    It also cancels its own futures when a connection ends, although the task was not cancelled.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


#: What the library's errors mean; the first that fits.
_MEANINGS: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (
        (exceptions.ProbableAuthenticationError, exceptions.AuthenticationError),
        "it rejects amqp_username with amqp_password: correct them",
    ),
    (
        # The first is how the library reads a refusal to open a virtual host.
        (exceptions.InvalidFrameError, exceptions.ConnectionNotAllowed),
        "it rejects amqp_virtual_host: correct it, or grant the user permissions there",
    ),
    (
        exceptions.ChannelAccessRefused,
        "access refused: grant the user permissions to configure, write and read there",
    ),
    (
        exceptions.ChannelPreconditionFailed,
        "it exists with other arguments: delete it, or set another name",
    ),
    (TimeoutError, "no answer in time"),
    (asyncio.CancelledError, "the connection ended"),
)


def _reason(error: BaseException) -> str:
    # The broker's text can contain names that other clients chose.
    own = (
        printable(_without_numbers(str(error)[:_LONGEST_REASON].strip()), _LONGEST_REASON)
        or type(error).__name__
    )
    return next((meaning for kind, meaning in _MEANINGS if isinstance(error, kind)), own)


def _without_numbers(text: str) -> str:
    """Return the system's text for an error; asyncio lists a `connect call failed` per address."""
    numbers = dict.fromkeys(
        int(number) for number in re.findall(r"\[Errno (\d+)\] Connect call failed", text)
    )
    if errno.ECONNREFUSED in numbers:
        return f"{os.strerror(errno.ECONNREFUSED)}: check that RabbitMQ runs there, or correct the address"
    return ", ".join(os.strerror(number) for number in numbers) or re.sub(r"^\[Errno -?\d+\] ", "", text)
