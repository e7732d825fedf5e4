"""Import the hourly statistics of Home Assistant into the database, where it has no readings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

from ..storage import Database
from ..storage.import_hours import CountedHour, ImportedSeries
from .export import Progress, find_recorded_sensors
from .recorder import Commands, read_statistics
from .sensors import Quantity, Sensor, Skipped
from .statistics import Request, Statistic


@dataclass(frozen=True, slots=True)
class Imported:
    """The quarter-hours that were imported of a meter, or of a phase."""

    gateway: str
    measurement: str
    phase: int
    entity_ids: tuple[str, ...]
    #: When the quarter-hours start (milliseconds), in order.
    starts: Sequence[int]
    #: The recorded hours in the requested time.
    hours: int


@dataclass(slots=True)
class Report:
    """What was imported, or would be."""

    imported: list[Imported] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


async def import_statistics(
    database: Database,
    connection: Commands,
    gateways: Sequence[str],
    request: Request,
    progress: Progress,
    *,
    dry_run: bool = False,
) -> Report:
    """Import the statistics of all sensors that show one meter or phase.

    Can be interrupted and repeated. Raises CommandError and StorageError.
    """
    sensors, found = await find_recorded_sensors(connection, gateways)
    report = Report(skipped=found.skipped)
    report.skipped += [
        Skipped(sensor.entity_id, f"calculated from {' and '.join(sensor.terms)}")
        for sensor, _ in sensors
        if not sensor.is_single and not sensor.resets_daily
    ]
    single = sorted(
        (sensor for sensor, _ in sensors if sensor.is_single and not sensor.resets_daily), key=_series_of
    )
    done = 0
    for (gateway, measurement, phase), of_series in groupby(single, key=_series_of):
        by_quantity = {}
        for sensor in of_series:
            progress(done, len(single))
            by_quantity[sensor.quantity] = sensor, await _read(connection, sensor, request.end)
            done += 1
        series = ImportedSeries(
            measurement,
            phase,
            [
                (row.start, row.power)
                for row in by_quantity.get(Quantity.POWER, (None, ()))[1]
                if row.power is not None
            ],
            _counted(by_quantity.get(Quantity.DELIVERED, (None, ()))[1]),
            _counted(by_quantity.get(Quantity.RECEIVED, (None, ()))[1]),
        )
        (starts,) = await database.import_hours(
            gateway, [series], request.start, request.end, dry_run=dry_run
        )
        hours = {row.start for _, rows in by_quantity.values() for row in rows if row.start >= request.start}
        entity_ids = tuple(sensor.entity_id for sensor, _ in by_quantity.values())
        report.imported.append(Imported(gateway, measurement, phase, entity_ids, starts, len(hours)))
    progress(done, len(single))
    return report


def _series_of(sensor: Sensor) -> tuple[str, str, int]:
    return sensor.gateway, next(iter(sensor.terms)), sensor.phase


async def _read(connection: Commands, sensor: Sensor, end: int) -> list[Statistic]:
    """Return the statistics until `end`; the earlier ones show what was counted in the first hour."""
    return list((await read_statistics(connection, sensor.entity_id, end=end)).values())


def _counted(rows: Sequence[Statistic]) -> list[CountedHour]:
    """Return the totals of a counter: a sum that was lowered in Home Assistant never falls here."""
    counted, lowered, before = [], 0.0, None
    for row in rows:
        if row.sum is None:
            continue
        if before is not None and row.sum < before:
            lowered += before - row.sum
        before = row.sum
        counted.append(CountedHour(row.start, row.sum + lowered, row.state))
    return counted
