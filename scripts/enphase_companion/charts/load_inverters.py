"""The energy of each microinverter in a stretch of time from the database, as a chart shows it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from enphase_api.json_values import SILENT_AFTER

from ..runtime.errors import CommandError
from ..storage import Database, InverterHistory
from . import text
from .load import Request, select_gateway
from .model import InverterEnergies, Totals, View
from .time_range import Span, split_into_days


async def load_inverters(database: Database, request: Request, now: float) -> View:
    """Return the view of each microinverter's energy on the days of a range, until `now` (epoch seconds).

    Raises CommandError where there is nothing to choose from, StorageError as the database does.
    """
    gateway = await select_gateway(database, request.gateway)
    zone = await database.time_zone()
    days = split_into_days(request.range.span(zone, now), zone)
    span = Span(days[0].start, days[-1].end)
    histories = await database.inverters(gateway, span.start, span.end)
    if not histories:
        raise CommandError(
            f"{database.name}: contains no panels of gateway {gateway} in this time: set keep_panels for the "
            "script that reads the gateway, and they are stored from then on"
        )
    energies = _sort(histories, days)
    produced = energies.totals[~np.isnan(energies.totals)]
    return View(
        title=text.format_title(span, zone),
        subtitle=f"Gateway {gateway} · energy of each panel, the most first",
        span=span,
        zone=zone,
        panels=[],
        totals=Totals(produced=float(produced.sum()) if produced.size else None),
        inverters=energies,
        notes=_notes(histories, energies, zone),
        is_now=False,
    )


def _sort(histories: Iterable[InverterHistory], days: Sequence[Span]) -> InverterEnergies:
    def total(history: InverterHistory) -> float:
        return sum(day.energy or 0.0 for day in history.days.values())

    ordered = sorted(histories, key=lambda each: (-total(each), each.serial_number))
    read = {day for history in ordered for day in history.days}
    starts = [day.start for day in days if day.start in read]
    by_day = np.full((len(starts), len(ordered)), np.nan)
    for column, history in enumerate(ordered):
        for row, start in enumerate(starts):
            energy = history.days[start].energy if start in history.days else None
            if energy is not None:
                by_day[row, column] = energy
    newest = max(history.last_measured_at for history in ordered)
    silent = SILENT_AFTER.total_seconds() * 1000
    return InverterEnergies(
        [history.serial_number for history in ordered],
        np.array(starts, dtype=np.int64),
        by_day,
        {
            history.serial_number: history.last_measured_at
            for history in ordered
            if newest - history.last_measured_at > silent
        },
    )


def _notes(histories: Iterable[InverterHistory], energies: InverterEnergies, zone: ZoneInfo) -> list[str]:
    read = [day for history in histories for day in history.days.values()]
    if not read:
        return ["no readings in this time"]
    notes = []
    if any(day.is_estimated for day in read):
        notes.append("energy is estimated by power where the gateway has no counters of panels")
    if not np.nansum(energies.by_day):
        notes.append("energy is known from the second report of a panel on, five minutes after its first")
    if silent := energies.silent_since:
        shown = ", ".join(
            f"{serial_number} since {datetime.fromtimestamp(at / 1000, zone):%Y-%m-%d %H:%M}"
            for serial_number, at in list(silent.items())[:3]
        )
        notes.append(f"silent: {shown}{' …' if len(silent) > 3 else ''}")
    return notes
