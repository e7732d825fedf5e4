"""Publishes a gateway's sensors for Home Assistant's MQTT discovery, through RabbitMQ's MQTT plug-in.

It has a connection of its own, keeps only the latest reading, and stores nothing: the readings of the
publisher are never delayed. RabbitMQ retains only what MQTT clients publish, so the discovery message is
repeated: when Home Assistant reports that it is online, after each reconnect, with each new sensor, and
every ten minutes.
"""

from __future__ import annotations

import asyncio
import logging
import math
import uuid
from typing import NoReturn

import aio_pika
from aio_pika import DeliveryMode
from aio_pika.abc import AbstractExchange, AbstractIncomingMessage

from ..message import Message
from ..runtime.recurring_warning import RecurringWarning
from ..runtime.timing import Backoff
from .broker import BrokerError, Channel, UnroutableError, open_channel, translate_amqp_errors, wait_for_any
from .mqtt_discovery import (
    ONLINE,
    STATUS_KEY,
    Sensor,
    build_config,
    build_state,
    config_key,
    expire_after,
    read_sensors,
    state_key,
)
from .publisher import Publisher

_LOGGER = logging.getLogger(__name__)

#: The exchange of MQTT clients, unless `mqtt.exchange` in RabbitMQ's configuration names another.
EXCHANGE = "amq.topic"

#: Seconds for the broker's responses.
_TIMEOUT = 10.0

#: Seconds between two discovery messages; and from one to a state message for its new sensors, which
#: subscribe to it first.
_ANNOUNCE_INTERVAL, _STATE_DELAY = 600.0, 5.0

#: Least seconds between two of them, however often a client says that it is online.
_LEAST_INTERVAL = 5.0


class MqttPublisher:
    """Publishes discovery and state of one gateway while `run` runs."""

    def __init__(self, publisher: Publisher, name: str, *, interval: float, inverter_interval: float) -> None:
        """Use the broker of `publisher`, which reports when that is away.

        `name`: the connection's name on the broker. Intervals: see `expire_after`.
        """
        self.problem = RecurringWarning("MQTT discovery works again")
        self._publisher = publisher
        self._name = f"{name} (MQTT discovery)"
        self._intervals = interval, inverter_interval
        self._latest: Message | None = None
        self._received_at = -math.inf
        self._is_new = False
        #: All sensors of the gateway so far: those of a meter that is missing now are unknown.
        self._sensors: dict[Sensor, None] = {}
        self._announce_at = self._state_at = self._announced_at = -math.inf
        self._wake = asyncio.Event()
        self._is_taken = True

    def update(self, message: Message) -> None:
        """Take the newest reading; it is published soon, unless a newer one comes first."""
        if self._latest is not None and self._latest.gateway != message.gateway:
            self._sensors.clear()
        self._latest, self._is_new = message, True
        self._received_at = asyncio.get_running_loop().time()
        self._wake.set()

    async def run(self) -> NoReturn:
        """Keep connected until cancelled, whenever the publisher of the readings is."""
        backoff = Backoff(1, 60)
        while True:
            await self._publisher.connected.wait()
            try:
                await self._connect(backoff)
                failure = None
            except BrokerError as error:
                failure = str(error)
            except Exception as error:
                # The readings matter more than a bug here.
                _LOGGER.exception("MQTT discovery failed")
                failure = f"MQTT discovery failed ({type(error).__name__})"
            await asyncio.sleep(backoff.next())
            # If the broker is away, the publisher reports it.
            if failure is not None and self._publisher.connected.is_set():
                self.problem.raise_(failure)

    async def _connect(self, backoff: Backoff) -> None:
        """Publish on one connection until it is lost. Raises BrokerError."""
        node = self._publisher.node
        if node is None:
            return
        async with open_channel(node, self._name) as channel:
            with translate_amqp_errors(
                f"{node}: MQTT discovery by exchange {EXCHANGE} and queue {node.exchange}.HomeAssistant.*"
            ):
                exchange = await channel.amqp.get_exchange(EXCHANGE, ensure=False)
                await self._listen(channel, exchange)
                self._announce_at = -math.inf
                while not channel.lost.is_set():
                    self._wake.clear()
                    await self._publish_due(exchange)
                    if self._latest is not None:
                        self.problem.clear()
                        backoff.reset()
                    await wait_for_any(channel.lost, self._wake, timeout=self._seconds_to_wait())

    def _seconds_to_wait(self) -> float:
        now = asyncio.get_running_loop().time()
        return max(0.0, min(self._announce_at, self._state_at) - now)

    async def _listen(self, channel: Channel, exchange: AbstractExchange) -> None:
        """Announce again whenever Home Assistant is online."""
        queue = await channel.amqp.declare_queue(
            f"{channel.broker.exchange}.HomeAssistant.{uuid.uuid4().hex}",
            exclusive=True,
            auto_delete=True,
            arguments={"x-max-length": 1},
            timeout=_TIMEOUT,
        )
        await queue.bind(exchange, STATUS_KEY, timeout=_TIMEOUT)

        async def hear(message: AbstractIncomingMessage) -> None:
            if message.body == ONLINE:
                self._announce_at = min(self._announce_at, self._announced_at + _LEAST_INTERVAL)
                self._wake.set()

        await queue.consume(hear, no_ack=True, timeout=_TIMEOUT)

    async def _publish_due(self, exchange: AbstractExchange) -> None:
        """Publish the discovery message if it is due, and the state if it is new or wanted again."""
        message, now = self._latest, asyncio.get_running_loop().time()
        if message is None:
            self._announce_at = self._state_at = math.inf
            return
        expire = expire_after(message, *self._intervals)
        values = read_sensors(message)
        if now >= self._announce_at or not values.keys() <= self._sensors.keys():
            self._sensors |= dict.fromkeys(values)
            await self._announce(exchange, build_config(message.gateway, self._sensors, expire), message)
            self._announced_at = now
            self._announce_at, self._state_at = now + _ANNOUNCE_INTERVAL, now + _STATE_DELAY
        is_fresh = now - self._received_at < expire
        if self._is_new or (now >= self._state_at and is_fresh):
            self._is_new = False
            state = build_state(message, dict.fromkeys(self._sensors) | values)
            # A client that is away for long does not get outdated ones.
            await _publish(exchange, state, state_key(message.gateway), expiration=expire)
        if now >= self._state_at:
            self._state_at = math.inf

    async def _announce(self, exchange: AbstractExchange, config: bytes, message: Message) -> None:
        """Publish the discovery message; log once if no client takes it."""
        try:
            with translate_amqp_errors(config_key(message.gateway)):
                await _publish(exchange, config, config_key(message.gateway), mandatory=True)
        except UnroutableError:
            if self._is_taken:
                _LOGGER.warning(
                    "%s: no MQTT client takes the discovery messages: enable RabbitMQ's plug-in "
                    "rabbitmq_mqtt, and connect Home Assistant's MQTT integration to this broker",
                    self._publisher.broker,
                )
            self._is_taken = False
        else:
            self._is_taken = True


async def _publish(
    exchange: AbstractExchange,
    body: bytes,
    key: str,
    *,
    mandatory: bool = False,
    expiration: float | None = None,
) -> None:
    message = aio_pika.Message(
        body,
        content_type="application/json",
        delivery_mode=DeliveryMode.NOT_PERSISTENT,
        expiration=expiration,
    )
    await exchange.publish(message, key, mandatory=mandatory, timeout=_TIMEOUT)
