"""Commands as their owner starts them, what a gateway gave, and what then stands in a database."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.pool import NullPool

from enphase_companion.simulator import Simulator

from ..amqp_helpers import until
from ..cli_user import CliUser, Main

METERS, READINGS = "/ivp/meters", "/ivp/meters/readings"

#: Milliseconds, measurement, phase.
Key = tuple[int, str, int]

#: Power and both counters, by key.
Stored = dict[Key, tuple[float, float, float]]


@dataclass
class Command:
    """One of the commands; what it says goes to a log."""

    owner: CliUser
    name: str
    log: Path
    process: subprocess.Popen[str] | None = None
    starts_so_far: int = 0

    def starts(self, *arguments: str) -> None:
        with self.log.open("a") as log:
            self.process = self.owner.starts(self.name, *arguments, stdout=log, stderr=log)
        self.starts_so_far += 1

    async def begins(self, *arguments: str) -> None:
        """Start it and wait until it is at work; before that, Python's own way to end would be seen."""
        self.starts(*arguments)
        await until(lambda: self.output.count("Ctrl-C ends it.") == self.starts_so_far)

    def ends(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, and give its exit status; within the 5 seconds that it has for that."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(5)

    def is_killed(self) -> None:
        """End it as a power cut would."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(5)

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def output(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    async def sees(self, what: str, within: float = 20) -> None:
        """Wait until it has said this."""
        await until(lambda: what in self.output, within)

    @property
    def title(self) -> str:
        """What every user of the machine can read of it."""
        assert self.process is not None
        return Path(f"/proc/{self.process.pid}/cmdline").read_text()


@contextmanager
def heard_by_systemd(owner: CliUser, folder: Path) -> Iterator[Iterator[str]]:
    """Yield what commands of this owner tell systemd, as it comes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(folder / "notify"))
        systemd.settimeout(30)
        owner.environment["NOTIFY_SOCKET"] = str(folder / "notify")
        yield iter(lambda: systemd.recv(4096).decode(), "")


@dataclass
class Given:
    """What a simulated gateway has answered to the questions for its meters and their readings."""

    meters: list[dict[str, Any]] = field(default_factory=list)
    answers: list[list[dict[str, Any]]] = field(default_factory=list)

    @classmethod
    def by(cls, simulator: Simulator, patch: pytest.MonkeyPatch) -> Given:
        """Note each answer from now on."""
        given = cls()
        as_faults_have_it = simulator.faults.change

        def noted(path: str, answer: Any) -> Any:
            answer = as_faults_have_it(path, answer)
            if path == METERS:
                given.meters = answer
            elif path == READINGS:
                given.answers.append(answer)
            return answer

        patch.setattr(simulator.faults, "change", noted)
        return given

    def __len__(self) -> int:
        return len(self.answers)

    @property
    def truth(self) -> Stored:
        """Power and both counters of each meter and phase, by its moment."""
        meters = {meter["eid"]: meter for meter in self.meters}
        return {
            (reading["timestamp"] * 1000, meter["measurementType"], phase): (
                each["activePower"],
                each["actEnergyDlvd"],
                each["actEnergyRcvd"],
            )
            for answer in self.answers
            for reading in answer
            if (meter := meters[reading["eid"]])
            for phase, each in enumerate([reading, *reading["channels"][: meter["phaseCount"]]])
        }

    @property
    def moments(self) -> set[int]:
        return {reading["timestamp"] * 1000 for answer in self.answers for reading in answer}


@dataclass(frozen=True)
class Eyes:
    """Looks into a database over connections of its own."""

    url: str

    def query(self, statement: str) -> list[Any]:
        """Return the rows; none where there are no tables yet, or nobody answers."""
        url = make_url(self.url)
        driver = {"sqlite": "sqlite", "mysql": "mysql+pymysql"}[url.get_backend_name()]
        if driver == "sqlite" and not Path(str(url.database)).exists():
            return []
        engine = create_engine(url.set(drivername=driver), poolclass=NullPool)
        try:
            with closing(engine.connect()) as connection:
                return list(connection.execute(text(statement)))
        except (OperationalError, ProgrammingError):
            return []

    @property
    def stored(self) -> Stored:
        """Power and both counters of each reading that stands there, which may be there only once."""
        rows = self.query(
            "SELECT measured_at, name, phase, active_power, energy_delivered, energy_received FROM readings "
            "JOIN measurements ON measurements.id = readings.measurement_id"
        )
        found = {(row[0], row[1], row[2]): (row[3], row[4], row[5]) for row in rows}
        assert len(found) == len(rows), "twice"
        return found

    @property
    def moments(self) -> set[int]:
        return {row[0] for row in self.query("SELECT DISTINCT measured_at FROM readings")}

    async def sees(self, moments: Iterable[int], within: float = 30) -> None:
        """Wait until readings of all these moments stand there."""
        async with asyncio.timeout(within):
            while not set(moments) <= await asyncio.to_thread(lambda: self.moments):
                await asyncio.sleep(0.2)

    async def counts(self, count: int, within: float = 30) -> None:
        """Wait until readings of so many moments stand there."""
        async with asyncio.timeout(within):
            while len(await asyncio.to_thread(lambda: self.moments)) < count:
                await asyncio.sleep(0.2)


def assert_same(stored: Stored, truth: Stored) -> None:
    """See that exactly this stands there: each value, nothing more."""
    assert stored.keys() == truth.keys()
    for key, values in truth.items():
        # MariaDB shows six digits of a power, and all of a counter.
        assert stored[key][0] == pytest.approx(values[0], rel=5e-6, abs=1e-4), key
        assert stored[key][1:] == values[1:], key


def assert_refused(owner: CliUser, main: Main, changed: dict[str, Any], message: str) -> None:
    """See that a setting in its file is named, and that the gateway is asked nothing."""
    owner.environment.pop("ENPHASE_GATEWAY_HOST")
    owner.writes_token_file(**{"gateway_token": owner.simulator.token(), **changed})
    result = owner.runs(main)
    assert result.status == 2
    assert f"{owner.folder}/credentials_token.json: {message}" in result.error
    assert not owner.simulator.requests
