"""Power and energy of a site: production, grid, batteries and home, calculated from its meters.

This is the one rule for everything that shows home or grid. Home = production + net consumption +
storage (positive: discharging), power and energy counters alike. Where production, net consumption or a
battery is not metered, home is total consumption, if that is metered. Without a meter of net consumption,
grid = total consumption - production - storage, and grid energies are unknown: a difference of counters does
not show the two directions. A sum is unknown if one of its terms is.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol, Self, TypeVar

from .. import quirks
from .meters import MeasurementType
from .readings import Quantities, Readings

PRODUCTION, NET = MeasurementType.PRODUCTION, MeasurementType.NET_CONSUMPTION
TOTAL, STORAGE = MeasurementType.TOTAL_CONSUMPTION, MeasurementType.STORAGE

#: Powers that were measured at times further apart are not added up.
TOGETHER = timedelta(seconds=10)

#: The values of a phase on which a meter is not wired.
UNWIRED = Quantities(active_power=0.0, reactive_power=0.0, energy_delivered=0.0, energy_received=0.0)


def home_terms(metered: Collection[str], *, unmetered_batteries: bool | None = False) -> Mapping[str, int]:
    """Return the sign of each meter in the sum of home; empty if home is unknown.

    `metered` are the measurement types of the meters. With `unmetered_batteries`, storage is a term although
    no meter measures it. None: not known whether there are any; a meter of total consumption is then used
    before a sum.
    """
    is_sum = {PRODUCTION, NET} <= set(metered)
    if TOTAL in metered and not (is_sum and (STORAGE in metered or unmetered_batteries is False)):
        return {TOTAL: 1}
    return dict.fromkeys([NET, PRODUCTION, *_storage(metered, unmetered_batteries)], 1) if is_sum else {}


def grid_terms(metered: Collection[str], *, unmetered_batteries: bool | None = False) -> Mapping[str, int]:
    """Return the sign of each meter in the sum of the grid, as `home_terms` does for home."""
    if NET in metered:
        return {NET: 1}
    if not {TOTAL, PRODUCTION} <= set(metered):
        return {}
    return {TOTAL: 1} | dict.fromkeys([PRODUCTION, *_storage(metered, unmetered_batteries)], -1)


def _storage(metered: Collection[str], unmetered_batteries: bool | None) -> list[str]:
    return [STORAGE] if unmetered_batteries or STORAGE in metered else []


class _Summable(Protocol):
    """A number, or an array of numbers."""

    def __radd__(self, other: Any, /) -> Any: ...
    def __rmul__(self, other: Any, /) -> Any: ...


_Value = TypeVar("_Value", bound=_Summable)


def sum_terms(terms: Mapping[str, int], values: Mapping[str, _Value | None]) -> _Value | None:
    """Return the signed sum of these values, numbers or arrays; None if one of them is unknown."""
    signed: list[Any] = []
    for name, sign in terms.items():
        if (value := values[name]) is None:
            return None
        signed.append(sign * value)
    return sum(signed) if signed else None


def add_up(terms: Mapping[str, int], meters: Mapping[str, Quantities]) -> Quantities:
    """Return the sum of `terms` over these meters, or over one phase of each; empty if one is missing.

    A meter that is not wired on a phase has `UNWIRED` there. A sum has the voltage and frequency of its first
    term; its only energy is `energy_delivered`, and that only if nothing is subtracted.
    """
    if not terms or not terms.keys() <= meters.keys():
        return Quantities()
    base = meters[next(iter(terms))]
    if len(terms) == 1:
        return base
    active = sum_terms(terms, {name: meters[name].active_power for name in terms})
    reactive = sum_terms(terms, {name: meters[name].reactive_power for name in terms})
    energies = {
        name: net_energy(each.energy_delivered, each.energy_received) for name, each in meters.items()
    }
    apparent = None if active is None or reactive is None else math.hypot(active, reactive)
    return Quantities(
        active_power=active,
        reactive_power=reactive,
        apparent_power=apparent,
        voltage=base.voltage,
        current=apparent / base.voltage if apparent is not None and base.voltage else None,
        power_factor=active / apparent if active is not None and apparent else None,
        frequency=base.frequency,
        energy_delivered=sum_terms(terms, energies) if min(terms.values()) > 0 else None,
    )


def net_energy(delivered: float | None, received: float | None) -> float | None:
    """Return the difference of two counters (Wh); None if one is unknown."""
    return None if delivered is None or received is None else delivered - received


def are_together(times: Iterable[datetime | None]) -> bool:
    """Return whether powers of these times (None: unknown) can be added up."""
    known = [time for time in times if time is not None]
    return not known or max(known) - min(known) <= TOGETHER


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Power (W) and lifetime energy (Wh); None if not metered or unknown."""

    #: W, positive: produced.
    production_power: float | None = None
    #: W, positive: imported.
    grid_power: float | None = None
    #: W, positive: discharging.
    battery_power: float | None = None
    #: W, positive: consumed.
    home_power: float | None = None
    #: Wh, lifetime, as all energies.
    produced_energy: float | None = None
    #: Wh from the grid.
    imported_energy: float | None = None
    #: Wh to the grid.
    exported_energy: float | None = None
    #: Wh from the batteries.
    discharged_energy: float | None = None
    #: Wh into the batteries.
    charged_energy: float | None = None
    #: Wh that the home used.
    consumed_energy: float | None = None

    @classmethod
    def from_quantities(
        cls,
        meters: Mapping[str, Quantities],
        *,
        metered: Collection[str] | None = None,
        unmetered_batteries: bool | None = False,
        battery_power: float | None = None,
        charged_energy: float | None = None,
        discharged_energy: float | None = None,
        measured_at: Mapping[str, datetime | None] | None = None,
    ) -> Self:
        """Calculate the site from whole meters, or from one phase of each, by measurement type.

        `metered` are the metered types, if they differ from those of `meters`: a meter may have no values
        now, and production may be that of microinverters, which is in no sum. With `unmetered_batteries`,
        which no storage meter measures, their `battery_power` (W, positive: discharging) and energies (Wh)
        are used; while these are unknown, so is the energy of home without a meter of total consumption.
        None: see `home_terms`. Powers whose `measured_at` (by type) are too far apart are not added up.
        """
        metered = meters.keys() if metered is None else metered
        if STORAGE not in metered:
            storage = Quantities(
                active_power=battery_power,
                energy_delivered=discharged_energy,
                energy_received=charged_energy,
            )
            meters = {**meters, STORAGE: storage}
        unknown = Quantities()
        production, storage = meters.get(PRODUCTION, unknown), meters.get(STORAGE, unknown)
        terms = home_terms(metered, unmetered_batteries=unmetered_batteries)
        home, is_home_together = add_up(terms, meters), _are_together(terms, measured_at)
        terms = grid_terms(metered, unmetered_batteries=unmetered_batteries)
        grid, is_grid_together = add_up(terms, meters), _are_together(terms, measured_at)
        is_net = NET in metered
        return cls(
            production_power=production.active_power,
            grid_power=grid.active_power if is_grid_together else None,
            battery_power=storage.active_power,
            home_power=home.active_power if is_home_together else None,
            produced_energy=production.energy_delivered,
            imported_energy=grid.energy_delivered if is_net else None,
            exported_energy=grid.energy_received if is_net else None,
            discharged_energy=storage.energy_delivered,
            charged_energy=storage.energy_received,
            consumed_energy=home.energy_delivered,
        )

    @classmethod
    def from_readings(
        cls,
        readings: Readings,
        *,
        metered: Collection[str] | None = None,
        unmetered_batteries: bool = False,
        battery_power: float | None = None,
        charged_energy: float | None = None,
        discharged_energy: float | None = None,
        grid_connected: bool | None = None,
    ) -> Self:
        """Calculate the site from the first meter of each type, as `from_quantities` does.

        Powers that were not measured together are not added up. Off grid (`grid_connected` is False), the
        grid meter measures a generator.
        """
        first = {each.meter.measurement_type: each for each in reversed(readings.readings)}
        metered = first.keys() if metered is None else metered
        site = cls.from_quantities(
            {name: each.total for name, each in first.items()},
            metered=metered,
            unmetered_batteries=unmetered_batteries,
            battery_power=battery_power,
            charged_energy=charged_energy,
            discharged_energy=discharged_energy,
            measured_at={name: each.measured_at for name, each in first.items()},
        )
        return replace(site, grid_power=quirks.grid_power(site.grid_power, grid_connected=grid_connected))


def _are_together(terms: Iterable[str], measured_at: Mapping[str, datetime | None] | None) -> bool:
    times = measured_at or {}
    return are_together(times[name] for name in terms if name in times)
