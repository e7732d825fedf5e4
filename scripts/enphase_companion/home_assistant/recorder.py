"""Statistics of Home Assistant's recorder over its websocket API.

Home Assistant writes what is sent in the order in which it was sent, some time after its answer. Only hours
can be written: it refuses any other time, so that its statistics of 5 minutes remain as they are.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from ..runtime.errors import CommandError
from ..storage import DAY, SECOND, Power
from ..storage.buckets import HOUR
from .statistics import Statistic

#: Wh and W of each unit that Home Assistant lets its user choose.
_UNITS = {
    "mWh": 1e-3, "Wh": 1.0, "kWh": 1e3, "MWh": 1e6, "GWh": 1e9, "TWh": 1e12,
    "J": 1 / 3600, "kJ": 1 / 3.6, "MJ": 1e3 / 3.6, "GJ": 1e6 / 3.6,
    "cal": 4.184 / 3600, "kcal": 4.184 / 3.6, "Mcal": 4184 / 3.6, "Gcal": 4.184e6 / 3.6,
    "mW": 1e-3, "W": 1.0, "kW": 1e3, "MW": 1e6, "GW": 1e9, "TW": 1e12,
}  # fmt: skip

#: The units of this module, whatever those of the sensors are.
_READ_IN = {"energy": "Wh", "power": "W"}

#: Digits of Wh and W: sums of many quarter-hours have rounding errors.
_DIGITS = 3

#: Statistics of one command.
_AT_ONCE = 1000

#: Milliseconds of statistics that are read at once: some megabytes.
_READ_AT_ONCE = 1500 * DAY

#: No reading of a gateway is older (milliseconds).
_EARLIEST = 1_199_145_600_000

#: Seconds until what was sent must be stored, and between two looks.
_STORE_TIMEOUT, _LOOK = 120.0, 0.25


class Commands(Protocol):
    """A connection to Home Assistant."""

    async def command(self, type_: str, **data: Any) -> Any:
        """Send a command and return its result."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """How Home Assistant stores the statistics of a sensor."""

    entity_id: str
    unit: str
    unit_class: str | None
    mean_type: int
    has_sum: bool

    @property
    def factor(self) -> float:
        """Wh or W of its unit."""
        return _UNITS[self.unit]


async def read_metadata(connection: Commands, entity_ids: Collection[str]) -> dict[str, Metadata]:
    """Return how the statistics of these sensors are stored; sensors without any are left out."""
    if not entity_ids:
        return {}
    found = await connection.command("recorder/get_statistics_metadata", statistic_ids=sorted(entity_ids))
    return {
        each["statistic_id"]: Metadata(
            each["statistic_id"],
            each["statistics_unit_of_measurement"],
            each.get("unit_class"),
            int(each["mean_type"]),
            bool(each["has_sum"]),
        )
        for each in found
        if each["source"] == "recorder" and each["statistics_unit_of_measurement"] in _UNITS
    }


async def read_statistics(
    connection: Commands, entity_id: str, start: int = _EARLIEST, end: int | None = None
) -> dict[int, Statistic]:
    """Return the hourly statistics of a sensor in [start, end), by default all, by their start."""
    rows: dict[int, Statistic] = {}
    end = round(time.time() * SECOND) if end is None else end
    for part in range(start, end, _READ_AT_ONCE):
        found = await connection.command(
            "recorder/statistics_during_period",
            start_time=_to_text(part),
            end_time=_to_text(min(part + _READ_AT_ONCE, end)),
            statistic_ids=[entity_id],
            period="hour",
            units=_READ_IN,
            types=["sum", "state", "mean", "min", "max"],
        )
        for row in found.get(entity_id, ()):
            rows[int(row["start"])] = _to_statistic(row)
    return rows


async def write_statistics(
    connection: Commands,
    metadata: Metadata,
    rows: Sequence[Statistic],
    adjustments: Sequence[tuple[int, float]],
) -> None:
    """Write these hours, after all sums from some hours on rose by so many Wh; wait until they are stored.

    Raises CommandError if Home Assistant does not store them.
    """
    for start, energy in adjustments:
        await connection.command(
            "recorder/adjust_sum_statistics",
            statistic_id=metadata.entity_id,
            start_time=_to_text(start),
            adjustment=energy / metadata.factor,
            adjustment_unit_of_measurement=metadata.unit,
        )
    about = {
        "source": "recorder",
        "statistic_id": metadata.entity_id,
        "name": None,
        "unit_of_measurement": metadata.unit,
        "unit_class": metadata.unit_class,
        "mean_type": metadata.mean_type,
        "has_sum": metadata.has_sum,
    }
    for first in range(0, len(rows), _AT_ONCE):
        part = rows[first : first + _AT_ONCE]
        stats = [_from_statistic(row, metadata.factor) for row in part]
        await connection.command("recorder/import_statistics", metadata=about, stats=stats)
        # A small machine takes seconds for them, and its recorder must also keep up with the states.
        await _wait_until_stored(connection, metadata.entity_id, part[-1])


async def _wait_until_stored(connection: Commands, entity_id: str, last: Statistic) -> None:
    """Wait until the last row is stored: Home Assistant stores them in order."""
    for _ in range(round(_STORE_TIMEOUT / _LOOK)):
        stored = await read_statistics(connection, entity_id, last.start, last.start + HOUR)
        if last.equals(stored.get(last.start)):
            return
        await asyncio.sleep(_LOOK)
    raise CommandError(
        f"{entity_id}: Home Assistant did not store its statistics within {_STORE_TIMEOUT:.0f} s: look into "
        "its log, then run the command again"
    )


def _to_statistic(row: Mapping[str, Any]) -> Statistic:
    mean, low, high = (row.get(name) for name in ("mean", "min", "max"))
    return Statistic(
        int(row["start"]),
        row.get("sum"),
        row.get("state"),
        None if mean is None else Power(mean, mean if low is None else low, mean if high is None else high),
    )


def _from_statistic(row: Statistic, factor: float) -> dict[str, Any]:
    values = {"sum": row.sum, "state": row.state}
    if row.power is not None:
        values |= {"mean": row.power.mean, "min": row.power.low, "max": row.power.high}
    stat: dict[str, Any] = {
        name: round(value, _DIGITS) / factor for name, value in values.items() if value is not None
    }
    stat["start"] = _to_text(row.start)
    if row.last_reset is not None:
        stat["last_reset"] = _to_text(row.last_reset)
    return stat


def _to_text(at: int) -> str:
    return datetime.fromtimestamp(at / SECOND, UTC).isoformat()
