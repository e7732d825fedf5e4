"""The tables that show what is exchanged with Home Assistant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from zoneinfo import ZoneInfo

from ..storage import QUARTER_HOUR, SECOND
from ..storage.buckets import HOUR
from ..units import format_energy
from . import export, history
from .sensors import Sensor, Skipped
from .statistics import Filled, Plan

#: The part by which the energies of a gap may differ without a remark: both sides are not read at one moment.
_ALIKE, _ALIKE_WH = 0.01, 100.0

#: Sensors that are named one by one.
_MAX_NAMES = 3


def format_export(report: export.Report, zone: ZoneInfo) -> Iterator[str]:
    """Yield the lines of a table with a row for each stretch of hours, and what is left out."""
    rows = [
        (
            sensor.entity_id,
            *_range(each.first, each.last + HOUR, zone),
            f"{each.count}",
            *_energies(sensor, each),
        )
        for sensor, plan in report.plans
        for each in plan.filled
    ]
    yield from _table(("sensor", "from", "to", "hours", "energy", "remark"), rows)
    for sensor, plan in report.plans:
        yield from (
            f"{sensor.entity_id}: all sums from {_local(start, zone)} on are adjusted by "
            f"{'-' if energy < 0 else '+'}{format_energy(abs(energy))}"
            for start, energy in plan.adjustments
        )
    waiting = [sensor.entity_id for sensor, plan in report.plans if plan.open_hours]
    if waiting:
        yield (
            f"left for later: {_name(waiting)}: Home Assistant has no later hour to join yet: run this again "
            "in an hour"
        )
    yield from _format_skipped("not exported", report.skipped)


def count_export(report: export.Report) -> tuple[int, int]:
    """Return the number of hours that are written, and that of their sensors."""
    plans: list[Plan] = [plan for _, plan in report.plans if not plan.is_empty]
    return sum(len(plan.rows) for plan in plans), len(plans)


def format_import(report: history.Report, zone: ZoneInfo) -> Iterator[str]:
    """Yield the lines of a table with a row for each meter and phase, and what is left out."""
    rows = [
        (
            each.gateway,
            each.measurement,
            f"L{each.phase}" if each.phase else "",
            *(_range(each.starts[0], each.starts[-1] + QUARTER_HOUR, zone) if each.starts else ("", "")),
            f"{each.hours}",
            f"{len(each.starts)}",
        )
        for each in report.imported
    ]
    header = ("gateway", "meter", "phase", "from", "to", "hours there", "new quarter-hours")
    yield from _table(header, rows)
    yield from _format_skipped("not imported", report.skipped)


def _energies(sensor: Sensor, filled: Filled) -> tuple[str, str]:
    if sensor.is_power:
        return "", ""
    difference = filled.known - filled.written
    remark = ""
    if abs(difference) > _ALIKE * filled.known + _ALIKE_WH:
        remark = f"the database has {format_energy(filled.known)}: see --replace"
    return format_energy(filled.written), remark


def _format_skipped(what: str, skipped: Iterable[Skipped]) -> Iterator[str]:
    by_reason = sorted(skipped, key=attrgetter("reason", "entity_id"))
    for reason, group in groupby(by_reason, key=attrgetter("reason")):
        yield f"{what}: {_name([each.entity_id for each in group])}: {reason}"


def _name(entity_ids: Sequence[str]) -> str:
    """Return a few names, or the number of sensors with one as an example."""
    if len(entity_ids) <= _MAX_NAMES:
        return ", ".join(entity_ids)
    return f"{len(entity_ids)} sensors, such as {entity_ids[0]}"


def _range(start: int, end: int, zone: ZoneInfo) -> tuple[str, str]:
    return _local(start, zone), _local(end, zone)


def _local(at: int, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(at / SECOND, zone):%Y-%m-%d %H:%M}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if not rows:
        return
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
