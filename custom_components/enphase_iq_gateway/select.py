"""Selections: the mode of the batteries and of the generator, and what dry contacts do."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import override

from homeassistant.components.select import SelectEntity, SelectEntityDescription
from homeassistant.const import EntityCategory, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import GatewayConfigEntry, GatewayCoordinator
from .enphase_api.local.control import CONTACT_ACTIONS, CONTACT_MODES, GENERATOR_MODES
from .enphase_api.models import Command, StorageMode
from .entity import ControlDescription, ControlEntity, async_add_discovered_entities
from .units import UnitKind, find_units

# Commands are sent one at a time.
PARALLEL_UPDATES = 1

#: Name of the value, key of the entity, options.
_CONTACT_SETTINGS = (
    ("mode", "dry_contact_mode", CONTACT_MODES),
    ("grid_action", "dry_contact_grid_action", CONTACT_ACTIONS),
    ("micro_grid_action", "dry_contact_micro_grid_action", CONTACT_ACTIONS),
    ("gen_action", "dry_contact_generator_action", CONTACT_ACTIONS),
)


@dataclass(frozen=True, kw_only=True)
class GatewaySelectDescription(SelectEntityDescription, ControlDescription):
    """Describe a selection."""


async def async_setup_entry(
    _hass: HomeAssistant, entry: GatewayConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the selections, if the gateway may be changed."""
    if entry.runtime_data.allows_changes:
        async_add_discovered_entities(
            entry, Platform.SELECT, async_add_entities, _descriptions, GatewaySelect
        )


def _descriptions(coordinator: GatewayCoordinator) -> Iterator[GatewaySelectDescription]:
    data = coordinator.data
    if data.storage is not None:
        yield GatewaySelectDescription.of(
            Command.STORAGE, "mode", key="battery_mode", options=[mode.value for mode in StorageMode]
        )
    for kind, unit, find, _ in find_units(data):
        if kind is UnitKind.GENERATOR and data.generator_mode is not None:
            yield GatewaySelectDescription.of(
                Command.GENERATOR, "mode", key="generator_mode", unit=unit, options=list(GENERATOR_MODES)
            )
        elif kind is UnitKind.DRY_CONTACT:
            for name, key, options in _CONTACT_SETTINGS:
                yield GatewaySelectDescription.of(
                    Command.DRY_CONTACT_SETTINGS,
                    name,
                    key=key,
                    device=find(data).id,
                    unit=unit,
                    options=list(options),
                    entity_category=EntityCategory.CONFIG,
                    entity_registry_enabled_default=False,
                )


class GatewaySelect(ControlEntity, SelectEntity):
    """A selection."""

    entity_description: GatewaySelectDescription

    @property
    @override
    def current_option(self) -> str | None:
        return None if self._value is None else str(self._value)

    @override
    async def async_select_option(self, option: str) -> None:
        await self._async_send(option)
