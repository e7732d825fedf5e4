"""What a meter, or one of its phases, can say: each quantity with its unit, and what of it is believed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

from .. import quirks
from ..json_values import MAX_POWER, number


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
