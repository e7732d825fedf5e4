"""Recordings of a HAT that a command in another process drives, and of the files that it records."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from enphase_companion.displays.animation import PITCH
from enphase_companion.displays.bars import LINE
from enphase_companion.displays.frames import SIZE, Frame, blank, to_light
from enphase_companion.displays.text import scroll

_BYTES = 769


@dataclass
class HatRecording:
    """The frames sent to a HAT at full brightness and without rotation, which are kept in a file."""

    file: Path

    @property
    def environment(self) -> dict[str, str]:
        """The environment that replaces the SPI bus of a process."""
        return {
            "PYTHONPATH": str(Path(__file__).parent),
            "FAKE_SPI": str(self.file),
            "ENPHASE_BRIGHTNESS": "1",
        }

    @property
    def frames(self) -> list[Frame]:
        """The frames shown so far, as brightness of the LEDs."""
        sent = self.file.read_bytes() if self.file.exists() else b""
        count = len(sent) // _BYTES
        frames = np.frombuffer(sent[: count * _BYTES], dtype=np.uint8).reshape(count, _BYTES)
        assert (frames[:, 0] == 0x72).all()
        return [*frames[:, 1:].reshape(count, SIZE, SIZE, 3)]

    def has_shown(self, frame: Frame) -> bool:
        """Whether it has shown this frame."""
        expected = to_light(frame)
        return any(np.array_equal(each, expected) for each in self.frames)

    def has_shown_text(self, text: str) -> bool:
        """Whether it has shown a whole text."""
        return is_text_in(self.frames, text)

    @property
    def bars(self) -> list[Frame]:
        """The bar charts that it has shown."""
        line = to_light(blank(LINE))[0]
        return [frame for frame in self.frames if np.array_equal(frame[-1], line)]

    @property
    def is_off(self) -> bool:
        """Whether all LEDs of the last frame are off."""
        return bool(self.frames) and not self.frames[-1].any()


def read_frames(file: Path) -> list[Frame]:
    """Return the frames of a file recorded at full brightness, with black for LEDs that are off."""
    frames = []
    with Image.open(file) as picture:
        for number in range(getattr(picture, "n_frames", 1)):
            picture.seek(number)
            pixels = np.asarray(picture.convert("RGB"))[PITCH // 2 :: PITCH, PITCH // 2 :: PITCH]
            frames.append(np.where(pixels.max(axis=2, keepdims=True) > 40, pixels, 0).astype(np.uint8))
    return frames


def is_text_in(frames: list[Frame], text: str) -> bool:
    """Whether a whole text scrolls by in these frames."""
    # A file keeps only one of several equal frames, such as dark ones.
    expected = [_lit(frame) for frame in scroll(text, (255, 255, 255)) if frame.any()]
    found = [_lit(frame) for frame in frames]
    return any(found[start : start + len(expected)] == expected for start in range(len(found)))


def _lit(frame: Frame) -> bytes:
    return frame.any(axis=2).tobytes()
