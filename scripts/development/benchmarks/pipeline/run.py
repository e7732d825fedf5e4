"""One run of the pipeline benchmark: its options, its servers, and rounds in which both sides take turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress

from .servers import Servers

#: Rounds of each figure: many short ones in turn are steadier than a few long ones on a busy machine.
_ROUNDS, _ROUNDS_QUICK = 3, 1


@dataclass(frozen=True)
class Run:
    """What all parts of the benchmark share."""

    servers: Servers
    progress: Progress
    quick: bool
    messages: int | None  #: of a round, instead of each part's own number
    against: Path | None  #: a checkout of an earlier build

    @property
    def rounds(self) -> int:
        """How often each side of a figure is measured."""
        return _ROUNDS_QUICK if self.quick else _ROUNDS

    def count(self, usual: int, quick: int) -> int:
        """Return the messages of a round: `--messages`, else `usual`, or `quick` with `--quick`."""
        return self.messages or (quick if self.quick else usual)

    def alternate(
        self, ours: Callable[[], float], reference: Callable[[], float], *, times: int = 1
    ) -> tuple[list[float], list[float]]:
        """Measure both in turn, in another order each time, and return the figures of both.

        `times`: how many times the usual number of rounds.
        """
        figures: tuple[list[float], list[float]] = ([], [])
        for number in self.progress.track(range(times * self.rounds), description="measuring"):
            both = [(ours, figures[0]), (reference, figures[1])]
            for measure, found in both if number % 2 else reversed(both):
                found.append(measure())
        return figures
