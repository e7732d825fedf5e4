"""The solar array as its microinverters know it: what it can make, and what it makes where no meter tells."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace

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

from ..message import Message
from ..message.model import WHOLE, Sample

#: Seconds between two looks: what inverters make changes every 5 minutes, what they can make hardly ever.
LOOK, _LOOK_METERED = 300, 3_600


class InverterProduction:
    """What the microinverters of one gateway say; asked for rarely."""

    def __init__(self, *, for_display: bool = False) -> None:
        """`for_display`: learn what the array can make, too, and repeat its production with every reading.

        What is stored is taken once: a reading between two looks would claim to know what nobody has asked.
        """
        self.for_display = for_display
        self._inverters: tuple[Inverter, ...] = ()
        self._counted: ProductionSource | None = None
        self._energy: float | None = None
        self._counts_totals = False
        self._next = 0.0

    @property
    def capacity(self) -> float | None:
        """W: the most that each inverter has ever reported, added up; None where there is nothing of that."""
        return sum(each.max_power or 0 for each in self._inverters) or None

    async def completed(
        self, gateway: Gateway, info: Info, meters: Iterable[Meter], message: Message
    ) -> Message:
        """Return a message with production from the inverters in it, unless one of the meters measures it.

        It stays as it is where there are none, and between two looks; where it is stored, also beside other
        meters: production that is minutes old would be added up with them. Raises as the gateway does where
        the message is empty otherwise.
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
            self._next = time.monotonic() + (_LOOK_METERED if is_metered and self._inverters else LOOK)
        if is_metered or not self._inverters or not (is_due or self.for_display):
            return message
        power = reported_power(self._inverters, self._counted, gateway.now)
        at = round(message.timestamp * 1000)
        said = Quantities(active_power=power, energy_delivered=self._energy)
        made = Sample(str(MeasurementType.PRODUCTION), WHOLE, at, said)
        return replace(message, samples=(*message.samples, made), has_unmetered_production=True)

    def _lifetime(self, info: Info, meters: Iterable[Meter], totals: ProductionTotals | None) -> float | None:
        """Return the energy (Wh) that the array ever produced; None where what counted it says nothing now.

        Two counters are not one: what has counted once is not replaced by the other for a single answer.
        """
        if self._counts_totals and (totals is None or totals.is_empty):
            return None
        energy = unmetered_lifetime_energy(info, meters, totals, self._counted)
        self._counts_totals = energy is not None and totals is not None and energy == totals.lifetime_energy
        return energy
