"""Energy in days or months, from the days that the database knows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ..storage import Point
from .flows import Counted, totals, track
from .ranges import Span
from .views import Quantity, Totals, Track

#: Wh; what is less is none.
_LEAST = 1.0


def energy_tracks(
    series: Mapping[str, Sequence[Point]], buckets: Sequence[Span], *, unmetered_batteries: bool = False
) -> dict[Quantity, Track]:
    """Give what is drawn of the energy of these meters: Wh in each bucket, NaN where nothing is known.

    `unmetered_batteries`: see `totals`.
    """
    counted: list[dict[str, Counted]] = [{} for _ in buckets]
    for name, days in series.items():
        for number, of_bucket in _sorted(days, buckets).items():
            after_gap = number > 0 and of_bucket[0] is not days[0] and name not in counted[number - 1]
            counted[number][name] = _sum(of_bucket, recovered=not after_gap)
    summed = [totals(each, unmetered_batteries=unmetered_batteries) for each in counted]
    tracks = {
        quantity: track([bucket.start for bucket in buckets], [value(each) for each in summed])
        for quantity, value in _VALUES.items()
    }
    return {quantity: each for quantity, each in tracks.items() if not np.isnan(each.values).all()}


def _sorted(days: Sequence[Point], buckets: Sequence[Span]) -> dict[int, list[Point]]:
    """Give the days of each bucket that has any, by its number."""
    starts = [bucket.start for bucket in buckets]
    found: dict[int, list[Point]] = {}
    for day in days:
        if (number := bisect_right(starts, day.start) - 1) >= 0:
            found.setdefault(number, []).append(day)
    return found


def _sum(days: Sequence[Point], *, recovered: bool) -> Counted:
    """Give the energy of these days.

    Without `recovered`, not what flowed in a gap before: after buckets that are missing, that is what flowed
    in all of them, and would dwarf every other.
    """
    energies = [day.energy for day in days]
    delivered = _added([each.delivered for each in energies])
    received = _added([each.received for each in energies])
    if recovered:
        return delivered, received
    return (
        _less(delivered, energies[0].delivered_recovered),
        _less(received, energies[0].received_recovered),
    )


def _added(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _less(whole: float | None, part: float) -> float | None:
    if whole is None or part < _LEAST:
        return whole
    # Where nothing is left, nothing is known.
    return whole - part if whole - part >= _LEAST else None


def _net(each: Totals) -> float | None:
    return None if each.exported is None or each.imported is None else each.exported - each.imported


_VALUES: Mapping[Quantity, Callable[[Totals], float | None]] = {
    Quantity.PRODUCTION: lambda each: each.produced,
    Quantity.CONSUMPTION: lambda each: each.consumed,
    Quantity.NET: _net,
    Quantity.DISCHARGED: lambda each: each.discharged,
    Quantity.CHARGED: lambda each: each.charged,
}
