"""The broker: where it is, a connection that tells when it is lost, and its errors in an owner's words."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self

import aio_pika
from aio_pika.abc import AbstractChannel
from aiormq import exceptions
from yarl import URL

from enphase_api.json_values import printable

from ..config.addresses import is_this_machine
from ..config.settings import Settings
from ..runtime.redaction import hide
from ..runtime.timing import Backoff
from .properties import read_all

_LOGGER = logging.getLogger(__name__)

#: Seconds to connect, to declare something, and to say goodbye.
_CONNECT, _DECLARE, _CLOSE = 10, 10, 1

#: Seconds after which a connection counts as one that holds.
_HELD = 30

#: Seconds between the signs of life that both sides send; after three missed ones the connection is given up.
_HEARTBEAT = 10

#: Characters of a reason.
_LONGEST_REASON = 300

#: What the library raises where the connection, the channel or the broker does not do what it should.
_FAILURES = (exceptions.AMQPError, exceptions.ChannelInvalidStateError, OSError, asyncio.InvalidStateError)


class BrokerError(Exception):
    """The broker did not do, or did not confirm, what it was asked; the text says what, and what to do."""


class UnroutableError(BrokerError):
    """The broker has no queue that takes this message."""


@dataclass(frozen=True, slots=True)
class Broker:
    """A RabbitMQ broker and the exchange that is used there."""

    #: As `amqp://user:password@host:port/virtual-host`, amqps for TLS.
    url: str = field(repr=False)
    exchange: str = "Enphase"

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return the broker that is set; warn where a password goes to another machine in plain text."""
        if settings.amqp_url is not None:
            url = URL(settings.amqp_url)
            hide(url.password or "")
        else:
            url = URL.build(
                scheme="amqp",
                host=settings.amqp_host,
                port=settings.amqp_port,
                user=settings.amqp_username,
                password=settings.amqp_password,
                path="/" + settings.amqp_virtual_host,
            )
        broker = cls(settings.amqp_url or str(url), settings.amqp_exchange)
        if url.scheme == "amqp" and url.password and not is_this_machine(url.host):
            _LOGGER.warning(
                "%s: user, password and readings cross the network in plain text. Use TLS: set amqp_url to "
                "an address that begins with amqps://",
                broker,
            )
        return broker

    def __str__(self) -> str:
        """Name the broker without its secrets."""
        url = URL(self.url)
        return f"{url.host}:{url.port or (5671 if url.scheme == 'amqps' else 5672)}"


@dataclass(frozen=True, slots=True)
class Channel:
    """An open connection with one channel."""

    broker: Broker
    amqp: AbstractChannel
    #: Set when connection, channel or consumer has ended, or somebody wants a new one.
    lost: asyncio.Event


class _Connection(aio_pika.Connection):
    """A connection that only `open_channel` closes."""

    def __del__(self) -> None:
        # The library's own begins to close it, also where no loop runs: Python warns of what nobody awaits.
        pass


@asynccontextmanager
async def open_channel(broker: Broker, name: str) -> AsyncIterator[Channel]:
    """Yield a connection named `name`; its channel confirms messages and raises for unroutable ones.

    Raises BrokerError.
    """
    # They shout tracebacks of what is told here in one line, and at debug level every frame that they see.
    for library in ("aio_pika", "aiormq"):
        logging.getLogger(library).setLevel(
            logging.INFO if _LOGGER.isEnabledFor(logging.DEBUG) else logging.CRITICAL
        )
    read_all()
    lost = asyncio.Event()

    def lose(*_: Any) -> None:
        lost.set()

    url = URL(broker.url)
    if "heartbeat" not in url.query:
        url = url.update_query(heartbeat=_HEARTBEAT)
    with translate_errors(f"{broker}: no connection"):
        async with asyncio.timeout(_CONNECT):
            connection = await aio_pika.connect(
                url, client_properties={"connection_name": name}, connection_class=_Connection
            )
    try:
        connection.close_callbacks.add(lose)
        with translate_errors(f"{broker}: no channel"):
            async with asyncio.timeout(_CONNECT):
                channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
                channel.close_callbacks.add(lose)
                # Somebody deleted the queue: the consumer alone ends.
                (await channel.get_underlay_channel()).on_consumer_cancel_callbacks.add(lose)
        yield Channel(broker, channel, lost)
    finally:
        with suppress(*_FAILURES, TimeoutError):
            async with asyncio.timeout(_CLOSE):
                await connection.close()
        _raise_if_cancelled()


async def lost(channel: Channel, backoff: Backoff) -> None:
    """Return when the channel is lost; if it had held for a while, the backoff starts over."""
    begun = asyncio.get_running_loop().time()
    await channel.lost.wait()
    if asyncio.get_running_loop().time() - begun > _HELD:
        backoff.reset()


@contextmanager
def translate_errors(what: str) -> Iterator[None]:
    """Yield the library's errors as BrokerError: `what` went wrong, and why."""
    try:
        yield
    except (asyncio.CancelledError, *_FAILURES) as error:
        _raise_if_cancelled()
        if isinstance(error, exceptions.PublishError):
            raise UnroutableError(f"{what} (no queue takes it)") from error
        raise BrokerError(f"{what} ({_reason(error)})") from error


def _raise_if_cancelled() -> None:
    """Raise CancelledError where this task was cancelled: aiormq 7.2 can give its own error in place of it.

    The other way round, it cancels its own futures when a connection ends, though nobody cancelled the task.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


#: What the library's errors mean; the first that fits.
_MEANINGS: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (
        (exceptions.ProbableAuthenticationError, exceptions.AuthenticationError),
        "it refuses amqp_username with amqp_password; correct them",
    ),
    (
        # The first is how the library reads a refusal in the place of an opened virtual host.
        (exceptions.InvalidFrameError, exceptions.ConnectionNotAllowed),
        "it refuses amqp_virtual_host; correct it, or give the user permissions there",
    ),
    (
        exceptions.ChannelAccessRefused,
        "the user may not do that: give it permissions to configure, write and read there",
    ),
    (
        exceptions.ChannelPreconditionFailed,
        "it exists there in another form: delete it, or set another name",
    ),
    (exceptions.DeliveryError, "a queue has no room for it"),
    (TimeoutError, "no answer in time"),
    (asyncio.CancelledError, "the connection ended"),
)


def _reason(error: BaseException) -> str:
    # The broker's words can hold names that somebody else gave it.
    own = (
        printable(_without_numbers(str(error)[:_LONGEST_REASON].strip()), _LONGEST_REASON)
        or type(error).__name__
    )
    return next((meaning for kind, meaning in _MEANINGS if isinstance(error, kind)), own)


def _without_numbers(text: str) -> str:
    """Return the system's words for an error; asyncio lists a `connect call failed` per address."""
    numbers = dict.fromkeys(
        int(number) for number in re.findall(r"\[Errno (\d+)\] Connect call failed", text)
    )
    if errno.ECONNREFUSED in numbers:
        return f"{os.strerror(errno.ECONNREFUSED)}: see that RabbitMQ runs there, or correct the address"
    return ", ".join(os.strerror(number) for number in numbers) or re.sub(r"^\[Errno -?\d+\] ", "", text)
