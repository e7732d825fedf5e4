"""The `readings` of a message: three reports in the form that Enphase-API's scripts send and read.

Its readers need three reports with a number under every key they ask for: they stop for good at the first
message that lacks one. So a report is given only where all of that is known, and never with a zero in the
place of what is not; a publisher must ask whether all three (`TYPES`) are there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from enphase_api import quirks
from enphase_api.models import MeasurementType, Meter, Quantities
from enphase_api.values import moment, nested, text

from .sample import MAX_TEXT, PHASES, WHOLE, Sample

#: The reports that a reader of Enphase-API's expects, in its gateway's order.
TYPES = (MeasurementType.PRODUCTION, MeasurementType.NET_CONSUMPTION, MeasurementType.TOTAL_CONSUMPTION)

#: What its readers take from a report or a line; they do not look at the energy counters.
_NEEDED = (
    "active_power", "reactive_power", "apparent_power", "voltage", "current", "power_factor", "frequency",
)  # fmt: skip

#: Milliseconds: meters that were read further apart than this are not added up.
_TOGETHER = 2_000

#: One meter by phase, WHOLE included.
_Phases = Mapping[int, Sample]


def from_samples(samples: Iterable[Sample], *, unmetered_batteries: bool = False) -> list[dict[str, Any]]:
    """Give the reports that can be given, at most the three of `TYPES`, in their order.

    What no meter measures is worked out for the whole and each phase: total = production + net + storage, or
    net = total - production - storage. With `unmetered_batteries`, whose power is in no sample, neither is
    known.
    """
    meters: dict[str, dict[int, Sample]] = {}
    for sample in samples:
        meters.setdefault(sample.measurement, {}).setdefault(sample.phase, sample)
    production: _Phases | None
    net: _Phases | None
    total: _Phases | None
    production, net, total = (meters.get(each) for each in TYPES)
    if production is not None and not unmetered_batteries:
        others = [production, *filter(None, [meters.get(MeasurementType.STORAGE)])]
        if total is None and net is not None:
            total = _added(MeasurementType.TOTAL_CONSUMPTION, net, others, sign=1)
        elif net is None and total is not None:
            net = _added(MeasurementType.NET_CONSUMPTION, total, others, sign=-1)
    return [_report(each) for each in (production, net, total) if each is not None and _is_complete(each)]


def to_samples(reports: Iterable[Mapping[str, Any]]) -> Iterator[Sample]:
    """Give what reports say of each whole meter and each wired phase, firmware's lies mended.

    Raises ValueError, with the reason, for a report that does not say of what and of when it is.
    """
    for report in reports:
        measurement, at = text(report, "reportType"), moment(report, "createdAt")
        if measurement is None or len(measurement) > MAX_TEXT:
            raise ValueError("a report without a reportType that could be one")
        if at is None:
            raise ValueError(f"the report of {measurement} has no createdAt that could be a time")
        cumulative = report.get("cumulative")
        if not isinstance(cumulative, dict):
            raise ValueError(f"the report of {measurement} has no object `cumulative`")  # noqa: TRY004
        measured_at = round(at.timestamp() * 1000)
        lines = [Quantities.from_report(line) for line in nested(report, "lines")][:PHASES]
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
    return replace(total, voltage=voltage, power_factor=factor)


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


def _added(measurement: str, base: _Phases, others: Sequence[_Phases], sign: int) -> _Phases | None:
    """Give a meter that nobody has: whole and phases of `base`, those of the others added with this sign.

    A phase that another meter has not wired adds nothing to that meter's whole either. None where the
    meters were not read together.
    """
    times = [sample.measured_at for meter in (base, *others) for sample in meter.values()]
    if max(times) - min(times) > _TOGETHER:
        return None
    added = {
        phase: _sum(sample.quantities, [other[phase].quantities for other in others if phase in other], sign)
        for phase, sample in base.items()
    }
    currents = [quantities.current for phase, quantities in added.items() if phase != WHOLE]
    if WHOLE in added and currents:
        # A whole meter's current is the sum over its phases; its voltage may be their sum or their mean.
        added[WHOLE] = replace(added[WHOLE], current=_total(currents))
    return {phase: Sample(measurement, phase, max(times), quantities) for phase, quantities in added.items()}


def _sum(base: Quantities, others: list[Quantities], sign: int) -> Quantities:
    active = _total([base.active_power, *(_times(sign, other.active_power) for other in others)])
    reactive = _total([base.reactive_power, *(_times(sign, other.reactive_power) for other in others)])
    apparent = None if active is None or reactive is None else math.hypot(active, reactive)
    return Quantities(
        active_power=active,
        reactive_power=reactive,
        apparent_power=apparent,
        voltage=base.voltage,
        current=apparent / base.voltage if apparent is not None and base.voltage else None,
        power_factor=active / apparent if active is not None and apparent else None,
        frequency=base.frequency,
        # Two directions cannot be told from a difference of counters, so a net that is worked out has none.
        energy_delivered=_total([_netted(each) for each in (base, *others)]) if sign > 0 else None,
    )


def _netted(quantities: Quantities) -> float | None:
    return _total([quantities.energy_delivered, _times(-1, quantities.energy_received)])


def _times(sign: int, value: float | None) -> float | None:
    return None if value is None else sign * value


def _total(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) if len(known) == len(values) else None
