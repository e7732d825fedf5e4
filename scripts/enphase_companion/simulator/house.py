"""The house everything is measured in: its power at any moment, and exactly the energy this adds up to."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import lru_cache
from math import hypot

from .counters import Counters, Energies
from .load import Household
from .noise import Noise
from .profiles import NET, PRODUCTION, STORAGE, TOTAL, Profile
from .series import STEP, Curve, Series
from .sky import Sky
from .truth import BatteryState, Electricity, Measurement, Truth, power_factor

#: A day begins at this solar hour, when the sun is down and the battery empty: days are computed one by one.
DAY_START_HOUR = 3
#: The house can be asked for this many days before and after its start.
REACH = 400
_DAY = 86400
_KNOTS = _DAY // STEP + 1
_PANEL_WATTS = 370.0
#: W a phase that a second inverter makes in full sun, where there is one.
_SECOND_ARRAY = 800.0
#: What idle inverters and their meter draw from each phase at night.
_STANDBY_WATTS = 2.2
#: var without load and var a watt: inverters and batteries lag, household electronics lead.
_REACTIVE = {PRODUCTION: (40.0, 0.02), TOTAL: (-60.0, -0.12), STORAGE: (25.0, 0.0)}

#: For each phase, one value a knot.
Phases = list[list[float]]


@dataclass(frozen=True)
class Inverter:
    """One microinverter with its panel."""

    serial_number: str
    peak: float  #: watts in full sun
    phase: int  #: 0 is the first
    share: float  #: of what its phase produces


@dataclass(frozen=True)
class _Day:
    """The curves of one day."""

    start: float  #: epoch seconds
    series: dict[str, list[Series]]  #: by measurement type, one a phase
    sunshine: Curve


class House:
    """A house with panels, a household and perhaps a battery.

    Sun, clouds and household depend on profile, seed, latitude and solar time alone. Safe to ask from any
    thread.
    """

    def __init__(
        self,
        profile: Profile,
        seed: int,
        start: float,
        longitude: float,
        latitude: float = 47.0,
        day: date | None = None,
    ) -> None:
        """`start`: the moment (epoch seconds) around which it is asked; `longitude`, `latitude`: degrees.

        `day`: the solar day that `start` is taken for; the calendar's by default.
        """
        self.profile = profile
        self.start = start
        self.longitude = longitude
        self.latitude = latitude
        self._sky = Sky(seed, latitude)
        self._household = Household(seed, profile.wired)
        #: Added to a moment (epoch seconds), it gives the mean solar time on the house's own calendar.
        self._to_solar = round(longitude * 240)
        if day is not None:
            noon = datetime.combine(day, time(12), UTC).timestamp()
            self._to_solar += round((noon - start - self._to_solar) / _DAY) * _DAY
        self._voltage = [Noise(seed, f"voltage {phase}", 400) for phase in range(3)]
        self._frequency = Noise(seed, "frequency", 200)
        self.inverters = _inverters(profile, seed)
        self._peaks = [_peak(self.inverters, phase) for phase in range(profile.wired)]
        self._start_day = self._day_number(start)
        self._day = lru_cache(maxsize=20)(self._compute_day)
        self._counters = Counters(
            profile,
            sum(self._peaks),
            self._start_day,
            self._start_of(self._start_day),
            self._energy_of_day,
        )
        self._lock = threading.RLock()

    def truth(self, at: float) -> Truth:
        """Everything at `at` (epoch seconds).

        Raises ValueError for a moment more than REACH days from the start.
        """
        day, before = self._find(at)
        measured = {name: self._measure(name, day, before, at) for name in (PRODUCTION, NET, TOTAL, STORAGE)}
        sunshine = day.sunshine.at(at - day.start)
        return Truth(
            time=at,
            production=measured[PRODUCTION],
            net_consumption=measured[NET],
            total_consumption=measured[TOTAL],
            storage=measured[STORAGE],
            battery=self._battery_state(day, at, measured[STORAGE].total.active_power),
            inverters={inverter.serial_number: inverter.peak * sunshine for inverter in self.inverters},
        )

    def sunshine(self, at: float) -> float:
        """How much of the full sun falls on the panels at `at`: 0 to about 1. Raises as `truth` does."""
        day, _ = self._find(at)
        return day.sunshine.at(at - day.start)

    def cloud_cover(self, at: float) -> float:
        """How much of the sky is covered at `at`: 0 to 1."""
        return self._sky.cloud_cover(at + self._to_solar)

    def midnight(self, at: float) -> float:
        """Return the last midnight before `at` on the house's clock, which is whole hours from UTC."""
        offset = self.utc_offset
        return (at + offset) // _DAY * _DAY - offset

    @property
    def utc_offset(self) -> int:
        """Seconds that the house's clock is ahead of UTC."""
        return round(self.longitude / 15) * 3600

    def noise(self, phase: int, at: float, connected: bool) -> Electricity:
        """Return the noise of a channel without current, with or without a conductor's voltage."""
        flutter = self._voltage[phase](at)
        voltage = self._volts(phase, at) if connected else 2.0 + 9.0 * flutter
        return Electricity(
            active_power=2.0 * flutter - 1.0,
            reactive_power=0.0,
            apparent_power=1.0 + flutter,
            voltage=voltage,
            current=(1.0 + flutter) / voltage,
            power_factor=0.0,
            frequency=self._hertz(at),
            energy_delivered=0.013 + phase,
            energy_received=8279.267 + 1000 * phase,
            energy_apparent=6016.263,
            energy_lagging=380.215,
            energy_leading=1.245,
        )

    def _find(self, at: float) -> tuple[_Day, Energies]:
        number = self._day_number(at)
        if abs(number - self._start_day) > REACH:
            raise ValueError(f"the house is known for {REACH} days around its start; {at} is outside")
        with self._lock:
            return self._day(number), self._counters.at(number)

    def _day_number(self, at: float) -> int:
        return int((at + self._to_solar - DAY_START_HOUR * 3600) // _DAY)

    def _start_of(self, number: int) -> float:
        return number * _DAY + DAY_START_HOUR * 3600 - self._to_solar

    def _energy_of_day(self, number: int) -> Energies:
        series = self._day(number).series
        return {name: [phase.energy(_DAY) for phase in phases] for name, phases in series.items()}

    def _compute_day(self, number: int) -> _Day:
        start = self._start_of(number)
        solar = start + self._to_solar
        sunshine = [self._sky.sunshine(solar + knot * STEP) for knot in range(_KNOTS)]
        home = self._household.day(number, solar, DAY_START_HOUR, _KNOTS)
        production = [self._produced(peak, sunshine) for peak in self._peaks]
        active = {PRODUCTION: production, TOTAL: home, STORAGE: self._stored(production, home)}
        reactive = {
            name: [self._reactive(name, phase) for phase in phases] for name, phases in active.items()
        }
        active[NET], reactive[NET] = _from_grid(active), _from_grid(reactive)
        if "second-inverter" in self.profile.quirks:
            active[NET] = [
                [grid - _SECOND_ARRAY * sun for grid, sun in zip(phase, sunshine, strict=True)]
                for phase in active[NET]
            ]
        series = {
            name: [Series(p, q) for p, q in zip(active[name], reactive[name], strict=True)] for name in active
        }
        return _Day(start, series, Curve(sunshine))

    def _produced(self, peak: float, sunshine: list[float]) -> list[float]:
        # Only a production meter sees what the system draws at night; microinverters report what they make.
        standby = _STANDBY_WATTS if self.profile.measures(PRODUCTION) else 0.0
        return [sun * peak - standby * max(0.0, 1 - 50 * sun) for sun in sunshine]

    def _stored(self, production: Phases, home: Phases) -> Phases:
        battery, phases = self.profile.battery, self.profile.wired
        if battery is None:
            return [[0.0] * _KNOTS] * phases
        knots = zip(zip(*production, strict=True), zip(*home, strict=True), strict=True)
        powers = battery.day([sum(produced) - sum(used) for produced, used in knots])
        return [[power / phases for power in powers]] * phases

    def _reactive(self, name: str, active: list[float]) -> list[float]:
        if name == STORAGE and self.profile.battery is None:
            return active
        offset, slope = _REACTIVE[name]
        return [offset + slope * watts for watts in active]

    def _measure(self, name: str, day: _Day, before: Energies, at: float) -> Measurement:
        seconds = at - day.start
        phases = []
        for phase, (series, held) in enumerate(zip(day.series[name], before[name], strict=True)):
            active, reactive = series.active.at(seconds), series.reactive.at(seconds)
            apparent, voltage = hypot(active, reactive), self._volts(phase, at)
            energy = held.plus(series.energy(seconds))
            phases.append(
                Electricity(
                    active_power=active,
                    reactive_power=reactive,
                    apparent_power=apparent,
                    voltage=voltage,
                    current=apparent / voltage,
                    power_factor=power_factor(active, apparent),
                    frequency=self._hertz(at),
                    energy_delivered=energy.delivered,
                    energy_received=energy.received,
                    energy_apparent=energy.apparent,
                    energy_lagging=energy.lagging,
                    energy_leading=energy.leading,
                )
            )
        return Measurement.of(phases)

    def _volts(self, phase: int, at: float) -> float:
        return self.profile.voltage * (0.985 + 0.03 * self._voltage[phase](at))

    def _hertz(self, at: float) -> float:
        return self.profile.frequency - 0.02 + 0.04 * self._frequency(at)

    def _battery_state(self, day: _Day, at: float, power: float) -> BatteryState | None:
        battery = self.profile.battery
        if battery is None:
            return None
        today = [series.energy(at - day.start) for series in day.series[STORAGE]]
        stored = battery.stored(
            delivered=sum(energy.delivered for energy in today),
            received=sum(energy.received for energy in today),
        )
        return BatteryState(
            power=power,
            available_energy=stored,
            capacity=battery.capacity,
            state_of_charge=100 * stored / battery.capacity,
            reserve=100 * battery.reserve,
        )


def _inverters(profile: Profile, seed: int) -> list[Inverter]:
    """Microinverters in turn on each phase; no two panels are quite alike."""
    spread = Noise(seed, "panels", 1)
    peaks = [_PANEL_WATTS * (0.94 + 0.12 * spread(number)) for number in range(profile.inverters)]
    return [
        Inverter(
            serial_number=f"4822{seed % 10_000:04d}{number + 1:04d}",
            peak=peak,
            phase=number % profile.wired,
            share=peak / sum(peaks[number % profile.wired :: profile.wired]),
        )
        for number, peak in enumerate(peaks)
    ]


def _peak(inverters: list[Inverter], phase: int) -> float:
    return sum(inverter.peak for inverter in inverters if inverter.phase == phase)


def _from_grid(powers: dict[str, Phases]) -> Phases:
    """Return the grid's power: consumption less production and battery discharge."""
    return [
        [home - sun - battery for home, sun, battery in zip(*phase, strict=True)]
        for phase in zip(powers[TOTAL], powers[PRODUCTION], powers[STORAGE], strict=True)
    ]
