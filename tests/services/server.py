"""A private server for tests, which can be killed, paused and restarted with its data."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from . import STARTED

_START, _STOP = 90, 15


class Server(ABC):
    """A program that runs in its own folder, on a free port."""

    def __init__(
        self, folder: Path, port: int, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.port = port
        self._command = command
        self._environment = dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._log = folder / "output"
        #: Name and version, once it has answered.
        self.version = ""

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        """Start the server with its data on disk, and wait until it answers."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Start the server with its data on disk."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment or None,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        """Wait until the server answers."""
        end = time.monotonic() + _START
        while not self.answers():
            if self._process is None or self._process.poll() is not None or time.monotonic() > end:
                self.kill()
                name, output_text = type(self).__name__, self._log.read_text(errors="replace")[-3000:]
                raise RuntimeError(f"{name} does not start:\n{output_text}")
            time.sleep(0.05)
        STARTED.add(self.version)

    @abstractmethod
    def answers(self) -> bool:
        """Whether the server answers requests; its answer also sets `version`."""

    def kill(self) -> None:
        """Kill the server, as a power cut does."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(_STOP)
            self._process = None

    def pause(self) -> None:
        """Stop the process: connections stay open, requests get no answer."""
        self._signal(signal.SIGSTOP)
        while self._process is not None and not _is_stopped(self._process.pid):
            time.sleep(0.001)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


def _is_stopped(process: int) -> bool:
    """Whether all threads of a process have stopped; some work on for a moment after the signal."""
    states = [
        each.joinpath("stat").read_text().rpartition(")")[2].split()[0]
        for each in Path(f"/proc/{process}/task").iterdir()
    ]
    return set(states) <= {"T", "t", "Z", "X"}
