"""The bar chart: production and consumption against the array's peak power."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from .frames import SIZE, Colour, Frame, blank, mix

#: Rows from the line at the bottom to the top.
ROWS = SIZE - 1

#: Columns of two bars, and of a single one.
_LEFT, _RIGHT, _ALONE = range(1, 7), range(9, 15), range(4, 12)

#: Every eye distinguishes orange and blue; the position of the bars is the second cue.
USED: Colour = (255, 120, 0)
SURPLUS: Colour = (255, 220, 70)
STRAINED: Colour = (255, 60, 20)
BEYOND: Colour = (255, 255, 255)
BOUGHT: Colour = (20, 110, 255)
LINE: Colour = (60, 60, 70)
MARK: Colour = (190, 190, 210)


@dataclass(frozen=True, slots=True)
class Chart:
    """Values of the bars in W; None if unknown."""

    production: float | None
    consumption: float | None
    #: Peak power of the array; None or 0: the larger bar fills the height.
    capacity: float | None = None
    #: Continuous power of the array: above it, the bar changes colour.
    continuous: float | None = None

    @property
    def top(self) -> float:
        """W of the full height; 0 if there is nothing to show."""
        return max(self.capacity or 0, self.production or 0, self.consumption or 0, 0)


def draw_bars(chart: Chart, grown: float = 1, moved: float = 0) -> Frame:
    """Draw the chart. `grown`: progress of the bars, 0 to 1; `moved`: rows that the shimmer has risen."""
    frame = blank()
    frame[ROWS] = LINE
    production, consumption = max(chart.production or 0, 0), max(chart.consumption or 0, 0)
    if chart.consumption is None:
        _draw(frame, _ALONE, production * grown, chart, _production_colours(chart, 0), moved)
    elif chart.production is None:
        _draw(frame, _ALONE, consumption * grown, chart, [(math.inf, BOUGHT)], 0)
    else:
        _draw(frame, _LEFT, production * grown, chart, _production_colours(chart, consumption), moved)
        _draw(frame, _RIGHT, consumption * grown, chart, [(production, USED), (math.inf, BOUGHT)], 0)
    _mark_capacity(frame, chart)
    return frame


def growth(frames: int, still: int) -> Iterator[tuple[float, float]]:
    """Yield `grown` and `moved` for each frame: the bars grow, ever slower, and then stay."""
    for number in range(frames + still):
        share = min((number + 1) / frames, 1)
        yield 1 - (1 - share) ** 3, number / 4


#: Upper limit in W and colour of each part of a bar, from the bottom.
_Colours = list[tuple[float, Colour]]


def _production_colours(chart: Chart, consumption: float) -> _Colours:
    """Return orange for own use, yellow for surplus, red above continuous and white above peak power."""
    used = consumption if chart.consumption is not None else math.inf
    limits = [(chart.continuous or math.inf, STRAINED), (chart.capacity or math.inf, BEYOND)]
    colours: _Colours = [(used, USED), (math.inf, SURPLUS)]
    for limit, colour in limits:
        colours = [(min(watts, limit), each) for watts, each in colours] + [(math.inf, colour)]
    return colours


def _draw(frame: Frame, columns: range, watts: float, chart: Chart, colours: _Colours, moved: float) -> None:
    if chart.top == 0:
        return
    height = min(watts / chart.top, 1) * ROWS
    for row in range(math.ceil(height)):
        middle = (row + 0.5) / ROWS * chart.top
        colour = next(each for limit, each in colours if middle <= limit)
        if colour in (SURPLUS, BEYOND):
            # The surplus flows upwards.
            colour = mix(colour, USED, 0.2 + 0.2 * math.cos((row - moved) * math.tau / 5))
        part = min(height - row, 1)
        frame[ROWS - 1 - row, columns.start : columns.stop] = mix((0, 0, 0), colour, part)


def _mark_capacity(frame: Frame, chart: Chart) -> None:
    """Mark the capacity beside the bars; across them if one is higher."""
    if chart.capacity is None or chart.capacity <= 0:
        return
    row = ROWS - min(max(round(chart.capacity / chart.top * ROWS), 1), ROWS)
    columns = (0, 7, 8, 15) if chart.top <= chart.capacity else range(SIZE)
    for column in columns:
        frame[row, column] = MARK
