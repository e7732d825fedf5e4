"""An energy counter as its sensor shows it: never falling and never leaping, whatever the firmware says.

Counters of real gateways fall to zero after a power cut, wrap at 2^32 Wh or at 1.19 MWh (32 bits of joules),
show 2^32 Wh for one reading, or start anew with a new meter. Home Assistant's statistics keep each such step
for ever. So a step is held at the last value; if it lasts, the counter goes on from where it was. A wrap is
known by what is missing, and needs no waiting. Two sources of one energy stand at different values: where the
source changes, the sensor goes on from where it was.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self

from .const import ProductionFrom

#: A step that lasts this long, and through this many readings, is a reset or a wrap.
HOLD_TIME = timedelta(minutes=15)
HOLD_READINGS = 10

#: W; no site behind one gateway makes or uses more. A counter that rises faster has made a step.
_FASTEST = 1_000_000

#: Wh; a home's energy is a sum of meters, whose small errors let it fall for hours: that is no reset.
_SMALL_FALL = 1000

#: Wh at which counters are known to wrap: 32 bits of watt-hours, and of one microinverter's joules.
_METER_WRAP = 2**32
INVERTER_WRAP = 2**32 / 3600

#: W; hardly any site makes or uses more, and a fall is taken for a wrap only where it is one to within that.
_FAST = 100_000

#: Counters of one gateway move on together but not at once, and its clock is set back now and then.
_SHORTEST = timedelta(minutes=1)

#: A gateway that starts without knowing the time is years behind at first: once its clock is right again, any
#: leap and any wrap would have had time enough.
_LONGEST = timedelta(days=30)

#: A counter that is small enough to have been reset is believed to have wrapped for this long only, and with
#: this share of a wrap counted meanwhile.
_SMALL_WRAP_SEEN_WITHIN = timedelta(days=1)
_SMALL_WRAP_SHARE = 1 / 20

#: The share of a wrap that a sum of inverters may have counted meanwhile: a fall by less than the rest of it
#: is none.
_WRAP_SHARE = 1 / 2

#: A home's energy that fell for good so often within this time is not the home's energy.
_FALLS = 3
_FALLS_WITHIN = timedelta(days=30)


class Source(NamedTuple):
    """Who counts: where an energy is read, and the firmware where that decides what is counted there."""

    name: str
    firmware: str = ""


#: Who counts all energies but those of production without a meter.
METERS = Source(ProductionFrom.METER)

#: Of a counter that is to go on from where it is, whoever counts next.
NOBODY = Source("nobody")


def _most(then: datetime, at: datetime, fastest: float) -> float:
    """Return the most energy (Wh) that can have been counted meanwhile, with `fastest` W."""
    return fastest * (min(max(at - then, _SHORTEST), _LONGEST) / timedelta(hours=1))


def _goes_on(before: float, then: datetime, now: float, at: datetime, fastest: float = _FASTEST) -> bool:
    """Return whether a counter (Wh) can have gone from `before` to `now` in this time, with `fastest` W."""
    return before <= now <= before + _most(then, at, fastest)


def _wrap(fall: float, said: float, then: datetime, at: datetime) -> float | None:
    """Return what is missing (Wh) from a counter that wrapped, once or more; None where it did not.

    `fall` is how far (Wh) it is below what it was, `said` where it stands now. A sum that stands above a wrap
    even now cannot have been reset: it was made of more than one inverter's counter.
    """
    most = _most(then, at, _FAST)
    if _METER_WRAP - most <= fall <= _METER_WRAP:
        return _METER_WRAP
    wraps = math.ceil(fall / INVERTER_WRAP)
    if said >= INVERTER_WRAP:
        most = min(most, INVERTER_WRAP * _WRAP_SHARE)
    elif wraps == 1 and at - then <= _SMALL_WRAP_SEEN_WITHIN:
        most = min(most, INVERTER_WRAP * _SMALL_WRAP_SHARE)
    else:
        return None
    missing = wraps * INVERTER_WRAP
    return missing if 0 <= missing - fall <= most else None


@dataclass(slots=True)
class _Step:
    """What a counter says since it made a step."""

    first: float
    since: datetime
    last: float
    at: datetime
    readings: int = 1

    @property
    def lasts(self) -> bool:
        return self.readings >= HOLD_READINGS and self.at - self.since >= HOLD_TIME


@dataclass(slots=True)
class Counter:
    """A counter's state; `value` is what is shown (Wh), `offset` what is added to what the gateway says."""

    value: float | None = None
    at: datetime | None = None
    offset: float = 0.0
    source: Source = METERS
    #: When the counter fell for good, lately.
    falls: list[datetime] = field(default_factory=list)
    _step: _Step | None = None

    @property
    def is_holding(self) -> bool:
        """Whether the gateway says something else that is not believed yet."""
        return self._step is not None

    @property
    def keeps_falling(self) -> bool:
        """Whether what is counted falls again and again: it cannot be the energy that it is taken for."""
        return len(self.falls) >= _FALLS

    def go_on_from_here(self) -> None:
        """Take whatever is said next for where the counter stands now, and forget its falls."""
        self.source = NOBODY
        self.falls.clear()

    def read(self, said: float | None, at: datetime, source: Source = METERS) -> float | None:
        """Take what a source says (Wh) at a time, and return what to show; None where it says nothing.

        The same time twice is one reading.
        """
        if said is None:
            return None
        if self.value is None or self.at is None:
            return self._begin(said, at, source)
        if said == 0 < self.value:
            # What a gateway says of a meter that it cannot read: no statement at all.
            return self.value
        if source != self.source:
            self._change_source(self.value, self.at, said, at, source)
        fall = self.value - (said + self.offset)
        if _goes_on(self.value, self.at, said + self.offset, at):
            self.value, self.at, self._step = said + self.offset, at, None
        elif fall > 0 and self._step is None and (wrap := _wrap(fall, said, self.at, at)) is not None:
            self.offset += wrap
            self.value, self.at = said + self.offset, at
        elif 0 < fall < _SMALL_FALL:
            self._step = None
        elif (step := self._stepped(said, at)).lasts:
            # What was counted while the step was held is not lost.
            if fall > 0:
                self.falls = [*(then for then in self.falls if at - then <= _FALLS_WITHIN), at]
            self.offset = self.value - step.first
            self.value, self.at, self._step = said + self.offset, at, None
        return self.value

    def _begin(self, said: float, at: datetime, source: Source) -> float | None:
        # A gateway that has just started says 0 at first. Once shown, all that it ever counted would be
        # a leap from there.
        if said > 0 or self._stepped(said, at).lasts:
            # A home's energy is below zero where one of its meters is younger than another. Statistics leave
            # out whatever is: it is counted from zero on.
            self.offset, self.source = max(0.0, -said), source
            self.value, self.at, self._step = said + self.offset, at, None
        return self.value

    def _change_source(self, value: float, then: datetime, said: float, at: datetime, source: Source) -> None:
        """Go on from where the counter is; what the same source counted through an update is kept."""
        growth = said + self.offset - value
        if source.name != self.source.name or not 0 <= growth <= min(
            _most(then, at, _FAST), INVERTER_WRAP * _WRAP_SHARE
        ):
            self.offset, self._step = value - said, None
        self.source = source

    def _stepped(self, said: float, at: datetime) -> _Step:
        step = self._step
        if step is None or not _goes_on(step.last, step.at, said, at):
            step = self._step = _Step(said, at, said, at)
        elif at != step.at:
            step.last, step.at = said, at
            step.readings += 1
        return step

    def as_dict(self) -> dict[str, Any]:
        """Return what has to be kept over a restart."""
        return {
            "value": self.value,
            "updated_at": None if self.at is None else self.at.isoformat(),
            "offset": self.offset,
            "source": list(self.source),
            "decreases": [at.isoformat() for at in self.falls],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the counter that was kept; a new one where what was kept is of another form."""
        try:
            return cls(
                float(data["value"]),
                datetime.fromisoformat(data["updated_at"]),
                float(data["offset"]),
                Source(*map(str, data.get("source", METERS))),
                [datetime.fromisoformat(at) for at in data.get("decreases", ())],
            )
        except KeyError, TypeError, ValueError:
            return cls()
