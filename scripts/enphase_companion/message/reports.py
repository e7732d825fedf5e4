"""The `readings` of a message: three reports in the format of Enphase-API's scripts.

Their consumers need three reports with a number for every key they use: they stop at the first message that
lacks one. So a report is built only if all of that is known, and an unknown value is never a zero; the
publisher checks whether all three (`TYPES`) are there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import timedelta
from operator import attrgetter
from typing import Any

from enphase_api import quirks
from enphase_api.json_values import is_identifier, nested_objects, text, timestamp
from enphase_api.message import PHASES, WHOLE, Sample
from enphase_api.models import MeasurementType, Quantities
from enphase_api.models.site import TOGETHER, UNWIRED, add_up, grid_terms, home_terms

#: The reports that Enphase-API's consumers need, in the gateway's order.
TYPES = (MeasurementType.PRODUCTION, MeasurementType.NET_CONSUMPTION, MeasurementType.TOTAL_CONSUMPTION)

#: What they use of a report or a line: no energy counters.
_NEEDED = (
    "active_power", "reactive_power", "apparent_power", "voltage", "current", "power_factor", "frequency",
)  # fmt: skip

_get_needed = attrgetter(*_NEEDED)

#: Milliseconds.
_TOGETHER = TOGETHER // timedelta(milliseconds=1)

#: One meter by phase, WHOLE included.
_Phases = Mapping[int, Quantities]


def from_samples(
    samples: Iterable[Sample], metered: Collection[str], *, unmetered_batteries: bool = False
) -> list[dict[str, Any]]:
    """Return the reports that are known, at most the three of `TYPES`, in their order.

    Grid and home are those of `enphase_api.models.site`, for the whole and each phase. The power of
    `unmetered_batteries` is in no sample, so sums that contain it are unknown.
    """
    meters: dict[str, dict[int, Quantities]] = {}
    times: dict[str, list[int]] = {}
    for measurement, phase, measured_at, quantities in samples:
        meters.setdefault(measurement, {}).setdefault(phase, quantities)
        times.setdefault(measurement, []).append(measured_at)
    sums: tuple[Mapping[str, int], ...] = (
        {MeasurementType.PRODUCTION: 1},
        grid_terms(metered, unmetered_batteries=unmetered_batteries),
        home_terms(metered, unmetered_batteries=unmetered_batteries),
    )
    found = []
    for measurement, terms in zip(TYPES, sums, strict=True):
        if not terms or not terms.keys() <= meters.keys():
            continue
        measured = [at for name in terms for at in times[name]]
        # What was read apart is not added up.
        if max(measured) - min(measured) <= _TOGETHER:
            phases = _add({name: meters[name] for name in terms}, terms)
            if _is_complete(phases):
                found.append(_to_report(measurement, max(measured), phases))
    return found


def to_samples(reports: Iterable[Mapping[str, Any]]) -> Iterator[Sample]:
    """Yield a sample for each whole meter and each wired phase, with firmware bugs worked around.

    Raises ValueError, with the reason, for a report without type, time or values.
    """
    for report in reports:
        measurement, at = text(report, "reportType"), timestamp(report, "createdAt")
        if measurement is None or not is_identifier(measurement):
            raise ValueError("a report without a valid reportType")
        if at is None:
            raise ValueError(f"the report of {measurement} has no valid createdAt")
        cumulative = report.get("cumulative")
        if not isinstance(cumulative, dict):
            raise ValueError(f"the report of {measurement} has no `cumulative` object")  # noqa: TRY004
        measured_at = round(at.timestamp() * 1000)
        lines = [Quantities.from_line(line) for line in nested_objects(report, "lines")][:PHASES]
        yield Sample(measurement, WHOLE, measured_at, _fix_total(Quantities.from_report(cumulative), lines))
        for phase, line in enumerate(lines, start=1):
            if quirks.is_wired(line):
                yield Sample(measurement, phase, measured_at, line)


def _fix_total(total: Quantities, lines: list[Quantities]) -> Quantities:
    # A report does not name its meter's phase mode; only a three-phase meter has three lines.
    voltage = quirks.meter_voltage(total, lines, is_three_phase=len(lines) == PHASES)
    return total._replace(voltage=voltage, power_factor=quirks.power_factor(total)).within_bounds()


def _to_report(measurement: str, measured_at: int, meter: _Phases) -> dict[str, Any]:
    return {
        "createdAt": measured_at // 1000,
        "reportType": str(measurement),
        "cumulative": meter[WHOLE].as_report(),
        "lines": [meter[phase].as_report() for phase in sorted(meter) if phase != WHOLE],
    }


def _is_complete(meter: _Phases) -> bool:
    return WHOLE in meter and all(None not in _get_needed(quantities) for quantities in meter.values())


def _add(meters: Mapping[str, _Phases], terms: Mapping[str, int]) -> _Phases:
    """Return the sum of these meters with the signs of `terms`, whole and by phase."""
    first, *others = meters.values()
    if not others:
        return first
    added = {
        phase: add_up(terms, {name: meter.get(phase, UNWIRED) for name, meter in meters.items()})
        for phase in first
    }
    currents = [quantities.current for phase, quantities in added.items() if phase != WHOLE]
    known = [current for current in currents if current is not None]
    if WHOLE in added and currents:
        # A whole meter's current is the sum over its phases; its voltage may be their sum or their mean.
        current = sum(known) if len(known) == len(currents) else None
        added[WHOLE] = added[WHOLE]._replace(current=current)
    return added
