"""Roll up: minutes from readings, quarter-hours from minutes, days from quarter-hours.

The table `pending_rollups` lists the buckets that are due. Each is calculated from all of its readings;
several programs may roll up at the same time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import cache, partial
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Insert,
    Select,
    and_,
    bindparam,
    case,
    delete,
    func,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from .buckets import HOUR, MAX_OTHERS, MINUTE, SECOND, Calendar, Resolution
from .counter_segments import largest_rise
from .engine import Transactions
from .statements import acquire_lock, get_calendar, insert_if_absent, upsert, upsert_rollup
from .summary import COLUMNS, fold, from_row, summarize_reading, to_row
from .tables import ALL_PHASES, measurements, pending_rollups, readings, rollups

#: A bucket is rolled up this long after its end, when its readings have normally been written.
GRACE = 3 * SECOND

#: Buckets of one gateway per transaction, for which some ten thousand rows are read.
_AT_ONCE = {Resolution.MINUTE: 240, Resolution.QUARTER_HOUR: 60, Resolution.DAY: 10}

#: Minutes that are no further apart than this (milliseconds) are rolled up in one statement.
_MAX_HOLE = 10 * MINUTE

#: Seconds to wait for another program that rolls up.
_LOCK_SECONDS = 30

_minutes = rollups[Resolution.MINUTE]
_KEY = ("gateway_id", "measurement_id", "phase", "bucket_start")

#: Numbers of the phases of a meter, the whole one included, and of all 32,768 measurements that a database
#: can have.
_PHASE_BITS = 2
_PHASES, _SERIES = 1 << _PHASE_BITS, 1 << _PHASE_BITS + 15

#: Placeholder in `segments` until they are calculated, in the same transaction.
_UNKNOWN = "?"


class Block(NamedTuple):
    """Buckets of the same gateways that are rolled up in one statement, with all else in [start, end)."""

    gateways: Sequence[int]
    buckets: list[int]
    end: int

    @property
    def start(self) -> int:
        """The start of the first bucket."""
        return self.buckets[0]


async def roll_up(transactions: Transactions, now: int) -> int:
    """Roll up all pending buckets that ended before `now` (milliseconds), and return their number.

    Raises StorageError.
    """
    total = 0
    for resolution in rollups:
        work = partial(_roll_up_in_turn, resolution=resolution, now=now)
        done = limit = _AT_ONCE[resolution]
        while done == limit:
            done = await transactions.write(work)
            total += done
    return total


async def _roll_up_in_turn(connection: AsyncConnection, resolution: Resolution, now: int) -> int:
    """Roll up some buckets while no other program does, and return their number.

    Programs that roll up at the same time would wait for rows of each other, and deadlock.
    """
    # The next one may still wait for the commit of this one, which no longer waits for anything.
    async with acquire_lock(connection, "enphase_roll_up", _LOCK_SECONDS) as is_acquired:
        return await _roll_up_some(connection, resolution, now) if is_acquired else 0


async def _roll_up_some(connection: AsyncConnection, resolution: Resolution, now: int) -> int:
    # Locked, so that no day is rolled up while the time zone is changed.
    calendar = await get_calendar(connection, lock=True)
    before = calendar.start(resolution, now - GRACE)
    columns = pending_rollups.c
    found = (
        await connection.execute(
            select(columns.bucket_start, columns.gateway_id)
            .where(columns.resolution == resolution, columns.bucket_start < before)
            .order_by(columns.bucket_start, columns.gateway_id)
            .limit(_AT_ONCE[resolution])
            .with_for_update(skip_locked=_can_skip_locked(connection))
        )
    ).all()
    # Read after the pending buckets: another program may just have written a reading of a new measurement.
    measurement_ids = (await connection.execute(select(measurements.c.id))).scalars().all()
    for block in _group(calendar, resolution, [(bucket, gateway) for bucket, gateway in found]):
        if resolution is Resolution.MINUTE:
            await _roll_up_readings(connection, block, measurement_ids)
        else:
            await _roll_up_rollups(connection, calendar, resolution, block, measurement_ids)
        await connection.execute(
            delete(pending_rollups).where(
                columns.resolution == resolution,
                columns.bucket_start.in_(block.buckets),
                columns.gateway_id.in_(block.gateways),
            )
        )
    if resolution is not Resolution.DAY:
        coarser = resolution.coarser
        touched = {(int(coarser), calendar.start(coarser, bucket), gateway) for bucket, gateway in found}
        await insert_if_absent(connection, pending_rollups, sorted(touched))
    return len(found)


def _group(calendar: Calendar, resolution: Resolution, found: Iterable[tuple[int, int]]) -> list[Block]:
    """Group buckets of the same gateways; `found` are pairs of bucket and gateway, in order.

    A few minutes between them that are not pending are rolled up too: slow polling leaves some out each time.
    """
    max_hole = _MAX_HOLE if resolution is Resolution.MINUTE else 0
    blocks: list[Block] = []
    for start, group in groupby(found, lambda each: each[0]):
        gateways = [gateway for _, gateway in group]
        buckets = [start]
        if blocks and start - blocks[-1].end <= max_hole and blocks[-1].gateways == gateways:
            buckets = [*blocks.pop().buckets, start]
        blocks.append(Block(gateways, buckets, calendar.after(resolution, start)))
    return blocks


def _can_skip_locked(connection: AsyncConnection) -> bool:
    """Return whether the server has SKIP LOCKED: MariaDB 10.6, MySQL 8.0. SQLite locks no rows."""
    dialect = connection.dialect
    oldest = (10, 6) if getattr(dialect, "is_mariadb", False) else (8, 0)
    return tuple(getattr(dialect, "server_version_info", None) or ()) >= oldest


async def _roll_up_rollups(
    connection: AsyncConnection,
    calendar: Calendar,
    resolution: Resolution,
    block: Block,
    measurement_ids: Collection[int],
) -> None:
    source = rollups[resolution.finer]
    key = (source.c.gateway_id, source.c.measurement_id, source.c.phase)
    found = await connection.execute(
        select(*key, source.c.bucket_start, *(source.c[name] for name in COLUMNS))
        .where(
            source.c.gateway_id.in_(block.gateways),
            # All measurements and phases; named, so that the whole key is used.
            source.c.measurement_id.in_(measurement_ids),
            source.c.phase.in_(ALL_PHASES),
            source.c.bucket_start >= block.start,
            source.c.bucket_start < block.end,
        )
        .order_by(*key, source.c.bucket_start)
    )
    rows = [
        dict(zip(_KEY, values, strict=True)) | to_row(fold([from_row(row[4:]) for row in parts]))
        for values, parts in groupby(found, lambda row: (*row[:3], calendar.start(resolution, row[3])))
    ]
    if rows:
        await connection.execute(upsert_rollup(rollups[resolution], connection.dialect.name), rows)


async def _roll_up_readings(
    connection: AsyncConnection, block: Block, measurement_ids: Collection[int]
) -> None:
    """Roll up minutes in the database, because sixty times more rows are read than written."""
    await connection.execute(
        _upsert_minutes(connection.dialect.name),
        {"gateways": block.gateways, "start": block.start, "end": block.end},
    )
    irregular = await connection.execute(
        select(*(_minutes.c[name] for name in _KEY)).where(
            _minutes.c.gateway_id.in_(block.gateways),
            _minutes.c.measurement_id.in_(measurement_ids),
            _minutes.c.phase.in_(ALL_PHASES),
            _minutes.c.bucket_start >= block.start,
            _minutes.c.bucket_start < block.end,
            _minutes.c.segments == _UNKNOWN,
        )
    )
    for gateway, measurement, phase, bucket in irregular.all():
        await _roll_up_irregular(connection, gateway, measurement, phase, bucket)


async def _roll_up_irregular(
    connection: AsyncConnection, gateway: int, measurement: int, phase: int, bucket: int
) -> None:
    """Roll up a minute in which a counter fell, leapt or is unknown in some readings."""
    columns = readings.c
    found = await connection.execute(
        select(columns.measured_at, columns.active_power, columns.energy_delivered, columns.energy_received)
        .where(
            columns.gateway_id == gateway,
            columns.measured_at >= bucket,
            columns.measured_at < bucket + MINUTE,
            columns.measurement_id == measurement,
            columns.phase == phase,
        )
        .order_by(columns.measured_at)
    )
    key = dict(zip(_KEY, (gateway, measurement, phase, bucket), strict=True))
    row = key | to_row(fold([summarize_reading(*each) for each in found]))
    await connection.execute(upsert(_minutes, connection.dialect.name), row)


@cache  # Because SQLAlchemy takes five milliseconds to build it: twice as long as a minute takes to roll up.
def _upsert_minutes(dialect: str) -> Insert:
    """Return the INSERT of the minutes of the `gateways` from `start` to `end`, its parameters."""
    return upsert_rollup(_minutes, dialect).from_select([*_KEY, *COLUMNS], _select_minutes())


def _select_minutes() -> Select[Any]:
    """Select the aggregates of each minute, and the counters of its first and last reading."""
    columns = readings.c
    # One number: SQLite sorts the readings, which takes half as long again by four columns.
    series = (
        (columns.measured_at - columns.measured_at % MINUTE) * _SERIES
        + columns.measurement_id * _PHASES
        + columns.phase
    )
    power, delivered, received = columns.active_power, columns.energy_delivered, columns.energy_received
    time_with_power = case((power.is_not(None), columns.measured_at))
    grouped = (
        select(
            columns.gateway_id,
            series.label("series"),
            func.count().label("reading_count"),
            func.min(columns.measured_at).label("first_measured_at"),
            func.max(columns.measured_at).label("last_measured_at"),
            func.count(power).label("power_reading_count"),
            func.avg(power).label("power_mean"),
            func.min(power).label("power_min"),
            func.max(power).label("power_max"),
            # An unknown power is neither, and left out.
            func.avg(case((power > 0, power), (power <= 0, 0.0))).label("positive_mean"),
            func.max(time_with_power).label("last_power_at"),
            func.min(time_with_power).label("first_power_at"),
            func.count(delivered).label("delivered_count"),
            func.min(delivered).label("delivered_min"),
            func.max(delivered).label("delivered_max"),
            func.count(received).label("received_count"),
            func.min(received).label("received_min"),
            func.max(received).label("received_max"),
            func.max((columns.measured_at % SECOND).between(1, MAX_OTHERS)).label("has_others"),
        )
        .where(
            columns.gateway_id.in_(bindparam("gateways", expanding=True)),
            columns.measured_at >= bindparam("start"),
            columns.measured_at < bindparam("end"),
        )
        .group_by(series, columns.gateway_id)
        .subquery("grouped")
    )
    first, last = readings.alias("first"), readings.alias("last")
    # Where a clock was set back, some readings do not count: see summarize_reading.
    is_regular = and_(
        grouped.c.has_others == 0,
        *(_is_regular(grouped.c, name, first, last) for name in ("delivered", "received")),
    )
    is_estimated = and_(
        grouped.c.delivered_count == 0, grouped.c.received_count == 0, grouped.c.power_reading_count > 1
    )
    hours = (grouped.c.last_power_at - grouped.c.first_power_at) / float(HOUR)
    return (
        select(
            *(first.c[name] for name in _KEY[:3]),
            first.c.measured_at - first.c.measured_at % MINUTE,
            *(grouped.c[name] for name in COLUMNS[:7]),
            case((is_estimated, grouped.c.positive_mean * hours)).label("energy_delivered_estimated"),
            case((is_estimated, (grouped.c.positive_mean - grouped.c.power_mean) * hours)).label(
                "energy_received_estimated"
            ),
            first.c.energy_delivered.label("energy_delivered_first"),
            last.c.energy_delivered.label("energy_delivered_last"),
            first.c.energy_received.label("energy_received_first"),
            last.c.energy_received.label("energy_received_last"),
            case((is_regular, null()), else_=_UNKNOWN).label("segments"),
        )
        .select_from(grouped)
        .join(first, _is_read_at(first, grouped.c, "first_measured_at"))
        .join(last, _is_read_at(last, grouped.c, "last_measured_at"))
        # SQLite needs a WHERE to tell ON CONFLICT from the ON of a join.
        .where(true())
    )


def _is_read_at(alias: FromClause, grouped: Any, time: str) -> ColumnElement[bool]:
    """Return the join of a minute with its reading at `time`, a column of `grouped`."""
    return and_(
        alias.c.gateway_id == grouped.gateway_id,
        alias.c.measured_at == grouped[time],
        alias.c.measurement_id == (grouped.series % _SERIES).bitwise_rshift(_PHASE_BITS),
        alias.c.phase == grouped.series % _PHASES,
    )


def _is_regular(grouped: Any, name: str, first: FromClause, last: FromClause) -> ColumnElement[bool]:
    """Return whether the first and last value describe a counter: it only rose, or is in no reading.

    A fall to more than the first value that recovers within the minute is not detected, and has no effect.
    """
    count, low, high = (grouped[f"{name}_{each}"] for each in ("count", "min", "max"))
    column = f"energy_{name}"
    return or_(
        count == 0,
        and_(
            count == grouped.reading_count,
            low == first.c[column],
            high == last.c[column],
            high - low <= largest_rise(MINUTE),
        ),
    )
