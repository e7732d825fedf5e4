"""The first step of rolling up: minutes from readings.

The database does it, as sixty times more rows go in than come out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, case, func, null, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from .levels import HOUR, MINUTE, Level
from .runs import largest_rise
from .statements import replace, replace_unless_poorer
from .summary import COLUMNS, fold, of_reading, to_row
from .tables import ALL_PHASES, readings, rollups

_minutes = rollups[Level.MINUTE]
_KEY = ("gateway_id", "measurement_id", "phase", "bucket_start")

#: Stands for runs until they are worked out, in the same transaction.
_UNKNOWN = "?"


async def roll_up_minutes(
    connection: AsyncConnection,
    gateways: Sequence[int],
    measurements: Collection[int],
    start: int,
    end: int,
) -> None:
    """Make the summaries of all minutes in [start, end) of these gateways anew from their readings."""
    statement = replace_unless_poorer(_minutes, connection.dialect.name)
    await connection.execute(statement.from_select([*_KEY, *COLUMNS], _summaries(gateways, start, end)))
    odd = await connection.execute(
        select(*(_minutes.c[name] for name in _KEY)).where(
            _minutes.c.gateway_id.in_(gateways),
            _minutes.c.measurement_id.in_(measurements),
            _minutes.c.phase.in_(ALL_PHASES),
            _minutes.c.bucket_start >= start,
            _minutes.c.bucket_start < end,
            _minutes.c.segments == _UNKNOWN,
        )
    )
    for gateway, measurement, phase, bucket in odd.all():
        await _roll_up_odd(connection, gateway, measurement, phase, bucket)


async def _roll_up_odd(
    connection: AsyncConnection, gateway: int, measurement: int, phase: int, bucket: int
) -> None:
    """Make the summary of a minute in which a counter fell, leapt or was left out."""
    found = await connection.execute(
        select(
            readings.c.measured_at,
            readings.c.active_power,
            readings.c.energy_delivered,
            readings.c.energy_received,
        )
        .where(
            readings.c.gateway_id == gateway,
            readings.c.measured_at >= bucket,
            readings.c.measured_at < bucket + MINUTE,
            readings.c.measurement_id == measurement,
            readings.c.phase == phase,
        )
        .order_by(readings.c.measured_at)
    )
    key = dict(zip(_KEY, (gateway, measurement, phase, bucket), strict=True))
    row = key | to_row(fold([of_reading(*each) for each in found]))
    await connection.execute(replace(_minutes, connection.dialect.name), row)


def _summaries(gateways: Sequence[int], start: int, end: int) -> Select[Any]:
    """Select what can be counted of each minute, with its first and last reading beside it."""
    bucket = readings.c.measured_at - readings.c.measured_at % MINUTE
    series = (readings.c.gateway_id, readings.c.measurement_id, readings.c.phase)
    delivered, received = readings.c.energy_delivered, readings.c.energy_received
    power = readings.c.active_power
    with_power = case((power.is_not(None), readings.c.measured_at))
    grouped = (
        select(
            *series,
            bucket.label("bucket_start"),
            func.count().label("reading_count"),
            func.min(readings.c.measured_at).label("first_measured_at"),
            func.max(readings.c.measured_at).label("last_measured_at"),
            func.count(power).label("power_reading_count"),
            func.avg(power).label("power_mean"),
            func.min(power).label("power_min"),
            func.max(power).label("power_max"),
            # Comparing with an unknown power gives neither, and leaves it out.
            func.avg(case((power > 0, power), (power <= 0, 0.0))).label("positive_mean"),
            func.max(with_power).label("last_power"),
            func.min(with_power).label("first_power"),
            func.count(delivered).label("delivered_count"),
            func.min(delivered).label("delivered_low"),
            func.max(delivered).label("delivered_high"),
            func.count(received).label("received_count"),
            func.min(received).label("received_low"),
            func.max(received).label("received_high"),
        )
        .where(
            readings.c.gateway_id.in_(gateways), readings.c.measured_at >= start, readings.c.measured_at < end
        )
        .group_by(*series, bucket)
        .subquery("grouped")
    )
    first, last = readings.alias("first"), readings.alias("last")
    is_plain = and_(*(_is_plain(grouped.c, name, first, last) for name in ("delivered", "received")))
    is_estimated = and_(
        grouped.c.delivered_count == 0, grouped.c.received_count == 0, grouped.c.power_reading_count > 1
    )
    hours = (grouped.c.last_power - grouped.c.first_power) / float(HOUR)
    return (
        select(
            *(grouped.c[name] for name in (*_KEY, *COLUMNS[:7])),
            case((is_estimated, grouped.c.positive_mean * hours)).label("energy_delivered_estimated"),
            case((is_estimated, (grouped.c.positive_mean - grouped.c.power_mean) * hours)).label(
                "energy_received_estimated"
            ),
            first.c.energy_delivered.label("energy_delivered_first"),
            last.c.energy_delivered.label("energy_delivered_last"),
            first.c.energy_received.label("energy_received_first"),
            last.c.energy_received.label("energy_received_last"),
            case((is_plain, null()), else_=_UNKNOWN).label("segments"),
        )
        .select_from(grouped)
        .join(first, _is_at(first, grouped.c, "first_measured_at"))
        .join(last, _is_at(last, grouped.c, "last_measured_at"))
        # SQLite needs a WHERE to tell what follows from the ON of a join.
        .where(true())
    )


def _is_at(alias: FromClause, grouped: Any, time: str) -> ColumnElement[bool]:
    """Join the reading that was made at the first or last time of its minute."""
    return and_(
        alias.c.gateway_id == grouped.gateway_id,
        alias.c.measured_at == grouped[time],
        alias.c.measurement_id == grouped.measurement_id,
        alias.c.phase == grouped.phase,
    )


def _is_plain(grouped: Any, name: str, first: FromClause, last: FromClause) -> ColumnElement[bool]:
    """Return whether a counter's first and last value say all: it only rose, or no reading has it.

    A fall to more than the first value, made up for in the same minute, is not seen: it changes nothing.
    """
    count, low, high = (grouped[f"{name}_{what}"] for what in ("count", "low", "high"))
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
