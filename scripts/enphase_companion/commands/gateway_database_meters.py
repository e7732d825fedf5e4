"""enphase-gateway-database-meters: store a gateway's readings in a database, through every outage."""

# ruff: noqa: PLC0415 - --help does not wait for what is imported inside functions

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..config.command_line import (
    ACCESS,
    NEVER_ENDS,
    TRUST_FIRST,
    UNTIL_ENDED,
    add_settings,
    new_parser,
)
from ..config.settings import DATABASE_KEYS, SOURCE_KEYS
from ..runtime.main import serve

if TYPE_CHECKING:
    from ..runtime.service import Service

NAME = "enphase-gateway-database-meters"
KEYS = (
    *SOURCE_KEYS,
    "interval",
    "keep_panels",
    *DATABASE_KEYS,
    "time_zone",
    "batch_size",
    "flush_interval",
    "spool_file",
    "spool_limit",
    "metrics_port",
    "metrics_host",
)

#: Seconds that readings wait for their batch by default: each batch writes pages of the database, and an SD
#: card wears out.
_FLUSH_INTERVAL = 5.0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    result = new_parser(
        "Read the meters of an Enphase IQ Gateway at a fixed rate, store the readings in a database, and\n"
        "roll them up to minutes, quarter-hours and days. While the database is unavailable, readings wait\n"
        "on disk.",
        examples=[
            TRUST_FIRST,
            (NAME, "store a reading per second in enphase.db, until Ctrl-C or SIGTERM"),
            (f"{NAME} --interval 5 --flush-interval 60", "read every 5 seconds, write once a minute"),
        ],
        notes=f"{ACCESS}\n{NEVER_ENDS}\n\n{UNTIL_ENDED}",
    )
    add_settings(result, KEYS)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return serve(build_parser().parse_args(argv), _store)


async def _store(service: Service, arguments: argparse.Namespace) -> None:
    from ..config.loader import load_settings
    from ..delivery.forwarder import Forwarder
    from ..delivery.sink import Sink
    from ..delivery.spool import Spool
    from ..home_assistant.source import open_source
    from ..runtime.errors import join_clauses
    from ..runtime.metrics import Metrics
    from ..storage import Database
    from ..storage.address import database_address, database_zone

    settings = load_settings(KEYS, arguments)
    metrics = Metrics(settings.metrics_port, settings.metrics_host)

    def status() -> str:
        problem = source.problem or forwarder.problem
        counts = (
            f"{metrics['messages_stored']:g} stored, {metrics['spool_messages']:g} in the spool, "
            f"{metrics['messages_dropped']:g} dropped, {metrics['readings_refused']:g} readings refused"
        )
        return join_clauses(counts, problem)

    source = open_source(settings, lambda: load_settings(KEYS, arguments), service, metrics, status)
    flush_interval = _FLUSH_INTERVAL if settings.flush_interval is None else settings.flush_interval
    async with (
        Spool.from_settings(
            settings,
            "gateway_database_meters.spool",
            metrics,
            age=flush_interval + 1,
            on_safe=service.ready,
        ) as spool,
        Database(database_address(settings), database_zone(settings)) as database,
    ):
        sink = Sink(database, metrics, flush_interval)
        await service.unless_stopped(sink.begin())
        forwarder = Forwarder(spool, sink.write, metrics, batch=settings.batch_size, age=flush_interval)
        print(
            f"Readings of {source.name} go to {database.name}, {source.pace}. Ctrl-C ends it.",
            flush=True,
        )
        service.report()
        try:
            async with service.beside(sink.roll_up()), service.beside(forwarder.run()):
                await source.run(forwarder.take)
        finally:
            await forwarder.finish()
