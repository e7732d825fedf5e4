"""Summaries of the readings of one meter, or one of its phases, as a row of a rollup holds them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import orjson

from .buckets import HOUR, MAX_OTHERS, SECOND
from .counter_segments import GAP, CounterSegment, join_segments, remove_glitches, split_range

#: Columns of a rollup that make up a summary, in the order of `to_row` and `from_row`.
COLUMNS = (
    "reading_count",
    "first_measured_at",
    "last_measured_at",
    "power_reading_count",
    "power_mean",
    "power_min",
    "power_max",
    "energy_delivered_estimated",
    "energy_received_estimated",
    "energy_delivered_first",
    "energy_delivered_last",
    "energy_received_first",
    "energy_received_last",
    "segments",
)

#: More segments of one counter per bucket are not kept one by one. A day has at most 240 gaps.
_MAX_SEGMENTS = 500


class Power(NamedTuple):
    """Active power in W, with the sign of its measurement."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Summary:
    """One or more readings, in order of time (milliseconds since the epoch)."""

    reading_count: int
    first_time: int
    last_time: int
    #: The number of readings with a power.
    power_reading_count: int
    #: Of these readings; None if there are none.
    power: Power | None
    #: Wh in both directions, estimated from power; None where counters are known, or power is not.
    estimated: tuple[float, float] | None
    #: The counters of both directions; empty where no reading has a value.
    delivered: tuple[CounterSegment, ...]
    received: tuple[CounterSegment, ...]


class Estimate(NamedTuple):
    """Wh in the positive and the negative direction, from `start` to `end` (milliseconds)."""

    start: int
    end: int
    delivered: float
    received: float


def summarize_reading(
    time: int, active_power: float | None, delivered: float | None, received: float | None
) -> Summary:
    """Return the summary of a single reading: W, and Wh in both directions."""
    if 0 < time % SECOND <= MAX_OTHERS:
        # Measured after the clock was set back: between two readings of the first time, its counter would
        # rise and fall. The first reading after the repeated time counts what was counted in it.
        delivered = received = None
    return Summary(
        1,
        time,
        time,
        0 if active_power is None else 1,
        None if active_power is None else Power(active_power, active_power, active_power),
        None,
        () if delivered is None else (CounterSegment(time, delivered, time, delivered),),
        () if received is None else (CounterSegment(time, received, time, received),),
    )


def fold(parts: Sequence[Summary]) -> Summary:
    """Return one summary of one or more consecutive ones; the mean weighs readings with a power equally."""
    if len(parts) == 1:
        return parts[0]
    powers = [(part.power, part.power_reading_count) for part in parts if part.power is not None]
    power_reading_count = sum(part.power_reading_count for part in parts)
    return Summary(
        sum(part.reading_count for part in parts),
        parts[0].first_time,
        parts[-1].last_time,
        power_reading_count,
        Power(
            sum(power.mean * weight for power, weight in powers) / power_reading_count,
            min(power.low for power, _ in powers),
            max(power.high for power, _ in powers),
        )
        if powers
        else None,
        _sum_estimates(estimate_energy(parts)),
        _fold_segments(segment for part in parts for segment in part.delivered),
        _fold_segments(segment for part in parts for segment in part.received),
    )


def _fold_segments(segments: Iterable[CounterSegment]) -> tuple[CounterSegment, ...]:
    # Glitches are kept: which side of a fall is wrong depends on what comes before and after.
    result = join_segments(segments)
    # Except for a counter that comes and goes all the time, whose rollups would grow without limit.
    return tuple(result if len(result) <= _MAX_SEGMENTS else join_segments(remove_glitches(result)))


def to_row(summary: Summary) -> dict[str, Any]:
    """Return the summary as columns of a rollup."""
    delivered, received = summary.delivered, summary.received
    is_regular = _is_regular(delivered, summary) and _is_regular(received, summary)
    values = (
        summary.reading_count,
        summary.first_time,
        summary.last_time,
        summary.power_reading_count,
        *(summary.power or (None, None, None)),
        *(summary.estimated or (None, None)),
        delivered[0].first if delivered else None,
        delivered[-1].last if delivered else None,
        received[0].first if received else None,
        received[-1].last if received else None,
        None if is_regular else _to_json(delivered, received),
    )
    return dict(zip(COLUMNS, values, strict=True))


def from_row(row: Sequence[Any]) -> Summary:
    """Return the summary in the COLUMNS of a rollup."""
    reading_count, first_time, last_time, power_reading_count, mean, low, high, *more = row
    e_delivered, e_received, d_first, d_last, r_first, r_last, segments = more
    delivered: tuple[CounterSegment, ...]
    received: tuple[CounterSegment, ...]
    if segments is None:
        delivered = () if d_first is None else (CounterSegment(first_time, d_first, last_time, d_last),)
        received = () if r_first is None else (CounterSegment(first_time, r_first, last_time, r_last),)
    else:
        delivered, received = (
            tuple(CounterSegment(*segment) for segment in direction) for direction in orjson.loads(segments)
        )
    power = None if mean is None else Power(mean, low, high)
    estimated = None if e_delivered is None else (e_delivered, e_received)
    return Summary(
        reading_count, first_time, last_time, power_reading_count, power, estimated, delivered, received
    )


def _to_json(*directions: Iterable[CounterSegment]) -> str:
    # orjson does not serialize named tuples.
    return orjson.dumps([[tuple(segment) for segment in direction] for direction in directions]).decode()


def _is_regular(segments: tuple[CounterSegment, ...], summary: Summary) -> bool:
    """Return whether the first and last value of the summary describe the counter."""
    if not segments:
        return True
    return len(segments) == 1 and (segments[0].first_time, segments[0].last_time) == (
        summary.first_time,
        summary.last_time,
    )


def estimate_energy(parts: Sequence[Summary]) -> Iterator[Estimate]:
    """Yield the energy in and between consecutive summaries without counters, estimated from power.

    Power is taken to change evenly between two readings. Nothing is estimated between two summaries that
    have counters, whose rise is exact.
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


def _sum_estimates(estimates: Iterable[Estimate]) -> tuple[float, float] | None:
    """Return the Wh in both directions of all estimates; None if there are none."""
    energies = list(estimates)
    if not energies:
        return None
    return sum(each.delivered for each in energies), sum(each.received for each in energies)


def divide_estimates(estimates: Iterable[Estimate], edges: Sequence[int]) -> list[tuple[float, float] | None]:
    """Return the Wh in both directions between each pair of `edges`; None if there are none."""
    result: list[tuple[float, float] | None] = [None for _ in edges[1:]]
    for start, end, delivered, received in estimates:
        for first, last in pairwise(split_range(start, end, edges)):
            index = bisect_right(edges, first) - 1
            if 0 <= index < len(result) and end > start:
                share = (last - first) / (end - start)
                before = result[index] or (0.0, 0.0)
                result[index] = before[0] + delivered * share, before[1] + received * share
    return result
