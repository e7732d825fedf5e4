"""The solar array as its microinverters know it: what it can make, and what it makes where no meter tells."""

from __future__ import annotations

import time
from dataclasses import replace

from enphase_api import CommunicationError, ResponseError
from enphase_api.local import Gateway
from enphase_api.models import Info, Inverter, MeasurementType, Quantities

from ..message import Message
from ..message.sample import WHOLE, Sample

#: Seconds between two looks: what inverters make changes every 5 minutes, what they can make hardly ever.
_LOOK, _LOOK_METERED = 300, 3_600

#: Seconds after which a report is not what an inverter makes now; some sites report once an hour.
_REPORTING = 65 * 60


class Array:
    """What the microinverters of one gateway say; asked for rarely."""

    def __init__(self) -> None:
        self._inverters: tuple[Inverter, ...] = ()
        self._next = 0.0

    @property
    def capacity(self) -> float | None:
        """W: the most that each inverter has ever reported, added up; None where there is nothing of that."""
        return sum(each.max_power or 0 for each in self._inverters) or None

    async def completed(self, gateway: Gateway, info: Info, message: Message | None) -> Message | None:
        """Give a message of the meters with production in it, from the inverters where no meter measures it.

        None where there are neither. Raises as the gateway does where there are no meters.
        """
        measured = message.samples if message is not None else ()
        is_metered = any(each.measurement == MeasurementType.PRODUCTION for each in measured)
        if time.monotonic() >= self._next:
            try:
                self._inverters = await gateway.inverters()
            except (CommunicationError, ResponseError):
                if message is None:
                    raise
            self._next = time.monotonic() + (_LOOK_METERED if is_metered and self._inverters else _LOOK)
        if is_metered or not self._inverters:
            return message
        if message is None:
            message = Message(info.serial_number, time.time(), ())
        return replace(message, samples=(*measured, self._production(message.timestamp)))

    def _production(self, now: float) -> Sample:
        """Give what all inverters make together; at night none reports, which is nothing."""
        powers = [
            each.power or 0.0
            for each in self._inverters
            if each.last_reported_at is not None and now - each.last_reported_at.timestamp() <= _REPORTING
        ]
        quantities = Quantities(active_power=sum(powers))
        return Sample(str(MeasurementType.PRODUCTION), WHOLE, round(now * 1000), quantities)
