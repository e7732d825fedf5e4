"""Run the demo in a separate process, as a user does, and check for remaining processes."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from development.steps import PROJECT

COMMAND = [sys.executable, str(PROJECT / "scripts" / "demo")]


class RunningDemo:
    """A running demo, and its output."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self.process = process
        self.folder = folder
        self.output = ""
        assert process.stdout is not None
        for line in process.stdout:
            self.output += line
            if "Ctrl-C ends everything" in line:
                break

    @property
    def url(self) -> str:
        found = re.search(r"^Home Assistant +(http\S+)", self.output, re.MULTILINE)
        assert found, self.output
        return found[1]

    @property
    def home_assistant(self) -> list[int]:
        """The processes of Home Assistant with the configuration of this demo."""
        return processes_with(str(self.folder / "home-assistant"))

    def end(self, *signals: signal.Signals, pause: float = 0.5) -> int:
        """Send signals one after the other, and return the exit status."""
        for number in signals:
            self.process.send_signal(number)
            time.sleep(pause)
        assert self.process.stdout is not None
        self.output += self.process.stdout.read()
        return self.process.wait(timeout=60)


@contextmanager
def demo(folder: Path, *words: str) -> Iterator[RunningDemo]:
    """Start `scripts/demo` in a folder, yield it once it is ready, and kill all its processes afterwards."""
    command = [*COMMAND, "--port", "0", "--folder", str(folder), *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        running = RunningDemo(process, folder)
        try:
            yield running
        finally:
            process.kill()
            for number in running.home_assistant:
                os.kill(number, signal.SIGKILL)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """Run `scripts/demo` and return its result."""
    return subprocess.run(
        [*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


def processes_with(word: str) -> list[int]:
    """Return the processes (without zombies) with this argument in their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if word in words:
            found.append(int(folder.name))
    return found


def until(true: Callable[[], bool], limit: float = 15, otherwise: Callable[[], object] = str) -> None:
    """Wait until a condition is true; fail after a time limit (s), and show what `otherwise` returns."""
    end = time.monotonic() + limit
    while not true():
        assert time.monotonic() < end, otherwise()
        time.sleep(0.05)
