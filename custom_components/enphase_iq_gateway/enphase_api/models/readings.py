"""Readings of meters and their phases, reports, and the quantities in both."""

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


#: W and Wh; far beyond any site behind one gateway.
_POWER = (-MAX_POWER, MAX_POWER)
_ENERGY = (0, 1e12)

#: Hz; some meters report 0 for what they do not measure.
_FREQUENCY = (math.ulp(0.0), 100)

_RULES = {
    "active_power": _Rule("activePower", "actPower", *_POWER),
    "reactive_power": _Rule("reactivePower", "reactPwr", *_POWER),
    "apparent_power": _Rule("apparentPower", "apprntPwr", *_POWER),
    "voltage": _Rule("voltage", "rmsVoltage", 0, 1_500),
    "current": _Rule("current", "rmsCurrent", -10_000, 10_000),
    # The factor of a whole meter may be the sum of three: see quirks.power_factor.
    "power_factor": _Rule("pwrFactor", "pwrFactor", -3, 3),
    "frequency": _Rule("freq", "freqHz", *_FREQUENCY),
    "energy_delivered": _Rule("actEnergyDlvd", "whDlvdCum", *_ENERGY),
    "energy_received": _Rule("actEnergyRcvd", "whRcvdCum", *_ENERGY),
    "apparent_energy": _Rule("apparentEnergy", "vahCum", *_ENERGY),
    "reactive_energy_lagging": _Rule("reactEnergyLagg", "varhLagCum", *_ENERGY),
    "reactive_energy_leading": _Rule("reactEnergyLead", "varhLeadCum", *_ENERGY),
}


class Key(NamedTuple):
    """Key of a quantity in an answer, and its plausible range."""

    name: str
    low: float
    high: float


#: In the order of the fields of `Quantities`.
_READING_KEYS = tuple(Key(rule.in_reading, rule.low, rule.high) for rule in _RULES.values())
REPORT_KEYS = tuple(Key(rule.in_report, rule.low, rule.high) for rule in _RULES.values())

#: The keys of a report, which has the active power twice.
_REPORT_NAMES = ("currW", *(key.name for key in REPORT_KEYS))


class Quantities(NamedTuple):
    """The values of a meter, or of one of its phases, at one time.

    A tuple, because consumers of messages build some hundred thousand of them per second.
    """

    #: W; the sign depends on what the meter measures: see `meters`.
    active_power: float | None = None
    #: var, positive: lagging (inductive).
    reactive_power: float | None = None
    #: VA.
    apparent_power: float | None = None
    #: V; of a whole meter: see `quirks.meter_voltage`.
    voltage: float | None = None
    #: A; of a whole meter, the sum of its phases.
    current: float | None = None
    #: -1 to 1, without unit.
    power_factor: float | None = None
    #: Hz.
    frequency: float | None = None
    #: Wh, lifetime, of positive power.
    energy_delivered: float | None = None
    #: Wh, lifetime, of negative power.
    energy_received: float | None = None
    #: VAh, lifetime.
    apparent_energy: float | None = None
    #: varh, lifetime, lagging.
    reactive_energy_lagging: float | None = None
    #: varh, lifetime, leading.
    reactive_energy_leading: float | None = None

    @classmethod
    def from_reading(cls, data: Mapping[str, Any]) -> Self:
        """Parse one element of /ivp/meters/readings."""
        return cls._make(_read(data, _READING_KEYS)).within_bounds()

    @classmethod
    def from_channel(cls, data: Mapping[str, Any]) -> Self:
        """Parse one channel of such an element."""
        return cls.from_reading(_with_power_from(data, "instantaneousDemand", "activePower"))

    @classmethod
    def from_report(cls, data: Mapping[str, Any]) -> Self:
        """Parse one `cumulative` of /ivp/meters/reports."""
        return cls._make(_read(data, REPORT_KEYS)).within_bounds()

    @classmethod
    def from_line(cls, data: Mapping[str, Any]) -> Self:
        """Parse one line of /ivp/meters/reports."""
        return cls.from_report(_with_power_from(data, "currW", "actPower"))

    def within_bounds(self) -> Self:
        """Return these quantities without powers that voltage and current cannot carry."""
        active, reactive, apparent, voltage, current, *_ = self
        limit = quirks.maximum_power(voltage, current)
        if (
            (active is None or -limit <= active <= limit)
            and (reactive is None or -limit <= reactive <= limit)
            and (apparent is None or -limit <= apparent <= limit)
        ):
            return self
        beyond = [
            name
            for name, power in zip(self._fields, (active, reactive, apparent), strict=False)
            if power is not None and not -limit <= power <= limit
        ]
        return self._replace(**dict.fromkeys(beyond))

    def without_power(self) -> Self:
        """Return these quantities without power and current; voltage and energies remain."""
        return self._replace(
            active_power=None, reactive_power=None, apparent_power=None, power_factor=None, current=None
        )

    def as_report(self) -> dict[str, float | None]:
        """Return these quantities as `cumulative` or line of a report, with all its keys."""
        return dict(zip(_REPORT_NAMES, (self.active_power, *self), strict=True))


def _read(data: Mapping[str, Any], keys: Iterable[Key]) -> list[float | None]:
    """Return the number under each key; None where it is missing or implausible."""
    values: list[float | None] = []
    for key, low, high in keys:
        value = data.get(key)
        if type(value) is float and low <= value <= high:
            # The usual case without a call. Adding 0.0 turns -0.0 into 0.0 (quirks.KNOWN).
            values.append(value + 0.0)
        else:
            values.append(None if value is None else number(data, key, low, high))
    return values


def _with_power_from(data: Mapping[str, Any], key: str, usual: str) -> Mapping[str, Any]:
    """Return the data with the power of `key`, if it has one, under the key `usual`.

    On gateways with seven meters (8.3.5433), the `activePower` of the channels does not add up to the
    meter's, but their `instantaneousDemand` does, to the milliwatt. On all others, both are equal.
    """
    return data if data.get(key) is None else {**data, usual: data[key]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The values of one enabled meter at one time, in total and by phase."""

    meter: Meter
    #: The time of measurement (UTC) by the gateway's clock, in whole seconds.
    measured_at: datetime | None
    #: The whole meter, with firmware bugs corrected (see `quirks`).
    total: Quantities
    #: One entry for each phase that the meter counts: L1, L2, L3; None if the phase is not wired.
    phases: tuple[Quantities | None, ...]

    @classmethod
    def from_json(cls, data: Mapping[str, Any], meter: Meter) -> Self:
        """Parse the element of /ivp/meters/readings that belongs to `meter`."""
        # There are always three channels; those beyond phase_count mirror other meters or contain noise.
        channels = [Quantities.from_channel(entry) for entry in nested_objects(data, "channels")][
            : meter.phase_count
        ]
        total, channels = quirks.without_lost_phase(meter, Quantities.from_reading(data), channels)
        return cls(
            meter=meter,
            measured_at=timestamp(data, "timestamp"),
            total=total._replace(
                voltage=quirks.meter_voltage(total, channels, is_three_phase=meter.phase_mode == "three"),
                power_factor=quirks.power_factor(total),
            ).within_bounds(),
            phases=tuple(phase if quirks.is_wired(phase) else None for phase in channels),
        )

    def without_copies(self, readings: Iterable[Reading]) -> Self:
        """Return this reading without the power of phases copied from other meters of `readings`."""
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
        """Return this reading as an element of /ivp/meters/reports, with the wired phases only."""
        return {
            "createdAt": None if self.measured_at is None else int(self.measured_at.timestamp()),
            "reportType": self.meter.measurement_type,
            "cumulative": self.total.as_report(),
            "lines": [phase.as_report() for phase in self.phases if phase is not None],
        }


@dataclass(frozen=True, slots=True)
class Readings:
    """The answer of /ivp/meters/readings: the readings of the enabled meters, in the order of the meters."""

    readings: tuple[Reading, ...]
    #: eids that the list of meters does not have. 8.3 always has one; a new one means that the list changed.
    unknown_eids: tuple[int, ...] = ()

    @classmethod
    def from_json(cls, answer: object, meters: Iterable[Meter], path: str = "/ivp/meters/readings") -> Self:
        """Parse the whole answer, and assign the readings to the meters by eid.

        The lists may differ in order and length. Raises InvalidAnswerError if it is not a list of objects.
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
        # In the order of the meters: which of two meters of a type is first must not depend on the answer.
        readings = (found[eid].without_copies(found.values()) for eid in by_eid if eid in found)
        return cls(tuple(readings), tuple(dict.fromkeys(unknown)))

    def __iter__(self) -> Iterator[Reading]:
        """Iterate over the readings of the enabled meters."""
        return iter(self.readings)

    def get(self, measurement_type: str) -> Reading | None:
        """Return the first reading of a type, or None."""
        return next((each for each in self.readings if each.meter.measurement_type == measurement_type), None)

    @property
    def measured_at(self) -> datetime | None:
        """The latest time of measurement (UTC)."""
        return max((each.measured_at for each in self.readings if each.measured_at is not None), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One element of /ivp/meters/reports.

    Prefer Readings: on recent firmware (8.3.5169), reports do not contain the exported energy.
    """

    report_type: str
    created_at: datetime | None
    cumulative: Quantities
    lines: tuple[Quantities, ...]

    @classmethod
    def list_from_json(cls, answer: object, path: str = "/ivp/meters/reports") -> tuple[Self, ...]:
        """Parse the whole answer; elements without type are ignored.

        Raises InvalidAnswerError if it is not a list of objects.
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
