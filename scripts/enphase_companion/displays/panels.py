"""The array as a map of LEDs: a rectangle for each panel, brighter with more power."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from .frames import EMBERS, SIZE, Colour, Frame

#: Panels of one picture; more are shown on several, one after the other.
MOST = SIZE * SIZE

#: Height of a rectangle in its widths, at least and at most.
_FLAT, _TALL = 0.5, 2.0

#: LEDs of a rectangle from which one of them is dark, so that neighbours are apart.
_GAP_FROM = 3

#: From no power to the most.
_COLOURS = np.array([(60, 36, 110), *EMBERS], dtype=float)

#: A panel that does not report, while others do: its light goes on and off.
SILENT: Colour = (20, 110, 255)

#: Seconds for which it goes on and off.
_BLINK = 1.6


@dataclass(frozen=True, slots=True)
class Array:
    """Powers of the panels in W, in their order on the map; None: it does not report."""

    powers: tuple[float | None, ...] = ()
    #: W of the brightest colour; 0 if unknown.
    top: float = 0.0

    def pages(self) -> Iterator[Array]:
        """Yield arrays of at most MOST panels and about the same size."""
        count = math.ceil(len(self.powers) / MOST)
        size = math.ceil(len(self.powers) / max(count, 1))
        for start in range(0, len(self.powers), max(size, 1)):
            yield Array(self.powers[start : start + size], self.top)


def draw_panels(array: Array, seconds: float, grown: float = 1) -> Frame:
    """Draw up to MOST panels; `grown`: the share of them that is lit, 0 to 1."""
    count = len(array.powers)
    powers = np.array([np.nan if watts is None else watts for watts in array.powers], dtype=float)
    silent = np.isnan(powers)
    shares = np.nan_to_num(powers) / array.top if array.top else np.zeros(count)
    colours = np.zeros((count + 1, 3))
    places = np.linspace(0, 1, len(_COLOURS))
    for channel in range(3):
        colours[:count, channel] = np.interp(shares, places, _COLOURS[:, channel])
    light = 0.5 + 0.5 * math.cos(seconds / _BLINK * math.tau)
    colours[:count][silent] = np.array(SILENT) * light
    colours[math.ceil(count * grown) :] = 0
    # Where there is no panel, the number is -1: the last colour, which is dark.
    frame: Frame = np.rint(colours).astype(np.uint8)[_numbers(count)]
    return frame


def rectangle(count: int) -> tuple[int, int]:
    """Return width and height of the largest rectangles that fit this many times, rather tall than wide."""
    sizes = (
        (width, height)
        for width in range(1, SIZE + 1)
        for height in range(1, SIZE + 1)
        if _FLAT <= height / width <= _TALL and (SIZE // width) * (SIZE // height) >= count
    )
    return max(sizes, key=lambda size: (size[0] * size[1], size[1]))


@cache
def _numbers(count: int) -> npt.NDArray[np.int64]:
    """Return the number of the panel at each LED, row by row from the upper left; -1 without one."""
    width, height = rectangle(count)
    rows = math.ceil(count / (SIZE // width))
    columns = math.ceil(count / rows)
    across, down = width - (width >= _GAP_FROM), height - (height >= _GAP_FROM)
    # Centred; the gap behind the last column and row does not count.
    left = (SIZE - columns * width + width - across) // 2
    top = (SIZE - rows * height + height - down) // 2
    numbers = np.full((SIZE, SIZE), -1)
    for number in range(count):
        row, column = divmod(number, columns)
        y, x = top + row * height, left + column * width
        numbers[y : y + down, x : x + across] = number
    return numbers
