"""The data of the coordinator, combined from the latest responses of all endpoints."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from homeassistant.util import dt as dt_util

from .battery_energy import BatteryEnergy
from .const import EnergySource
from .endpoints import Endpoint
from .enphase_api import quirks
from .enphase_api.models import (
    Batteries,
    Battery,
    DeviceData,
    DryContact,
    Generator,
    Info,
    Inverter,
    InverterDetails,
    Live,
    MeasurementType,
    Meter,
    Production,
    ProductionSource,
    ProductionTotals,
    Quantities,
    Reading,
    Readings,
    Site,
    Storage,
    Tariff,
    has_energy_in_totals,
)
from .enphase_api.models.ensemble import EnsembleDevice
from .enphase_api.models.production import reported_power
from .enphase_api.models.site import grid_terms, home_terms

#: By field of the site, the field of the live status.
LIVE_POWERS = {
    "production_power": "solar_power",
    "grid_power": "grid_power",
    "home_power": "load_power",
    "battery_power": "storage_power",
}

#: A device of the batteries' endpoints.
type Device = Battery | EnsembleDevice | Generator | DryContact

#: Endpoints of devices that are connected to a System Controller.
_OF_CONTROLLER = frozenset({Endpoint.DRY_CONTACTS, Endpoint.GENERATOR, Endpoint.GENERATOR_MODE})


@dataclass(frozen=True, kw_only=True)
class GatewayData:
    """The latest response of each endpoint; None before the first one."""

    info: Info
    #: Including disabled ones.
    meters: tuple[Meter, ...]
    production_source: EnergySource
    readings: Readings = field(default_factory=lambda: Readings(()))
    #: Only if production is read from the microinverters, or if there are AC Batteries.
    production: Production | None = None
    #: Only if they are the source of the production energy.
    totals: ProductionTotals | None = None
    #: All that the gateway lists, with their last reports, however old.
    listed_inverters: Mapping[str, Inverter] | None = None
    #: Serial numbers of those that belong to the entry of another gateway, which lists them too.
    foreign_inverters: frozenset[str] = frozenset()
    #: The details of at most 50 microinverters; None if the gateway lacks the endpoint.
    device_data: DeviceData | None = None
    #: All that the gateway lists, without the power of AC Batteries, which is in `production`.
    listed_batteries: Batteries | None = None
    #: Of batteries that no meter measures; None if unknown.
    battery_energy: BatteryEnergy | None = None
    #: How the batteries are used.
    storage: Storage | None = None
    #: "off", "on" or "auto".
    generator_mode: str | None = None
    #: Whether the generator may charge the batteries.
    generator_charging: bool | None = None
    #: Whether production is switched on; only with the token of an installer.
    production_switch: bool | None = None
    dry_contacts: tuple[DryContact, ...] = ()
    generator: Generator | None = None
    #: Whether powers that no meter measures are read from the live status.
    has_live: bool = False
    live: Live | None = None
    #: Whether each AC Battery is told to sleep, by serial number; only if the gateway may be changed.
    ac_battery_sleep: Mapping[str, bool] | None = None
    #: The prices that the owner entered; None without a currency.
    tariff: Tariff | None = None
    #: Whether the home energy decreases again and again: the meters do not measure all that feeds the home.
    is_home_decreasing: bool = False
    #: The time (UTC) by the clock of the gateway at the latest response, to detect silent devices.
    gateway_time: datetime

    @cached_property
    def enabled_meters(self) -> tuple[Meter, ...]:
        """The meters that are enabled."""
        return tuple(meter for meter in self.meters if meter.enabled)

    @cached_property
    def metered_types(self) -> frozenset[str]:
        """The types of the enabled meters."""
        return frozenset(meter.measurement_type for meter in self.enabled_meters)

    @cached_property
    def batteries(self) -> Batteries | None:
        """All batteries, including AC Batteries."""
        if self.listed_batteries is None:
            return None
        ac = None if self.production is None else self.production.ac_batteries
        return self.listed_batteries.with_ac(ac).as_of(self.gateway_time)

    @cached_property
    def inverters(self) -> Mapping[str, Inverter] | None:
        """The microinverters that report to this gateway, by serial number."""
        if self._reporting_inverters is None:
            return None
        return {
            serial_number: inverter.as_of(self.gateway_time)
            for serial_number, inverter in self._reporting_inverters.items()
        }

    @cached_property
    def _reporting_inverters(self) -> Mapping[str, Inverter] | None:
        """The last reports of these microinverters, however old."""
        if self.listed_inverters is None:
            return None
        removed = frozenset() if self.device_data is None else self.device_data.removed
        return {
            serial_number: inverter
            for serial_number, inverter in self.listed_inverters.items()
            if inverter.last_reported_at is not None
            and serial_number not in self.foreign_inverters
            and serial_number not in removed
        }

    @cached_property
    def inverter_details(self) -> Mapping[str, InverterDetails]:
        """The details of the microinverters that report to this gateway, as far as it has them."""
        if self.device_data is None:
            return {}
        return {
            inverter.serial_number: _as_of_today(inverter.as_of(self.gateway_time), self.gateway_time)
            for inverter in self.device_data.inverters
            if inverter.last_reported_at is not None and inverter.serial_number not in self.foreign_inverters
        }

    @cached_property
    def devices(self) -> Mapping[str, Device]:
        """The batteries and the devices around them, by identifier: the serial number if they have one."""
        if self.batteries is None:
            return {}
        found = self.batteries
        listed: tuple[Battery | EnsembleDevice, ...] = (
            *found.units,
            *found.controllers,
            *found.collars,
            *found.combiners,
        )
        devices: dict[str, Device] = {device.serial_number: device for device in listed}
        if found.controllers:
            controller = found.controllers[0].serial_number
            devices |= {f"{controller}_{contact.id}": contact for contact in self.dry_contacts}
            if self.generator is not None:
                devices[f"{controller}_generator"] = self.generator
        return devices

    @cached_property
    def absent_endpoints(self) -> frozenset[Endpoint]:
        """The endpoints of devices that this gateway does not have, as far as known."""
        batteries = self.listed_batteries
        absent = frozenset() if batteries is not None and batteries.controllers else _OF_CONTROLLER
        return absent if self.has_ac_batteries else absent | {Endpoint.AC_BATTERY_SLEEP}

    @cached_property
    def has_ac_batteries(self) -> bool:
        """Whether there are, or may be, AC Batteries."""
        if self.listed_batteries is None:
            return False
        if self.production is None:
            # Some gateways list them in /production.json only, which has not been read yet.
            return self.listed_batteries.has_ac is not False
        return self.production.ac_batteries is not None or self.listed_batteries.has_ac is True

    @cached_property
    def inverters_sum(self) -> ProductionSource | None:
        """The sum of the microinverters."""
        return None if self.production is None else self.production.inverters

    @cached_property
    def energy_source(self) -> EnergySource | None:
        """Where unmetered production energy is read; None if the responses so far do not show it."""
        is_in_totals = has_energy_in_totals(self.info, self.meters, self.totals)
        if is_in_totals is None or is_in_totals:
            return EnergySource.TOTALS if is_in_totals else None
        inverters = self.inverters_sum
        if self.totals is not None and (inverters is None or not inverters.lifetime_energy):
            # A gateway that has just started returns 0 for all energies.
            return None
        return EnergySource.INVERTERS

    @property
    def _unmetered_energy(self) -> float | None:
        source = self.totals if self.production_source is EnergySource.TOTALS else self.inverters_sum
        return None if source is None else source.lifetime_energy

    @cached_property
    def has_unmetered_batteries(self) -> bool:
        """Whether there are, or may be, batteries that no storage meter measures."""
        if MeasurementType.STORAGE in self.metered_types:
            return False
        batteries = self.listed_batteries
        return batteries is None or bool(batteries.units) or self.has_ac_batteries

    @cached_property
    def is_home_estimated(self) -> bool:
        """Whether the energy of home includes an estimated energy of batteries."""
        home = home_terms(self.metered_types, unmetered_batteries=self.has_unmetered_batteries)
        return not home.keys() <= self.metered_types

    @cached_property
    def live_fields(self) -> Mapping[str, str]:
        """The fields of the site that are read from the live status, and its fields: those without a meter.

        Without IQ Batteries, the gateway itself has no other source of them.
        """
        metered = self.metered_types
        has_batteries = self.listed_batteries is not None and bool(self.listed_batteries.units)
        if not self.has_live or not has_batteries:
            return {}
        unmetered = {"unmetered_batteries": self.has_unmetered_batteries}
        lacks_meter = {
            "production_power": self.production_source is not EnergySource.METER,
            "grid_power": not grid_terms(metered, **unmetered),
            "home_power": not home_terms(metered, **unmetered),
            "battery_power": MeasurementType.STORAGE not in metered,
        }
        return {field: LIVE_POWERS[field] for field, is_lacking in lacks_meter.items() if is_lacking}

    @cached_property
    def battery_power_endpoints(self) -> frozenset[Endpoint]:
        """The endpoints of the power of batteries that no meter measures."""
        if "battery_power" in self.live_fields:
            return frozenset({Endpoint.LIVE})
        batteries = frozenset({Endpoint.BATTERIES})
        return batteries | {Endpoint.PRODUCTION} if self.has_ac_batteries else batteries

    @cached_property
    def state_of_charge(self) -> float | None:
        """The charge of all batteries (%)."""
        if "battery_power" in self.live_fields:
            return None if self.live is None else self.live.state_of_charge
        return None if self.batteries is None else self.batteries.state_of_charge

    def _live_power(self, field: str) -> float | None:
        return None if self.live is None else getattr(self.live, self.live_fields[field])

    def lacks_batteries(self, batteries: Batteries) -> bool:
        """Return whether a new list has no batteries of a kind that the latest one has."""
        known = self.listed_batteries
        return known is not None and (
            (bool(known.units) and not batteries.units) or (known.has_ac is True and not batteries.has_ac)
        )

    def with_dependencies(self, needed: set[Endpoint]) -> set[Endpoint]:
        """Return the needed endpoints and those on which their values depend."""
        needed = set(needed)
        if Endpoint.READINGS in needed:
            # Readings have only eids: the list of meters has their types, and which ones are enabled.
            needed.add(Endpoint.METERS)
        if Endpoint.BATTERIES in needed and self.has_ac_batteries and self.has_unmetered_batteries:
            # The home sensors may have been added before these were discovered.
            needed.add(Endpoint.PRODUCTION)
        if self.batteries is not None and self.batteries.grid_connected is False:
            # Grid power may be unknown until the grid is connected again.
            needed.add(Endpoint.BATTERIES)
        return needed

    @cached_property
    def structure(self) -> tuple[object, ...]:
        """Everything that determines which entities exist."""
        batteries = self.listed_batteries
        return (
            self._metered_types,
            tuple(tuple(self.wired_phases(meter)) for meter in self.enabled_meters),
            frozenset(self._reporting_inverters or ()),
            frozenset(self.inverter_details),
            frozenset(self.devices),
            None if batteries is None else batteries.grid_connected is not None,
            self.has_ac_batteries,
            self.storage is not None,
            None if self.tariff is None else (self.tariff.currency, *self.priced_directions),
            self.generator_mode is not None,
            self.generator_charging is not None,
            self.production_switch is not None,
            frozenset(self.ac_battery_sleep or ()),
        )

    @property
    def priced_directions(self) -> tuple[bool, bool]:
        """Whether the tariff has a price of imported, and of exported energy."""
        if self.tariff is None:
            return False, False
        return any(True for _ in self.tariff.imported), any(True for _ in self.tariff.exported)

    def requires_reload(self, before: GatewayData) -> bool:
        """Return whether meters were removed, or the kinds of batteries changed, which changes home."""
        if not before._metered_types <= self._metered_types:
            return True
        if self._battery_kinds is None:
            return False
        if before._battery_kinds is None:
            # The home sensors were added as if there were batteries, and depend on their endpoint.
            return before.has_unmetered_batteries and not self.has_unmetered_batteries
        return self._battery_kinds != before._battery_kinds

    @cached_property
    def _metered_types(self) -> frozenset[tuple[int, str]]:
        return frozenset((meter.eid, meter.measurement_type) for meter in self.enabled_meters)

    @cached_property
    def _battery_kinds(self) -> tuple[bool, bool] | None:
        """Whether there are IQ Batteries, and AC Batteries; None if not known yet."""
        batteries = self.listed_batteries
        return None if batteries is None else (bool(batteries.units), self.has_ac_batteries)

    @cached_property
    def site(self) -> Site:
        """The powers and energies of the site."""
        # The power of batteries is their meter's, where they have one.
        batteries = self.batteries if self.has_unmetered_batteries else None
        battery_power = None if batteries is None else batteries.power
        if "battery_power" in self.live_fields:
            battery_power = self._live_power("battery_power")
        energy = self.battery_energy if self.has_unmetered_batteries else None
        site = Site.from_readings(
            self.readings,
            metered=self.metered_types,
            unmetered_batteries=self.has_unmetered_batteries,
            battery_power=battery_power,
            charged_energy=None if energy is None else energy.charged,
            discharged_energy=None if energy is None else energy.discharged,
            grid_connected=None if self.listed_batteries is None else self.listed_batteries.grid_connected,
        )
        if self.is_home_decreasing:
            site = replace(site, home_power=None, consumed_energy=None)
        if self.production_source is not EnergySource.METER:
            listed = None if self.listed_inverters is None else self.listed_inverters.values()
            site = replace(
                site,
                production_power=reported_power(listed, self.inverters_sum, self.gateway_time),
                produced_energy=self._unmetered_energy,
            )
        return self._with_live(site)

    def _with_live(self, site: Site) -> Site:
        powers = {field: self._live_power(field) for field in self.live_fields}
        if "grid_power" in powers:
            connected = None if self.listed_batteries is None else self.listed_batteries.grid_connected
            powers["grid_power"] = quirks.grid_power(powers["grid_power"], grid_connected=connected)
        return replace(site, **powers)

    def meter(self, eid: int) -> Meter | None:
        """Return an enabled meter; None if it is no longer enabled."""
        return next((meter for meter in self.enabled_meters if meter.eid == eid), None)

    @cached_property
    def readings_by_eid(self) -> Mapping[int, Reading]:
        """The readings of the enabled meters."""
        return {reading.meter.eid: reading for reading in self.readings}

    def quantities(self, eid: int, phase: int | None) -> Quantities | None:
        """Return the quantities of a meter, or of one of its phases (0 to 2); None if unknown."""
        reading = self.readings_by_eid.get(eid)
        if reading is None or phase is None:
            return None if reading is None else reading.total
        return reading.phases[phase] if phase < len(reading.phases) else None

    def wired_phases(self, meter: Meter) -> Iterator[int]:
        """Yield the wired phases of a meter; none for a single-phase meter, whose total is its phase."""
        reading = self.readings_by_eid.get(meter.eid)
        if reading is not None and meter.phase_count > 1:
            yield from (number for number, phase in enumerate(reading.phases) if phase is not None)


def _as_of_today(inverter: InverterDetails, now: datetime) -> InverterDetails:
    """Return a microinverter without the energy of another day than today, in local time."""
    reported_at = inverter.last_reported_at
    if reported_at is None or dt_util.as_local(reported_at).date() == dt_util.as_local(now).date():
        return inverter
    return replace(inverter, energy_today=0.0)
