"""A separate process for what is measured, so that its CPU time and memory are its own."""

from __future__ import annotations

import asyncio
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .loop import OccupiedLoop
from .measures import Announcement, BenchmarkError, Cost, Disturbance, Gateway, import_paths, resident_memory


class Process:
    """A subject of `subjects.py` in its process."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def set_up(self, **options: Any) -> float:
        """Set the integration up, again if it is there; return the seconds until it has its states."""
        return float(self._ask("set_up", options=options))

    def enable_all(self) -> int:
        """Enable all entities; how many there are."""
        return int(self._ask("enable_all"))

    def refresh(self, seconds: float) -> Cost:
        """Refresh once; `seconds` of the house's time after the last one."""
        cost = self._ask("refresh", seconds=seconds)
        assert isinstance(cost, Cost)  # noqa: S101
        return cost

    def serve(self) -> tuple[str, str]:
        """Return the address of Home Assistant, and a token for it."""
        url, token = self._ask("serve")
        return str(url), str(token)

    def run(self, seconds: float) -> Cost:
        """Let Home Assistant run for these seconds; between two of these calls it stands still."""
        cost = self._ask("run", seconds=seconds)
        assert isinstance(cost, Cost)  # noqa: S101
        return cost

    def memory(self) -> int:
        """Bytes that the process has in memory."""
        return int(self._ask("memory"))

    def announce(
        self, announcements: Sequence[Announcement], pace: float, settling: float = 0.0
    ) -> Disturbance:
        """Announce these one by one, a pace of seconds apart, and wait until nothing works for them.

        Memory is looked at after `settling` more seconds.
        """
        disturbance = self._ask("announce", announcements=announcements, pace=pace, settling=settling)
        assert isinstance(disturbance, Disturbance)  # noqa: S101
        return disturbance

    def consume(self, bodies: Sequence[bytes]) -> tuple[float, float]:
        """Decode these messages and store them; seconds of the processor for each of both."""
        decoding, storing = self._ask("consume", bodies=bodies)
        return float(decoding), float(storing)

    def store(self, first: int, count: int) -> tuple[int, float]:
        """Store the messages of `count` seconds from `first` on; return rows and duration (s)."""
        rows, seconds = self._ask("store", first=first, count=count)
        return int(rows), float(seconds)

    def measure(self, what: str, count: int) -> float:
        """Return what this method of the subject measures with `count` messages."""
        return float(self._ask(what, count=count))

    def _ask(self, what: str, **how: Any) -> Any:
        try:
            self._connection.send((what, how))
            worked, answer = self._connection.recv()
        except (EOFError, OSError) as error:
            raise BenchmarkError(f"the measured process ended during {what!r}") from error
        if not worked:
            raise BenchmarkError(f"the measured process failed at {what!r}:\n{answer}")
        return answer


@contextmanager
def start_measured(
    subject: str, given: Gateway | str | None, build: Path | None = None, *, module: str = "subjects"
) -> Iterator[Process]:
    """Start a process with this subject, and end it with the `with`. Raises BenchmarkError if it fails.

    `module` is the one here whose SUBJECTS name it, and make it with what is `given`.
    `build` is a checkout whose product is measured instead of this one's.
    """
    # A spawned process shares no memory with this one; all input comes through a pipe, the token too.
    context = get_context("spawn")
    here, there = context.Pipe()
    child = context.Process(target=_work, args=(there, f"{module}:{subject}", given, build), daemon=True)
    child.start()
    there.close()
    process = Process(here)
    try:
        process._ask("start")
        yield process
        process._ask("stop")
    finally:
        here.close()
        child.join(10)
        child.kill()
        child.join()


def _work(connection: Connection, name: str, given: Gateway | str | None, build: Path | None) -> None:
    """Answer the requests of a connection until it is closed."""
    # Ctrl-C is for the command, which closes it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with TemporaryDirectory() as folder, asyncio.Runner(loop_factory=OccupiedLoop) as runner:
        if build is not None:
            # Before anything of the product is imported: there its packages are found first.
            sys.path[:0] = map(str, import_paths(build, Path(folder)))
        runner.run(_answer(connection, name, given))


async def _answer(connection: Connection, name: str, given: Gateway | str | None) -> None:
    module, _, name = name.partition(":")
    # Takes seconds, and needs its own loop.
    subject = import_module(f"{__package__}.{module}").SUBJECTS[name](given)
    while True:
        try:
            # The loop stands still meanwhile: between two refreshes nothing else runs.
            what, how = connection.recv()
        except EOFError:
            return
        try:
            answer = resident_memory() if what == "memory" else await getattr(subject, what)(**how)
            connection.send((True, answer))
        except Exception:  # noqa: BLE001  # whatever it is, the command's user hears it
            connection.send((False, traceback.format_exc()))
