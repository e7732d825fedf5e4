"""The energy of a simulated day: what Home Assistant shows of it, and what the scripts have stored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from enphase_companion.simulator.house import House

from .comparison import format_columns
from .energy import COUNTERS
from .entities import NOTHING, TIMEOUT
from .errors import DemoError
from .owner import Owner
from .pipeline import Scripts

DAY = 86_400

#: Allowed difference of database and Home Assistant, as a share.
TOLERANCE = 0.001

#: The energy sensors, by the end of their unique ids, and the database's names of the same energies.
_NAMES = {
    "production_energy": "produced",
    "grid_energy_imported": "imported",
    "grid_energy_exported": "exported",
    "home_energy": "consumed",
    "battery_energy_discharged": "discharged",
    "battery_energy_charged": "charged",
}

#: What a day is read from, by the end of their unique ids.
SENSORS = ("last_reading", *_NAMES)

#: Wh in the units of energy sensors.
_UNITS = {"Wh": 1.0, "kWh": 1e3, "MWh": 1e6}


@dataclass(frozen=True)
class Snapshot:
    """What Home Assistant shows at one time."""

    #: When the meters measured it, by the house's clock; milliseconds since the epoch.
    time: int
    #: Lifetime energies (Wh) by the end of their sensors' unique ids.
    energies: Mapping[str, float]


@dataclass(frozen=True)
class Line:
    """One energy (Wh) of the day: in Home Assistant, in the database, in the house."""

    name: str
    shown: float
    stored: float | None
    truth: float

    @property
    def off(self) -> str:
        """How far the database is from Home Assistant; empty if they are equal within the tolerance."""
        if self.stored is None:
            return "not in the database"
        # Sensors and meters have steps of a thousandth of a watt-hour.
        difference = abs(self.stored - self.shown)
        if difference <= max(TOLERANCE * abs(self.shown), 0.01):
            return ""
        return f"differ by {difference / abs(self.shown):.2%}" if self.shown else f"differ by {difference:g}"


async def take_snapshot(owner: Owner, sensors: Mapping[str, str]) -> Snapshot:
    """Return what Home Assistant shows once all energy sensors have a value; raise DemoError if they do not.

    `sensors` maps the ends of unique ids to entities.
    """
    wanted = {key: sensors[key] for key in SENSORS if key in sensors}
    for _ in range(TIMEOUT * 5):
        states = await owner.states()
        shown = {key: states[entity_id] for key, entity_id in wanted.items() if entity_id in states}
        if len(shown) == len(wanted) and all(each["state"] not in NOTHING for each in shown.values()):
            time = datetime.fromisoformat(shown.pop("last_reading")["state"])
            energies = {
                key: float(each["state"]) * _UNITS[each["attributes"]["unit_of_measurement"]]
                for key, each in shown.items()
            }
            return Snapshot(round(time.timestamp() * 1000), energies)
        await asyncio.sleep(0.2)
    raise DemoError("Home Assistant's energy sensors show nothing")


async def wait_for_a_day(
    owner: Owner, sensors: Mapping[str, str], start: Snapshot, tell: Callable[[str], None]
) -> Snapshot:
    """Return what Home Assistant shows a day later, by the house's clock; `tell` how far it is."""
    told = 0
    while (now := await take_snapshot(owner, sensors)).time < start.time + DAY * 1000:
        if (hours := (now.time - start.time) // 3_600_000) >= told + 6:
            told = hours
            tell(f"{hours} h of the house's day")
        await asyncio.sleep(0.3)
    return now


async def compare(scripts: Scripts, gateway: str, house: House, start: Snapshot, end: Snapshot) -> list[Line]:
    """Return the energies between two snapshots, once the database has the second one's reading."""
    await scripts.wait_until_stored(end.time)
    # The energy of a gap counts at its end, and at this speed each pause between two readings is one.
    stored = await scripts.energies(gateway, start.time + 1, end.time + 1)
    first, last = (house.truth(each.time / 1000) for each in (start, end))
    return [
        Line(
            _NAMES[key],
            energy - start.energies[key],
            stored[_NAMES[key]],
            COUNTERS[key](last) - COUNTERS[key](first),
        )
        for key, energy in end.energies.items()
    ]


async def find_missing(
    owner: Owner, scripts: Scripts, last_reading: str, start: Snapshot, end: Snapshot
) -> tuple[int, set[int]]:
    """Return the number of readings that Home Assistant showed between two snapshots, and those not stored.

    `last_reading` is the entity that shows when the newest reading was measured. Times in milliseconds.
    """
    for _ in range(TIMEOUT * 5):
        history = await owner.ask(
            "history/history_during_period",
            start_time=datetime.fromtimestamp(0, UTC).isoformat(),
            entity_ids=[last_reading],
            include_start_time_state=False,
            significant_changes_only=False,
            no_attributes=True,
            minimal_response=True,
        )
        texts = [state["s"] for state in history.get(last_reading, ()) if state["s"] not in NOTHING]
        times = {round(datetime.fromisoformat(text).timestamp() * 1000) for text in texts if text}
        shown = {time for time in times if start.time <= time <= end.time}
        if end.time in shown:  # the recorder has written it
            return len(shown), shown - scripts.stored()
        await asyncio.sleep(0.2)
    raise DemoError("Home Assistant's recorder has written down no newest reading")


def format_lines(lines: Iterable[Line]) -> str:
    """Return the energies as a table, in kWh."""
    rows = [
        (
            line.name,
            *(
                "-" if energy is None else f"{energy / 1000:,.3f} kWh"
                for energy in (line.shown, line.stored, line.truth)
            ),
            f"<-- {line.off}" if line.off else "",
        )
        for line in lines
    ]
    return format_columns([("energy of a day", "Home Assistant", "database", "house", ""), *rows])
