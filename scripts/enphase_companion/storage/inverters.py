"""Microinverters: each report once, and the rollup of each one's day, in the same transaction.

A day is calculated from all of its readings whenever one is written: every five minutes, so that is little.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from enphase_api.models import INVERTER_ENERGY_LIMIT, MAX_INVERTER_POWER

from ..message import Message
from .buckets import DAY, HOUR, MINUTE, SECOND, Calendar, Resolution
from .engine import Transactions
from .statements import get_calendar, get_gateways, get_pruned_before, insert_if_absent, upsert_rollup
from .tables import gateways, inverter_days, inverter_readings, inverters

#: Milliseconds by which a report may be dated after the machine read it. More is a wrong clock.
_LATEST = 30 * DAY

#: A longer pause between two reports (milliseconds) is a gap: the slowest microinverters report every hour.
_GAP = 65 * MINUTE

#: Milliseconds that the interval of a counter may differ from that of its reports.
_SLACK = 5 * MINUTE

#: Microinverters that were not read for this long (milliseconds) do not belong to the array any more.
_REMOVED_AFTER = 90 * DAY

#: Milliseconds of one gateway that are deleted in one transaction: some hundred thousand rows.
_PRUNE_AT_ONCE = 7 * DAY

#: In the order of the columns.
Row = tuple[int, int, int, float | None, float | None]

#: Time (ms), power (W) and counter (Wh) of one report.
Report = tuple[int, float | None, float | None]

_SUMMARY = inverter_days.columns.keys()[3:]


class InverterDay(NamedTuple):
    """What one microinverter produced on one local day; the fields are the columns of its rollup."""

    reading_count: int
    #: Milliseconds since the epoch.
    first_measured_at: int
    last_measured_at: int
    #: Wh between both, by the counter, or else estimated by power; None if neither is known, or both are one.
    energy: float | None
    #: W.
    power_max: float | None
    #: Wh, the first and the last value of the counter; None if it has none.
    energy_first: float | None
    energy_last: float | None

    @property
    def is_estimated(self) -> bool:
        """Whether the energy is estimated by power, as the gateway has no counters."""
        return self.energy is not None and self.energy_last is None


@dataclass(frozen=True, slots=True)
class InverterHistory:
    """What one microinverter produced in a range of time."""

    serial_number: str
    #: Milliseconds since the epoch, up to the end of the range.
    last_measured_at: int
    #: By the start of the local day. Their `energy` includes what was counted since the day before.
    days: Mapping[int, InverterDay]


def summarize(reports: Iterable[Report]) -> InverterDay:
    """Return the summary of one microinverter's reports, in order of time; there is at least one."""
    times: list[int] = []
    powers: list[float] = []
    counted: list[tuple[int, float]] = []
    energy: float | None = None
    for at, power, counter in reports:
        if counter is not None:
            if counted:
                energy = (energy or 0.0) + rise(*counted[-1], at, counter)
            counted.append((at, counter))
        elif power is not None and not counted and times and at - times[-1] <= _GAP:
            energy = (energy or 0.0) + max(power, 0.0) * (at - times[-1]) / HOUR
        times.append(at)
        if power is not None:
            powers.append(power)
    return InverterDay(
        len(times),
        times[0],
        times[-1],
        energy,
        max(powers, default=None),
        counted[0][1] if counted else None,
        counted[-1][1] if counted else None,
    )


def rise(before_time: int, before: float, time: int, value: float) -> float:
    """Return the Wh between two values of a counter, which may start again at 0 in between.

    0 if it is another counter's, as after the exchange of a microinverter.
    """
    counted = value - before if value >= before else value - before + INVERTER_ENERGY_LIMIT
    most = MAX_INVERTER_POWER * (time - before_time + _SLACK) / HOUR
    return counted if 0 <= counted <= most else 0.0


def build_rows(
    messages: Iterable[Message],
    gateway_ids: Mapping[str, int],
    inverter_ids: Mapping[str, int],
    refused: Counter[str],
) -> list[Row]:
    """Return the rows of reports with a possible date, in the order of their key; count the others.

    A report may be old: a microinverter is silent since then.
    """
    rows: list[Row] = []
    for message in messages:
        gateway_id, latest = gateway_ids[message.gateway], message.timestamp * SECOND + _LATEST
        for serial_number, measured_at, power, energy in message.inverters:
            if measured_at <= latest:
                rows.append((gateway_id, measured_at, inverter_ids[serial_number], power, energy))
            else:
                refused[
                    f"gateway {message.gateway} dates microinverters in the future: check both clocks"
                ] += 1
    rows.sort(key=lambda row: row[:3])
    return rows


async def insert(connection: AsyncConnection, rows: Sequence[Row]) -> None:
    """Insert the rows whose key is absent, and roll up their days."""
    calendar = await _begin(connection, {row[0] for row in rows})
    await insert_if_absent(connection, inverter_readings, rows)
    touched: dict[tuple[int, int], set[int]] = defaultdict(set)
    for gateway, measured_at, inverter, *_ in rows:
        touched[gateway, calendar.start(Resolution.DAY, measured_at)].add(inverter)
    for (gateway, day), wanted in sorted(touched.items()):
        await _roll_up(connection, calendar, gateway, day, wanted)


async def _begin(connection: AsyncConnection, gateway_ids: Collection[int]) -> Calendar:
    """Lock the days of these gateways until the transaction ends, and return the calendar.

    Programs that write the same day take turns, so that its rollup has the readings of all. No statement of
    the transaction may read without a lock before: it would see no later readings of the others.
    """
    await connection.execute(
        select(gateways.c.id)
        .where(gateways.c.id.in_(sorted(gateway_ids)))
        .order_by(gateways.c.id)
        .with_for_update()
    )
    # Locked, so that no day is rolled up while the time zone is changed.
    return await get_calendar(connection, lock=True)


async def _roll_up(
    connection: AsyncConnection,
    calendar: Calendar,
    gateway: int,
    day: int,
    wanted: Collection[int] | None = None,
    since: int = 0,
) -> None:
    """Roll up a day of these microinverters (None: of all) from their readings from `since` on."""
    columns = inverter_readings.c
    found = await connection.execute(
        select(columns.inverter_id, columns.measured_at, columns.power, columns.energy)
        .where(
            columns.gateway_id == gateway,
            columns.measured_at >= max(day, since),
            columns.measured_at < calendar.after(Resolution.DAY, day),
        )
        .order_by(columns.measured_at)
    )
    reports: dict[int, list[Report]] = defaultdict(list)
    for inverter, *report in found:
        if wanted is None or inverter in wanted:
            reports[inverter].append(tuple(report))
    rows: list[dict[str, Any]] = [
        {"gateway_id": gateway, "bucket_start": day, "inverter_id": inverter, **summarize(each)._asdict()}
        for inverter, each in sorted(reports.items())
    ]
    if rows:
        await connection.execute(upsert_rollup(inverter_days, connection.dialect.name), rows)


async def read(connection: AsyncConnection, gateway: int, start: int, end: int) -> list[InverterHistory]:
    """Return what each microinverter produced on the local days that start in [start, end).

    Those without any reading there are included, unless they were read last long before.
    """
    columns = inverter_days.c
    is_gateway = columns.gateway_id == gateway
    last = await connection.execute(
        select(columns.inverter_id, inverters.c.serial_number, func.max(columns.last_measured_at))
        .join(inverters, inverters.c.id == columns.inverter_id)
        .where(is_gateway, columns.bucket_start >= start - _REMOVED_AFTER, columns.bucket_start < end)
        .group_by(columns.inverter_id, inverters.c.serial_number)
        .order_by(inverters.c.serial_number)
    )
    # What was counted before the first day is found with the day before it.
    before = await connection.scalar(
        select(func.max(columns.bucket_start)).where(is_gateway, columns.bucket_start < start)
    )
    found = await connection.execute(
        select(columns.inverter_id, columns.bucket_start, *(columns[name] for name in _SUMMARY))
        .where(
            is_gateway,
            columns.bucket_start >= (start if before is None else before),
            columns.bucket_start < end,
        )
        .order_by(columns.bucket_start)
    )
    days: dict[int, list[tuple[int, InverterDay]]] = defaultdict(list)
    for inverter, day, *summary in found:
        days[inverter].append((day, InverterDay(*summary)))
    return [
        InverterHistory(
            serial_number,
            at,
            {day: each for day, each in _join(days[inverter]) if day >= start},
        )
        for inverter, serial_number, at in last.all()
    ]


def _join(days: Sequence[tuple[int, InverterDay]]) -> Iterable[tuple[int, InverterDay]]:
    """Yield the days with what was counted since the last reading of the day before."""
    yield from days[:1]
    for (_, before), (start, day) in pairwise(days):
        if before.energy_last is None or day.energy_first is None:
            yield start, day
        else:
            since = rise(before.last_measured_at, before.energy_last, day.first_measured_at, day.energy_first)
            yield start, day._replace(energy=(day.energy or 0.0) + since)


async def count_inverters(connection: AsyncConnection, gateway: int) -> int:
    """Return how many microinverters of a gateway there are readings or days of."""
    columns = inverter_days.c
    found: int | None = await connection.scalar(
        select(func.count(columns.inverter_id.distinct())).where(columns.gateway_id == gateway)
    )
    return found or 0


async def prune(transactions: Transactions, end: int) -> int:
    """Delete the readings before `end` (milliseconds), and return their number; days are kept."""
    deleted = 0
    for gateway in await transactions.read(get_gateways):
        find = partial(_find_oldest, gateway=gateway)
        while (oldest := await transactions.read(find)) is not None and oldest < end:
            until = min(oldest + _PRUNE_AT_ONCE, end)
            deleted += await transactions.write(partial(_prune_before, gateway=gateway, end=until))
    return deleted


async def rebuild(transactions: Transactions) -> None:
    """Roll up all days from the readings again; those whose readings were pruned are kept."""
    since = await transactions.read(get_pruned_before)
    for gateway in await transactions.read(get_gateways):
        await transactions.write(partial(_rebuild_gateway, gateway=gateway, since=since), may_take_long=True)


async def _find_oldest(connection: AsyncConnection, gateway: int, since: int = 0) -> int | None:
    columns = inverter_readings.c
    oldest: int | None = await connection.scalar(
        select(func.min(columns.measured_at)).where(
            columns.gateway_id == gateway, columns.measured_at >= since
        )
    )
    return oldest


async def _prune_before(connection: AsyncConnection, gateway: int, end: int) -> int:
    columns = inverter_readings.c
    result = await connection.execute(
        delete(inverter_readings).where(columns.gateway_id == gateway, columns.measured_at < end)
    )
    return result.rowcount


async def _rebuild_gateway(connection: AsyncConnection, gateway: int, since: int) -> None:
    calendar = await _begin(connection, [gateway])
    oldest = await _find_oldest(connection, gateway, since)
    if oldest is None:
        return
    columns = inverter_days.c
    # The days of another time zone begin at other times.
    await connection.execute(
        delete(inverter_days).where(columns.gateway_id == gateway, columns.last_measured_at >= oldest)
    )
    while oldest is not None:
        day = calendar.start(Resolution.DAY, oldest)
        await _roll_up(connection, calendar, gateway, day, since=since)
        oldest = await _find_oldest(connection, gateway, max(calendar.after(Resolution.DAY, day), since))
