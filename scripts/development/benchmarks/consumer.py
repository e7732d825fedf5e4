"""How many messages of a queue a consumer decodes and stores, beside an earlier build."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.progress import Progress

from enphase_companion.message import encode

from .meter_messages import build_message
from .process import start_measured
from .results import Result, middle

#: Packages whose versions are printed below the figures.
PACKAGES = ("orjson", "SQLAlchemy", "aiosqlite")

_START = 1782043200
#: Messages of a round, each of a gateway with three meters and three phases. Many short rounds in turn are
#: steadier than a few long ones on a busy machine.
_MESSAGES = 500
_ROUNDS, _ROUNDS_QUICK = 60, 1


def run(parts: Iterable[str], progress: Progress, *, quick: bool, against: Path) -> Iterator[Result]:
    """Yield the figures of these parts. Raises BenchmarkError."""
    for _ in parts:
        yield from _store(progress, against, quick=quick)


def _store(progress: Progress, against: Path, *, quick: bool) -> Iterator[Result]:
    rounds = _ROUNDS_QUICK if quick else _ROUNDS
    rates: tuple[list[list[float]], ...] = ([], [])
    with (
        start_measured("sqlite", None, module="pipeline.stores") as ours,
        start_measured("sqlite", None, against, module="pipeline.stores") as reference,
    ):
        # What the first round loads and makes is not counted.
        for number in progress.track(range(rounds + 1), description="consuming"):
            first = _START + number * _MESSAGES
            bodies = [encode(build_message(second)) for second in range(first, first + _MESSAGES)]
            both = [(ours, rates[0]), (reference, rates[1])]
            for process, taken in both if number % 2 else reversed(both):
                decoding, storing = process.consume(bodies)
                seconds = (decoding, storing, decoding + storing)
                taken.append([_MESSAGES / each for each in seconds])
    for index, figure in enumerate(("messages_decoded", "messages_stored", "messages_consumed")):
        ours_rates, reference_rates = ([each[index] for each in taken[1:]] for taken in rates)
        yield Result("consumer", figure, "1/s of the processor", middle(ours_rates), middle(reference_rates))
