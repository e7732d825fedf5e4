"""A bar for the energy of each panel, the most first; those that are behind or silent stand out."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import FixedFormatter, FixedLocator

from ..units import format_energy
from . import text
from .model import InverterEnergies
from .style import ORANGE, Style

#: A panel whose energy is below the median by more than this share is behind; as on the dashboard.
BEHIND = 0.2

#: What a bar stands for, as the legend names it.
_PANEL, _BEHIND, _SILENT = "Panel", f"Behind: more than {100 * BEHIND:.0f} % below the median", "Silent"

#: Inches below the axes that serial numbers need, besides the room for other charts' times.
BOTTOM = 0.4

#: Most panels that have a name below; of more, every second has one, or every third.
_MOST_NAMES = 100

_BAR = 0.78

#: The least that the vertical axis shows, in Wh.
_LEAST = 10.0


class InverterBars:
    """Draws the energies into its axes, as often as there is something new."""

    def __init__(self, axes: Axes, style: Style) -> None:
        self.axes = axes
        self._style = style
        self._drawn: list[Artist] = []
        axes.set_facecolor(style.paper)
        axes.grid(visible=True, axis="y", color=style.grid, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(colors=style.faint, length=0, labelsize=9)
        axes.tick_params(axis="x", labelsize=7, labelrotation=90)
        axes.spines[:].set_visible(False)
        axes.axhline(0, color=style.ink, linewidth=1.8, zorder=3)

    def draw(self, energies: InverterEnergies, zone: ZoneInfo) -> None:
        """Draw them, instead of what was there."""
        for artist in self._drawn:
            artist.remove()
        self._drawn.clear()
        totals, median = energies.totals, energies.median
        unit, scale = ("kWh", 1000.0) if np.nanmax([*totals, 0.0]) >= 1000 else ("Wh", 1.0)
        kinds = [
            self._kind(serial_number, float(energy), median, energies)
            for serial_number, energy in zip(energies.serial_numbers, totals, strict=True)
        ]
        looks = self._looks()
        for kind, look in looks.items():
            places = np.array([number for number, each in enumerate(kinds) if each == kind], dtype=np.int64)
            if places.size:
                heights = np.nan_to_num(totals[places]) / scale
                self._drawn += self.axes.bar(places, heights, _BAR, zorder=2, **look)
        self._draw_median(median, scale)
        self._name(energies, zone)
        self.axes.set_xlim(-0.7, len(kinds) - 0.3)
        self.axes.set_ylim(0, 1.06 * max(float(np.nanmax([*totals, 0.0])), _LEAST) / scale)
        self.axes.set_ylabel(unit, color=self._style.faint, fontsize=9)
        self._draw_legend([kind for kind in looks if kind in kinds])

    @staticmethod
    def _kind(serial_number: str, energy: float, median: float, energies: InverterEnergies) -> str:
        if serial_number in energies.silent_since:
            return _SILENT
        return _BEHIND if energy < median * (1 - BEHIND) else _PANEL

    def _looks(self) -> dict[str, dict[str, Any]]:
        style = self._style
        return {
            _PANEL: {"facecolor": (ORANGE, 0.45), "edgecolor": ORANGE},
            _BEHIND: {
                "facecolor": (style.warning, 0.3),
                "edgecolor": style.warning,
                "hatch": "////",
            },
            _SILENT: {"facecolor": style.blank, "edgecolor": style.warning, "linestyle": "--"},
        }

    def _draw_median(self, median: float, scale: float) -> None:
        if np.isnan(median):
            return
        self._drawn.append(
            self.axes.axhline(
                median / scale, color=self._style.ink, linewidth=1.1, linestyle=(0, (4, 3)), zorder=4
            )
        )
        self._drawn.append(
            self.axes.annotate(
                f"median\n{format_energy(median)}",
                (1, median / scale),
                xycoords=("axes fraction", "data"),
                xytext=(8, 0),
                textcoords="offset points",
                va="center",
                color=self._style.ink,
                fontsize=8.5,
            )
        )

    def _name(self, energies: InverterEnergies, zone: ZoneInfo) -> None:
        step = -(-len(energies.serial_numbers) // _MOST_NAMES) or 1
        named = range(0, len(energies.serial_numbers), step)
        self.axes.xaxis.set_major_locator(FixedLocator(list(named)))
        self.axes.xaxis.set_major_formatter(FixedFormatter([energies.serial_numbers[each] for each in named]))
        for number in named:
            if (at := energies.silent_since.get(energies.serial_numbers[number])) is not None:
                self._drawn.append(
                    self.axes.annotate(
                        f"silent since {text.short_day(datetime.fromtimestamp(at / 1000, zone))}",
                        (number, 0),
                        xytext=(0, 6),
                        textcoords="offset points",
                        rotation=90,
                        ha="center",
                        va="bottom",
                        color=self._style.ink,
                        fontsize=7,
                        path_effects=self._style.halo,
                        zorder=5,
                    )
                )

    def _draw_legend(self, kinds: list[str]) -> None:
        handles = [Patch(label=kind, **self._looks()[kind]) for kind in kinds]
        self.axes.legend(
            handles=handles,
            loc="lower left",
            bbox_to_anchor=(-0.008, 1.0),
            ncols=len(handles) or 1,
            frameon=False,
            fontsize=9,
            borderaxespad=0,
            borderpad=0.2,
            labelcolor=self._style.ink,
        )
