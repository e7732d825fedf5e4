"""Frames of 16 x 16 LEDs, and sprites pasted into them.

Colours are sRGB: a picture looks the same on the HAT, in a terminal and in a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import numpy.typing as npt

#: LEDs in a row, and rows.
SIZE = 16

#: 16 rows from the top, each of 16 LEDs from the left, each red, green and blue from 0 to 255.
Frame = npt.NDArray[np.uint8]

#: Red, green, blue.
Colour = tuple[int, int, int]

#: From no power to the most: brighter and brighter, for colour-blind eyes too.
EMBERS: tuple[Colour, ...] = ((120, 70, 190), (235, 100, 30), (255, 160, 20), (255, 230, 80))

#: A picture of any size: rows, columns, and red, green, blue, opacity, each from 0 to 1. Colours are
#: multiplied by the opacity already, so that two can be blended by adding them up.
Sprite = npt.NDArray[np.float64]

#: Exponent from a screen's value (0 to 1) to light; an LED's light is linear.
_GAMMA = 2.2


def blank(colour: Colour = (0, 0, 0)) -> Frame:
    """Return a frame of one colour; dark by default."""
    return np.full((SIZE, SIZE, 3), colour, dtype=np.uint8)


def sprite(drawing: str, palette: Mapping[str, Colour]) -> Sprite:
    """Return a picture drawn in letters: each is a pixel of its colour, a dot is transparent."""
    rows = drawing.split()
    result = np.zeros((len(rows), len(rows[0]), 4))
    for y, row in enumerate(rows):
        for x, letter in enumerate(row):
            if letter != ".":
                result[y, x] = (*(value / 255 for value in palette[letter]), 1)
    return result


def paste(frame: Frame, picture: Sprite, x: float, y: float, opacity: float = 1) -> None:
    """Paste a picture into a frame, its upper left corner at column `x` and row `y`.

    Parts beyond the edges are cut off. A position between two LEDs is spread over both: movement is smooth.
    """
    left, top = int(np.floor(x)), int(np.floor(y))
    right_part, lower_part = x - left, y - top
    height, width = picture.shape[:2]
    spread = np.zeros((height + 1, width + 1, 4))
    for down, vertical in ((0, 1 - lower_part), (1, lower_part)):
        for across, horizontal in ((0, 1 - right_part), (1, right_part)):
            spread[down : down + height, across : across + width] += picture * (vertical * horizontal)
    rows = slice(max(top, 0), min(top + height + 1, SIZE))
    columns = slice(max(left, 0), min(left + width + 1, SIZE))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    seen = spread[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] * opacity
    below = frame[rows, columns] / 255
    frame[rows, columns] = _bytes(seen[..., :3] + below * (1 - seen[..., 3:]))


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Return a colour between two: `share` 0 is the first, 1 the second."""
    share = min(max(share, 0.0), 1.0)
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def fade(frame: Frame) -> Frame:
    """Return a frame without colour and darker, for stale values."""
    grey = frame @ np.array([0.3, 0.6, 0.1]) * 0.55
    return _bytes(np.repeat(grey[..., np.newaxis], 3, axis=2) / 255)


def to_light(frame: Frame) -> Frame:
    """Return a frame as linear light from 0 to 255, as LEDs need it."""
    lit: Frame = _light_table()[frame]
    return lit


def to_screen(frame: Frame, brightness: float, rotation: int) -> Frame:
    """Return a frame that looks like the HAT on a screen, with this brightness (0 to 1) and rotation."""
    return _bytes(np.rot90(frame, rotation // 90) / 255 * brightness ** (1 / _GAMMA))


@cache
def _light_table() -> Frame:
    return _bytes((np.arange(256) / 255) ** _GAMMA)


def _bytes(values: npt.NDArray[np.float64]) -> Frame:
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
