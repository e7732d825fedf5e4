"""What energy cost, earned and saved: the energy of each quarter-hour at its price, added up in buckets.

Saved by self-consumption is what the consumption that was not imported would have cost at the time. A battery
that charges from the grid makes it negative then: cost of import and savings together are always what the
consumption would have cost from the grid alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from enphase_api.models import Tariff
from enphase_api.models.site import sum_terms
from enphase_api.models.tariff import Prices

from .local_clock import to_clock
from .model import Costs, Floats, Quantity, Times, Track
from .series import LEAST, NET, Metering, follows_long_gap, leave_out_single
from .time_range import DAY, QUARTER_HOUR, Span

if TYPE_CHECKING:
    from ..storage import Point

_QUARTER_HOURS = DAY // QUARTER_HOUR
_EPOCH = date(1970, 1, 1)

#: Energy in both directions of a meter in each slot, in Wh; NaN: unknown.
Counted = tuple[Floats, Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Metered:
    """What meters counted in slots: quarter-hours, or days if no price changes within one."""

    #: When each slot begins.
    slots: Times
    counted: Mapping[str, Counted]
    #: The part of it from gaps that ended in a slot: the sum is known, but not its course.
    recovered: Mapping[str, Counted]
    #: When the grid meter was last read before the slots, in milliseconds since the epoch.
    read_before: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Money in buckets and in total, and what an owner should know about it."""

    tracks: Mapping[Quantity, Track]
    costs: Costs
    #: Wh with and without a price.
    imported: tuple[float, float]
    exported: tuple[float, float]
    #: Whether a gap's energy counts at the mean of several prices.
    has_mean_price: bool
    #: Whether a gap's energy is in the costs only, as the gap is longer than a bucket.
    has_left_out: bool


def count_slots(series: Mapping[str, Sequence[Point]], slots: Times) -> Metered:
    """Return the energy of each meter in slots that begin at these times."""
    counted, recovered = {}, {}
    for name, points in series.items():
        inside = [point for point in leave_out_single(points) if slots[0] <= point.start]
        places = np.searchsorted(slots, [point.start for point in inside])
        columns = np.full((4, slots.size), np.nan)
        columns[2:] = 0.0
        columns[:, places] = (
            np.array(
                [
                    (
                        np.nan if point.energy.delivered is None else point.energy.delivered,
                        np.nan if point.energy.received is None else point.energy.received,
                        point.energy.delivered_recovered,
                        point.energy.received_recovered,
                    )
                    for point in inside
                ]
            )
            .reshape(-1, 4)
            .T
        )
        counted[name], recovered[name] = (columns[0], columns[1]), (columns[2], columns[3])
    read_before = next((point.read_before for point in series[NET] if slots[0] <= point.start), None)
    return Metered(slots, counted, recovered, read_before)


def changes_within_a_day(tariff: Tariff) -> bool:
    """Whether any day has more than one price."""
    return any(
        # A period that does not start with the day follows one of the day before.
        len({price for _, price in periods}) > 1 or (periods[:1] and periods[0][0] > 0 and len({*prices}) > 1)
        for prices in (tariff.imported, tariff.exported)
        for season in prices.seasons
        for periods in season.days.values()
    )


def find_prices(prices: Prices, slots: Times, zone: ZoneInfo) -> Floats:
    """Return the price in the quarter-hours that begin at these times; NaN: unknown.

    It is a mean where a price changes within a quarter-hour.
    """
    clock = to_clock(slots, zone)
    days, places = np.unique(clock // DAY, return_inverse=True)
    by_day = np.array([_quarter_hours(prices.of_day(_EPOCH + timedelta(days=day))) for day in days.tolist()])
    found: Floats = by_day[places, clock % DAY // QUARTER_HOUR]
    return found


def _quarter_hours(periods: Sequence[tuple[int, float]]) -> Floats:
    if not periods:
        return np.full(_QUARTER_HOURS, np.nan)
    starts, prices = zip(*periods, strict=True)
    minutes = np.arange(24 * 60)
    by_minute = np.array(prices)[np.searchsorted(starts, minutes, side="right") - 1]
    means: Floats = by_minute.reshape(_QUARTER_HOURS, -1).mean(axis=1)
    return means


def add_costs(
    metered: Metered,
    metering: Metering,
    tariff: Tariff,
    buckets: Sequence[Span],
    zone: ZoneInfo,
    until: int | None = None,
) -> Sums:
    """Return what the energy of a house with a grid meter cost; only the costs end at `until`."""
    slots = metered.slots
    starts = np.array([bucket.start for bucket in buckets])
    bucket_of = np.searchsorted(starts, slots, side="right") - 1
    import_prices, export_prices = (
        find_prices(each, slots, zone) for each in (tariff.imported, tariff.exported)
    )
    is_left_out = np.zeros(slots.size, dtype=bool)
    has_mean_price = False
    prices, means = (import_prices, export_prices), (import_prices.copy(), export_prices.copy())
    for begin, end in _find_gaps(metered):
        for price, mean in zip(prices, means, strict=True):
            # When it flowed in the gap is not known.
            mean[end] = price[begin : end + 1].mean()
            has_mean_price |= bool(np.ptp(price[begin : end + 1]) > 0)
        read_before = int(slots[begin - 1]) if begin else metered.read_before
        is_left_out[end] = follows_long_gap(read_before, int(bucket_of[end]), buckets)
    energies, from_gaps = (
        _flows(each, metered.counted, metering) for each in (metered.counted, metered.recovered)
    )
    money, tracks = {}, {}
    for quantity, energy in energies.items():
        direction = int(quantity is Quantity.EXPORT_INCOME)
        own = (energy - from_gaps[quantity]) * prices[direction] / 1000
        gaps = from_gaps[quantity] * means[direction] / 1000
        money[quantity] = own + gaps
        if not np.isnan(money[quantity]).all():
            shown = own + np.where(is_left_out, 0.0, gaps)
            tracks[quantity] = Track(starts, add_up(shown, bucket_of, starts.size))
    counts = slots < (slots[-1] + 1 if until is None else until)
    return Sums(
        tracks=tracks,
        costs=Costs(
            currency=tariff.currency, **{str(name): _sum(each[counts]) for name, each in money.items()}
        ),
        imported=_sum_priced(energies[Quantity.IMPORT_COST], money[Quantity.IMPORT_COST]),
        exported=_sum_priced(energies[Quantity.EXPORT_INCOME], money[Quantity.EXPORT_INCOME]),
        has_mean_price=has_mean_price,
        has_left_out=bool(is_left_out.any()),
    )


def _sum_priced(energy: Floats, money: Floats) -> tuple[float, float]:
    """Return the Wh with and without a price."""
    has_price = ~np.isnan(money)
    return float(np.nansum(energy[has_price])), float(np.nansum(energy[~has_price]))


def _find_gaps(metered: Metered) -> list[tuple[int, int]]:
    """Return the first and the last slot of each gap whose energy was counted at its end."""
    recovered = sum(np.abs(each) for pair in metered.recovered.values() for each in pair)
    known = np.flatnonzero(~np.isnan(metered.counted[NET][0]))
    ends = np.flatnonzero(np.asarray(recovered) >= LEAST)
    before = np.searchsorted(known, ends) - 1
    begins = [0 if place < 0 else int(known[place]) + 1 for place in before.tolist()]
    return list(zip(begins, ends.tolist(), strict=True))


def _flows(
    values: Mapping[str, Counted], counted: Mapping[str, Counted], metering: Metering
) -> dict[Quantity, Floats]:
    """Return the energy in each slot that cost, earned or saved money."""
    imported, exported = values[NET]
    return {
        Quantity.SAVED: _consumption(values, counted, metering) - imported,
        Quantity.EXPORT_INCOME: exported,
        Quantity.IMPORT_COST: imported,
    }


def _consumption(values: Mapping[str, Counted], counted: Mapping[str, Counted], metering: Metering) -> Floats:
    """Return the consumption of the home in each slot, by the meters that had begun to count by then."""
    size = values[NET][0].size
    result = np.full(size, np.nan)
    begun = {}
    for name, pair in counted.items():
        known = np.flatnonzero(~np.isnan(pair[0]))
        if known.size:
            begun[name] = int(known[0])
    for begin, end in pairwise([*sorted(set(begun.values())), size]):
        part = slice(begin, end)
        terms = metering.home([name for name, first in begun.items() if first <= begin])
        if len(terms) == 1:
            result[part] = values[next(iter(terms))][0][part]
            continue
        nets = {name: (values[name][0] - values[name][1])[part] for name in terms}
        total = sum_terms(terms, nets)
        if total is not None:
            result[part] = total
    return result


def add_up(values: Floats, places: NDArray[np.int64], count: int) -> Floats:
    """Return the sum of the known values at each place; NaN where there is none."""
    known = ~np.isnan(values)
    result = np.full(count, np.nan)
    result[places[known]] = 0.0
    np.add.at(result, places[known], values[known])
    return result


def _sum(values: Floats) -> float | None:
    return None if np.isnan(values).all() else float(np.nansum(values))
