"""The current state that the displays show: powers, weather, problems, and their age."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from enphase_api.json_values import SILENT_AFTER
from enphase_api.models import Site

from .. import units
from ..message import WHOLE, InverterSample, Message
from .bars import Chart
from .day import Day
from .day_file import DayFile
from .icons import Weather
from .panels import Array

#: Seconds after which a reading is stale.
STALE = 60.0

#: Seconds by which the clock of the reading machine may differ from this one's.
_CLOCKS = 120.0

#: It is night while production is below this share of the capacity, and these watts: what a meter shows of
#: an array that does not produce. Once it is night, up to twice as much.
_DARK_SHARE, _DARK_WATTS = 0.005, 20.0

#: More than any gateway has; a sender can invent any number of them.
_MOST_PANELS = 1_000

#: Seconds.
_SILENT = SILENT_AFTER.total_seconds()


class DisplayState:
    """The latest powers and weather; producers write here, the player reads."""

    def __init__(
        self,
        trouble: Callable[[], str | None],
        *,
        capacity: float | None = None,
        continuous: float | None = None,
        clock: Callable[[], float] = time.time,
        zone: tzinfo | None = None,
        keeps_day: bool = False,
    ) -> None:
        """`trouble` returns a short text for a current problem; `capacity`, `continuous`: W, see Chart.

        `zone`: see Day; `keeps_day`: see DayFile.
        """
        self._trouble = trouble
        self._clock = clock
        self._taken_at = 0.0
        self._most = 0.0
        #: W; see Chart.
        self.capacity = capacity
        self.continuous = continuous
        self.weather: Weather | None = None
        self.powers: Powers | None = None
        self.day = Day(zone)
        self.day_file = DayFile(self.day) if keeps_day else None
        #: Last report of each panel by its serial number, and when it was read.
        self._panels: dict[str, tuple[float, InverterSample]] = {}
        self._panels_read_at = 0.0
        self._most_of_panel = 0.0
        #: Whether the array produced nothing when its power was last read.
        self.is_night = False

    def take_message(self, message: Message) -> None:
        """Take the readings of the meters, or the reports of the panels."""
        if self.day_file is not None:
            self.day_file.open(message.gateway)
        if message.inverters:
            self.take_panels(message)
        else:
            self.take(Powers.from_message(message))

    def take(self, powers: Powers) -> None:
        """Take the powers of a message unless they are older than the current ones."""
        if self.powers is None or powers.read_at >= self.powers.read_at:
            self.powers = powers
            self._most = max(self._most, powers.production or 0, powers.consumption or 0)
            self._taken_at = self._clock()
            self.day.take(powers)
            if powers.production is not None:
                dark = max(_DARK_WATTS, _DARK_SHARE * (self.capacity or self._most))
                self.is_night = powers.production < dark * (2 if self.is_night else 1)

    def take_panels(self, message: Message) -> None:
        """Take the last reports of panels; those that are silent keep their earlier ones."""
        for each in message.inverters:
            known = self._panels.get(each.serial_number)
            is_newer = len(self._panels) < _MOST_PANELS if known is None else message.timestamp >= known[0]
            if is_newer:
                self._panels[each.serial_number] = message.timestamp, each
                self._panels_read_at = max(self._panels_read_at, message.timestamp)
                self._most_of_panel = max(self._most_of_panel, each.power or 0)

    @property
    def array(self) -> Array:
        """The panels in the order of their serial numbers; each counts as an equal part of the capacity."""
        if not self._panels or self._clock() - self._panels_read_at > _SILENT:
            return Array()
        # Compared with each other: the gateway's clock may be wrong, and at night no panel reports.
        latest = [each.measured_at for at, each in self._panels.values() if at == self._panels_read_at]
        silent = max(latest) - _SILENT * 1000
        powers = tuple(
            panel.power if panel.measured_at >= silent else 0.0 if self.is_night else None
            for _, (_, panel) in sorted(self._panels.items())
        )
        return Array(powers, self.capacity / len(powers) if self.capacity else self._most_of_panel)

    @property
    def age(self) -> float | None:
        """Seconds since the powers were read; None before the first ones."""
        if self.powers is None:
            return None
        now = self._clock()
        # A delayed message is old on arrival; its age counts beyond the difference of both clocks.
        return max(now - self._taken_at, now - self.powers.read_at - _CLOCKS, 0.0)

    @property
    def is_fresh(self) -> bool:
        """Whether the powers are current."""
        age = self.age
        return age is not None and age <= STALE

    @property
    def trouble(self) -> str | None:
        """Short text for a current problem; None without one."""
        return self._trouble()

    @property
    def chart(self) -> Chart:
        """Values of the bars."""
        known = self.powers or Powers(None, None, 0)
        return Chart(known.production, known.consumption, self.capacity or self._most, self.continuous)

    @property
    def summary(self) -> str:
        """The powers as one line of text."""
        if self.powers is None:
            return "nothing read yet"
        made, taken = units.format_power(self.powers.production), units.format_power(self.powers.consumption)
        return f"production {made}, home {taken}"


_LOGGER = logging.getLogger(__name__)

#: Other gateways that the log names; a sender can invent any number of them.
_MOST_NAMED = 5

#: Gateway of messages of Enphase-API's scripts, which name none, if no serial number is set.
UNNAMED = "unnamed"


@dataclass(frozen=True, slots=True)
class Powers:
    """Powers in W and lifetime energies in Wh at one time; None if not metered."""

    production: float | None
    consumption: float | None
    #: Seconds since the epoch, by the clock of the reading machine.
    read_at: float
    produced: float | None = None
    consumed: float | None = None

    @classmethod
    def from_message(cls, message: Message) -> Powers:
        """Return the powers and energies of a message; those of the home are calculated if not metered."""
        whole = {each.measurement: each for each in reversed(message.samples) if each.phase == WHOLE}
        site = Site.from_quantities(
            {name: each.quantities for name, each in whole.items()},
            metered=message.metered,
            unmetered_batteries=message.has_unmetered_batteries,
            measured_at={
                name: datetime.fromtimestamp(each.measured_at / 1000, UTC) for name, each in whole.items()
            },
        )
        return cls(
            site.production_power,
            site.home_power,
            message.timestamp,
            site.produced_energy,
            site.consumed_energy,
        )


class GatewayFilter:
    """Accepts the messages of one gateway, and skips those of others on the same broker."""

    def __init__(self, serial_number: str | None) -> None:
        """Without `serial_number` it is the one whose message comes first."""
        self._serial_number = serial_number
        self._others: set[str] = set()

    def accepts(self, message: Message) -> bool:
        """Return whether it is this gateway's message; the first of another gateway is logged."""
        self._serial_number = self._serial_number or message.gateway
        if message.gateway == self._serial_number:
            return True
        if message.gateway not in self._others and len(self._others) < _MOST_NAMED:
            self._others.add(message.gateway)
            _LOGGER.warning(
                "readings of gateway %s are ignored, only those of %s are shown: see gateway_serial_number",
                message.gateway,
                self._serial_number,
            )
        return False
