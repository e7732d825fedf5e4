"""What flows at a site: array, grid, batteries and home, put together from the meters that there are.

Home = production + net consumption + storage (positive: discharging), power and energy counters alike. Where
production or net consumption is not metered, home is what the meter of total consumption says. Without a
meter of net consumption, grid power is what is left of that, and grid energies do not exist: two directions
cannot be told from a difference of counters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from .meters import MeasurementType
from .quantities import Quantities
from .readings import Readings


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Power in W and energy in Wh over the meters' lives; None where it is not metered or not known now."""

    #: W, positive: produced.
    production_power: float | None = None
    #: W, positive: imported.
    grid_power: float | None = None
    #: W, positive: discharging.
    battery_power: float | None = None
    #: W, positive: consumed.
    home_power: float | None = None
    produced_energy: float | None = None
    imported_energy: float | None = None
    exported_energy: float | None = None
    discharged_energy: float | None = None
    charged_energy: float | None = None
    consumed_energy: float | None = None

    @classmethod
    def from_readings(
        cls, readings: Readings, *, unmetered_batteries: bool = False, battery_power: float | None = None
    ) -> Self:
        """Put the meters together.

        `unmetered_batteries` says that there are batteries without a storage meter: their `battery_power` (W,
        positive: discharging) then counts, and the home's energy is not known.
        """
        production = readings.get(MeasurementType.PRODUCTION)
        net = readings.get(MeasurementType.NET_CONSUMPTION)
        total = readings.get(MeasurementType.TOTAL_CONSUMPTION)
        storage = readings.get(MeasurementType.STORAGE)
        nothing = Quantities()
        made = nothing if production is None else production.total
        grid = nothing if net is None else net.total
        home = nothing if total is None else total.total
        store = nothing if storage is None else storage.total

        if storage is not None:
            battery_power = store.active_power
        stored_power = battery_power if storage is not None or unmetered_batteries else 0.0
        stored_energy = (
            None if unmetered_batteries and storage is None else _netted(store) if storage else 0.0
        )
        home_power, home_energy = home.active_power, home.energy_delivered
        grid_power = grid.active_power
        if net is not None and (production is not None or total is None):
            home_power = _sum(made.active_power, grid.active_power, stored_power)
            home_energy = _sum(_netted(made), _netted(grid), stored_energy)
        elif net is None:
            grid_power = _sum(home.active_power, _negative(made.active_power), _negative(stored_power))
        return cls(
            production_power=made.active_power,
            grid_power=grid_power,
            battery_power=battery_power,
            home_power=home_power,
            produced_energy=made.energy_delivered,
            imported_energy=grid.energy_delivered,
            exported_energy=grid.energy_received,
            discharged_energy=store.energy_delivered,
            charged_energy=store.energy_received,
            consumed_energy=home_energy,
        )


def _sum(*values: float | None) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _negative(value: float | None) -> float | None:
    return None if value is None else -value


def _netted(quantities: Quantities) -> float | None:
    return _sum(quantities.energy_delivered, _negative(quantities.energy_received))
