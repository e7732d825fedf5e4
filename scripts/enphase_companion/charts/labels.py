"""The latest values, written at the ends of their lines."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from ..units import power
from .model import Quantity, Track
from .style import FAINT, INK, LOOKS, PAPER
from .time_axis import to_axis

#: Points of a label's height.
_HEIGHT = 13.0


def label_ends(
    axes: Axes, tracks: Mapping[Quantity, Track], *, has_values: bool, is_old: bool
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
    places = spread([y * scale for y, *_ in ends], _HEIGHT)
    drawn: list[Artist] = []
    for place, (y, x, value, look) in zip(places, ends, strict=True):
        drawn += axes.plot([x], [y], "o", color=look.colour, markersize=5, zorder=5, clip_on=False)
        drawn.append(
            axes.annotate(
                f"{look.name} {power(value)}".replace("-", "\N{MINUS SIGN}") if has_values else look.name,
                (x, y),
                xytext=(8, place - y * scale),
                textcoords="offset points",
                va="center",
                color=FAINT if is_old else INK,
                fontsize=8.5,
                # The zero line would strike it through.
                bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.5},
                zorder=6,
                arrowprops={"arrowstyle": "-", "color": look.colour, "linewidth": 0.8, "shrinkA": 0},
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


def _edges(heap: list[float], distance: float) -> tuple[float, float]:
    """Return where a heap of labels begins and ends, if it lies around the middle of its places."""
    middle, half = sum(heap) / len(heap), len(heap) * distance / 2
    return middle - half, middle + half
