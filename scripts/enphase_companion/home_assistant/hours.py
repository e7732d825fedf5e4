"""The hours of a sensor, calculated from the quarter-hours of the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ..storage import DAY, QUARTER_HOUR, SECOND, Database, Point, Power
from ..storage.buckets import HOUR, Calendar, Resolution
from .sensors import Quantity, Sensor
from .statistics import Hour

_QUARTERS = HOUR // QUARTER_HOUR

#: Of less than half an hour, no mean is calculated.
_LEAST_QUARTERS = 2

#: Milliseconds of quarter-hours that are read at once.
_BLOCK = 32 * DAY


class _Quarter(NamedTuple):
    """What one sensor shows of a quarter-hour."""

    energy: float | None
    power: Power | None
    weight: int
    is_whole: bool


class HourReader:
    """Reads the hours of sensors, each block of a meter once."""

    def __init__(self, database: Database, zone: ZoneInfo) -> None:
        """`zone`: of the days of energies that start again at midnight."""
        self._database = database
        self._calendar = Calendar(zone)
        self._blocks: dict[tuple[str, str, int, int], Mapping[int, Point]] = {}

    async def read(self, sensor: Sensor, starts: Iterable[int]) -> dict[int, Hour]:
        """Return the hours of the sensor that are known, in the days around these hours."""
        wanted = {start - start % _BLOCK for start in starts}
        # The first hours of a block are compared with those before, and belong to a day that began earlier.
        wanted |= {block - _BLOCK for block in wanted if block - _BLOCK not in wanted and sensor.resets_daily}
        quarters: dict[int, _Quarter] = {}
        for block in sorted(wanted):
            quarters |= await self._read_block(sensor, block)
        return self._build_hours(sensor, quarters)

    def forget(self) -> None:
        """Free the memory of the blocks."""
        self._blocks.clear()

    async def _read_block(self, sensor: Sensor, block: int) -> Mapping[int, _Quarter]:
        meters = {
            name: await self._read_points(sensor.gateway, name, sensor.phase, block) for name in sensor.terms
        }
        common = set.intersection(*(set(points) for points in meters.values()))
        return {
            start: _combine(sensor, {name: points[start] for name, points in meters.items()})
            for start in common
        }

    async def _read_points(self, gateway: str, name: str, phase: int, block: int) -> Mapping[int, Point]:
        key = (gateway, name, phase, block)
        if key not in self._blocks:
            points = await self._database.series(gateway, name, block, block + _BLOCK, QUARTER_HOUR, phase)
            self._blocks[key] = {point.start: point for point in points}
        return self._blocks[key]

    def _build_hours(self, sensor: Sensor, quarters: Mapping[int, _Quarter]) -> dict[int, Hour]:
        return {
            start: Hour(
                energy=_total([each.energy for each in parts]),
                power=_mean(parts) if sensor.is_power else None,
                is_whole=len(parts) == _QUARTERS and all(each.is_whole for each in parts),
                today=self._since_midnight(quarters, start + HOUR) if sensor.resets_daily else None,
            )
            for start, parts in _group(quarters)
        }

    def _since_midnight(self, quarters: Mapping[int, _Quarter], end: int) -> tuple[int, float]:
        """Return the midnight before the end of an hour, and the energy since then.

        Midnight may be within an hour: not every time zone is whole hours from UTC.
        """
        midnight = self._calendar.start(Resolution.DAY, end - SECOND)
        energies = [
            quarters[start].energy or 0.0 for start in range(midnight, end, QUARTER_HOUR) if start in quarters
        ]
        return midnight, sum(energies)


def _combine(sensor: Sensor, points: Mapping[str, Point]) -> _Quarter:
    energies = [_energy(sensor.quantity, sign, points[name]) for name, sign in sensor.terms.items()]
    recovered = sum(
        each.energy.delivered_recovered + each.energy.received_recovered for each in points.values()
    )
    count = min(point.reading_count for point in points.values())
    return _Quarter(
        # Meters are not read at one moment: the sum may be slightly negative.
        None if None in energies else max(sum(each for each in energies if each is not None), 0.0),
        _power(sensor.terms, points) if sensor.is_power else None,
        count,
        count > 0 and not recovered,
    )


def _energy(quantity: Quantity, sign: int, point: Point) -> float | None:
    delivered, received = point.energy.delivered, point.energy.received
    match quantity:
        case Quantity.DELIVERED:
            return delivered
        case Quantity.RECEIVED:
            return received
        case Quantity.NET:
            return None if delivered is None or received is None else sign * (delivered - received)
        case Quantity.POWER:
            return None


def _power(terms: Mapping[str, int], points: Mapping[str, Point]) -> Power | None:
    powers = [(sign, points[name].power) for name, sign in terms.items()]
    if len(powers) == 1:
        return powers[0][1]
    means = [None if power is None else sign * power.mean for sign, power in powers]
    if None in means:
        return None
    # The lowest and highest powers of several meters are not of the same moment.
    mean = sum(each for each in means if each is not None)
    return Power(mean, mean, mean)


def _group(quarters: Mapping[int, _Quarter]) -> Iterator[tuple[int, Sequence[_Quarter]]]:
    hours: dict[int, list[_Quarter]] = {}
    for start in sorted(quarters):
        hours.setdefault(start - start % HOUR, []).append(quarters[start])
    yield from hours.items()


def _total(energies: Sequence[float | None]) -> float | None:
    known = [each for each in energies if each is not None]
    return sum(known) if known else None


def _mean(parts: Sequence[_Quarter]) -> Power | None:
    known = [each.power for each in parts if each.power is not None]
    if len(known) < _LEAST_QUARTERS:
        return None
    # By time, as Home Assistant does: each quarter-hour counts alike, however often it was read.
    mean = sum(each.mean for each in known) / len(known)
    return Power(mean, min(each.low for each in known), max(each.high for each in known))
