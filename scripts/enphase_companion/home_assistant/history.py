"""Import the hourly statistics of Home Assistant into the database, where it has no readings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise

from enphase_api.models import MeasurementType

from ..message import WHOLE
from ..storage import Database
from ..storage.buckets import HOUR
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
    sums = [sensor for sensor, _ in sensors if sensor.quantity is Quantity.NET and not sensor.resets_daily]
    done = 0
    for (gateway, measurement, phase), of_series in groupby(single, key=_series_of):
        by_quantity = {}
        for sensor in of_series:
            progress(done, len(single))
            by_quantity[sensor.quantity] = sensor, await _read(connection, sensor, request.end)
            done += 1
        received = _counted(by_quantity.get(Quantity.RECEIVED, (None, ()))[1])
        if not received and (measurement, phase) == (MeasurementType.PRODUCTION, WHOLE):
            home = [sensor for sensor in sums if sensor.gateway == gateway]
            received = await _derive_draw(connection, home, single, request.end)
        series = ImportedSeries(
            measurement,
            phase,
            [
                (row.start, row.power)
                for row in by_quantity.get(Quantity.POWER, (None, ()))[1]
                if row.power is not None
            ],
            _counted(by_quantity.get(Quantity.DELIVERED, (None, ()))[1]),
            received,
        )
        (starts,) = await database.import_hours(
            gateway, [series], request.start, request.end, dry_run=dry_run
        )
        hours = {row.start for _, rows in by_quantity.values() for row in rows if row.start >= request.start}
        entity_ids = tuple(sensor.entity_id for sensor, _ in by_quantity.values())
        report.imported.append(Imported(gateway, measurement, phase, entity_ids, starts, len(hours)))
    progress(done, len(single))
    return report


async def _derive_draw(
    connection: Commands, sums: Sequence[Sensor], single: Sequence[Sensor], end: int
) -> list[CountedHour]:
    """Return what the array drew, from the energy of the home; empty if one of its terms is not recorded.

    Its own sensor is disabled by default, and without it the consumption of a day would be unknown.
    """
    home = next((sensor for sensor in sums if MeasurementType.PRODUCTION in sensor.terms), None)
    if home is None:
        return []
    recorded = {
        (next(iter(sensor.terms)), sensor.quantity): sensor
        for sensor in single
        if sensor.gateway == home.gateway and sensor.phase == WHOLE
    }
    terms = [(-1, home)]
    for measurement in home.terms:
        for sign, quantity in ((1, Quantity.DELIVERED), (-1, Quantity.RECEIVED)):
            if (measurement, quantity) == (MeasurementType.PRODUCTION, Quantity.RECEIVED):
                continue
            if (sensor := recorded.get((measurement, quantity))) is None:
                return []
            terms.append((sign, sensor))
    return add_counters([(sign, _counted(await _read(connection, sensor, end))) for sign, sensor in terms])


def add_counters(terms: Iterable[tuple[int, Sequence[CountedHour]]]) -> list[CountedHour]:
    """Return the signed sum of counters in the hours that all of them have; it never falls.

    It starts at 0 where the first hour ends that is followed by another: when the counters began is unknown.
    """
    by_start = [(sign, {hour.start: hour for hour in hours}) for sign, hours in terms]
    found: list[CountedHour] = []
    base = highest = 0.0
    for before, start in pairwise(sorted(set[int].intersection(*(set(hours) for _, hours in by_start)))):
        if not found:
            if before + HOUR < start:
                continue
            base = sum(sign * hours[before].sum for sign, hours in by_start)
        # Recorded values are rounded.
        highest = max(highest, sum(sign * hours[start].sum for sign, hours in by_start) - base)
        states = [sign * state for sign, hours in by_start if (state := hours[start].state) is not None]
        found.append(CountedHour(start, highest, sum(states) if len(states) == len(by_start) else None))
    return found


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
