"""The house that everything is measured in: its clock, its power at any time, and the exact energy."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from math import hypot, inf
from typing import Any

from .commanded_day import Carried, CommandedDay
from .counters import Counters, Energies
from .day_curves import DAY, DAY_START_HOUR, DayCurves, Installation, Sky, day_curves, solar_start
from .orders import Orders, OverTime
from .profiles import NET, PRODUCTION, STORAGE, TOTAL, Profile
from .series import Noise
from .truth import BatteryState, Electricity, Measurement, Truth, power_factor


class Clock:
    """House time in epoch seconds."""

    def __init__(self, speed: float = 1.0, start: float | None = None) -> None:
        """`speed`: house seconds a real second; `start`: the house time to begin with, now by default.

        A clock that runs fast from a start in the past goes no further than the present.
        """
        self.speed = speed
        now = time.time()
        self.start = now if start is None else start
        self._origin = time.monotonic()
        self._advanced = 0.0
        self._catches_up = speed > 1 and self.start < now

    def time(self) -> float:
        """House time now."""
        house_time = self.start + (time.monotonic() - self._origin) * self.speed + self._advanced
        return min(house_time, time.time()) if self._catches_up else house_time

    def advance(self, seconds: float) -> None:
        """Move house time on at once."""
        self._advanced += seconds


#: Days before and after its start for which the house has values.
REACH = 400
_PANEL_WATTS = 370.0
#: W a phase that a second inverter makes in full sun, where there is one.
_SECOND_ARRAY = 800.0
#: What idle inverters and their meter draw from each phase at night.
_STANDBY_WATTS = 2.2


@dataclass(frozen=True)
class Inverter:
    """One microinverter with its panel."""

    serial_number: str
    peak: float  #: watts in full sun
    phase: int  #: 0 is the first
    share: float  #: of what its phase produces


@dataclass(frozen=True)
class _Day:
    """The curves of one day, and when it starts."""

    start: float  #: epoch seconds
    curves: DayCurves


class House:
    """A house with panels, a household and perhaps a battery.

    Sun, clouds and household depend on profile, seed, latitude and solar time alone. Safe to use from any
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
        """`start`: epoch seconds around which it is used; `longitude`, `latitude`: degrees.

        `day`: the solar day that `start` is taken for; the calendar's by default.
        """
        self.profile = profile
        self.start = start
        self.longitude = longitude
        self.latitude = latitude
        self._sky = Sky(seed, latitude)
        #: Added to a moment (epoch seconds), it gives the mean solar time on the house's own calendar.
        self._to_solar = round(longitude * 240)
        if day is not None:
            noon = datetime.combine(day, time_of_day(12), UTC).timestamp()
            self._to_solar += round((noon - start - self._to_solar) / DAY) * DAY
        self._voltage = [Noise(seed, f"voltage {phase}", 400) for phase in range(3)]
        self._frequency = Noise(seed, "frequency", 200)
        self.inverters = _inverters(profile, seed)
        peaks = tuple(_peak(self.inverters, phase) for phase in range(profile.wired))
        self._installation = Installation(
            seed=seed,
            latitude=latitude,
            phases=profile.wired,
            battery=profile.battery,
            peaks=peaks,
            # Only a production meter sees the draw at night; microinverters report their production.
            standby=_STANDBY_WATTS if profile.measures(PRODUCTION) else 0.0,
            second_array=_SECOND_ARRAY if "second-inverter" in profile.quirks else 0.0,
            contacts=profile.contacts,
            generator=profile.generator,
        )
        self._start_day = self._day_number(start)
        self._counters = Counters(
            profile,
            sum(peaks),
            self._start_day,
            self._start_of(self._start_day),
            self._energy_of_day,
        )
        self._lock = threading.RLock()
        normally_closed = frozenset(contact.id for contact in profile.contacts if contact.normally_closed)
        closed = normally_closed if profile.has_controller else frozenset()
        reserve = 100 * profile.battery.reserve if profile.battery else 0.0
        self._orders = OverTime(Orders(reserve=reserve, closed=closed))
        #: By number, the days since the first order that changes the flows, and what each leaves.
        self._commanded: dict[int, tuple[DayCurves, Carried]] = {}

    def truth(self, at: float) -> Truth:
        """Everything at `at` (epoch seconds).

        Raises ValueError for a moment more than REACH days from the start.
        """
        day, before = self._find(at)
        measured = {name: self._measure(name, day, before, at) for name in (PRODUCTION, NET, TOTAL, STORAGE)}
        output, generator = day.curves.output.at(at - day.start), day.curves.generator
        return Truth(
            time=at,
            production=measured[PRODUCTION],
            net_consumption=measured[NET],
            total_consumption=measured[TOTAL],
            storage=measured[STORAGE],
            battery=self._battery_state(day, at, measured[STORAGE].total.active_power),
            inverters={inverter.serial_number: inverter.peak * output for inverter in self.inverters},
            generator=generator.at(at - day.start) if generator is not None else 0.0,
        )

    def orders(self, at: float) -> Orders:
        """Return what the controllers do at `at` (epoch seconds)."""
        return self._orders.at(at)

    def closed_contacts(self, at: float) -> frozenset[str]:
        """Return the dry contacts that are closed."""
        day, _ = self._find(at)
        before = [shed for seconds, shed in day.curves.shed if seconds <= at - day.start]
        return self.orders(at).closed - (before[-1] if before else frozenset())

    def order(self, at: float, **values: Any) -> None:
        """Change orders from a moment on; later changes of the same values are dropped.

        The flows follow within a second, and stay as they were before it.
        """
        with self._lock:
            self._orders.change(at, lambda orders: replace(orders, **values))
            first = self._day_number(at)
            self._commanded = {number: day for number, day in self._commanded.items() if number < first}
            self._counters.forget(first)

    def sunshine(self, at: float) -> float:
        """How much of the full sun falls on the panels at `at`: 0 to about 1. Raises as `truth` does."""
        day, _ = self._find(at)
        return day.curves.sunshine.at(at - day.start)

    def cloud_cover(self, at: float) -> float:
        """How much of the sky is covered at `at`: 0 to 1."""
        return self._sky.cloud_cover(at + self._to_solar)

    def midnight(self, at: float) -> float:
        """Return the last midnight before `at` on the house's clock, which is whole hours from UTC."""
        offset = self.utc_offset
        return (at + offset) // DAY * DAY - offset

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
        return int((at + self._to_solar - DAY_START_HOUR * 3600) // DAY)

    def _start_of(self, number: int) -> float:
        return solar_start(number) - self._to_solar

    def _day(self, number: int) -> _Day:
        changes = self._flow_changes()
        if not changes or number < self._day_number(changes[0][0]):
            return _Day(self._start_of(number), day_curves(self._installation, number))
        for each in range(self._day_number(changes[0][0]), number + 1):
            if each not in self._commanded:
                self._commanded[each] = self._command_day(each, changes)
        return _Day(self._start_of(number), self._commanded[number][0])

    def _flow_changes(self) -> list[tuple[float, Orders]]:
        """Return the orders that change the flows, and when."""
        found, before = [], self._orders.at(-inf)
        for at, orders in self._orders.changes():
            if orders.flows != before.flows:
                found.append((at, orders))
                before = orders
        return found

    def _command_day(self, number: int, changes: list[tuple[float, Orders]]) -> tuple[DayCurves, Carried]:
        """Return a day with orders, and what it leaves; the day before is known."""
        start = self._start_of(number)
        day = CommandedDay(self._installation, number, start + self.utc_offset)
        left = self._commanded.get(number - 1)
        today = [(at - start, orders) for at, orders in changes if start < at < start + DAY]
        if left is None:
            day.begin_uncommanded()
        else:
            orders = [self._orders.at(-inf), *(orders for at, orders in changes if at <= start)][-1]
            day.begin(orders, left[1])
            today.insert(0, (0.0, orders))
        for index, (at, orders) in enumerate(today):
            day.obey(orders, at, until=today[index + 1][0] if index + 1 < len(today) else DAY)
        return day.curves(), day.left

    def _energy_of_day(self, number: int) -> Energies:
        series = self._day(number).curves.series
        return {name: [phase.energy(DAY) for phase in phases] for name, phases in series.items()}

    def _measure(self, name: str, day: _Day, before: Energies, at: float) -> Measurement:
        seconds = at - day.start
        phases = []
        for phase, (series, held) in enumerate(zip(day.curves.series[name], before[name], strict=True)):
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
        today = [series.energy(at - day.start) for series in day.curves.series[STORAGE]]
        stored = battery.stored(
            day.curves.stored_at_start,
            delivered=sum(energy.delivered for energy in today),
            received=sum(energy.received for energy in today),
        )
        return BatteryState(
            power=power,
            available_energy=stored,
            capacity=battery.capacity,
            state_of_charge=100 * stored / battery.capacity,
            reserve=self.orders(at).kept,
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
