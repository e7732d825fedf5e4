"""Exchange, routing keys, durable queues and the dead-letter queue.

Publisher and consumers declare the same, in a form that RabbitMQ 3.10 to 4.x accept.
"""

from __future__ import annotations

from aio_pika import ExchangeType
from aio_pika.abc import AbstractExchange, AbstractQueue
from pamqp.common import FieldTable

from .broker import Channel, translate_amqp_errors

#: What Enphase-API's scripts publish with and bind to.
ROUTING_KEY = "MeterStream"

#: For messages that would end a reader of Enphase-API's, since they lack one of its three reports.
PARTIAL_ROUTING_KEY = "MeterStream.partial"

#: Matches both: in a topic pattern, # matches zero or more words.
BINDING = "MeterStream.#"

#: For messages with the reports of microinverters, every five minutes if `keep_panels` is set.
INVERTERS_ROUTING_KEY = "Inverters"

#: The queue of the consumers that store readings.
DATABASE_QUEUE = "Enphase.Meters"

#: Seconds.
_TIMEOUT = 10

#: Quorum queues are synced to disk before a publisher gets its confirmation. From RabbitMQ 4.0 on they throw
#: away what came back 20 times, which a long outage can do to a good message; -1, which means never there,
#: makes 3.10 throw it away at once. So many times never come.
_ARGUMENTS: FieldTable = {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000}


async def declare_exchange(channel: Channel) -> AbstractExchange:
    """Return the exchange that readings are published to.

    Raises BrokerError.
    """
    name = channel.broker.exchange
    with translate_amqp_errors(f"{channel.broker}: exchange {name}"):
        return await channel.amqp.declare_exchange(name, ExchangeType.TOPIC, durable=True, timeout=_TIMEOUT)


async def declare_queue(channel: Channel, exchange: AbstractExchange, name: str) -> AbstractQueue:
    """Return the durable queue of this name, which takes all readings from now on.

    Raises BrokerError.
    """
    with translate_amqp_errors(f"{channel.broker}: queue {name}"):
        queue = await channel.amqp.declare_queue(name, durable=True, arguments=_ARGUMENTS, timeout=_TIMEOUT)
        for binding in (BINDING, INVERTERS_ROUTING_KEY):
            await queue.bind(exchange, binding, timeout=_TIMEOUT)
        return queue


async def declare_dead_letters(channel: Channel) -> AbstractExchange:
    """Return the exchange for what cannot be read, with a durable queue of the same name that keeps it.

    Raises BrokerError.
    """
    name = f"{channel.broker.exchange}.DeadLetter"
    with translate_amqp_errors(f"{channel.broker}: exchange and queue {name}"):
        exchange = await channel.amqp.declare_exchange(
            name, ExchangeType.FANOUT, durable=True, timeout=_TIMEOUT
        )
        queue = await channel.amqp.declare_queue(name, durable=True, arguments=_ARGUMENTS, timeout=_TIMEOUT)
        await queue.bind(exchange, timeout=_TIMEOUT)
        return exchange
