"""What charts read of a database: without SQLAlchemy, which a single picture would wait for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar
from zoneinfo import ZoneInfo

from ..config.rules import system_zone, zone_of
from ..message import WHOLE
from .buckets import Calendar, Resolution, resolution_for
from .reader import Energy, Point, Query, Reader, build_points, energy_between, find_first_reading

T = TypeVar("T")


class ReadableDatabase(ABC):
    """Gateways, energies and series of a database; times are milliseconds since the epoch."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The name of the database, without its password."""

    @abstractmethod
    async def read(self, work: Callable[[Query], Awaitable[T]]) -> T:
        """Run `work` in a transaction that only reads, and return its result."""

    async def gateways(self) -> list[str]:
        """Return the serial numbers of all gateways."""
        return sorted(await self.read(_gateway_ids))

    async def first_reading(self, gateway: str) -> int | None:
        """Return the time of a gateway's first reading, or of the first one in rollups; None without any."""

        async def work(query: Query) -> int | None:
            gateway_id = (await _gateway_ids(query)).get(gateway)
            if gateway_id is None:
                return None
            return await find_first_reading(query, gateway_id, (await _measurement_ids(query)).values())

        return await self.read(work)

    async def has_unmetered_batteries(self, gateway: str) -> bool | None:
        """Return whether a gateway has batteries without a meter, as last reported; None if it never was."""

        async def work(query: Query) -> bool | None:
            found = await query("SELECT serial_number, has_unmetered_batteries FROM gateways")
            return next((bool(has) for name, has in found if name == gateway and has is not None), None)

        return await self.read(work)

    async def energies(self, gateway: str, start: int, end: int, phase: int = WHOLE) -> Mapping[str, Energy]:
        """Return the energy in [start, end), by measurement; measurements without any are left out."""

        async def work(query: Query) -> Mapping[str, Energy]:
            gateway_id, ids = (await _gateway_ids(query)).get(gateway), await _measurement_ids(query)
            if gateway_id is None:
                return {}
            reader = Reader(query, await _calendar(query), gateway_id, ids.values(), phase)
            around = await reader.read_with_neighbours(Resolution.DAY, start, end)
            found = {name: energy_between(around[each], start, end) for name, each in ids.items()}
            return {name: energy for name, energy in found.items() if energy.is_known}

        return await self.read(work)

    async def series(
        self,
        gateway: str,
        measurement: str,
        start: int,
        end: int,
        width: int,
        phase: int = WHOLE,
        *,
        has_energies: bool = True,
    ) -> list[Point]:
        """Return power and energy over time, in the longest buckets that are not longer than `width`.

        Buckets are whole minutes, quarter-hours or local days, so that the first may start before `start` and
        the last end after `end`; below a minute, single readings. Buckets in a gap are left out. Without
        `has_energies`, there is only power, in less time.
        """
        resolution = resolution_for(width)

        async def work(query: Query) -> list[Point]:
            gateway_id = (await _gateway_ids(query)).get(gateway)
            measurement_id = (await _measurement_ids(query)).get(measurement)
            if gateway_id is None or measurement_id is None:
                return []
            calendar = await _calendar(query)
            first, last = calendar.start(resolution, start), calendar.ceiling(resolution, end)
            reader = Reader(query, calendar, gateway_id, [measurement_id], phase)
            around = await reader.read_with_neighbours(resolution, first, last)
            summaries = around[measurement_id]
            return build_points(calendar, resolution, summaries, first, last, has_energies=has_energies)

        return await self.read(work)

    async def time_zone(self) -> ZoneInfo:
        """Return the time zone of the database's days."""
        return (await self.read(_calendar)).zone


async def _gateway_ids(query: Query) -> dict[str, int]:
    return {row[0]: row[1] for row in await query("SELECT serial_number, id FROM gateways")}


async def _measurement_ids(query: Query) -> dict[str, int]:
    return {row[0]: row[1] for row in await query("SELECT name, id FROM measurements")}


async def _calendar(query: Query) -> Calendar:
    found = await query("SELECT value FROM properties WHERE name = 'time_zone'")
    return Calendar(zone_of(found[0][0]) if found else system_zone())
