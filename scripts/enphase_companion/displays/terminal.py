"""A display in the terminal: two characters for each LED."""

from __future__ import annotations

import logging
import sys
from itertools import groupby
from typing import TextIO

from rich.color import Color
from rich.console import Console
from rich.live import Live
from rich.segment import Segment, Segments
from rich.style import Style

from ..runtime.errors import CommandError
from .frames import SIZE, Frame, to_screen

#: From dark to bright, for terminals without colours.
_SHADES = " .:-=+*#%@"


class Terminal:
    """A terminal; see Display."""

    is_animation = False

    def __init__(self, brightness: float, rotation: int, console: Console | None = None) -> None:
        """Open the display. Raises CommandError if the output is no terminal, or too small."""
        self.brightness = brightness
        self._rotation = rotation
        self._console = console or Console(highlight=False)
        if not self._console.is_terminal:
            raise CommandError(
                "--display terminal: the output is not a terminal: use a file, such as --display hat.gif"
            )
        if self._console.width < 2 * SIZE or self._console.height < SIZE + 1:
            raise CommandError(
                f"--display terminal: the terminal is too small: it needs {2 * SIZE} columns and {SIZE + 1} "
                "lines"
            )
        # Output to a file, such as 2>log, does not disturb the picture.
        is_seen = sys.stderr.isatty()
        self._log = _handlers_of(sys.stderr) if is_seen else []
        self._live = Live(console=self._console, auto_refresh=False, transient=True, redirect_stderr=is_seen)
        self._live.start()
        # The next frame would overwrite a warning; this prints it above the picture.
        self._set_streams()

    def show(self, frame: Frame, seconds: float) -> None:  # noqa: ARG002 - for recordings
        """Draw a frame over the last one."""
        lit = to_screen(frame, self.brightness, self._rotation)
        draw = _without_colours if self._console.no_color else _colour
        self._live.update(draw(lit), refresh=True)

    def end_of_round(self) -> None:
        """Go on."""

    def close(self) -> None:
        """Clear the picture, and show the cursor again."""
        self._live.stop()
        self._set_streams()

    def _set_streams(self) -> None:
        for handler in self._log:
            handler.setStream(sys.stderr)


def _handlers_of(stream: TextIO) -> list[logging.StreamHandler[TextIO]]:
    """Return the log handlers that write to this stream."""
    return [
        handler
        for handler in logging.getLogger().handlers
        if isinstance(handler, logging.StreamHandler) and handler.stream is stream
    ]


def _without_colours(frame: Frame) -> Segments:
    brightest = frame.max(axis=2).tolist()
    rows = ["".join(_SHADES[value * len(_SHADES) // 256] * 2 for value in row) for row in brightest]
    return Segments([Segment("\n".join(rows))])


def _colour(frame: Frame) -> Segments:
    segments = []
    for row in frame.tolist():
        # Equal neighbours are one segment: 25 frames a second fit slow connections too.
        for (red, green, blue), alike in groupby(row):
            width = 2 * len(list(alike))
            segments.append(Segment(" " * width, Style(bgcolor=Color.from_rgb(red, green, blue))))
        segments.append(Segment.line())
    return Segments(segments[:-1])
