"""A summary of one meter's (or phase's) readings in a stretch of time: what a row of a rollup holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from .estimates import estimates, total
from .runs import Run, joined, without_glitches

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


#: So many runs of one counter in a bucket are no longer rare events; a day has at most 240 gaps.
_MANY = 500


class Power(NamedTuple):
    """Active power in W, signed as its meter's is."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Summary:
    """One or more readings, in the order of their times (milliseconds since the epoch)."""

    readings: int
    first_time: int
    last_time: int
    #: How many of the readings gave a power.
    power_readings: int
    #: Of these; None where there are none.
    power: Power | None
    #: Wh in both directions by power; None where the counters tell, or nothing does.
    estimated: tuple[float, float] | None
    #: The counters in both directions; empty where no reading gave any.
    delivered: tuple[Run, ...]
    received: tuple[Run, ...]


def of_reading(
    time: int, active_power: float | None, delivered: float | None, received: float | None
) -> Summary:
    """Return the summary of a single reading: W, and Wh in both directions."""
    return Summary(
        1,
        time,
        time,
        0 if active_power is None else 1,
        None if active_power is None else Power(active_power, active_power, active_power),
        None,
        () if delivered is None else (Run(time, delivered, time, delivered),),
        () if received is None else (Run(time, received, time, received),),
    )


def fold(parts: Sequence[Summary]) -> Summary:
    """Return one summary of consecutive ones, at least one; a mean weighs by readings with a power."""
    if len(parts) == 1:
        return parts[0]
    powers = [(part.power, part.power_readings) for part in parts if part.power is not None]
    power_readings = sum(part.power_readings for part in parts)
    return Summary(
        sum(part.readings for part in parts),
        parts[0].first_time,
        parts[-1].last_time,
        power_readings,
        Power(
            sum(power.mean * weight for power, weight in powers) / power_readings,
            min(power.low for power, _ in powers),
            max(power.high for power, _ in powers),
        )
        if powers
        else None,
        total(estimates(parts)),
        _runs(run for part in parts for run in part.delivered),
        _runs(run for part in parts for run in part.received),
    )


def _runs(runs: Iterable[Run]) -> tuple[Run, ...]:
    # Glitches are kept: which side of a fall is one can be told only with what came before and after it.
    result = joined(runs)
    # But for a counter that comes and goes all the time: its rollups would grow beyond measure.
    return tuple(result if len(result) <= _MANY else joined(without_glitches(result)))


def to_row(summary: Summary) -> dict[str, Any]:
    """Return the summary as columns of a rollup."""
    delivered, received = summary.delivered, summary.received
    is_plain = _is_plain(delivered, summary) and _is_plain(received, summary)
    values = (
        summary.readings,
        summary.first_time,
        summary.last_time,
        summary.power_readings,
        *(summary.power or (None, None, None)),
        *(summary.estimated or (None, None)),
        delivered[0].first if delivered else None,
        delivered[-1].last if delivered else None,
        received[0].first if received else None,
        received[-1].last if received else None,
        None if is_plain else _to_json(delivered, received),
    )
    return dict(zip(COLUMNS, values, strict=True))


def from_row(row: Sequence[Any]) -> Summary:
    """Read the COLUMNS of a rollup."""
    readings, first_time, last_time, power_readings, mean, low, high, *more = row
    e_delivered, e_received, d_first, d_last, r_first, r_last, runs = more
    delivered: tuple[Run, ...]
    received: tuple[Run, ...]
    if runs is None:
        delivered = () if d_first is None else (Run(first_time, d_first, last_time, d_last),)
        received = () if r_first is None else (Run(first_time, r_first, last_time, r_last),)
    else:
        delivered, received = (tuple(Run(*run) for run in direction) for direction in orjson.loads(runs))
    power = None if mean is None else Power(mean, low, high)
    estimated = None if e_delivered is None else (e_delivered, e_received)
    return Summary(readings, first_time, last_time, power_readings, power, estimated, delivered, received)


def _to_json(*directions: Iterable[Run]) -> str:
    # orjson does not take named tuples for tuples.
    return orjson.dumps([[tuple(run) for run in direction] for direction in directions]).decode()


def _is_plain(runs: tuple[Run, ...], summary: Summary) -> bool:
    """Return whether first and last value say all."""
    if not runs:
        return True
    return len(runs) == 1 and (runs[0].first_time, runs[0].last_time) == (
        summary.first_time,
        summary.last_time,
    )
