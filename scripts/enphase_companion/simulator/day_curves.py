"""The powers of a house over one solar day: what sun, household and battery make of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from .battery import Battery
from .load import Household
from .profiles import NET, PRODUCTION, STORAGE, TOTAL
from .series import STEP, Curve, Series
from .sky import Sky

#: A day begins at this solar hour, when the sun is down and the battery empty: days are computed one by one.
DAY_START_HOUR = 3
DAY = 86400
_KNOTS = DAY // STEP + 1
#: var without load and var a watt: inverters and batteries lag, household electronics lead.
_REACTIVE = {PRODUCTION: (40.0, 0.02), TOTAL: (-60.0, -0.12), STORAGE: (25.0, 0.0)}
#: Days that are kept for all houses of the process, 1 MB each.
_KEPT_DAYS = 64

#: For each phase, one value a knot.
Phases = list[list[float]]


@dataclass(frozen=True)
class Installation:
    """Everything that the curves of a day depend on, besides its number."""

    seed: int
    latitude: float
    phases: int
    battery: Battery | None
    peaks: tuple[float, ...]  #: W in full sun, by phase
    standby: float  #: W that each phase draws at night, as its meter sees it
    second_array: float  #: W in full sun, by phase, that only the grid meter sees


@dataclass(frozen=True)
class DayCurves:
    """The curves of one solar day."""

    series: dict[str, list[Series]]  #: by measurement type, one a phase
    sunshine: Curve


@lru_cache(maxsize=_KEPT_DAYS)
def day_curves(installation: Installation, number: int) -> DayCurves:
    """Return the curves of a day. Kept for every house of the process: a day takes longest to compute."""
    sunshine = _sunshine(installation.seed, installation.latitude, number)
    home = _home(installation.seed, installation.phases, number)
    standby = installation.standby
    production = [
        [sun * peak - standby * max(0.0, 1 - 50 * sun) for sun in sunshine] for peak in installation.peaks
    ]
    stored = _stored(installation, production, home)
    active = {PRODUCTION: production, TOTAL: home, STORAGE: stored}
    reactive = {
        PRODUCTION: _reactive(PRODUCTION, production),
        TOTAL: _reactive(TOTAL, home),
        STORAGE: _reactive(STORAGE, stored) if installation.battery else stored,
    }
    active[NET], reactive[NET] = _from_grid(active), _from_grid(reactive)
    if installation.second_array:
        active[NET] = [
            [grid - installation.second_array * sun for grid, sun in zip(phase, sunshine, strict=True)]
            for phase in active[NET]
        ]
    series = {
        name: [Series(p, q) for p, q in zip(active[name], reactive[name], strict=True)] for name in active
    }
    return DayCurves(series, Curve(sunshine))


@lru_cache(maxsize=_KEPT_DAYS)
def _sunshine(seed: int, latitude: float, number: int) -> list[float]:
    sky, start = Sky(seed, latitude), solar_start(number)
    return [sky.sunshine(start + knot * STEP) for knot in range(_KNOTS)]


@lru_cache(maxsize=_KEPT_DAYS)
def _home(seed: int, phases: int, number: int) -> Phases:
    return Household(seed, phases).day(number, solar_start(number), DAY_START_HOUR, _KNOTS)


def solar_start(number: int) -> float:
    """Return when a day starts, in solar time (seconds)."""
    return number * DAY + DAY_START_HOUR * 3600


def _stored(installation: Installation, production: Phases, home: Phases) -> Phases:
    battery, phases = installation.battery, installation.phases
    if battery is None:
        return [[0.0] * _KNOTS] * phases
    knots = zip(zip(*production, strict=True), zip(*home, strict=True), strict=True)
    powers = battery.day([sum(produced) - sum(used) for produced, used in knots])
    return [[power / phases for power in powers]] * phases


def _reactive(name: str, active: Phases) -> Phases:
    offset, slope = _REACTIVE[name]
    return [[offset + slope * watts for watts in phase] for phase in active]


def _from_grid(powers: dict[str, Phases]) -> Phases:
    """Return the grid's power: consumption less production and battery discharge."""
    return [
        [home - sun - battery for home, sun, battery in zip(*phase, strict=True)]
        for phase in zip(powers[TOTAL], powers[PRODUCTION], powers[STORAGE], strict=True)
    ]
