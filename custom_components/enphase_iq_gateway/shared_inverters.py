"""Microinverters that two gateways list, as gateways hear each other's over the power line.

Each is one device with one set of entities: those of the gateway that it reports to. Whose they are is kept
in the entity registry.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import Platform
from homeassistant.core import callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util

from .const import DOMAIN, LOGGER
from .enphase_api.json_values import SILENT_AFTER
from .enphase_api.models import Inverter
from .pages import Page

if TYPE_CHECKING:
    from .coordinator import GatewayCoordinator


@callback
def async_foreign_inverters(coordinator: GatewayCoordinator, found: Mapping[str, Inverter]) -> frozenset[str]:
    """Return the serial numbers of those found that are shown as another gateway's.

    One that reports here now, and no longer there, is taken over: the other entry is reloaded without it and
    the list is asked for once more, as its entities can be added here only then.
    """
    entries = coordinator.hass.config_entries
    mine = coordinator.config_entry.entry_id
    others = [entry for entry in entries.async_loaded_entries(DOMAIN) if entry.entry_id != mine]
    foreign = set()
    taken: dict[str, list[str]] = {}
    for serial_number, inverter in found.items():
        owner_id = _owner_id(coordinator, serial_number)
        owner = None if owner_id in (None, mine) else entries.async_get_entry(str(owner_id))
        if owner is not None:
            foreign.add(serial_number)
            if owner.state is ConfigEntryState.LOADED and _reports_here_now(
                coordinator, owner.runtime_data, inverter
            ):
                taken.setdefault(owner.entry_id, []).append(serial_number)
        elif any(serial_number in (entry.runtime_data.data.inverters or ()) for entry in others):
            # Just taken over, and the other entry has not been reloaded yet.
            foreign.add(serial_number)
            coordinator.pages.hurry(Page.INVERTERS)
    for other_id, serial_numbers in taken.items():
        _take_over(coordinator, other_id, serial_numbers)
    return frozenset(foreign)


def _owner_id(coordinator: GatewayCoordinator, serial_number: str) -> str | None:
    registry = er.async_get(coordinator.hass)
    entity_id = registry.async_get_entity_id(Platform.SENSOR, DOMAIN, f"{serial_number}_power")
    registered = None if entity_id is None else registry.async_get(entity_id)
    return None if registered is None else registered.config_entry_id


def _reports_here_now(coordinator: GatewayCoordinator, other: GatewayCoordinator, inverter: Inverter) -> bool:
    """Return whether the inverter's report is so much newer here that it is silent there.

    By each gateway's own clock: they need not agree. A list that the other has not read lately says nothing.
    """
    found = other.data.found_inverters
    if found is None or not other.pages.is_fresh(Page.INVERTERS, dt_util.utcnow()):
        return False
    theirs = found.get(inverter.serial_number)
    if inverter.last_reported_at is None or theirs is None or theirs.last_reported_at is None:
        return inverter.last_reported_at is not None
    here = coordinator.gateway.now - inverter.last_reported_at
    there = other.gateway.now - theirs.last_reported_at
    return there - here > SILENT_AFTER


def _take_over(coordinator: GatewayCoordinator, other_id: str, serial_numbers: list[str]) -> None:
    """Make microinverters of another entry this one's: devices, entities, and so their history."""
    hass, mine = coordinator.hass, coordinator.config_entry.entry_id
    devices, entities = dr.async_get(hass), er.async_get(hass)
    LOGGER.info("%s: %d microinverters report here now", coordinator.name, len(serial_numbers))
    for serial_number in serial_numbers:
        device = devices.async_get_device_by_identifier((DOMAIN, serial_number), other_id)
        if device is None:
            continue
        # The entities first: those of another entry than their device's are removed with their history.
        for entity in er.async_entries_for_device(entities, device.id, include_disabled_entities=True):
            entities.async_update_entity(entity.entity_id, config_entry_id=mine)
        devices.async_update_device(device.id, new_config_entry_id=mine, via_device_id=coordinator.device_id)
    hass.config_entries.async_schedule_reload(other_id)
    coordinator.pages.hurry(Page.INVERTERS)
