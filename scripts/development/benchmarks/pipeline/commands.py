"""A command of the product as its users run it, and what it costs: processor, memory, bytes written."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.services import find_free_port

from ...steps import PROJECT
from ..measures import BenchmarkError, import_paths

_TICKS = os.sysconf("SC_CLK_TCK")

#: Seconds until a command must have started, or ended.
_START, _END = 60, 30


class Command:
    """A running command."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, output: Path) -> None:
        self._process = process
        self._port = port
        self._output = output

    @property
    def cpu(self) -> float:
        """Seconds of the processor that it has taken so far."""
        # After the name, which may contain spaces: the 14th and 15th field of proc(5) are user and system.
        fields = self._read("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    @property
    def memory(self) -> int:
        """Bytes that it has in memory."""
        return self._find("status", r"VmRSS:\s+(\d+) kB") * 1024

    @property
    def written(self) -> int:
        """Bytes that it has caused to be written to a disk."""
        return self._find("io", r"write_bytes: (\d+)")

    def metric(self, name: str) -> float:
        """Return one of its metrics, without the prefix `enphase_`; 0 before it serves them."""
        with suppress(OSError):
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=10) as answer:
                found = re.search(rf"^enphase_{name} (\S+)$", answer.read().decode(), re.MULTILINE)
            return float(found[1]) if found else 0.0
        self.check()
        return 0.0

    def wait_until_started(self) -> None:
        """Wait until it says that it runs."""
        end = time.monotonic() + _START
        while b"Ctrl-C ends it." not in self._output.read_bytes():
            self.check()
            if time.monotonic() > end:
                raise BenchmarkError(f"a measured command does not start within {_START} s")
            time.sleep(0.05)

    def check(self) -> None:
        """Raise BenchmarkError if it has ended."""
        if self._process.poll() is not None:
            shown = self._output.read_text(errors="replace")[-2000:]
            raise BenchmarkError(f"a measured command ended with status {self._process.returncode}:\n{shown}")

    def stop(self) -> None:
        """End it as systemd does."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _find(self, file: str, pattern: str) -> int:
        found = re.search(pattern, self._read(file))
        if found is None:
            raise BenchmarkError(f"/proc/PID/{file} does not say what is needed")
        return int(found[1])

    def _read(self, file: str) -> str:
        self.check()
        return Path(f"/proc/{self._process.pid}/{file}").read_text()


@contextmanager
def running(
    name: str,
    settings: Mapping[str, str],
    folder: Path,
    build: Path | None = None,
    *,
    words: Sequence[str] = (),
    program: Sequence[str] = (),
) -> Iterator[Command]:
    """Yield the script of this name with these settings and options, and end it with the `with`.

    `folder` is its configuration, home and current folder; `build` is a checkout whose code runs instead;
    `program` are Python's words for a program that stands for the script.
    """
    build = build or PROJECT
    port = find_free_port()
    output = folder / f"{name}.{port}.log"
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "ENPHASE_CONFIGURATION": str(folder),
        "PYTHONPATH": os.pathsep.join(map(str, import_paths(build, folder))),
        **settings,
    }
    program = program or [str(build / "scripts" / f"{name}.py")]
    with output.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *program, "--metrics-port", str(port), *words],
            env=environment,
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    command = Command(process, port, output)
    try:
        yield command
        command.check()
    finally:
        command.stop()


def wait_for(commands: Sequence[Command], metric: str, value: float, pause: float = 0.1) -> float:
    """Wait until the sum of a metric over these commands is `value`; return the rate per second.

    It counts from when each of them has begun: starting is left out.
    """
    total, changed = 0.0, time.monotonic()
    first, first_total, all_begun = changed, 0.0, False
    while True:
        values = [command.metric(metric) for command in commands]
        now = time.monotonic()
        if sum(values) != total:
            total, changed = sum(values), now
        if total >= value:
            return (total - first_total) / (now - first)
        if not all_begun:
            first, first_total, all_begun = now, total, all(values)
        if now - changed > _START:
            raise BenchmarkError(f"{total:g} of {value:g} {metric}: no more within {_START} s")
        time.sleep(pause)
