"""One refresh of this integration beside one of the built-in enphase_envoy, or of an earlier build."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

from rich.progress import Progress

from enphase_companion.simulator.profiles import Profile

from .house import BATTERY, LARGE, THREE_PHASE, Refresh, Simulated, run_simulated
from .results import Result, middle

#: Packages whose versions are printed below the figures.
PACKAGES = ("homeassistant", "pyenphase")

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_MILLI, _KIBI = 1e3, 1 / 1024

#: Suffix of a figure's name, its house, and whether all entities are enabled.
_HOUSES = (("", THREE_PHASE, False), ("_with_battery", BATTERY, False), ("_with_everything", LARGE, True))


@dataclass(frozen=True)
class _Side:
    """One of the two that are compared: integration, client and refresh interval."""

    integration: str
    client: str
    pace: int  #: seconds between two refreshes, as installed
    fastest: int  #: seconds, the shortest that can be set
    period: int  #: seconds after which the requests repeat
    build: Path | None = None  #: the checkout that it is of, where that is not this one


_OURS = _Side("enphase_iq_gateway", "enphase_api", pace=10, fastest=1, period=900)
_ITS = _Side("enphase_envoy", "pyenphase", pace=60, fastest=60, period=60)


@dataclass(frozen=True)
class _Bench:
    """One side at its gateway."""

    side: _Side
    at: Simulated
    progress: Progress

    def set_up(self, *, everything: bool) -> int:
        """Set the integration up, with all entities, and return their number, or with the default ones."""
        self.at.process.set_up()
        return self.at.process.enable_all() if everything else 0

    def refreshes(self, seconds: int, pace: int | None = None) -> list[Refresh]:
        """Refresh for these seconds of the house's clock."""
        pace = pace or self.side.pace
        times = range(0, seconds, pace)
        return [self.at.refresh(pace) for _ in _track_progress(times, self.progress, self.side.integration)]


@dataclass
class _Run:
    """A run of the benchmark: how long its pieces are, and where it shows how far it is."""

    progress: Progress
    quick: bool
    reference: _Side

    @property
    def rounds(self) -> range:
        """Rounds of a median."""
        return range(1 if self.quick else 5)

    def seconds(self, full: int, quick: int) -> int:
        """Return the house's seconds that a piece lasts."""
        return quick if self.quick else full

    @contextmanager
    def both(self, profile: Profile, kind: str = "integration") -> Iterator[tuple[_Bench, _Bench]]:
        """Yield both sides, each at its own gateway of this profile; rounds by turns are fair."""
        with (
            run_simulated(profile, getattr(_OURS, kind)) as ours,
            run_simulated(profile, getattr(self.reference, kind), self.reference.build) as its,
        ):
            yield _Bench(_OURS, ours, self.progress), _Bench(self.reference, its, self.progress)


def run(parts: Iterable[str], progress: Progress, *, quick: bool, against: Path | None) -> Iterator[Result]:
    """Yield the figures of these parts. Raises BenchmarkError."""
    reference = replace(_OURS, build=against) if against else _ITS
    for part in parts:
        yield from _PARTS[part](_Run(progress, quick, reference))


def _track_progress(times: range, progress: Progress, what: str) -> Iterator[int]:
    """Go through `times`, with a bar as long as it takes."""
    task = progress.add_task(what, total=len(times))
    for each in times:
        yield each
        progress.advance(task)
    progress.remove_task(task)


def _result(figure: str, unit: str, ours: Iterable[float], reference: Iterable[float]) -> Result:
    return Result("refresh", figure, unit, middle(ours), middle(reference))


def _requests(run: _Run) -> Iterator[Result]:
    """Count the requests to a gateway during a day; in the large house, in three hours."""
    for suffix, profile, everything in _HOUSES:
        with run.both(profile) as both:
            days = []
            for bench in both:
                bench.set_up(everything=everything)
                period = 3 * _HOUR if everything else _DAY
                days.append(bench.refreshes(run.seconds(period, 15 * _MINUTE)))
        requests = [[len(refresh.paths) for refresh in day] for day in days]
        yield _result(f"requests_per_refresh{suffix}", "requests", *requests)
        yield _result(
            f"requests_per_refresh{suffix}_averaged", "requests", *([mean(each)] for each in requests)
        )


def _busy(run: _Run) -> Iterator[Result]:
    """Measure how long a slow gateway works for a refresh, averaged over all endpoints; in real time."""
    for suffix, profile, everything in _HOUSES:
        taken = []
        with run.both(profile) as both:
            for bench in both:
                bench.set_up(everything=everything)
                bench.at.be_slow()
                period = run.seconds(bench.side.period, _MINUTE)
                taken.append([mean(refresh.busy for refresh in bench.refreshes(period))])
        yield _result(f"gateway_busy_per_refresh{suffix}", "s", *taken)


def _cpu(run: _Run) -> Iterator[Result]:
    """Measure the CPU time of the clients alone."""
    taken: list[list[float]] = [[], []]
    with run.both(THREE_PHASE, "client") as both:
        for bench in both:
            bench.refreshes(20 * bench.side.pace)
        for _ in run.rounds:
            for bench, means in zip(both, taken, strict=True):
                refreshes = bench.refreshes(run.seconds(_HOUR, 5 * _MINUTE))
                means.append(mean(refresh.cost.cpu for refresh in refreshes) * _MILLI)
    yield _result("client_cpu_per_refresh", "ms", *taken)


def _set_up(run: _Run) -> Iterator[Result]:
    """Measure the time from set-up to states, at a fast gateway and at a slow one."""
    with run.both(THREE_PHASE) as both:
        for bench in both:
            bench.at.process.set_up()  # loads what Home Assistant loads once
        for suffix in ("", "_of_slow_gateway"):
            taken: list[list[float]] = [[], []]
            for bench in both if suffix else ():
                bench.at.be_slow()
            for _ in _track_progress(run.rounds, run.progress, "set-up"):
                for bench, seconds in zip(both, taken, strict=True):
                    seconds.append(bench.at.process.set_up())
            yield _result(f"setup_to_states{suffix}", "s", *taken)


def _load(run: _Run) -> Iterator[Result]:
    """Measure the load on Home Assistant by the large house with all entities."""
    occupied: list[list[float]] = [[], []]
    written: list[list[float]] = [[], []]
    unchanged: list[list[float]] = [[], []]
    entities: list[list[float]] = []
    with run.both(LARGE) as both:
        for bench in both:
            entities.append([bench.set_up(everything=True)])
            bench.refreshes(5 * bench.side.pace)
        for _ in run.rounds:
            for index, bench in enumerate(both):
                costs = [refresh.cost for refresh in bench.refreshes(run.seconds(_HOUR, 5 * _MINUTE))]
                occupied[index].append(mean(cost.occupied for cost in costs) * _MILLI)
                written[index].append(mean(cost.changed + cost.unchanged for cost in costs))
                unchanged[index].append(mean(cost.unchanged for cost in costs))
    yield _result("entities_with_everything", "entities", *entities)
    yield _result("event_loop_per_refresh", "ms", *occupied)
    yield _result("states_written_per_refresh", "states", *written)
    yield _result("states_written_unchanged_per_refresh", "states", *unchanged)


def _memory(run: _Run) -> Iterator[Result]:
    """Measure how Home Assistant's memory grows in a day at the shortest interval, after an hour."""
    grown = []
    with run.both(THREE_PHASE) as both:
        for bench in both:
            process = bench.at.process
            ours = bench.side.integration == _OURS.integration
            process.set_up(**({"scan_interval": bench.side.fastest} if ours else {}))
            bench.refreshes(run.seconds(_HOUR, 2 * _MINUTE), bench.side.fastest)
            before = process.memory()
            bench.refreshes(run.seconds(_DAY, 5 * _MINUTE), bench.side.fastest)
            grown.append([(process.memory() - before) * _KIBI])
    yield _result("memory", "KiB more a day", *grown)


_PARTS = {
    "requests": _requests,
    "busy": _busy,
    "cpu": _cpu,
    "set-up": _set_up,
    "load": _load,
    "memory": _memory,
}
