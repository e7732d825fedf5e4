"""A sample: what one meter, or one wired phase of it, said at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from enphase_api.models import Quantities

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
