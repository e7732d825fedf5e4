"""The solar array as its microinverters know it: what it can make, and what it makes where no meter tells."""

from __future__ import annotations

import time
from dataclasses import replace

from enphase_api import CommunicationError, ResponseError
from enphase_api.local import Gateway
from enphase_api.models import Inverter, MeasurementType, ProductionSource, Quantities
from enphase_api.models.production import reported_power

from ..message import Message
from ..message.sample import WHOLE, Sample

#: Seconds between two looks: what inverters make changes every 5 minutes, what they can make hardly ever.
LOOK, _LOOK_METERED = 300, 3_600


class Array:
    """What the microinverters of one gateway say; asked for rarely."""

    def __init__(self, *, for_display: bool = False) -> None:
        """`for_display`: learn what the array can make, too, and repeat its production with every reading.

        What is stored is taken once: a reading between two looks would claim to know what nobody has asked.
        """
        self.for_display = for_display
        self._inverters: tuple[Inverter, ...] = ()
        self._counted: ProductionSource | None = None
        self._next = 0.0

    @property
    def capacity(self) -> float | None:
        """W: the most that each inverter has ever reported, added up; None where there is nothing of that."""
        return sum(each.max_power or 0 for each in self._inverters) or None

    async def completed(self, gateway: Gateway, message: Message, *, is_metered: bool) -> Message:
        """Return a message with production from the inverters in it, unless a meter measures that.

        It stays as it is where there are none, and between two looks; where it is stored, also beside other
        meters: production that is minutes old would be added up with them. Raises as the gateway does where
        the message is empty otherwise.
        """
        if not self.for_display and (is_metered or message.samples):
            return message
        is_due = time.monotonic() >= self._next
        if is_due:
            try:
                self._inverters = await gateway.inverters()
                # Without a meter, production is the gateway's own sum, as in Home Assistant.
                self._counted = None if is_metered else (await gateway.production()).inverters
            except (CommunicationError, ResponseError):
                if not message.samples:
                    raise
                is_due = False
            self._next = time.monotonic() + (_LOOK_METERED if is_metered and self._inverters else LOOK)
        if is_metered or not self._inverters or not (is_due or self.for_display):
            return message
        power = reported_power(self._inverters, self._counted, gateway.now)
        at = round(message.timestamp * 1000)
        made = Sample(str(MeasurementType.PRODUCTION), WHOLE, at, Quantities(active_power=power))
        return replace(message, samples=(*message.samples, made), production_is_reported=True)
