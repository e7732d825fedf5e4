"""Simulated gateways that record what they say, and the ledger of all readings that must be stored."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from enphase_companion.simulator import Simulator
from enphase_companion.simulator.faults import Faults

_METERS, READINGS = "/ivp/meters", "/ivp/meters/readings"

#: Columns of the table `readings`, by the key in the gateway's answer.
COLUMNS = {
    "activePower": "active_power",
    "reactivePower": "reactive_power",
    "apparentPower": "apparent_power",
    "voltage": "voltage",
    "current": "current",
    "pwrFactor": "power_factor",
    "freq": "frequency",
    "actEnergyDlvd": "energy_delivered",
    "actEnergyRcvd": "energy_received",
    "apparentEnergy": "apparent_energy",
    "reactEnergyLagg": "reactive_energy_lagging",
    "reactEnergyLead": "reactive_energy_leading",
}

#: Serial number, and the time of measurement in milliseconds.
Moment = tuple[str, int]

#: The columns of each measurement and phase of a moment; phase 0 is the whole meter.
Values = dict[tuple[str, int], tuple[float, ...]]

#: Seconds of house time before now at which the fast gateway starts, besides the length of the run.
_PAST = 3 * 3600

#: The clock of the fast gateway, whose quarter-hours end during a short run.
_SPEED = 10


@dataclass
class Ledger:
    """Every reading that was said, with its values, and the times at which it may be missing.

    Times of answers are of `time.monotonic`.
    """

    said: dict[Moment, Values] = field(default_factory=dict)
    answered_at: dict[Moment, list[float]] = field(default_factory=lambda: defaultdict(list))
    #: By serial number: a reading that was only said in one of these ranges may be lost, as documented.
    excused: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def note(self, moment: Moment, values: Values) -> None:
        """Record a reading."""
        self.answered_at[moment].append(time.monotonic())
        self.said.setdefault(moment, values)

    def excuse(self, serial: str, before: float, after: float = 0.0) -> None:
        """Let readings be missing that were said up to `before` seconds ago, or in the next `after`."""
        now = time.monotonic()
        self.excused[serial].append((now - before, now + after))

    def is_due(self, moment: Moment) -> bool:
        """Whether a reading must be stored."""
        ranges = self.excused.get(moment[0], ())
        return any(not any(first <= at <= last for first, last in ranges) for at in self.answered_at[moment])

    def moments(self) -> list[Moment]:
        """Return all moments so far; gateways may add some meanwhile."""
        return [*self.said]


class RecordingFaults(Faults):
    """The faults of a gateway, which see each answer last."""

    def __init__(self, serial: str, ledger: Ledger) -> None:
        super().__init__()
        self._serial = serial
        self._ledger = ledger
        self._meters: Mapping[int, Mapping[str, Any]] = {}
        self._lock = threading.Lock()

    def change(self, path: str, answer: Any) -> Any:
        """Return the answer as it is sent, and record it."""
        answer = super().change(path, answer)
        with self._lock:
            if path == _METERS:
                self._meters = {meter["eid"]: meter for meter in answer}
            elif path == READINGS:
                for at, values in self._parse(answer).items():
                    self._ledger.note((self._serial, at), values)
        return answer

    def _parse(self, answer: Iterable[Mapping[str, Any]]) -> dict[int, Values]:
        found: dict[int, Values] = defaultdict(dict)
        for reading in answer:
            meter = self._meters[reading["eid"]]
            channels = reading["channels"][: meter["phaseCount"]]
            for phase, each in enumerate([reading, *channels]):
                key = meter["measurementType"], phase
                found[reading["timestamp"] * 1000][key] = tuple(each[name] for name in COLUMNS)
        return found


@dataclass(frozen=True)
class Gateway:
    """A simulated gateway, and the environment of the commands that read it."""

    name: str
    simulator: Simulator
    environment: Mapping[str, str]

    @property
    def serial(self) -> str:
        """Its serial number."""
        return self.simulator.serial_number

    def be_silent(self) -> None:
        """Answer no more requests for readings, so that no reading is new."""
        self.simulator.faults.set("status", READINGS)


@contextmanager
def run_gateway(
    number: int, name: str, profile: str, ledger: Ledger, folder: Path, start: float, speed: float = 1.0
) -> Iterator[Gateway]:
    """Start a gateway whose serial number ends with `number`, which its owner has trusted.

    `start`: its clock now (epoch seconds).
    """
    simulator = Simulator(profile, seed=number, start=start, speed=speed, longitude=0)
    simulator.gateway.faults = RecordingFaults(simulator.serial_number, ledger)
    configuration = folder / f"configuration-{name}"
    configuration.mkdir()
    (configuration / "gateway.cer").write_text(simulator.certificate_pem)
    with simulator:
        yield Gateway(
            name,
            simulator,
            {
                "ENPHASE_CONFIGURATION": str(configuration),
                "ENPHASE_GATEWAY_HOST": simulator.url,
                "ENPHASE_GATEWAY_TOKEN": simulator.token(),
            },
        )


def fast_start(seconds: float) -> tuple[float, float]:
    """Return start and speed of a gateway whose clock does not reach the present in a run this long."""
    return time.time() - _PAST - 2 * _SPEED * seconds, _SPEED
