"""The terminal as a display: what stands on it afterwards."""

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


def console(**options: object) -> Console:
    given = {
        "file": io.StringIO(),
        "force_terminal": True,
        "width": 80,
        "height": 24,
        "color_system": "truecolor",
    }
    return Console(**{**given, "_environ": {}, **options})  # type: ignore[arg-type]


def render(used: Console) -> str:
    assert isinstance(used.file, io.StringIO)
    return used.file.getvalue()


def test_each_led_is_two_columns_of_its_colour() -> None:
    frame = blank()
    frame[0, 0], frame[15, 15] = (255, 0, 0), (0, 0, 255)
    used = console()
    terminal = Terminal(1, 0, used)
    terminal.show(frame, 0.04)
    terminal.close()
    backgrounds = re.findall(r"48;2;(\d+);(\d+);(\d+)m( *)", render(used))
    leds = [list(map(int, each[:3])) for each in backgrounds for _ in range(len(each[3]) // 2)]
    # It is drawn once for the frame, and once when it is left.
    picture = np.array(leds[: SIZE * SIZE]).reshape(SIZE, SIZE, 3)
    assert np.array_equal(picture, frame)


def test_brightness_and_rotation_look_as_on_the_hat() -> None:
    frame = blank()
    frame[0, 15] = (255, 0, 0)
    used = console()
    Terminal(0.5, 90, used).show(frame, 0.04)
    assert "48;2;186;0;0m" in render(used)
    assert render(used).index("48;2;186;0;0m") < render(used).index("48;2;0;0;0m")


def test_without_colours_bright_leds_are_dense_characters() -> None:
    frame = blank((255, 255, 255))
    frame[8:] = (0, 0, 0)
    used = console(no_color=True)
    Terminal(1, 0, used).show(frame, 0.04)
    assert render(used).count("@@" * SIZE) == 8
    assert "48;2" not in render(used)


def test_the_cursor_is_shown_again_at_the_end() -> None:
    used = console()
    terminal = Terminal(1, 0, used)
    terminal.show(blank(), 0.04)
    terminal.close()
    assert render(used).rindex("\x1b[?25h") > render(used).rindex("\x1b[?25l")
    assert render(used).count("\x1b[2K") >= SIZE, "the picture is wiped off"


def screen(text: str) -> list[str]:
    """Return what stands on a terminal after this was written to it."""
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
    """A stderr on the terminal that the picture is drawn on."""

    def isatty(self) -> bool:
        return True


def test_a_warning_stays_readable_above_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    used = console()
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
        during = screen(render(used))
        terminal.close()
        log.warning("after it")
    finally:
        log.removeHandler(handler)
    assert [line.strip() for line in during[:3]] == [
        "The gateway does not answer:", f"{'x' * 70}. Asking", "again.",
    ]  # fmt: skip
    assert len(during) == 3 + SIZE, "and the picture is whole below it"
    left = [line.strip() for line in screen(render(used)) if line.strip()]
    assert left == ["The gateway does not answer:", f"{'x' * 70}. Asking", "again."]
    assert stderr.getvalue() == "after it\n"


def test_a_log_in_a_file_stays_there(monkeypatch: pytest.MonkeyPatch) -> None:
    used = console()
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    handler = logging.StreamHandler()
    terminal = Terminal(1, 0, used)
    handler.emit(logging.makeLogRecord({"msg": "in the file"}))
    print("also", file=sys.stderr)
    terminal.close()
    assert stderr.getvalue() == "in the file\nalso\n"
    assert "in the file" not in render(used)


def test_a_pipe_is_no_display() -> None:
    with pytest.raises(CommandError, match="the output is not a terminal: use a file"):
        Terminal(1, 0, console(force_terminal=False))


def test_a_terminal_that_is_too_small_is_refused() -> None:
    with pytest.raises(CommandError, match="32 columns and 17 lines"):
        Terminal(1, 0, console(width=31))
