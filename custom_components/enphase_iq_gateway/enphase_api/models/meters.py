"""Meters, and what they and their phases read.

The sign of a meter's power follows its purpose: production positive: produced; net consumption positive:
imported; storage positive: discharged; total consumption positive: consumed. Energy counters run in two
directions: delivered for positive power, received for negative.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Self

from .. import quirks
from ..values import integer, moment, nested, number, objects, one_object, text


class MeasurementType(StrEnum):
    """What a meter measures.

    Gateways name further types (load, evse, backfeed, pv3p): those stay plain text.
    """

    #: The solar array; delivered is produced energy, received what the array drew at night.
    PRODUCTION = "production"
    #: The grid connection; delivered is imported energy, received exported energy.
    NET_CONSUMPTION = "net-consumption"
    #: All that the home uses; delivered is consumed energy.
    TOTAL_CONSUMPTION = "total-consumption"
    #: The batteries; delivered is discharged energy, received charged energy.
    STORAGE = "storage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """One entry of /ivp/meters: a meter that the gateway has, used or not."""

    eid: int
    #: One of MeasurementType, or another word of the firmware's.
    measurement_type: str
    #: Disabled meters go on reporting numbers that mean nothing.
    enabled: bool
    #: "single", "split" or "three".
    phase_mode: str | None = None
    #: How many phases the gateway believes to be wired, 1 to 3.
    phase_count: int = 1
    #: "normal", "not-metering" or "check-wiring".
    metering_status: str | None = None
    #: Such as "production-imbalance" or "negative-production".
    status_flags: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self | None:
        """Read one entry; None where it lacks its eid or its type."""
        eid = integer(data, "eid", low=0)
        measurement_type = text(data, "measurementType")
        if eid is None or measurement_type is None:
            return None
        flags = data.get("statusFlags")
        return cls(
            eid=eid,
            measurement_type=measurement_type,
            enabled=text(data, "state") == "enabled",
            phase_mode=text(data, "phaseMode"),
            phase_count=integer(data, "phaseCount", low=1, high=3) or 1,
            metering_status=text(data, "meteringStatus"),
            status_flags=tuple(entry for entry in flags if isinstance(entry, str))
            if isinstance(flags, list)
            else (),
        )

    @classmethod
    def list_from_json(cls, answer: object, path: str = "/ivp/meters") -> tuple[Self, ...]:
        """Read the whole answer of /ivp/meters, disabled meters included.

        Raises InvalidAnswerError where it is no list of objects.
        """
        meters = (cls.from_json(entry) for entry in objects(answer, path))
        return tuple(meter for meter in meters if meter is not None)


class _Rule(NamedTuple):
    """Where a quantity stands in a reading and in a report, and between what it is believed."""

    in_reading: str
    in_report: str
    low: float
    high: float


#: No site behind one gateway comes near 10 MW or 1 TWh: what is beyond is a broken answer.
_POWER = (-10e6, 10e6)
_ENERGY = (0, 1e12)

_RULES = {
    "active_power": _Rule("activePower", "actPower", *_POWER),
    "reactive_power": _Rule("reactivePower", "reactPwr", *_POWER),
    "apparent_power": _Rule("apparentPower", "apprntPwr", *_POWER),
    "voltage": _Rule("voltage", "rmsVoltage", 0, 1_500),
    "current": _Rule("current", "rmsCurrent", -10_000, 10_000),
    # A whole meter's factor may be the sum of three: quirks.power_factor sees to it.
    "power_factor": _Rule("pwrFactor", "pwrFactor", -3, 3),
    "frequency": _Rule("freq", "freqHz", 0, 100),
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
        """Read one element of /ivp/meters/readings, or one of its channels."""
        return cls(
            **{name: number(data, rule.in_reading, rule.low, rule.high) for name, rule in _RULES.items()}
        )

    @classmethod
    def from_report(cls, data: Mapping[str, Any]) -> Self:
        """Read one `cumulative`, or one of the `lines`, of /ivp/meters/reports."""
        return cls(
            **{name: number(data, rule.in_report, rule.low, rule.high) for name, rule in _RULES.items()}
        )

    def as_report(self) -> dict[str, float | None]:
        """Give the shape of a report's `cumulative` or line, with all its keys."""
        return {"currW": self.active_power} | {
            rule.in_report: getattr(self, name) for name, rule in _RULES.items()
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one enabled meter read at one moment, as a whole and by phase."""

    meter: Meter
    #: The gateway's own time of measurement (UTC), in whole seconds.
    measured_at: datetime | None
    #: The meter as a whole, firmware's lies mended (see `quirks`).
    total: Quantities
    #: One entry for each phase the meter counts, in the order L1, L2, L3; None where the phase is not wired.
    phases: tuple[Quantities | None, ...]

    @classmethod
    def from_json(cls, data: Mapping[str, Any], meter: Meter) -> Self:
        """Read one element of /ivp/meters/readings that belongs to `meter`."""
        # Three channels are always reported; beyond phase_count they mirror other meters or hold noise.
        channels = [Quantities.from_reading(entry) for entry in nested(data, "channels")][: meter.phase_count]
        total, channels = quirks.without_lost_phase(meter, Quantities.from_reading(data), channels)
        return cls(
            meter=meter,
            measured_at=moment(data, "timestamp"),
            total=replace(
                total,
                voltage=quirks.meter_voltage(meter, total, channels),
                power_factor=quirks.power_factor(total),
            ),
            phases=tuple(phase if quirks.is_wired(phase) else None for phase in channels),
        )

    def as_report(self) -> dict[str, Any]:
        """Give this reading in the shape of one element of /ivp/meters/reports, wired phases only."""
        return {
            "createdAt": None if self.measured_at is None else int(self.measured_at.timestamp()),
            "reportType": self.meter.measurement_type,
            "cumulative": self.total.as_report(),
            "lines": [phase.as_report() for phase in self.phases if phase is not None],
        }


@dataclass(frozen=True, slots=True)
class Readings:
    """One answer of /ivp/meters/readings: the readings of the enabled meters, in the answer's order."""

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
        for entry in objects(answer, path):
            eid = integer(entry, "eid", low=0)
            if eid is None:
                continue
            if (meter := by_eid.get(eid)) is None:
                unknown.append(eid)
            elif meter.enabled:
                found[eid] = Reading.from_json(entry, meter)
        return cls(tuple(found.values()), tuple(dict.fromkeys(unknown)))

    def __iter__(self) -> Iterator[Reading]:
        """Go through the readings of the enabled meters."""
        return iter(self.readings)

    def get(self, measurement_type: str) -> Reading | None:
        """Give the first reading of this type, or None."""
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
                created_at=moment(entry, "createdAt"),
                cumulative=Quantities.from_report(one_object(entry.get("cumulative", {}), path)),
                lines=tuple(Quantities.from_report(line) for line in nested(entry, "lines")),
            )
            for entry in objects(answer, path)
            if (report_type := text(entry, "reportType")) is not None
        )
