"""What a household draws over one day: always-on things, a fridge, and the appliances people switch on."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from .noise import Noise
from .series import STEP


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
    """The power drawn on each of `phases` phases, the same for the same seed and day."""

    def __init__(self, seed: int, phases: int) -> None:
        self._seed = seed
        self._phases = phases
        self._always_on = [Noise(seed, f"always on {phase}", 25 * 60) for phase in range(phases)]

    def day(self, number: int, start: float, start_hour: float, knots: int) -> list[list[float]]:
        """Watts by phase at each knot of a day, which begins at `start` (solar time) at `start_hour`."""
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
