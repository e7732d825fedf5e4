"""One poll for all: Home Assistant and scripts that read from it, beside a build that polls for each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from select import select
from tempfile import TemporaryDirectory
from time import time

from rich.progress import Progress

from enphase_companion.simulator.profiles import Profile

from ..environments import ENVIRONMENTS
from ..steps import PROJECT
from .house import LARGE, THREE_PHASE, Simulated, run_simulated
from .measures import BenchmarkError, import_paths
from .results import Result, middle

#: Packages whose versions are printed below the figures.
PACKAGES = ("homeassistant", "aiohttp", "orjson")

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_MILLI, _KIBI = 1e3, 1 / 1024

#: Seconds between two readings: as installed, and the shortest.
_INSTALLED, _FASTEST = 10, 1
_LISTENERS = 10

#: What somebody runs beside Home Assistant.
_SCRIPTS = {
    "gateway_console": ("--watch", str(_INSTALLED)),
    "gateway_pyplot_meters": ("--interval", str(_INSTALLED), "--output", "live.png"),
    "gateway_database_meters": ("--interval", str(_INSTALLED)),
}

_PYTHON = ENVIRONMENTS / "scripts-3.14" / "bin" / "python"

#: Seconds until scripts and listeners are connected.
_SETTLING, _CONNECTING = 20, 60
_READINGS = "/ivp/meters/readings"


@dataclass
class _Run:
    """A run of the benchmark: its length, and its progress bar."""

    progress: Progress
    against: Path
    quick: bool

    def rounds(self, full: int) -> range:
        """Return the rounds of a median."""
        return range(1 if self.quick else full)

    def seconds(self, full: int, quick: int) -> int:
        """Return how long a piece lasts."""
        return quick if self.quick else full

    def track(self, times: range, what: str) -> Iterator[int]:
        """Go through `times` with a bar."""
        yield from self.progress.track(times, description=what)


def run(parts: Iterable[str], progress: Progress, *, quick: bool, against: Path) -> Iterator[Result]:
    """Yield the figures of these parts. Raises BenchmarkError."""
    for part in parts:
        yield from _PARTS[part](_Run(progress, against, quick))


def _result(figure: str, unit: str, ours: Iterable[float], reference: Iterable[float]) -> Result:
    return Result("one-poll", figure, unit, middle(ours), middle(reference))


@contextmanager
def _run_scripts(build: Path, settings: Mapping[str, str]) -> Iterator[None]:
    """Run the scripts of a build in a temporary folder with these settings. Raises BenchmarkError."""
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        variables = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": name,
            "PYTHONPATH": os.pathsep.join(map(str, import_paths(build, folder))),
            "ENPHASE_DATABASE_URL": f"sqlite:///{folder}/enphase.db",
            "ENPHASE_CONFIGURATION": name,
            **settings,
        }
        if "certificate" in settings:
            (folder / "gateway.cer").write_text(variables.pop("certificate"))
        started = []
        for script, words in _SCRIPTS.items():
            output = stack.enter_context((folder / f"{script}.log").open("wb"))
            process = subprocess.Popen(
                [
                    ENVIRONMENTS / "scripts-3.14" / "bin" / "python",
                    build / "scripts" / f"{script}.py",
                    *words,
                ],
                env=variables,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)
            started.append((script, process))
        yield
        for script, process in started:
            if process.poll() is not None:
                log = (folder / f"{script}.log").read_text(errors="replace")
                raise BenchmarkError(f"{script} ended with {process.returncode}: {log[-2000:]}")


def _requests(run: _Run) -> Iterator[Result]:
    """Count the requests of Home Assistant and three scripts at a gateway, in both builds at once."""
    seconds = run.seconds(_MINUTE, 30)
    with ExitStack() as stack:
        builds = (None, run.against)
        houses = [stack.enter_context(_serve(THREE_PHASE, _INSTALLED, build)) for build in builds]
        for house, build in zip(houses, builds, strict=True):
            stack.enter_context(_run_scripts(build or PROJECT, _settings(house, directly=build is not None)))
        both = stack.enter_context(ThreadPoolExecutor(len(houses)))
        polls: tuple[list[float], ...] = ([], [])
        requests: tuple[list[float], ...] = ([], [])
        list(both.map(lambda house: house.process.run(_SETTLING), houses))
        for _ in run.track(run.rounds(5), "requests"):
            for house in houses:
                house.simulator.requests.clear()
            list(both.map(lambda house: house.process.run(seconds), houses))
            for index, house in enumerate(houses):
                paths = [request.path for request in house.simulator.requests]
                requests[index].append(len(paths) * _MINUTE / seconds)
                polls[index].append(paths.count(_READINGS) * _MINUTE / seconds)
    yield _result("polls_per_minute", "requests", *polls)
    yield _result("requests_per_minute", "requests", *requests)


def _settings(house: Simulated, *, directly: bool) -> dict[str, str]:
    """Return the settings with which scripts read from a gateway, or from its Home Assistant."""
    if directly:
        simulator = house.simulator
        return {
            "ENPHASE_GATEWAY_HOST": simulator.url,
            "ENPHASE_GATEWAY_TOKEN": simulator.token(),
            "certificate": simulator.certificate_pem,
        }
    url, token = house.process.serve()
    return {"ENPHASE_HOME_ASSISTANT_URL": url, "ENPHASE_HOME_ASSISTANT_TOKEN": token}


@contextmanager
def _serve(profile: Profile, interval: int, build: Path | None = None) -> Iterator[Simulated]:
    """Yield a gateway whose Home Assistant reads it in real time."""
    with run_simulated(profile, "served", build, module="served", in_real_time=True) as house:
        house.process.set_up(scan_interval=interval)
        yield house


class _Listeners:
    """Listeners to the readings of one Home Assistant, in a process of their own."""

    def __init__(self, house: Simulated, count: int, settings: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "development.benchmarks.listeners", str(count)],
            env={**os.environ, **settings},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        output = self._process.stdout
        assert output is not None  # noqa: S101  # a pipe
        # Home Assistant stands still unless it is told to run.
        for _ in range(_CONNECTING):
            if select([output], [], [], 0)[0]:
                break
            house.process.run(1)
        else:
            raise BenchmarkError(f"the listeners did not listen within {_CONNECTING} s")
        if output.readline().strip() != "listening":
            raise BenchmarkError("the listeners could not listen")
        house.process.run(2)

    def end(self) -> list[float]:
        """End them, and return when (epoch seconds) messages were received."""
        output, _ = self._process.communicate()
        if self._process.returncode:
            raise BenchmarkError("a listener was dropped")
        return [moment for each in json.loads(output) for moment in each]


@contextmanager
def _listen(house: Simulated, count: int, settings: Mapping[str, str]) -> Iterator[list[float]]:
    """Listen `count` times meanwhile; when each message was received is in the list afterwards."""
    received: list[float] = []
    listeners = _Listeners(house, count, settings) if count else None
    try:
        yield received
    finally:
        if listeners:
            received += listeners.end()


def _latency(run: _Run) -> Iterator[Result]:
    """Measure the time from a reading's request at the gateway until each listener has it."""
    taken: tuple[list[list[float]], ...] = ([], [])
    with _serve(THREE_PHASE, _FASTEST) as house:
        settings = _settings(house, directly=False)
        for _ in run.track(run.rounds(3), "latency"):
            for listeners, side in ((_LISTENERS, taken[0]), (1, taken[1])):
                with _listen(house, listeners, settings) as received:
                    house.simulator.requests.clear()
                    begin = time()
                    house.process.run(run.seconds(_MINUTE, 10))
                requests = [each.time for each in house.simulator.requests if each.path == _READINGS]
                side.append(_delays(requests, [moment for moment in received if moment > begin]))
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        figures = ([_quantile(delays, share) * _MILLI for delays in side] for side in taken)
        yield _result(f"reading_to_listener_{name}", "ms", *figures)


def _delays(requests: list[float], received: list[float]) -> list[float]:
    """Return the time from the request before each of these moments, in order."""
    return sorted(
        moment - requests[index - 1] for moment in received if (index := bisect_right(requests, moment))
    )


def _quantile(values: list[float], share: float) -> float:
    if not values:
        raise BenchmarkError("no listener received anything")
    return values[min(int(len(values) * share), len(values) - 1)]


def _event_loop(run: _Run) -> Iterator[Result]:
    """Measure how busy the event loop is with ten listeners and with none, by turns."""
    for suffix, profile, everything in (("", THREE_PHASE, False), ("_with_everything", LARGE, True)):
        busy: tuple[list[float], ...] = ([], [])
        with _serve(profile, _FASTEST) as house:
            if everything:
                house.process.enable_all()
            settings = _settings(house, directly=False)
            house.process.run(run.seconds(_SETTLING, 2))
            for number in run.track(run.rounds(7), f"event loop{suffix}"):
                sides = [(_LISTENERS, busy[0]), (0, busy[1])]
                for listeners, side in sides if number % 2 else reversed(sides):
                    with _listen(house, listeners, settings):
                        seconds = run.seconds(20, 5)
                        side.append(house.process.run(seconds).thread / seconds * _MILLI)
        yield _result(f"event_loop_cpu_per_second{suffix}", "ms", *busy)


def _memory(run: _Run) -> Iterator[Result]:
    """Measure how Home Assistant's memory grows in a simulated day, with ten listeners and with none."""
    grown = []
    for listeners in (_LISTENERS, 0):
        with run_simulated(THREE_PHASE, "served", module="served") as house:
            house.process.set_up(scan_interval=_INSTALLED)
            with _listen(house, listeners, _settings(house, directly=False)):
                # The recorder's memory has its size after these hours, with listeners or without.
                _refresh(run, house, run.seconds(5 * _HOUR, 2 * _MINUTE))
                before = house.process.memory()
                _refresh(run, house, run.seconds(_DAY, 10 * _MINUTE))
                grown.append([(house.process.memory() - before) * _KIBI])
    yield _result("memory", "KiB more a day", *grown)


def _refresh(run: _Run, house: Simulated, seconds: int) -> None:
    for _ in run.track(range(0, seconds, _INSTALLED), "memory"):
        house.refresh(_INSTALLED)


_PARTS = {"requests": _requests, "latency": _latency, "event-loop": _event_loop, "memory": _memory}
