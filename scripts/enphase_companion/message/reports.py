"""The `readings` of a message: three reports in the form that Enphase-API's scripts send and read.

Its readers need three reports with a number under every key they ask for: they stop for good at the first
message that lacks one. So a report is given only where all of that is known, and never with a zero in the
place of what is not; a publisher must ask whether all three (`TYPES`) are there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from enphase_api import quirks
from enphase_api.json_values import is_identifier, nested_objects, text, timestamp
from enphase_api.models import MeasurementType, Meter, Quantities
from enphase_api.models.site import NOTHING, add_up, are_together, grid_terms, home_terms

from .model import PHASES, WHOLE, Sample

#: The reports that a reader of Enphase-API's expects, in its gateway's order.
TYPES = (MeasurementType.PRODUCTION, MeasurementType.NET_CONSUMPTION, MeasurementType.TOTAL_CONSUMPTION)

#: What its readers take from a report or a line; they do not look at the energy counters.
_NEEDED = (
    "active_power", "reactive_power", "apparent_power", "voltage", "current", "power_factor", "frequency",
)  # fmt: skip

#: One meter by phase, WHOLE included.
_Phases = Mapping[int, Sample]


def from_samples(
    samples: Iterable[Sample], metered: Collection[str], *, unmetered_batteries: bool = False
) -> list[dict[str, Any]]:
    """Return the reports that can be given, at most the three of `TYPES`, in their order.

    Grid and home are those of `enphase_api.models.site`, for the whole and each phase. The power of
    `unmetered_batteries` is in no sample: what it is a part of is not known.
    """
    meters: dict[str, dict[int, Sample]] = {}
    for sample in samples:
        meters.setdefault(sample.measurement, {}).setdefault(sample.phase, sample)
    terms: tuple[Mapping[str, int], ...] = (
        {MeasurementType.PRODUCTION: 1},
        grid_terms(metered, unmetered_batteries=unmetered_batteries),
        home_terms(metered, unmetered_batteries=unmetered_batteries),
    )
    found = (_added(measurement, each, meters) for measurement, each in zip(TYPES, terms, strict=True))
    return [_report(each) for each in found if each is not None and _is_complete(each)]


def to_samples(reports: Iterable[Mapping[str, Any]]) -> Iterator[Sample]:
    """Yield what reports say of each whole meter and each wired phase, firmware's lies mended.

    Raises ValueError, with the reason, for a report that does not say of what and of when it is.
    """
    for report in reports:
        measurement, at = text(report, "reportType"), timestamp(report, "createdAt")
        if measurement is None or not is_identifier(measurement):
            raise ValueError("a report without a reportType that could be one")
        if at is None:
            raise ValueError(f"the report of {measurement} has no createdAt that could be a time")
        cumulative = report.get("cumulative")
        if not isinstance(cumulative, dict):
            raise ValueError(f"the report of {measurement} has no object `cumulative`")  # noqa: TRY004
        measured_at = round(at.timestamp() * 1000)
        lines = [Quantities.from_line(line) for line in nested_objects(report, "lines")][:PHASES]
        yield Sample(
            measurement, WHOLE, measured_at, _mended(measurement, Quantities.from_report(cumulative), lines)
        )
        for phase, line in enumerate(lines, start=1):
            if quirks.is_wired(line):
                yield Sample(measurement, phase, measured_at, line)


def _mended(measurement: str, total: Quantities, lines: list[Quantities]) -> Quantities:
    # A report does not name its meter's phase mode; only a three-phase one has three lines.
    meter = Meter(
        eid=0,
        measurement_type=measurement,
        enabled=True,
        phase_mode="three" if len(lines) == PHASES else None,
    )
    voltage, factor = quirks.meter_voltage(meter, total, lines), quirks.power_factor(total)
    return replace(total, voltage=voltage, power_factor=factor).within_bounds()


def _report(meter: _Phases) -> dict[str, Any]:
    return {
        "createdAt": meter[WHOLE].measured_at // 1000,
        "reportType": str(meter[WHOLE].measurement),
        "cumulative": meter[WHOLE].quantities.as_report(),
        "lines": [meter[phase].quantities.as_report() for phase in sorted(meter) if phase != WHOLE],
    }


def _is_complete(meter: _Phases) -> bool:
    return WHOLE in meter and all(
        getattr(sample.quantities, name) is not None for sample in meter.values() for name in _NEEDED
    )


def _added(measurement: str, terms: Mapping[str, int], meters: Mapping[str, _Phases]) -> _Phases | None:
    """Return what these terms make, whole and by phase; None where a meter lacks or was not read together."""
    if not terms or not terms.keys() <= meters.keys():
        return None
    involved = [meters[name] for name in terms]
    times = [sample.measured_at for meter in involved for sample in meter.values()]
    if not are_together(datetime.fromtimestamp(at / 1000, UTC) for at in times):
        return None
    added = {
        phase: add_up(terms, {name: _of_phase(meters[name], phase) for name in terms})
        for phase in involved[0]
    }
    currents = [quantities.current for phase, quantities in added.items() if phase != WHOLE]
    known = [current for current in currents if current is not None]
    if len(terms) > 1 and WHOLE in added and currents:
        # A whole meter's current is the sum over its phases; its voltage may be their sum or their mean.
        current = sum(known) if len(known) == len(currents) else None
        added[WHOLE] = replace(added[WHOLE], current=current)
    return {phase: Sample(measurement, phase, max(times), quantities) for phase, quantities in added.items()}


def _of_phase(meter: _Phases, phase: int) -> Quantities:
    return meter[phase].quantities if phase in meter else NOTHING
