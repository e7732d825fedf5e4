"""enphase-amqp-database-meters: store readings from RabbitMQ in a database, each exactly once."""

# ruff: noqa: PLC0415 - --help does not wait for what is imported inside functions

from __future__ import annotations

import argparse
import gc
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..config.command_line import UNTIL_ENDED, add_settings, new_parser
from ..config.settings import AMQP_KEYS, DATABASE_KEYS
from ..runtime.main import serve

if TYPE_CHECKING:
    from ..message import Message
    from ..runtime.service import Service

NAME = "enphase-amqp-database-meters"
KEYS = (
    "gateway_serial_number",
    *AMQP_KEYS,
    "amqp_queue",
    *DATABASE_KEYS,
    "time_zone",
    "batch_size",
    "flush_interval",
    "metrics_port",
    "metrics_host",
)

#: Seconds that messages wait for their batch by default: short, as the queue keeps them meanwhile.
_FLUSH_INTERVAL = 0.25

#: New objects after which Python looks for unreachable cycles. The messages of a batch are some thousand
#: objects without any: with Python's default of 2,000, a quarter of the time would be spent looking.
_GC_THRESHOLD = 20_000


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    result = new_parser(
        "Store readings of Enphase IQ Gateways from RabbitMQ in a database, and roll them up to minutes,\n"
        "quarter-hours and days. A reading is acknowledged when it is on the disk of the database.",
        examples=[
            (NAME, "store readings until Ctrl-C or SIGTERM"),
            (f"{NAME} --flush-interval 10", "write to the disk at most every 10 seconds"),
        ],
        notes=(
            "Several may run at the same time: each reading is stored by one of them. If the broker or the\n"
            "database is unavailable, it logs a warning and waits. Messages of Enphase-API's scripts name\n"
            f"no gateway: set gateway_serial_number for them.\n\n{UNTIL_ENDED}"
        ),
    )
    add_settings(result, KEYS)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return serve(build_parser().parse_args(argv), _store)


async def _store(service: Service, arguments: argparse.Namespace) -> None:
    from ..amqp.broker import Broker
    from ..amqp.consumer import Consumer, StoreError
    from ..config.loader import load_settings
    from ..delivery.sink import Sink
    from ..message import MessageError
    from ..runtime.errors import join_clauses
    from ..runtime.metrics import Metrics
    from ..storage import Database, StorageError, UnstorableError
    from ..storage.address import database_address, database_zone

    gc.set_threshold(_GC_THRESHOLD)
    settings = load_settings(KEYS, arguments)
    metrics = Metrics(settings.metrics_port, settings.metrics_host)
    flush_interval = _FLUSH_INTERVAL if settings.flush_interval is None else settings.flush_interval
    async with Database(database_address(settings), database_zone(settings)) as database:
        sink = Sink(database, metrics, flush_interval)
        await service.unless_stopped(sink.begin())

        async def write(messages: Sequence[Message]) -> None:
            try:
                await sink.write(messages)
            except UnstorableError as error:
                raise MessageError(str(error)) from error
            except StorageError as error:
                raise StoreError(join_clauses(str(error), "readings wait in the queue")) from error

        def alive() -> None:
            if consumer.problem is None:
                service.ready()
            counts = (
                f"{metrics['messages_stored']:g} stored, "
                f"{metrics['messages_dead_lettered']:g} dead-lettered, "
                f"{metrics['readings_refused']:g} readings refused"
            )
            service.alive(join_clauses(counts, consumer.problem))

        broker = Broker.from_settings(settings)
        consumer = Consumer(
            broker,
            settings.amqp_queue,
            write,
            metrics,
            name=NAME,
            default_gateway=settings.gateway_serial_number,
            batch=settings.batch_size,
            age=flush_interval,
            alive=alive,
        )
        print(
            f"Readings of queue {settings.amqp_queue} on {broker} go to {database.name}. Ctrl-C ends it.",
            flush=True,
        )
        service.report()
        async with service.beside(sink.roll_up()):
            await consumer.run(service.stopping)
