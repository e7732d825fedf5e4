"""The energy and power sensors of the integration, and the counters and powers of the database behind them.

The table of the keys is compared with the integration's descriptions by its tests.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from enphase_api.models import MeasurementType
from enphase_api.models.site import grid_terms, home_terms

from ..message import WHOLE

#: The platform of the integration's entities in Home Assistant's registry.
PLATFORM = "enphase_iq_gateway"

_PRODUCTION, _NET = MeasurementType.PRODUCTION, MeasurementType.NET_CONSUMPTION
_STORAGE = MeasurementType.STORAGE


class Quantity(StrEnum):
    """What a sensor shows."""

    #: W.
    POWER = "power"
    #: Wh, the counter of the positive direction.
    DELIVERED = "delivered"
    #: Wh, the counter of the negative direction.
    RECEIVED = "received"
    #: Wh, the difference of both counters, summed over several meters.
    NET = "net"


class _Sum(StrEnum):
    """What may be a sum of meters."""

    HOME = "home"
    GRID = "grid"


#: The sensors of the site, by key: meter or sum, and quantity.
_SITE: Mapping[str, tuple[MeasurementType | _Sum, Quantity]] = {
    "production_power": (_PRODUCTION, Quantity.POWER),
    "production_energy": (_PRODUCTION, Quantity.DELIVERED),
    "grid_power": (_Sum.GRID, Quantity.POWER),
    "grid_energy_imported": (_NET, Quantity.DELIVERED),
    "grid_energy_exported": (_NET, Quantity.RECEIVED),
    "home_power": (_Sum.HOME, Quantity.POWER),
    "home_energy": (_Sum.HOME, Quantity.DELIVERED),
    "battery_power": (_STORAGE, Quantity.POWER),
    "battery_energy_discharged": (_STORAGE, Quantity.DELIVERED),
    "battery_energy_charged": (_STORAGE, Quantity.RECEIVED),
}

#: The quantities of the sensors of each meter and phase, by the end of their keys.
_METER: Mapping[str, Quantity] = {
    "active_power": Quantity.POWER,
    "energy_delivered": Quantity.DELIVERED,
    "energy_received": Quantity.RECEIVED,
}

#: The end of the keys of energies since local midnight.
_TODAY = "_today"

_METER_KEY = re.compile(rf"(\d+)_([a-z0-9-]+)_({'|'.join(_METER)})(?:_l([1-3]))?")
_STATUS_KEY = re.compile(r"(\d+)_([a-z0-9-]+)_status")


@dataclass(frozen=True, slots=True)
class Sensor:
    """A sensor whose statistics the database can calculate."""

    entity_id: str
    #: Serial number of the gateway.
    gateway: str
    #: The end of its unique id.
    key: str
    quantity: Quantity
    #: The signs of the meters that are added up; mostly one meter.
    terms: Mapping[str, int]
    phase: int = WHOLE
    #: Whether the energy starts again at 0 at each local midnight.
    resets_daily: bool = False

    @property
    def is_power(self) -> bool:
        """Whether its statistics are means; else sums."""
        return self.quantity is Quantity.POWER

    @property
    def is_single(self) -> bool:
        """Whether it shows a value of one meter, unchanged."""
        return list(self.terms.values()) == [1] and self.quantity is not Quantity.NET


class Skipped(NamedTuple):
    """A sensor of the integration that the database knows nothing about, and why."""

    entity_id: str
    reason: str


def find_sensors(
    registry: Iterable[Mapping[str, Any]], gateways: Collection[str]
) -> tuple[list[Sensor], list[Skipped]]:
    """Return the sensors of these gateways (serial numbers) in Home Assistant's entity registry.

    Energies and powers of single microinverters and batteries are left out: no meter measures them.
    """
    found: list[Sensor] = []
    skipped: list[Skipped] = []
    entities = [entity for entity in registry if entity.get("platform") == PLATFORM]
    for gateway in sorted(gateways):
        prefix = f"{gateway}_"
        by_key = {
            str(entity["unique_id"]).removeprefix(prefix): str(entity["entity_id"])
            for entity in entities
            if str(entity["unique_id"]).startswith(prefix) and str(entity["entity_id"]).startswith("sensor.")
        }
        meters = _Meters(by_key)
        for key, entity_id in sorted(by_key.items(), key=lambda each: each[1]):
            described = meters.describe(key)
            if isinstance(described, str):
                skipped.append(Skipped(entity_id, described))
            elif described is not None:
                quantity, terms, phase = described
                found.append(
                    Sensor(entity_id, gateway, key, quantity, terms, phase, resets_daily=key.endswith(_TODAY))
                )
    return found, skipped


def find_gateways(registry: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the serial numbers of the gateways in Home Assistant's entity registry."""
    end = "_production_power"
    return sorted(
        str(entity["unique_id"]).removesuffix(end)
        for entity in registry
        if entity.get("platform") == PLATFORM and str(entity["unique_id"]).endswith(end)
    )


class _Meters:
    """The meters of a gateway, which its entities reveal."""

    def __init__(self, keys: Collection[str]) -> None:
        statuses = [found for key in keys if (found := _STATUS_KEY.fullmatch(key))]
        #: The EIDs of each type of meter.
        self._eids: dict[str, set[str]] = {}
        for found in statuses:
            self._eids.setdefault(found[2], set()).add(found[1])
        has_batteries = "battery_power" in keys
        unmetered = has_batteries and _STORAGE not in self._eids
        self._sums = {
            _Sum.HOME: home_terms(self._eids.keys(), unmetered_batteries=unmetered),
            _Sum.GRID: grid_terms(self._eids.keys(), unmetered_batteries=unmetered),
        }

    def describe(self, key: str) -> tuple[Quantity, Mapping[str, int], int] | str | None:
        """Return quantity, terms and phase of a key; the reason if they are unknown, None for other keys."""
        if (site := _SITE.get(key.removesuffix(_TODAY))) is not None:
            return self._describe_site(*site)
        if (found := _METER_KEY.fullmatch(key)) is None:
            return None
        _, measurement, quantity, phase = found.groups()
        if len(self._eids.get(measurement, ())) > 1:
            return f"several meters of {measurement}, of which the database stores one"
        return _METER[quantity], {measurement: 1}, int(phase or WHOLE)

    def _describe_site(
        self, source: MeasurementType | _Sum, quantity: Quantity
    ) -> tuple[Quantity, Mapping[str, int], int] | str:
        terms = self._sums[source] if isinstance(source, _Sum) else {str(source): 1}
        if unmetered := sorted(terms.keys() - self._eids.keys()):
            return f"no meter measures {' and '.join(map(str, unmetered))}"
        if not terms:
            return "no meter measures it"
        is_sum = len(terms) > 1 and quantity is not Quantity.POWER
        return Quantity.NET if is_sum else quantity, {str(name): sign for name, sign in terms.items()}, WHOLE
