"""The counters of all gateways, kept over restarts in one file, by the gateway's serial number.

Home Assistant forgets the states of entities that were away for a week, and a counter's offset would go with
them: after a long outage energies would fall. And people delete an entry and add it again: its statistics go
on under the same entity ids, and so do its counters.
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
from .counter import Counter

_VERSION = 1

#: Seconds; what is lost with a power cut, the gateway's own counters make good.
_PACE = 15 * 60

#: How long the counters of a gateway that is set up no more are kept: a house that is left for a season comes
#: back to them, and so does an owner who tries another integration for a while.
KEPT = timedelta(days=365)


class _File:
    """The counters of all gateways, and since when those of a gateway have no entry."""

    def __init__(self, hass: HomeAssistant) -> None:
        self._store: Store[dict[str, Any]] = Store(hass, _VERSION, f"{DOMAIN}.counters")
        self.counters: dict[str, dict[str, Counter]] = {}
        self.removed: dict[str, datetime] = {}
        self._will_save = False

    async def async_load(self) -> None:
        kept = await self._store.async_load() or {}
        for serial_number, gateway in kept.items():
            removed = dt_util.parse_datetime(gateway.get("removed_at") or "")
            if removed is not None and dt_util.utcnow() - removed > KEPT:
                continue
            if removed is not None:
                self.removed[serial_number] = removed
            self.counters[serial_number] = {
                key: Counter.from_dict(counter) for key, counter in gateway["counters"].items()
            }

    async def async_save(self) -> None:
        await self._store.async_save(self._as_dict())

    @callback
    def async_save_soon(self) -> None:
        if not self._will_save:
            # Asked again and again, a store would put its writing off for ever.
            self._will_save = True
            self._store.async_delay_save(self._as_dict, _PACE)

    def _as_dict(self) -> dict[str, Any]:
        self._will_save = False
        return {
            serial_number: {
                "removed_at": removed.isoformat() if (removed := self.removed.get(serial_number)) else None,
                "counters": {key: counter.as_dict() for key, counter in counters.items()},
            }
            for serial_number, counters in self.counters.items()
        }


_FILE: HassKey[_File] = HassKey(f"{DOMAIN}_counters")


@singleton(_FILE, async_=True)
async def _async_file(hass: HomeAssistant) -> _File:
    file = _File(hass)
    await file.async_load()
    return file


async def async_forget_later(hass: HomeAssistant, serial_number: str) -> None:
    """Keep the counters of a gateway whose entry is gone for a year."""
    file = await _async_file(hass)
    if serial_number in file.counters:
        file.removed[serial_number] = dt_util.utcnow()
        await file.async_save()


async def async_replace(hass: HomeAssistant, old: str, new: str) -> None:
    """Let the counters of a gateway go on, from where they are, with what another one counts."""
    file = await _async_file(hass)
    file.removed.pop(old, None)
    file.counters[new] = file.counters.pop(old, {})
    for counter in file.counters[new].values():
        counter.go_on_from_here()
    await file.async_save()


async def async_go_on_from_here(hass: HomeAssistant, serial_number: str, key: str) -> None:
    """Forget the falls of a gateway's counter, read now or not, and let it go on from where it is."""
    file = await _async_file(hass)
    if (counter := file.counters.get(serial_number, {}).get(key)) is not None:
        counter.go_on_from_here()
        await file.async_save()


class Counters:
    """The counters of one gateway, by the unique ids of the entities that show them."""

    def __init__(self, hass: HomeAssistant, serial_number: str) -> None:
        self._hass = hass
        self._prefix = f"{serial_number}_"
        self._serial_number = serial_number
        self._file: _File
        self._all: dict[str, Counter]
        self._shown: dict[str, Counter] = {}

    @property
    def shown(self) -> Mapping[str, Counter]:
        """Those that an entity shows now."""
        return self._shown

    async def async_load(self) -> None:
        """Load the counters of this gateway from storage."""
        self._file = await _async_file(self._hass)
        self._file.removed.pop(self._serial_number, None)
        self._all = self._file.counters.setdefault(self._serial_number, {})

    async def async_save(self) -> None:
        """Keep all now."""
        await self._file.async_save()

    def keeps_falling(self, key: str) -> bool:
        """Whether the counter of an entity falls again and again; `key` is its unique id's end."""
        return key in self._all and self._all[key].keeps_falling

    def show(self, unique_id: str) -> Counter:
        """Return an entity's counter: the one that was kept, or a new one."""
        counter = self._all.setdefault(unique_id.removeprefix(self._prefix), Counter())
        return self._shown.setdefault(unique_id, counter)

    @callback
    def async_save_soon(self) -> None:
        """Keep all within a quarter of an hour, and whenever Home Assistant stops."""
        self._file.async_save_soon()
