"""Export hourly statistics from the database to Home Assistant, where it has none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from ..config.rules import zone_of
from ..runtime.errors import SettingsError
from ..storage import Database
from ..storage.buckets import HOUR
from .hours import HourReader
from .recorder import Commands, Metadata, read_metadata, read_statistics, write_statistics
from .sensors import Sensor, Skipped, find_sensors
from .statistics import Plan, Request, Statistic, plan_energy, plan_power

#: Called with the number of sensors that are done, and of all.
Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Report:
    """What was written, or would be."""

    plans: list[tuple[Sensor, Plan]] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


async def export_statistics(
    database: Database,
    connection: Commands,
    gateways: Sequence[str],
    request: Request,
    progress: Progress,
    *,
    dry_run: bool = False,
) -> Report:
    """Write the hours that Home Assistant lacks, or all with `request.replace`; with `dry_run`, none.

    Can be interrupted and repeated: what is there already is not written again. Raises CommandError and
    StorageError.
    """
    sensors, report = await find_recorded_sensors(connection, gateways)
    zone = zone_of((await connection.command("get_config"))["time_zone"])
    done = 0
    for gateway, of_gateway in groupby(sensors, lambda each: each[0].gateway):
        first = await database.first_reading(gateway)
        for _, of_phase in groupby(of_gateway, lambda each: each[0].phase):
            reader = HourReader(database, zone)
            for sensor, metadata in of_phase:
                progress(done, len(sensors))
                plan = Plan()
                if first is not None:
                    plan = await _plan(connection, reader, sensor, request, first)
                if not dry_run:
                    await write_statistics(connection, metadata, plan.rows, plan.adjustments)
                report.plans.append((sensor, plan))
                done += 1
    progress(done, len(sensors))
    return report


async def find_recorded_sensors(
    connection: Commands, gateways: Sequence[str]
) -> tuple[list[tuple[Sensor, Metadata]], Report]:
    """Return the sensors with statistics, by gateway and phase, and a report of the others.

    Raises SettingsError if Home Assistant has no sensors of these gateways.
    """
    registry = await connection.command("config/entity_registry/list")
    sensors, skipped = find_sensors(registry, gateways)
    if not sensors and not skipped:
        raise SettingsError(
            "home_assistant_url: this Home Assistant has no sensors of the integration Enphase IQ Gateway "
            f"for gateway {', '.join(gateways)}"
        )
    metadata = await read_metadata(connection, [sensor.entity_id for sensor in sensors])
    report = Report()
    report.skipped = skipped + [
        Skipped(sensor.entity_id, "no statistics in Home Assistant: the sensor is disabled or excluded")
        for sensor in sensors
        if sensor.entity_id not in metadata
    ]
    recorded = [
        (sensor, metadata[sensor.entity_id])
        for sensor in sorted(sensors, key=lambda each: (each.gateway, each.phase, each.entity_id))
        if sensor.entity_id in metadata
    ]
    return recorded, report


async def _plan(
    connection: Commands, reader: HourReader, sensor: Sensor, request: Request, first: int
) -> Plan:
    found = await read_statistics(connection, sensor.entity_id)
    existing = {
        start: row for start, row in found.items() if (row.power if sensor.is_power else row.sum) is not None
    }
    hours = await reader.read(sensor, _wanted(existing, request, first))
    if sensor.is_power:
        return plan_power(existing, hours, request)
    return plan_energy(existing, hours, request, resets_daily=sensor.resets_daily)


def _wanted(existing: dict[int, Statistic], request: Request, first: int) -> Iterator[int]:
    """Yield the hours that may be written, and those between the statistics that they must join."""
    start = max((each for each in existing if each < request.start), default=request.start)
    end = min((each for each in existing if each >= request.end), default=request.end)
    # The database knows nothing before its first reading.
    for hour in range(max(start, first - first % HOUR), end + HOUR, HOUR):
        if request.replace or hour not in existing:
            yield from (hour - HOUR, hour, hour + HOUR)
