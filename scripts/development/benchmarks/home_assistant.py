"""A Home Assistant with one integration and nothing else, refreshed and measured on request."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from time import perf_counter, process_time
from types import MappingProxyType
from typing import Any

from homeassistant import config_entries, loader
from homeassistant.bootstrap import async_load_base_functionality
from homeassistant.components.network.network import async_get_network
from homeassistant.config_entries import (
    SOURCE_USER,
    SOURCE_ZEROCONF,
    ConfigEntries,
    ConfigEntry,
    ConfigEntryState,
)
from homeassistant.const import EVENT_STATE_CHANGED, EVENT_STATE_REPORTED, STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util

import custom_components

from .loop import Blockages, occupied
from .measures import Announcement, Cost, Disturbance, resident_memory

#: Of the checkout that is measured.
_COMPONENTS = Path(custom_components.__path__[0])
_HERE = "127.0.0.1"


class HomeAssistantWith:
    """One integration in its own Home Assistant, without recorder and web server."""

    def __init__(self, domain: str, data: Mapping[str, Any], serial_number: str) -> None:
        self._domain, self._data, self._serial_number = domain, data, serial_number
        self._changed = self._unchanged = 0
        self._ahead = timedelta()
        self._folder = tempfile.TemporaryDirectory()
        self._hass: HomeAssistant
        self._entry: ConfigEntry[Any]

    async def start(self) -> None:
        """Start Home Assistant."""
        (Path(self._folder.name) / "custom_components").symlink_to(_COMPONENTS)
        # The warning about custom integrations is not needed here.
        logging.getLogger(loader.__name__).setLevel(logging.ERROR)
        hass = self._hass = HomeAssistant(self._folder.name)
        loader.async_setup(hass)
        hass.config_entries = ConfigEntries(hass, {})
        await loader.async_get_custom_components(hass)
        await async_load_base_functionality(hass)
        await async_setup_component(hass, "homeassistant", {})
        # The resolver needs the network's adapters.
        await async_get_network(hass)
        await self._set_up_more(hass)
        await hass.async_start()
        hass.bus.async_listen(EVENT_STATE_CHANGED, self._note_changed)
        hass.bus.async_listen(EVENT_STATE_REPORTED, lambda _: None, event_filter=self._note_unchanged)
        # Home Assistant's clock advances with the refreshes.
        dt_util.utcnow = lambda: datetime.now(UTC) + self._ahead  # type: ignore[assignment]
        # Reload at once after an entity is enabled, not after 30 s.
        config_entries.RELOAD_AFTER_UPDATE_DELAY = 0

    async def _set_up_more(self, hass: HomeAssistant) -> None:
        """Set up what else this Home Assistant has, before it starts."""

    async def set_up(self, options: Mapping[str, Any]) -> float:
        """Set the integration up, again if it is there; return the seconds until it has its states."""
        hass = self._hass
        for entry in hass.config_entries.async_entries(self._domain):
            await hass.config_entries.async_remove(entry.entry_id)
            await hass.async_block_till_done(wait_background_tasks=True)
        entry = self._entry = ConfigEntry(
            data=self._data,
            discovery_keys=MappingProxyType({}),
            domain=self._domain,
            minor_version=1,
            options=options,
            source=SOURCE_USER,
            subentries_data=None,
            title=f"Gateway {self._serial_number}",
            unique_id=self._serial_number,
            version=1,
        )
        began = perf_counter()
        await hass.config_entries.async_add(entry)
        seconds = perf_counter() - began
        self._check()
        await self._settle()
        return seconds

    async def enable_all(self) -> int:
        """Enable all disabled entities, and return the number of entities."""
        hass, registry = self._hass, er.async_get(self._hass)
        entities = er.async_entries_for_config_entry(registry, self._entry.entry_id)
        for each in entities:
            registry.async_update_entity(each.entity_id, disabled_by=None)
        await asyncio.sleep(0)  # the reload begins
        await hass.async_block_till_done()
        await self._settle()
        self._check()
        return len(entities)

    async def refresh(self, seconds: float) -> Cost:
        """Refresh once, `seconds` after the last time, and wait for all that follows."""
        self._ahead += timedelta(seconds=seconds)
        changed, unchanged = self._changed, self._unchanged
        cpu, busy = process_time(), occupied()
        await self._entry.runtime_data.async_refresh()
        await self._hass.async_block_till_done(wait_background_tasks=True)
        cpu, busy = process_time() - cpu, occupied() - busy
        if not self._entry.runtime_data.last_update_success:
            raise RuntimeError(f"{self._domain}: {self._entry.runtime_data.last_exception!r}")
        return Cost(
            cpu=cpu, occupied=busy, changed=self._changed - changed, unchanged=self._unchanged - unchanged
        )

    async def announce(
        self, announcements: Sequence[Announcement], pace: float, settling: float
    ) -> Disturbance:
        """Announce these one by one, as zeroconf does, and wait until all flows have settled."""
        hass, flows = self._hass, self._hass.config_entries.flow
        waiting, memory = len(flows.async_progress()), resident_memory()
        blockages = Blockages()
        for each in announcements:
            info = ZeroconfServiceInfo(
                ip_address=ip_address(_HERE),
                ip_addresses=[ip_address(_HERE)],
                port=each.port,
                hostname="envoy.local.",
                type="_enphase-envoy._tcp.local.",
                name="envoy._enphase-envoy._tcp.local.",
                properties={"serialnum": each.serial_number},
            )
            hass.async_create_task(
                flows.async_init(self._domain, context={"source": SOURCE_ZEROCONF}, data=info)
            )
            await asyncio.sleep(pace)
        await hass.async_block_till_done()
        longest, cpu = blockages.longest, blockages.cpu
        await asyncio.sleep(settling)
        return Disturbance(
            longest=longest,
            cpu=cpu,
            left=resident_memory() - memory,
            waiting=len(flows.async_progress()) - waiting,
        )

    async def stop(self) -> None:
        """End Home Assistant."""
        await self._hass.async_stop(force=True)
        self._folder.cleanup()

    async def _settle(self) -> None:
        # The built-in integration requests /home once after its start, which is not part of a refresh.
        if cancel := getattr(self._entry.runtime_data, "async_cancel_mac_verification", None):
            cancel()
        await self._hass.async_block_till_done(wait_background_tasks=True)

    def _check(self) -> None:
        """Raise RuntimeError unless the integration works."""
        states = [
            state
            for each in er.async_entries_for_config_entry(er.async_get(self._hass), self._entry.entry_id)
            if (state := self._hass.states.get(each.entity_id))
        ]
        unavailable = [state.entity_id for state in states if state.state == STATE_UNAVAILABLE]
        if self._entry.state is not ConfigEntryState.LOADED or not states or unavailable:
            raise RuntimeError(f"{self._domain}: {self._entry.state}, {self._entry.reason}; {unavailable}")

    @callback
    def _note_changed(self, _: object) -> None:
        self._changed += 1

    @callback
    def _note_unchanged(self, _: object) -> bool:
        self._unchanged += 1
        return False
