"""A stretch of time from the database, as a chart shows it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from statistics import median
from zoneinfo import ZoneInfo

import numpy as np

from enphase_api.json_values import is_serial_number

from ..message import PHASES, WHOLE
from ..runtime.errors import CommandError, SettingsError
from ..storage import DAY, MINUTE, QUARTER_HOUR, SECOND, Energy, Point
from ..storage.readable import ReadableDatabase
from . import text
from .heat_map import fold
from .local_clock import shift_days
from .model import Comparison, Panel, Quantity, Track, View
from .series import (
    METERS,
    NET,
    PRODUCTION,
    STORAGE,
    Counted,
    Metering,
    calculate_totals,
    counts_by_phase,
    leaves_out,
    make_energy_tracks,
    make_power_tracks,
    make_track,
)
from .style import LOOKS
from .time_range import Range, Span, before, days_back, split_into_days, split_into_months

#: Maximum width of a line's buckets, in dots.
_DOTS_A_BUCKET = 2
#: Longer ranges show the energy of each day, then of each month: what goes up and down too often is not seen.
_LONGEST_POWER, _LONGEST_DAYS = 10 * DAY, 100 * DAY
#: Up to this long after its first reading, a chart begins with it: else next to nothing would be seen.
_BEGINNING = 60 * MINUTE
#: At the ends of a range, a shorter time without readings is not a gap.
_SHORTEST_GAP = 6 * MINUTE

#: What is compared: more lines would hide one another.
_COMPARED = (Quantity.PRODUCTION, Quantity.CONSUMPTION)

#: Quantities that one meter measures; the others are sums.
_MEASURED_BY = {Quantity.PRODUCTION: (PRODUCTION,), Quantity.BATTERY: (STORAGE,)}

_WIDTHS = {QUARTER_HOUR: "means of quarter-hours", MINUTE: "means of minutes", SECOND: "every reading"}


@dataclass(frozen=True, slots=True)
class Request:
    """Which readings of which gateway a chart shows."""

    range: Range
    #: Serial number; None: the only one that there is.
    gateway: str | None
    phases: bool
    #: How many dots wide the chart is.
    dots: int
    #: Whether the time before is drawn, too.
    comparison: bool = False


async def load(database: ReadableDatabase, request: Request, now: float) -> View:
    """Return the view of what was read until `now` (epoch seconds).

    Raises CommandError where there is nothing to choose from, StorageError as the database does.
    """
    gateway = await select_gateway(database, request.gateway)
    zone = await database.time_zone()
    whole_span = request.range.span(zone, now)
    first = await database.first_reading(gateway)
    span = _without_empty_start(whole_span, first, round(now * 1000))
    buckets = _buckets(span, zone)
    width = DAY if buckets else _width(span, request.dots)
    unmetered = await database.has_unmetered_batteries(gateway)
    metering = Metering(unmetered_batteries=unmetered)
    whole = await load_series(database, gateway, span, width, WHOLE)
    panels = [_panel("", whole, buckets, metering)]
    if request.phases:
        panels += await _phases(database, gateway, span, width, whole, buckets, unmetered_batteries=unmetered)
    energies = await _energies(database, gateway, span, WHOLE) if whole else {}
    longest = max(whole.values(), key=len, default=[])
    gaps = find_gaps(longest, span, round(now * 1000))
    comparison = (
        await _compare(database, gateway, span, width, buckets, metering, zone, round(now * 1000))
        if request.comparison
        else None
    )
    without_comparison = []
    if comparison is not None and not comparison.tracks:
        without_comparison = [f"no readings to compare with: {comparison.title}"]
        comparison = None
    return View(
        title=text.format_title(span, zone) if span is whole_span else text.since(span, zone),
        subtitle=f"Gateway {gateway} · {_fineness(buckets, width)} in {zone.key}",
        span=span,
        zone=zone,
        panels=panels,
        totals=calculate_totals({name: get_counters(each) for name, each in energies.items()}, metering),
        buckets=buckets,
        comparison=comparison,
        gaps=gaps,
        notes=[
            *([] if span is whole_span else [text.BEGUN]),
            *make_notes(
                whole, energies, zone, left_out=leaves_out(whole, buckets) if buckets else bool(gaps)
            ),
            *await first_reading_notes(database, gateway, gaps, span, zone, is_day=bool(buckets)),
            *without_comparison,
            *(text.unknown_note(whole) if unmetered else []),
            *await load_energy_by_phase(database, gateway, span, energies),
        ],
        is_now=bool(longest) and longest[-1].end >= round(now * 1000) - _SHORTEST_GAP,
    )


async def load_heat_map(database: ReadableDatabase, request: Request, now: float, quantity: Quantity) -> View:
    """Return the view of one quantity by day and time of day; otherwise as `load`."""
    gateway = await select_gateway(database, request.gateway)
    zone = await database.time_zone()
    span = request.range.span(zone, now)
    metering = Metering(unmetered_batteries=await database.has_unmetered_batteries(gateway))
    meters = _MEASURED_BY.get(quantity, METERS)
    whole = await load_series(database, gateway, span, QUARTER_HOUR, WHOLE, meters, has_energies=False)
    tracks = make_power_tracks({meter: _power(points) for meter, points in whole.items()}, metering)
    energies = await _energies(database, gateway, span, WHOLE) if whole else {}
    notes = make_notes(whole, energies, zone, left_out=False)
    if quantity not in tracks and whole:
        notes.append(f"{LOOKS[quantity].name.lower()} is not known: it needs a meter that is not there")
    if (first := await _first_reading_within(database, gateway, span)) is not None:
        notes += text.first_reading_note(first, zone, is_day=round(now * 1000) >= first + DAY)
    return View(
        title=text.format_title(span, zone),
        subtitle=f"Gateway {gateway} · {_WIDTHS[QUARTER_HOUR]} in {zone.key}",
        span=span,
        zone=zone,
        panels=[],
        totals=calculate_totals({name: get_counters(each) for name, each in energies.items()}, metering),
        heat_map=fold(quantity, tracks.get(quantity), span, zone),
        notes=notes,
        is_now=False,
    )


async def _compare(
    database: ReadableDatabase,
    gateway: str,
    span: Span,
    width: int,
    buckets: Sequence[Span],
    metering: Metering,
    zone: ZoneInfo,
    now: int,
) -> Comparison:
    """Return what was as many days before, or where energies are shown a year before."""
    days = None if buckets else days_back(span, zone)
    earlier = before(span, zone, days)
    series = await load_series(database, gateway, earlier, width, WHOLE)
    split = split_into_months if _are_months(buckets) else split_into_days
    tracks = _panel("", series, split(earlier, zone) if buckets else [], metering).tracks
    shown = {quantity: tracks[quantity] for quantity in _COMPARED if quantity in tracks}
    if buckets:
        starts = np.array([bucket.start for bucket in buckets])
        # A leap year has a day more.
        count = min(starts.size, *(track.values.size for track in shown.values()), len(buckets))
        moved = {name: Track(starts[:count], track.values[:count]) for name, track in shown.items()}
    else:
        moved = {
            name: replace(track, times=shift_days(track.times, days or 0, zone))
            for name, track in shown.items()
        }
    until = before(Span(span.start, min(span.end, now)), zone, days)
    energies = await _energies(database, gateway, until, WHOLE) if series else {}
    counters = {name: get_counters(each) for name, each in energies.items()}
    return Comparison(text.format_title(earlier, zone), moved, calculate_totals(counters, metering))


def _panel(
    name: str, series: Mapping[str, Sequence[Point]], buckets: Sequence[Span], metering: Metering
) -> Panel:
    if buckets:
        return Panel(name, make_energy_tracks(series, buckets, metering))
    return Panel(
        name, make_power_tracks({meter: _power(points) for meter, points in series.items()}, metering)
    )


async def _phases(
    database: ReadableDatabase,
    gateway: str,
    span: Span,
    width: int,
    whole: Collection[str],
    buckets: Sequence[Span],
    *,
    unmetered_batteries: bool | None,
) -> list[Panel]:
    """Return a panel for each phase of which anything is known."""
    phases = {
        phase: await load_series(database, gateway, span, width, phase) for phase in range(1, PHASES + 1)
    }
    by_phase = {name for series in phases.values() for name in series}
    return [
        _panel(f"L{phase}", series, buckets, Metering(whole, by_phase - series.keys(), unmetered_batteries))
        for phase, series in phases.items()
        if series
    ]


async def _energies(database: ReadableDatabase, gateway: str, span: Span, phase: int) -> Mapping[str, Energy]:
    return await database.energies(gateway, span.start, span.end, phase)


def get_counters(energy: Energy) -> Counted:
    """Return the energy of a meter in both directions, in Wh."""
    return energy.delivered, energy.received


async def load_energy_by_phase(
    database: ReadableDatabase,
    gateway: str,
    span: Span,
    energies: Mapping[str, Energy],
    than: str = "the grid line shows",
) -> list[str]:
    """Return a note if the gateway counts import and export by phase: both totals are more `than` what."""
    if NET not in energies:
        return []
    phases = [await _energies(database, gateway, span, phase) for phase in range(1, PHASES + 1)]
    counted = [get_counters(each[NET]) for each in phases if NET in each]
    return text.by_phase_note(than) if counts_by_phase(get_counters(energies[NET]), counted) else []


async def first_reading_notes(
    database: ReadableDatabase,
    gateway: str,
    gaps: Sequence[Span],
    span: Span,
    zone: ZoneInfo,
    *,
    is_day: bool,
) -> list[str]:
    """Return a note of when readings begin, where that is in this time."""
    if not gaps or gaps[0].start != span.start:
        return []
    first = await _first_reading_within(database, gateway, span)
    return [] if first is None else text.first_reading_note(first, zone, is_day=is_day)


async def _first_reading_within(database: ReadableDatabase, gateway: str, span: Span) -> int | None:
    """Return when the gateway was first read (ms); None if that is not within this time, after its start."""
    first = await database.first_reading(gateway)
    return first if first is not None and span.start < first < span.end else None


async def select_gateway(database: ReadableDatabase, wanted: str | None) -> str:
    """Return the gateway whose readings are shown.

    Raises CommandError without readings of any, SettingsError if none or another one is wanted of several.
    """
    # Another program can have stored any name there.
    there = [name for name in await database.gateways() if is_serial_number(name)]
    if not there:
        raise CommandError(
            f"{database.name}: contains no readings yet: enphase-gateway-database-meters and "
            "enphase-amqp-database-meters write them"
        )
    if wanted is None and len(there) > 1:
        raise SettingsError(
            f"the database contains readings of {', '.join(there)}: select one with --gateway-serial-number"
        )
    if wanted is not None and wanted not in there:
        raise SettingsError(
            f"gateway_serial_number: the database contains no readings of {wanted}, only of "
            f"{', '.join(there)}"
        )
    return wanted or there[0]


def _without_empty_start(span: Span, first: int | None, now: int) -> Span:
    """Return a range; one that includes now, in the first hour of a database, from its first minute on."""
    if first is None or not (span.start < first <= now <= span.end and now < first + _BEGINNING):
        return span
    return Span(first - first % MINUTE, now - now % MINUTE + MINUTE)


def _buckets(span: Span, zone: ZoneInfo) -> list[Span]:
    if span.length <= _LONGEST_POWER:
        return []
    return split_into_days(span, zone) if span.length <= _LONGEST_DAYS else split_into_months(span, zone)


def _fineness(buckets: Sequence[Span], width: int) -> str:
    if not buckets:
        return _WIDTHS[width]
    return "energy of each " + ("month" if _are_months(buckets) else "day")


def _are_months(buckets: Sequence[Span]) -> bool:
    return bool(buckets) and buckets[0].length > 2 * DAY


def _width(span: Span, dots: int) -> int:
    widest = span.length * _DOTS_A_BUCKET // dots
    return next((width for width in _WIDTHS if width <= widest), SECOND)


async def load_series(
    database: ReadableDatabase,
    gateway: str,
    span: Span,
    width: int,
    phase: int,
    meters: Sequence[str] = METERS,
    *,
    has_energies: bool = True,
) -> dict[str, list[Point]]:
    """Return the points of each of these meters that has any in this time."""
    found = {
        name: await database.series(
            gateway, name, span.start, span.end, width, phase, has_energies=has_energies
        )
        for name in meters
    }
    if width == SECOND:
        # A reading has a time; the database extends it to the next one, also over a gap.
        found = {name: [replace(point, end=point.start) for point in found[name]] for name in found}
    return {name: points for name, points in found.items() if points}


def _power(points: Sequence[Point]) -> Track:
    # A bucket without reading is no point of a line, which continues to the next one.
    seen = [point for point in points if point.reading_count]
    return make_track(
        # A mean is drawn at the middle of its bucket.
        [(point.start + point.end) // 2 for point in seen],
        [None if point.power is None else point.power.mean for point in seen],
        [point.after_gap for point in seen],
    )


def find_gaps(points: Sequence[Point], span: Span, now: int) -> list[Span]:
    """Return the times of a range, up to now, of which nothing is known."""
    end = min(span.end, now)
    if not points:
        return [Span(span.start, end)] if end > span.start else []
    pauses = [after.start - before.end for before, after in pairwise(points)]
    # For a slow source such as microinverters, a gap is at least three times the usual interval.
    longest = max(_SHORTEST_GAP, 3 * median(pauses)) if pauses else _SHORTEST_GAP
    found = [
        Span(before.end, after.start)
        for (before, after), pause in zip(pairwise(points), pauses, strict=True)
        if after.after_gap or pause > longest
    ]
    edges = [Span(span.start, points[0].start), Span(points[-1].end, end)]
    return sorted([*found, *(each for each in edges if each.length > longest)], key=lambda each: each.start)


def make_notes(
    whole: Mapping[str, object], energies: Mapping[str, Energy], zone: ZoneInfo, *, left_out: bool
) -> list[str]:
    """Return notes about readings, of which `whole` has those of each meter.

    `left_out`: totals have energy from gaps that is not drawn.
    """
    notes = []
    recovered = max(
        (each.delivered_recovered + each.received_recovered for each in energies.values()), default=0.0
    )
    if any(each.delivered_estimated + each.received_estimated >= 1 for each in energies.values()):
        notes.append("energy is estimated by power where no counters were stored (imports)")
    if not any(whole.values()):
        notes.append("no readings in this time")
    if recovered >= 1 and left_out:
        notes.append("totals include energy from gaps, which the chart cannot show")
    resets = sorted({at for energy in energies.values() for at in energy.resets})
    if resets:
        seen = ", ".join(f"{datetime.fromtimestamp(at / 1000, zone):%Y-%m-%d %H:%M}" for at in resets[:3])
        more = " …" if len(resets) > 3 else ""
        notes.append(f"a counter was reset ({seen}{more}): the energy just before is missing")
    return notes
