"""Helpers: entities and issues of changes, and what was sent."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import issue_registry as ir
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway.const import CONTROL_PLATFORMS, DOMAIN
from enphase_companion.simulator import Simulator

NUMBER, SELECT, SWITCH = Platform.NUMBER, Platform.SELECT, Platform.SWITCH

#: Seconds after which the cloud has written the old values again, and more than any other delay.
LATER = 700

type Control = Callable[..., Awaitable[MockConfigEntry]]
type Show = Callable[[str, str], State]
type Change = Callable[..., Coroutine[Any, Any, None]]


def entity_id(hass: HomeAssistant, simulator: Simulator, platform: str, key: str) -> str:
    """Return the entity id of the gateway's entity with this key."""
    entities = er.async_get(hass).entities.values()
    [found] = [
        entity.entity_id
        for entity in entities
        if entity.domain == platform
        and entity.platform == DOMAIN
        and f"_{entity.unique_id}".endswith(f"_{key}")
    ]
    return found


def issues(hass: HomeAssistant) -> list[str | None]:
    """Return the translation keys of the issues of commands."""
    registry = ir.async_get(hass)
    return [issue.translation_key for (domain, _), issue in registry.issues.items() if domain == DOMAIN]


def control_entities(hass: HomeAssistant, entry: MockConfigEntry) -> set[str]:
    """Return the unique ids, without the serial number, of the entities that change the gateway."""
    entities = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    return {entity.unique_id.partition("_")[2] for entity in entities if entity.domain in CONTROL_PLATFORMS}


def written(simulator: Simulator) -> list[str]:
    """Return the paths of the requests that change something; a login is none."""
    return [
        request.path
        for request in simulator.requests
        if request.method != "GET" and not request.path.startswith("/auth/")
    ]


async def settle(hass: HomeAssistant) -> None:
    """Wait for the second proof."""
    await hass.async_block_till_done(wait_background_tasks=True)
