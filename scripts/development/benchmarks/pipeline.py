"""How fast readings are stored in SQLite, beside bare inserts of the same rows, and in how much memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.progress import Progress

from .process import start_measured
from .results import Result, middle

#: Packages whose versions are printed below the figures.
PACKAGES = ("SQLAlchemy", "aiosqlite", "orjson")

_START = 1782043200
#: Messages of a round: ten batches as installed.
_MESSAGES = 5_000
#: Both sides take turns: many short rounds are steadier than a few long ones on a busy machine.
_ROUNDS, _ROUNDS_QUICK = 20, 1


def run(parts: Iterable[str], progress: Progress, *, quick: bool, against: Path | None) -> Iterator[Result]:
    """Yield the figures of these parts; the reference are bare inserts, or the build `against`.

    Raises BenchmarkError.
    """
    rounds = _ROUNDS_QUICK if quick else _ROUNDS
    reference = "bare_inserts" if against is None else "sqlite"
    rates: tuple[list[float], list[float]] = ([], [])
    with (
        start_measured("sqlite", None, module="stores") as ours,
        start_measured(reference, None, against, module="stores") as theirs,
    ):
        for number in progress.track(range(rounds + 1), description="storing"):
            both = [(ours, rates[0]), (theirs, rates[1])]
            for process, taken in both if number % 2 else reversed(both):
                rows, seconds = process.store(_START + number * _MESSAGES, _MESSAGES)
                taken.append(rows / seconds)
        memory = [process.memory() / 2**20 for process in (ours, theirs)]
    if "store" in parts:
        # The first round imports packages and creates tables, and is not counted.
        medians = [middle(each[1:]) for each in rates]
        yield Result("pipeline", f"store_against_{reference}", "rows/s", *medians)
    if "memory" in parts:
        yield Result("pipeline", "memory_store", "MB", *(middle([each]) for each in memory))
