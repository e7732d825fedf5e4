"""The energy counters at the beginning of each day: where they started, and the days in between."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from math import hypot

from .profiles import NET, PRODUCTION, STORAGE, TOTAL, Profile
from .series import Energy

#: By measurement type, the energy of each phase.
Energies = dict[str, list[Energy]]

#: The day the house got its meters, whose counters began at zero.
_BUILT = datetime(2025, 1, 1, tzinfo=UTC).timestamp()
#: Counters are never younger than this (days): the past of the house can be queried.
_LEAST_AGE = 30.0
#: Wh a day: more than any day of the house makes, see `Counters`.
_HOME, _STANDBY, _FULL_SUN_HOURS, _CYCLES = 40_000.0, 200.0, 9.0, 1.2
#: varh a day and phase.
_REACTIVE = 4000.0


class Counters:
    """What each counter held when a day began, exact from day to day.

    On the day of the start they hold a value that depends on the date and grows faster than any day of the
    house counts. A house restarted on a later day therefore continues above its old values, like a real one.
    """

    def __init__(
        self,
        profile: Profile,
        peak: float,
        start_day: int,
        start_time: float,
        energy_of_day: Callable[[int], Energies],
    ) -> None:
        """`peak`: watts of all panels; `start_time`: when the day of the start begins (epoch seconds)."""
        self._start_day = start_day
        self._energy_of_day = energy_of_day
        age = max(_LEAST_AGE, (start_time - _BUILT) / 86400)
        self._known = {start_day: _at_start(profile, peak, age)}

    def at(self, day: int) -> Energies:
        """Return the counters when `day` began."""
        step = 1 if day > self._start_day else -1
        nearest = day
        while nearest not in self._known:
            nearest -= step
        while nearest != day:
            between = self._energy_of_day(nearest if step > 0 else nearest - 1)
            self._known[nearest + step] = {
                name: [held.plus(flowed, step) for held, flowed in zip(phases, between[name], strict=True)]
                for name, phases in self._known[nearest].items()
            }
            nearest += step
        return self._known[day]

    def forget(self, after: int) -> None:
        """Forget what was counted up to days after this one, as its flows or theirs have changed."""
        self._known = {day: held for day, held in self._known.items() if day <= max(after, self._start_day)}


def _at_start(profile: Profile, peak: float, days: float) -> Energies:
    battery = profile.battery
    charged = battery.capacity * _CYCLES * days if battery else 0.0
    discharged = charged * 0.9
    home, produced, standby = _HOME * days, _FULL_SUN_HOURS * peak * days, _STANDBY * days
    exported = produced
    imported = home - (produced - standby) - (discharged - charged) + exported
    totals = {
        PRODUCTION: (produced, standby),
        TOTAL: (home, 0.0),
        STORAGE: (discharged, charged),
        NET: (imported, exported),
    }
    share = 1 / profile.wired
    return {
        name: [_phase(name, delivered * share, received * share, days)] * profile.wired
        for name, (delivered, received) in totals.items()
    }


def _phase(name: str, delivered: float, received: float, days: float) -> Energy:
    if not delivered:
        return Energy()
    reactive = _REACTIVE * days
    lags = name in (PRODUCTION, STORAGE)
    return Energy(
        delivered,
        received,
        hypot(delivered + received, reactive),
        reactive if lags else 0.0,
        0.0 if lags else reactive,
    )
