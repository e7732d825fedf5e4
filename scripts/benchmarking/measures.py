"""What goes between the command and the processes that it measures."""

from __future__ import annotations

from dataclasses import dataclass, field


class BenchmarkError(Exception):
    """Nothing could be measured; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """A simulated gateway as its owner knows it."""

    host: str  #: with its port
    serial_number: str
    certificate: str  #: PEM
    token: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one refresh took of the process that made it."""

    cpu: float  #: seconds of the processor, of all threads
    occupied: float = 0.0  #: seconds of the event loop
    changed: int = 0  #: states written that differ from what was there before
    unchanged: int = 0  #: states written again as they were
