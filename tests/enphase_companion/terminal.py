"""Run a command on a pseudo-terminal, as a person at a keyboard does."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .cli_user import CliUser


class Terminal:
    """A terminal with a command on it."""

    def __init__(self, file: int, process: subprocess.Popen[str]) -> None:
        self._file = file
        self.process = process
        self.written = ""

    def types(self, text: str) -> None:
        os.write(self._file, text.encode())

    def until(self, wanted: str, seconds: float = 40) -> str:
        """Wait until this pattern has been written, and give everything that was."""
        deadline = time.monotonic() + seconds
        while not re.search(wanted, self.written, re.DOTALL):
            assert time.monotonic() < deadline, self.written
            if not self._read():
                break
        assert re.search(wanted, self.written, re.DOTALL), self.written
        return self.written

    def until_end(self) -> str:
        deadline = time.monotonic() + 40
        while self._read():
            assert time.monotonic() < deadline, self.written
        self.process.wait(timeout=10)
        return self.written

    def _read(self) -> bool:
        if not select.select([self._file], [], [], 1)[0]:
            return True
        try:
            part = os.read(self._file, 65536)
        except OSError:
            # What Linux says once nobody holds the other end any more.
            part = b""
        self.written += part.decode(errors="replace")
        return bool(part)


@contextmanager
def on_terminal(
    owner: CliUser,
    *arguments: str,
    command: str = "enphase-gateway-console",
    lines: int = 40,
    columns: int = 90,
) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    owner.environment = {"TERM": "xterm-256color", "COLORTERM": "truecolor", **owner.environment}
    ends = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    with owner.starts(
        command, *arguments, start_new_session=True, preexec_fn=_own_terminal, **ends
    ) as process:
        os.close(theirs)
        try:
            yield Terminal(ours, process)
        finally:
            process.kill()
            os.close(ours)


def _own_terminal() -> None:
    """Make the terminal the one whose Ctrl-C this process gets."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
