"""What the devices of a house have been told to do, by time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from .prices import Prices

SELF_CONSUMPTION, ECONOMY, BACKUP = "self-consumption", "economy", "backup"
CLOSED = "closed"

T = TypeVar("T")


class OverTime(Generic[T]):
    """A value that changes at moments (epoch seconds), also at moments to come."""

    def __init__(self, first: T) -> None:
        self._first = first
        self._changes: list[tuple[float, T]] = []

    def at(self, moment: float) -> T:
        """Return the value at a moment; a change counts from its own moment on."""
        return next((value for when, value in reversed(self._changes) if when <= moment), self._first)

    def set(self, moment: float, value: T) -> None:
        """Change the value from a moment on; changes planned for later are dropped."""
        self._changes = [*self.until(moment), (moment, value)]

    def change(self, moment: float, change: Callable[[T], T]) -> None:
        """Apply `change` to the value at a moment and to all that are planned for later."""
        later = [(when, change(value)) for when, value in self._changes if when > moment]
        self._changes = [*self.until(moment), (moment, change(self.at(moment))), *later]

    def changes(self) -> list[tuple[float, T]]:
        """Return all changes, oldest first."""
        return list(self._changes)

    def until(self, moment: float) -> list[tuple[float, T]]:
        """Return the changes before a moment, oldest first."""
        return [(when, value) for when, value in self._changes if when < moment]


@dataclass(frozen=True)
class Orders:
    """What the controllers of a house do; the values are those of a house that nobody commands."""

    mode: str = SELF_CONSUMPTION
    reserve: float = 20.0  #: percent; in the mode `backup` everything is kept
    very_low: float = 5.0  #: percent that stays in the batteries off grid
    charge_from_grid: bool = False
    prices: Prices = field(default_factory=Prices)  #: what the mode `economy` follows
    relay: str = CLOSED  #: position of the main relay, as the gateway words it
    relay_asked: str = CLOSED
    production: bool = True  #: False: somebody has switched the array off
    panels: bool = True  #: False: the microinverters have dropped out, as when the grid comes or goes
    closed: frozenset[str] = field(default_factory=frozenset)  #: dry contacts that are closed
    contacts_misread: bool = False  #: whether the gateway says "open" for each normally closed contact
    generator: str = "off"  #: off, on or auto
    charge_from_generator: bool = True
    #: Percent of charge at which a generator in mode `auto` starts and stops.
    generator_limits: tuple[float, float] = (30, 80)
    #: Contacts that are open while the generator runs.
    generator_sheds: frozenset[str] = field(default_factory=frozenset)
    #: Contacts that off grid open below one charge and close above another (percent).
    contact_limits: tuple[tuple[str, float, float], ...] = ()
    told_to_sleep: tuple[tuple[str, float, float], ...] = ()  #: AC Batteries, each with its two levels
    asleep: frozenset[str] = field(default_factory=frozenset)  #: AC Batteries by serial number

    @property
    def flows(self) -> tuple[object, ...]:
        """Everything that the flows of the house depend on."""
        return (
            (self.mode, self.reserve, self.very_low, self.charge_from_grid, self.on_grid)
            + (self.production, self.panels, self.closed, self.asleep)
            + ((self.prices,) if self.mode == ECONOMY else ())
            + (() if self.on_grid else self._flows_off_grid)
        )

    @property
    def _flows_off_grid(self) -> tuple[object, ...]:
        generator = self.generator, self.charge_from_generator, self.generator_limits, self.generator_sheds
        return (*generator, self.contact_limits)

    @property
    def on_grid(self) -> bool:
        """Whether the grid is connected."""
        return self.relay == CLOSED

    @property
    def grid_mode(self) -> str:
        """How inverters and batteries run, in the words of the gateway."""
        return "multimode-ongrid" if self.on_grid else "multimode-offgrid"

    @property
    def kept(self) -> float:
        """Percent that the batteries keep while the grid is connected."""
        return 100.0 if self.mode == BACKUP else self.reserve
