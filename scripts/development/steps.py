"""Run the commands that set an environment up, and print what each step does.

Standard library only, and no syntax newer than Python 3.9: these files run before all else is there.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Union

PROJECT = Path(__file__).resolve().parents[2]
# uv and Pythons that this machine did not have.
TOOLS = PROJECT / ".python"

# Python keeps what it compiles, even where the environment forbids it: Home Assistant then starts sooner.
BYTECODE = {"PYTHONDONTWRITEBYTECODE": ""}

# Seconds without output after which a long step reports that it still runs.
REMINDER_INTERVAL = 10

Words = list[Union[str, Path]]


class SetUpError(Exception):
    """A requirement of the set-up is missing; the text names it and what to do."""


def say(text: str) -> None:
    """Print what is done now."""
    print(f"set-up: {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Wait until no other set-up installs something in the project's folder."""
    TOOLS.mkdir(exist_ok=True)
    with (TOOLS / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run(command: Words, **environment: str) -> str:
    """Run a command in the project's folder, with additions to its environment, and return what it printed.

    Raises SetUpError, with what it printed, if it cannot be started or fails.
    """
    words = [str(word) for word in command]
    try:
        started = subprocess.Popen(
            words,
            cwd=PROJECT,
            env={**_caches(), **_trust(), **os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    except OSError as error:
        raise SetUpError(f"{words[0]} could not be started: {error}") from error
    with started:
        try:
            printed = _output(started)
        except BaseException:
            started.kill()
            raise
    if started.returncode != 0:
        raise SetUpError(f"`{' '.join(words)}` ended with {started.returncode}:\n{printed.strip()}")
    return printed.strip()


def _output(process: subprocess.Popen[str]) -> str:
    """Return what a process printed, once it has ended; report from time to time that it still runs."""
    begin = time.monotonic()
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=REMINDER_INTERVAL)[0]
        say(f"still running ({time.monotonic() - begin:.0f} s)")


def _caches() -> dict[str, str]:
    """Return variables that keep the downloads of uv and pip in the project's folder."""
    return {"UV_CACHE_DIR": str(TOOLS / "cache" / "uv"), "PIP_CACHE_DIR": str(TOOLS / "cache" / "pip")}


def _trust() -> dict[str, str]:
    """Return variables that make uv use this system's certificates, as pip and apt do: mirrors may need that.

    If the system has none, uv uses its own.
    """
    store = ssl.get_default_verify_paths()
    filled = store.cafile or (store.capath and any(os.scandir(store.capath)))
    return {"UV_SYSTEM_CERTS": "true"} if filled else {}


def works(command: Words) -> bool:
    """Return whether a command can be run and ends well."""
    try:
        run(command)
    except SetUpError:
        return False
    return True
