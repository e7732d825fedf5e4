"""Energy by power, of meters whose counters were not stored: imports from Enphase-API are such.

It is an estimate: between two readings power is taken to change evenly.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from .energy import cut
from .levels import HOUR
from .runs import GAP

if TYPE_CHECKING:
    from .summary import Summary


class Estimate(NamedTuple):
    """Wh in the positive and in the negative direction, from `start` to `end` (milliseconds)."""

    start: int
    end: int
    delivered: float
    received: float


def estimates(parts: Sequence[Summary]) -> Iterator[Estimate]:
    """Yield what flowed in and between consecutive summaries without counters.

    Nothing between two that have counters: what those rose by tells it.
    """
    counted = [index for index, part in enumerate(parts) if part.delivered or part.received]
    first, last = (counted[0], counted[-1]) if counted else (len(parts), -1)
    before: Summary | None = None
    for index, part in enumerate(parts):
        if first < index < last:
            before = None
            continue
        if part.estimated is not None:
            yield Estimate(part.first_time, part.last_time, *part.estimated)
        if part.delivered or part.received or part.power is None:
            before = None
            continue
        if before is not None and before.power is not None and part.first_time - before.last_time <= GAP:
            mean = (before.power.mean + part.power.mean) / 2
            energy = mean * (part.first_time - before.last_time) / HOUR
            yield Estimate(before.last_time, part.first_time, max(energy, 0.0), max(-energy, 0.0))
        before = part


def total(found: Iterator[Estimate]) -> tuple[float, float] | None:
    """Return the Wh in both directions of all of them; None where there are none."""
    energies = list(found)
    if not energies:
        return None
    return sum(each.delivered for each in energies), sum(each.received for each in energies)


def divided(found: Iterator[Estimate], edges: Sequence[int]) -> list[tuple[float, float] | None]:
    """Return the Wh in both directions between each two neighbours of `edges`; None where there are none."""
    result: list[tuple[float, float] | None] = [None for _ in edges[1:]]
    for start, end, delivered, received in found:
        for first, last in pairwise(cut(start, end, edges)):
            index = bisect_right(edges, first) - 1
            if 0 <= index < len(result) and end > start:
                share = (last - first) / (end - start)
                before = result[index] or (0.0, 0.0)
                result[index] = before[0] + delivered * share, before[1] + received * share
    return result
