"""Numbers: the charge that the batteries keep, and the levels of dry contacts."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, override

from homeassistant.components.number import NumberEntity, NumberEntityDescription
from homeassistant.const import PERCENTAGE, EntityCategory, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import GatewayConfigEntry, GatewayCoordinator
from .enphase_api.models import Command
from .entity import ControlDescription, ControlEntity, async_add_discovered_entities
from .units import UnitKind, find_units

# Commands are sent one at a time.
PARALLEL_UPDATES = 1

_PERCENT: dict[str, Any] = {
    "native_unit_of_measurement": PERCENTAGE,
    "native_min_value": 0,
    "native_max_value": 100,
    "native_step": 1,
}


@dataclass(frozen=True, kw_only=True)
class GatewayNumberDescription(NumberEntityDescription, ControlDescription):
    """Describe a number."""


async def async_setup_entry(
    _hass: HomeAssistant, entry: GatewayConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the numbers, if the gateway may be changed."""
    if entry.runtime_data.allows_changes:
        async_add_discovered_entities(
            entry, Platform.NUMBER, async_add_entities, _descriptions, GatewayNumber
        )


def _descriptions(coordinator: GatewayCoordinator) -> Iterator[GatewayNumberDescription]:
    data = coordinator.data
    disabled: dict[str, Any] = {
        "entity_category": EntityCategory.CONFIG,
        "entity_registry_enabled_default": False,
    }
    if data.storage is not None:
        yield GatewayNumberDescription.of(Command.STORAGE, "reserve", key="battery_reserve", **_PERCENT)
        yield GatewayNumberDescription.of(
            Command.STORAGE, "shutdown_level", key="battery_shutdown_level", **_PERCENT, **disabled
        )
    for kind, unit, find, _ in find_units(data):
        if kind is UnitKind.DRY_CONTACT:
            for name, key in (("soc_low", "dry_contact_low_level"), ("soc_high", "dry_contact_high_level")):
                yield GatewayNumberDescription.of(
                    Command.DRY_CONTACT_SETTINGS,
                    name,
                    key=key,
                    device=find(data).id,
                    unit=unit,
                    **_PERCENT,
                    **disabled,
                )


class GatewayNumber(ControlEntity, NumberEntity):
    """A number."""

    entity_description: GatewayNumberDescription

    @property
    @override
    def native_value(self) -> Any:
        return self._value

    @override
    async def async_set_native_value(self, value: float) -> None:
        await self._async_send(value)
