"""enphase-gateway-amqp-meters: what a gateway's meters read, to RabbitMQ, through every outage."""

# ruff: noqa: PLC0415 - --help does not wait for what is imported inside functions

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from ..config.command_line import (
    ACCESS,
    NEVER_ENDS,
    TRUST_FIRST,
    UNTIL_ENDED,
    add_settings,
    new_parser,
)
from ..config.settings import AMQP_KEYS, SOURCE_KEYS
from ..runtime.main import serve

if TYPE_CHECKING:
    from ..message import Message
    from ..runtime.service import Service

NAME = "enphase-gateway-amqp-meters"
KEYS = (
    *SOURCE_KEYS,
    "interval",
    "keep_panels",
    *AMQP_KEYS,
    "amqp_queues",
    "mqtt_discovery",
    "spool_file",
    "spool_limit",
    "metrics_port",
    "metrics_host",
)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    result = new_parser(
        "Read the meters of an Enphase IQ Gateway at a steady rate and publish each reading to RabbitMQ.\n"
        "What the broker cannot take waits on disk, and is sent in order when it is back.",
        examples=[
            TRUST_FIRST,
            (NAME, "publish once a second, until Ctrl-C or SIGTERM"),
            (f"{NAME} --interval 5 --amqp-host broker.example", "every 5 seconds, to a broker elsewhere"),
            (f"{NAME} --mqtt-discovery", "also as sensors of Home Assistant's MQTT integration"),
        ],
        notes=f"{ACCESS}\n{NEVER_ENDS}\n\n{UNTIL_ENDED}",
    )
    add_settings(result, KEYS)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return serve(build_parser().parse_args(argv), _publish)


async def _publish(service: Service, arguments: argparse.Namespace) -> None:
    from ..amqp.broker import Broker
    from ..amqp.mqtt_publisher import MqttPublisher
    from ..amqp.publisher import Publisher
    from ..config.loader import load_settings
    from ..delivery.sender import Sender
    from ..delivery.spool import Spool
    from ..gateway.inverters import POLL_INTERVAL
    from ..home_assistant.source import open_source
    from ..runtime.errors import join_clauses
    from ..runtime.metrics import Metrics

    settings = load_settings(KEYS, arguments)
    metrics = Metrics(settings.metrics_port, settings.metrics_host)
    publisher = Publisher(Broker.from_settings(settings), settings.amqp_queues, NAME)

    def status() -> str:
        problem = source.problem or sender.problem or mqtt.problem.text
        counts = (
            f"{metrics['messages_published']:g} published, {metrics['spool_messages']:g} in the spool, "
            f"{metrics['messages_dropped']:g} dropped"
        )
        return join_clauses(counts, problem)

    async def take(message: Message) -> None:
        await sender.send(message)
        if message.samples:
            mqtt.update(message)

    source = open_source(settings, lambda: load_settings(KEYS, arguments), service, metrics, status)
    mqtt = MqttPublisher(publisher, NAME, interval=source.interval, inverter_interval=POLL_INTERVAL)
    async with (
        Spool.from_settings(settings, "gateway_amqp_meters.spool", metrics, on_safe=service.ready) as spool,
        # MQTT clients may be all that is wanted.
        Sender(publisher, spool, metrics, warn_if_unwanted=not settings.mqtt_discovery) as sender,
        service.beside(mqtt.run()) if settings.mqtt_discovery else nullcontext(),
    ):
        print(
            f"Readings of {source.name} go to {publisher.broker}, exchange "
            f"{settings.amqp_exchange}, {source.pace}. Ctrl-C ends it.",
            flush=True,
        )
        service.report()
        await source.run(take)
