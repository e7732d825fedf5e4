"""The solar array as its microinverters report it: peak power, production without a meter, each panel."""

from __future__ import annotations

import time
from collections.abc import Iterable

from enphase_api import CommunicationError, ResponseError
from enphase_api.local import Gateway
from enphase_api.models import (
    Info,
    Inverter,
    MeasurementType,
    Meter,
    ProductionSource,
    ProductionTotals,
    Quantities,
    unmetered_lifetime_energy,
)
from enphase_api.models.production import reported_power

from ..message import Message, from_inverters

#: Seconds between two requests: inverters report every 5 minutes; their peak power hardly changes.
POLL_INTERVAL, _METERED_POLL_INTERVAL = 300, 3_600


class InverterProduction:
    """Production of the microinverters of one gateway; requested rarely."""

    def __init__(self, *, for_display: bool = False) -> None:
        """`for_display`: also find the array's peak power, and repeat its production with every reading.

        For storage, each value is taken once: a repeated value would be an invented reading.
        """
        self.for_display = for_display
        self._inverters: tuple[Inverter, ...] = ()
        self._counted: ProductionSource | None = None
        self._energy: float | None = None
        self._counts_totals = False
        self._next = 0.0

    @property
    def capacity(self) -> float | None:
        """W: the sum of the highest power of each inverter; None if unknown."""
        return sum(each.max_power or 0 for each in self._inverters) or None

    async def complete(
        self, gateway: Gateway, info: Info, meters: Iterable[Meter], message: Message
    ) -> Message:
        """Return the message with the inverters' production, unless a meter measures it.

        It is unchanged without inverters and between two requests; for storage, also if there are other
        meters, as production that is minutes old would be added to theirs. Raises as the gateway does if the
        message would be empty.
        """
        meters = tuple(meters)
        is_metered = any(
            meter.enabled and meter.measurement_type == MeasurementType.PRODUCTION for meter in meters
        )
        if not self.for_display and (is_metered or message.samples):
            return message
        is_due = time.monotonic() >= self._next
        if is_due:
            try:
                self._inverters = await gateway.inverters()
                # Without a meter, production is the gateway's own sum, as in Home Assistant.
                self._counted = None if is_metered else (await gateway.production()).inverters
                if not self.for_display:
                    self._energy = self._lifetime(info, meters, await gateway.production_totals())
            except (CommunicationError, ResponseError):
                if not message.samples:
                    raise
                is_due = False
            interval = _METERED_POLL_INTERVAL if is_metered and self._inverters else POLL_INTERVAL
            self._next = time.monotonic() + interval
        if is_metered or not self._inverters or not (is_due or self.for_display):
            return message
        power = reported_power(self._inverters, self._counted, gateway.now)
        quantities = Quantities(active_power=power, energy_delivered=self._energy)
        return message.with_unmetered_production(quantities, round(message.timestamp * 1000))

    def _lifetime(self, info: Info, meters: Iterable[Meter], totals: ProductionTotals | None) -> float | None:
        """Return the array's lifetime energy (Wh); None if its counter has no value now.

        There are two counters: the one in use is not replaced by the other for a single response.
        """
        if self._counts_totals and (totals is None or totals.is_empty):
            return None
        energy = unmetered_lifetime_energy(info, meters, totals, self._counted)
        self._counts_totals = energy is not None and totals is not None and energy == totals.lifetime_energy
        return energy


class InverterReports:
    """The last report of each microinverter of one gateway; requested every five minutes."""

    def __init__(self) -> None:
        self._next = 0.0
        #: The times of the last reports; empty before the first request.
        self._newest: dict[str, int] = {}

    @property
    def is_due(self) -> bool:
        """Whether five minutes have passed since the last request."""
        return time.monotonic() >= self._next

    async def read(self, gateway: Gateway, info: Info) -> list[Message]:
        """Return all last reports, if one of them is new.

        Those of silent microinverters are in the first answer only. Raises as the gateway does.
        """
        self._next = time.monotonic() + POLL_INTERVAL
        details = await gateway.device_data()
        inverters: Iterable[Inverter]
        if details is not None and details.is_complete:
            inverters = details.inverters
        else:
            listed = await gateway.inverters()
            inverters = listed if details is None else details.merge(listed)
        if self._newest:
            inverters = [each for each in inverters if not each.is_silent(gateway.now)]
        messages = from_inverters(inverters, info.serial_number, time.time())
        newest = {each.serial_number: each.measured_at for message in messages for each in message.inverters}
        is_new = not newest.items() <= self._newest.items()
        self._newest |= newest
        return messages if is_new else []
