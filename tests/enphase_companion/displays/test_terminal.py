"""The terminal as a display, and its content afterwards."""

from __future__ import annotations

import io
import logging
import re
import sys

import numpy as np
import pytest
from rich.console import Console

from enphase_companion.displays.frames import SIZE, blank
from enphase_companion.displays.terminal import Terminal
from enphase_companion.runtime.errors import CommandError


def create_console(**options: object) -> Console:
    defaults = {
        "file": io.StringIO(),
        "force_terminal": True,
        "width": 80,
        "height": 24,
        "color_system": "truecolor",
    }
    return Console(**{**defaults, "_environ": {}, **options})  # type: ignore[arg-type]


def get_output(used: Console) -> str:
    assert isinstance(used.file, io.StringIO)
    return used.file.getvalue()


def test_each_led_is_two_columns_in_its_colour() -> None:
    frame = blank()
    frame[0, 0], frame[15, 15] = (255, 0, 0), (0, 0, 255)
    used = create_console()
    terminal = Terminal(1, 0, used)
    terminal.show(frame, 0.04)
    terminal.close()
    backgrounds = re.findall(r"48;2;(\d+);(\d+);(\d+)m( *)", get_output(used))
    leds = [list(map(int, each[:3])) for each in backgrounds for _ in range(len(each[3]) // 2)]
    # The frame is drawn when it is shown and again when the display is closed.
    picture = np.array(leds[: SIZE * SIZE]).reshape(SIZE, SIZE, 3)
    assert np.array_equal(picture, frame)


def test_brightness_and_rotation_equal_those_of_the_hat() -> None:
    frame = blank()
    frame[0, 15] = (255, 0, 0)
    used = create_console()
    Terminal(0.5, 90, used).show(frame, 0.04)
    assert "48;2;186;0;0m" in get_output(used)
    assert get_output(used).index("48;2;186;0;0m") < get_output(used).index("48;2;0;0;0m")


def test_without_colours_bright_leds_are_dense_characters() -> None:
    frame = blank((255, 255, 255))
    frame[8:] = (0, 0, 0)
    used = create_console(no_color=True)
    Terminal(1, 0, used).show(frame, 0.04)
    assert get_output(used).count("@@" * SIZE) == 8
    assert "48;2" not in get_output(used)


def test_the_cursor_is_shown_again_at_the_end() -> None:
    used = create_console()
    terminal = Terminal(1, 0, used)
    terminal.show(blank(), 0.04)
    terminal.close()
    assert get_output(used).rindex("\x1b[?25h") > get_output(used).rindex("\x1b[?25l")
    assert get_output(used).count("\x1b[2K") >= SIZE, "the picture is wiped off"


def render_screen(text: str) -> list[str]:
    """Return the content of a terminal after this output."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[?\d;]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", text):
        if part == "\r":
            column = 0
        elif part == "\n":
            row, column = row + 1, 0
            lines += [""] * (row - len(lines) + 1)
        elif part[0] != "\x1b":
            lines[row] = lines[row][:column].ljust(column) + part + lines[row][column + len(part) :]
            column += len(part)
        elif part[-1] == "A":
            row -= int(part[2:-1])
        elif part[-1] == "K":
            lines[row] = ""
    return lines


class OnTerminal(io.StringIO):
    """A stderr on the terminal of the display."""

    def isatty(self) -> bool:
        return True


def test_a_warning_stays_readable_above_the_display(monkeypatch: pytest.MonkeyPatch) -> None:
    used = create_console()
    stderr = OnTerminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    handler = logging.StreamHandler()
    log = logging.getLogger()
    log.addHandler(handler)
    try:
        terminal = Terminal(1, 0, used)
        terminal.show(blank((9, 9, 9)), 0.04)
        log.warning("The gateway does not answer: %s. Asking again.", "x" * 70)
        for _ in range(3):
            terminal.show(blank((9, 9, 9)), 0.04)
        during = render_screen(get_output(used))
        terminal.close()
        log.warning("after it")
    finally:
        log.removeHandler(handler)
    assert [line.strip() for line in during[:3]] == [
        "The gateway does not answer:", f"{'x' * 70}. Asking", "again.",
    ]  # fmt: skip
    assert len(during) == 3 + SIZE, "and the picture is whole below it"
    left = [line.strip() for line in render_screen(get_output(used)) if line.strip()]
    assert left == ["The gateway does not answer:", f"{'x' * 70}. Asking", "again."]
    assert stderr.getvalue() == "after it\n"


def test_a_log_in_a_file_is_not_redirected(monkeypatch: pytest.MonkeyPatch) -> None:
    used = create_console()
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    handler = logging.StreamHandler()
    terminal = Terminal(1, 0, used)
    handler.emit(logging.makeLogRecord({"msg": "in the file"}))
    print("also", file=sys.stderr)
    terminal.close()
    assert stderr.getvalue() == "in the file\nalso\n"
    assert "in the file" not in get_output(used)


def test_a_pipe_is_not_a_display() -> None:
    with pytest.raises(CommandError, match="the output is not a terminal: use a file"):
        Terminal(1, 0, create_console(force_terminal=False))


def test_a_small_terminal_is_rejected() -> None:
    with pytest.raises(CommandError, match="32 columns and 17 lines"):
        Terminal(1, 0, create_console(width=31))
