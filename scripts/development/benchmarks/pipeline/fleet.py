"""A thousand gateways, at one reading a second each and more often, through the broker into MariaDB."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from array import array
from collections.abc import Iterator
from contextlib import ExitStack
from statistics import quantiles

from ..measures import BenchmarkError
from ..results import Result, middle
from . import commands
from .run import Run
from .servers import fill_queue

#: Seconds of load, and to check that it works.
_SECONDS, _QUICK = 60, 8

#: Seconds of the beginning that are left out: the first reading of each gateway makes its row.
_WARM_UP = 5

_CEILING = (3_000, 5_000)


def thousand(run: Run) -> Iterator[Result]:
    """Yield milliseconds from the publisher's clock to the commit: one consumer as installed.

    The reference is a flush interval of 0: each batch is stored at once.
    """
    default, _, _ = _load(run, 1_000, 1)
    at_once, _, _ = _load(run, 1_000, 1, "--flush-interval", "0")
    for name, index in (("p50", 49), ("p99", 98)):
        yield Result(
            "pipeline", f"fleet_1000_{name}", "ms", middle([default[index]]), middle([at_once[index]])
        )


def ceiling(run: Run) -> Iterator[Result]:
    """Yield the messages per second that two consumers store while they are sent, beside those sent."""
    for rate in _CEILING:
        _, stored, sent = _load(run, rate, 2)
        yield Result("pipeline", f"fleet_ceiling_{rate}", "messages/s", middle([stored]), middle([sent]))


def _load(run: Run, rate: int, consumers: int, *words: str) -> tuple[list[float], float, float]:
    """Return percentiles of the time to the commit (ms), and messages per second stored in time, and sent."""
    seconds = _QUICK if run.quick else _SECONDS
    url, queue = run.servers.broker.url, asyncio.run(fill_queue(run.servers.broker, ()))
    folder = run.servers.new_folder()
    files = [folder / f"latencies.{number}" for number in range(consumers)]
    with run.servers.new_database() as database:
        settings = {
            "ENPHASE_AMQP_URL": url,
            "ENPHASE_AMQP_QUEUE": queue,
            "ENPHASE_DATABASE_URL": database,
        }
        with ExitStack() as stack:
            started = [
                stack.enter_context(
                    commands.running(
                        "amqp_database_meters",
                        settings,
                        folder,
                        words=words,
                        program=["-m", f"{__package__}.timed_consumer", str(file)],
                    )
                )
                for file in files
            ]
            for command in started:
                command.wait_until_started()
            loading = [sys.executable, "-m", f"{__package__}.load", url, queue, str(rate), str(seconds)]
            done = subprocess.run(loading, capture_output=True, text=True, check=False)
            if done.returncode:
                raise BenchmarkError(f"the publisher failed:\n{done.stderr[-2000:]}")
            sent, stored = int(done.stdout), sum(each.metric("messages_stored_total") for each in started)
            commands.wait_for(started, "messages_stored_total", sent)
        latencies = array("d")
        for file in files:
            found = array("d", file.read_bytes())
            latencies.extend(found[len(found) * _WARM_UP // seconds :])
    percentiles = quantiles((each * 1000 for each in latencies), n=100)
    return percentiles, stored / seconds, sent / seconds
