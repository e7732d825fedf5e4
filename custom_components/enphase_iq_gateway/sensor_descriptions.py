"""The descriptions of the sensors of the gateway; a new quantity is a new row of a table."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter
from typing import Any

from homeassistant.components.sensor import SensorDeviceClass, SensorEntityDescription, SensorStateClass
from homeassistant.const import (
    EntityCategory,
    UnitOfApparentPower,
    UnitOfElectricCurrent,
    UnitOfElectricPotential,
    UnitOfEnergy,
    UnitOfFrequency,
    UnitOfPower,
    UnitOfRatio,
    UnitOfReactivePower,
    UnitOfTemperature,
)
from homeassistant.util import dt as dt_util

from .const import BATTERY_ENERGIES, HOME_ENERGY, METER_STATUSES, EnergySource
from .coordinator import GatewayCoordinator
from .data import GatewayData
from .endpoints import Endpoint
from .enphase_api.models import Batteries, MeasurementType, Meter, Tariff
from .enphase_api.models.site import home_terms
from .entity import GatewayEntityDescription, meter_key
from .helpers import meter_name


@dataclass(frozen=True, kw_only=True)
class GatewaySensorDescription(SensorEntityDescription, GatewayEntityDescription):
    """Describe a sensor of the gateway or of a device behind it."""

    #: Whether this energy starts again at 0 each day: otherwise it has a counter, which never drops.
    resets_daily: bool = False
    #: The time of measurement of an energy, if the device that measures it reports one.
    measured_at_fn: Callable[[GatewayData], datetime | None] | None = None
    #: Whether the value may change at any minute, without another response.
    changes_with_time: bool = False
    #: The key of the lifetime energy, if this is its energy since local midnight.
    today_of: str | None = None


def _measurement(device_class: SensorDeviceClass, unit: str | None, precision: int) -> dict[str, Any]:
    return {
        "device_class": device_class,
        "native_unit_of_measurement": unit,
        "state_class": SensorStateClass.MEASUREMENT,
        "suggested_display_precision": precision,
    }


POWER = _measurement(SensorDeviceClass.POWER, UnitOfPower.WATT, 0)
REACTIVE_POWER = _measurement(SensorDeviceClass.REACTIVE_POWER, UnitOfReactivePower.VOLT_AMPERE_REACTIVE, 0)
APPARENT_POWER = _measurement(SensorDeviceClass.APPARENT_POWER, UnitOfApparentPower.VOLT_AMPERE, 0)
VOLTAGE = _measurement(SensorDeviceClass.VOLTAGE, UnitOfElectricPotential.VOLT, 1)
CURRENT = _measurement(SensorDeviceClass.CURRENT, UnitOfElectricCurrent.AMPERE, 2)
POWER_FACTOR = _measurement(SensorDeviceClass.POWER_FACTOR, None, 2)
FREQUENCY = _measurement(SensorDeviceClass.FREQUENCY, UnitOfFrequency.HERTZ, 2)
STATE_OF_CHARGE = _measurement(SensorDeviceClass.BATTERY, UnitOfRatio.PERCENTAGE, 0)
TEMPERATURE = _measurement(SensorDeviceClass.TEMPERATURE, UnitOfTemperature.CELSIUS, 0)
STORED_ENERGY = _measurement(SensorDeviceClass.ENERGY_STORAGE, UnitOfEnergy.WATT_HOUR, 2) | {
    "suggested_unit_of_measurement": UnitOfEnergy.KILO_WATT_HOUR,
}
PERCENTAGE: dict[str, Any] = {
    "native_unit_of_measurement": UnitOfRatio.PERCENTAGE,
    "state_class": SensorStateClass.MEASUREMENT,
}
ENERGY = {
    "device_class": SensorDeviceClass.ENERGY,
    "native_unit_of_measurement": UnitOfEnergy.WATT_HOUR,
    "suggested_unit_of_measurement": UnitOfEnergy.KILO_WATT_HOUR,
    "state_class": SensorStateClass.TOTAL_INCREASING,
    "suggested_display_precision": 2,
}
TIMESTAMP: dict[str, Any] = {"device_class": SensorDeviceClass.TIMESTAMP}
DIAGNOSTIC: dict[str, Any] = {"entity_category": EntityCategory.DIAGNOSTIC}


def sensor_descriptions(coordinator: GatewayCoordinator) -> Iterator[GatewaySensorDescription]:
    """Yield the descriptions of all sensors of a gateway, without those of the devices behind it."""
    data = coordinator.data
    yield from _with_today(site_sensors(data))
    yield from _price_sensors(data)
    yield from _meter_sensors(data, coordinator.meter_names)
    yield from _gateway_sensors(coordinator)


# The site: production, grid, home and all batteries together, for the Energy dashboard.

_PRODUCTION, _NET = MeasurementType.PRODUCTION, MeasurementType.NET_CONSUMPTION
_TOTAL, _STORAGE = MeasurementType.TOTAL_CONSUMPTION, MeasurementType.STORAGE

_READINGS = frozenset({Endpoint.READINGS})
_BATTERIES = frozenset({Endpoint.BATTERIES})
_LIVE = frozenset({Endpoint.LIVE})

#: The endpoints of the production power. The reports of microinverters are a separate endpoint.
_INVERTERS_POWER = frozenset({Endpoint.PRODUCTION, Endpoint.INVERTERS})

#: The endpoints of the production power, and the endpoint of the production energy.
_PRODUCTION_ENDPOINTS = {
    EnergySource.METER: (_READINGS, Endpoint.READINGS),
    EnergySource.INVERTERS: (_INVERTERS_POWER, Endpoint.PRODUCTION),
    EnergySource.TOTALS: (_INVERTERS_POWER, Endpoint.TOTALS),
}

#: The fields of the client's Site of BATTERY_ENERGIES.
_BATTERY_ENERGY_FIELDS = ("charged_energy", "discharged_energy")

#: Key, field of the client's Batteries, kind.
_SITE_BATTERY_SENSORS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("battery_charge", "state_of_charge", STATE_OF_CHARGE),
    ("battery_available_energy", "available_energy", STORED_ENERGY),
    ("battery_capacity", "capacity", STORED_ENERGY),
    ("battery_reserve", "reserve", PERCENTAGE),
)


def site_sensors(data: GatewayData) -> Iterator[GatewaySensorDescription]:
    """Yield the sensors of the site that its meters and batteries allow."""
    metered = data.metered_types
    live = data.live_fields
    batteries = _BATTERIES | {Endpoint.PRODUCTION} if data.has_ac_batteries else _BATTERIES
    batteries_power = data.battery_power_endpoints
    with_batteries = _READINGS | batteries_power if data.has_unmetered_batteries else _READINGS
    power, energy = _PRODUCTION_ENDPOINTS[data.production_source]
    power = _LIVE if "production_power" in live else power

    yield _site_sensor("production_power", "production_power", POWER, power)
    yield _site_sensor("production_energy", "produced_energy", ENERGY, frozenset({energy}))
    if _NET in metered or {_TOTAL, _PRODUCTION} <= metered:
        endpoints = _READINGS if _NET in metered else with_batteries
        yield _site_sensor("grid_power", "grid_power", POWER, endpoints)
    elif "grid_power" in live:
        yield _site_sensor("grid_power", "grid_power", POWER, _LIVE)
    if _NET in metered:
        yield _site_sensor("grid_energy_imported", "imported_energy", ENERGY, _READINGS)
        yield _site_sensor("grid_energy_exported", "exported_energy", ENERGY, _READINGS)
    yield from _home_sensors(data, with_batteries)
    if _STORAGE in metered:
        yield _site_sensor("battery_power", "battery_power", POWER, _READINGS)
        for key, field in zip(BATTERY_ENERGIES, _BATTERY_ENERGY_FIELDS, strict=True):
            yield _site_sensor(key, field, ENERGY, _READINGS)
    if data.batteries is not None and data.batteries.are_there:
        if _STORAGE not in metered:
            yield _site_sensor("battery_power", "battery_power", POWER, batteries_power)
            yield from _estimated_energies(batteries_power)
        # With IQ Batteries, the gateway's sums over all batteries include AC Batteries.
        sums = _BATTERIES if data.batteries.units else batteries
        yield from _site_battery_sensors(data.batteries, sums, _LIVE if "battery_power" in live else sums)


def _home_sensors(
    data: GatewayData, with_batteries: frozenset[Endpoint]
) -> Iterator[GatewaySensorDescription]:
    """Yield power and energy of home, which may be sums with the power of unmetered batteries."""
    metered = data.metered_types
    home = home_terms(metered, unmetered_batteries=data.has_unmetered_batteries)
    if {_PRODUCTION, _TOTAL} & home.keys() & metered:
        is_metered = home.keys() <= metered
        yield _site_sensor("home_power", "home_power", POWER, _READINGS if is_metered else with_batteries)
        # If batteries decide which meters make up the home energy, wait until they are known.
        if is_metered and (data.batteries is not None or not _depends_on_batteries(metered)):
            yield _site_sensor(HOME_ENERGY, "consumed_energy", ENERGY, _READINGS)
        elif not is_metered and data.batteries is not None and data.batteries.are_there:
            yield _site_sensor(HOME_ENERGY, "consumed_energy", ENERGY, with_batteries)
    elif "home_power" in data.live_fields:
        yield _site_sensor("home_power", "home_power", POWER, _LIVE)


def _estimated_energies(endpoints: frozenset[Endpoint]) -> Iterator[GatewaySensorDescription]:
    """Yield the energies of unmetered batteries, which are integrated from their power."""

    def measured_at(data: GatewayData) -> datetime | None:
        return None if data.battery_energy is None else data.battery_energy.measured_at

    for key, field in zip(BATTERY_ENERGIES, _BATTERY_ENERGY_FIELDS, strict=True):
        yield replace(_site_sensor(key, field, ENERGY, endpoints), measured_at_fn=measured_at)


def _site_sensor(
    key: str, field: str, kind: dict[str, Any], endpoints: frozenset[Endpoint]
) -> GatewaySensorDescription:
    return GatewaySensorDescription(
        key=key, translation_key=key, value_fn=attrgetter(f"site.{field}"), endpoints=endpoints, **kind
    )


def _with_today(lifetime: Iterator[GatewaySensorDescription]) -> Iterator[GatewaySensorDescription]:
    """Yield these sensors, and after each lifetime energy the same energy since local midnight."""
    for each in lifetime:
        yield each
        if each.device_class is SensorDeviceClass.ENERGY:
            key = f"{each.key}_today"
            # TOTAL_INCREASING would detect a new day only by a drop of more than 10 %, and miss it if Home
            # Assistant was off until the new day had as much energy as the last one.
            yield replace(
                each, key=key, translation_key=key, today_of=each.key, state_class=SensorStateClass.TOTAL
            )


def _depends_on_batteries(metered: frozenset[str]) -> bool:
    """Return whether the home is the sum of other meters if there are unmetered batteries."""
    return home_terms(metered, unmetered_batteries=True) != home_terms(metered)


def _site_battery_sensors(
    batteries: Batteries, endpoints: frozenset[Endpoint], charge_endpoints: frozenset[Endpoint]
) -> Iterator[GatewaySensorDescription]:
    for key, field, kind in _SITE_BATTERY_SENSORS:
        # AC Batteries have no reserve: they cannot supply a home that is off the grid.
        if key != "battery_reserve" or batteries.units:
            is_charge = key == "battery_charge"
            yield GatewaySensorDescription(
                key=key,
                translation_key=key,
                value_fn=attrgetter("state_of_charge") if is_charge else _site_battery_value(field),
                endpoints=charge_endpoints if is_charge else endpoints,
                entity_registry_enabled_default=is_charge,
                **kind,
            )


def _site_battery_value(field: str) -> Callable[[GatewayData], Any]:
    return lambda data: getattr(data.batteries, field, None)


def _price_sensors(data: GatewayData) -> Iterator[GatewaySensorDescription]:
    """Yield the prices that the tariff has, in a unit that the Energy dashboard accepts."""
    if data.tariff is None:
        return
    readers = {"import_price": Tariff.import_price, "export_price": Tariff.export_price}
    for (key, price), is_there in zip(readers.items(), data.priced_directions, strict=True):
        if is_there:
            yield GatewaySensorDescription(
                key=key,
                translation_key=key,
                value_fn=_price_reader(price),
                endpoints=frozenset({Endpoint.TARIFF}),
                native_unit_of_measurement=f"{data.tariff.currency}/{UnitOfEnergy.KILO_WATT_HOUR}",
                state_class=SensorStateClass.MEASUREMENT,
                suggested_display_precision=4,
                changes_with_time=True,
            )


def _price_reader(price: Callable[[Tariff, datetime], float | None]) -> Callable[[GatewayData], Any]:
    return lambda data: None if data.tariff is None else price(data.tariff, dt_util.now())


# The meters and their phases.

#: By field of the client's Quantities.
QUANTITIES: dict[str, dict[str, Any]] = {
    "active_power": POWER,
    "reactive_power": REACTIVE_POWER,
    "apparent_power": APPARENT_POWER,
    "voltage": VOLTAGE,
    "current": CURRENT,
    "power_factor": POWER_FACTOR,
    "frequency": FREQUENCY,
    "energy_delivered": ENERGY,
    "energy_received": ENERGY,
}

#: Translation keys of energies whose direction has a plainer name than delivered and received.
_DIRECTIONS: dict[str, dict[str, str]] = {
    MeasurementType.NET_CONSUMPTION: {
        "energy_delivered": "energy_imported",
        "energy_received": "energy_exported",
    },
    MeasurementType.STORAGE: {"energy_delivered": "energy_discharged", "energy_received": "energy_charged"},
}


def _meter_sensors(data: GatewayData, names: Mapping[str, str]) -> Iterator[GatewaySensorDescription]:
    """Yield the sensors of all enabled meters, without the quantities that the site's sensors show."""
    for meter in data.enabled_meters:
        name = meter_name(names, data.enabled_meters, meter)
        yield _meter_status(meter, name)
        for quantity in QUANTITIES:
            if quantity not in _site_quantities(data, meter):
                yield _meter_quantity(meter, name, quantity, None)
            for phase in data.wired_phases(meter):
                yield _meter_quantity(meter, name, quantity, phase)


def _site_quantities(data: GatewayData, meter: Meter) -> frozenset[str]:
    """Return the quantities of a whole meter that the site's sensors show already."""
    first = next(each for each in data.enabled_meters if each.measurement_type == meter.measurement_type)
    if meter.eid != first.eid:
        return frozenset()
    match meter.measurement_type:
        case MeasurementType.PRODUCTION if data.production_source is EnergySource.METER:
            return frozenset({"active_power", "energy_delivered"})
        case MeasurementType.TOTAL_CONSUMPTION if not {_NET, _PRODUCTION} <= data.metered_types:
            return frozenset({"active_power", "energy_delivered"})
        case MeasurementType.NET_CONSUMPTION | MeasurementType.STORAGE:
            return frozenset({"active_power", "energy_delivered", "energy_received"})
    return frozenset()


def _meter_quantity(meter: Meter, name: str, quantity: str, phase: int | None) -> GatewaySensorDescription:
    def value(data: GatewayData) -> float | None:
        quantities = data.quantities(meter.eid, phase)
        return None if quantities is None else getattr(quantities, quantity)

    direction = _DIRECTIONS.get(meter.measurement_type, {}).get(quantity, quantity)
    key, translation_key = f"{meter_key(meter)}_{quantity}", f"meter_{direction}"
    placeholders = {"meter": name}
    if phase is not None:
        line = f"L{phase + 1}"
        key, translation_key = f"{key}_{line.lower()}", f"{translation_key}_phase"
        placeholders["phase"] = line
    return GatewaySensorDescription(
        key=key,
        translation_key=translation_key,
        translation_placeholders=placeholders,
        value_fn=value,
        entity_registry_enabled_default=False,
        **QUANTITIES[quantity],
    )


def _meter_status(meter: Meter, name: str) -> GatewaySensorDescription:
    def value(data: GatewayData) -> str | None:
        current = data.meter(meter.eid)
        is_known = current is not None and current.metering_status in METER_STATUSES
        return current.metering_status if current is not None and is_known else None

    return GatewaySensorDescription(
        key=f"{meter_key(meter)}_status",
        translation_key="meter_status",
        translation_placeholders={"meter": name},
        device_class=SensorDeviceClass.ENUM,
        options=METER_STATUSES,
        value_fn=value,
        endpoints=frozenset({Endpoint.METERS}),
        entity_registry_enabled_default=False,
        **DIAGNOSTIC,
    )


# The gateway.


def _gateway_sensors(coordinator: GatewayCoordinator) -> Iterator[GatewaySensorDescription]:
    def certificate_expiry(_: GatewayData) -> Any:
        certificate = coordinator.gateway.certificate
        return None if certificate is None else certificate.not_after

    def last_reading(data: GatewayData) -> Any:
        if data.enabled_meters:
            return data.readings.measured_at
        return None if data.inverters_sum is None else data.inverters_sum.measured_at

    polled = Endpoint.READINGS if coordinator.data.enabled_meters else Endpoint.PRODUCTION
    rows: tuple[tuple[str, Callable[[GatewayData], Any], set[Endpoint], dict[str, Any]], ...] = (
        ("firmware", lambda data: data.info.firmware, {Endpoint.INFO}, {}),
        ("last_reading", last_reading, {polled}, TIMESTAMP),
        ("token_expiry", lambda _: coordinator.token_renewal.token.expires_at, set(), TIMESTAMP),
        ("certificate_expiry", certificate_expiry, set(), TIMESTAMP),
    )
    for key, value, endpoints, kind in rows:
        yield GatewaySensorDescription(
            key=key,
            translation_key=key,
            value_fn=value,
            endpoints=frozenset(endpoints),
            # What changes with each reading costs space; the firmware is on the page of the device as well.
            entity_registry_enabled_default=not endpoints,
            **kind,
            **DIAGNOSTIC,
        )
