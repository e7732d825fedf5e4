"""Series and energies, as charts and tables show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from statistics import median

from .buckets import DAY, MINUTE, QUARTER_HOUR, Calendar, Resolution
from .counter_segments import count_energy
from .summary import Power, Summary, divide_estimates, estimate_energy, fold


@dataclass(frozen=True, slots=True)
class Energy:
    """Energy in a range of time, in Wh; None where neither counters nor powers are known."""

    #: Positive direction: produced, imported, consumed, discharged.
    delivered: float | None
    #: Negative direction: exported, charged; what inverters draw at night.
    received: float | None
    #: The part of it from gaps that ended in this time: the sum is known, but not its course.
    delivered_recovered: float
    received_recovered: float
    #: When (milliseconds since the epoch) a counter was first read after a reset, or after its meter was
    #: exchanged. The energy between that reading and the one before is missing.
    resets: tuple[int, ...]
    #: The part of it that is estimated from power, because the meter's counters were not stored.
    delivered_estimated: float = 0.0
    received_estimated: float = 0.0

    @property
    def is_known(self) -> bool:
        """Whether any direction is known."""
        return self.delivered is not None or self.received is not None


@dataclass(frozen=True, slots=True)
class Point:
    """One bucket of a series; times in milliseconds since the epoch."""

    #: The bucket is [start, end). With single readings: from one to the next.
    start: int
    end: int
    #: The number of readings; 0 in a bucket that slow polling leaves out.
    reading_count: int
    #: W; None without readings that have it.
    power: Power | None
    energy: Energy
    #: A gap precedes this point: a line is interrupted here.
    after_gap: bool


#: A pause interrupts a line if it is longer than this, and than three times the usual pause between readings.
_SHORTEST_GAP = {
    Resolution.READING: MINUTE,
    Resolution.MINUTE: MINUTE,
    Resolution.QUARTER_HOUR: QUARTER_HOUR,
    Resolution.DAY: DAY + 60 * MINUTE,
}


def energy_between(around: Sequence[Summary], start: int, end: int) -> Energy:
    """Return the energy in [start, end), from the summaries of that time and their neighbours."""
    return _calculate_energies(around, (start, end))[0]


def build_points(
    calendar: Calendar, resolution: Resolution, around: Sequence[Summary], start: int, end: int
) -> list[Point]:
    """Return a point for each bucket with data in [start, end), both of which are edges of buckets."""
    buckets = {
        bucket: fold(list(parts))
        for bucket, parts in groupby(
            (summary for summary in around if start <= summary.first_time < end),
            lambda summary: calendar.start(resolution, summary.first_time),
        )
    }
    is_single = resolution is Resolution.READING
    edges = [*buckets, end] if is_single else calendar.edges(resolution, start, end)
    gaps = _find_gaps(buckets, _SHORTEST_GAP[resolution])
    result = []
    for (bucket, following), energy in zip(pairwise(edges), _calculate_energies(around, edges), strict=True):
        if (summary := buckets.get(bucket)) is not None:
            after_gap = bucket in gaps
            result.append(Point(bucket, following, summary.reading_count, summary.power, energy, after_gap))
        elif energy.is_known:
            result.append(Point(bucket, following, 0, None, energy, after_gap=False))
    return result


def _calculate_energies(around: Sequence[Summary], edges: Sequence[int]) -> list[Energy]:
    directions = zip(
        count_energy([segment for summary in around for segment in summary.delivered], edges),
        count_energy([segment for summary in around for segment in summary.received], edges),
        strict=True,
    )
    estimates = divide_estimates(estimate_energy(around), edges)
    return [
        Energy(
            _add(delivered.energy, estimate, 0),
            _add(received.energy, estimate, 1),
            delivered.recovered,
            received.recovered,
            tuple(sorted({*delivered.resets, *received.resets})),
            *(estimate or (0.0, 0.0)),
        )
        for (delivered, received), estimate in zip(directions, estimates, strict=True)
    ]


def _add(counted: float | None, estimate: tuple[float, float] | None, direction: int) -> float | None:
    return counted if estimate is None else (counted or 0.0) + estimate[direction]


def _find_gaps(buckets: Mapping[int, Summary], shortest: int) -> set[int]:
    """Return the buckets that follow a pause longer than the usual ones of polling."""
    pauses = {
        bucket: summary.first_time - before.last_time
        for before, (bucket, summary) in zip(buckets.values(), list(buckets.items())[1:], strict=False)
    }
    if not pauses:
        return set()
    distances = [
        (summary.last_time - summary.first_time) / (summary.reading_count - 1)
        for summary in buckets.values()
        if summary.reading_count > 1
    ]
    longest = max(shortest, 3 * median(distances or pauses.values()))
    return {bucket for bucket, pause in pauses.items() if pause > longest}
