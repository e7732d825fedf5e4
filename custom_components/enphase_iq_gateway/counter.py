"""An energy counter as its sensor shows it: never falling and never leaping, whatever the firmware says.

Counters of real gateways fall to zero after a power cut, wrap at 2^32 Wh or at 1.19 MWh (32 bits of joules),
show 2^32 Wh for one reading, or start anew with a new meter. Home Assistant's statistics keep each such step
for ever. So a step is held at the last value; if it lasts, the counter goes on from where it was. A wrap is
known by what is missing, and needs no waiting.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

#: A step that lasts this long, and through this many readings, is a reset or a wrap.
HOLD_TIME = timedelta(minutes=15)
HOLD_READINGS = 10

#: W; no site behind one gateway makes or uses more. A counter that rises faster has made a step.
_FASTEST = 1_000_000

#: Wh; a home's energy is a sum of meters, whose small errors let it fall for hours: that is no reset.
_SMALL_FALL = 1000

#: Wh at which counters are known to begin anew: 32 bits of watt-hours, and of one microinverter's joules.
_WRAPS = (2**32, 2**32 / 3600)

#: W; hardly any site makes or uses more, and a fall is taken for a wrap only where it is one to within that.
_FAST = 100_000

#: Counters of one gateway move on together but not at once, and its clock is set back now and then.
_SHORTEST = timedelta(minutes=1)

#: A gateway that starts without knowing the time is years behind at first: once its clock is right again, any
#: leap and any wrap would have had time enough.
_LONGEST = timedelta(days=30)

#: After a longer time a new meter's first energies could pass for an inverter's wrap.
_WRAP_SEEN_WITHIN = timedelta(days=1)


def _goes_on(before: float, then: datetime, now: float, at: datetime, fastest: float = _FASTEST) -> bool:
    """Tell whether a counter (Wh) can have gone from `before` to `now` in this time, with `fastest` W."""
    hours = min(max(at - then, _SHORTEST), _LONGEST) / timedelta(hours=1)
    return before <= now <= before + fastest * hours


def _wrap(before: float, then: datetime, now: float, at: datetime) -> float | None:
    """Give what is missing (Wh) from a counter that began anew for want of bits; None where it did not."""
    if at - then > _WRAP_SEEN_WITHIN:
        return None
    return next((wrap for wrap in _WRAPS if _goes_on(before, then, now + wrap, at, _FAST)), None)


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
    _step: _Step | None = None

    @property
    def is_holding(self) -> bool:
        """Whether the gateway says something else that is not believed yet."""
        return self._step is not None

    def read(self, said: float | None, at: datetime) -> float | None:
        """Take what the gateway says (Wh) at a time, and give what to show; None where it says nothing.

        The same time twice is one reading.
        """
        if said is None:
            return None
        if self.value is None or self.at is None:
            # A gateway that has just started says 0 at first. Once shown, all that it ever counted would be
            # a leap from there.
            if said > 0 or self._stepped(said, at).lasts:
                # A home's energy is below zero where one of its meters is younger than another. Statistics
                # leave out whatever is: it is counted from zero on.
                self.offset = max(0.0, -said)
                self.value, self.at, self._step = said + self.offset, at, None
        elif said == 0 < self.value:
            # What a gateway says of a meter that it cannot read: no statement at all.
            return self.value
        elif _goes_on(self.value, self.at, said + self.offset, at):
            self.value, self.at, self._step = said + self.offset, at, None
        elif (wrap := _wrap(self.value, self.at, said + self.offset, at)) is not None:
            self.offset += wrap
            self.value, self.at, self._step = said + self.offset, at, None
        elif 0 < self.value - (said + self.offset) < _SMALL_FALL:
            self._step = None
        elif (step := self._stepped(said, at)).lasts:
            # What was counted while the step was held is not lost.
            self.offset = self.value - step.first
            self.value, self.at, self._step = said + self.offset, at, None
        return self.value

    def _stepped(self, said: float, at: datetime) -> _Step:
        step = self._step
        if step is None or not _goes_on(step.last, step.at, said, at):
            step = self._step = _Step(said, at, said, at)
        elif at != step.at:
            step.last, step.at = said, at
            step.readings += 1
        return step

    def as_dict(self) -> dict[str, Any]:
        """Give what has to be kept over a restart."""
        return {
            "value": self.value,
            "at": None if self.at is None else self.at.isoformat(),
            "offset": self.offset,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Give the counter that was kept; a new one where what was kept is of another form."""
        try:
            return cls(float(data["value"]), datetime.fromisoformat(data["at"]), float(data["offset"]))
        except KeyError, TypeError, ValueError:
            return cls()
