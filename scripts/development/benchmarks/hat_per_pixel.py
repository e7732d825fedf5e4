"""What one would write by hand: scenes of the HAT LED by LED in plain Python, by the library's set_pixel."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import partial

from enphase_companion.displays.bars import LINE, MARK, ROWS, SURPLUS, USED
from enphase_companion.displays.frames import EMBERS, SIZE
from enphase_companion.displays.panels import rectangle

_Colour = tuple[float, float, float]

#: Returns the colour of the LED in a row and a column.
Picture = Callable[[int, int], _Colour]

_DARK = (0.0, 0.0, 0.0)
_GAMMA = 2.2


def send(library: object, picture: Picture) -> None:
    """Send a picture to the HAT."""
    for row in range(SIZE):
        for column in range(SIZE):
            red, green, blue = (round((round(value) / 255) ** _GAMMA * 255) for value in picture(row, column))
            library.set_pixel(row, column, red, green, blue)  # type: ignore[attr-defined]
    library.show()  # type: ignore[attr-defined]


def _mix(part: float, below: float, above: float) -> int:
    return round(below + (above - below) * part)


def sun(turn: float) -> Picture:
    """Return the sun in a clear sky, at this share of its animation."""

    def pixel(row: int, column: int) -> _Colour:
        distance = math.hypot(column - 7.5, row - 7.5)
        angle = math.atan2(row - 7.5, column - 7.5)
        disc = _clip(4.3 - distance)
        star = _clip(math.cos(8 * angle - turn * math.tau) * 2)
        rays = star * _clip(distance - 4.9) * _clip(8.2 - distance)
        core = _clip((3.4 - distance) / 3) * disc
        colour: _Colour = (10, 40, 90)
        for opacity, over in ((rays, (255, 140, 0)), (disc, (255, 190, 20)), (core, (255, 240, 150))):
            # As if each was drawn into the picture, which has whole values.
            colour = _map(partial(_mix, opacity), colour, over)
        return colour

    return pixel


def text(dots: Sequence[Sequence[bool]], colour: _Colour, start: int) -> Picture:
    """Return 16 columns of a text from `start` on, its upper rows lighter."""

    def pixel(row: int, column: int) -> _Colour:
        if not dots[row][start + column]:
            return _DARK
        share = 0.35 * (1 - row / SIZE)
        return _map(lambda value, light: value + (light - value) * share, colour, (255, 255, 255))

    return pixel


def bars(production: float, consumption: float, top: float) -> Picture:
    """Return two bars of an array that supplies more than the home takes; they do not shimmer."""

    def pixel(row: int, column: int) -> _Colour:
        if row == ROWS:
            return LINE
        watts = production if 1 <= column < 7 else consumption if 9 <= column < 15 else 0
        covered = _clip(watts / top * ROWS - (ROWS - 1 - row))
        return _map(lambda value, _: value * covered, USED, USED)

    return pixel


def day(quarter_hours: Sequence[tuple[float, float]], top: float) -> Picture:
    """Return the last 16 quarter-hours of production and consumption; the first is larger."""

    def pixel(row: int, column: int) -> _Colour:
        number = len(quarter_hours) - SIZE + column
        production, consumption = quarter_hours[number]
        if row == ROWS:
            return MARK if number % 12 == 0 else LINE
        below = ROWS - 1 - row
        used, whole = _clip(consumption / top * ROWS - below), _clip(production / top * ROWS - below)
        return _map(lambda first, second: first * used + second * (whole - used), USED, SURPLUS)

    return pixel


def panels(powers: Sequence[float], top: float) -> Picture:
    """Return a map of panels whose rectangles have no gaps."""
    colours = [(60, 36, 110), *EMBERS]
    places = [number / (len(colours) - 1) for number in range(len(colours))]
    width, height = rectangle(len(powers))

    def pixel(row: int, column: int) -> _Colour:
        number = row // height * (SIZE // width) + column // width
        if number >= len(powers):
            return _DARK
        share = _clip(powers[number] / top)
        upper = min(bisect_right(places, share), len(places) - 1)
        part = (share - places[upper - 1]) / (places[upper] - places[upper - 1])
        return _map(lambda low, high: low + (high - low) * part, colours[upper - 1], colours[upper])

    return pixel


def _clip(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def _map(function: Callable[[float, float], float], first: _Colour, second: _Colour) -> _Colour:
    red, green, blue = (function(*each) for each in zip(first, second, strict=True))
    return red, green, blue
