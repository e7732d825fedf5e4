"""The base of all entities."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self, override

from homeassistant.const import Platform
from homeassistant.core import callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity
from homeassistant.util import dt as dt_util

from .commands import ENDPOINTS, Setting
from .const import DOMAIN
from .coordinator import GatewayConfigEntry, GatewayCoordinator
from .data import GatewayData
from .endpoints import Endpoint
from .enphase_api.models import Command, Meter, Value

#: The attribute of entities that change the gateway.
ATTR_PENDING = "pending"


@dataclass(frozen=True, kw_only=True)
class Unit:
    """A device behind the gateway, such as a microinverter or a battery."""

    #: The serial number, if it has one; unique ids start with it.
    identifier: str
    #: The translation key of its name.
    translation_key: str
    model: str
    #: The name that the owner gave it, instead of the translated one.
    name: str | None = None
    serial_number: str | None = None
    #: Of the translated name: "serial" or "contact".
    placeholders: Mapping[str, str]
    part_number: str | None = None
    firmware: str | None = None


@dataclass(frozen=True, kw_only=True)
class GatewayEntityDescription(EntityDescription):
    """Describe an entity: its value, its device, and the endpoints that it depends on."""

    value_fn: Callable[[GatewayData], Any]
    endpoints: frozenset[Endpoint] = frozenset({Endpoint.READINGS})
    unit: Unit | None = None

    def unique_id(self, coordinator: GatewayCoordinator) -> str:
        """Return the unique id of the entity."""
        return f"{self.unit.identifier if self.unit else coordinator.serial_number}_{self.key}"


def meter_key(meter: Meter) -> str:
    """Return the prefix of the unique ids of a meter: its place in the gateway, and its type."""
    return f"{meter.eid}_{meter.measurement_type}"


@callback
def async_add_discovered_entities[DescriptionT: GatewayEntityDescription](
    entry: GatewayConfigEntry,
    platform: Platform,
    async_add_entities: AddConfigEntryEntitiesCallback,
    describe: Callable[[GatewayCoordinator], Iterable[DescriptionT]],
    create: Callable[[GatewayCoordinator, DescriptionT], GatewayEntity],
) -> None:
    """Add the entities that are described now, and others as their devices are discovered."""
    coordinator = entry.runtime_data
    registry = er.async_get(coordinator.hass)
    known: set[str] = set()
    structure: object = None

    @callback
    def add() -> None:
        nonlocal structure
        if structure == coordinator.data.structure:
            return
        structure = coordinator.data.structure
        described = {each.unique_id(coordinator): each for each in describe(coordinator)}
        # Entities of a device that the user has deleted may be added again.
        known.intersection_update(
            unique_id for unique_id in known if registry.async_get_entity_id(platform, DOMAIN, unique_id)
        )
        async_add_entities(create(coordinator, each) for key, each in described.items() if key not in known)
        known.update(described)

    add()
    entry.async_on_unload(coordinator.async_add_listener(add))


class GatewayEntity(CoordinatorEntity[GatewayCoordinator]):
    """An entity of the gateway or of a device behind it."""

    _attr_has_entity_name = True
    entity_description: GatewayEntityDescription

    def __init__(self, coordinator: GatewayCoordinator, description: GatewayEntityDescription) -> None:
        super().__init__(coordinator, context=description.endpoints)
        self.entity_description = description
        self._attr_unique_id = description.unique_id(coordinator)
        self._attr_device_info = _device_info(coordinator, description.unit)
        self._value: Any = None
        self._last_written: tuple[bool, Any, Any] | None = None

    @property
    @override
    def available(self) -> bool:
        """Whether the last refresh succeeded, and the responses of the other endpoints still count."""
        now = dt_util.utcnow()
        # The readings are part of each refresh.
        endpoints = self.entity_description.endpoints - {Endpoint.READINGS}
        return super().available and all(
            self.coordinator.poll_schedule.is_fresh(endpoint, now) for endpoint in endpoints
        )

    def _update_value(self) -> Any:
        """Return the latest value; None if unknown."""
        return self.entity_description.value_fn(self.coordinator.data)

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self._update_and_compare()

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        if self._update_and_compare():
            self.async_write_ha_state()

    def _update_and_compare(self) -> bool:
        self._value = self._update_value()
        before, self._last_written = (
            self._last_written,
            (self.available, self._value, self.extra_state_attributes),
        )
        return before != self._last_written


@dataclass(frozen=True, kw_only=True)
class ControlDescription(GatewayEntityDescription):
    """Describe an entity that changes the gateway."""

    setting: Setting

    @classmethod
    def of(cls, command: Command, name: str, *, key: str, device: str | None = None, **options: Any) -> Self:
        """Return the description of an entity that shows and changes one value of a command."""
        setting = Setting(command=command, name=name, device=device)
        return cls(
            key=key,
            translation_key=options.pop("translation_key", key),
            setting=setting,
            value_fn=setting.reported,
            endpoints=frozenset({ENDPOINTS[command]}),
            **options,
        )


class ControlEntity(GatewayEntity):
    """An entity that changes the gateway: its state is what the gateway reports, never what was requested."""

    entity_description: ControlDescription

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """The value that is on its way, until the gateway reports it or the command has failed."""
        return {ATTR_PENDING: self.coordinator.commands.pending(self.entity_description.setting)}

    async def _async_send(self, value: Value) -> None:
        """Send a command. Raises HomeAssistantError if it was not sent, or the gateway did not accept it."""
        setting = self.entity_description.setting
        await self.coordinator.commands.async_send(setting.command, {setting.name: value}, setting.device)


def _device_info(coordinator: GatewayCoordinator, unit: Unit | None) -> DeviceInfo:
    if unit is None:
        return DeviceInfo(identifiers={(DOMAIN, coordinator.serial_number)})
    info = DeviceInfo(
        identifiers={(DOMAIN, unit.identifier)},
        via_device_id=coordinator.device_id,
        manufacturer="Enphase",
        model=unit.model,
        model_id=unit.part_number,
        serial_number=unit.serial_number,
        sw_version=unit.firmware,
    )
    if unit.name is not None:
        info["name"] = unit.name
    else:
        info["translation_key"] = unit.translation_key
        info["translation_placeholders"] = dict(unit.placeholders)
    return info
