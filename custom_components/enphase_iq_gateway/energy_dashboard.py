"""Add the sensors of a gateway to Home Assistant's Energy dashboard, and remove them again."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from homeassistant.components.energy import data as energy
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from .const import CONF_ENERGY_DASHBOARD, CONF_ENERGY_SOURCES, DOMAIN, LOGGER
from .issues import async_update_energy_issue

type Source = dict[str, Any]

#: The fields of each kind of source with an energy, and the keys of their sensors. The first ones must exist.
_REQUIRED: dict[str, dict[str, str]] = {
    "solar": {"stat_energy_from": "production_energy"},
    "grid": {"stat_energy_from": "grid_energy_imported", "stat_energy_to": "grid_energy_exported"},
    "battery": {
        "stat_energy_from": "battery_energy_discharged",
        "stat_energy_to": "battery_energy_charged",
    },
    "home": {"stat_energy_to": "home_energy"},
}
_OPTIONAL: dict[str, dict[str, str]] = {
    "solar": {"stat_rate": "production_power"},
    "grid": {
        "stat_rate": "grid_power",
        "entity_energy_price": "import_price",
        "entity_energy_price_export": "export_price",
    },
    "battery": {"stat_rate": "battery_power", "stat_soc": "battery_charge"},
    "home": {"stat_rate": "home_power"},
}
#: What Home Assistant stores besides.
_FIXED: dict[str, Source] = {
    "solar": {"config_entry_solar_forecast": None},
    "grid": {
        "stat_cost": None,
        "entity_energy_price": None,
        "number_energy_price": None,
        "stat_compensation": None,
        "entity_energy_price_export": None,
        "number_energy_price_export": None,
        "cost_adjustment_day": 0.0,
    },
}
#: Each gateway may have its own; of the others there is one in a house.
_SEVERAL = ("solar", "battery")


def is_available(hass: HomeAssistant) -> bool:
    """Return whether Home Assistant has the Energy dashboard."""
    return "energy" in hass.config.components


async def async_watch_energy_dashboard(hass: HomeAssistant) -> None:
    """Keep the offers to set up the Energy dashboard up to date with what the user changes there."""

    async def update() -> None:
        with _keep_going():
            for entry in hass.config_entries.async_loaded_entries(DOMAIN):
                await _async_update_offer(hass, entry)

    with _keep_going():
        (await energy.async_get_manager(hass)).async_listen_updates(update)


async def async_apply_energy_option(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Add the sources that are missing if the option was switched on since the last setup, or remove these.

    Sources that were there before are never changed. What the user deletes later is not added again.
    """
    with _keep_going():
        await _async_apply_option(hass, entry)


@contextmanager
def _keep_going() -> Iterator[None]:
    """Log an error instead of raising it.

    The form of the preferences belongs to the Energy dashboard and changes with it. Then neither the sensors
    of a gateway nor what the user saves there may be lost.
    """
    try:
        yield
    except Exception:  # noqa: BLE001
        LOGGER.exception("The Energy dashboard cannot be changed: please report this")


async def _async_apply_option(hass: HomeAssistant, entry: ConfigEntry) -> None:
    added: list[Source] | None = entry.data.get(CONF_ENERGY_SOURCES)
    is_on = bool(entry.options.get(CONF_ENERGY_DASHBOARD))
    if is_on != (added is not None):
        manager = await energy.async_get_manager(hass)
        present = _sources(manager)
        data = {key: value for key, value in entry.data.items() if key != CONF_ENERGY_SOURCES}
        if is_on:
            missing = data[CONF_ENERGY_SOURCES] = _missing_sources(hass, entry, present)
            changed = [*present, *missing]
        else:
            identities = [_identity(each) for each in added or ()]
            changed = [each for each in present if _identity(each) not in identities]
        hass.config_entries.async_update_entry(entry, data=data)
        if changed != present:
            await manager.async_update({"energy_sources": changed})  # type: ignore[typeddict-item]
    await _async_update_offer(hass, entry)


async def _async_update_offer(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Offer to add the missing sources, unless that was done once."""
    is_on = bool(entry.options.get(CONF_ENERGY_DASHBOARD))
    present = _sources(await energy.async_get_manager(hass))
    async_update_energy_issue(
        hass, entry, is_incomplete=not is_on and bool(_missing_sources(hass, entry, present))
    )


def _sources(manager: energy.EnergyManager) -> list[Source]:
    return [] if manager.data is None else list(manager.data["energy_sources"])  # type: ignore[arg-type]


def _identity(source: Source) -> tuple[Any, ...]:
    """Return what makes a source the same one after the user has changed its name, price or power."""
    return tuple(source.get(key) for key in ("type", "stat_energy_from", "stat_energy_to"))


def _missing_sources(hass: HomeAssistant, entry: ConfigEntry, present: list[Source]) -> list[Source]:
    """Return the sources of a gateway that the Energy dashboard does not have.

    Where it has a source of that kind from elsewhere, such as another integration, none is added: both may
    measure the same.
    """
    registry = er.async_get(hass)

    def enabled_sensors(fields: dict[str, str]) -> Source:
        found = {
            field: registry.async_get_entity_id(Platform.SENSOR, DOMAIN, f"{entry.unique_id}_{key}")
            for field, key in fields.items()
        }
        return {field: each for field, each in found.items() if each and _is_enabled(registry, each)}

    missing = []
    for kind, fields in _REQUIRED.items():
        if kind == "home" and not hasattr(energy, "HomeSourceType"):
            # Home Assistant has this source since 2026.11.
            continue
        sensors = enabled_sensors(fields)
        others = [each for each in present if each["type"] == kind]
        if len(sensors) == len(fields) and all(
            kind in _SEVERAL and _is_of_another_gateway(registry, entry, each) for each in others
        ):
            missing.append(
                {"type": kind, **_FIXED.get(kind, {}), **sensors, **enabled_sensors(_OPTIONAL[kind])}
            )
    return missing


def _is_enabled(registry: er.EntityRegistry, entity_id: str) -> bool:
    entity = registry.async_get(entity_id)
    return entity is not None and entity.disabled_by is None


def _is_of_another_gateway(registry: er.EntityRegistry, entry: ConfigEntry, source: Source) -> bool:
    entity = registry.async_get(str(source.get("stat_energy_from")))
    return entity is not None and entity.platform == DOMAIN and entity.config_entry_id != entry.entry_id
