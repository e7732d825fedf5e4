"""A shell on a terminal that nobody sits at: commands are typed, and what then stands there is kept."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

_LINES = 60
_PROMPT = "$ "


class Shell:
    """A context manager; at its end all that was started in the shell is ended."""

    def __init__(self, environment: Mapping[str, str], folder: Path, columns: int) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, columns, 0, 0))
        self._written = bytearray()
        self._seen = 0
        bash = ["bash", "--noprofile", "--norc", "--noediting", "-i"]
        where = {**environment, "HOME": str(folder), "TERM": "xterm-256color", "PS1": _PROMPT}
        self._process = subprocess.Popen(
            # With a separate terminal, Ctrl-C works as for a user.
            ["setsid", "--ctty", *bash], stdin=theirs, stdout=theirs, stderr=theirs, env=where, cwd=folder
        )  # fmt: skip
        os.close(theirs)
        self._reader = threading.Thread(target=self._read)

    def __enter__(self) -> Self:
        self._reader.start()
        self.sees(_PROMPT)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A shell forwards SIGHUP to its jobs when its terminal is closed, and they end.
        self._process.send_signal(signal.SIGHUP)
        self._process.wait(30)
        self._reader.join(5)
        os.close(self._ours)

    @property
    def written(self) -> str:
        """What stands on the terminal, without the last prompt."""
        return self._written.decode(errors="replace").replace("\r\n", "\n").removesuffix(_PROMPT)

    def runs(self, command: str) -> None:
        """Type a command, and wait until it has ended."""
        self.types(command)
        self.sees(f"\r\n{_PROMPT}")

    def types(self, command: str) -> None:
        """Type a command."""
        os.write(self._ours, f"{command}\n".encode())

    def presses_ctrl_c(self) -> None:
        """End the command that is running, and wait until it has ended."""
        os.write(self._ours, b"\x03")
        self.sees(_PROMPT)

    def sees(self, text: str, within: float = 60) -> None:
        """Wait until this stands there, after what was seen before. Raises TimeoutError."""
        end = time.monotonic() + within
        while (at := self._written.find(text.encode(), self._seen)) < 0:
            if time.monotonic() > end:
                raise TimeoutError(f"{text!r} is not in:\n{self.written}")
            time.sleep(0.05)
        self._seen = at + len(text.encode())

    def _read(self) -> None:
        # Linux ends a terminal that nobody writes to any more with an error.
        with suppress(OSError):
            while part := os.read(self._ours, 65536):
                self._written += part
