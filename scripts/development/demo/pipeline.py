"""RabbitMQ and the scripts behind Home Assistant: from its readings to a database."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import sqlite3
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ..environments import ENVIRONMENTS
from ..steps import PROJECT
from .errors import DemoError
from .folder import recreate
from .process import Child, guarded, run_child

#: Where the scripts are installed, with what they need.
PROGRAMS = ENVIRONMENTS / "scripts-3.14" / "bin"

#: Seconds until a broker answers, and until a reading is stored.
_START_LIMIT, _STORED_LIMIT = 120, 60

_PROBLEM = re.compile(r"Traceback|WARNING|ERROR|CRITICAL|^error: ", re.MULTILINE)


@dataclass
class Broker:
    """A private RabbitMQ that starts."""

    child: Child

    async def url(self) -> str:
        """Return its URL once it answers. Raises DemoError if it does not."""
        output = self.child.process.stdout
        assert output is not None  # noqa: S101  # a pipe
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_START_LIMIT):
                if line := await output.readline():
                    return line.decode().strip()
                raise await self.child.wait_for_exit()
        raise DemoError(f"RabbitMQ did not answer within {_START_LIMIT} s; see {self.child.log}")


@asynccontextmanager
async def start_broker(folder: Path) -> AsyncIterator[Broker]:
    """Start a broker on loopback with its data in that folder, which is emptied, and stop it at the end."""
    recreate(folder)
    command = [sys.executable, "-m", "development.demo.broker", str(folder)]
    log = folder.with_suffix(".log")
    async with run_child("RabbitMQ", command, log, {**os.environ}, PROJECT, asyncio.subprocess.PIPE) as child:
        yield Broker(child)


class Scripts:
    """The scripts as processes, each with its log, all with the same settings and database."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        """Keep logs, spools and SQLite database in `folder`.

        `settings`: variables of the environment, secrets among them, which no command line may show.
        """
        self.folder = folder
        self.database = folder / "enphase.db"
        self._environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            # Neither settings nor spools of this machine's user.
            "HOME": str(folder),
            "ENPHASE_DATABASE_URL": f"sqlite:///{self.database}",
            **settings,
        }

    @asynccontextmanager
    async def run(self, command: str, *words: str, **settings: str) -> AsyncIterator[Child]:
        """Start `enphase-COMMAND`, and stop it at the end."""
        program = PROGRAMS / f"enphase-{command}"
        log = self.folder / f"{command}.log"
        async with run_child(
            program.name,
            guarded([str(program), *words]),
            log,
            {**self._environment, **settings},
            self.folder,
        ) as child:
            yield child

    def stored(self) -> set[int]:
        """Return when the stored readings were measured, in milliseconds since the epoch."""
        with contextlib.suppress(sqlite3.OperationalError):  # not there yet
            address = f"file:{self.database}?mode=ro"
            with contextlib.closing(sqlite3.connect(address, uri=True, timeout=10)) as database:
                return {time for (time,) in database.execute("SELECT DISTINCT measured_at FROM readings")}
        return set()

    async def wait_until_stored(self, time: int = 0) -> None:
        """Wait until a reading of this time (ms) or a later one is stored; raise DemoError if none is."""
        for _ in range(_STORED_LIMIT * 5):
            if max(self.stored(), default=-1) >= time:
                return
            await asyncio.sleep(0.2)
        raise DemoError(f"no reading arrived in the database; see the logs in {self.folder}")

    async def energies(self, gateway: str, start: int, end: int) -> dict[str, float | None]:
        """Return the stored energy (Wh) in [start, end) by its kind, as charts show it; times in ms."""
        child = await asyncio.create_subprocess_exec(
            PROGRAMS / "python", "-m", "development.demo.stored", gateway, str(start), str(end),
            env={**self._environment, "PYTHONPATH": str(PROJECT / "scripts")},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, errors = await child.communicate()
        if child.returncode:
            raise DemoError(f"the database could not be read: {errors.decode().strip()}")
        energies: dict[str, float | None] = json.loads(output)
        return energies

    def find_problems(self) -> list[str]:
        """Return the logs of scripts that warned of something or failed."""
        logs = [log.read_text(errors="replace") for log in sorted(self.folder.glob("*-*.log"))]
        return [text.strip() for text in logs if _PROBLEM.search(text)]
