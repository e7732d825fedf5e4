"""The counters of a gateway, kept over restarts in a file of their own.

Home Assistant forgets the states of entities that were away for a week, and a counter's offset would go with
them: after a long outage energies would fall.
"""

from collections.abc import Mapping
from typing import Any

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import Store

from .const import DOMAIN
from .counter import Counter

_VERSION = 1

#: Seconds; what is lost with a power cut, the gateway's own counters make good.
_PACE = 15 * 60


class Counters:
    """The counters of one entry, by the unique ids of the entities that show them."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        self._store: Store[dict[str, Any]] = Store(hass, _VERSION, f"{DOMAIN}.{entry_id}")
        self._kept: dict[str, Any] = {}
        self._shown: dict[str, Counter] = {}
        self._will_save = False

    @property
    def shown(self) -> Mapping[str, Counter]:
        """Those that an entity shows now."""
        return self._shown

    async def async_load(self) -> None:
        """Read what was kept."""
        self._kept = await self._store.async_load() or {}

    async def async_save(self) -> None:
        """Keep all now."""
        await self._store.async_save(self._as_dict())

    async def async_remove(self) -> None:
        """Forget all."""
        await self._store.async_remove()

    def show(self, unique_id: str) -> Counter:
        """Give an entity its counter: the one that was kept, or a new one."""
        kept = self._kept.get(unique_id)
        return self._shown.setdefault(unique_id, Counter() if kept is None else Counter.from_dict(kept))

    @callback
    def async_save_soon(self) -> None:
        """Keep all within a quarter of an hour, and whenever Home Assistant stops."""
        if not self._will_save:
            # Asked again and again, a store would put its writing off for ever.
            self._will_save = True
            self._store.async_delay_save(self._as_dict, _PACE)

    def _as_dict(self) -> dict[str, Any]:
        self._will_save = False
        # Of entities that are disabled, what was kept stays.
        return self._kept | {unique_id: counter.as_dict() for unique_id, counter in self._shown.items()}
