"""How each quantity looks: colours of Okabe and Ito's, for the colour-blind too, and a second cue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from matplotlib.patheffects import withStroke

from .model import Quantity

INK = "#222222"
FAINT = "#6B6B6B"
GRID = "#E4E4E4"
PAPER = "#FFFFFF"
#: Where nothing is known.
BLANK = "#F1F1F1"
#: Vermillion, for what is wrong.
WARNING = "#B34700"

#: Keeps words readable on lines.
HALO = [withStroke(linewidth=2.5, foreground=PAPER)]

ORANGE, SKY, BLUE, PURPLE, BLACK = "#E69F00", "#56B4E9", "#0072B2", "#CC79A7", "#000000"


#: A line style of matplotlib's: solid, or lengths of dashes and pauses.
Dashes = Literal["-"] | tuple[float, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Look:
    """How one quantity is drawn."""

    name: str
    #: In the legend.
    meaning: str
    colour: str
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
    Quantity.NET: Look("Grid", "Grid (up: export, down: import)", BLACK, (0, (3, 1)), sign=-1, width=1.3),
    Quantity.DISCHARGED: Look("Discharged", "Battery discharged", PURPLE, "-", "...", filled=True),
    Quantity.CHARGED: Look("Charged", "Battery charged", PURPLE, "-", "xxxx", sign=-1, filled=True),
}
