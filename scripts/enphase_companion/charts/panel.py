"""One part of a chart: lines or daily bars, a strong zero line, limits, gaps, and the latest values."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ..units import format_power
from .model import Comparison, Floats, Panel, Quantity, Track, View
from .style import LOOKS, Look, Style
from .time_axis import set_time_axis, to_axis
from .time_range import Span

#: Points of a label's height.
_HEIGHT = 13.0


def label_ends(
    axes: Axes, tracks: Mapping[Quantity, Track], style: Style, *, has_values: bool, is_old: bool
) -> list[Artist]:
    """Name each line at its end, with its last value if it `has_values`; labels make room for one another."""
    ends = []
    for quantity, track in tracks.items():
        known = np.flatnonzero(~np.isnan(track.values))
        if known.size:
            look, value = LOOKS[quantity], float(track.values[known[-1]])
            ends.append((look.sign * value, float(to_axis(track.times[known[-1:]])[0]), value, look))
    ends.sort(key=lambda end: end[0])
    low, high = axes.get_ylim()
    scale = axes.get_window_extent().height * 72 / axes.figure.dpi / (high - low)
    places = _keep_between(spread([y * scale for y, *_ in ends], _HEIGHT), low * scale, high * scale)
    drawn: list[Artist] = []
    for place, (y, x, value, look) in zip(places, ends, strict=True):
        colour = style.colour(look)
        drawn += axes.plot([x], [y], "o", color=colour, markersize=5, zorder=5, clip_on=False)
        drawn.append(
            axes.annotate(
                f"{look.name} {format_power(value)}".replace("-", "\N{MINUS SIGN}")
                if has_values
                else look.name,
                (x, y),
                xytext=(8, place - y * scale),
                textcoords="offset points",
                va="center",
                color=style.faint if is_old else style.ink,
                fontsize=8.5,
                # The zero line would strike it through.
                bbox={"facecolor": style.paper, "edgecolor": "none", "pad": 0.5},
                zorder=6,
                arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.8, "shrinkA": 0},
            )
        )
    return drawn


def spread(places: list[float], distance: float) -> list[float]:
    """Return ascending places, moved apart until no two are closer than `distance`."""
    heaps: list[list[float]] = []
    for place in places:
        heaps.append([place])
        while len(heaps) > 1 and _edges(heaps[-2], distance)[1] > _edges(heaps[-1], distance)[0]:
            last = heaps.pop()
            heaps[-1] += last
    return [
        _edges(heap, distance)[0] + (number + 0.5) * distance for heap in heaps for number in range(len(heap))
    ]


def _keep_between(places: list[float], low: float, high: float) -> list[float]:
    """Return ascending places, moved so that no label reaches beyond these limits, where other words are."""
    from_below = [max(place, low + (number + 0.5) * _HEIGHT) for number, place in enumerate(places)]
    last = len(places) - 1
    return [min(place, high - (last - number + 0.5) * _HEIGHT) for number, place in enumerate(from_below)]


def _edges(heap: list[float], distance: float) -> tuple[float, float]:
    """Return start and end of a stack of labels that is centred on the middle of its places."""
    middle, half = sum(heap) / len(heap), len(heap) * distance / 2
    return middle - half, middle + half


#: Watts (or Wh) that the vertical axis shows at least, and units of money.
_LEAST, _LEAST_MONEY = 100.0, 0.1
#: Money that is written in thousands.
_MANY = 10_000
#: What up and down mean on the axis; for the battery, see the legend.
_UP = {
    Quantity.PRODUCTION: "production",
    Quantity.NET: "export",
    Quantity.SAVED: "saved",
    Quantity.EXPORT_INCOME: "income",
}
_DOWN = {Quantity.CONSUMPTION: "consumption", Quantity.NET: "import", Quantity.IMPORT_COST: "cost"}
#: The line style of what was before.
_COMPARED = ":"
#: What is read at a glance: bars with white between them.
_BAR = 0.78


class PanelDrawing:
    """Draws one panel into its axes, as often as there is something new."""

    def __init__(self, axes: Axes, limits: Mapping[str, float], style: Style) -> None:
        """`limits`: lines across, in W, by name."""
        self.axes = axes
        self._style = style
        self._limits = limits
        self._drawn: list[Artist] = []
        axes.set_facecolor(self._style.paper)
        axes.grid(visible=True, color=self._style.grid, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(colors=self._style.faint, length=0, labelsize=9)
        # Below the lowest label of the other axis.
        axes.tick_params(axis="x", pad=9)
        axes.spines[:].set_visible(False)
        self._zero = axes.axhline(0, color=self._style.ink, linewidth=1.8, zorder=3)

    def draw(self, panel: Panel, view: View, hidden: Collection[Quantity]) -> None:
        """Draw it, instead of what was there."""
        for artist in self._drawn:
            artist.remove()
        self._drawn.clear()
        shown = {quantity: track for quantity, track in panel.tracks.items() if quantity not in hidden}
        self._draw_gaps(view)
        if view.buckets:
            extremes = self._draw_bars(shown, view.buckets)
        else:
            extremes = [self._draw_line(LOOKS[quantity], track) for quantity, track in shown.items()]
            extremes += [
                self._draw_limit(name, watts, at_right=self._end_left(shown))
                for name, watts in self._limits.items()
            ]
        if view.comparison is not None and not panel.name:
            extremes += self._draw_comparison(view.comparison, view.buckets, hidden)
        self._scale(extremes, view, () if panel.name else shown)
        set_time_axis(self.axes, view)
        if panel.name:
            self._keep(self._write(0.008, 0.9, panel.name, size=11, weight="bold"))
        if not view.buckets:
            self._keep(
                *label_ends(
                    self.axes, shown, self._style, has_values=view.is_now, is_old=view.trouble is not None
                )
            )

    def _keep(self, *artists: Artist) -> None:
        self._drawn += artists

    def _write(self, x: float, y: float, text: str, **look: Any) -> Artist:
        return self.axes.text(
            x,
            y,
            text,
            transform=self.axes.transAxes,
            color=self._style.ink,
            va="top",
            zorder=6,
            path_effects=self._style.halo,
            **look,
        )

    def _draw_gaps(self, view: View) -> None:
        for gap in view.gaps:
            start, end = to_axis(np.array([gap.start, gap.end]))
            self._keep(
                self.axes.axvspan(
                    start,
                    end,
                    facecolor=self._style.blank,
                    edgecolor=self._style.hatch,
                    hatch="\\\\\\",
                    linewidth=0,
                    zorder=0.5,
                )
            )

    def _draw_line(self, look: Look, track: Track) -> Floats:
        colour = self._style.colour(look)
        x, y = to_axis(track.times), look.sign * track.values
        seen = thin_out(x, y, self.axes.get_xlim(), round(self.axes.get_window_extent().width))
        if look.filled:
            # Not by `step`: that leaves out what stands before a break.
            filled = _make_steps(*seen) if track.is_stepped else seen
            self._keep(
                self.axes.fill_between(
                    *filled, 0, facecolor=(colour, 0.35), edgecolor=(colour, 0.55),
                    hatch=look.hatch, linewidth=0, zorder=2,
                )
            )  # fmt: skip
        # A window may be zoomed before there is a new view.
        points = seen if self.axes.figure.canvas.manager is None else (x, y)
        (line,) = self.axes.plot(
            *points, drawstyle="steps-post" if track.is_stepped else "default", color=colour,
            linestyle=look.line, linewidth=look.width, label=look.name, zorder=4,
        )  # fmt: skip
        self._keep(line)
        return y

    def _draw_bars(self, shown: Mapping[Quantity, Track], buckets: Sequence[Span]) -> list[Floats]:
        """Draw bars up and down, the battery's on those of sun and home, and the grid as a line."""
        starts = to_axis(np.array([bucket.start for bucket in buckets]))
        ends = to_axis(np.array([bucket.end for bucket in buckets]))
        middles, widths = (starts + ends) / 2, _BAR * (ends - starts)
        heaps = _Heaps(len(buckets))
        extremes = []
        for quantity, track in shown.items():
            look = LOOKS[quantity]
            colour = self._style.colour(look)
            values = look.sign * track.values
            if look.filled:
                bars = self.axes.bar(
                    middles, values, width=widths, bottom=heaps.add(values), facecolor=(colour, 0.75),
                    edgecolor=(self._style.paper, 0.9), hatch=look.hatch, linewidth=0, label=look.name,
                    zorder=2,
                )  # fmt: skip
                self._keep(*bars)
            else:
                (line,) = self.axes.plot(
                    middles, values, color=colour, linestyle=look.line, linewidth=look.width,
                    label=look.name, marker="o", markersize=3.5, zorder=4,
                )  # fmt: skip
                self._keep(line)
                extremes.append(values)
        return [*extremes, heaps.up, heaps.down]

    def _draw_comparison(
        self, comparison: Comparison, buckets: Sequence[Span], hidden: Collection[Quantity]
    ) -> list[Floats]:
        """Draw what was before: dotted lines, or empty bars around the others."""
        extremes = []
        heaps = _Heaps(len(buckets))
        for quantity, track in comparison.tracks.items():
            if quantity in hidden:
                continue
            look = LOOKS[quantity]
            colour, values = self._style.colour(look), look.sign * track.values
            label = f"{look.name} before"
            if buckets:
                ends = to_axis(np.array([[bucket.start, bucket.end] for bucket in buckets[: values.size]]))
                bars = self.axes.bar(
                    ends.mean(axis=1), values, width=0.92 * np.diff(ends)[:, 0], bottom=heaps.add(values),
                    facecolor="none",
                    edgecolor=self._style.ink, linestyle=_COMPARED, linewidth=1.2, label=label, zorder=3.5,
                )  # fmt: skip
                self._keep(*bars)
            else:
                x, y = thin_out(
                    to_axis(track.times), values, self.axes.get_xlim(),
                    round(self.axes.get_window_extent().width),
                )  # fmt: skip
                (line,) = self.axes.plot(
                    x, y, color=(colour, 0.85), linestyle=_COMPARED, linewidth=1.2, label=label, zorder=3.5
                )
                self._keep(line)
                extremes.append(values)
        return [*extremes, heaps.up, heaps.down]

    def _end_left(self, shown: Mapping[Quantity, Track]) -> bool:
        """Return whether the lines end in the left half, where their labels are then."""
        ends = [to_axis(track.times[-1:])[0] for track in shown.values()]
        return bool(ends) and max(ends) < sum(self.axes.get_xlim()) / 2

    def _draw_limit(self, name: str, watts: float, *, at_right: bool) -> Floats:
        self._keep(
            self.axes.axhline(
                watts, color=self._style.faint, linewidth=1.2, linestyle="--" if name == "peak" else ":",
                zorder=3, label=name,
            ),
            self.axes.annotate(
                f"{name} {format_power(watts)}", (0.995 if at_right else 0.005, watts),
                xycoords=("axes fraction", "data"), ha="right" if at_right else "left",
                # The lower one's name is below its line, as they may be close.
                xytext=(0, 3 if name == "peak" else -10), textcoords="offset points", color=self._style.faint,
                fontsize=8, path_effects=self._style.halo, zorder=6,
            ),
        )  # fmt: skip
        return np.array([watts])

    def _scale(self, extremes: list[Floats], view: View, shown: Collection[Quantity]) -> None:
        known = np.concatenate([np.zeros(1), *extremes])
        low, high = float(np.nanmin(known)), float(np.nanmax(known))
        margin = max(0.06 * (high - low), (_LEAST if view.costs is None else _LEAST_MONEY) / 2)
        self.axes.set_ylim(low - margin if low < 0 else -margin / 2, high + margin)
        kilo = max(high, -low) >= (1000 if view.costs is None else _MANY)
        # Below the line too: what goes down is no less than nothing.
        self.axes.yaxis.set_major_formatter(
            FuncFormatter(lambda value, _: f"{abs(value) / (1000 if kilo else 1):,g}")
        )
        self.axes.yaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 2.5, 5, 10]))
        name = view.unit
        if kilo:
            name = f"k{name}" if view.costs is None else f"1,000 {name}"
        # Read from below, as it is turned.
        below = ", ".join(word for quantity, word in _DOWN.items() if quantity in shown)
        above = ", ".join(word for quantity, word in _UP.items() if quantity in shown)
        down = [f"\N{LEFTWARDS ARROW} {below}"] if below else []
        up = [f"{above} \N{RIGHTWARDS ARROW}"] if above else []
        self.axes.set_ylabel("    ".join([*down, name, *up]), color=self._style.faint, fontsize=8.5)


class _Heaps:
    """How high bars are already, upwards and downwards."""

    def __init__(self, count: int) -> None:
        self.up, self.down = np.zeros(count), np.zeros(count)

    def add(self, values: Floats) -> Floats:
        """Put the first bars higher by these values, and return where each one begins."""
        count = values.size
        begins: Floats = np.where(values < 0, self.down[:count], self.up[:count])
        self.up[:count] += np.clip(np.nan_to_num(values), 0, None)
        self.down[:count] += np.clip(np.nan_to_num(values), None, 0)
        return begins


def _make_steps(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return the corners of a line of which each value stands until the next."""
    return np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]


def thin_out(x: Floats, y: Floats, limits: tuple[float, float], dots: int) -> tuple[Floats, Floats]:
    """Return a line's points so that no dot of the axes' width has more than four: what it looks like stays.

    Of each dot that is its first and last point, its lowest and its highest; a break (NaN) stays one.
    """
    low, high = limits
    if x.size <= 4 * dots or high <= low:
        return x, y
    dot = np.floor((x - low) / (high - low) * dots)
    known = ~np.isnan(y)
    # A run is the points within one dot, all known or all unknown.
    starts = np.flatnonzero(np.r_[True, (np.diff(dot) != 0) | (np.diff(known.astype(int)) != 0)])
    ends = np.r_[starts[1:], x.size] - 1
    order = np.lexsort((y, np.repeat(np.arange(starts.size), ends - starts + 1)))
    kept = np.unique(np.r_[starts, ends, order[starts], order[ends]])
    return x[kept], y[kept]
