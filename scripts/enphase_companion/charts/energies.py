"""Energy in days or months, from the days that the database knows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ..storage import Energy, Point
from .flows import WHOLE_HOUSE, Counted, Metering, totals, track
from .ranges import Span
from .views import Quantity, Totals, Track

#: Wh; what is less is none.
_LEAST = 1.0


def energy_tracks(
    series: Mapping[str, Sequence[Point]], buckets: Sequence[Span], metering: Metering = WHOLE_HOUSE
) -> dict[Quantity, Track]:
    """Return what is drawn of the energy of these meters: Wh in each bucket, NaN where nothing is known.

    Home and grid are added up day by day: what one meter did not count on a day is missing, but not mixed.
    """
    days = _days(series, buckets)
    begun = set(metering.metered or ()) - series.keys()
    summed: list[dict[Quantity, float]] = [{} for _ in buckets]
    for start in sorted(days):
        number, counted = days[start]
        # A meter that was added later does not count before, but once there it must be known.
        begun |= counted.keys()
        of_day = totals(counted, replace(metering, metered=frozenset(begun)))
        for quantity, value in _VALUES.items():
            if (watt_hours := value(of_day)) is not None:
                summed[number][quantity] = summed[number].get(quantity, 0.0) + watt_hours
    return {
        quantity: track([bucket.start for bucket in buckets], [each.get(quantity) for each in summed])
        for quantity in _VALUES
        if any(quantity in each for each in summed)
    }


def _days(
    series: Mapping[str, Sequence[Point]], buckets: Sequence[Span]
) -> dict[int, tuple[int, dict[str, Counted]]]:
    """Return for the beginning of each day the number of its bucket, and what each meter counted."""
    starts = [bucket.start for bucket in buckets]
    found: dict[int, tuple[int, dict[str, Counted]]] = {}
    for name, points in series.items():
        before: int | None = None
        for point in points:
            if (number := bisect_right(starts, point.start) - 1) < 0:
                continue
            # What flowed in a gap over whole buckets flowed in all of them, and would dwarf every other.
            recovered = before is None or number <= before + 1
            found.setdefault(point.start, (number, {}))[1][name] = _counted(point.energy, recovered=recovered)
            before = number
    return found


def _counted(energy: Energy, *, recovered: bool) -> Counted:
    """Return what was counted on a day; without `recovered`, not what flowed in a gap before."""
    if recovered:
        return energy.delivered, energy.received
    return (
        _less(energy.delivered, energy.delivered_recovered),
        _less(energy.received, energy.received_recovered),
    )


def _less(whole: float | None, part: float) -> float | None:
    if whole is None or part < _LEAST:
        return whole
    # Where nothing is left, nothing is known.
    return whole - part if whole - part >= _LEAST else None


def _net(each: Totals) -> float | None:
    return None if each.exported is None or each.imported is None else each.imported - each.exported


_VALUES: Mapping[Quantity, Callable[[Totals], float | None]] = {
    Quantity.PRODUCTION: lambda each: each.produced,
    Quantity.CONSUMPTION: lambda each: each.consumed,
    Quantity.NET: _net,
    Quantity.DISCHARGED: lambda each: each.discharged,
    Quantity.CHARGED: lambda each: each.charged,
}
