"""The Home Assistant process, from start to end, and its log."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from .errors import DemoError

#: Seconds; a first start on a slow machine takes a minute, a usual one five seconds.
START_LIMIT = 180
#: Home Assistant writes its database and ends in three seconds; one that hangs is killed after these.
STOP_LIMIT = 20

_DOMAIN = "enphase_iq_gateway"
_RECORD = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S* (\w+) ", re.MULTILINE)
#: What the loader says of every custom integration.
_EXPECTED = f"We found a custom integration {_DOMAIN} which has not been tested by Home Assistant"


@dataclass
class Process:
    """A running Home Assistant: its URL and its log."""

    url: str
    log: Path
    child: asyncio.subprocess.Process

    async def ended(self) -> DemoError:
        """Wait until the process ends, and return that as an error."""
        code = await self.child.wait()
        last = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
        return DemoError(
            f"Home Assistant ended by itself (exit status {code}); the end of {self.log}:\n{last}"
        )

    def complaints(self) -> list[str]:
        """Return the logged warnings and errors about this project's integration."""
        return complaints(self.log.read_text(errors="replace"))


def complaints(log: str) -> list[str]:
    """Return a log's warnings and errors whose text or traceback names the integration."""
    starts = [(found.start(), found[1]) for found in _RECORD.finditer(log)]
    ends = [start for start, _ in starts[1:]] + [len(log)]
    records = [(level, log[start:end].strip()) for (start, level), end in zip(starts, ends, strict=True)]
    return [
        record
        for level, record in records
        if level in {"WARNING", "ERROR", "CRITICAL"} and _DOMAIN in record and _EXPECTED not in record
    ]


def free_port(host: str, port: int) -> int:
    """Return `port`, or for 0 one that is free.

    Raises DemoError if it is taken, or if the address is none of this machine's.
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
            "give another --port (0: any that is free), or another --host"
        ) from error


@asynccontextmanager
async def running(
    configuration: Path,
    host: str,
    port: int,
    environment: Mapping[str, str],
    *,
    entrez: str | None = None,
    speed: float = 1,
) -> AsyncIterator[Process]:
    """Start Home Assistant in that folder (absolute) and give it once it answers, until the `with` ends.

    `entrez` is the address of a simulated one, where accounts are signed in to instead of Enphase's, and
    `speed` that of the simulated house.

    Raises DemoError if it ends instead, or is not there in time.
    """
    log = configuration / "demo.log"
    # Its session is its own: Ctrl-C is for this process to act on, and the group holds whatever it starts.
    # Home Assistant looks for uv on PATH.
    path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"
    surroundings = {**os.environ, **environment, "PATH": path}
    surroundings.pop("PYTHONPATH", None)
    here = Path(__file__).parent
    start = (
        ["-m", "homeassistant"] if entrez is None else [str(here / "home_assistant.py"), entrez, str(speed)]
    )
    command = [sys.executable, str(here / "guard.py"), sys.executable, *start]
    with log.open("wb") as output:
        # A folder custom_components in the current folder would replace that of the configuration.
        child = await asyncio.create_subprocess_exec(
            *command, "-c", str(configuration), "--skip-pip", "--log-no-color",
            stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            env=surroundings, cwd=configuration,
        )  # fmt: skip
    process = Process(_address(host, port), log, child)
    try:
        await _answering(process)
        yield process
    finally:
        await _end(child)


def _address(host: str, port: int) -> str:
    if host in {"0.0.0.0", "::"}:  # noqa: S104  # everywhere, so here too
        host = "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


async def _answering(process: Process) -> None:
    ended = asyncio.ensure_future(process.ended())
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
