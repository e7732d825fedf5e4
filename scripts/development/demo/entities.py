"""The integration's entities in Home Assistant: found by their unique ids, all enabled, and waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from .errors import DemoError
from .owner import Owner

#: Seconds; the slow pages (inverters, batteries) are asked for one after the other behind the readings.
PATIENCE = 60

#: A state that says nothing.
NOTHING = {"unknown", "unavailable"}


async def found(owner: Owner, entry_id: str, wanted: Collection[str]) -> dict[str, str]:
    """Return an entry's entity ids by unique id, once those that are wanted are there or patience ends."""
    entities: dict[str, str] = {}
    for _ in range(PATIENCE * 5):
        entities = {entity["unique_id"]: entity["entity_id"] for entity in await _registered(owner, entry_id)}
        if set(wanted) <= set(entities):
            break
        await asyncio.sleep(0.2)
    return entities


async def enable(owner: Owner, entry_id: str, wanted: Collection[str]) -> dict[str, str]:
    """Enable entities by their unique ids, as an owner can; return the ids of all that are enabled then.

    The entry is reloaded, so that this takes effect at once; Home Assistant does so too half a minute later.
    """
    entities = await _registered(owner, entry_id)
    disabled = [each for each in entities if each["disabled_by"]]
    others = {each["unique_id"]: each["entity_id"] for each in entities if not each["disabled_by"]}
    enabled = {each["unique_id"]: each["entity_id"] for each in disabled if each["unique_id"] in wanted}
    for entity_id in enabled.values():
        await owner.ask("config/entity_registry/update", entity_id=entity_id, disabled_by=None)
    if enabled:
        await owner.post(f"/api/config/config_entries/entry/{entry_id}/reload")
    return others | enabled


async def known_states(owner: Owner, entity_ids: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return the states of one moment, once all of these entities show something or patience ends."""
    states: dict[str, dict[str, Any]] = {}
    for _ in range(PATIENCE * 5):
        states = await owner.states()
        if all(each in states and states[each]["state"] not in NOTHING for each in entity_ids):
            break
        await asyncio.sleep(0.2)
    return states


async def _registered(owner: Owner, entry_id: str) -> list[dict[str, Any]]:
    entities: list[dict[str, Any]] = await owner.ask("config/entity_registry/list")
    return [entity for entity in entities if entity["config_entry_id"] == entry_id]


async def device_of(owner: Owner, domain: str, serial_number: str | None = None) -> dict[str, Any]:
    """Return the device of a gateway: with this serial number, or the one that hangs on no other."""
    devices: list[dict[str, Any]] = await owner.ask("config/device_registry/list")
    for device in devices:
        ours = [identifier for kind, identifier in device["identifiers"] if kind == domain]
        if ours and (serial_number in ours if serial_number else device["via_device_id"] is None):
            return device
    raise DemoError(f"Home Assistant has no device of {domain}: set one up first")
