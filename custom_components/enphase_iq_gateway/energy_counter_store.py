"""Store the energy counters of all gateways in one file, by serial number.

Home Assistant forgets the states of entities that were unavailable for a week. The offsets would be lost with
them, and energies would drop after a long outage. A user may also delete an entry and add it again: its
statistics continue under the same entity ids, and so do its counters.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.singleton import singleton
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN
from .energy_counter import MICROINVERTER, EnergyCounter

_VERSION = 1

#: Seconds; after a power failure, the counters of the gateway make up for what was not saved.
_SAVE_DELAY = 15 * 60

#: How long the counters of a removed gateway are kept, for a user who adds it again.
RETENTION = timedelta(days=365)


class _CounterStore:
    """The stored counters of all gateways, and when a gateway was removed."""

    def __init__(self, hass: HomeAssistant) -> None:
        self._store: Store[dict[str, Any]] = Store(hass, _VERSION, f"{DOMAIN}.counters")
        self.counters: dict[str, dict[str, EnergyCounter]] = {}
        self.removed_at: dict[str, datetime] = {}
        self._is_save_scheduled = False

    async def async_load(self) -> None:
        stored = await self._store.async_load() or {}
        for serial_number, gateway in stored.items():
            removed_at = dt_util.parse_datetime(gateway.get("removed_at") or "")
            if removed_at is not None and dt_util.utcnow() - removed_at > RETENTION:
                continue
            if removed_at is not None:
                self.removed_at[serial_number] = removed_at
            self.counters[serial_number] = {
                key: EnergyCounter.from_dict(counter) for key, counter in gateway["counters"].items()
            }

    async def async_save(self) -> None:
        await self._store.async_save(self._as_dict())

    @callback
    def async_schedule_save(self) -> None:
        if not self._is_save_scheduled:
            # Each call of async_delay_save postpones the save.
            self._is_save_scheduled = True
            self._store.async_delay_save(self._as_dict, _SAVE_DELAY)

    def _as_dict(self) -> dict[str, Any]:
        self._is_save_scheduled = False
        return {
            serial_number: {
                "removed_at": removed.isoformat()
                if (removed := self.removed_at.get(serial_number))
                else None,
                # Sensors that are disabled have a counter without a value.
                "counters": {
                    key: counter.as_dict() for key, counter in counters.items() if counter.value is not None
                },
            }
            for serial_number, counters in self.counters.items()
        }


_STORE: HassKey[_CounterStore] = HassKey(f"{DOMAIN}_counters")


@singleton(_STORE, async_=True)
async def _async_get_store(hass: HomeAssistant) -> _CounterStore:
    store = _CounterStore(hass)
    await store.async_load()
    return store


async def async_mark_removed(hass: HomeAssistant, serial_number: str) -> None:
    """Keep the counters of a removed gateway for a year."""
    store = await _async_get_store(hass)
    if serial_number in store.counters:
        store.removed_at[serial_number] = dt_util.utcnow()
        await store.async_save()


async def async_move_counters(hass: HomeAssistant, old: str, new: str) -> None:
    """Continue the counters of a gateway with those of the gateway that replaces it."""
    store = await _async_get_store(hass)
    store.removed_at.pop(old, None)
    store.counters[new] = store.counters.pop(old, {})
    for counter in store.counters[new].values():
        if counter.source != MICROINVERTER:
            counter.rebase()
    await store.async_save()


async def async_rebase_counter(hass: HomeAssistant, serial_number: str, key: str) -> None:
    """Continue a counter from its current value; its gateway may be offline."""
    store = await _async_get_store(hass)
    if (counter := store.counters.get(serial_number, {}).get(key)) is not None:
        counter.rebase()
        await store.async_save()


class GatewayCounters:
    """The counters of one gateway."""

    def __init__(self, hass: HomeAssistant, serial_number: str) -> None:
        self._hass = hass
        self._prefix = f"{serial_number}_"
        self._serial_number = serial_number
        self._store: _CounterStore
        self._counters: dict[str, EnergyCounter]
        self._active: dict[str, EnergyCounter] = {}

    @property
    def active(self) -> Mapping[str, EnergyCounter]:
        """The counters of the entities that are added, by unique id."""
        return self._active

    async def async_load(self) -> None:
        """Load the stored counters."""
        self._store = await _async_get_store(self._hass)
        self._store.removed_at.pop(self._serial_number, None)
        self._counters = self._store.counters.setdefault(self._serial_number, {})

    async def async_save(self) -> None:
        """Save now."""
        await self._store.async_save()

    @callback
    def async_schedule_save(self) -> None:
        """Save within a quarter of an hour, and when Home Assistant stops."""
        self._store.async_schedule_save()

    def is_decreasing(self, key: str) -> bool:
        """Return whether the counter of an entity decreases again and again."""
        return key in self._counters and self._counters[key].is_decreasing

    @callback
    def take_over(self, other: GatewayCounters, serial_number: str) -> None:
        """Continue the counters of a microinverter that reported to another gateway."""
        for key in [key for key in other._counters if key.startswith(f"{serial_number}_")]:
            self._counters[key] = other._counters.pop(key)

    def add(self, unique_id: str) -> EnergyCounter:
        """Return the stored counter of an entity, or a new one."""
        counter = self._counters.setdefault(unique_id.removeprefix(self._prefix), EnergyCounter())
        return self._active.setdefault(unique_id, counter)
