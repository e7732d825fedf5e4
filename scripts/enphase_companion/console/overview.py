"""The answers of a gateway at one time, and the values derived from them for page, line and JSON."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Self, TypeVar

from enphase_api import CommunicationError, ResponseError
from enphase_api.local import Gateway
from enphase_api.models import (
    Batteries,
    DryContact,
    Generator,
    Info,
    Inverter,
    MeasurementType,
    Meter,
    Production,
    ProductionSource,
    ProductionTotals,
    Quantities,
    Readings,
    Site,
    Storage,
    Tariff,
    unmetered_lifetime_energy,
)
from enphase_api.models.production import rated_power, reported_power
from enphase_api.quirks import believable_today

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Overview:
    """Answers of a gateway. A slow endpoint that failed is None, and `problems` has the reason."""

    host: str
    info: Info
    meters: tuple[Meter, ...] = ()
    readings: Readings = field(default_factory=lambda: Readings(()))
    production: Production | None = None
    totals: ProductionTotals | None = None
    #: As they last reported, however long ago.
    found_inverters: tuple[Inverter, ...] | None = None
    found_batteries: Batteries | None = None
    #: How the batteries are used; None without batteries.
    storage: Storage | None = None
    generator: Generator | None = None
    generator_mode: str | None = None
    #: Whether it may charge the batteries.
    generator_charging: bool | None = None
    #: None if the owner has entered none.
    tariff: Tariff | None = None
    #: Those of the System Controller.
    contacts: tuple[DryContact, ...] = ()
    problems: tuple[str, ...] = ()
    #: From Home Assistant, which offers no more of batteries: they have no meter.
    has_unmetered_batteries: bool = False
    #: From Home Assistant: the sum of the microinverters, if no meter measures it.
    unmetered_production: Quantities | None = None
    #: The gateway's own time at the latest answer (UTC); None: use the timestamps of the answers.
    gateway_time: datetime | None = None

    @classmethod
    async def read(cls, gateway: Gateway, info: Info) -> Self:
        """Request everything once, the meters first. Raises as `api_call` does if these fail."""
        start = cls(host=gateway.host, info=info, meters=await gateway.meters())
        return await (await start.with_readings(gateway)).with_slow_endpoints(gateway)

    async def with_readings(self, gateway: Gateway) -> Self:
        """Return this with new readings, which is one small request. Raises as `api_call` does."""
        readings = await gateway.readings(self.meters) if self.has_enabled_meters else self.readings
        return replace(self, readings=readings, gateway_time=gateway.now)

    async def with_slow_endpoints(self, gateway: Gateway) -> Self:
        """Return this with the slow endpoints requested again; `problems` names those that fail."""
        problems: list[str] = []

        async def request(answer: Awaitable[_T], before: _T) -> _T:
            try:
                return await answer
            except (ResponseError, CommunicationError) as error:
                problems.append(str(error))
                return before

        inverters = await request(_read_inverters(gateway), self.found_inverters)
        batteries = await request(gateway.batteries(), self.found_batteries)
        storage, generator, contacts = self.storage, self.generator, self.contacts
        mode, charging = self.generator_mode, self.generator_charging
        if batteries is not None and batteries.units:
            storage = await request(gateway.control.storage(), storage)
        if batteries is not None and batteries.controllers:
            generator = await request(gateway.generator(), generator)
            if generator is not None:
                mode = await request(gateway.control.generator_mode(), mode)
                charging = await request(gateway.control.generator_charging(), charging)
            contacts = await request(gateway.dry_contacts(), contacts)
        tariff = await request(gateway.tariff(), self.tariff)
        production = await request(gateway.production(), self.production)
        totals = self.totals
        if not self.is_metered(MeasurementType.PRODUCTION):
            totals = await request(gateway.production_totals(), self.totals)
        if batteries is not None and production is not None:
            batteries = batteries.with_ac(production.ac_batteries)
        return replace(
            self,
            found_inverters=inverters,
            found_batteries=batteries,
            storage=storage,
            tariff=tariff,
            generator=generator,
            generator_mode=mode,
            generator_charging=charging,
            contacts=contacts,
            production=production,
            totals=totals,
            problems=tuple(problems),
            gateway_time=gateway.now,
        )

    async def with_identity(self, gateway: Gateway) -> Self:
        """Return this with a new identity and list of meters. Raises as `api_call` does."""
        info, meters = await gateway.info(), await gateway.meters()
        return replace(self, info=info, meters=meters, gateway_time=gateway.now)

    @property
    def at(self) -> datetime:
        """The latest timestamp of the answers, by the gateway's clock (UTC)."""
        reported_at = None if self._inverters_sum is None else self._inverters_sum.measured_at
        known = [self.readings.measured_at, self.info.time, reported_at]
        return max((at for at in known if at is not None), default=datetime.now(UTC))

    @property
    def _now(self) -> datetime:
        return self.at if self.gateway_time is None else self.gateway_time

    @property
    def site(self) -> Site:
        """Powers and energies of the site; without a production meter, of the inverters."""
        site = Site.from_readings(
            self.readings,
            metered={meter.measurement_type for meter in self.meters if meter.enabled},
            unmetered_batteries=self.has_batteries and not self.is_metered(MeasurementType.STORAGE),
            battery_power=None if self.batteries is None else self.batteries.power,
            grid_connected=None if self.batteries is None else self.batteries.grid_connected,
        )
        if self.is_metered(MeasurementType.PRODUCTION):
            return site
        if (reported := self.unmetered_production) is not None:
            return replace(
                site, production_power=reported.active_power, produced_energy=reported.energy_delivered
            )
        return replace(
            site,
            production_power=self.reported_power,
            produced_energy=unmetered_lifetime_energy(
                self.info, self.meters, self.totals, self._inverters_sum
            ),
        )

    @property
    def prices(self) -> tuple[float | None, float | None]:
        """The present prices of imported and exported energy, per kWh in the tariff's currency."""
        if self.tariff is None:
            return None, None
        return self.tariff.import_price(self.local_time), self.tariff.export_price(self.local_time)

    @property
    def local_time(self) -> datetime:
        """The time of the answers in the zone of this machine, which should be that of the gateway."""
        return self.at.astimezone()

    @property
    def reported_power(self) -> float | None:
        """Sum of the reported powers in W; None once no inverter reports, as at night."""
        return reported_power(self.inverters, self._inverters_sum, self._now)

    @property
    def last_reported_at(self) -> datetime | None:
        """Time of the latest report of an inverter."""
        return max(
            (each.last_reported_at for each in self.inverters or () if each.last_reported_at), default=None
        )

    def is_reporting(self, inverter: Inverter) -> bool:
        """Whether an inverter's last report is recent; none is at night."""
        return not inverter.is_silent(self._now)

    @property
    def inverters(self) -> tuple[Inverter, ...] | None:
        """Each microinverter; the power of a silent one is None."""
        if self.found_inverters is None:
            return None
        return tuple(inverter.as_of(self._now) for inverter in self.found_inverters)

    @property
    def batteries(self) -> Batteries | None:
        """All batteries; the power of silent ones is None."""
        return None if self.found_batteries is None else self.found_batteries.as_of(self._now)

    @property
    def _inverters_sum(self) -> ProductionSource | None:
        return self.production.inverters if self.production is not None else None

    @property
    def has_enabled_meters(self) -> bool:
        """Whether any meter is enabled."""
        return any(meter.enabled for meter in self.meters)

    def is_metered(self, measurement_type: str) -> bool:
        """Whether an enabled meter measures this type."""
        return any(meter.enabled and meter.measurement_type == measurement_type for meter in self.meters)

    @property
    def has_consumption(self) -> bool:
        """Whether consumption is measured or can be calculated."""
        return self.is_metered(MeasurementType.NET_CONSUMPTION) or self.is_metered(
            MeasurementType.TOTAL_CONSUMPTION
        )

    @property
    def has_batteries(self) -> bool:
        """Whether there is a battery, or a meter of one."""
        are_there = self.batteries is not None and self.batteries.are_there
        return are_there or self.has_unmetered_batteries or self.is_metered(MeasurementType.STORAGE)

    @property
    def produced_today(self) -> float | None:
        """Wh since midnight; None if the firmware's value is implausible."""
        if self.production is None or self.inverters is None:
            return None
        metered = self.is_metered(MeasurementType.PRODUCTION)
        source = self.production.meter if metered else self._inverters_sum
        if source is None:
            return None
        return believable_today(source.energy_today, source.lifetime_energy, rated_power(self.inverters))


async def _read_inverters(gateway: Gateway) -> tuple[Inverter, ...]:
    """Return the microinverters, with all that they report where the gateway has it.

    Raises as `api_call` does if the list cannot be read.
    """
    try:
        details = await gateway.device_data()
    except (ResponseError, CommunicationError):
        # It is the first endpoint to hang when a gateway is busy.
        details = None
    if details is None:
        return await gateway.inverters()
    return details.inverters if details.is_complete else details.merge(await gateway.inverters())
