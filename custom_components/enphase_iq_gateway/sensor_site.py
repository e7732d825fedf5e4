"""What flows at the site, for the Energy dashboard: production, grid, home and batteries."""

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any

from homeassistant.components.sensor import SensorStateClass
from homeassistant.const import UnitOfRatio

from .const import HOME_ENERGY, ProductionFrom
from .data import GatewayData
from .enphase_api.models import Batteries, MeasurementType, Meter
from .enphase_api.models.site import home_terms
from .pages import Page
from .sensor_kinds import CHARGE, ENERGY, POWER, STORED_ENERGY, GatewaySensorDescription

_PRODUCTION, _NET = MeasurementType.PRODUCTION, MeasurementType.NET_CONSUMPTION
_TOTAL, _STORAGE = MeasurementType.TOTAL_CONSUMPTION, MeasurementType.STORAGE

_METERED = frozenset({Page.READINGS})
_BATTERIES = frozenset({Page.BATTERIES})

#: The pages of production's power, and the page of its energy. Which microinverters are silent is on a page
#: of its own.
_REPORTED = frozenset({Page.PRODUCTION, Page.INVERTERS})
_PRODUCTION_PAGES = {
    ProductionFrom.METER: (_METERED, Page.READINGS),
    ProductionFrom.INVERTERS: (_REPORTED, Page.PRODUCTION),
    ProductionFrom.TOTALS: (_REPORTED, Page.TOTALS),
}


def _site(key: str, field: str, kind: dict[str, Any], pages: frozenset[Page]) -> GatewaySensorDescription:
    return GatewaySensorDescription(
        key=key, translation_key=key, value_fn=attrgetter(f"site.{field}"), pages=pages, **kind
    )


def site_sensors(data: GatewayData) -> Iterator[GatewaySensorDescription]:
    """Yield what can be known of the site with the meters and batteries that there are."""
    metered = data.types
    batteries = _BATTERIES | {Page.PRODUCTION} if data.has_ac_batteries else _BATTERIES
    with_batteries = _METERED | batteries if data.has_unmetered_batteries else _METERED
    power, energy = _PRODUCTION_PAGES[data.production_from]

    yield _site("production_power", "production_power", POWER, power)
    yield _site("production_energy", "produced_energy", ENERGY, frozenset({energy}))
    if _NET in metered or {_TOTAL, _PRODUCTION} <= metered:
        yield _site("grid_power", "grid_power", POWER, _METERED if _NET in metered else with_batteries)
    if _NET in metered:
        yield _site("grid_energy_imported", "imported_energy", ENERGY, _METERED)
        yield _site("grid_energy_exported", "exported_energy", ENERGY, _METERED)
    home = home_terms(metered, unmetered_batteries=data.has_unmetered_batteries)
    if {_PRODUCTION, _TOTAL} & home.keys() & metered:
        is_metered = home.keys() <= metered
        yield _site("home_power", "home_power", POWER, _METERED if is_metered else with_batteries)
        # Where batteries decide which meters are home's energy, it waits for them to be known.
        if is_metered and (data.batteries is not None or not _is_in_doubt(metered)):
            yield _site(HOME_ENERGY, "consumed_energy", ENERGY, _METERED)
    if _STORAGE in metered:
        yield _site("battery_power", "battery_power", POWER, _METERED)
        yield _site("battery_energy_charged", "charged_energy", ENERGY, _METERED)
        yield _site("battery_energy_discharged", "discharged_energy", ENERGY, _METERED)
    if data.batteries is not None and data.batteries.are_there:
        if _STORAGE not in metered:
            yield _site("battery_power", "battery_power", POWER, batteries)
        # Beside IQ Batteries, the sums of all know how full AC Batteries are.
        yield from _battery_sensors(data.batteries, _BATTERIES if data.batteries.units else batteries)


def _is_in_doubt(metered: frozenset[str]) -> bool:
    """Return whether home is made of other meters with unmetered batteries than without."""
    return home_terms(metered, unmetered_batteries=True) != home_terms(metered)


def named_by_site(data: GatewayData, meter: Meter) -> frozenset[str]:
    """Return the quantities of a whole meter that are the site's: one fact is one entity."""
    first = next(each for each in data.enabled_meters if each.measurement_type == meter.measurement_type)
    if meter.eid != first.eid:
        return frozenset()
    match meter.measurement_type:
        case MeasurementType.PRODUCTION if data.production_from is ProductionFrom.METER:
            return frozenset({"active_power", "energy_delivered"})
        case MeasurementType.TOTAL_CONSUMPTION if not {_NET, _PRODUCTION} <= data.types:
            return frozenset({"active_power", "energy_delivered"})
        case MeasurementType.NET_CONSUMPTION | MeasurementType.STORAGE:
            return frozenset({"active_power", "energy_delivered", "energy_received"})
    return frozenset()


#: Key, field of the client's Batteries, kind.
_BATTERY: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("battery_charge", "state_of_charge", CHARGE),
    ("battery_available_energy", "available_energy", STORED_ENERGY),
    ("battery_capacity", "capacity", STORED_ENERGY),
    (
        "battery_reserve",
        "reserve",
        {"native_unit_of_measurement": UnitOfRatio.PERCENTAGE, "state_class": SensorStateClass.MEASUREMENT},
    ),
)


def _battery_sensors(found: Batteries, pages: frozenset[Page]) -> Iterator[GatewaySensorDescription]:
    for key, field, kind in _BATTERY:
        # AC Batteries keep nothing back: they cannot feed a home that is off the grid.
        if key != "battery_reserve" or found.units:
            yield GatewaySensorDescription(
                key=key,
                translation_key=key,
                value_fn=_battery_value(field),
                pages=pages,
                entity_registry_enabled_default=key == "battery_charge",
                **kind,
            )


def _battery_value(field: str) -> Callable[[GatewayData], Any]:
    return lambda data: getattr(data.batteries, field, None)
