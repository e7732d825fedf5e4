"""A file in the place of the HAT: an animated GIF, or an animated PNG with all colours."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from enphase_api.files import write_file

from ..runtime.errors import CommandError
from .frames import SIZE, Frame, as_lit

#: Pixels from one LED to the next.
PITCH = 12

#: Milliseconds that a format counts in, and for which it shows a frame at least: of a GIF, which counts in
#: hundredths of a second, browsers show what is shorter for a tenth.
_UNIT = {"GIF": 10, "PNG": 1}
_SHORTEST = {"GIF": 20, "PNG": 1}

#: What an LED that is off looks like, and what is between them.
_OFF, _BOARD = 26, 10


class Recording:
    """A file that holds one round; see Display."""

    is_recording = True

    def __init__(self, file: Path, brightness: float, rotation: int) -> None:
        """Raises CommandError where nothing can be written there."""
        self._file = file
        self._format = file.suffix[1:].upper()
        self._brightness = brightness
        self._rotation = rotation
        self._last: Frame | None = None
        self._pictures: list[Image.Image] = []
        self._seconds: list[float] = []
        if not os.access(file.parent, os.W_OK):
            raise CommandError(f"--display {file}: nothing can be written to the folder {file.parent}.")

    def show(self, frame: Frame, seconds: float) -> None:
        """Keep a frame; one that is as the one before only makes that last longer."""
        if self._last is not None and np.array_equal(self._last, frame):
            self._seconds[-1] += seconds
            return
        self._last = frame
        picture = Image.fromarray(drawn(as_lit(frame, self._brightness, self._rotation)))
        if self._format == "GIF":
            # Each with colours of its own: all together have more than the 256 that a GIF takes.
            picture = picture.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        self._pictures.append(picture)
        self._seconds.append(seconds)

    def end_of_round(self) -> None:
        """Write the file, whole or not at all.

        Raises CommandError where it cannot be written.
        """
        pictures, milliseconds = self._timed()
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
            raise CommandError(f"--display {self._file}: it cannot be written ({error.strerror}).") from error

    def _timed(self) -> tuple[list[Image.Image], list[int]]:
        """Return the pictures, and for how many milliseconds each is shown, which add up to what was shown.

        What a frame has to be rounded by goes to the next; one that is too short for the format gives way.
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
        """Forget what was never written."""
        self._pictures.clear()
        self._seconds.clear()


def drawn(frame: Frame) -> npt.NDArray[np.uint8]:
    """Return a picture of the LEDs: round ones on a dark board, PITCH pixels apart."""
    centre = (PITCH - 1) / 2
    across = np.arange(PITCH) - centre
    distance = np.hypot(across, across[:, np.newaxis])
    #: 1 on the LED, 0 on the board, and something between at its rim.
    round_one = np.clip(PITCH * 0.42 - distance + 0.5, 0, 1)
    round_one = np.rint(round_one * 4) / 4
    leds = np.maximum(frame, _OFF).repeat(PITCH, axis=0).repeat(PITCH, axis=1)
    mask = np.tile(round_one, (SIZE, SIZE))[..., np.newaxis]
    picture: npt.NDArray[np.uint8] = np.rint(leds * mask + _BOARD * (1 - mask)).astype(np.uint8)
    return picture
