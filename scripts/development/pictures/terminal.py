"""A terminal that nobody sits at: a command runs on it, and what it wrote is kept, or drawn."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from contextlib import suppress

from rich.console import Console
from rich.text import Text

_LINES = 60


def run_in_terminal(command: Sequence[str], environment: Mapping[str, str], columns: int) -> str:
    """Return what a command writes to a terminal of this width, colours included.

    Raises CalledProcessError where it ends with another status than 0.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, columns, 0, 0))
    coloured = {**environment, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, env=coloured) as process:
        os.close(theirs)
        written = _wait_until_closed(ours)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return written.decode().replace("\r\n", "\n")


def _wait_until_closed(terminal: int) -> bytes:
    written = io.BytesIO()
    # Linux ends a terminal that nobody writes to any more with an error.
    with os.fdopen(terminal, "rb", buffering=0) as file, suppress(OSError):
        while part := file.read(65536):
            written.write(part)
    return written.getvalue()


def draw_terminal(written: str, columns: int, title: str) -> str:
    """Return an SVG of a terminal in which this was written."""
    console = Console(record=True, width=columns, file=io.StringIO())
    console.print(Text.from_ansi(written.rstrip()))
    # Without the fonts that rich would have a browser fetch from elsewhere.
    return re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title=title), flags=re.DOTALL)
