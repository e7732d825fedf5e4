"""Commands as separate processes, the recorded answers of a gateway, and inspection of a database."""

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

from enphase_companion.delivery.spool_file import SpoolFile
from enphase_companion.message import OutgoingMessage
from enphase_companion.simulator import Simulator

from ..amqp_helpers import wait_until
from ..cli_user import CliUser, Main

#: Maximum time (seconds) of a stop: only a command that hangs exceeds it, however busy the machine is.
STOP_TIMEOUT = 30

METERS, READINGS = "/ivp/meters", "/ivp/meters/readings"

#: Milliseconds, measurement, phase.
Key = tuple[int, str, int]

#: Power and both counters, by key.
StoredReadings = dict[Key, tuple[float, float, float]]


@dataclass
class Command:
    """A command in a separate process that writes its output to a log file."""

    user: CliUser
    name: str
    log: Path
    process: subprocess.Popen[str] | None = None
    starts_so_far: int = 0

    def start(self, *arguments: str) -> None:
        with self.log.open("a") as log:
            self.process = self.user.start(self.name, *arguments, stdout=log, stderr=log)
        self.starts_so_far += 1

    async def start_and_wait(self, *arguments: str) -> None:
        """Start the command and wait until it is ready, that is, until its signal handlers are installed."""
        self.start(*arguments)
        await wait_until(lambda: self.output.count("Ctrl-C ends it.") == self.starts_so_far)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        self._signal(number)
        assert self.process is not None
        return self.process.wait(STOP_TIMEOUT)

    def kill(self) -> None:
        """Kill the process, as a power cut would."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(STOP_TIMEOUT)

    def pause(self) -> None:
        """Stop the process between two instructions."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def output(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    async def wait_for(self, text: str, within: float = 20) -> None:
        """Wait until the output contains a text."""
        await wait_until(lambda: text in self.output, within)

    @property
    def command_line(self) -> str:
        """The command line, which every user of the machine can read."""
        assert self.process is not None
        return Path(f"/proc/{self.process.pid}/cmdline").read_text()


@contextmanager
def capture_notifications(user: CliUser, folder: Path) -> Iterator[Iterator[str]]:
    """Yield the notifications that the user's commands send to systemd."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(folder / "notify"))
        systemd.settimeout(30)
        user.environment["NOTIFY_SOCKET"] = str(folder / "notify")
        yield iter(lambda: systemd.recv(4096).decode(), "")


@dataclass
class AnswerRecorder:
    """Records a simulated gateway's answers for its meters and their readings."""

    meters: list[dict[str, Any]] = field(default_factory=list)
    answers: list[list[dict[str, Any]]] = field(default_factory=list)

    @classmethod
    def attach(cls, simulator: Simulator, patch: pytest.MonkeyPatch) -> AnswerRecorder:
        """Record each answer from now on."""
        recorder = cls()
        apply_faults = simulator.faults.change

        def record(path: str, answer: Any) -> Any:
            answer = apply_faults(path, answer)
            if path == METERS:
                recorder.meters = answer
            elif path == READINGS:
                recorder.answers.append(answer)
            return answer

        patch.setattr(simulator.faults, "change", record)
        return recorder

    def __len__(self) -> int:
        return len(self.answers)

    @property
    def truth(self) -> StoredReadings:
        """Power and both counters of each meter and phase, by time of measurement."""
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
    def timestamps(self) -> set[int]:
        return {reading["timestamp"] * 1000 for answer in self.answers for reading in answer}


@dataclass(frozen=True)
class DatabaseInspector:
    """Inspects a database over connections of its own."""

    url: str

    def query(self, statement: str) -> list[Any]:
        """Return the rows; none if there are no tables yet or the server does not answer."""
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
    def stored(self) -> StoredReadings:
        """Power and both counters of each stored reading. Each may be stored only once."""
        rows = self.query(
            "SELECT measured_at, name, phase, active_power, energy_delivered, energy_received FROM readings "
            "JOIN measurements ON measurements.id = readings.measurement_id"
        )
        found = {(row[0], row[1], row[2]): (row[3], row[4], row[5]) for row in rows}
        assert len(found) == len(rows), "a reading is stored twice"
        return found

    @property
    def timestamps(self) -> set[int]:
        return {row[0] for row in self.query("SELECT DISTINCT measured_at FROM readings")}

    async def wait_for(self, timestamps: Iterable[int], within: float = 30) -> None:
        """Wait until readings of all these timestamps are stored."""
        async with asyncio.timeout(within):
            while not set(timestamps) <= await asyncio.to_thread(lambda: self.timestamps):
                await asyncio.sleep(0.2)

    async def wait_for_count(self, count: int, within: float = 30) -> None:
        """Wait until readings of this many timestamps are stored."""
        async with asyncio.timeout(within):
            while len(await asyncio.to_thread(lambda: self.timestamps)) < count:
                await asyncio.sleep(0.2)


def assert_readings_equal(stored: StoredReadings, truth: StoredReadings) -> None:
    """Assert that exactly these readings are stored."""
    assert stored.keys() == truth.keys()
    for key, values in truth.items():
        # MariaDB returns six digits of a power and all digits of a counter.
        assert stored[key][0] == pytest.approx(values[0], rel=5e-6, abs=1e-4), key
        assert stored[key][1:] == values[1:], key


def assert_setting_rejected(user: CliUser, main: Main, changed: dict[str, Any], message: str) -> None:
    """Assert that the error names a setting and its file, and that no request is sent."""
    user.environment.pop("ENPHASE_GATEWAY_HOST")
    user.write_token_settings(**{"gateway_token": user.simulator.token(), **changed})
    result = user.run(main)
    assert result.status == 2
    assert f"{user.folder}/credentials_token.json: {message}" in result.error
    assert not user.simulator.requests


def read_spool(file: Path) -> list[OutgoingMessage]:
    """Return the messages in the spool of a stopped command."""
    with closing(SpoolFile(file)) as spool:
        return [message for _, message in spool.read(0, 1_000_000, ()) if message is not None]
