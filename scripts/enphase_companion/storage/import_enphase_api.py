"""Import the tables MeterReading and MeterReading_Result of Enphase-API's scripts."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from sqlalchemy import RowMapping, column, func, inspect, select, table
from sqlalchemy.ext.asyncio import AsyncConnection

from enphase_api import quirks
from enphase_api.models import MeasurementType, Quantities

from ..message import WHOLE, Message, Sample
from .buckets import SECOND
from .engine import Transactions
from .errors import StorageError
from .maintenance import Progress
from .statements import get_property, set_property
from .writer import Refused

_LOGGER = logging.getLogger(__name__)

#: Readings per transaction, and transactions after which they are rolled up.
_BATCH_SIZE = 1000
_ROLL_UP_AFTER = 20

_MEASUREMENTS = {
    "Production": MeasurementType.PRODUCTION,
    "NetConsumption": MeasurementType.NET_CONSUMPTION,
    "TotalConsumption": MeasurementType.TOTAL_CONSUMPTION,
}
_PHASES = ("A", "B", "C")

#: Columns of a result and their quantities, with the same units and signs. There are no counters.
_QUANTITIES = {
    "p": "active_power",
    "q": "reactive_power",
    "s": "apparent_power",
    "v": "voltage",
    "i": "current",
    "pf": "power_factor",
    "f": "frequency",
}

_readings = table(
    "MeterReading",
    column("ReadingID"),
    column("Timestamp"),
    *(column(f"{name}_Phase_{phase}_ID") for name in _MEASUREMENTS for phase in _PHASES),
)
_results = table("MeterReading_Result", column("ResultID"), *(column(name) for name in _QUANTITIES))


class _Batch(NamedTuple):
    messages: list[Message]
    #: The number of rows, and the id of the last one.
    rows: int
    last: int


async def import_readings(
    source: Transactions,
    target: Transactions,
    write: Callable[[Sequence[Message]], Awaitable[Refused]],
    roll_up: Callable[[], Awaitable[object]],
    gateway: str,
    progress: Progress,
) -> int:
    """Import all new readings of `source` as readings of this gateway, and return their number.

    Continues where it was interrupted; existing readings are kept. Logs which were refused. Raises
    StorageError.
    """
    newest = await source.read(partial(_find_newest, database=source.name))
    progress_name = "imported " + hashlib.sha256(f"{source.name}\n{gateway}".encode()).hexdigest()[:16]
    start = last = int(await target.read(partial(get_property, name=progress_name)) or 0)
    readings = batches = 0
    refused: Counter[str] = Counter()
    while (batch := await source.read(partial(_read, gateway=gateway, after=last))).rows:
        progress(last - start, newest - start)
        refused.update(await write(batch.messages))
        last, readings, batches = batch.last, readings + batch.rows, batches + 1
        await target.write(partial(set_property, name=progress_name, value=str(last)))
        if batches % _ROLL_UP_AFTER == 0:
            await roll_up()
    await roll_up()
    if refused:
        _LOGGER.warning("%s: %d values refused: %s", source.name, refused.total(), min(refused))
    progress(last - start, last - start)
    return readings


async def _find_newest(connection: AsyncConnection, database: str) -> int:
    """Return the id of the newest row. Raises StorageError where the tables are missing."""
    names = {_readings.name, _results.name}
    there = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    if connection.dialect.name != "mysql" or not names <= set(there):
        raise StorageError(
            f"{database}: has no tables {' and '.join(sorted(names))}, which Enphase-API's scripts create in "
            "MariaDB or MySQL: set import_database_url to the database that has them"
        )
    return await connection.scalar(select(func.max(_readings.c.ReadingID))) or 0


async def _read(connection: AsyncConnection, gateway: str, after: int) -> _Batch:
    # TIMESTAMP is stored in UTC, whatever the time zone of the connection.
    timestamp = func.unix_timestamp(_readings.c.Timestamp).label("timestamp")
    found = await connection.execute(
        select(_readings, timestamp)
        .where(_readings.c.ReadingID > after)
        .order_by(_readings.c.ReadingID)
        .limit(_BATCH_SIZE)
    )
    rows = found.mappings().all()
    ids = {row[name] for row in rows for name in row if str(name).endswith("_ID")} - {None}
    results = {
        row["ResultID"]: _build_quantities(row)
        for row in (
            await connection.execute(select(_results).where(_results.c.ResultID.in_(sorted(ids))))
        ).mappings()
    }
    messages = [
        Message(gateway, float(row["timestamp"]), tuple(_build_samples(row, results)), None)
        for row in rows
        if row["timestamp"]
    ]
    return _Batch(messages, len(rows), rows[-1]["ReadingID"] if rows else after)


def _build_quantities(row: RowMapping) -> Quantities:
    return Quantities(**{name: float(row[their]) for their, name in _QUANTITIES.items()})


def _build_samples(row: RowMapping, results: Mapping[int, Quantities]) -> Iterator[Sample]:
    at = int(row["timestamp"]) * SECOND
    for name, measurement in _MEASUREMENTS.items():
        ids = [row[f"{name}_Phase_{phase}_ID"] for phase in _PHASES]
        phases = {
            phase: results[each]
            for phase, each in enumerate(ids, start=1)
            if each in results and quirks.is_wired(results[each])
        }
        if phases:
            yield Sample(measurement, WHOLE, at, _combine_phases(list(phases.values())))
        for phase, quantities in phases.items():
            yield Sample(measurement, phase, at, quantities)


def _combine_phases(phases: Sequence[Quantities]) -> Quantities:
    """Return the quantities of the whole meter, which are not stored there, from its wired phases."""

    def total(name: str) -> float:
        return float(sum(getattr(phase, name) for phase in phases))

    active, apparent = total("active_power"), total("apparent_power")
    return Quantities(
        active_power=active,
        reactive_power=total("reactive_power"),
        apparent_power=apparent,
        # As everywhere in this project: the mean of three phases, but the sum of a split phase.
        voltage=total("voltage") / (len(phases) if len(phases) == len(_PHASES) else 1),
        current=total("current"),
        power_factor=active / apparent if apparent else None,
        frequency=phases[0].frequency,
    )
