"""Files as a display, with their content read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from enphase_companion.displays.animation import PITCH, Animation
from enphase_companion.displays.display import check_name
from enphase_companion.displays.frames import SIZE, Frame, blank
from enphase_companion.displays.icons import Weather, icon
from enphase_companion.runtime.errors import CommandError


def read_leds(picture: Image.Image) -> Frame:
    """Return the colour in the middle of each LED."""
    pixels = np.asarray(picture.convert("RGB"))
    return pixels[PITCH // 2 :: PITCH, PITCH // 2 :: PITCH]


@pytest.fixture(params=["hat.gif", "hat.png", "HAT.GIF"])
def file(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return tmp_path / str(request.param)


def test_every_frame_is_in_the_file_with_its_duration(file: Path) -> None:
    frames = [icon(Weather.CLEAR_DAY, seconds) for seconds in (0, 0.4, 0.8)]
    recording = Animation(file, 1, 0)
    for frame in frames:
        recording.show(frame, 0.04)
        recording.show(frame, 0.06)
    recording.end_of_round()
    recording.close()
    with Image.open(file) as picture:
        assert picture.size == (SIZE * PITCH, SIZE * PITCH)
        assert getattr(picture, "n_frames") == len(frames)  # noqa: B009 - the type lacks it
        for number, frame in enumerate(frames):
            picture.seek(number)
            assert picture.info["duration"] == 100
            # A GIF has 256 colours per frame.
            assert np.abs(read_leds(picture).astype(int) - np.maximum(frame, 26)).max() <= 24
        assert picture.info["loop"] == 0


@pytest.mark.parametrize("step", [0.016, 0.035, 0.012, 0.01, 0.0333, 1 / 7])
@pytest.mark.slow
def test_the_animation_has_the_duration_of_the_display(file: Path, step: float) -> None:
    recording = Animation(file, 1, 0)
    for number in range(100):
        recording.show(blank((number, 255 - number, 2 * number)), step)
    recording.end_of_round()
    with Image.open(file) as picture:
        lasts = []
        for number in range(getattr(picture, "n_frames")):  # noqa: B009 - the type lacks it
            picture.seek(number)
            lasts.append(picture.info["duration"])
    assert sum(lasts) == pytest.approx(100_000 * step, abs=10)
    assert min(lasts) >= (20 if file.suffix.lower() == ".gif" else 1), "browsers show less for a tenth"


def test_brightness_and_rotation_equal_those_of_the_hat(tmp_path: Path) -> None:
    frame = blank()
    frame[0, 15] = (255, 0, 0)
    recording = Animation(tmp_path / "hat.png", 0.5, 90)
    recording.show(frame, 0.04)
    recording.end_of_round()
    with Image.open(tmp_path / "hat.png") as picture:
        assert read_leds(picture)[0, 0].tolist() == [186, 26, 26]


def test_an_unfinished_animation_is_not_written(file: Path) -> None:
    file.write_text("before")
    recording = Animation(file, 1, 0)
    recording.show(blank(), 0.04)
    recording.close()
    assert file.read_text() == "before"
    assert [*file.parent.iterdir()] == [file]


def test_a_missing_folder_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"hat.gif: no such folder: .*nowhere"):
        Animation(tmp_path / "nowhere" / "hat.gif", 1, 0)


def test_an_unwritable_file_is_an_error_without_leftovers(tmp_path: Path) -> None:
    (tmp_path / "hat.gif").mkdir()
    recording = Animation(tmp_path / "hat.gif", 1, 0)
    recording.show(blank(), 0.04)
    with pytest.raises(CommandError, match=r"hat\.gif: cannot be written"):
        recording.end_of_round()
    assert [each.name for each in tmp_path.iterdir()] == ["hat.gif"]


@pytest.mark.parametrize("name", ["hat", "terminal", "day.gif", "some/where/day.PNG"])
def test_a_display_is_named_by_a_keyword_or_a_file(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "HAT", "day.jpg", "gif"])
def test_an_invalid_display_name_is_rejected(name: str) -> None:
    with pytest.raises(ValueError, match=r"must be hat, terminal, or a file that ends with .gif or .png"):
        check_name(name)
