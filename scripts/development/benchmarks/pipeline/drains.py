"""Full queues drained into MariaDB: by one, two and three consumers, and by consumers written by hand."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from enphase_companion.message import OutgoingMessage, build_reports, encode

from ..measures import BenchmarkError
from ..meter_messages import build_message
from ..results import Result, middle
from . import commands
from .run import Run
from .servers import fill_queue

#: Messages of a round; a consumer written by hand, which is far slower, gets fewer.
_MESSAGES, _BY_HAND = 20_000, 2_000
_QUICK = 1_000


def build_messages(count: int) -> Iterator[OutgoingMessage]:
    """Yield what a gateway with three meters of three phases sent in the last `count` seconds."""
    first = int(time.time()) - count
    for second in range(first, first + count):
        message = build_message(second)
        body = encode(message, build_reports(message))
        yield OutgoingMessage(uuid.uuid4().hex, message.gateway, "", body)


def one_commit_a_message(run: Run) -> Iterator[Result]:
    """Yield the rate of one consumer beside one by hand that stores row by row."""
    yield _beside_by_hand(run, "row", "store_against_one_commit_a_message")


def executemany(run: Run) -> Iterator[Result]:
    """Yield the rate of one consumer beside one by hand that stores each message by `executemany`."""
    yield _beside_by_hand(run, "executemany", "store_against_executemany")


def two(run: Run) -> Iterator[Result]:
    """Yield the rate of two consumers of one queue beside one."""
    yield _several(run, 2, "consumers_two")


def three(run: Run) -> Iterator[Result]:
    """Yield the rate of three consumers of one queue beside one."""
    yield _several(run, 3, "consumers_three")


def against(run: Run) -> Iterator[Result]:
    """Yield the rate and the memory of one consumer beside that of the build `against`."""
    memory: tuple[list[float], list[float]] = ([], [])

    def drain(build: Path | None, memory: list[float]) -> float:
        return _drain(run, build=build, memory=memory)

    rates = run.alternate(lambda: drain(None, memory[0]), lambda: drain(run.against, memory[1]))
    yield Result("pipeline", "drain_against_build", "messages/s", *map(middle, rates))
    yield Result("pipeline", "memory_against_build", "MB", *map(middle, memory))


def _beside_by_hand(run: Run, how: str, figure: str) -> Result:
    rates = run.alternate(lambda: _drain(run), lambda: _drain_by_hand(run, how))
    return Result("pipeline", figure, "messages/s", *map(middle, rates))


def _several(run: Run, count: int, figure: str) -> Result:
    rates = run.alternate(lambda: _drain(run, count), lambda: _drain(run))
    return Result("pipeline", figure, "messages/s", *map(middle, rates))


def _drain(
    run: Run, consumers: int = 1, build: Path | None = None, memory: list[float] | None = None
) -> float:
    """Fill a queue, drain it into a new database by this number of processes; return messages per second."""
    count = run.count(_MESSAGES, _QUICK)
    queue = asyncio.run(fill_queue(run.servers.broker, build_messages(count)))
    with run.servers.new_database() as database, ExitStack() as stack:
        settings = {
            "ENPHASE_AMQP_URL": run.servers.broker.url,
            "ENPHASE_AMQP_QUEUE": queue,
            "ENPHASE_DATABASE_URL": database,
        }
        folder = run.servers.new_folder()
        started = [
            stack.enter_context(commands.running("amqp_database_meters", settings, folder, build))
            for _ in range(consumers)
        ]
        rate = commands.wait_for(started, "messages_stored_total", count)
        if memory is not None:
            memory.append(sum(command.memory for command in started) / 2**20)
        return rate


def _drain_by_hand(run: Run, how: str) -> float:
    count = min(_BY_HAND, run.count(_BY_HAND, _QUICK // 2))
    queue = asyncio.run(fill_queue(run.servers.broker, build_messages(count)))
    with run.servers.new_database() as database:
        words = [run.servers.broker.url, queue, database, str(count), how]
        done = subprocess.run(
            [sys.executable, "-m", f"{__package__}.handwritten", *words],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise BenchmarkError(f"the consumer by hand failed:\n{done.stderr[-2000:]}")
    return float(done.stdout)
