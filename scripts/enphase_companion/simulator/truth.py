"""The true values of the house at one time, to compare readings with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from operator import attrgetter

from .profiles import NET, PRODUCTION, STORAGE, TOTAL


@dataclass(frozen=True, slots=True)
class Electricity:
    """What a meter sees on one phase or, in total, on all wired phases.

    Signs: production + = producing; net-consumption + = import; total-consumption + = consuming;
    storage + = discharging. In total, everything but frequency and power factor is the sum over the
    phases, the voltage too: so gateways give it.
    """

    active_power: float  #: W
    reactive_power: float  #: var, + = lagging
    apparent_power: float  #: VA
    voltage: float  #: V
    current: float  #: A
    power_factor: float  #: active / apparent power, with the sign of the active power
    frequency: float  #: Hz
    energy_delivered: float  #: Wh that flowed in the positive direction
    energy_received: float  #: Wh that flowed in the negative direction
    energy_apparent: float  #: VAh
    energy_lagging: float  #: varh
    energy_leading: float  #: varh


_QUANTITIES = attrgetter(*Electricity.__slots__)
NOTHING = Electricity(*(0.0 for _ in Electricity.__slots__))


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measurement type: in total and by wired phase."""

    total: Electricity
    phases: tuple[Electricity, ...]

    @classmethod
    def of(cls, phases: list[Electricity]) -> Measurement:
        """Return the phases and their total."""
        sums = Electricity(*map(sum, zip(*map(_QUANTITIES, phases), strict=True)))
        total = replace(
            sums,
            frequency=phases[0].frequency,
            power_factor=power_factor(sums.active_power, sums.apparent_power),
        )
        return cls(total, tuple(phases))


@dataclass(frozen=True, slots=True)
class BatteryState:
    """All battery units together; each has its even share of everything."""

    power: float  #: W, + = discharging
    available_energy: float  #: Wh stored
    capacity: float  #: Wh when full
    state_of_charge: float  #: percent, 0 to 100
    reserve: float  #: percent that is never discharged


@dataclass(frozen=True, slots=True)
class Truth:
    """All true values of the house at one time."""

    time: float  #: epoch seconds
    production: Measurement
    net_consumption: Measurement
    total_consumption: Measurement
    storage: Measurement  #: all zero where there is no battery
    battery: BatteryState | None
    inverters: dict[str, float]  #: watts by serial number
    generator: float = 0.0  #: watts

    def of(self, measurement_type: str) -> Measurement:
        """Return the measurement of a type: production, net-consumption, total-consumption or storage.

        Raises KeyError for a type that the house does not know.
        """
        return {
            PRODUCTION: self.production,
            NET: self.net_consumption,
            TOTAL: self.total_consumption,
            STORAGE: self.storage,
        }[measurement_type]


def power_factor(active: float, apparent: float) -> float:
    """Return the share of the apparent power that is active; 0 where nothing flows."""
    return active / apparent if apparent else 0.0
