"""How each quantity looks: colours of Okabe and Ito's, for the colour-blind too, and a second cue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from matplotlib.patheffects import AbstractPathEffect, withStroke

from .model import Quantity


@dataclass(frozen=True, slots=True)
class Style:
    """The colours of what is around the lines."""

    ink: str
    faint: str
    grid: str
    paper: str
    #: Where nothing is known, and the hatching there.
    blank: str
    hatch: str
    #: Vermillion, for what is wrong.
    warning: str

    @property
    def halo(self) -> list[AbstractPathEffect]:
        """Keeps words readable on lines."""
        return [withStroke(linewidth=2.5, foreground=self.paper)]

    def colour(self, look: Look) -> str:
        """Return the colour of a line."""
        return look.colour or self.ink


STYLES = {
    "light": Style(
        ink="#222222",
        faint="#6B6B6B",
        grid="#E4E4E4",
        paper="#FFFFFF",
        blank="#F1F1F1",
        hatch="#DADADA",
        warning="#B34700",
    ),
    "dark": Style(
        ink="#EDEDED",
        faint="#A6A6A6",
        grid="#3A3A3A",
        paper="#1C1C1C",
        blank="#262626",
        hatch="#444444",
        warning="#FF9248",
    ),
}
LIGHT, DARK = STYLES.values()

ORANGE, BLUE, PURPLE = "#E69F00", "#0072B2", "#CC79A7"

#: A line style of matplotlib's: solid, or lengths of dashes and pauses.
Dashes = Literal["-"] | tuple[float, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Look:
    """How one quantity is drawn."""

    name: str
    #: In the legend.
    meaning: str
    #: None: the colour of the words.
    colour: str | None
    line: Dashes
    hatch: str | None = None
    #: -1: downwards.
    sign: int = 1
    filled: bool = False
    width: float = 1.6


LOOKS = {
    Quantity.PRODUCTION: Look("Production", "Production", ORANGE, "-", filled=True),
    Quantity.CONSUMPTION: Look("Consumption", "Consumption", BLUE, "-", "////", sign=-1, filled=True),
    Quantity.BATTERY: Look(
        "Battery", "Battery (up: discharging, down: charging)", PURPLE, (0, (5, 1.5, 1, 1.5)), width=1.8
    ),
    Quantity.NET: Look("Grid", "Grid (up: export, down: import)", None, (0, (3, 1)), sign=-1, width=1.3),
    Quantity.DISCHARGED: Look("Discharged", "Battery discharged", PURPLE, "-", "...", filled=True),
    Quantity.CHARGED: Look("Charged", "Battery charged", PURPLE, "-", "xxxx", sign=-1, filled=True),
    Quantity.SAVED: Look("Saved", "Saved by self-consumption", ORANGE, "-", "\\\\", filled=True),
    Quantity.EXPORT_INCOME: Look("Export income", "Export income", PURPLE, "-", "oo", filled=True),
    Quantity.IMPORT_COST: Look("Import cost", "Import cost", BLUE, "-", "||||", sign=-1, filled=True),
}
