"""The simulated gateways of both sides, and the requests to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from enphase_companion.simulator import Simulator
from enphase_companion.simulator.profiles import PROFILES, Profile

from .measures import Cost, Gateway
from .process import Process, start_measured

#: 2026-06-21 12:00 UTC, always: what there is to read is the same in each run.
_START = 1782043200.0

THREE_PHASE = PROFILES["three-phase"]
BATTERY = PROFILES["battery"]
#: Three meters, three phases, sixty inverters, batteries, a System Controller with dry contacts, a generator.
LARGE = replace(PROFILES["generator"], name="large", wiring=THREE_PHASE.wiring, inverters=60)


@dataclass(frozen=True)
class Refresh:
    """One refresh: the requested paths in order, and its cost."""

    paths: list[str]
    busy: float  #: seconds that the gateway worked
    cost: Cost


class Simulated:
    """A simulated gateway whose clock stands still between two refreshes of the one process that reads it."""

    def __init__(self, simulator: Simulator, process: Process) -> None:
        self.simulator = simulator
        self.process = process
        self.serial_number = simulator.serial_number

    def be_slow(self) -> None:
        """Answer as slowly as a slow real gateway."""
        self.simulator.faults.set("slow-gateway")

    def refresh(self, seconds: float) -> Refresh:
        """Advance the clock by `seconds`, and have the process refresh."""
        simulator = self.simulator
        simulator.requests.clear()
        busy = simulator.busy_seconds
        simulator.clock.advance(seconds)
        cost = self.process.refresh(seconds)
        paths = [request.path for request in simulator.requests]
        return Refresh(paths, simulator.busy_seconds - busy, cost)


@contextmanager
def run_simulated(
    profile: Profile,
    subject: str,
    build: Path | None = None,
    *,
    module: str = "subjects",
    in_real_time: bool = False,
) -> Iterator[Simulated]:
    """Start a gateway, and a process with this subject, of this checkout, that is to read it.

    The clock of the house stands still, unless it is to show this machine's time.
    """
    start, speed = (None, 1) if in_real_time else (_START, 0)
    with Simulator(profile, start=start, longitude=0, speed=speed) as simulator:
        gateway = Gateway(
            host=simulator.url.removeprefix("https://"),
            serial_number=simulator.serial_number,
            certificate=simulator.certificate_pem,
            token=simulator.token(),
        )
        with start_measured(subject, gateway, build, module=module) as process:
            yield Simulated(simulator, process)
