"""All that a gateway says at one moment, and the few conclusions that a page, a line and a document share."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Self, TypeVar

from enphase_api import CommunicationError, ResponseError
from enphase_api.local import Gateway
from enphase_api.models import (
    Batteries,
    Info,
    Inverter,
    MeasurementType,
    Meter,
    Production,
    ProductionSource,
    Readings,
    Site,
)
from enphase_api.quirks import believable_today

#: Inverters report every 5 minutes, on some sites every hour (Enphase calls it the polling configuration):
#: what is older than that is no longer what they make now.
_REPORTING = timedelta(minutes=65)

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Overview:
    """What a gateway says. What one of the slow pages did not answer is None, and `problems` says why."""

    host: str
    info: Info
    meters: tuple[Meter, ...] = ()
    readings: Readings = field(default_factory=lambda: Readings(()))
    production: Production | None = None
    inverters: tuple[Inverter, ...] | None = None
    batteries: Batteries | None = None
    problems: tuple[str, ...] = ()

    @classmethod
    async def read(cls, gateway: Gateway, info: Info) -> Self:
        """Ask for everything once, the meters first. Raises as `api_call` does where these fail."""
        start = cls(host=gateway.host, info=info, meters=await gateway.meters())
        return await (await start.with_readings(gateway)).with_slow_pages(gateway)

    async def with_readings(self, gateway: Gateway) -> Self:
        """Give this with the meters read anew, which is one small request. Raises as `api_call` does."""
        return (
            replace(self, readings=await gateway.readings(self.meters)) if self.has_enabled_meters else self
        )

    async def with_slow_pages(self, gateway: Gateway) -> Self:
        """Give this with all else asked anew, which takes a gateway seconds; `problems` names what fails."""
        problems: list[str] = []

        async def asked(answer: Awaitable[_T], before: _T) -> _T:
            try:
                return await answer
            except (ResponseError, CommunicationError) as error:
                problems.append(str(error))
                return before

        inverters = await asked(gateway.inverters(), self.inverters)
        batteries = await asked(gateway.batteries(), self.batteries)
        production = await asked(gateway.production(), self.production)
        if batteries is not None and production is not None:
            batteries = batteries.with_ac(production.ac_batteries)
        return replace(
            self,
            inverters=inverters,
            batteries=batteries,
            production=production,
            problems=tuple(problems),
        )

    async def with_identity(self, gateway: Gateway) -> Self:
        """Give this with the gateway's clock and its list of meters anew. Raises as `api_call` does."""
        return replace(self, info=await gateway.info(), meters=await gateway.meters())

    @property
    def at(self) -> datetime:
        """The newest time that the gateway has named, by its own clock (UTC)."""
        known = [self.readings.measured_at, self.info.time, self._made.measured_at if self._made else None]
        return max((at for at in known if at is not None), default=datetime.now(UTC))

    @property
    def site(self) -> Site:
        """What flows where. Where no production meter is enabled, production is what the inverters report."""
        site = Site.from_readings(
            self.readings,
            metered={meter.measurement_type for meter in self.meters if meter.enabled},
            unmetered_batteries=self.has_batteries and not self.is_metered(MeasurementType.STORAGE),
            battery_power=self.batteries.power if self.batteries is not None else None,
        )
        if self._made is None or self.is_metered(MeasurementType.PRODUCTION):
            return site
        return replace(site, production_power=self.reported_power, produced_energy=self._made.lifetime_energy)

    @property
    def reported_power(self) -> float | None:
        """W that all inverters together report; nothing once none reports any more, as at night."""
        if self._made is None:
            return None
        return self._made.power if self._is_new(self._made.measured_at) else 0.0

    @property
    def last_reported_at(self) -> datetime | None:
        """When an inverter last reported."""
        return max(
            (each.last_reported_at for each in self.inverters or () if each.last_reported_at), default=None
        )

    def is_reporting(self, inverter: Inverter) -> bool:
        """Whether an inverter's last report is new enough to be what it makes now; none is at night."""
        return self._is_new(inverter.last_reported_at)

    def _is_new(self, reported_at: datetime | None) -> bool:
        return reported_at is not None and self.at - reported_at <= _REPORTING

    @property
    def _made(self) -> ProductionSource | None:
        return self.production.inverters if self.production is not None else None

    @property
    def has_enabled_meters(self) -> bool:
        """Whether there is anything to read."""
        return any(meter.enabled for meter in self.meters)

    def is_metered(self, measurement_type: str) -> bool:
        """Whether an enabled meter measures this."""
        return any(meter.enabled and meter.measurement_type == measurement_type for meter in self.meters)

    @property
    def has_consumption(self) -> bool:
        """Whether the home's consumption is measured, or follows from the grid's."""
        return self.is_metered(MeasurementType.NET_CONSUMPTION) or self.is_metered(
            MeasurementType.TOTAL_CONSUMPTION
        )

    @property
    def has_batteries(self) -> bool:
        """Whether there is a battery, or a meter of one."""
        are_there = self.batteries is not None and self.batteries.are_there
        return are_there or self.is_metered(MeasurementType.STORAGE)

    @property
    def produced_today(self) -> float | None:
        """Wh since midnight, where what the firmware says of it can be believed."""
        if self.production is None:
            return None
        metered = self.is_metered(MeasurementType.PRODUCTION)
        made = self.production.meter if metered else self._made
        rated = sum(inverter.max_power or 0 for inverter in self.inverters or ())
        return None if made is None else believable_today(made.energy_today, made.lifetime_energy, rated)
