"""Words that scroll from right to left over the LEDs, as high as these."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .font import doubled, written
from .frames import SIZE, Colour, Frame, blank, mixed

#: The upper rows are lighter, as if the sun shone on them.
_LIGHT: Colour = (255, 255, 255)
_LIGHT_SHARE = 0.35


def scrolling(words: str, colour: Colour) -> Iterator[Frame]:
    """Yield a frame for each step by one LED: from dark, through the words, to dark again."""
    letters = doubled(written(words))
    if not letters[-2:].any():
        # Without a letter that reaches below the line, there is a row to spare above.
        letters = np.roll(letters, 1, axis=0)
    strip = np.pad(letters, ((0, 0), (SIZE, SIZE)))
    shades = np.array([mixed(colour, _LIGHT, _LIGHT_SHARE * (1 - y / SIZE)) for y in range(SIZE)], np.uint8)
    for start in range(strip.shape[1] - SIZE + 1):
        frame = blank()
        window = strip[:, start : start + SIZE]
        frame[window] = np.broadcast_to(shades[:, np.newaxis], frame.shape)[window]
        yield frame
