"""The cost of peers that announce themselves as gateways, compared with an earlier build."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count, cycle, islice
from pathlib import Path

from rich.progress import Progress

from .house import THREE_PHASE, Simulated, run_simulated
from .measures import Announcement, Disturbance
from .results import Result, middle
from .strangers import KINDS, Stranger, listen_on_loopback

#: Packages whose versions are printed below the figures.
PACKAGES = ("homeassistant", "aiohttp", "orjson")

_MILLI, _MEBI = 1e3, 1 / 2**20
_MINUTE, _ANNOUNCEMENTS = 60, 100

#: The order of the peers, repeated.
_MIX = (
    *("elements", "gateway", "firmware", "drip", "compressed", "certificate", "firmware", "over_limit"),
    *("elements", "nested", "firmware", "impostor", "compressed", "at_limit", "firmware"),
)


class _Run:
    """A run of the benchmark: the length of its pieces, and its progress bar."""

    def __init__(self, progress: Progress, against: Path, *, quick: bool) -> None:
        self.announcements = len(_MIX) if quick else _ANNOUNCEMENTS
        self.pace = 0.0 if quick else _MINUTE / _ANNOUNCEMENTS
        #: Seconds in which unused connections are closed.
        self.settling = 0.0 if quick else 20.0
        self._drip = 2.0 if quick else 20.0
        self._rounds = range(1 if quick else 3)
        self._sides = (None, against)
        self._progress = progress

    def both(self, announce: Callable[[_Bench], Iterable[Disturbance]]) -> Iterator[_Pair]:
        """Announce the same to both builds in turn, each time to a new Home Assistant.

        Yield a pair for each disturbance that `announce` measures.
        """
        taken: tuple[list[list[Disturbance]], ...] = ([], [])
        task = self._progress.add_task("announcing", total=len(self._rounds) * len(self._sides))
        for _ in self._rounds:
            for build, side in zip(self._sides, taken, strict=True):
                with run_simulated(THREE_PHASE, "enphase_iq_gateway", build) as house:
                    house.process.set_up()
                    bench = _Bench(house, self._drip)
                    bench.announce(["gateway"])  # loads what is loaded once
                    side.append(list(announce(bench)))
                self._progress.advance(task)
        self._progress.remove_task(task)
        yield from zip(zip(*taken[0], strict=True), zip(*taken[1], strict=True), strict=True)


#: The same disturbance of our build and of the reference, one of each round.
_Pair = tuple[Sequence[Disturbance], Sequence[Disturbance]]


class _Bench:
    """A Home Assistant with a gateway that is set up, and other peers."""

    def __init__(self, house: Simulated, drip: float) -> None:
        self._process, self._serial_number, self._drip = house.process, house.serial_number, drip
        self._numbers = count(122400000000)

    def announce(self, kinds: Iterable[str], pace: float = 0.0, settling: float = 0.0) -> Disturbance:
        """Announce a peer of each of these kinds, `pace` seconds apart."""
        strangers = [Stranger(kind, self._number(kind), self._drip) for kind in kinds]
        with listen_on_loopback(strangers) as ports:
            announcements = [
                Announcement(port=port, serial_number=stranger.serial_number)
                for port, stranger in zip(ports, strangers, strict=True)
            ]
            return self._process.announce(announcements, pace, settling)

    def _number(self, kind: str) -> str:
        return self._serial_number if kind == "impostor" else str(next(self._numbers))


def run(parts: Iterable[str], progress: Progress, *, quick: bool, against: Path) -> Iterator[Result]:
    """Yield the figures of these parts. Raises BenchmarkError."""
    for part in parts:
        yield from _PARTS[part](_Run(progress, against, quick=quick))


def _one(run: _Run) -> Iterator[Result]:
    """Measure one announcement of each kind."""
    pairs = run.both(lambda bench: (bench.announce([kind]) for kind in KINDS))
    for name, pair in zip(KINDS, pairs, strict=True):
        yield from _results(f"_of_{name}", *pair)


def _minute(run: _Run) -> Iterator[Result]:
    """Measure a minute of announcements."""
    kinds = list(islice(cycle(_MIX), run.announcements))
    for pair in run.both(lambda bench: [bench.announce(kinds, run.pace, run.settling)]):
        yield from _results("_of_a_minute", *pair)


def _results(suffix: str, *sides: Sequence[Disturbance]) -> Iterator[Result]:
    for figure, unit, of in (
        ("longest_blockage", "ms", lambda each: each.longest * _MILLI),
        ("event_loop_cpu", "ms", lambda each: each.cpu * _MILLI),
        ("memory_left", "MiB", lambda each: each.left * _MEBI),
    ):
        ours, reference = (middle(map(of, taken)) for taken in sides)
        yield Result("hostile", f"{figure}{suffix}", unit, ours, reference)


_PARTS = {"one": _one, "minute": _minute}
