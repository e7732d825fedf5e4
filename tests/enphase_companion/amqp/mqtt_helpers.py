"""Both publishers on one broker, and the topics of a gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from enphase_companion.amqp.broker import Broker
from enphase_companion.amqp.mqtt_publisher import MqttPublisher
from enphase_companion.amqp.publisher import Publisher
from enphase_companion.message import Message, OutgoingMessage

from ..amqp_helpers import SERIAL, encode_for_broker


def config_topic(serial: str = SERIAL) -> str:
    return f"homeassistant/device/enphase_{serial}/config"


def state_topic(serial: str = SERIAL) -> str:
    return f"enphase/{serial}"


async def publish_reading(publisher: Publisher, message: Message) -> None:
    """Publish a reading, and assert that the broker confirms it."""
    outgoing = OutgoingMessage("id", message.gateway, "MeterStream", encode_for_broker(message))
    assert await publisher.publish([outgoing], lambda _: None, 10) == {}


@asynccontextmanager
async def run_publishers(broker: Broker) -> AsyncIterator[tuple[Publisher, MqttPublisher]]:
    """Yield the publisher of the readings and that for MQTT clients, connected."""
    publisher = Publisher(broker, [f"{broker.exchange}.Meters"], "test")
    mqtt = MqttPublisher(publisher, "test", interval=1, inverter_interval=300)
    tasks = [asyncio.create_task(publisher.run()), asyncio.create_task(mqtt.run())]
    try:
        await asyncio.wait_for(publisher.connected.wait(), 20)
        yield publisher, mqtt
        assert not any(task.done() for task in tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
