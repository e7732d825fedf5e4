"""The house everything is measured in: its power at any moment and, exactly, the energy that power adds up to."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from math import hypot
from typing import TypeAlias

from .battery import EFFICIENCY
from .load import Household
from .noise import Noise
from .profiles import NET, PRODUCTION, STORAGE, TOTAL, Profile
from .series import STEP, Curve, Energy, Series
from .sky import Sky

#: A day begins at this solar hour, when the sun is down and the battery empty: days are computed one by one.
DAY_START_HOUR = 3
_DAY = 86400
_KNOTS = _DAY // STEP + 1
#: The house got its meters then; the counters began at zero.
_BUILT = datetime(2025, 1, 1, tzinfo=UTC).timestamp()
#: How far from its start the house can be asked for (days).
REACH = 400
_PANEL_WATTS = 370.0
#: An idle inverter system draws this from each phase at night.
_STANDBY_WATTS = 2.2

#: var at no load and var a watt, of what hangs there: inverters lag, household electronics lead.
_REACTIVE = {PRODUCTION: (40.0, 0.02), TOTAL: (-60.0, -0.12), STORAGE: (25.0, 0.0)}


@dataclass(frozen=True, slots=True)
class Electricity:
    """What a meter sees on one phase or, in total, on all wired phases.

    Signs: production + = producing; net-consumption + = import; total-consumption + = consuming;
    storage + = discharging. In total, power, voltage, current and energy are sums over the phases, as gateways give
    them; frequency and power factor are not.
    """

    active_power: float  #: W
    reactive_power: float  #: var, + = lagging
    apparent_power: float  #: VA
    voltage: float  #: V
    current: float  #: A
    power_factor: float  #: active / apparent power, signed as the active power
    frequency: float  #: Hz
    energy_delivered: float  #: Wh that flowed in the positive direction
    energy_received: float  #: Wh that flowed in the negative direction
    energy_apparent: float  #: VAh
    energy_lagging: float  #: varh
    energy_leading: float  #: varh


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measurement type: in total and by wired phase."""

    total: Electricity
    phases: tuple[Electricity, ...]


@dataclass(frozen=True, slots=True)
class BatteryState:
    """All battery units together."""

    power: float  #: W, + = discharging
    available_energy: float  #: Wh stored
    capacity: float  #: Wh when full
    state_of_charge: float  #: percent, 0 to 100
    reserve: float  #: percent, never discharged


@dataclass(frozen=True, slots=True)
class Truth:
    """Everything about the house at one moment."""

    time: float  #: epoch seconds
    production: Measurement
    net_consumption: Measurement
    total_consumption: Measurement
    storage: Measurement  #: all zero where there is no battery
    battery: BatteryState | None
    inverters: dict[str, float]  #: watts by serial number

    def of(self, measurement_type: str) -> Measurement:
        """The measurement the gateway calls production, net-consumption, total-consumption or storage.

        Raises KeyError for a type that the house does not know.
        """
        return {
            PRODUCTION: self.production,
            NET: self.net_consumption,
            TOTAL: self.total_consumption,
            STORAGE: self.storage,
        }[measurement_type]


@dataclass(frozen=True)
class Inverter:
    """One microinverter and its panel."""

    serial_number: str
    peak: float  #: watts in full sun
    phase: int


#: One list of watts (or var) at the knots of a day for each phase.
Phases: TypeAlias = list[list[float]]


class _Day:
    """The curves of one day: for each measurement type one Series a phase, and the sunshine."""

    def __init__(self, start: float, series: dict[str, list[Series]], sunshine: list[float]) -> None:
        self.start = start
        self.series = series
        self.sunshine = Curve(sunshine)


class House:
    """A house with panels, a household and perhaps a battery; the same for the same profile, seed and longitude."""

    def __init__(self, profile: Profile, seed: int, start: float, longitude: float, latitude: float = 47.0) -> None:
        """`start`: the moment (epoch seconds) around which it is asked; `longitude`, `latitude` in degrees."""
        self.profile = profile
        self.longitude = longitude
        self.latitude = latitude
        self._sky = Sky(seed, latitude, longitude)
        self._household = Household(seed, profile.wired)
        self._offset = round(longitude * 240) - DAY_START_HOUR * 3600
        self._voltage = [Noise(seed, f"voltage {phase}", 400) for phase in range(profile.wired)]
        self._frequency = Noise(seed, "frequency", 200)
        spread = Noise(seed, "panels", 1)
        self.inverters = [
            Inverter(f"4822{seed % 10000:04d}{n + 1:04d}", _PANEL_WATTS * (0.94 + 0.12 * spread(n)), n % profile.wired)
            for n in range(profile.inverters)
        ]
        self._peaks = [sum(i.peak for i in self.inverters if i.phase == phase) for phase in range(profile.wired)]
        self._start_day = self._day_number(start)
        self._day = lru_cache(maxsize=20)(self._compute_day)
        self._lock = threading.RLock()
        self._counters = {self._start_day: self._counters_at_start()}

    def truth(self, at: float) -> Truth:
        """Everything at `at` (epoch seconds), within REACH days of the start, past or future.

        Raises ValueError outside of that.
        """
        number = self._day_number(at)
        if abs(number - self._start_day) > REACH:
            raise ValueError(f"the house knows {REACH} days around its start, not {at}")
        with self._lock:
            day, counters = self._day(number), self._counters_of(number)
        seconds = at - day.start
        measured = {name: self._measure(name, day, counters, at) for name in (PRODUCTION, NET, TOTAL, STORAGE)}
        sunshine = day.sunshine.at(seconds)
        return Truth(
            time=at,
            production=measured[PRODUCTION],
            net_consumption=measured[NET],
            total_consumption=measured[TOTAL],
            storage=measured[STORAGE],
            battery=self._battery_state(day, measured[STORAGE], seconds),
            inverters={inverter.serial_number: inverter.peak * sunshine for inverter in self.inverters},
        )

    def midnight(self, at: float) -> float:
        """The last midnight before `at` on the house's clock, which is whole hours from UTC."""
        offset = round(self.longitude / 15) * 3600
        return (at + offset) // _DAY * _DAY - offset

    def _day_number(self, at: float) -> int:
        return int((at + self._offset) // _DAY)

    def _compute_day(self, number: int) -> _Day:
        start = number * _DAY - self._offset
        sunshine = [self._sky.sunshine(start + knot * STEP) for knot in range(_KNOTS)]
        home = self._household.day(number, start, DAY_START_HOUR, _KNOTS)
        production = [
            [sun * peak - _STANDBY_WATTS * max(0.0, 1 - 50 * sun) for sun in sunshine] for peak in self._peaks
        ]
        storage = self._storage(production, home)
        active = {PRODUCTION: production, TOTAL: home, STORAGE: storage}
        reactive = {name: [self._reactive(name, phase) for phase in phases] for name, phases in active.items()}
        active[NET], reactive[NET] = _rest(active), _rest(reactive)
        series = {
            name: [Series(p, q) for p, q in zip(active[name], reactive[name], strict=True)] for name in active
        }
        return _Day(start, series, sunshine)

    def _storage(self, production: Phases, home: Phases) -> Phases:
        battery, phases = self.profile.battery, self.profile.wired
        if battery is None:
            return [[0.0] * _KNOTS] * phases
        produced, used = ([sum(knot) for knot in zip(*side, strict=True)] for side in (production, home))
        powers = battery.day([p - u for p, u in zip(produced, used, strict=True)])
        return [[power / phases for power in powers]] * phases

    def _reactive(self, name: str, active: list[float]) -> list[float]:
        if name == STORAGE and self.profile.battery is None:
            return active
        offset, slope = _REACTIVE[name]
        return [offset + slope * watts for watts in active]

    def _counters_of(self, number: int) -> dict[str, list[Energy]]:
        """The counters at the beginning of a day: those of the start's day, and the days between added or taken off."""
        if number not in self._counters:
            towards = -1 if number > self._start_day else 1
            known = self._counters_of_nearest(number, towards)
            while known != number:
                day = self._day(known if towards < 0 else known - 1)
                self._counters[known - towards] = {
                    name: [
                        energy.plus(series.energy(_DAY), -towards)
                        for energy, series in zip(energies, day.series[name], strict=True)
                    ]
                    for name, energies in self._counters[known].items()
                }
                known -= towards
        return self._counters[number]

    def _counters_of_nearest(self, number: int, towards: int) -> int:
        while number not in self._counters:
            number += towards
        return number

    def _counters_at_start(self) -> dict[str, list[Energy]]:
        """What the counters hold when the start's day begins.

        They grow with the calendar, faster than any day of the house makes them: a house started anew on a later
        day goes on above where it was.
        """
        days = max(1.0, (self._start_day * _DAY - _BUILT) / _DAY)
        battery = self.profile.battery
        received = battery.capacity * 1.2 * days if battery else 0.0
        delivered = received * EFFICIENCY**2
        home, produced, standby = 40_000 * days, 7.5 * sum(self._peaks) * days, 200 * days
        exported = produced
        imported = home + exported - (produced - standby) - (delivered - received)
        totals = {
            PRODUCTION: (produced, standby),
            TOTAL: (home, 0.0),
            STORAGE: (delivered, received),
            NET: (imported, exported),
        }
        return {name: [self._grown(name, d, r, days)] * self.profile.wired for name, (d, r) in totals.items()}

    def _grown(self, name: str, delivered: float, received: float, days: float) -> Energy:
        """One phase's share of a total counter, with apparent and reactive energies such as go with it."""
        share = 1 / self.profile.wired
        active, reactive = (delivered + received) * share, 4000 * days
        if name == STORAGE and self.profile.battery is None:
            return Energy()
        lags = name in (PRODUCTION, STORAGE)
        return Energy(
            delivered * share,
            received * share,
            hypot(active, reactive),
            reactive if lags else 0.0,
            0.0 if lags else reactive,
        )

    def _measure(self, name: str, day: _Day, counters: dict[str, list[Energy]], at: float) -> Measurement:
        phases = []
        for phase, (series, before) in enumerate(zip(day.series[name], counters[name], strict=True)):
            active, reactive = series.active.at(at - day.start), series.reactive.at(at - day.start)
            apparent = hypot(active, reactive)
            voltage = self.profile.voltage * (0.985 + 0.03 * self._voltage[phase](at))
            phases.append(
                Electricity(
                    active,
                    reactive,
                    apparent,
                    voltage,
                    apparent / voltage,
                    active / apparent if apparent else 0.0,
                    self.profile.frequency - 0.02 + 0.04 * self._frequency(at),
                    *before.plus(series.energy(at - day.start)),
                )
            )
        return Measurement(_together(phases), tuple(phases))

    def _battery_state(self, day: _Day, storage: Measurement, seconds: float) -> BatteryState | None:
        battery = self.profile.battery
        if battery is None:
            return None
        today = [series.energy(seconds) for series in day.series[STORAGE]]
        stored = battery.stored(sum(e.delivered for e in today), sum(e.received for e in today))
        return BatteryState(
            power=storage.total.active_power,
            available_energy=stored,
            capacity=battery.capacity,
            state_of_charge=100 * stored / battery.capacity,
            reserve=100 * battery.reserve,
        )


def _rest(powers: dict[str, Phases]) -> Phases:
    """What the grid gives: what the house uses without what the sun and the battery give."""
    return [
        [home - sun - stored for home, sun, stored in zip(*phase, strict=True)]
        for phase in zip(powers[TOTAL], powers[PRODUCTION], powers[STORAGE], strict=True)
    ]


def _together(phases: list[Electricity]) -> Electricity:
    """The phases in total, as gateways give them: sums, even of the voltages."""

    def summed(quantity: str) -> float:
        return sum(getattr(phase, quantity) for phase in phases)

    active, apparent = summed("active_power"), summed("apparent_power")
    return Electricity(
        active_power=active,
        reactive_power=summed("reactive_power"),
        apparent_power=apparent,
        voltage=summed("voltage"),
        current=summed("current"),
        power_factor=active / apparent if apparent else 0.0,
        frequency=phases[0].frequency,
        energy_delivered=summed("energy_delivered"),
        energy_received=summed("energy_received"),
        energy_apparent=summed("energy_apparent"),
        energy_lagging=summed("energy_lagging"),
        energy_leading=summed("energy_leading"),
    )
