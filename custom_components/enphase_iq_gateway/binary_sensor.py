"""Binary sensors: the connections to the grid and to devices, and problems that meters report."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, override

from homeassistant.components.binary_sensor import (
    BinarySensorDeviceClass,
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.const import EntityCategory, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import GatewayConfigEntry, GatewayCoordinator
from .data import GatewayData
from .endpoints import Endpoint
from .enphase_api.models import Meter
from .entity import GatewayEntity, GatewayEntityDescription, async_add_discovered_entities, meter_key
from .helpers import meter_name
from .units import UnitKind, find_units, inverter_unit

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class GatewayBinarySensorDescription(BinarySensorEntityDescription, GatewayEntityDescription):
    """Describe a binary sensor."""

    attributes_fn: Callable[[GatewayData], dict[str, Any]] | None = None


async def async_setup_entry(
    _hass: HomeAssistant, entry: GatewayConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the binary sensors."""
    async_add_discovered_entities(
        entry, Platform.BINARY_SENSOR, async_add_entities, _descriptions, GatewayBinarySensor
    )


class GatewayBinarySensor(GatewayEntity, BinarySensorEntity):
    """A binary sensor of the gateway."""

    entity_description: GatewayBinarySensorDescription

    @property
    @override
    def is_on(self) -> Any:
        return self._value

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any] | None:
        attributes = self.entity_description.attributes_fn
        return None if attributes is None else attributes(self.coordinator.data)


def _descriptions(coordinator: GatewayCoordinator) -> Iterator[GatewayBinarySensorDescription]:
    data = coordinator.data
    if data.batteries is not None and data.batteries.grid_connected is not None:
        yield GatewayBinarySensorDescription(
            key="grid_connected",
            translation_key="grid_connected",
            device_class=BinarySensorDeviceClass.CONNECTIVITY,
            value_fn=lambda data: data.batteries and data.batteries.grid_connected,
            endpoints=frozenset({Endpoint.BATTERIES}),
        )
    yield from _unit_descriptions(data)
    for meter in data.enabled_meters:
        yield _problem(meter, meter_name(coordinator.meter_names, data.enabled_meters, meter))


#: Key, value, device class, whether it is diagnostic. The translation key is "{kind of device}_{key}".
type _Row = tuple[str, Callable[[Any], bool | None], BinarySensorDeviceClass | None, bool]

_COMMUNICATING: _Row = (
    "communicating",
    attrgetter("communicating"),
    BinarySensorDeviceClass.CONNECTIVITY,
    True,
)

_UNITS: dict[UnitKind, tuple[_Row, ...]] = {
    UnitKind.BATTERY: (
        _COMMUNICATING,
        (
            "dc_switch",
            lambda each: None if each.dc_switch_off is None else not each.dc_switch_off,
            None,
            True,
        ),
        ("sleep", attrgetter("sleep_enabled"), None, True),
    ),
    UnitKind.CONTROLLER: (_COMMUNICATING,),
    UnitKind.COLLAR: (_COMMUNICATING, ("relay", attrgetter("is_closed"), None, True)),
    UnitKind.COMBINER: (_COMMUNICATING,),
    UnitKind.GENERATOR: (("connected", attrgetter("is_connected"), None, False),),
    UnitKind.DRY_CONTACT: (("closed", attrgetter("is_closed"), None, False),),
}


def _unit_descriptions(data: GatewayData) -> Iterator[GatewayBinarySensorDescription]:
    for serial_number in data.inverters or ():
        yield GatewayBinarySensorDescription(
            key="reporting",
            translation_key="inverter_reporting",
            device_class=BinarySensorDeviceClass.CONNECTIVITY,
            value_fn=_reporting_reader(serial_number),
            endpoints=frozenset({Endpoint.INVERTERS}),
            unit=inverter_unit(serial_number),
            entity_category=EntityCategory.DIAGNOSTIC,
            entity_registry_enabled_default=False,
        )
    for kind, unit, find, endpoint in find_units(data):
        for key, value, device_class, is_diagnostic in _UNITS[kind]:
            shared = "unit" if key == "communicating" else kind
            yield GatewayBinarySensorDescription(
                key=key,
                translation_key=f"{shared}_{key}",
                device_class=device_class,
                value_fn=_value_reader(find, value),
                endpoints=frozenset({endpoint}),
                unit=unit,
                entity_category=EntityCategory.DIAGNOSTIC if is_diagnostic else None,
                entity_registry_enabled_default=key == "communicating",
            )


def _value_reader(
    find: Callable[[GatewayData], Any], value: Callable[[Any], bool | None]
) -> Callable[[GatewayData], bool | None]:
    def read(data: GatewayData) -> bool | None:
        device = find(data)
        return None if device is None else value(device)

    return read


def _reporting_reader(serial_number: str) -> Callable[[GatewayData], bool | None]:
    def is_reporting(data: GatewayData) -> bool | None:
        inverter = (data.inverters or {}).get(serial_number)
        return None if inverter is None else not inverter.is_silent(data.gateway_time)

    return is_reporting


def _problem(meter: Meter, name: str) -> GatewayBinarySensorDescription:
    def flags(data: GatewayData) -> list[str] | None:
        current = data.meter(meter.eid)
        return None if current is None else list(current.status_flags)

    def is_problem(data: GatewayData) -> bool | None:
        reported = flags(data)
        return None if reported is None else bool(reported)

    return GatewayBinarySensorDescription(
        key=f"{meter_key(meter)}_problem",
        translation_key="meter_problem",
        translation_placeholders={"meter": name},
        device_class=BinarySensorDeviceClass.PROBLEM,
        value_fn=is_problem,
        attributes_fn=lambda data: {"status_flags": flags(data) or []},
        endpoints=frozenset({Endpoint.METERS}),
        entity_category=EntityCategory.DIAGNOSTIC,
    )
