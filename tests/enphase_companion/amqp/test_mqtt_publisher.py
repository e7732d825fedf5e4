"""The publisher for MQTT clients, with a broker: what it announces, and that it never disturbs readings."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from enphase_companion.amqp import mqtt_publisher
from enphase_companion.amqp.broker import Broker
from tests.services.mosquitto import Subscriber, publish, subscribe
from tests.services.rabbitmq import RabbitMQ

from ..amqp_helpers import SERIAL, build_message, wait_until
from .mqtt_helpers import config_topic, publish_reading, run_publishers, state_topic

OTHER_SERIAL = "122300000002"


def has_states(subscriber: Subscriber, count: int) -> bool:
    return len(subscriber.payloads(state_topic())) == count


@pytest.fixture
def broker(mqtt_broker: RabbitMQ, exchange_name: str) -> Broker:
    if not mqtt_broker.is_running:
        mqtt_broker.start()
    return Broker(mqtt_broker.url, exchange_name)


@pytest.fixture
def subscriber(broker: Broker, mqtt_broker: RabbitMQ, tmp_path: Path) -> Iterator[Subscriber]:
    """Yield an MQTT client that has subscribed to everything."""
    with subscribe(mqtt_broker.mqtt_port, "#", tmp_path / "subscriber") as subscriber:
        yield subscriber


async def test_the_sensors_are_announced_again_when_home_assistant_is_online(
    broker: Broker, mqtt_broker: RabbitMQ, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt_publisher, "_STATE_DELAY", 0.5)
    async with run_publishers(broker) as (_, mqtt):
        mqtt.update(build_message(1))
        await wait_until(lambda: has_states(subscriber, 2))
        await asyncio.to_thread(publish, mqtt_broker.mqtt_port, "homeassistant/status", "offline")
        await asyncio.to_thread(publish, mqtt_broker.mqtt_port, "homeassistant/status", "online")
        await wait_until(lambda: has_states(subscriber, 3))
    topics = [topic for topic, _ in subscriber.messages]
    status = ["homeassistant/status"] * 2
    # The new sensors get the latest state, although no reading is newer.
    assert topics == [config_topic(), *[state_topic()] * 2, *status, config_topic(), state_topic()]
    assert subscriber.payloads(config_topic())[0] == subscriber.payloads(config_topic())[1]


async def test_a_client_that_says_online_again_and_again_is_answered_every_five_seconds(
    broker: Broker, mqtt_broker: RabbitMQ, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt_publisher, "_LEAST_INTERVAL", 1_000)
    async with run_publishers(broker) as (_, mqtt):
        mqtt.update(build_message(1))
        await wait_until(lambda: subscriber.payloads(config_topic()))
        for number in (2, 3, 4):
            await asyncio.to_thread(publish, mqtt_broker.mqtt_port, "homeassistant/status", "online")
            mqtt.update(build_message(number))
            await wait_until(lambda: subscriber.payloads(state_topic()))
    assert len(subscriber.payloads(config_topic())) == 1


async def test_sensors_of_a_meter_that_appears_later_are_added_and_those_of_a_missing_one_are_unknown(
    broker: Broker, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only new readings are published, however slow the machine is.
    monkeypatch.setattr(mqtt_publisher, "_STATE_DELAY", 1_000)
    both = build_message(1)
    production = tuple(each for each in both.samples if each.measurement == "production")
    async with run_publishers(broker) as (_, mqtt):
        for number, samples in enumerate((production, both.samples, production)):
            mqtt.update(build_message(1, samples=samples))
            await wait_until(partial(has_states, subscriber, number + 1))
    first, second = subscriber.payloads(config_topic())
    assert "grid_power" not in first["components"]
    assert second["components"].keys() > first["components"].keys()
    states = subscriber.payloads(state_topic())
    assert "grid_power" not in states[0]
    assert states[1]["grid_power"] == 101
    assert states[2]["grid_power"] is None
    assert states[2]["production_power"] == 101


async def test_each_gateway_has_its_own_device_and_topic(
    broker: Broker, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt_publisher, "_STATE_DELAY", 1_000)
    async with run_publishers(broker) as (_, one), run_publishers(broker) as (_, two):
        one.update(build_message(1))
        two.update(build_message(2, gateway=OTHER_SERIAL))
        await wait_until(lambda: len(subscriber.messages) == 4)
    configs = [subscriber.payloads(config_topic(each))[0] for each in (SERIAL, OTHER_SERIAL)]
    assert len({config["state_topic"] for config in configs}) == 2
    unique_ids = [
        {component["unique_id"] for component in config["components"].values()} for config in configs
    ]
    assert not unique_ids[0] & unique_ids[1]
    assert subscriber.payloads(state_topic(OTHER_SERIAL))[0]["production_power"] == 102


async def test_it_announces_again_after_an_outage_which_the_publisher_alone_reports(
    broker: Broker, mqtt_broker: RabbitMQ, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with run_publishers(broker) as (_, mqtt):
        mqtt.update(build_message(1))
        await wait_until(lambda: mqtt._sensors)
        await asyncio.to_thread(mqtt_broker.kill)
        await asyncio.sleep(3)
        mqtt.update(build_message(2))
        await asyncio.to_thread(mqtt_broker.start)
        with subscribe(mqtt_broker.mqtt_port, "#", tmp_path / "later") as subscriber:
            mqtt.update(build_message(3))
            await wait_until(lambda: subscriber.payloads(state_topic()), within=60)
            await asyncio.to_thread(publish, mqtt_broker.mqtt_port, "homeassistant/status", "online")
            await wait_until(lambda: subscriber.payloads(config_topic()))
        assert mqtt.problem.text is None
    assert subscriber.payloads(state_topic())[-1]["production_power"] == 103
    assert not [each for each in caplog.messages if "MQTT discovery" in each]


async def test_without_the_plug_in_one_line_says_so_and_readings_are_published(
    rabbitmq: RabbitMQ, exchange_name: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt_publisher, "_ANNOUNCE_INTERVAL", 0)
    async with run_publishers(Broker(rabbitmq.url, exchange_name)) as (publisher, mqtt):
        for number in range(5):
            mqtt.update(build_message(number))
            await publish_reading(publisher, build_message(number))
            await asyncio.sleep(0.2)
        assert mqtt.problem.text is None
    (line,) = caplog.messages
    assert "no MQTT client takes the discovery messages: enable RabbitMQ's plug-in rabbitmq_mqtt" in line


async def test_a_missing_permission_is_one_line_and_readings_are_published(
    rabbitmq: RabbitMQ, exchange_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    user = f"user{exchange_name.removeprefix('Enphase.')}"
    rabbitmq.control("add_user", user, user)
    rabbitmq.control("set_permissions", user, *["^Enphase.*"] * 3)
    broker = Broker(rabbitmq.url.replace("guest:guest", f"{user}:{user}"), exchange_name)
    async with run_publishers(broker) as (publisher, mqtt):
        for number in range(8):
            mqtt.update(build_message(number))
            await publish_reading(publisher, build_message(number))
            await asyncio.sleep(0.5)
        assert mqtt.problem.text is not None
        rabbitmq.control("set_permissions", user, "^Enphase.*", *["^(Enphase.*|amq[.]topic)$"] * 2)
        await wait_until(lambda: mqtt.problem.text is None, within=60)
    warnings = [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
    assert warnings[0] == (
        f"127.0.0.1:{rabbitmq.port}: MQTT discovery by exchange amq.topic and queue "
        f"{exchange_name}.HomeAssistant.* (access refused: grant the user permissions to configure, write "
        "and read there)"
    )
    assert "MQTT discovery works again" in warnings
    assert len([each for each in warnings if "access refused" in each]) == 1
