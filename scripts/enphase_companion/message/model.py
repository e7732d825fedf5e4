"""A message: what the meters of one gateway read at one time, decoded and encoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from enphase_api.models import MeasurementType, Quantities

#: Incremented when older consumers would misunderstand a message; new keys do not need that.
SCHEMA_VERSION = 1

#: Milliseconds; as for the gateway's own times, see enphase_api.json_values.
EARLIEST, LATEST = 1_199_145_600_000, 4_102_444_800_000

#: Characters of a measurement type and of a serial number, as in the database's columns.
MAX_TEXT = 32

#: Per message: sixteen three-phase meters. Gateways know eight types of meters; one of each type counts.
MAX_SAMPLES = 64

#: Phases are 1 to 3; 0 is the whole meter.
WHOLE = 0
PHASES = 3


class Sample(NamedTuple):
    """One meter as a whole, or one phase of it, at one time."""

    #: "production", "net-consumption", "total-consumption", "storage", or another type of the firmware.
    measurement: str
    #: 0: the whole meter; 1, 2, 3: L1, L2, L3.
    phase: int
    #: The gateway's time of measurement in milliseconds since the epoch; it has whole seconds.
    measured_at: int
    #: Units and signs as in `Quantities`; None if unknown.
    quantities: Quantities


@dataclass(frozen=True, slots=True)
class Message:
    """What the meters of one gateway read at one time."""

    #: Serial number.
    gateway: str
    #: Seconds since the epoch, by the clock of the polling machine; the samples have their own times.
    timestamp: float
    #: One for each meter and each of its wired phases; nothing is calculated.
    samples: tuple[Sample, ...]
    message_id: str | None = None
    #: Batteries without a storage meter: consumption cannot be calculated from the samples. None: unknown,
    #: as in messages of Enphase-API's scripts.
    has_unmetered_batteries: bool | None = None
    #: Production is the microinverters' sum, some minutes old: it is not added to other readings.
    has_unmetered_production: bool = False

    @property
    def metered(self) -> frozenset[str]:
        """Measurement types that meters measure."""
        found = frozenset(sample.measurement for sample in self.samples)
        return found - {MeasurementType.PRODUCTION} if self.has_unmetered_production else found


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """An encoded message and its AMQP properties."""

    message_id: str
    #: Serial number.
    gateway: str
    routing_key: str
    body: bytes
