"""A gateway that takes another one's place: what its owner had of the old one goes on with the new one."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er

from .const import CONF_ENERGY_SOURCE, CONF_ENERGY_SOURCE_FIRMWARE, DOMAIN, LOGGER
from .counter_store import async_replace
from .naming import gateway_title, log_name


async def async_replace_gateway(hass: HomeAssistant, entry: ConfigEntry, serial_number: str) -> None:
    """Move an entry to the gateway with this serial number, which replaced the entry's own.

    Entities keep their entity ids, and with them history, statistics, names and whether they are enabled;
    devices stay. Energies go on from where they were, whatever the new gateway's counters say. Microinverters
    and batteries have serial numbers of their own. The entry is unloaded afterwards: store the new address,
    certificate and token, and reload it. The caller makes sure that no other entry has this serial number.
    """
    old = str(entry.unique_id)
    async with entry.setup_lock:
        # While Home Assistant tries to reach the old gateway, its entry cannot be unloaded.
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
    await async_replace(hass, old, serial_number)
    title = gateway_title(serial_number) if entry.title == gateway_title(old) else entry.title
    # Where production is counted was found out of the old gateway.
    of_old = (CONF_ENERGY_SOURCE, CONF_ENERGY_SOURCE_FIRMWARE)
    data = {key: value for key, value in entry.data.items() if key not in of_old}
    hass.config_entries.async_update_entry(entry, unique_id=serial_number, title=title, data=data)
    LOGGER.info("%s goes on in the place of gateway …%s", log_name(entry), old[-4:])
