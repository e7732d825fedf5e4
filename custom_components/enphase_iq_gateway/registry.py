"""Change devices and entities in the registries: of a replaced gateway, and of microinverters.

Gateways hear the microinverters of each other over the power line, so two may list the same one. It is one
device with one set of entities: those of the gateway that it reports to, as the entity registry has it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util

from .const import (
    CONF_ENERGY_SOURCE,
    CONF_ENERGY_SOURCE_FIRMWARE,
    CONF_PANEL_SENSORS,
    CONF_PANEL_SENSORS_BEFORE,
    DOMAIN,
    LOGGER,
    MICROINVERTER_MODEL,
    PANEL_SENSORS,
)
from .endpoints import Endpoint
from .energy_counter_store import async_move_counters
from .enphase_api.json_values import SILENT_AFTER
from .enphase_api.models import Inverter
from .helpers import default_title, log_name

if TYPE_CHECKING:
    from .coordinator import GatewayCoordinator


async def async_replace_gateway(hass: HomeAssistant, entry: ConfigEntry, serial_number: str) -> None:
    """Move an entry to the gateway that replaced the entry's own.

    Entities keep their ids, and so their history, statistics and names; devices stay, and energies continue
    from their last values. Microinverters and batteries have serial numbers of their own. The entry is
    unloaded afterwards: store the new address, certificate and token, and reload it. No other entry may have
    the serial number.
    """
    old = str(entry.unique_id)
    async with entry.setup_lock:
        # An entry cannot be unloaded while it is being set up.
        pass
    await hass.config_entries.async_unload(entry.entry_id)
    devices, entities = dr.async_get(hass), er.async_get(hass)
    for entity in er.async_entries_for_config_entry(entities, entry.entry_id):
        if entity.unique_id.startswith(f"{old}_"):
            entities.async_update_entity(
                entity.entity_id, new_unique_id=f"{serial_number}_{entity.unique_id.removeprefix(f'{old}_')}"
            )
    for device in dr.async_entries_for_config_entry(devices, entry.entry_id):
        if (DOMAIN, old) in device.identifiers:
            devices.async_update_device(
                device.id,
                new_identifiers=device.identifiers - {(DOMAIN, old)} | {(DOMAIN, serial_number)},
                serial_number=serial_number,
            )
    await async_move_counters(hass, old, serial_number)
    title = default_title(serial_number) if entry.title == default_title(old) else entry.title
    # The energy source was determined for the old gateway.
    outdated = (CONF_ENERGY_SOURCE, CONF_ENERGY_SOURCE_FIRMWARE)
    data = {key: value for key, value in entry.data.items() if key not in outdated}
    hass.config_entries.async_update_entry(entry, unique_id=serial_number, title=title, data=data)
    LOGGER.info("%s replaces gateway …%s", log_name(entry), old[-4:])


@callback
def async_foreign_inverters(
    coordinator: GatewayCoordinator, listed: Mapping[str, Inverter]
) -> frozenset[str]:
    """Return the serial numbers of listed microinverters that belong to the entry of another gateway.

    A microinverter that reports to this gateway now, and no longer to the other one, is taken over: the other
    entry is reloaded without it, then the list is polled once more to add its entities here.
    """
    entries = coordinator.hass.config_entries
    own_id = coordinator.config_entry.entry_id
    others = [entry for entry in entries.async_loaded_entries(DOMAIN) if entry.entry_id != own_id]
    foreign = set()
    moved: dict[str, list[str]] = {}
    for serial_number, inverter in listed.items():
        owner_id = _owner_id(coordinator, serial_number)
        owner = None if owner_id in (None, own_id) else entries.async_get_entry(str(owner_id))
        if owner is not None:
            foreign.add(serial_number)
            if owner.state is ConfigEntryState.LOADED and _has_moved(
                coordinator, owner.runtime_data, inverter
            ):
                moved.setdefault(owner.entry_id, []).append(serial_number)
        elif any(serial_number in (entry.runtime_data.data.inverters or ()) for entry in others):
            # Just taken over, and the other entry has not been reloaded yet.
            foreign.add(serial_number)
            coordinator.poll_schedule[Endpoint.INVERTERS].request_refresh()
    for other_id, serial_numbers in moved.items():
        _take_over(coordinator, other_id, serial_numbers)
    return frozenset(foreign)


def _owner_id(coordinator: GatewayCoordinator, serial_number: str) -> str | None:
    """Return the entry that a microinverter belongs to."""
    registry = er.async_get(coordinator.hass)
    entity_id = registry.async_get_entity_id(Platform.SENSOR, DOMAIN, f"{serial_number}_power")
    registered = None if entity_id is None else registry.async_get(entity_id)
    return None if registered is None else registered.config_entry_id


def _has_moved(coordinator: GatewayCoordinator, other: GatewayCoordinator, inverter: Inverter) -> bool:
    """Return whether a microinverter reports to this gateway, and is silent at the other one.

    Each report is compared with the clock of its own gateway. An outdated list of the other gateway does not
    count.
    """
    listed = other.data.listed_inverters
    if listed is None or not other.poll_schedule.is_fresh(Endpoint.INVERTERS, dt_util.utcnow()):
        return False
    theirs = listed.get(inverter.serial_number)
    if inverter.last_reported_at is None or theirs is None or theirs.last_reported_at is None:
        return inverter.last_reported_at is not None
    age = coordinator.gateway.now - inverter.last_reported_at
    age_at_other = other.gateway.now - theirs.last_reported_at
    return age_at_other - age > SILENT_AFTER


def _take_over(coordinator: GatewayCoordinator, other_id: str, serial_numbers: list[str]) -> None:
    """Move the devices and entities of microinverters from another entry, with their history."""
    hass, own_id = coordinator.hass, coordinator.config_entry.entry_id
    other: GatewayCoordinator = hass.config_entries.async_get_known_entry(other_id).runtime_data
    devices, entities = dr.async_get(hass), er.async_get(hass)
    LOGGER.info("%s: %d microinverters now report here", coordinator.name, len(serial_numbers))
    for serial_number in serial_numbers:
        coordinator.counters.take_over(other.counters, serial_number)
        device = devices.async_get_device_by_identifier((DOMAIN, serial_number), other_id)
        if device is None:
            continue
        # Entities first: the registry removes entities of another entry than that of their device.
        for entity in er.async_entries_for_device(entities, device.id, include_disabled_entities=True):
            entities.async_update_entity(entity.entity_id, config_entry_id=own_id)
        devices.async_update_device(
            device.id, new_config_entry_id=own_id, via_device_id=coordinator.device_id
        )
    hass.config_entries.async_schedule_reload(other_id)
    coordinator.poll_schedule[Endpoint.INVERTERS].request_refresh()


@callback
def async_apply_panel_option(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Enable or disable the sensors of microinverters if the option was switched since the last setup.

    What the user disabled stays disabled, and what the user had enabled before the option was switched on
    stays enabled.
    """
    before: list[str] | None = entry.data.get(CONF_PANEL_SENSORS_BEFORE)
    is_on = bool(entry.options.get(CONF_PANEL_SENSORS))
    if is_on == (before is not None):
        return
    registry = er.async_get(hass)
    sensors = [
        sensor
        for device in dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
        if device.model == MICROINVERTER_MODEL
        for sensor in er.async_entries_for_device(registry, device.id, include_disabled_entities=True)
        if sensor.unique_id.partition("_")[2] in PANEL_SENSORS
    ]
    data = {key: value for key, value in entry.data.items() if key != CONF_PANEL_SENSORS_BEFORE}
    if is_on:
        data[CONF_PANEL_SENSORS_BEFORE] = [each.unique_id for each in sensors if each.disabled_by is None]
    hass.config_entries.async_update_entry(entry, data=data)
    for sensor in sensors:
        if is_on and sensor.disabled_by is er.RegistryEntryDisabler.INTEGRATION:
            registry.async_update_entity(sensor.entity_id, disabled_by=None)
        elif not is_on and sensor.disabled_by is None and sensor.unique_id not in (before or ()):
            registry.async_update_entity(sensor.entity_id, disabled_by=er.RegistryEntryDisabler.INTEGRATION)
