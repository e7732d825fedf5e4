"""What the coordinator knows of a gateway at one moment, put together from the answers of its pages."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from .const import ProductionFrom
from .enphase_api.models import (
    Batteries,
    Info,
    Inverter,
    MeasurementType,
    Meter,
    Production,
    ProductionSource,
    ProductionTotals,
    Quantities,
    Reading,
    Readings,
    Site,
)
from .enphase_api.models.production import reported_power


@dataclass(frozen=True, kw_only=True)
class GatewayData:
    """The newest answer of each page; None where one has not answered yet."""

    info: Info
    #: Disabled ones included.
    meters: tuple[Meter, ...]
    production_from: ProductionFrom
    readings: Readings = field(default_factory=lambda: Readings(()))
    #: Only where production comes from the microinverters, or there are AC Batteries.
    production: Production | None = None
    #: Only where production is counted there.
    totals: ProductionTotals | None = None
    #: As they last reported, however long ago.
    found_inverters: Mapping[str, Inverter] | None = None
    #: Serial numbers among these that another gateway's entry shows, as it lists them too.
    foreign_inverters: frozenset[str] = frozenset()
    #: Likewise, without what AC Batteries do now, which `production` says.
    found_batteries: Batteries | None = None
    #: Whether home's energy falls again and again, so that what is worked out is not the home.
    home_falls: bool = False
    #: The gateway's own time when the newest answer came (UTC): what is silent by then does nothing known.
    at: datetime

    @cached_property
    def enabled_meters(self) -> tuple[Meter, ...]:
        """The meters that measure something."""
        return tuple(meter for meter in self.meters if meter.enabled)

    @cached_property
    def types(self) -> frozenset[str]:
        """What is metered."""
        return frozenset(meter.measurement_type for meter in self.enabled_meters)

    @cached_property
    def batteries(self) -> Batteries | None:
        """All batteries, AC Batteries included."""
        if self.found_batteries is None:
            return None
        ac = None if self.production is None else self.production.ac_batteries
        return self.found_batteries.with_ac(ac).as_of(self.at)

    @cached_property
    def inverters(self) -> Mapping[str, Inverter] | None:
        """The microinverters that have reported to this gateway, and to no other since; by serial number."""
        if self.found_inverters is None:
            return None
        return {
            serial_number: inverter.as_of(self.at)
            for serial_number, inverter in self.found_inverters.items()
            if inverter.last_reported_at is not None and serial_number not in self.foreign_inverters
        }

    @cached_property
    def has_ac_batteries(self) -> bool:
        """Whether AC Batteries are there, or may be."""
        if self.batteries is None:
            return False
        if self.batteries.has_ac is None and self.production is None:
            # Only the page that has not answered yet can tell.
            return True
        return self.batteries.ac is not None or self.batteries.has_ac is True

    @cached_property
    def inverters_sum(self) -> ProductionSource | None:
        """What the microinverters make in sum."""
        return None if self.production is None else self.production.inverters

    @cached_property
    def counted_by(self) -> ProductionFrom | None:
        """Where production without a meter is counted; None where what has answered cannot tell."""
        if ProductionTotals.are_stalled(self.info, self.meters):
            return ProductionFrom.INVERTERS
        if self.totals is None or self.totals.lifetime_energy is None:
            return None
        if not self.totals.is_empty:
            return ProductionFrom.TOTALS
        # A gateway that has just started says 0 of everything.
        made = self.inverters_sum
        return ProductionFrom.INVERTERS if made is not None and made.lifetime_energy else None

    @property
    def _unmetered_energy(self) -> float | None:
        counts = self.totals if self.production_from is ProductionFrom.TOTALS else self.inverters_sum
        return None if counts is None else counts.lifetime_energy

    @cached_property
    def has_unmetered_batteries(self) -> bool:
        """Whether batteries are there, or may be, that no storage meter measures."""
        may_be_there = self.batteries is None or self.batteries.are_there or self.has_ac_batteries
        return may_be_there and MeasurementType.STORAGE not in self.types

    @cached_property
    def structure(self) -> tuple[object, ...]:
        """What decides which entities there are."""
        return (
            self._metered,
            tuple(tuple(self.wired_phases(meter)) for meter in self.enabled_meters),
            frozenset(self.inverters or ()),
            None if self.batteries is None else tuple(unit.serial_number for unit in self.batteries.units),
            None if self.batteries is None else self.batteries.grid_connected is not None,
            self.has_ac_batteries,
        )

    def lacks_what_was_in(self, before: GatewayData) -> bool:
        """Whether meters have gone, or kinds of batteries have come or gone: home is another sum then."""
        if not before._metered <= self._metered:
            return True
        if self._kinds is None:
            return False
        if before._kinds is None:
            # Home was set up as if there were batteries, and would wait for a page that says nothing of it.
            return before.has_unmetered_batteries and not self.has_unmetered_batteries
        return self._kinds != before._kinds

    @cached_property
    def _metered(self) -> frozenset[tuple[int, str]]:
        return frozenset((meter.eid, meter.measurement_type) for meter in self.enabled_meters)

    @cached_property
    def _kinds(self) -> tuple[bool, bool] | None:
        """Whether there are IQ Batteries, and AC Batteries; None where it is not known yet."""
        return None if self.batteries is None else (bool(self.batteries.units), self.has_ac_batteries)

    @cached_property
    def site(self) -> Site:
        """What flows where."""
        site = Site.from_readings(
            self.readings,
            metered=self.types,
            unmetered_batteries=self.has_unmetered_batteries,
            battery_power=None if self.batteries is None else self.batteries.power,
            grid_connected=None if self.batteries is None else self.batteries.grid_connected,
        )
        if self.home_falls:
            site = replace(site, home_power=None, consumed_energy=None)
        if self.production_from is ProductionFrom.METER:
            return site
        made = self.inverters_sum
        found = None if self.found_inverters is None else self.found_inverters.values()
        return replace(
            site,
            production_power=reported_power(found, made, self.at),
            produced_energy=self._unmetered_energy,
        )

    def meter(self, eid: int) -> Meter | None:
        """Return an enabled meter; None where it is none any more."""
        return next((meter for meter in self.enabled_meters if meter.eid == eid), None)

    @cached_property
    def by_eid(self) -> Mapping[int, Reading]:
        """The enabled meters' readings."""
        return {reading.meter.eid: reading for reading in self.readings}

    def quantities(self, eid: int, phase: int | None) -> Quantities | None:
        """Return what a meter, or one of its phases (0 to 2), reads; None where it says nothing."""
        reading = self.by_eid.get(eid)
        if reading is None or phase is None:
            return None if reading is None else reading.total
        return reading.phases[phase] if phase < len(reading.phases) else None

    def wired_phases(self, meter: Meter) -> Iterator[int]:
        """Yield the wired phases of a meter; none of a single-phase meter, which is its own phase."""
        reading = self.by_eid.get(meter.eid)
        if reading is not None and meter.phase_count > 1:
            yield from (number for number, phase in enumerate(reading.phases) if phase is not None)
