"""The two powers that the displays show, out of a message."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime

from enphase_api.models import MeasurementType, Meter, Reading, Readings, Site

from ..message import Message
from ..message.sample import WHOLE

_LOGGER = logging.getLogger(__name__)

#: Other gateways that are named in the log; whoever sends can invent as many as they like.
_MOST_NAMED = 5

#: Whose the messages of Enphase-API's scripts are where nothing is set: they do not say, and there is one.
UNNAMED = "unnamed"


@dataclass(frozen=True, slots=True)
class Powers:
    """W at one moment; None where it is not metered."""

    production: float | None
    consumption: float | None
    #: Seconds since the epoch, by the clock of who read it.
    read_at: float

    @classmethod
    def from_message(cls, message: Message) -> Powers:
        """Return what a message says of them; consumption is worked out where no meter measures it."""
        wholes = [sample for sample in message.samples if sample.phase == WHOLE]
        readings = tuple(
            Reading(
                meter=Meter(eid=number, measurement_type=sample.measurement, enabled=True),
                measured_at=datetime.fromtimestamp(sample.measured_at / 1000, UTC),
                total=sample.quantities,
                phases=(),
            )
            for number, sample in enumerate(wholes)
        )
        # Enphase-API's messages do not say whether there are batteries, and have a total of their own.
        unmetered_batteries = message.unmetered_batteries is True or (
            message.unmetered_batteries is None and MeasurementType.TOTAL_CONSUMPTION in message.metered
        )
        site = Site.from_readings(
            Readings(readings), metered=message.metered, unmetered_batteries=unmetered_batteries
        )
        return cls(site.production_power, site.home_power, message.timestamp)


class OneGateway:
    """Tells the messages of one gateway from those of others on the same broker."""

    def __init__(self, serial_number: str | None) -> None:
        """Without `serial_number` it is the one whose message comes first."""
        self._serial_number = serial_number
        self._others: set[str] = set()

    def is_its(self, message: Message) -> bool:
        """Return whether it is this gateway's message; the first of another gateway is logged."""
        self._serial_number = self._serial_number or message.gateway
        if message.gateway == self._serial_number:
            return True
        if message.gateway not in self._others and len(self._others) < _MOST_NAMED:
            self._others.add(message.gateway)
            _LOGGER.warning(
                "Readings of gateway %s come too. Those of %s are shown; gateway_serial_number says whose.",
                message.gateway,
                self._serial_number,
            )
        return False
