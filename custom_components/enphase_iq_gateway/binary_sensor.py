"""Binary sensors: the connection to the grid, and problems that meters report."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
            entity_registry_enabled_default=False,
        )
    for meter in data.enabled_meters:
        yield _problem(meter, meter_name(coordinator.meter_names, data.enabled_meters, meter))


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
        entity_registry_enabled_default=False,
    )
