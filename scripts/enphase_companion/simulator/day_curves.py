"""The powers of a house over one solar day: what sun, clouds, household and battery make of it.

Times are the house's own, by the sun (seconds, see `House`): the same hour of the same day has the same sky,
wherever on earth and whenever it is requested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from math import cos, pi, radians, sin
from random import Random

from .battery import Battery
from .profiles import NET, PRODUCTION, STORAGE, TOTAL, Contact
from .series import REGULAR, STEP, Curve, Noise, Series, Times

#: Panels face the equator at this slope (degrees).
TILT = 35.0


class Sky:
    """Sunshine on tilted panels at one place: 1.0 is the full sun straight onto them."""

    def __init__(self, seed: int, latitude: float) -> None:
        """`latitude` in degrees, north positive."""
        self._latitude = radians(latitude)
        self._tilted = radians(latitude - TILT if latitude >= 0 else latitude + TILT)
        #: Weather of the day, cloud fields within the hour, single clouds within minutes.
        self._clouds = [
            (0.5, Noise(seed, "weather", 6 * 3600)),
            (0.35, Noise(seed, "cloud fields", 40 * 60)),
            (0.15, Noise(seed, "single clouds", 6 * 60)),
        ]

    def sunshine(self, at: float) -> float:
        """0 (night) to about 1 (clear, straight onto the panels)."""
        day = datetime.fromtimestamp(at, UTC).timetuple().tm_yday
        declination = radians(-23.44) * cos(2 * pi * (day + 10) / 365.25)
        hour_angle = (at / 3600 % 24 - 12) * pi / 12
        turning = cos(declination) * cos(hour_angle)
        height = sin(declination) * sin(self._latitude) + turning * cos(self._latitude)
        if height <= 0:
            return 0.0
        onto_panels = sin(declination) * sin(self._tilted) + turning * cos(self._tilted)
        #: Near the horizon the light passes through more air.
        through_air = min(1.0, height / 0.25)
        return max(0.0, onto_panels) * through_air * self._through_clouds(at)

    def cloud_cover(self, at: float) -> float:
        """0 (clear) to 1 (overcast), by day and by night."""
        cover = sum(weight * cloud(at) for weight, cloud in self._clouds)
        return min(1.0, max(0.0, (cover - 0.35) / 0.4))

    def _through_clouds(self, at: float) -> float:
        overcast = self.cloud_cover(at)
        return 1 - 0.8 * overcast * overcast * (3 - 2 * overcast)


@dataclass(frozen=True)
class Appliance:
    """Something switched on `times` a day (at most) between two hours of the day, for some minutes."""

    name: str
    watts: float
    minutes: tuple[int, int]
    hours: tuple[float, float]
    times: int
    chance: float = 1.0
    phase: int | None = None  # where it is wired; None: on any phase


APPLIANCES = (
    Appliance("kettle", 2000, (2, 4), (6, 22), 5, 0.8),
    Appliance("toaster", 900, (3, 5), (6.5, 9), 1, 0.7, phase=0),
    Appliance("cooker", 1700, (20, 45), (11.5, 13.5), 1, 0.6, phase=1),
    Appliance("oven", 2400, (25, 50), (17.5, 20), 1, 0.8, phase=2),
    Appliance("washing machine", 1900, (15, 25), (8, 19), 1, 0.5, phase=0),
    Appliance("dishwasher", 1800, (30, 40), (19, 22.5), 1, 0.7, phase=1),
    Appliance("television", 120, (60, 180), (18, 22.5), 1, 0.9),
    Appliance("electric car", 3600, (60, 150), (10, 22), 1, 0.35, phase=2),
)

_FRIDGE_WATTS, _FRIDGE_PERIOD, _FRIDGE_RUNS = 95.0, 46 * 60, 16 * 60


class Household:
    """The power drawn on each of `phases` phases; seed and day determine it."""

    def __init__(self, seed: int, phases: int) -> None:
        self._seed = seed
        self._phases = phases
        self._always_on = [Noise(seed, f"always on {phase}", 25 * 60) for phase in range(phases)]

    def day(self, number: int, start: float, start_hour: float, knots: int) -> list[list[float]]:
        """Return watts by phase at each knot of a day that begins at `start` (solar time) at `start_hour`."""
        watts = [self._base(phase, start, knots) for phase in range(self._phases)]
        dice = Random(f"{self._seed} {number}")
        for appliance in APPLIANCES:
            for _ in range(appliance.times):
                self._switch_on(appliance, dice, watts, start_hour, knots)
        return watts

    def _base(self, phase: int, start: float, knots: int) -> list[float]:
        always_on = self._always_on[phase]
        fridge = phase == 0
        watts = []
        for knot in range(knots):
            at = start + knot * STEP
            cooling = fridge and at % _FRIDGE_PERIOD < _FRIDGE_RUNS
            watts.append(50 + 90 * always_on(at) + (_FRIDGE_WATTS if cooling else 0))
        return watts

    def _switch_on(
        self, appliance: Appliance, dice: Random, watts: list[list[float]], start_hour: float, knots: int
    ) -> None:
        runs = dice.random() < appliance.chance
        hour = dice.uniform(*appliance.hours)
        minutes = dice.randint(*appliance.minutes)
        phase = dice.randrange(self._phases) if appliance.phase is None else appliance.phase % self._phases
        if not runs:
            return
        first = int((hour - start_hour) % 24 * 3600 / STEP)
        last = min(first + minutes * 60 // STEP, knots - 2)
        for knot in range(max(first, 1), last + 1):
            watts[phase][knot] += appliance.watts


#: A day begins at this solar hour, when the sun is down and the battery empty: days are computed one by one.
DAY_START_HOUR = 3
DAY = 86400
KNOTS = DAY // STEP + 1
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
    contacts: tuple[Contact, ...] = ()
    generator: float = 0.0  #: W


@dataclass(frozen=True)
class DayCurves:
    """The curves of one solar day."""

    series: dict[str, list[Series]]  #: by measurement type, one a phase
    sunshine: Curve
    output: Curve  #: what the panels make of it, as a share of the full sun
    generator: Curve | None  #: W; None: it did not run
    stored_at_start: float  #: Wh in the batteries when the day began
    shed: Sequence[tuple[float, frozenset[str]]]  #: dry contacts that the charge has opened, by time


@lru_cache(maxsize=_KEPT_DAYS)
def day_curves(installation: Installation, number: int) -> DayCurves:
    """Return the curves of a day. Kept for every house of the process: a day takes longest to compute."""
    sun, home = sun_on_panels(installation, number), home_powers(installation, number)
    production = produced_power(installation, sun)
    return make_curves(
        installation,
        number,
        production=production,
        home=home,
        stored=battery_powers(installation, production, home),
    )


def make_curves(
    installation: Installation,
    number: int,
    *,
    production: Phases,
    home: Phases,
    stored: Phases,
    times: Sequence[float] | None = None,
    output: list[float] | None = None,
    generated: list[float] | None = None,
    on_grid: list[float] | None = None,
    stored_at_start: float | None = None,
    shed: Sequence[tuple[float, frozenset[str]]] = (),
) -> DayCurves:
    """Return the curves of a day from its powers (W by phase and knot).

    The last six arguments are those of a commanded day: when its knots are, what the panels make as a share
    of the full sun, the generator's W, 1 or 0 for on or off grid, the Wh in the batteries at its start, and
    the dry contacts that their charge has opened.
    """
    battery, when = installation.battery, Times(times) if times else REGULAR
    sunshine = Curve(sun_on_panels(installation, number))
    active = {PRODUCTION: production, TOTAL: home, STORAGE: stored}
    reactive = {
        PRODUCTION: _reactive(PRODUCTION, production),
        TOTAL: _reactive(TOTAL, home),
        STORAGE: _reactive(STORAGE, stored) if battery else stored,
    }
    if on_grid is not None and battery is not None:
        reactive[STORAGE] = _balance_reactive(reactive, on_grid)
    active[NET], reactive[NET] = _from_grid(active), _from_grid(reactive)
    if generated is not None:
        share = [watts / installation.phases for watts in generated]
        active[NET] = [[grid - own for grid, own in zip(phase, share, strict=True)] for phase in active[NET]]
    if installation.second_array:
        active[NET] = [
            [
                grid - installation.second_array * sun
                for grid, sun in zip(phase, output or sun_on_panels(installation, number), strict=True)
            ]
            for phase in active[NET]
        ]
    if on_grid is not None:
        # What rounding leaves.
        for powers in (active, reactive):
            powers[NET] = [
                [grid if connected else 0.0 for grid, connected in zip(phase, on_grid, strict=True)]
                for phase in powers[NET]
            ]
    series = {
        name: [Series(p, q, when) for p, q in zip(active[name], reactive[name], strict=True)]
        for name in active
    }
    return DayCurves(
        series,
        sunshine,
        output=sunshine if output is None else Curve(output, when),
        generator=Curve(generated, when) if generated and any(generated) else None,
        stored_at_start=(battery.reserve_energy if battery else 0.0)
        if stored_at_start is None
        else stored_at_start,
        shed=shed,
    )


def sun_on_panels(installation: Installation, number: int) -> list[float]:
    """Return at each knot of a day how much of the full sun falls on the panels."""
    return _sunshine(installation.seed, installation.latitude, number)


def home_powers(installation: Installation, number: int) -> Phases:
    """Return what the household draws on a day if all its loads are on."""
    return _home(installation.seed, installation.phases, number)


def produced_power(installation: Installation, output: Sequence[float]) -> Phases:
    """Return the production, given what the panels make as a share of the full sun."""
    standby = installation.standby
    return [[sun * peak - standby * max(0.0, 1 - 50 * sun) for sun in output] for peak in installation.peaks]


def battery_powers(installation: Installation, production: Phases, home: Phases) -> Phases:
    """Return the power of the batteries on a day without orders."""
    battery, phases = installation.battery, installation.phases
    if battery is None:
        return [[0.0] * KNOTS] * phases
    knots = zip(zip(*production, strict=True), zip(*home, strict=True), strict=True)
    powers = battery.day([sum(produced) - sum(used) for produced, used in knots])
    return [[power / phases for power in powers]] * phases


@lru_cache(maxsize=_KEPT_DAYS)
def _sunshine(seed: int, latitude: float, number: int) -> list[float]:
    sky, start = Sky(seed, latitude), solar_start(number)
    return [sky.sunshine(start + knot * STEP) for knot in range(KNOTS)]


@lru_cache(maxsize=_KEPT_DAYS)
def _home(seed: int, phases: int, number: int) -> Phases:
    return Household(seed, phases).day(number, solar_start(number), DAY_START_HOUR, KNOTS)


def solar_start(number: int) -> float:
    """Return when a day starts, in solar time (seconds)."""
    return number * DAY + DAY_START_HOUR * 3600


def _reactive(name: str, active: Phases) -> Phases:
    offset, slope = _REACTIVE[name]
    return [[offset + slope * watts for watts in phase] for phase in active]


def _balance_reactive(reactive: dict[str, Phases], on_grid: list[float]) -> Phases:
    """Return the batteries' reactive power: off grid they alone balance that of home and production."""
    return [
        [
            own * connected + (home - produced) * (1 - connected)
            for own, home, produced, connected in zip(*phase, on_grid, strict=True)
        ]
        for phase in zip(reactive[STORAGE], reactive[TOTAL], reactive[PRODUCTION], strict=True)
    ]


def _from_grid(powers: dict[str, Phases]) -> Phases:
    """Return the grid's power: consumption less production and battery discharge."""
    return [
        [home - sun - battery for home, sun, battery in zip(*phase, strict=True)]
        for phase in zip(powers[TOTAL], powers[PRODUCTION], powers[STORAGE], strict=True)
    ]
