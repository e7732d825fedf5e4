"""The processes of the demo, from start to end, and their logs; above all that of Home Assistant."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from .errors import DemoError

#: Seconds; a first start on a slow machine takes a minute, a usual one five seconds.
START_LIMIT = 180
#: Home Assistant writes its database and ends in three seconds; what hangs is killed after these.
STOP_LIMIT = 20

_DOMAIN = "enphase_iq_gateway"
_RECORD = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S* (\w+) ", re.MULTILINE)
#: The warning of the loader about every custom integration.
_EXPECTED = f"We found a custom integration {_DOMAIN} which has not been tested by Home Assistant"


@dataclass
class Child:
    """A running program and its log."""

    name: str
    log: Path
    process: asyncio.subprocess.Process

    async def wait_for_exit(self) -> DemoError:
        """Wait until the program exits, and return the error for that."""
        code = await self.process.wait()
        last = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
        return DemoError(f"{self.name} exited with status {code}; the end of {self.log}:\n{last}")


@dataclass
class Process(Child):
    """A running Home Assistant: its URL and its log."""

    url: str

    def find_problems(self) -> list[str]:
        """Return the logged warnings and errors about this project's integration."""
        return find_problems(self.log.read_text(errors="replace"))


def find_problems(log: str) -> list[str]:
    """Return a log's warnings and errors whose text or traceback names the integration."""
    starts = [(found.start(), found[1]) for found in _RECORD.finditer(log)]
    ends = [start for start, _ in starts[1:]] + [len(log)]
    records = [(level, log[start:end].strip()) for (start, level), end in zip(starts, ends, strict=True)]
    return [
        record
        for level, record in records
        if level in {"WARNING", "ERROR", "CRITICAL"} and _DOMAIN in record and _EXPECTED not in record
    ]


def find_free_port(host: str, port: int) -> int:
    """Return `port`, or a free one for 0.

    Raises DemoError if the port is taken, or if the host is not an address of this machine.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            return int(listener.getsockname()[1])
    except OSError as error:
        raise DemoError(
            f"Home Assistant cannot listen on {host} port {port} ({error.strerror}): "
            "set another --port (0: any free one) or --host"
        ) from error


@asynccontextmanager
async def run_home_assistant(
    configuration: Path,
    host: str,
    port: int,
    environment: Mapping[str, str],
    *,
    entrez: str | None = None,
    speed: float = 1,
) -> AsyncIterator[Process]:
    """Start Home Assistant in that folder (absolute) and yield it once it responds; stop it at the end.

    `entrez` is the URL of a simulated Entrez, which replaces Enphase's; `speed` is that of the simulated
    house.

    Raises DemoError if Home Assistant exits, or does not respond in time.
    """
    # Home Assistant looks for uv on PATH.
    path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"
    surroundings = {**os.environ, **environment, "PATH": path}
    surroundings.pop("PYTHONPATH", None)
    wrapper = str(Path(__file__).with_name("home_assistant.py"))
    start = ["-m", "homeassistant"] if entrez is None else [wrapper, entrez, str(speed)]
    command = [sys.executable, *start, "-c", str(configuration), "--skip-pip", "--log-no-color"]
    # A folder custom_components in the current folder would replace that of the configuration.
    log = configuration / "demo.log"
    async with run_child("Home Assistant", guarded(command), log, surroundings, configuration) as child:
        process = Process(child.name, child.log, child.process, _address(host, port))
        await _wait_until_ready(process)
        yield process


def guarded(command: Sequence[str]) -> list[str]:
    """Return a command that is killed together with the process that starts it."""
    return [sys.executable, str(Path(__file__).with_name("guard.py")), *command]


@asynccontextmanager
async def run_child(
    name: str,
    command: Sequence[str],
    log: Path,
    environment: Mapping[str, str],
    folder: Path,
    output: int | None = None,
) -> AsyncIterator[Child]:
    """Start a program in that folder and yield it at once; stop it, and what it has started, at the end.

    With asyncio.subprocess.PIPE as `output`, its log gets only its errors.
    """
    with log.open("ab") as errors:
        # A new session: Ctrl-C is handled by this process, and the group contains all child processes.
        child = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=output or errors, stderr=errors,
            start_new_session=True, env=environment, cwd=folder,
        )  # fmt: skip
    try:
        yield Child(name, log, child)
    finally:
        await _end(child)


def _address(host: str, port: int) -> str:
    if host in {"0.0.0.0", "::"}:  # noqa: S104  # everywhere, so here too
        host = "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


async def _wait_until_ready(process: Process) -> None:
    ended = asyncio.ensure_future(process.wait_for_exit())
    try:
        async with asyncio.timeout(START_LIMIT), aiohttp.ClientSession() as session:
            while not ended.done():
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"{process.url}/manifest.json") as answer:
                        if answer.status == 200:
                            return
                await asyncio.wait([ended], timeout=0.1)
    except TimeoutError as error:
        raise DemoError(f"Home Assistant did not answer within {START_LIMIT} s; see {process.log}") from error
    finally:
        ended.cancel()
    raise ended.result()


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(signal.SIGTERM)
        # A second interrupt ends the wait.
        with contextlib.suppress(TimeoutError, asyncio.CancelledError):
            await asyncio.wait_for(child.wait(), STOP_LIMIT)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    await child.wait()
