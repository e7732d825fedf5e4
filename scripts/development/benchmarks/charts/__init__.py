"""Charts of a database of one-second readings, as whole processes, beside bare matplotlib scripts."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

import numpy as np
from rich.progress import Progress

from enphase_companion.charts.drawing import DOTS_WIDE
from enphase_companion.charts.load import Request, load, load_heat_map
from enphase_companion.charts.model import Quantity, View
from enphase_companion.charts.style import LOOKS
from enphase_companion.charts.time_range import parse
from enphase_companion.storage import Database

from ..measures import BenchmarkError
from ..results import Result, middle
from . import bare
from .one_second_readings import START, ZONE, fill, kept_file

#: Packages whose versions are printed below the figures.
PACKAGES = ("matplotlib", "numpy", "SQLAlchemy")

_ROUNDS, _ROUNDS_QUICK = 7, 1
_DAYS, _DAYS_QUICK = 365, 2

#: What `--range` says for each part: `year`, `month` and `day` themselves would end now.
_RANGES = {
    "year": "2025-07-01..2026-06-30",
    "month": "2025-07-01..2025-07-31",
    "day": "2025-07-02",
    "heatmap": "2025-07-01..2026-06-30",
}


@dataclass(frozen=True)
class _Cost:
    """Of a whole process."""

    seconds: float
    cpu: float  #: seconds of the processor, which other programs lengthen less
    megabytes: float


@dataclass(frozen=True)
class _Run:
    """The database, a folder for pictures, and how often is measured."""

    url: str
    folder: Path
    rounds: int
    progress: Progress

    def compare(self, ours: list[str], reference: list[str]) -> tuple[list[_Cost], list[_Cost]]:
        """Run both in turn, after a first time of each that does not count."""
        costs: tuple[list[_Cost], list[_Cost]] = ([], [])
        for number in self.progress.track(range(self.rounds + 1), description="drawing"):
            both = [(ours, costs[0]), (reference, costs[1])]
            for command, found in both if number % 2 else reversed(both):
                found.append(_measure(command, self.url))
        return costs[0][1:], costs[1][1:]


def run(
    parts: Iterable[str],
    progress: Progress,
    *,
    quick: bool,
    against: Path | None,  # noqa: ARG001 - all benchmarks have it
    days: int | None = None,
    mariadb: bool = False,
) -> Iterator[Result]:
    """Yield the figures of these parts. Raises BenchmarkError."""
    count = days or (_DAYS_QUICK if quick else _DAYS)
    with ExitStack() as stack:
        if mariadb:
            # Only here: what starts a broker, too.
            from ..pipeline.servers import Servers  # noqa: PLC0415

            url = stack.enter_context(stack.enter_context(Servers()).new_database())
        else:
            url = f"sqlite:///{kept_file(count)}"
        fill(url, count, progress)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        measured = _Run(url, folder, _ROUNDS_QUICK if quick else _ROUNDS, progress)
        for part in parts:
            if part == "raw":
                # By hand it is written for SQLite.
                yield from () if mariadb else _against_readings(measured, kept_file(count))
            else:
                yield from _against_points(measured, part)


def _against_points(measured: _Run, part: str) -> Iterator[Result]:
    """Yield time and memory of a chart, beside a script that gets the same points from a file."""
    stored, picture = measured.folder / "points.npz", str(measured.folder / "bare.png")
    np.savez(stored, **_points(asyncio.run(_load(measured.url, part))))  # type: ignore[arg-type]
    yield from _compare(measured, part, part, [sys.executable, bare.__file__, "points", str(stored), picture])


def _against_readings(measured: _Run, database: Path) -> Iterator[Result]:
    """Yield time and memory of a month, beside a script that sums up the same from single readings."""
    span = parse(_RANGES["month"]).span(ZONE, START)
    picture = str(measured.folder / "raw.png")
    bounds = [str(span.start), str(span.end)]
    script = [sys.executable, bare.__file__, "raw", str(database), *bounds, picture]
    yield from _compare(measured, "month_against_raw_rows", "month", script)


def _compare(measured: _Run, name: str, part: str, reference: list[str]) -> Iterator[Result]:
    command = str(Path(sys.executable).with_name("enphase-database-pyplot-meters"))
    ours = [command, "--range", _RANGES[part], "--output", str(measured.folder / "ours.png")]
    costs = measured.compare([*ours, "--heatmap"] if part == "heatmap" else ours, reference)
    for suffix, unit, field in (("", "s", "seconds"), ("_cpu", "s", "cpu"), ("_memory", "MB", "megabytes")):
        middles = [middle(getattr(each, field) for each in side) for side in costs]
        yield Result("charts", f"{name}{suffix}", unit, *middles)


def _measure(command: list[str], url: str) -> _Cost:
    """Run a command, and return its times and the most memory that it had."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "ENPHASE_DATABASE_URL": url,
    }
    start = perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    with ThreadPoolExecutor() as watcher:
        # Not by the usage below, which begins with the memory of this process.
        peak = watcher.submit(_watch_memory, process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BenchmarkError(f"{Path(command[0]).name} failed: exit status {process.returncode}")
    return _Cost(seconds, usage.ru_utime + usage.ru_stime, peak.result())


def _watch_memory(pid: int) -> float:
    """Return the most megabytes that a process had, looked at until it has ended."""
    peak = 0
    with suppress(OSError):
        while found := re.search(r"VmHWM:\s*(\d+)", Path(f"/proc/{pid}/status").read_text()):
            peak = int(found[1])
            sleep(0.02)
    return peak / 1024


async def _load(url: str, part: str) -> View:
    async with Database(url) as database:
        request = Request(parse(_RANGES[part]), None, phases=False, dots=DOTS_WIDE)
        if part == "heatmap":
            return await load_heat_map(database, request, START, Quantity.PRODUCTION)
        return await load(database, request, START)


def _points(view: View) -> bare.Points:
    """Return what a view shows, as the other script draws it."""
    if view.heat_map is not None:
        return {"heat_map": view.heat_map.values}
    found: bare.Points = {}
    for quantity, track in view.panels[0].tracks.items():
        found[quantity.value] = LOOKS[quantity].sign * track.values
        found[f"{quantity.value}_times"] = track.times
    if view.buckets:
        found["width"] = np.array(round(median(each.length for each in view.buckets)))
    return found
