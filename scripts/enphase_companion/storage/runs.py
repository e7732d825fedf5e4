"""Runs of an energy counter: what a meter said, told apart where the counter fell, leapt or was not seen.

Rollups keep runs as they are; what a fall means is judged where the energy is worked out, with the readings
around it known. So a rollup needs nothing but its own readings, and a late one changes no neighbour.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .levels import HOUR, MINUTE, SECOND

#: A longer pause is a gap. The slowest polling of this project, every 300 s, is none.
GAP = 6 * MINUTE

#: A counter that is where it belongs again within this time was wrong meanwhile (zeros after a power cut
#: were seen).
GLITCH = 15 * MINUTE

#: W: no site behind one gateway has more, so a counter that rises faster is another meter's, or nonsense.
_MAX_POWER = 1e6

#: Wh: counters tremble when they are worked out from others. What falls no further went on.
_TREMBLE = 100.0

#: Times are whole seconds, and clocks are set now and then.
_JITTER = 2 * SECOND


class Run(NamedTuple):
    """A stretch in which the counter only rose, without a gap. Times in milliseconds, counters in Wh."""

    first_time: int
    first: float
    last_time: int
    last: float


def largest_rise(pause: int) -> float:
    """Return how many Wh a counter may rise in `pause` milliseconds."""
    return _MAX_POWER * (pause + _JITTER) / HOUR


def continues(before: Run, after: Run) -> bool:
    """Return whether the counter may have gone on from the end of one run to the beginning of the other."""
    return _goes_on(before, after.first, after.first_time)


def _goes_on(before: Run, value: float, time: int) -> bool:
    return -_TREMBLE <= value - before.last <= largest_rise(time - before.last_time)


def is_gap(before: Run, after: Run) -> bool:
    """Return whether the meter was not seen for long between two runs."""
    return after.first_time - before.last_time > GAP


def without_glitches(runs: Sequence[Run]) -> list[Run]:
    """Leave out what neither the runs before nor those soon after agree with; the first counts as sound."""
    kept: list[Run] = []
    index = 0
    while index < len(runs):
        run = runs[index]
        if kept and not continues(kept[-1], run):
            if (resumed := _resumed(kept[-1], runs, index)) is not None:
                index, run = resumed, runs[resumed]
            elif run.last_time - run.first_time < GLITCH and _goes_on(kept[-1], run.last, run.last_time):
                # It was low at first, and is where it belongs at the end of the same run.
                run = run._replace(first=kept[-1].last)
        kept.append(run)
        index += 1
    return kept


def _resumed(before: Run, runs: Sequence[Run], broken: int) -> int | None:
    """Return where the counter goes on from `before` although it did not at `broken`; None if not soon."""
    end = runs[broken].first_time + GLITCH
    for index in range(broken + 1, len(runs)):
        if runs[index].first_time > end:
            return None
        if continues(before, runs[index]):
            return index
    return None


def settled(runs: Sequence[Run]) -> list[Run]:
    """Leave out glitches, and at the end what may still turn out to be one."""
    kept = without_glitches(runs)
    for index in range(1, len(kept)):
        if kept[-1].last_time - kept[index].first_time < GLITCH and not continues(
            kept[index - 1], kept[index]
        ):
            return kept[:index]
    return kept


def joined(runs: Iterable[Run]) -> list[Run]:
    """Make one run of those that follow on one another without fall, leap or gap."""
    result: list[Run] = []
    for run in runs:
        if result and continues(result[-1], run) and not is_gap(result[-1], run):
            before = result.pop()
            result.append(Run(before.first_time, before.first, run.last_time, run.last))
        else:
            result.append(run)
    return result
