"""What a test sees of a HAT that a command of its own process drives, and of the files that one records."""

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
class SeenHat:
    """A HAT at full brightness, unturned: what it was sent is in a file."""

    file: Path

    @property
    def environment(self) -> dict[str, str]:
        """What brings the other end of the bus to a process."""
        return {
            "PYTHONPATH": str(Path(__file__).parent),
            "FAKE_SPI": str(self.file),
            "ENPHASE_BRIGHTNESS": "1",
        }

    @property
    def frames(self) -> list[Frame]:
        """What it has shown so far, in light."""
        sent = self.file.read_bytes() if self.file.exists() else b""
        whole = len(sent) // _BYTES
        frames = np.frombuffer(sent[: whole * _BYTES], dtype=np.uint8).reshape(whole, _BYTES)
        assert (frames[:, 0] == 0x72).all()
        return [*frames[:, 1:].reshape(whole, SIZE, SIZE, 3)]

    def shows(self, frame: Frame) -> bool:
        """Whether it has shown this frame."""
        wanted = to_light(frame)
        return any(np.array_equal(each, wanted) for each in self.frames)

    def says(self, words: str) -> bool:
        """Whether it has shown these words, from their first LED to their last."""
        return say(self.frames, words)

    @property
    def bars(self) -> list[Frame]:
        """The bar charts that it has shown."""
        line = to_light(blank(LINE))[0]
        return [frame for frame in self.frames if np.array_equal(frame[-1], line)]

    @property
    def is_off(self) -> bool:
        """Whether the last that it was sent is darkness."""
        return bool(self.frames) and not self.frames[-1].any()


def recorded(file: Path) -> list[Frame]:
    """Return the frames of a file that was recorded at full brightness; LEDs that are off are dark."""
    frames = []
    with Image.open(file) as picture:
        for number in range(getattr(picture, "n_frames", 1)):
            picture.seek(number)
            pixels = np.asarray(picture.convert("RGB"))[PITCH // 2 :: PITCH, PITCH // 2 :: PITCH]
            frames.append(np.where(pixels.max(axis=2, keepdims=True) > 40, pixels, 0).astype(np.uint8))
    return frames


def say(frames: list[Frame], words: str) -> bool:
    """Whether these words scroll by in whole."""
    # A file keeps only one of frames that are alike, such as two dark ones.
    wanted = [_lit(frame) for frame in scroll(words, (255, 255, 255)) if frame.any()]
    found = [_lit(frame) for frame in frames]
    return any(found[start : start + len(wanted)] == wanted for start in range(len(found)))


def _lit(frame: Frame) -> bytes:
    return frame.any(axis=2).tobytes()
