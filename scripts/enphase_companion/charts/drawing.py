"""The chart: a figure with title, totals in words, legend, and a panel for the whole house and each phase."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import wrap
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.backend_bases import Event, PickEvent
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from . import text
from .heat_map import HeatMapDrawing
from .inverter_bars import BOTTOM, InverterBars
from .model import Quantity, View
from .panel import PanelDrawing
from .style import LIGHT, LOOKS, Look, Style
from .time_axis import to_axis
from .time_range import Span

#: Inches. A phase adds to the height.
WIDTH, HEIGHT, PHASE_HEIGHT = 12.0, 7.0, 2.2
DOTS = 110
#: Inches around the panels.
_LEFT, _RIGHT, _TOP, _BOTTOM = 0.75, 1.55, 2.05, 0.85

#: Inches from a line of remarks to the next, beside the figure's right edge, and letters to an inch.
_LINE, _MARGIN, _PLAIN, _BOLD = 0.17, 0.3, 13.5, 12.0

#: Inches from one sum to the next: up to six energies, or four of money, which have more digits.
_TILE, _COST_TILE = 1.72, 2.4

#: How many dots wide the panels are.
DOTS_WIDE = round((WIDTH - _LEFT - _RIGHT) * DOTS)


def size(panels: int) -> tuple[float, float]:
    """Return width and height, in inches, of a chart with this number of panels."""
    return WIDTH, HEIGHT + max(panels - 1, 0) * PHASE_HEIGHT


class Chart:
    """Draws views into a figure; a click on an entry of the legend hides a line, or brings it back."""

    def __init__(self, figure: Figure, limits: Mapping[str, float], style: Style = LIGHT) -> None:
        """`limits`: lines across the whole house's panel, in W, by name."""
        self.figure = figure
        self.hidden: set[Quantity] = set()
        self.panels: list[PanelDrawing] = []
        self._heat_map: HeatMapDrawing | None = None
        self._inverters: InverterBars | None = None
        self._limits = limits
        self._style = style
        self._view: View | None = None
        self._drawn: list[Artist] = []
        self._pickable: dict[Artist, Quantity] = {}
        self._set_x: tuple[float, float] | None = None
        figure.set_facecolor(style.paper)
        figure.canvas.mpl_connect("pick_event", self._on_pick)
        figure.canvas.mpl_connect("resize_event", self._on_resize)

    def draw(self, view: View) -> None:
        """Draw a view instead of the previous one; a zoomed axis stays zoomed."""
        if self._view is None or len(view.panels) != len(self.panels):
            self._make_panels(view)
        self._view = view
        remarks = self._remarks(view)
        self._place(len(remarks), _BOTTOM + (BOTTOM if view.inverters is not None else 0))
        if view.heat_map is not None and self._heat_map is not None:
            self._heat_map.draw(view.heat_map)
        elif view.inverters is not None and self._inverters is not None:
            self._inverters.draw(view.inverters, view.zone)
        else:
            self._draw_panels(view)
        self._draw_around(view, remarks)

    def _draw_panels(self, view: View) -> None:
        axes = self.panels[0].axes
        if self._set_x is None or axes.get_xlim() == self._set_x:
            # The last day or month is drawn whole, even before its end.
            shown = Span(view.buckets[0].start, view.buckets[-1].end) if view.buckets else view.span
            axes.set_xlim(*to_axis(np.array([shown.start, shown.end])))
            self._set_x = axes.get_xlim()
        for drawing, panel in zip(self.panels, view.panels, strict=True):
            drawing.draw(panel, view, self.hidden)

    def _make_panels(self, view: View) -> None:
        self.figure.clear()
        self._drawn.clear()
        self._set_x = None
        if view.heat_map is not None:
            self._heat_map = HeatMapDrawing(self.figure.subplots(), self._style)
            return
        if view.inverters is not None:
            self._inverters = InverterBars(self.figure.subplots(), self._style)
            return
        heights = [HEIGHT - _TOP - _BOTTOM, *[PHASE_HEIGHT] * (len(view.panels) - 1)]
        axes = self.figure.subplots(
            len(view.panels),
            sharex=True,
            squeeze=False,
            gridspec_kw={"height_ratios": heights, "hspace": 0.12},
        )
        self.panels = [
            PanelDrawing(each, {} if number else self._limits, self._style)
            for number, each in enumerate(axes[:, 0])
        ]

    def _remarks(self, view: View) -> list[str]:
        """Return what is wrong, or else what an owner should know, in lines that fit."""
        width, _ = self.figure.get_size_inches()
        across = round((width - _LEFT - _MARGIN) * (_BOLD if view.trouble is not None else _PLAIN))
        text = "Note: " + "; ".join(view.notes) if view.notes else ""
        return wrap(text if view.trouble is None else f"Not up to date: {view.trouble}", max(across, 20))

    def _place(self, remarks: int, below: float) -> None:
        """Make room for the panels, and below them, after these inches, for this number of lines."""
        width, height = self.figure.get_size_inches()
        bottom = below + _LINE * max(remarks - 1, 0)
        self.figure.subplots_adjust(
            left=_LEFT / width,
            right=max(1 - _RIGHT / width, 0.5),
            top=max(1 - _TOP / height, 0.3),
            bottom=min(bottom / height, 0.4),
        )

    def _draw_around(self, view: View, remarks: list[str]) -> None:
        for artist in self._drawn:
            artist.remove()
        self._drawn.clear()
        self._write(0, 0.5, view.title, size=17, weight="bold")
        self._write(0, 0.5, view.subtitle, size=9, color=self._style.faint, right=True)
        if view.comparison is not None:
            self._write(
                0, 0.7, f"dotted: {view.comparison.title}", size=9, color=self._style.faint, right=True
            )
        tiles, described = _sums(view)
        tile = _TILE if view.costs is None else _COST_TILE
        for number, (value, name) in enumerate(tiles):
            self._write(tile * number, 0.95, value, size=15, weight="bold")
            self._write(tile * number, 1.17, name, size=9, color=self._style.faint)
        self._write(0, 1.5, "   ·   ".join(described), size=10)
        self._draw_legend(view)
        look: dict[str, Any] = {"color": self._style.faint}
        if view.trouble is not None:
            look = {"color": self._style.warning, "weight": "bold"}
        for below, line in zip(reversed(range(len(remarks))), remarks, strict=True):
            self._write(0, -0.14 - _LINE * below, line, size=9, **look)

    def _write(
        self, x: float, y: float, text: str, *, right: bool = False, color: str | None = None, **look: Any
    ) -> None:
        """Write at these inches from the panels' left edge, and from the top, or (negative) the bottom."""
        width, height = self.figure.get_size_inches()
        across = 1 - _MARGIN / width if right else (_LEFT + x) / width
        up = -y / height if y < 0 else 1 - y / height
        self._drawn.append(
            self.figure.text(
                across,
                up,
                text,
                color=color or self._style.ink,
                ha="right" if right else "left",
                va="baseline",
                **look,
            )
        )

    def _draw_legend(self, view: View) -> None:
        quantities = [each for each in LOOKS if any(each in panel.tracks for panel in view.panels)]
        handles: list[Artist] = [_handle(LOOKS[each], self._style.colour(LOOKS[each])) for each in quantities]
        if view.gaps or (view.heat_map is not None and view.heat_map.has_gaps):
            style = self._style
            handles.append(
                Patch(
                    facecolor=style.blank,
                    edgecolor=style.hatch,
                    hatch=None if view.heat_map else "\\\\\\",
                    label="No readings",
                )
            )
        width, height = self.figure.get_size_inches()
        legend = Legend(
            self.figure, handles, [str(each.get_label()) for each in handles],
            loc="lower left", bbox_to_anchor=((_LEFT - 0.08) / width, 1 - (_TOP - 0.05) / height),
            bbox_transform=self.figure.transFigure, ncols=len(handles) or 1, frameon=False, fontsize=9,
            borderaxespad=0, borderpad=0.2, columnspacing=1.6, handlelength=2.2, labelcolor=self._style.ink,
        )  # fmt: skip
        self.figure.add_artist(legend)
        self._drawn.append(legend)
        self._pickable.clear()
        for quantity, handle, label in zip(
            quantities, legend.legend_handles, legend.get_texts(), strict=False
        ):
            for artist in (handle, label):
                if artist is not None:
                    artist.set_picker(True)
                    # Not at 1: that would make a half-transparent colour solid.
                    artist.set_alpha(0.25 if quantity in self.hidden else None)
                    self._pickable[artist] = quantity

    def _on_pick(self, event: Event) -> None:
        quantity = self._pickable.get(event.artist) if isinstance(event, PickEvent) else None
        if quantity is not None and self._view is not None:
            self.hidden ^= {quantity}
            self.draw(self._view)
            self.figure.canvas.draw_idle()

    def _on_resize(self, _: Event) -> None:
        if self._view is not None:
            self.draw(self._view)


def _sums(view: View) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the tiles of a view, and what is written below them."""
    before, costs = view.comparison, view.costs
    if costs is None:
        return (
            text.tiles(view.totals, None if before is None else before.totals),
            text.describe_totals(view.totals),
        )
    return (
        text.cost_tiles(costs, None if before is None else before.costs),
        text.describe_costs(costs, view.totals),
    )


def _handle(look: Look, colour: str) -> Artist:
    if look.filled:
        return Patch(facecolor=(colour, 0.45), edgecolor=colour, hatch=look.hatch, label=look.meaning)
    return Line2D([], [], color=colour, linestyle=look.line, linewidth=look.width, label=look.meaning)
