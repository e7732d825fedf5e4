"""The integration's dashboard and the Energy dashboard, and statistics of the house before the demo."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from enphase_companion.simulator.house import House
from enphase_companion.simulator.truth import Electricity, Truth

from .entities import TIMEOUT
from .errors import DemoError
from .owner import Owner

#: The path of the integration's dashboard.
DASHBOARD = "iq-gateway"
#: Days of history, so that the dashboard's week has something in it on a Monday too.
HISTORY_DAYS = 10
_HOUR = 3600
#: Seconds; the longest graph shows ten years.
_LONG_BEFORE = 12 * 366 * 24 * _HOUR

#: The energy sensors, by the end of their unique ids, and what they count (Wh).
COUNTERS: dict[str, Callable[[Truth], float]] = {
    "production_energy": lambda t: t.production.total.energy_delivered,
    "grid_energy_imported": lambda t: t.net_consumption.total.energy_delivered,
    "grid_energy_exported": lambda t: t.net_consumption.total.energy_received,
    "home_energy": lambda t: t.total_consumption.total.energy_delivered,
    "battery_energy_discharged": lambda t: t.storage.total.energy_delivered,
    "battery_energy_charged": lambda t: t.storage.total.energy_received,
}

#: The power sensors likewise, and the flow whose mean power (W) an hour's energy (Wh) is.
_FLOWS: dict[str, Callable[[Truth], Electricity]] = {
    "production_power": lambda t: t.production.total,
    "grid_power": lambda t: t.net_consumption.total,
    "home_power": lambda t: t.total_consumption.total,
    "battery_power": lambda t: t.storage.total,
}


async def set_up_dashboard(owner: Owner, sensors: Mapping[str, str]) -> None:
    """Add the sensors that exist to the Energy dashboard; `sensors` maps a unique id's end to an entity."""
    sources: list[dict[str, Any]] = [
        {
            "type": "solar",
            "stat_energy_from": sensors["production_energy"],
            "stat_rate": sensors["production_power"],
            "config_entry_solar_forecast": None,
            "name": "Panels",
        }
    ]
    if "grid_energy_imported" in sensors:
        sources.append(
            {
                "type": "grid",
                "stat_energy_from": sensors["grid_energy_imported"],
                "stat_energy_to": sensors["grid_energy_exported"],
                "stat_rate": sensors["grid_power"],
                "stat_cost": None,
                "entity_energy_price": None,
                "number_energy_price": None,
                "stat_compensation": None,
                "entity_energy_price_export": None,
                "number_energy_price_export": None,
                "cost_adjustment_day": 0,
                "name": "Grid",
            }
        )
    if "battery_energy_charged" in sensors:
        sources.append(
            {
                "type": "battery",
                "stat_energy_from": sensors["battery_energy_discharged"],
                "stat_energy_to": sensors["battery_energy_charged"],
                "stat_rate": sensors["battery_power"],
                "stat_soc": sensors["battery_charge"],
                "name": "Battery",
            }
        )
    if "home_energy" in sensors:
        sources.append(
            {
                "type": "home",
                "stat_energy_to": sensors["home_energy"],
                "stat_rate": sensors["home_power"],
                "name": "Home",
            }
        )
    await owner.ask("energy/save_prefs", energy_sources=sources, device_consumption=[])


async def add_gateway_dashboard(owner: Owner) -> None:
    """Add the dashboard of the integration to the sidebar, and make it the one that Home Assistant opens."""
    await owner.ask(
        "lovelace/dashboards/create",
        url_path=DASHBOARD,
        title="IQ Gateway",
        icon="mdi:solar-power",
        mode="storage",
    )
    strategy = {"strategy": {"type": "custom:enphase-iq-gateway"}}
    await owner.ask("lovelace/config/save", url_path=DASHBOARD, config=strategy)
    await owner.ask("frontend/set_system_data", key="core", value={"default_panel": DASHBOARD})


async def import_history(owner: Owner, sensors: Mapping[str, str], house: House, now: float) -> None:
    """Import hourly statistics of the house's last days into the sensors; `now` in epoch seconds.

    The recorder sums a new sensor from zero at its first state. So the imported sums end there too, and lie
    below zero before: what is shown are differences, and none of them jumps. The first row, whose own
    difference is that from zero, lies years before, where no graph shows it.
    """
    last = int(now) // _HOUR * _HOUR
    edges = [last - _HOUR * count for count in range(HISTORY_DAYS * 24, -1, -1)]
    truths = await asyncio.to_thread(lambda: [house.truth(edge) for edge in edges])
    counters = {sensors[key]: value for key, value in COUNTERS.items() if key in sensors}
    firsts = await _first_states(owner, counters)
    for entity_id, value in counters.items():
        kilowatt_hours = [value(truth) / 1000 for truth in truths]
        rows = [{"state": each, "sum": each - firsts[entity_id]} for each in kilowatt_hours]
        starts = [last - _LONG_BEFORE, *edges[:-1]]
        await _import(
            owner, entity_id, starts, rows, has_sum=True, mean_type=0, unit_class="energy", unit="kWh"
        )
    for key, flow in _FLOWS.items():
        if key in sensors:
            hours = pairwise(flow(truth) for truth in truths)
            rows = [
                {
                    "mean": end.energy_delivered
                    - begin.energy_delivered
                    - (end.energy_received - begin.energy_received)
                }
                for begin, end in hours
            ]
            starts = edges[:-1]
            await _import(
                owner, sensors[key], starts, rows, has_sum=False, mean_type=1, unit_class="power", unit="W"
            )


async def _import(
    owner: Owner,
    entity_id: str,
    times: list[int],
    rows: list[dict[str, float]],
    *,
    unit: str,
    **kind: Any,
) -> None:
    metadata = {
        "name": None,
        "source": "recorder",
        "statistic_id": entity_id,
        "unit_of_measurement": unit,
        **kind,
    }
    starts = [datetime.fromtimestamp(edge, UTC).isoformat() for edge in times]
    statistics = [{"start": start, **row} for start, row in zip(starts, rows, strict=True)]
    await owner.ask("recorder/import_statistics", metadata=metadata, stats=statistics)


async def _first_states(owner: Owner, entity_ids: Mapping[str, object]) -> dict[str, float]:
    """Return the first recorded value (kWh) of each entity, once the recorder has stored one."""
    begin = datetime.fromtimestamp(0, UTC).isoformat()
    for _ in range(TIMEOUT * 5):
        history: dict[str, list[dict[str, Any]]] = await owner.ask(
            "history/history_during_period",
            start_time=begin,
            entity_ids=list(entity_ids),
            include_start_time_state=False,
            significant_changes_only=False,
            no_attributes=True,
            minimal_response=True,
        )
        # An entity that was removed and added again has a None state in between.
        numbers = {
            entity_id: [
                float(text) for state in states if (text := state["s"] or "").replace(".", "", 1).isdigit()
            ]
            for entity_id, states in history.items()
        }
        if all(numbers.get(entity_id) for entity_id in entity_ids):
            return {entity_id: numbers[entity_id][0] for entity_id in entity_ids}
        await asyncio.sleep(0.2)
    raise DemoError("Home Assistant's recorder has written down no state of the energy sensors")
