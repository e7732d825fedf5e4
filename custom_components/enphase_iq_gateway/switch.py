"""Switches: charging from grid or generator, the grid, dry contacts, AC Batteries, production."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, override

from homeassistant.components.switch import SwitchEntity, SwitchEntityDescription
from homeassistant.const import EntityCategory, Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import DOMAIN
from .coordinator import GatewayConfigEntry, GatewayCoordinator
from .enphase_api.models import Command
from .entity import ControlDescription, ControlEntity, async_add_discovered_entities
from .units import UnitKind, ac_battery_unit, find_units

# Commands are sent one at a time.
PARALLEL_UPDATES = 1

#: Home Assistant leaves entities with a category out when an action or a voice assistant switches all that
#: an area or a device has: that must not disconnect the house, its loads or its panels, nor charge the
#: batteries. An action for `entity_id: all` ignores categories: what disconnects is disabled by default, too.
_NOT_WITH_AREA = EntityCategory.CONFIG


@dataclass(frozen=True, kw_only=True)
class GatewaySwitchDescription(SwitchEntityDescription, ControlDescription):
    """Describe a switch."""


async def async_setup_entry(
    _hass: HomeAssistant, entry: GatewayConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the switches, if the gateway may be changed."""
    if entry.runtime_data.allows_changes:
        async_add_discovered_entities(
            entry, Platform.SWITCH, async_add_entities, _descriptions, _create_switch
        )


def _descriptions(coordinator: GatewayCoordinator) -> Iterator[GatewaySwitchDescription]:
    data = coordinator.data
    if data.storage is not None:
        yield GatewaySwitchDescription.of(
            Command.STORAGE, "charge_from_grid", key="charge_from_grid", entity_category=_NOT_WITH_AREA
        )
    for kind, unit, find, _ in find_units(data):
        if kind is UnitKind.CONTROLLER:
            yield GatewaySwitchDescription.of(
                Command.GRID_CONNECTION,
                "connected",
                key="grid_connection",
                unit=unit,
                entity_category=_NOT_WITH_AREA,
                entity_registry_enabled_default=False,
            )
        elif kind is UnitKind.GENERATOR and data.generator_charging is not None:
            yield GatewaySwitchDescription.of(
                Command.GENERATOR_CHARGING,
                "allowed",
                key="generator_charging",
                unit=unit,
                entity_category=EntityCategory.CONFIG,
            )
        elif kind is UnitKind.DRY_CONTACT:
            yield GatewaySwitchDescription.of(
                Command.DRY_CONTACT,
                "closed",
                key="dry_contact",
                device=find(data).id,
                unit=unit,
                entity_category=_NOT_WITH_AREA,
                entity_registry_enabled_default=False,
            )
    for serial_number in data.ac_battery_sleep or ():
        yield GatewaySwitchDescription.of(
            Command.AC_BATTERY_SLEEP,
            "sleep",
            key="ac_battery_sleep",
            device=serial_number,
            unit=ac_battery_unit(serial_number),
            entity_category=EntityCategory.CONFIG,
        )
    if data.production_switch is not None:
        yield GatewaySwitchDescription.of(
            Command.PRODUCTION,
            "on",
            key="production",
            entity_category=_NOT_WITH_AREA,
            # The action needs no entity.
            entity_registry_enabled_default=False,
        )


def _create_switch(coordinator: GatewayCoordinator, description: GatewaySwitchDescription) -> GatewaySwitch:
    kinds = {Command.GRID_CONNECTION: GridSwitch, Command.AC_BATTERY_SLEEP: SleepSwitch}
    return kinds.get(description.setting.command, GatewaySwitch)(coordinator, description)


class GatewaySwitch(ControlEntity, SwitchEntity):
    """A switch."""

    entity_description: GatewaySwitchDescription

    @property
    @override
    def is_on(self) -> Any:
        return self._value

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        await self._async_send(True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        await self._async_send(False)


class GridSwitch(GatewaySwitch):
    """The connection to the grid, which this switch can only close.

    Everything that turns off all switches, of a room or by voice, would otherwise disconnect the house; an
    owner who is away may not be able to reconnect it. The action `set_grid_connection` asks for a
    confirmation.
    """

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="confirmation_required",
            translation_placeholders={"name": self.coordinator.config_entry.title},
        )


class SleepSwitch(GatewaySwitch):
    """The sleep of an AC Battery, which begins once its charge is between the levels that it has for this."""

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        setting = self.entity_description.setting
        low, high = self.coordinator.fetcher.ac_battery_levels[str(setting.device)]
        requested = {"sleep": True, "min_soc": low, "max_soc": high}
        await self.coordinator.commands.async_send(setting.command, requested, setting.device)
