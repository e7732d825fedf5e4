"""From meters to what a chart shows: signs, and what no meter measures worked out from the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from enphase_api.models import MeasurementType

from .views import Floats, Quantity, Times, Totals, Track

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
_TOGETHER = 2_000


def track(times: Sequence[int], values: Sequence[float | None], interrupted: Sequence[bool] = ()) -> Track:
    """Give the track of these values, with a break before each that is interrupted."""
    at = np.array(times, dtype=np.int64)
    watts = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    breaks = np.flatnonzero(interrupted)
    return Track(np.insert(at, breaks, at[breaks] - 1), np.insert(watts, breaks, np.nan))


def power_tracks(meters: Mapping[str, Track], *, unmetered_batteries: bool = False) -> dict[Quantity, Track]:
    """Give what is drawn of the power of these meters, each as its meter signs it.

    Consumption = production + net + storage, and net = total - production - storage, where they are not
    metered. With `unmetered_batteries`, whose power nobody knows, neither is worked out.
    """
    production, net, total, storage = (meters.get(name) for name in METERS)
    if production is not None and not unmetered_batteries:
        if total is None and net is not None:
            total = _added(net, [(1, production), (1, storage)])
        elif net is None and total is not None:
            net = _added(total, [(-1, production), (-1, storage)])
    found = {
        Quantity.PRODUCTION: production,
        Quantity.CONSUMPTION: total,
        Quantity.NET: None if net is None else Track(net.times, -net.values),
        Quantity.BATTERY: storage,
    }
    return {quantity: each for quantity, each in found.items() if each is not None and each.times.size}


def _added(base: Track, others: Iterable[tuple[int, Track | None]]) -> Track:
    values = base.values.copy()
    for sign, other in others:
        if other is not None:
            values += sign * _at(base.times, other)
    return Track(base.times, values)


def _at(times: Times, other: Track) -> Floats:
    """Give what another meter said at these times; NaN where it said nothing then."""
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


def totals(meters: Mapping[str, Counted], *, unmetered_batteries: bool = False) -> Totals:
    """Give the energies of these meters, and the consumption worked out where it is not metered.

    Where only total consumption is metered, nothing is known of imports and exports.
    """
    nothing: Counted = (None, None)
    produced, _ = meters.get(PRODUCTION, nothing)
    imported, exported = meters.get(NET, nothing)
    consumed, _ = meters.get(TOTAL, nothing)
    discharged, charged = meters.get(STORAGE, nothing)
    if TOTAL not in meters and not unmetered_batteries and {PRODUCTION, NET} <= meters.keys():
        consumed = _sum(_netted(meters[name]) for name in (PRODUCTION, NET, STORAGE) if name in meters)
    return Totals(
        produced=produced,
        consumed=consumed,
        imported=imported,
        exported=exported,
        charged=charged,
        discharged=discharged,
    )


def _netted(counted: Counted) -> float | None:
    delivered, received = counted
    # A meter that says nothing of the other direction has none.
    return None if delivered is None else delivered - (received or 0.0)


def _sum(values: Iterable[float | None]) -> float | None:
    known = list(values)
    return None if None in known else sum(value for value in known if value is not None)
