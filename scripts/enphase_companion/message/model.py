"""A message: what the meters of one gateway read at one moment, and the same encoded."""

from __future__ import annotations

from dataclasses import dataclass

from enphase_api.models import MeasurementType, Quantities

#: Characters of a word for a measurement, and of a serial number, as columns hold them.
MAX_TEXT = 32

#: In one message: sixteen meters of three phases. Gateways know eight types of meters, and of each type one
#: meter counts.
MAX_SAMPLES = 64

#: Phases are 1 to 3; 0 is the whole meter.
WHOLE = 0
PHASES = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """One meter as a whole, or one phase of it, at one moment."""

    #: "production", "net-consumption", "total-consumption", "storage", or another word of the firmware's.
    measurement: str
    #: 0: the whole meter; 1, 2, 3: L1, L2, L3.
    phase: int
    #: The reading's own time in milliseconds since the epoch, UTC; a gateway says whole seconds.
    measured_at: int
    #: What it said, with units and signs as `Quantities` tells; None where unknown.
    quantities: Quantities


@dataclass(frozen=True, slots=True)
class Message:
    """What the meters of one gateway said at one moment."""

    #: Serial number.
    gateway: str
    #: Seconds since the epoch by the clock of who read it; the samples have their own times.
    timestamp: float
    #: One for each meter and each of its wired phases; only what meters said, nothing worked out.
    samples: tuple[Sample, ...]
    message_id: str | None = None
    #: There are batteries without a storage meter: consumption cannot be worked out from the samples. None:
    #: not said, as by Enphase-API's scripts.
    unmetered_batteries: bool | None = None
    #: Production is what microinverters report, some minutes old, which is added up with nothing.
    production_is_reported: bool = False

    @property
    def metered(self) -> frozenset[str]:
        """What is metered."""
        found = frozenset(sample.measurement for sample in self.samples)
        return found - {MeasurementType.PRODUCTION} if self.production_is_reported else found


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message in its form on the queue, and what is said of it outside."""

    message_id: str
    #: Serial number.
    gateway: str
    routing_key: str
    body: bytes
