"""enphase-gateway-database-meters: what a gateway's meters read, into a database, through every outage."""

# ruff: noqa: PLC0415 - what is imported inside functions is what --help should not wait for

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..settings.keys import DATABASE_KEYS
from ..settings.options import add_settings, new_parser

if TYPE_CHECKING:
    from ..running.service import Service

NAME = "enphase-gateway-database-meters"
FILE = "credentials_token.json"
KEYS = (
    "gateway_host",
    "gateway_serial_number",
    "gateway_token",
    "interval",
    *DATABASE_KEYS,
    "time_zone",
    "batch_size",
    "batch_age",
    "spool_file",
    "spool_limit",
    "metrics",
)

_MEGABYTE = 1_000_000


def parser() -> argparse.ArgumentParser:
    """Give the options of this command."""
    result = new_parser(
        "Read the meters of an Enphase IQ Gateway at a steady rate into a database, and roll the readings\n"
        "up to minutes, quarter-hours and days. What the database cannot take waits on disk.",
        examples=[
            (
                "enphase-gateway-console --trust",
                "first of all: look at the gateway's certificate and trust it",
            ),
            (NAME, "once a second into enphase.db, until Ctrl-C or SIGTERM"),
            (f"{NAME} --interval 5 --batch-age 60", "every 5 seconds; written once a minute"),
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

    return run(arguments, _store)


def _store(arguments: argparse.Namespace) -> int:
    from ..running.service import run

    run(lambda service: _stored(service, arguments))
    return 0


async def _stored(service: Service, arguments: argparse.Namespace) -> None:
    from ..delivery.relay import Relay
    from ..delivery.spool import Spool
    from ..delivery.store import Store
    from ..running.figures import Figures
    from ..running.service import state_file
    from ..settings.database import database_address, database_zone
    from ..settings.reading import read
    from ..source.polling import Poller
    from ..storage import Database

    settings = read(FILE, KEYS, arguments)
    figures = Figures()
    if settings.metrics is not None:
        figures.serve(settings.metrics)
    file = settings.spool_file or state_file("gateway_database_meters.spool")

    def status() -> str:
        trouble = poller.trouble or relay.trouble
        counts = f"{figures['stored']:g} stored, {figures['waiting']:g} waiting, {figures['dropped']:g} lost"
        return f"{counts}. {trouble}" if trouble else counts

    poller = Poller(
        settings, lambda: read(FILE, KEYS, arguments), settings.interval, service, figures, status
    )
    with Spool(file, settings.spool_limit * _MEGABYTE) as spool:
        async with Database(database_address(settings), database_zone(settings)) as database:
            store = Store(database)
            await service.unless_stopped(store.begin())
            relay = Relay(
                spool,
                store.write,
                figures,
                batch=settings.batch_size,
                age=settings.batch_age,
                on_safe=service.ready,
            )
            print(
                f"Readings of {settings.gateway_host} go to {database.place}, every "
                f"{settings.interval:g} s. Ctrl-C ends it.",
                flush=True,
            )
            try:
                async with service.beside(store.roll_up()), service.beside(relay.run()):
                    await poller.run(relay.take)
            finally:
                await relay.finish()
