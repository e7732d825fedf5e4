"""What meters read: quantities with their units, readings of meters and their phases, and reports."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple, Self

from .. import quirks
from ..json_values import (
    MAX_POWER,
    integer,
    json_object,
    json_objects,
    nested_objects,
    number,
    text,
    timestamp,
)
from .meters import Meter


class _Rule(NamedTuple):
    """Keys of a quantity in a reading and in a report, and its plausible range."""

    in_reading: str
    in_report: str
    low: float
    high: float


#: No site behind one gateway comes near 1 MW or 1 TWh: what is beyond is a broken answer.
_POWER = (-MAX_POWER, MAX_POWER)
_ENERGY = (0, 1e12)

#: No grid has 0 Hz: some meters say it for what they do not measure.
_FREQUENCY = (math.ulp(0.0), 100)

_RULES = {
    "active_power": _Rule("activePower", "actPower", *_POWER),
    "reactive_power": _Rule("reactivePower", "reactPwr", *_POWER),
    "apparent_power": _Rule("apparentPower", "apprntPwr", *_POWER),
    "voltage": _Rule("voltage", "rmsVoltage", 0, 1_500),
    "current": _Rule("current", "rmsCurrent", -10_000, 10_000),
    # A whole meter's factor may be the sum of three: quirks.power_factor sees to it.
    "power_factor": _Rule("pwrFactor", "pwrFactor", -3, 3),
    "frequency": _Rule("freq", "freqHz", *_FREQUENCY),
    "energy_delivered": _Rule("actEnergyDlvd", "whDlvdCum", *_ENERGY),
    "energy_received": _Rule("actEnergyRcvd", "whRcvdCum", *_ENERGY),
    "apparent_energy": _Rule("apparentEnergy", "vahCum", *_ENERGY),
    "reactive_energy_lagging": _Rule("reactEnergyLagg", "varhLagCum", *_ENERGY),
    "reactive_energy_leading": _Rule("reactEnergyLead", "varhLeadCum", *_ENERGY),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantities:
    """What one meter, or one phase of it, says at one moment."""

    #: W, signed as the meter's purpose says.
    active_power: float | None = None
    #: var, positive: lagging (inductive).
    reactive_power: float | None = None
    #: VA.
    apparent_power: float | None = None
    #: V; for a whole meter as `quirks.meter_voltage` says.
    voltage: float | None = None
    #: A; for a whole meter the sum over its phases.
    current: float | None = None
    #: -1 to 1, without unit.
    power_factor: float | None = None
    #: Hz.
    frequency: float | None = None
    #: Wh over the meter's life, of positive power.
    energy_delivered: float | None = None
    #: Wh over the meter's life, of negative power.
    energy_received: float | None = None
    #: VAh over the meter's life.
    apparent_energy: float | None = None
    #: varh over the meter's life, lagging.
    reactive_energy_lagging: float | None = None
    #: varh over the meter's life, leading.
    reactive_energy_leading: float | None = None

    @classmethod
    def from_reading(cls, data: Mapping[str, Any]) -> Self:
        """Read one element of /ivp/meters/readings."""
        read = {name: number(data, rule.in_reading, rule.low, rule.high) for name, rule in _RULES.items()}
        return cls(**read).within_bounds()

    @classmethod
    def from_channel(cls, data: Mapping[str, Any]) -> Self:
        """Read one of the channels of such an element."""
        return cls.from_reading(_with_power_from(data, "instantaneousDemand", "activePower"))

    @classmethod
    def from_report(cls, data: Mapping[str, Any]) -> Self:
        """Read one `cumulative` of /ivp/meters/reports."""
        read = {name: number(data, rule.in_report, rule.low, rule.high) for name, rule in _RULES.items()}
        return cls(**read).within_bounds()

    @classmethod
    def from_line(cls, data: Mapping[str, Any]) -> Self:
        """Read one of the lines of /ivp/meters/reports."""
        return cls.from_report(_with_power_from(data, "currW", "actPower"))

    def within_bounds(self) -> Self:
        """Return the same without a power that its own voltage and current cannot carry."""
        beyond = [
            name
            for name in ("active_power", "reactive_power", "apparent_power")
            if not quirks.can_carry(self.voltage, self.current, getattr(self, name))
        ]
        return replace(self, **dict.fromkeys(beyond)) if beyond else self

    def without_power(self) -> Self:
        """Return the same without what flows now; voltage and energies stay."""
        return replace(
            self, active_power=None, reactive_power=None, apparent_power=None, power_factor=None, current=None
        )

    def as_report(self) -> dict[str, float | None]:
        """Return the shape of a report's `cumulative` or line, with all its keys."""
        return {"currW": self.active_power} | {
            rule.in_report: getattr(self, name) for name, rule in _RULES.items()
        }


def _with_power_from(data: Mapping[str, Any], key: str, usual: str) -> Mapping[str, Any]:
    """Return the same with the power under `usual` that stands under `key`, where one does.

    A channel's `activePower` does not add up to the meter's on gateways with seven meters (8.3.5433); its
    demand of this moment does, to the milliwatt, and on all others both are the same.
    """
    return data if data.get(key) is None else {**data, usual: data[key]}


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
