"""Energy in stretches of time, worked out from the runs of a counter."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from .runs import Run, continues, is_gap, settled


@dataclass(slots=True)
class Counted:
    """What one counter adds up to in a stretch of time."""

    #: Wh, with what was recovered; None where the counter says nothing of this time.
    energy: float | None = None
    #: Wh of it that flowed during a gap which ended in this time: known in sum, but not when.
    recovered: float = 0.0
    #: When (milliseconds) the counter was first seen after it had begun anew, or another's had taken its
    #: place. What flowed meanwhile is not known, and not in `energy`.
    resets: tuple[int, ...] = ()

    def add(self, energy: float) -> None:
        """Count so many Wh more."""
        self.energy = (self.energy or 0.0) + energy


def counted(runs: Sequence[Run], edges: Sequence[int]) -> list[Counted]:
    """Return the energy between each two neighbours of `edges`.

    `runs` are in order of time and none lies across an edge; those of before and after tell what flowed
    across the outer edges. What flowed between two readings on both sides of an edge is divided by time,
    unless a gap is between them: then all of it belongs to where the gap ends.
    """
    result = [Counted() for _ in edges[1:]]

    def at(time: int) -> Counted:
        # What lies outside goes into one that nobody looks at.
        index = bisect_right(edges, time) - 1
        return result[index] if 0 <= index < len(result) else Counted()

    sound = settled(runs)
    for run in sound:
        at(run.first_time).add(run.last - run.first)
    for before, after in pairwise(sound):
        there = at(after.first_time)
        rise = after.first - before.last
        if not continues(before, after):
            there.resets = (*there.resets, after.first_time)
        elif is_gap(before, after):
            there.add(rise)
            there.recovered += rise
        else:
            pause = after.first_time - before.last_time
            for first, last in pairwise(cut(before.last_time, after.first_time, edges)):
                at(first).add(rise * (last - first) / pause)
    return result


def cut(start: int, end: int, edges: Sequence[int]) -> list[int]:
    """Return start and end with the edges that lie between them."""
    return [start, *edges[bisect_right(edges, start) : bisect_left(edges, end)], end]
