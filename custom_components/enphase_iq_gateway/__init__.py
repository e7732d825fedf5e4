"""The Enphase IQ Gateway integration."""

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed, ConfigEntryError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.typing import ConfigType

from . import energy_dashboard
from .const import CONTROL_PLATFORMS, DOMAIN, PLATFORMS
from .coordinator import GatewayConfigEntry, GatewayCoordinator
from .dashboard import async_register_dashboard
from .energy_counter_store import async_mark_removed
from .enphase_api import CertificateError, TokenError
from .helpers import async_get_words
from .issues import async_delete_issues
from .registry import async_apply_panel_option
from .services import async_setup_services
from .unit_sensors import REPLACED_SENSORS
from .websocket_api import async_setup_websocket_api

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, _config: ConfigType) -> bool:
    """Register the actions, valid without a loaded entry, the websocket commands and the dashboard."""
    async_setup_services(hass)
    async_setup_websocket_api(hass)
    if "frontend" in hass.config.components:
        await async_register_dashboard(hass)
    if energy_dashboard.is_available(hass):
        await energy_dashboard.async_watch_energy_dashboard(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: GatewayConfigEntry) -> bool:
    """Set up a gateway."""
    try:
        coordinator = GatewayCoordinator(hass, entry)
    except CertificateError as error:
        raise ConfigEntryError(translation_domain=DOMAIN, translation_key="invalid_certificate") from error
    except TokenError as error:
        raise ConfigEntryAuthFailed(
            translation_domain=DOMAIN,
            translation_key="token_rejected",
            translation_placeholders={"name": entry.title},
        ) from error
    await coordinator.async_config_entry_first_refresh()
    info = coordinator.data.info
    device = dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id,
        identifiers={(DOMAIN, coordinator.serial_number)},
        configuration_url=coordinator.gateway.host,
        manufacturer="Enphase",
        model="IQ Gateway",
        model_id=info.part_number,
        name=entry.title,
        serial_number=coordinator.serial_number,
        sw_version=info.firmware,
    )
    coordinator.device_id = device.id
    async_apply_panel_option(hass, entry)
    coordinator.meter_names = await async_get_words(hass, "meter")
    entry.runtime_data = coordinator
    _async_remove_unneeded_entities(hass, entry)
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    if energy_dashboard.is_available(hass):
        await energy_dashboard.async_apply_energy_option(hass, entry)
    return True


@callback
def _async_remove_unneeded_entities(hass: HomeAssistant, entry: GatewayConfigEntry) -> None:
    """Remove the entities that change the gateway, or the sensors that they replace.

    Home Assistant keeps their ids and settings for later.
    """
    registry, allows_changes = er.async_get(hass), entry.runtime_data.allows_changes
    for entity in er.async_entries_for_config_entry(registry, entry.entry_id):
        is_replaced = entity.domain == Platform.SENSOR and entity.translation_key in REPLACED_SENSORS
        if is_replaced if allows_changes else entity.domain in CONTROL_PLATFORMS:
            registry.async_remove(entity.entity_id)


async def async_unload_entry(hass: HomeAssistant, entry: GatewayConfigEntry) -> bool:
    """Unload a gateway."""
    is_unloaded = await hass.config_entries.async_unload_platforms(entry, PLATFORMS)
    if is_unloaded:
        await entry.runtime_data.counters.async_save()
    return is_unloaded


async def async_remove_entry(hass: HomeAssistant, entry: GatewayConfigEntry) -> None:
    """Delete the issues of an entry, and mark its counters as removed."""
    await async_mark_removed(hass, str(entry.unique_id))
    async_delete_issues(hass, entry)


async def async_remove_config_entry_device(
    _hass: HomeAssistant, entry: GatewayConfigEntry, device: dr.DeviceEntry
) -> bool:
    """Return whether a device can be deleted: one that the gateway no longer lists."""
    if entry.state is not ConfigEntryState.LOADED:
        return False
    data = entry.runtime_data.data
    if data.inverters is None or data.batteries is None:
        return False
    ac_batteries = data.ac_battery_sleep or {}
    present = {entry.runtime_data.serial_number, *data.inverters, *data.devices, *ac_batteries}
    return not any(identifier in present for domain, identifier in device.identifiers if domain == DOMAIN)
