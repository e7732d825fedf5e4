"""A display that is a file: an animated GIF, or an animated PNG with all colours."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from enphase_api.files import write_file

from ..runtime.errors import CommandError
from .frames import SIZE, Frame, to_screen

#: Pixels from one LED to the next.
PITCH = 12

#: Time unit of a format and its shortest frame, in milliseconds: browsers show a GIF's frame of less than
#: two hundredths of a second for a tenth.
_UNIT = {"GIF": 10, "PNG": 1}
_SHORTEST = {"GIF": 20, "PNG": 1}

#: Brightness of an LED that is off, and of the board between them.
_OFF, _BOARD = 26, 10


class Animation:
    """A file with one round; see Display."""

    is_animation = True

    def __init__(self, file: Path, brightness: float, rotation: int) -> None:
        """Open the display. Raises CommandError if the folder is missing or not writable."""
        self._file = file
        self._format = file.suffix[1:].upper()
        self.brightness = brightness
        self._rotation = rotation
        self._last: Frame | None = None
        self._pictures: list[Image.Image] = []
        self._seconds: list[float] = []
        if not file.parent.is_dir():
            raise CommandError(f"--display {file}: no such folder: {file.parent}")
        if not os.access(file.parent, os.W_OK):
            raise CommandError(f"--display {file}: the folder {file.parent} is not writable")

    def show(self, frame: Frame, seconds: float) -> None:
        """Append a frame; one equal to the last prolongs that."""
        if self._last is not None and np.array_equal(self._last, frame):
            self._seconds[-1] += seconds
            return
        self._last = frame
        picture = Image.fromarray(draw_leds(to_screen(frame, self.brightness, self._rotation)))
        if self._format == "GIF":
            # A palette per frame: all together have more than a GIF's 256 colours.
            picture = picture.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        self._pictures.append(picture)
        self._seconds.append(seconds)

    def end_of_round(self) -> None:
        """Write the file, whole or not at all.

        Raises CommandError if it cannot be written.
        """
        pictures, milliseconds = self._merge_short_frames()
        content = io.BytesIO()
        pictures[0].save(
            content,
            format=self._format,
            save_all=True,
            append_images=pictures[1:],
            duration=milliseconds,
            loop=0,
        )
        try:
            write_file(self._file, content.getvalue())
        except OSError as error:
            raise CommandError(f"--display {self._file}: cannot be written ({error.strerror})") from error

    def _merge_short_frames(self) -> tuple[list[Image.Image], list[int]]:
        """Return the pictures and their durations in milliseconds, which add up to the whole.

        Rounding errors carry over to the next frame; a frame too short for the format is dropped.
        """
        unit = _UNIT[self._format]
        pictures: list[Image.Image] = []
        begins: list[int] = []
        elapsed = 0.0
        for picture, seconds in zip(self._pictures, self._seconds, strict=True):
            at = round(elapsed * 1000 / unit) * unit
            if begins and at - begins[-1] < _SHORTEST[self._format]:
                pictures[-1] = picture
            else:
                pictures.append(picture)
                begins.append(at)
            elapsed += seconds
        ends = [*begins[1:], max(round(elapsed * 1000 / unit) * unit, begins[-1] + _SHORTEST[self._format])]
        return pictures, [end - begin for begin, end in zip(begins, ends, strict=True)]

    def close(self) -> None:
        """Drop what was not written."""
        self._pictures.clear()
        self._seconds.clear()


def draw_leds(frame: Frame) -> npt.NDArray[np.uint8]:
    """Draw the LEDs: round ones on a dark board, PITCH pixels apart."""
    centre = (PITCH - 1) / 2
    across = np.arange(PITCH) - centre
    distance = np.hypot(across, across[:, np.newaxis])
    #: 1 on the LED, 0 on the board, between both at its rim.
    round_one = np.clip(PITCH * 0.42 - distance + 0.5, 0, 1)
    round_one = np.rint(round_one * 4) / 4
    leds = np.maximum(frame, _OFF).repeat(PITCH, axis=0).repeat(PITCH, axis=1)
    mask = np.tile(round_one, (SIZE, SIZE))[..., np.newaxis]
    picture: npt.NDArray[np.uint8] = np.rint(leds * mask + _BOARD * (1 - mask)).astype(np.uint8)
    return picture
