"""Segments of an energy counter, split where it falls, leaps or is not read, and the energy that they count.

Rollups keep segments. What a fall means is decided when energy is calculated, with the readings around it. So
a rollup needs nothing but its own readings, and a late reading changes no neighbour.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from .buckets import HOUR, MINUTE, SECOND

#: A longer pause is a gap. The slowest polling of this project, every 300 s, makes none.
GAP = 6 * MINUTE

#: A counter that recovers within this time was wrong in between (zeros after a power cut were seen).
GLITCH = 15 * MINUTE

#: W: no site behind one gateway has more, so a counter that rises faster is another meter's, or invalid.
_MAX_POWER = 1e6

#: Wh: counters that the firmware calculates from others jitter. A smaller fall is no reset.
_MAX_JITTER = 100.0

#: Timestamps have whole seconds, and clocks are adjusted now and then.
_CLOCK_ERROR = 2 * SECOND


class CounterSegment(NamedTuple):
    """A range of time in which the counter only rose, without a gap. Times in milliseconds, values in Wh."""

    first_time: int
    first: float
    last_time: int
    last: float


@dataclass(slots=True)
class CountedEnergy:
    """The energy that one counter counted in a range of time."""

    #: Wh, including `recovered`; None where the counter is unknown at this time.
    energy: float | None = None
    #: Wh of it from a gap that ended in this time: its sum is known, but not its course.
    recovered: float = 0.0
    #: When (milliseconds) the counter was first read after a reset or the exchange of its meter. The energy
    #: since the reading before is unknown, and not part of `energy`.
    resets: tuple[int, ...] = ()

    def add(self, energy: float) -> None:
        """Add energy in Wh."""
        self.energy = (self.energy or 0.0) + energy


def largest_rise(pause: int) -> float:
    """Return the maximum plausible rise of a counter, in Wh, in `pause` milliseconds."""
    return _MAX_POWER * (pause + _CLOCK_ERROR) / HOUR


def is_continuous(before: CounterSegment, after: CounterSegment) -> bool:
    """Return whether the counter may have risen from the end of one segment to the start of the next."""
    return _can_reach(before, after.first, after.first_time)


def _can_reach(before: CounterSegment, value: float, time: int) -> bool:
    return -_MAX_JITTER <= value - before.last <= largest_rise(time - before.last_time)


def is_gap(before: CounterSegment, after: CounterSegment) -> bool:
    """Return whether a gap separates two segments."""
    return after.first_time - before.last_time > GAP


def remove_glitches(segments: Sequence[CounterSegment]) -> list[CounterSegment]:
    """Remove segments that contradict the ones before and those soon after; the first counts as right."""
    kept: list[CounterSegment] = []
    index = 0
    while index < len(segments):
        segment = segments[index]
        if kept and not is_continuous(kept[-1], segment):
            if (resumption := _find_resumption(kept[-1], segments, index)) is not None:
                index, segment = resumption, segments[resumption]
            elif segment.last_time - segment.first_time < GLITCH and _can_reach(
                kept[-1], segment.last, segment.last_time
            ):
                # The counter recovers within the segment: only its start is wrong.
                segment = segment._replace(first=kept[-1].last)
        kept.append(segment)
        index += 1
    return kept


def _find_resumption(before: CounterSegment, segments: Sequence[CounterSegment], broken: int) -> int | None:
    """Return the index of the segment that continues `before` soon after the one at `broken`, else None."""
    end = segments[broken].first_time + GLITCH
    for index in range(broken + 1, len(segments)):
        if segments[index].first_time > end:
            return None
        if is_continuous(before, segments[index]):
            return index
    return None


def remove_unsettled(segments: Sequence[CounterSegment]) -> list[CounterSegment]:
    """Remove glitches, and at the end the segments that may still turn out to be one."""
    kept = remove_glitches(segments)
    for index in range(1, len(kept)):
        if kept[-1].last_time - kept[index].first_time < GLITCH and not is_continuous(
            kept[index - 1], kept[index]
        ):
            return kept[:index]
    return kept


def join_segments(segments: Iterable[CounterSegment]) -> list[CounterSegment]:
    """Join consecutive segments that no fall, leap or gap separates."""
    result: list[CounterSegment] = []
    for segment in segments:
        if result and is_continuous(result[-1], segment) and not is_gap(result[-1], segment):
            before = result.pop()
            result.append(CounterSegment(before.first_time, before.first, segment.last_time, segment.last))
        else:
            result.append(segment)
    return result


def count_energy(segments: Sequence[CounterSegment], edges: Sequence[int]) -> list[CountedEnergy]:
    """Return the energy between each pair of consecutive `edges`.

    `segments` are in order of time and do not cross an edge; those before and after show the energy across
    the outer edges. The rise between two readings on both sides of an edge is divided in proportion to time,
    unless a gap is between them: then all of it counts where the gap ends.
    """
    result = [CountedEnergy() for _ in edges[1:]]

    def at(time: int) -> CountedEnergy:
        # What is outside of the edges is added to one that is thrown away.
        index = bisect_right(edges, time) - 1
        return result[index] if 0 <= index < len(result) else CountedEnergy()

    settled = remove_unsettled(segments)
    for segment in settled:
        at(segment.first_time).add(segment.last - segment.first)
    for before, after in pairwise(settled):
        counted = at(after.first_time)
        rise = after.first - before.last
        if not is_continuous(before, after):
            counted.resets = (*counted.resets, after.first_time)
        elif is_gap(before, after):
            counted.add(rise)
            counted.recovered += rise
        else:
            pause = after.first_time - before.last_time
            for first, last in pairwise(split_range(before.last_time, after.first_time, edges)):
                at(first).add(rise * (last - first) / pause)
    return result


def split_range(start: int, end: int, edges: Sequence[int]) -> list[int]:
    """Return start and end with the edges between them."""
    return [start, *edges[bisect_right(edges, start) : bisect_left(edges, end)], end]
