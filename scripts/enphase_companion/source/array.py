"""The solar array as its microinverters know it: what it can make, and what it makes where no meter tells."""

from __future__ import annotations

import time
from dataclasses import replace

from enphase_api import CommunicationError, ResponseError
from enphase_api.local import Gateway
from enphase_api.models import Inverter, MeasurementType, Quantities

from ..message import Message
from ..message.sample import WHOLE, Sample

#: Seconds between two looks: what inverters make changes every 5 minutes, what they can make hardly ever.
LOOK, _LOOK_METERED = 300, 3_600

#: Seconds after which a report is not what an inverter makes now; some sites report once an hour.
_REPORTING = 65 * 60


class Array:
    """What the microinverters of one gateway say; asked for rarely."""

    def __init__(self, *, for_display: bool = False) -> None:
        """`for_display`: learn what the array can make, too, and repeat its production with every reading.

        What is stored is taken once: a reading between two looks would claim to know what nobody has asked.
        """
        self.for_display = for_display
        self._inverters: tuple[Inverter, ...] = ()
        self._next = 0.0

    @property
    def capacity(self) -> float | None:
        """W: the most that each inverter has ever reported, added up; None where there is nothing of that."""
        return sum(each.max_power or 0 for each in self._inverters) or None

    async def completed(self, gateway: Gateway, message: Message, *, is_metered: bool) -> Message:
        """Return a message with production from the inverters in it, unless a meter measures that.

        It stays as it is where there are none, and between two looks. Raises as the gateway does where the
        message is empty otherwise.
        """
        if is_metered and not self.for_display:
            return message
        is_due = time.monotonic() >= self._next
        if is_due:
            try:
                self._inverters = await gateway.inverters()
            except (CommunicationError, ResponseError):
                if not message.samples:
                    raise
                is_due = False
            self._next = time.monotonic() + (_LOOK_METERED if is_metered and self._inverters else LOOK)
        if is_metered or not self._inverters or not (is_due or self.for_display):
            return message
        return replace(message, samples=(*message.samples, self._production(message.timestamp)))

    def _production(self, now: float) -> Sample:
        """Return what all inverters make together; at night none reports, which is nothing."""
        powers = [
            each.power or 0.0
            for each in self._inverters
            if each.last_reported_at is not None and now - each.last_reported_at.timestamp() <= _REPORTING
        ]
        quantities = Quantities(active_power=sum(powers))
        return Sample(str(MeasurementType.PRODUCTION), WHOLE, round(now * 1000), quantities)
