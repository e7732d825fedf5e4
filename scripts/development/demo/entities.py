"""The integration's entities in Home Assistant: find, enable and wait for them by unique id."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from .errors import DemoError
from .owner import Owner

#: Seconds; slow endpoints (inverters, batteries) are polled one after the other, after the readings.
TIMEOUT = 60

#: States without a value.
NOTHING = {"unknown", "unavailable"}


async def wait_for_entities(owner: Owner, entry_id: str, wanted: Collection[str]) -> dict[str, str]:
    """Return an entry's entity ids by unique id, once the wanted ones exist or the time is over."""
    entities: dict[str, str] = {}
    for _ in range(TIMEOUT * 5):
        entities = {
            entity["unique_id"]: entity["entity_id"] for entity in await _fetch_registered(owner, entry_id)
        }
        if set(wanted) <= set(entities):
            break
        await asyncio.sleep(0.2)
    return entities


async def wait_until_enabled(owner: Owner, entry_id: str, wanted: Collection[str]) -> None:
    """Wait until these entities, by their unique ids, are enabled, or the time is over."""
    for _ in range(TIMEOUT * 5):
        registered = await _fetch_registered(owner, entry_id)
        if set(wanted) <= {each["unique_id"] for each in registered if not each["disabled_by"]}:
            break
        await asyncio.sleep(0.2)


async def enable(owner: Owner, entry_id: str, wanted: Collection[str]) -> dict[str, str]:
    """Enable entities by their unique ids, and return the ids of all enabled ones.

    The entry is reloaded, so that this takes effect immediately; Home Assistant reloads after half a minute.
    """
    entities = await _fetch_registered(owner, entry_id)
    disabled = [each for each in entities if each["disabled_by"]]
    others = {each["unique_id"]: each["entity_id"] for each in entities if not each["disabled_by"]}
    enabled = {each["unique_id"]: each["entity_id"] for each in disabled if each["unique_id"] in wanted}
    for entity_id in enabled.values():
        await owner.ask("config/entity_registry/update", entity_id=entity_id, disabled_by=None)
    if enabled:
        await owner.post(f"/api/config/config_entries/entry/{entry_id}/reload")
    return others | enabled


async def wait_for_states(owner: Owner, entity_ids: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return the states at one time, once all of these entities have a value or the time is over."""
    states: dict[str, dict[str, Any]] = {}
    for _ in range(TIMEOUT * 5):
        states = await owner.states()
        if all(each in states and states[each]["state"] not in NOTHING for each in entity_ids):
            break
        await asyncio.sleep(0.2)
    return states


async def _fetch_registered(owner: Owner, entry_id: str) -> list[dict[str, Any]]:
    entities: list[dict[str, Any]] = await owner.ask("config/entity_registry/list")
    return [entity for entity in entities if entity["config_entry_id"] == entry_id]


async def find_device(owner: Owner, domain: str, serial_number: str | None = None) -> dict[str, Any]:
    """Return the device of a gateway: with this serial number, or the one without a parent device."""
    devices: list[dict[str, Any]] = await owner.ask("config/device_registry/list")
    for device in devices:
        ours = [identifier for kind, identifier in device["identifiers"] if kind == domain]
        if ours and (serial_number in ours if serial_number else device["via_device_id"] is None):
            return device
    raise DemoError(f"Home Assistant has no device of {domain}: set one up first")
