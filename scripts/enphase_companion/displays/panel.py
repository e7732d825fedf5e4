"""What is known by now of all that the displays show, and how old it is."""

from __future__ import annotations

import time
from collections.abc import Callable

from .. import units
from .bars import Chart
from .icons import Weather
from .readings import Powers

#: Seconds after which a reading is old.
STALE = 60.0

#: Seconds by which the clock of who read it may differ from this machine's.
_CLOCKS = 120.0


class Panel:
    """The newest of everything; whoever learns something puts it here."""

    def __init__(
        self,
        trouble: Callable[[], str | None],
        *,
        capacity: float | None = None,
        continuous: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`trouble` gives a few words for what is wrong now; `capacity`, `continuous`: W, see Chart."""
        self._trouble = trouble
        self._clock = clock
        self._taken_at = 0.0
        self._most = 0.0
        #: W; see Chart.
        self.capacity = capacity
        self.continuous = continuous
        self.weather: Weather | None = None
        self.powers: Powers | None = None

    def take(self, powers: Powers) -> None:
        """Take the powers of a message; one that is older than the one before is left out."""
        if self.powers is None or powers.read_at >= self.powers.read_at:
            self.powers = powers
            self._most = max(self._most, powers.production or 0, powers.consumption or 0)
            self._taken_at = self._clock()

    @property
    def age(self) -> float | None:
        """Seconds since the powers were read; None where none ever were."""
        if self.powers is None:
            return None
        now = self._clock()
        # What waited somewhere is old when it comes; beyond what two clocks may differ, that shows.
        return max(now - self._taken_at, now - self.powers.read_at - _CLOCKS, 0.0)

    @property
    def is_fresh(self) -> bool:
        """Whether the powers are what they are now."""
        age = self.age
        return age is not None and age <= STALE

    @property
    def trouble(self) -> str | None:
        """A few words for what is wrong; None where nothing is."""
        return self._trouble()

    @property
    def chart(self) -> Chart:
        """What the bars show."""
        known = self.powers or Powers(None, None, 0)
        return Chart(known.production, known.consumption, self.capacity or self._most, self.continuous)

    @property
    def summary(self) -> str:
        """What was read, in a line."""
        if self.powers is None:
            return "nothing read yet"
        made, taken = units.power(self.powers.production), units.power(self.powers.consumption)
        return f"production {made}, home {taken}"
