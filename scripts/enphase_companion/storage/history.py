"""What a chart or a table shows: power over time, and the energy in each stretch of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from statistics import median

from .energy import counted
from .estimates import divided, estimates
from .levels import DAY, MINUTE, QUARTER, Calendar, Level
from .summary import Power, Summary, fold


@dataclass(frozen=True, slots=True)
class Energy:
    """Energy in a stretch of time, in Wh; None where neither counters nor powers tell."""

    #: In the positive direction: produced, imported, consumed, discharged.
    delivered: float | None
    #: In the negative direction: exported, charged; what an array draws at night.
    received: float | None
    #: How much of it flowed in a gap that ended in this time: known in sum, but not when.
    delivered_recovered: float
    received_recovered: float
    #: When (milliseconds since the epoch) a counter was first seen to have begun anew, or another meter's
    #: to have taken its place. What flowed before that moment, since the reading before it, is missing.
    resets: tuple[int, ...]
    #: How much of it is an estimate by power, as the meter's counters were not stored.
    delivered_estimated: float = 0.0
    received_estimated: float = 0.0

    @property
    def is_known(self) -> bool:
        """Whether anything tells of this time."""
        return self.delivered is not None or self.received is not None


@dataclass(frozen=True, slots=True)
class Point:
    """One bucket of a series; times in milliseconds since the epoch."""

    #: The bucket is [start, end). At the level of readings: from one to the next.
    start: int
    end: int
    #: How many readings there were; 0 in a bucket that is only passed by slow polling.
    readings: int
    #: W; None without readings that gave it.
    power: Power | None
    energy: Energy
    #: The meter was not seen for a while before this: a line is interrupted here.
    after_gap: bool


#: A pause is no gap in a line before it is this long, or thrice the usual distance of readings.
_SHORTEST_GAP = {
    Level.READING: MINUTE,
    Level.MINUTE: MINUTE,
    Level.QUARTER: QUARTER,
    Level.DAY: DAY + 60 * MINUTE,
}


def energy_within(around: Sequence[Summary], start: int, end: int) -> Energy:
    """Return the energy in [start, end) from the summaries of that time and the ones next to it."""
    return _energies(around, (start, end))[0]


def points(calendar: Calendar, level: Level, around: Sequence[Summary], start: int, end: int) -> list[Point]:
    """Return a point for each bucket in [start, end) with data; both are edges of buckets."""
    buckets = {
        bucket: fold(list(parts))
        for bucket, parts in groupby(
            (summary for summary in around if start <= summary.first_time < end),
            lambda summary: calendar.start(level, summary.first_time),
        )
    }
    edges = [*buckets, end] if level is Level.READING else calendar.edges(level, start, end)
    gaps = _ends_of_gaps(buckets, _SHORTEST_GAP[level])
    result = []
    for (bucket, following), energy in zip(pairwise(edges), _energies(around, edges), strict=True):
        if (summary := buckets.get(bucket)) is not None:
            readings, power = summary.readings, summary.power
            result.append(Point(bucket, following, readings, power, energy, after_gap=bucket in gaps))
        elif energy.is_known:
            result.append(Point(bucket, following, 0, None, energy, after_gap=False))
    return result


def _energies(around: Sequence[Summary], edges: Sequence[int]) -> list[Energy]:
    directions = zip(
        counted([run for summary in around for run in summary.delivered], edges),
        counted([run for summary in around for run in summary.received], edges),
        strict=True,
    )
    estimated = divided(estimates(around), edges)
    return [
        Energy(
            _added(delivered.energy, estimate, 0),
            _added(received.energy, estimate, 1),
            delivered.recovered,
            received.recovered,
            tuple(sorted({*delivered.resets, *received.resets})),
            *(estimate or (0.0, 0.0)),
        )
        for (delivered, received), estimate in zip(directions, estimated, strict=True)
    ]


def _added(counted: float | None, estimate: tuple[float, float] | None, direction: int) -> float | None:
    return counted if estimate is None else (counted or 0.0) + estimate[direction]


def _ends_of_gaps(buckets: Mapping[int, Summary], shortest: int) -> set[int]:
    """Return the buckets before which the meter was not seen for longer than the pauses of its polling."""
    pauses = {
        bucket: summary.first_time - before.last_time
        for before, (bucket, summary) in zip(buckets.values(), list(buckets.items())[1:], strict=False)
    }
    if not pauses:
        return set()
    distances = [
        (summary.last_time - summary.first_time) / (summary.readings - 1)
        for summary in buckets.values()
        if summary.readings > 1
    ]
    longest = max(shortest, 3 * median(distances or pauses.values()))
    return {bucket for bucket, pause in pauses.items() if pause > longest}
