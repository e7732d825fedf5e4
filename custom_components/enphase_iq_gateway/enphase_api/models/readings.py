"""What meters and their phases read at one moment, joined to the meters that they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from .. import quirks
from ..json_values import integer, json_object, json_objects, nested_objects, text, timestamp
from .meters import Meter
from .quantities import Quantities


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one enabled meter read at one moment, as a whole and by phase."""

    meter: Meter
    #: The gateway's own time of measurement (UTC), in whole seconds.
    measured_at: datetime | None
    #: The meter as a whole, firmware bugs corrected (see `quirks`).
    total: Quantities
    #: One entry for each phase the meter counts, in the order L1, L2, L3; None where the phase is not wired.
    phases: tuple[Quantities | None, ...]

    @classmethod
    def from_json(cls, data: Mapping[str, Any], meter: Meter) -> Self:
        """Read one element of /ivp/meters/readings that belongs to `meter`."""
        # Three channels are always reported; beyond phase_count they mirror other meters or hold noise.
        channels = [Quantities.from_channel(entry) for entry in nested_objects(data, "channels")][
            : meter.phase_count
        ]
        total, channels = quirks.without_lost_phase(meter, Quantities.from_reading(data), channels)
        return cls(
            meter=meter,
            measured_at=timestamp(data, "timestamp"),
            total=replace(
                total,
                voltage=quirks.meter_voltage(total, channels, is_three_phase=meter.phase_mode == "three"),
                power_factor=quirks.power_factor(total),
            ).within_bounds(),
            phases=tuple(phase if quirks.is_wired(phase) else None for phase in channels),
        )

    def without_copies(self, readings: Iterable[Reading]) -> Self:
        """Return the same without the power of phases that are another meter's of `readings`."""
        others = [
            phase for each in readings if each.meter is not self.meter for phase in each.phases if phase
        ]
        copied = [phase is not None and quirks.is_copied(phase, others) for phase in self.phases]
        if not any(copied):
            return self
        phases = zip(self.phases, copied, strict=True)
        return replace(
            self,
            total=self.total.without_power(),
            phases=tuple(phase.without_power() if phase and is_copy else phase for phase, is_copy in phases),
        )

    def as_report(self) -> dict[str, Any]:
        """Return this reading in the shape of one element of /ivp/meters/reports, wired phases only."""
        return {
            "createdAt": None if self.measured_at is None else int(self.measured_at.timestamp()),
            "reportType": self.meter.measurement_type,
            "cumulative": self.total.as_report(),
            "lines": [phase.as_report() for phase in self.phases if phase is not None],
        }


@dataclass(frozen=True, slots=True)
class Readings:
    """One answer of /ivp/meters/readings: the readings of the enabled meters, in these meters' order."""

    readings: tuple[Reading, ...]
    #: eids that the list of meters does not know. 8.3 always has one; a new one means that the list changed.
    unknown_eids: tuple[int, ...] = ()

    @classmethod
    def from_json(cls, answer: object, meters: Iterable[Meter], path: str = "/ivp/meters/readings") -> Self:
        """Read the whole answer, joined to the meters by eid: order and length of the two lists may differ.

        Raises InvalidAnswerError where it is no list of objects.
        """
        by_eid = {meter.eid: meter for meter in meters}
        found: dict[int, Reading] = {}
        unknown: list[int] = []
        for entry in json_objects(answer, path):
            eid = integer(entry, "eid", low=0)
            if eid is None:
                continue
            if (meter := by_eid.get(eid)) is None:
                unknown.append(eid)
            elif meter.enabled:
                found[eid] = Reading.from_json(entry, meter)
        # In the meters' order: which of two of one type is the first may not depend on the answer.
        readings = (found[eid].without_copies(found.values()) for eid in by_eid if eid in found)
        return cls(tuple(readings), tuple(dict.fromkeys(unknown)))

    def __iter__(self) -> Iterator[Reading]:
        """Go through the readings of the enabled meters."""
        return iter(self.readings)

    def get(self, measurement_type: str) -> Reading | None:
        """Return the first reading of this type, or None."""
        return next((each for each in self.readings if each.meter.measurement_type == measurement_type), None)

    @property
    def measured_at(self) -> datetime | None:
        """The newest time of measurement (UTC)."""
        return max((each.measured_at for each in self.readings if each.measured_at is not None), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One element of /ivp/meters/reports.

    Prefer Readings: reports cannot give the exported energy on recent firmware (seen on 8.3.5169).
    """

    report_type: str
    created_at: datetime | None
    cumulative: Quantities
    lines: tuple[Quantities, ...]

    @classmethod
    def list_from_json(cls, answer: object, path: str = "/ivp/meters/reports") -> tuple[Self, ...]:
        """Read the whole answer; an element without its type is left out.

        Raises InvalidAnswerError where it is no list of objects.
        """
        return tuple(
            cls(
                report_type=report_type,
                created_at=timestamp(entry, "createdAt"),
                cumulative=Quantities.from_report(json_object(entry.get("cumulative", {}), path)),
                lines=tuple(Quantities.from_line(line) for line in nested_objects(entry, "lines")),
            )
            for entry in json_objects(answer, path)
            if (report_type := text(entry, "reportType")) is not None
        )
