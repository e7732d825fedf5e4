"""Bringing in a database that Enphase-API's scripts made: its tables MeterReading and MeterReading_Result."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from sqlalchemy import RowMapping, column, func, inspect, select, table
from sqlalchemy.ext.asyncio import AsyncConnection

from enphase_api import quirks
from enphase_api.models import MeasurementType, Quantities

from ..message import Message
from ..message.model import WHOLE, Sample
from . import properties
from .engine import Transactions
from .errors import StorageError
from .levels import SECOND
from .pruning import Progress

#: So many moments of one gateway at once; a multiple of them is then rolled up.
_BATCH = 1000
_ROLL_UP = 20

_MEASUREMENTS = {
    "Production": MeasurementType.PRODUCTION,
    "NetConsumption": MeasurementType.NET_CONSUMPTION,
    "TotalConsumption": MeasurementType.TOTAL_CONSUMPTION,
}
_PHASES = ("A", "B", "C")

#: Columns of a result, and what they are here: same units, same signs. The counters were not kept there.
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
    #: How many rows, and the number of the last.
    rows: int
    last: int


async def import_readings(
    source: Transactions,
    target: Transactions,
    write: Callable[[Sequence[Message]], Awaitable[None]],
    roll_up: Callable[[], Awaitable[object]],
    gateway: str,
    progress: Progress,
) -> int:
    """Bring in all that is new there, as readings of this gateway, and give how many moments that were.

    Goes on where it was interrupted; what is here already stays as it is. Raises StorageError.
    """
    newest = await source.read(partial(_newest, place=source.place))
    mark = "imported " + hashlib.sha256(f"{source.place}\n{gateway}".encode()).hexdigest()[:16]
    begun = last = int(await target.read(partial(properties.get, name=mark)) or 0)
    moments = batches = 0
    while (batch := await source.read(partial(_read, gateway=gateway, after=last))).rows:
        progress(last - begun, newest - begun)
        await write(batch.messages)
        last, moments, batches = batch.last, moments + batch.rows, batches + 1
        await target.write(partial(properties.put, name=mark, value=str(last)))
        if batches % _ROLL_UP == 0:
            await roll_up()
    await roll_up()
    progress(last - begun, last - begun)
    return moments


async def _newest(connection: AsyncConnection, place: str) -> int:
    """Return the number of the newest row. Raises StorageError where there are no such tables."""
    names = {_readings.name, _results.name}
    there = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    if connection.dialect.name != "mysql" or not names <= set(there):
        raise StorageError(
            f"{place}: holds no {' and '.join(sorted(names))}, which Enphase-API's scripts make in MariaDB "
            "or MySQL. Name the database that does with import_database_url."
        )
    return await connection.scalar(select(func.max(_readings.c.ReadingID))) or 0


async def _read(connection: AsyncConnection, gateway: str, after: int) -> _Batch:
    # The server stores moments, whatever time zone it shows them in.
    moment = func.unix_timestamp(_readings.c.Timestamp).label("moment")
    found = await connection.execute(
        select(_readings, moment)
        .where(_readings.c.ReadingID > after)
        .order_by(_readings.c.ReadingID)
        .limit(_BATCH)
    )
    rows = found.mappings().all()
    numbers = {row[name] for row in rows for name in row if str(name).endswith("_ID")} - {None}
    results = {
        row["ResultID"]: _quantities(row)
        for row in (
            await connection.execute(select(_results).where(_results.c.ResultID.in_(sorted(numbers))))
        ).mappings()
    }
    messages = [
        Message(gateway, float(row["moment"]), tuple(_samples(row, results)), None)
        for row in rows
        if row["moment"]
    ]
    return _Batch(messages, len(rows), rows[-1]["ReadingID"] if rows else after)


def _quantities(row: RowMapping) -> Quantities:
    return Quantities(**{name: float(row[their]) for their, name in _QUANTITIES.items()})


def _samples(row: RowMapping, results: Mapping[int, Quantities]) -> Iterator[Sample]:
    at = int(row["moment"]) * SECOND
    for name, measurement in _MEASUREMENTS.items():
        numbers = [row[f"{name}_Phase_{phase}_ID"] for phase in _PHASES]
        phases = {
            phase: results[number]
            for phase, number in enumerate(numbers, start=1)
            if number in results and quirks.is_wired(results[number])
        }
        if phases:
            yield Sample(measurement, WHOLE, at, _whole(list(phases.values())))
        for phase, quantities in phases.items():
            yield Sample(measurement, phase, at, quantities)


def _whole(phases: Sequence[Quantities]) -> Quantities:
    """Return what the meter as a whole said, which was not kept there, from its wired phases."""

    def total(name: str) -> float:
        return float(sum(getattr(phase, name) for phase in phases))

    active, apparent = total("active_power"), total("apparent_power")
    return Quantities(
        active_power=active,
        reactive_power=total("reactive_power"),
        apparent_power=apparent,
        # As everywhere here: of three phases the mean, of a split phase the sum.
        voltage=total("voltage") / (len(phases) if len(phases) == len(_PHASES) else 1),
        current=total("current"),
        power_factor=active / apparent if apparent else None,
        frequency=phases[0].frequency,
    )
