"""Turn meter readings into the power and energy of a chart, by the client's site rule."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from math import isclose
from typing import TYPE_CHECKING

import numpy as np

from enphase_api.models import MeasurementType, Quantities, Site
from enphase_api.models.site import TOGETHER, UNWIRED, grid_terms, home_terms, net_energy, sum_terms

from .model import Floats, Quantity, Times, Totals, Track
from .time_range import Span

if TYPE_CHECKING:
    # A live chart needs no packages of the database.
    from ..storage import Energy, Point

PRODUCTION, NET, TOTAL, STORAGE = (
    str(each)
    for each in (
        MeasurementType.PRODUCTION,
        MeasurementType.NET_CONSUMPTION,
        MeasurementType.TOTAL_CONSUMPTION,
        MeasurementType.STORAGE,
    )
)

#: All meters that charts look at.
METERS = (PRODUCTION, NET, TOTAL, STORAGE)

#: Milliseconds: what was read further apart than this is not added up.
_TOGETHER = round(TOGETHER.total_seconds() * 1000)

#: Wh; less than this does not show how a meter counts.
LEAST = 1.0
#: The part by which a whole meter's energy and the sum of its phases' may differ by rounding.
_ALIKE = 0.01


def make_track(
    times: Sequence[int], values: Sequence[float | None], interrupted: Sequence[bool] = ()
) -> Track:
    """Return the track of these values, with a break before each that is interrupted."""
    at = np.array(times, dtype=np.int64)
    watts = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    breaks = np.flatnonzero(interrupted)
    return Track(np.insert(at, breaks, at[breaks] - 1), np.insert(watts, breaks, np.nan))


@dataclass(frozen=True, slots=True)
class Metering:
    """The meters behind a panel, beyond their readings."""

    #: The meters of the house; None: those with values in the panel, and no others.
    metered: Collection[str] | None = None
    #: Meters that are wired on other phases, but not on this one: their values are `UNWIRED`.
    unwired: Collection[str] = ()
    #: Whether there are batteries that no meter measures; None: unknown.
    unmetered_batteries: bool | None = False

    def home(self, names: Collection[str]) -> Mapping[str, int]:
        """Return the terms of home, see `enphase_api.models.site`; empty where one of them is not known."""
        return self._select_known_terms(home_terms, names)

    def grid(self, names: Collection[str]) -> Mapping[str, int]:
        """Return the terms of the grid, as `home` does."""
        return self._select_known_terms(grid_terms, names)

    def _select_known_terms(
        self, rule: Callable[..., Mapping[str, int]], names: Collection[str]
    ) -> Mapping[str, int]:
        metered = set(names if self.metered is None else self.metered)
        terms = rule(metered, unmetered_batteries=self.unmetered_batteries)
        return terms if terms.keys() <= (metered & set(names)) | set(self.unwired) else {}


#: A whole house in which every battery is metered.
WHOLE_HOUSE = Metering()


def make_power_tracks(meters: Mapping[str, Track], metering: Metering = WHOLE_HOUSE) -> dict[Quantity, Track]:
    """Return what is drawn of the power of these meters, each as its meter signs it."""
    found = {
        Quantity.PRODUCTION: meters.get(PRODUCTION),
        Quantity.CONSUMPTION: _sum_terms(metering.home(meters), meters),
        Quantity.NET: _sum_terms(metering.grid(meters), meters),
        Quantity.BATTERY: meters.get(STORAGE),
    }
    return {quantity: each for quantity, each in found.items() if each is not None and each.times.size}


def _sum_terms(terms: Mapping[str, int], meters: Mapping[str, Track]) -> Track | None:
    """Return the sum of these terms, at the times of the first that is here; None where none is."""
    base = next((meters[name] for name in terms if name in meters), None)
    if base is None:
        return None
    unwired = np.full(base.times.size, UNWIRED.active_power)
    values = {name: _values_at(base.times, meters[name]) if name in meters else unwired for name in terms}
    total = sum_terms(terms, values)
    return None if total is None else Track(base.times, total, base.is_stepped)


def _values_at(times: Times, other: Track) -> Floats:
    """Return another meter's values at these times; NaN where it has none."""
    at, values = other.times, other.values
    if not at.size:
        return np.full(times.size, np.nan)
    after = np.clip(np.searchsorted(at, times), 1, max(at.size - 1, 1))
    candidates = np.stack([np.minimum(after - 1, at.size - 1), np.minimum(after, at.size - 1)])
    nearest = candidates[np.abs(at[candidates] - times).argmin(axis=0), np.arange(times.size)]
    found: Floats = np.where(np.abs(at[nearest] - times) <= _TOGETHER, values[nearest], np.nan)
    return found


#: The two directions of a meter's counters in Wh: of positive and of negative power.
Counted = tuple[float | None, float | None]


def calculate_totals(meters: Mapping[str, Counted], metering: Metering = WHOLE_HOUSE) -> Totals:
    """Return the energies of these meters, and home's as `enphase_api.models.site` adds it up."""
    counted = {
        name: Quantities(energy_delivered=delivered, energy_received=received)
        for name, (delivered, received) in meters.items()
    }
    found = Site.from_quantities(
        dict.fromkeys(metering.unwired, UNWIRED) | counted,
        metered=metering.metered,
        unmetered_batteries=metering.unmetered_batteries,
    )
    return Totals(
        produced=found.produced_energy,
        consumed=found.consumed_energy,
        imported=found.imported_energy,
        exported=found.exported_energy,
        charged=found.charged_energy,
        discharged=found.discharged_energy,
    )


def counts_by_phase(whole: Counted, phases: Sequence[Counted]) -> bool:
    """Return whether a meter's energies in both directions are the sums of its phases'.

    While one phase imports and another exports, both grow, and the power of the whole meter shows less.
    """
    return len(phases) > 1 and all(
        total is not None
        and total >= LEAST
        and None not in (parts := [phase[direction] for phase in phases])
        and isclose(total, sum(part or 0.0 for part in parts), rel_tol=_ALIKE)
        for direction, total in enumerate(whole)
    )


def make_energy_tracks(
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
        of_day = calculate_totals(counted, replace(metering, metered=frozenset(begun)))
        for quantity, value in _VALUES.items():
            if (watt_hours := value(of_day)) is not None:
                summed[number][quantity] = summed[number].get(quantity, 0.0) + watt_hours
    return {
        quantity: make_track([bucket.start for bucket in buckets], [each.get(quantity) for each in summed])
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
        for point in leave_out_single(points):
            if (number := bisect_right(starts, point.start) - 1) >= 0:
                found.setdefault(point.start, (number, {}))[1][name] = _count_day(
                    point.energy, recovered=not follows_long_gap(point.read_before, number, buckets)
                )
    return found


def follows_long_gap(read_before: int | None, number: int, buckets: Sequence[Span]) -> bool:
    """Return whether there is no reading in the bucket before this one; `read_before`: the last one before.

    What flowed in a gap over whole buckets flowed in all of them, and would dwarf every other.
    """
    before = buckets[number - 1].start if number else buckets[0].start - buckets[0].length
    return read_before is not None and read_before < before


def leaves_out(series: Mapping[str, Sequence[Point]], buckets: Sequence[Span]) -> bool:
    """Return whether energy from a gap is in no bucket."""
    starts = [bucket.start for bucket in buckets]
    return any(
        point.energy.delivered_recovered + point.energy.received_recovered >= LEAST
        and follows_long_gap(point.read_before, bisect_right(starts, point.start) - 1, buckets)
        for points in series.values()
        for point in points
        if point.start >= starts[0]
    )


def leave_out_single(points: Sequence[Point]) -> Iterator[Point]:
    """Yield the points but single readings before a gap: nothing was counted there, which is not zero."""
    for point, following in zip_longest(points, points[1:]):
        is_alone = point.reading_count == 1 and (following is None or following.start > point.end)
        energy = point.energy
        if not is_alone or energy.delivered or energy.received:
            yield point


def _count_day(energy: Energy, *, recovered: bool) -> Counted:
    """Return what was counted on a day; without `recovered`, not what flowed in a gap before."""
    if recovered:
        return energy.delivered, energy.received
    return (
        _subtract_recovered(energy.delivered, energy.delivered_recovered),
        _subtract_recovered(energy.received, energy.received_recovered),
    )


def _subtract_recovered(whole: float | None, part: float) -> float | None:
    if whole is None or part < LEAST:
        return whole
    # Where nothing is left, nothing is known.
    return whole - part if whole - part >= LEAST else None


_VALUES: Mapping[Quantity, Callable[[Totals], float | None]] = {
    Quantity.PRODUCTION: lambda each: each.produced,
    Quantity.CONSUMPTION: lambda each: each.consumed,
    Quantity.NET: lambda each: net_energy(each.imported, each.exported),
    Quantity.DISCHARGED: lambda each: each.discharged,
    Quantity.CHARGED: lambda each: each.charged,
}
