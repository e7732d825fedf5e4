"""An energy counter that never jumps or drops, whatever the firmware does.

The counters of real gateways are reset to zero by a power failure or a new meter, overflow at 2^32 Wh or at
1.19 MWh (32 bits of joules), or return 2^32 Wh for a single reading. Home Assistant would keep each such step
in its statistics permanently. Therefore the last value is held; if the step persists, the counter continues
from there with an offset. An overflow is recognised by its size, without holding. Two sources of the same
energy differ in value: if the source changes, the counter continues from its last value.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self

from .const import EnergySource
from .today import DailyEnergy

#: A step is a reset or an overflow if it persists for this time and this number of readings.
HOLD_TIME = timedelta(minutes=15)
HOLD_READINGS = 10

#: W; more than any site behind one gateway produces or consumes. A faster counter has made a step.
_MAX_POWER = 1_000_000

#: Wh; the home energy is a sum of meters, whose errors let it decrease slightly for hours: that is no reset.
SMALL_DECREASE = 1000

#: Wh at which counters overflow: 32 bits of watt-hours, and of a microinverter's joules.
METER_OVERFLOW = 2**32
INVERTER_OVERFLOW = 2**32 / 3600

#: W; a decrease is an overflow only if it matches one within the energy at this power.
_OVERFLOW_POWER = 100_000

#: W; more than any microinverter produces, and the longest time between its reports.
_MICROINVERTER_POWER = 1000
_REPORT_INTERVAL = timedelta(hours=1)

#: The elapsed time to assume at least: counters advance in steps, and clocks of gateways are set back.
_MIN_ELAPSED = timedelta(minutes=1)

#: The elapsed time to assume at most: a gateway that starts without the time is years behind at first, and
#: any step would be plausible once its clock is set.
_MAX_ELAPSED = timedelta(days=30)

#: A counter below one overflow may have been reset instead: it must have overflowed within this time, and
#: have counted no more than this share of an overflow in it.
_SMALL_COUNTER_ELAPSED = timedelta(days=1)
_SMALL_COUNTER_SHARE = 1 / 20

#: The share of an overflow that a sum of inverters may have counted since the last reading.
_OVERFLOW_SHARE = 1 / 2

#: A home energy that is reset this often within this time does not measure the home.
_MAX_DECREASES = 3
_DECREASE_WINDOW = timedelta(days=30)


_ESTIMATED = "estimated"


class Source(NamedTuple):
    """Where an energy is read, and the firmware if it affects the value."""

    name: str
    firmware: str = ""

    @classmethod
    def estimated(cls, since: datetime) -> Self:
        """Return the source of an energy that is integrated since then; a later one is another source."""
        return cls(f"{_ESTIMATED} since {since.isoformat()}")

    @property
    def is_estimated(self) -> bool:
        """Whether the energy is integrated from a power."""
        return self.name.startswith(_ESTIMATED)


#: The source of all energies but those of unmetered production.
METERS = Source(EnergySource.METER)

#: The source of the lifetime energy of one microinverter: joules in 32 bits, which no power failure resets.
MICROINVERTER = Source("microinverter")

#: The source of a rebased counter, which differs from any other.
NO_SOURCE = Source("none")


def _max_energy(since: datetime, now: datetime, power: float) -> float:
    """Return the energy (Wh) at a power (W) over the elapsed time."""
    return power * (min(max(now - since, _MIN_ELAPSED), _MAX_ELAPSED) / timedelta(hours=1))


def _is_plausible(before: float, since: datetime, after: float, now: datetime) -> bool:
    """Return whether a counter (Wh) can have advanced from `before` to `after` in the elapsed time."""
    return before <= after <= before + _max_energy(since, now, _MAX_POWER)


def _overflow(
    decrease: float, reading: float, since: datetime, now: datetime, source: Source
) -> float | None:
    """Return the overflow (Wh) if the counter wrapped, once or more, else None.

    `decrease` is the difference (Wh) to the last value. A reading above one inverter's overflow is a sum of
    several inverters, which was not reset.
    """
    if source == MICROINVERTER:
        # It reports at least once an hour, and may do so just before and long after a reading.
        most = min(
            _max_energy(since - _REPORT_INTERVAL, now, _MICROINVERTER_POWER),
            INVERTER_OVERFLOW * _OVERFLOW_SHARE,
        )
        return INVERTER_OVERFLOW if 0 <= INVERTER_OVERFLOW - decrease <= most else None
    tolerance = _max_energy(since, now, _OVERFLOW_POWER)
    if METER_OVERFLOW - tolerance <= decrease <= METER_OVERFLOW:
        return METER_OVERFLOW
    count = math.ceil(decrease / INVERTER_OVERFLOW)
    if reading >= INVERTER_OVERFLOW:
        tolerance = min(tolerance, INVERTER_OVERFLOW * _OVERFLOW_SHARE)
    elif count == 1 and now - since <= _SMALL_COUNTER_ELAPSED:
        tolerance = min(tolerance, INVERTER_OVERFLOW * _SMALL_COUNTER_SHARE)
    else:
        return None
    overflow = count * INVERTER_OVERFLOW
    return overflow if 0 <= overflow - decrease <= tolerance else None


@dataclass(slots=True)
class _Step:
    """The readings since a step, which may turn out to be a reset."""

    first_reading: float
    started_at: datetime
    last_reading: float
    last_at: datetime
    count: int = 1

    @property
    def persists(self) -> bool:
        return self.count >= HOLD_READINGS and self.last_at - self.started_at >= HOLD_TIME


@dataclass(slots=True)
class EnergyCounter:
    """The state of a counter: its value (Wh) is the last accepted reading plus the offset."""

    value: float | None = None
    updated_at: datetime | None = None
    offset: float = 0.0
    source: Source = METERS
    #: When the counter was reset recently.
    decreases: list[datetime] = field(default_factory=list)
    #: Of this energy since local midnight, if its sensor is enabled.
    day: DailyEnergy = field(default_factory=DailyEnergy)
    _step: _Step | None = None

    @property
    def is_holding(self) -> bool:
        """Whether the value is held because of a step."""
        return self._step is not None

    @property
    def is_decreasing(self) -> bool:
        """Whether the energy decreases again and again: it is not the energy that it should be."""
        return len(self.decreases) >= _MAX_DECREASES

    def rebase(self) -> None:
        """Continue from the current value at the next reading, whatever it is, and forget the decreases."""
        self.source = NO_SOURCE
        self.decreases.clear()

    def update(self, reading: float | None, now: datetime, source: Source = METERS) -> float | None:
        """Return the value after a reading (Wh) of a source; None without a reading.

        Readings with the same time count as one.
        """
        if reading is None:
            return None
        if self.value is None or self.updated_at is None:
            return self._start(reading, now, source)
        if reading == 0 < self.value and not source.is_estimated:
            # A gateway that cannot read a meter returns 0; an integration starts from 0.
            return self.value
        if source != self.source:
            self._change_source(self.value, self.updated_at, reading, now, source)
        value = reading + self.offset
        decrease = self.value - value
        if _is_plausible(self.value, self.updated_at, value, now):
            self.value, self.updated_at, self._step = value, now, None
        elif (
            decrease > 0
            and self._step is None
            and (overflow := _overflow(decrease, reading, self.updated_at, now, source)) is not None
        ):
            self.offset += overflow
            self.value, self.updated_at = reading + self.offset, now
        elif 0 < decrease < SMALL_DECREASE:
            self._step = None
        elif (step := self._track_step(reading, now)).persists:
            if decrease > 0:
                self.decreases = [*(at for at in self.decreases if now - at <= _DECREASE_WINDOW), now]
            # Energy that was counted while the value was held is included.
            self.offset = self.value - step.first_reading
            self.value, self.updated_at, self._step = reading + self.offset, now, None
        return self.value

    def _start(self, reading: float, now: datetime, source: Source) -> float | None:
        # A gateway that has just started returns 0 at first, and the jump from there to the counter would be
        # recorded as energy.
        if reading > 0 or source.is_estimated or self._track_step(reading, now).persists:
            # The home energy is negative if one of its meters is newer than another. Statistics ignore
            # negative values: start at zero.
            self.offset, self.source = max(0.0, -reading), source
            self.value, self.updated_at, self._step = reading + self.offset, now, None
        return self.value

    def _change_source(
        self, value: float, since: datetime, reading: float, now: datetime, source: Source
    ) -> None:
        """Continue from the last value; the same source after a firmware update may keep its count."""
        growth = reading + self.offset - value
        if source.name != self.source.name or not 0 <= growth <= min(
            _max_energy(since, now, _OVERFLOW_POWER), INVERTER_OVERFLOW * _OVERFLOW_SHARE
        ):
            self.offset, self._step = value - reading, None
        self.source = source

    def _track_step(self, reading: float, now: datetime) -> _Step:
        step = self._step
        if step is None or not _is_plausible(step.last_reading, step.last_at, reading, now):
            step = self._step = _Step(reading, now, reading, now)
        elif now != step.last_at:
            step.last_reading, step.last_at = reading, now
            step.count += 1
        return step

    def as_dict(self) -> dict[str, Any]:
        """Return the state to store."""
        return {
            "value": self.value,
            "updated_at": None if self.updated_at is None else self.updated_at.isoformat(),
            "offset": self.offset,
            "source": list(self.source),
            "decreases": [at.isoformat() for at in self.decreases],
            "day": self.day.as_dict(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return a stored counter, or a new one if the stored state is invalid."""
        try:
            return cls(
                float(data["value"]),
                datetime.fromisoformat(data["updated_at"]),
                float(data["offset"]),
                Source(*map(str, data.get("source", METERS))),
                [datetime.fromisoformat(at) for at in data.get("decreases", ())],
                DailyEnergy.from_dict(data.get("day", {})),
            )
        except KeyError, TypeError, ValueError:
            return cls()
