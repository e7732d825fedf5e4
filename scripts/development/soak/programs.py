"""The project's commands as processes that are killed, paused and started again, with their metrics."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from tests.services import find_free_port

#: Seconds.
_START, _STOP = 90, 60

_METRIC = re.compile(r"^enphase_(\w+?)(?:_total)? ([0-9.e+]+)$", re.MULTILINE)


def run_once(
    command: str, folder: Path, environment: Mapping[str, str], *words: str
) -> subprocess.Popen[bytes]:
    """Start a command that ends by itself; its output goes to a file."""
    with (folder / f"{command}.log").open("ab") as output:
        return subprocess.Popen(
            [_path(command), *words],
            env=_environment(folder, environment),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def _path(command: str) -> str:
    return str(Path(sys.executable).with_name(f"enphase-{command}"))


def _environment(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONDONTWRITEBYTECODE": "",
        **environment,
    }


class Program:
    """One long-running command; its output goes to a file."""

    def __init__(
        self,
        command: str,
        name: str,
        folder: Path,
        environment: Mapping[str, str],
        *,
        serial: str | None = None,
        at_risk: float = 0.0,
    ) -> None:
        """`command` without `enphase-`; `name` is unique in this run.

        `serial`: of the gateway that it reads; `at_risk`: seconds of readings that a kill may cost.
        """
        self.name = name
        self.serial = serial
        self.at_risk = at_risk
        self._port = find_free_port()
        self._command = [_path(command), "--metrics-port", str(self._port)]
        self._environment = _environment(folder, environment)
        self.log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0
        #: Counters of all lives that have ended, and of this one when it was last asked.
        self._before: Counter[str] = Counter()
        self._now: Counter[str] = Counter()
        #: Exit statuses of lives that ended by themselves.
        self.deaths: list[int] = []
        #: Exit statuses after SIGTERM.
        self.stops: list[int] = []

    def start(self) -> None:
        """Start the command and wait until its signal handlers are installed."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=output, stderr=output, start_new_session=True
            )
        self._starts += 1
        end = time.monotonic() + _START
        while self.log.read_bytes().count(b"Ctrl-C ends it.") < self._starts:
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{self.name} does not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.05)

    def kill(self) -> None:
        """Kill the command, as a power cut does."""
        self.scrape()
        self._signal(signal.SIGKILL)
        self._end()

    def stop(self) -> None:
        """End the command with SIGTERM."""
        self.scrape()
        self._signal(signal.SIGTERM)
        self.stops.append(self._end())

    def pause(self) -> None:
        """Stop the process: its connections stay open, and it does nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Continue a stopped process."""
        self._signal(signal.SIGCONT)

    def revive(self) -> None:
        """Start the command again if it has ended by itself, as a service manager does."""
        if self._process is not None and self._process.poll() is not None:
            self.deaths.append(self._end())
            self.start()

    def scrape(self) -> None:
        """Read the metrics, unless the command is too busy to answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=2) as answer:
                text = answer.read().decode()
        except OSError:
            return
        self._now = Counter({name: round(float(value)) for name, value in _METRIC.findall(text)})

    def total(self, name: str) -> int:
        """Return a counter over all lives, as far as it is known."""
        return self._before[name] + self._now[name]

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, number)

    def _end(self) -> int:
        """Wait for the end of the process and return its exit status."""
        if self._process is None:
            return 0
        status = self._process.wait(_STOP)
        self._process = None
        self._before.update(self._now)
        self._now = Counter()
        return status
