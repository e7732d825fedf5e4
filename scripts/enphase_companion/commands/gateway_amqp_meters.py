"""enphase-gateway-amqp-meters: what a gateway's meters read, to RabbitMQ, through every outage."""

# ruff: noqa: PLC0415 - what is imported inside functions is what --help should not wait for

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..settings.keys import AMQP_KEYS
from ..settings.options import add_settings, new_parser

if TYPE_CHECKING:
    from ..running.service import Service

NAME = "enphase-gateway-amqp-meters"
FILE = "credentials_token.json"
KEYS = (
    "gateway_host",
    "gateway_serial_number",
    "gateway_token",
    "interval",
    *AMQP_KEYS,
    "amqp_queues",
    "spool_file",
    "spool_limit",
    "metrics",
)

_MEGABYTE = 1_000_000


def parser() -> argparse.ArgumentParser:
    """Give the options of this command."""
    result = new_parser(
        "Read the meters of an Enphase IQ Gateway at a steady rate and publish each reading to RabbitMQ.\n"
        "What the broker cannot take waits on disk, and is sent in order when it is back.",
        examples=[
            (
                "enphase-gateway-console --trust",
                "first of all: look at the gateway's certificate and trust it",
            ),
            (NAME, "publish once a second, until Ctrl-C or SIGTERM"),
            (f"{NAME} --interval 5 --amqp-host broker.example", "every 5 seconds, to a broker elsewhere"),
        ],
        notes=(
            f"{FILE} holds the gateway's token. A refused token or certificate does not end this\n"
            "command: it says so, sends nothing, and goes on when the file has changed.\n\n"
            "exit status: 0 ended by Ctrl-C or SIGTERM, 1 it cannot work, 2 wrong usage or settings"
        ),
    )
    add_settings(result, KEYS)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and give its exit status."""
    arguments = parser().parse_args(argv)
    from ..running.command import run

    return run(arguments, _publish)


def _publish(arguments: argparse.Namespace) -> int:
    from ..running.service import run

    run(lambda service: _published(service, arguments))
    return 0


async def _published(service: Service, arguments: argparse.Namespace) -> None:
    from ..delivery.outbox import Outbox
    from ..delivery.spool import Spool
    from ..messaging.broker import Broker
    from ..messaging.publisher import Publisher
    from ..running.figures import Figures
    from ..running.service import state_file
    from ..settings.reading import read
    from ..source.polling import Poller

    settings = read(FILE, KEYS, arguments)
    figures = Figures()
    if settings.metrics is not None:
        figures.serve(settings.metrics)
    publisher = Publisher(Broker.from_settings(settings), settings.amqp_queues, NAME)
    file = settings.spool_file or state_file("gateway_amqp_meters.spool")

    def status() -> str:
        trouble = poller.trouble or publisher.trouble.text
        counts = (
            f"{figures['published']:g} published, {figures['waiting']:g} waiting, {figures['dropped']:g} lost"
        )
        return f"{counts}. {trouble}" if trouble else counts

    poller = Poller(
        settings, lambda: read(FILE, KEYS, arguments), settings.interval, service, figures, status
    )
    with Spool(file, settings.spool_limit * _MEGABYTE) as spool:
        async with Outbox(publisher, spool, figures, on_safe=service.ready) as outbox:
            print(
                f"Readings of {settings.gateway_host} go to {publisher.broker}, exchange "
                f"{settings.amqp_exchange}, every {settings.interval:g} s. Ctrl-C ends it.",
                flush=True,
            )
            await poller.run(outbox.send)
