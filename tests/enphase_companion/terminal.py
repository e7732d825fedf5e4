"""Run a command on a pseudo-terminal with keyboard input."""

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
    """A pseudo-terminal that runs a command."""

    def __init__(self, file: int, process: subprocess.Popen[str]) -> None:
        self._file = file
        self.process = process
        self.written = ""

    def types(self, text: str) -> None:
        os.write(self._file, text.encode())

    def until(self, pattern: str, seconds: float = 40) -> str:
        """Wait until the output matches a pattern, and return all output."""
        deadline = time.monotonic() + seconds
        while not re.search(pattern, self.written, re.DOTALL):
            assert time.monotonic() < deadline, self.written
            if not self._read():
                break
        assert re.search(pattern, self.written, re.DOTALL), self.written
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
            # Linux raises this error once the other end is closed.
            part = b""
        self.written += part.decode(errors="replace")
        return bool(part)


@contextmanager
def open_terminal(
    user: CliUser,
    *arguments: str,
    command: str = "enphase-gateway-console",
    lines: int = 40,
    columns: int = 90,
) -> Iterator[Terminal]:
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    user.environment = {"TERM": "xterm-256color", "COLORTERM": "truecolor", **user.environment}
    streams = {"stdin": terminal, "stdout": terminal, "stderr": terminal}
    with user.start(
        command, *arguments, start_new_session=True, preexec_fn=_set_controlling_terminal, **streams
    ) as process:
        os.close(terminal)
        try:
            yield Terminal(controller, process)
        finally:
            process.kill()
            os.close(controller)


def _set_controlling_terminal() -> None:
    """Make standard input the controlling terminal, so that its Ctrl-C interrupts this process."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
