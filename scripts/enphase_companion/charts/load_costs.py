"""What energy cost in a stretch of time from the database, as a chart shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from enphase_api.models import Tariff

from ..message import WHOLE
from ..runtime.errors import CommandError
from ..storage import Energy, Point
from ..storage.readable import ReadableDatabase
from . import text
from .costs import Sums, add_costs, add_up, changes_within_a_day, count_slots
from .load import (
    Request,
    find_gaps,
    first_reading_notes,
    get_counters,
    load_energy_by_phase,
    load_series,
    make_notes,
    select_gateway,
)
from .local_clock import shift_days
from .model import Comparison, Panel, Totals, Track, View
from .series import NET, Metering, calculate_totals
from .time_range import (
    DAY,
    HOUR,
    QUARTER_HOUR,
    Span,
    before,
    days_back,
    split_into_days,
    split_into_hours,
    split_into_months,
    split_into_years,
)

#: Longer ranges show each day, month and year.
_LONGEST_HOURS, _LONGEST_DAYS, _LONGEST_MONTHS = 50 * HOUR, 100 * DAY, 3 * 366 * DAY


@dataclass(frozen=True, slots=True)
class _Site:
    database: ReadableDatabase
    gateway: str
    zone: ZoneInfo
    metering: Metering
    tariff: Tariff


async def load_costs(
    database: ReadableDatabase, request: Request, tariff: Tariff, source: str, now: float
) -> View:
    """Return the view of what energy cost by a tariff from `source`, until `now` (epoch seconds).

    Times are rounded to whole quarter-hours. Raises CommandError where no meter counts import and export, and
    otherwise as `load`.
    """
    gateway = await select_gateway(database, request.gateway)
    zone = await database.time_zone()
    asked = request.range.span(zone, now)
    span = Span(asked.start // QUARTER_HOUR * QUARTER_HOUR, -(-asked.end // QUARTER_HOUR) * QUARTER_HOUR)
    until = min(round(now * 1000), span.end)
    kind, split = choose_buckets(span)
    buckets = split(span, zone)
    unmetered = await database.has_unmetered_batteries(gateway)
    site = _Site(database, gateway, zone, Metering(unmetered_batteries=unmetered), tariff)
    is_by_day = (
        split is not split_into_hours
        and not changes_within_a_day(tariff)
        and {span.start, span.end} <= {edge for day in split_into_days(span, zone) for edge in _edges(day)}
        # The time before is compared up to the same time of the day.
        and not (request.comparison and until < span.end)
    )
    energies = await database.energies(gateway, span.start, span.end)
    if energies and NET not in energies:
        raise CommandError(
            f"{database.name}: no meter of gateway {gateway} counted import and export ({NET}) in this time, "
            "and costs need one: draw the chart without --costs"
        )
    series = await _load(site, span, energies, is_by_day=is_by_day)
    sums = _add_costs(site, series, span, buckets, is_by_day=is_by_day)
    totals = calculate_totals({name: get_counters(each) for name, each in energies.items()}, site.metering)
    gaps = find_gaps(series[NET], span, round(now * 1000))
    notes = [
        f"prices of {source}",
        *make_notes(energies, energies, zone, left_out=sums.has_left_out),
        *await first_reading_notes(database, gateway, gaps, span, zone, is_day=split is not split_into_hours),
        *(text.cost_notes(sums, totals) if energies else []),
        *await load_energy_by_phase(database, gateway, span, energies, than="the sum of the phases"),
    ]
    comparison = None
    if request.comparison:
        comparison = await _compare(site, span, until, buckets, split, is_by_day=is_by_day)
        if not comparison.tracks:
            notes.append(f"no readings to compare with: {comparison.title}")
            comparison = None
    return View(
        title=text.format_title(span, zone),
        subtitle=f"Gateway {gateway} · costs of each {kind} in {zone.key}",
        span=span,
        zone=zone,
        panels=[Panel("", sums.tracks)],
        totals=totals,
        buckets=buckets,
        costs=sums.costs,
        comparison=comparison,
        gaps=[gap for gap in gaps if gap.length >= min(DAY, buckets[0].length)],
        notes=notes,
        is_now=False,
    )


def choose_buckets(span: Span) -> tuple[str, Callable[[Span, ZoneInfo], list[Span]]]:
    """Return what each bar of a span is, and what splits the span into such."""
    if span.length <= _LONGEST_HOURS:
        return "hour", split_into_hours
    if span.length <= _LONGEST_DAYS:
        return "day", split_into_days
    if span.length <= _LONGEST_MONTHS:
        return "month", split_into_months
    return "year", split_into_years


def _edges(span: Span) -> tuple[int, int]:
    return span.start, span.end


async def _load(
    site: _Site, span: Span, energies: Mapping[str, Energy], *, is_by_day: bool
) -> dict[str, list[Point]]:
    """Return what the meters counted in quarter-hours or days that costs need, of those with `energies`."""
    width = DAY if is_by_day else QUARTER_HOUR
    # Reading them takes most of the time that a year takes.
    meters = list({NET: 1, **site.metering.home(energies)})
    return {NET: [], **await load_series(site.database, site.gateway, span, width, WHOLE, meters)}


def _add_costs(
    site: _Site,
    series: Mapping[str, Sequence[Point]],
    span: Span,
    buckets: Sequence[Span],
    *,
    is_by_day: bool,
    until: int | None = None,
) -> Sums:
    if is_by_day:
        slots = np.array([day.start for day in split_into_days(span, site.zone)])
    else:
        slots = np.arange(span.start, span.end, QUARTER_HOUR)
    metered = count_slots(series, slots)
    return add_costs(metered, site.metering, site.tariff, buckets, site.zone, until)


async def _compare(
    site: _Site,
    span: Span,
    until: int,
    buckets: Sequence[Span],
    split: Callable[[Span, ZoneInfo], list[Span]],
    *,
    is_by_day: bool,
) -> Comparison:
    """Return the costs of as many days before, or of days, months and years a year before."""
    days = days_back(span, site.zone) if split is split_into_hours else None
    earlier = before(span, site.zone, days)
    energies = await site.database.energies(site.gateway, earlier.start, earlier.end)
    series = await _load(site, earlier, energies, is_by_day=is_by_day)
    same_time = before(Span(span.start, until), site.zone, days).end
    there = split(earlier, site.zone)
    sums = _add_costs(site, series, earlier, there, is_by_day=is_by_day, until=same_time)
    tracks = {name: _move(track, buckets, days, site.zone) for name, track in sums.tracks.items()}
    return Comparison(text.format_title(earlier, site.zone), tracks, Totals(), sums.costs)


def _move(track: Track, buckets: Sequence[Span], days: int | None, zone: ZoneInfo) -> Track:
    """Return a track of the time before, by the buckets that are shown."""
    starts = np.array([bucket.start for bucket in buckets])
    if days is None:
        # A leap year has a day more.
        count = min(starts.size, track.values.size)
        return Track(starts[:count], track.values[:count])
    # By the clock: two hours are one where it was set back, and one of them is left out where it is.
    places = np.searchsorted(starts, shift_days(track.times, days, zone), side="right") - 1
    return Track(starts, add_up(track.values, places, starts.size))
