"""What all entities share: their device, their name, and that only what has changed is written."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, override

from homeassistant.const import Platform
from homeassistant.core import callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .coordinator import GatewayConfigEntry, GatewayCoordinator
from .data import GatewayData
from .pages import Page


@dataclass(frozen=True, kw_only=True)
class Unit:
    """A device behind the gateway: a microinverter or a battery."""

    serial_number: str
    #: Of its name, which is made with its serial number.
    translation_key: str
    model: str
    part_number: str | None = None
    firmware: str | None = None


@dataclass(frozen=True, kw_only=True)
class GatewayEntityDescription(EntityDescription):
    """What an entity shows, of which device, and the pages that it is made from."""

    value_fn: Callable[[GatewayData], Any]
    pages: frozenset[Page] = frozenset({Page.READINGS})
    unit: Unit | None = None

    def unique_id(self, coordinator: GatewayCoordinator) -> str:
        """Give the entity's unique id."""
        return f"{self.unit.serial_number if self.unit else coordinator.serial_number}_{self.key}"


@callback
def async_add_as_found[DescriptionT: GatewayEntityDescription](
    entry: GatewayConfigEntry,
    platform: Platform,
    async_add_entities: AddConfigEntryEntitiesCallback,
    describe: Callable[[GatewayCoordinator], Iterable[DescriptionT]],
    make: Callable[[GatewayCoordinator, DescriptionT], GatewayEntity],
) -> None:
    """Add an entity for all that is described now, and for what is described once more is found."""
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
        # A device that its owner has deleted is no longer registered: it may come back.
        known.intersection_update(
            unique_id for unique_id in known if registry.async_get_entity_id(platform, DOMAIN, unique_id)
        )
        async_add_entities(make(coordinator, each) for key, each in described.items() if key not in known)
        known.update(described)

    add()
    entry.async_on_unload(coordinator.async_add_listener(add))


class GatewayEntity(CoordinatorEntity[GatewayCoordinator]):
    """An entity of the gateway, or of a unit behind it."""

    _attr_has_entity_name = True
    entity_description: GatewayEntityDescription

    def __init__(self, coordinator: GatewayCoordinator, description: GatewayEntityDescription) -> None:
        super().__init__(coordinator, context=description.pages)
        self.entity_description = description
        self._attr_unique_id = description.unique_id(coordinator)
        self._attr_device_info = _device_info(coordinator, description.unit)
        self._value: Any = None
        self._shown: tuple[bool, Any, Any] | None = None

    @property
    @override
    def available(self) -> bool:
        """Whether the gateway answers, and the pages have answered lately."""
        now = dt_util.utcnow()
        pages = self.entity_description.pages
        return super().available and all(self.coordinator.pages.is_fresh(page, now) for page in pages)

    def _read(self) -> Any:
        """Give the newest value; None where it is not known."""
        return self.entity_description.value_fn(self.coordinator.data)

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self._has_changed()

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        if self._has_changed():
            self.async_write_ha_state()

    def _has_changed(self) -> bool:
        self._value = self._read()
        before, self._shown = self._shown, (self.available, self._value, self.extra_state_attributes)
        return before != self._shown


def _device_info(coordinator: GatewayCoordinator, unit: Unit | None) -> DeviceInfo:
    if unit is None:
        return DeviceInfo(identifiers={(DOMAIN, coordinator.serial_number)})
    return DeviceInfo(
        identifiers={(DOMAIN, unit.serial_number)},
        via_device_id=coordinator.device_id,
        manufacturer="Enphase",
        model=unit.model,
        model_id=unit.part_number,
        translation_key=unit.translation_key,
        translation_placeholders={"serial": unit.serial_number},
        serial_number=unit.serial_number,
        sw_version=unit.firmware,
    )
