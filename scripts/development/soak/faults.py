"""The faults: each strikes the pipeline, lasts for a while, and is over when its function returns."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.services.server import Server

from .pipeline import Pipeline
from .programs import Program

#: Seconds of readings that a killed script may lose; docs/pipeline.md says which.
_IN_MEMORY = 3.0

Strike = Callable[[Pipeline, random.Random], None]


@dataclass(frozen=True)
class Fault:
    """A kind of fault."""

    strike: Strike
    seconds: float  #: that it takes, with the recovery


def _kill_reader(pipeline: Pipeline, program: Program, chance: random.Random) -> None:
    program.kill()
    pipeline.ledger.excuse(pipeline.serial_of(program), _IN_MEMORY)
    pipeline.rest(chance.uniform(0, 3))
    program.start()


def _kill_publisher(pipeline: Pipeline, chance: random.Random) -> None:
    _kill_reader(pipeline, chance.choice(pipeline.publishers), chance)


def _kill_direct(pipeline: Pipeline, chance: random.Random) -> None:
    _kill_reader(pipeline, chance.choice(pipeline.direct), chance)


def _kill_consumer(pipeline: Pipeline, chance: random.Random) -> None:
    program = chance.choice(pipeline.consumers)
    program.kill()
    pipeline.rest(chance.uniform(0, 5))
    program.start()


def _kill_server(pipeline: Pipeline, server: Server, chance: random.Random) -> None:
    server.kill()
    pipeline.rest(chance.uniform(0, 6))
    server.start()


def _kill_broker(pipeline: Pipeline, chance: random.Random) -> None:
    _kill_server(pipeline, pipeline.broker, chance)


def _kill_database(pipeline: Pipeline, chance: random.Random) -> None:
    _kill_server(pipeline, pipeline.database, chance)


FAULTS = {
    "kill-publisher": Fault(_kill_publisher, 10),
    "kill-consumer": Fault(_kill_consumer, 12),
    "kill-direct": Fault(_kill_direct, 10),
    "kill-broker": Fault(_kill_broker, 30),
    "kill-database": Fault(_kill_database, 25),
}
