"""The terminal as a display: what stands on it afterwards."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from rich.console import Console

from enphase_companion.displays.frames import SIZE, blank
from enphase_companion.displays.terminal import Terminal
from enphase_companion.running.errors import CommandError


def console(**options: object) -> Console:
    given = {
        "file": io.StringIO(),
        "force_terminal": True,
        "width": 80,
        "height": 24,
        "color_system": "truecolor",
    }
    return Console(**{**given, "_environ": {}, **options})  # type: ignore[arg-type]


def written(used: Console) -> str:
    assert isinstance(used.file, io.StringIO)
    return used.file.getvalue()


def test_each_led_is_two_columns_of_its_colour() -> None:
    frame = blank()
    frame[0, 0], frame[15, 15] = (255, 0, 0), (0, 0, 255)
    used = console()
    terminal = Terminal(1, 0, used)
    terminal.show(frame, 0.04)
    terminal.close()
    backgrounds = re.findall(r"48;2;(\d+);(\d+);(\d+)m( *)", written(used))
    leds = [list(map(int, each[:3])) for each in backgrounds for _ in range(len(each[3]) // 2)]
    # It is drawn once for the frame, and once when it is left.
    picture = np.array(leds[: SIZE * SIZE]).reshape(SIZE, SIZE, 3)
    assert np.array_equal(picture, frame)


def test_brightness_and_rotation_look_as_on_the_hat() -> None:
    frame = blank()
    frame[0, 15] = (255, 0, 0)
    used = console()
    Terminal(0.5, 90, used).show(frame, 0.04)
    assert "48;2;186;0;0m" in written(used)
    assert written(used).index("48;2;186;0;0m") < written(used).index("48;2;0;0;0m")


def test_without_colours_bright_leds_are_dense_characters() -> None:
    frame = blank((255, 255, 255))
    frame[8:] = (0, 0, 0)
    used = console(no_color=True)
    Terminal(1, 0, used).show(frame, 0.04)
    assert written(used).count("@@" * SIZE) == 8
    assert "48;2" not in written(used)


def test_the_cursor_is_shown_again_at_the_end() -> None:
    used = console()
    terminal = Terminal(1, 0, used)
    terminal.show(blank(), 0.04)
    terminal.close()
    assert written(used).rindex("\x1b[?25h") > written(used).rindex("\x1b[?25l")
    assert written(used).count("\x1b[2K") >= SIZE, "the picture is wiped off"


def test_a_pipe_is_no_display() -> None:
    with pytest.raises(CommandError, match=r"this is no terminal\. Name a file"):
        Terminal(1, 0, console(force_terminal=False))


def test_a_terminal_that_is_too_small_is_refused() -> None:
    with pytest.raises(CommandError, match="32 columns and 17 lines"):
        Terminal(1, 0, console(width=31))
