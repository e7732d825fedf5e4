"""Production: the sections of /production.json, the totals of the array, and each microinverter.

/production.json takes a gateway seconds, and is wrong on some firmware: if there are meters, read `Readings`
instead.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from ..json_values import (
    MAX_POWER,
    identifier,
    integer,
    is_silent,
    json_object,
    json_objects,
    nested_objects,
    number,
    text,
    timestamp,
)
from .batteries import AcBatteries
from .info import Info
from .meters import Meter

_POWER = (-MAX_POWER, MAX_POWER)
_ENERGY = (0, 1e12)

#: W; more than any microinverter produces.
MAX_INVERTER_POWER = 2_000

#: From this firmware on, the totals of a metered gateway without current transformers hardly change.
_STALLED_SINCE = (8, 2, 4264)

#: The last firmware whose sum of microinverters in /production.json is modulo 2^32 J.
_WRAPPING_UNTIL = (8, 2, 127)

#: `devType` of a microinverter; AC Batteries are in the same list with another one.
_MICROINVERTER = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductionSource:
    """One entry of the `production` or `consumption` list of /production.json."""

    #: The number of inverters or meters; the values of a meter with 0 are meaningless.
    active_count: int | None
    #: None in the dark, when no inverter has reported (UTC).
    measured_at: datetime | None
    #: W.
    power: float | None
    #: Wh.
    lifetime_energy: float | None
    #: Wh; often wrong, see `quirks.believable_today`.
    energy_today: float | None
    #: Wh; often wrong.
    energy_last_seven_days: float | None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Parse one entry."""
        return cls(
            active_count=integer(data, "activeCount", 0, 10_000),
            measured_at=timestamp(data, "readingTime"),
            power=number(data, "wNow", *_POWER),
            lifetime_energy=number(data, "whLifetime", *_ENERGY),
            energy_today=number(data, "whToday", *_ENERGY),
            energy_last_seven_days=number(data, "whLastSevenDays", *_ENERGY),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Production:
    """The answer of /production.json: the sections of microinverters, meters and AC Batteries."""

    #: The sum of the microinverters, some minutes old.
    inverters: ProductionSource | None
    #: The production meter's section.
    meter: ProductionSource | None
    #: The section of the grid's meter.
    net_consumption: ProductionSource | None
    #: The section of the home's meter, or what the gateway calculates.
    total_consumption: ProductionSource | None
    #: None if there are none.
    ac_batteries: AcBatteries | None = None

    @classmethod
    def from_json(cls, answer: object, path: str = "/production.json") -> Self:
        """Parse the whole answer.

        Raises InvalidAnswerError if it is not an object with a list `production`.
        """
        root = json_object(answer, path)
        entries = json_objects(root.get("production"), path) + nested_objects(root, "consumption")
        # The entry of the inverters has no measurementType, those of the meters share one `type`.
        by_kind = {
            text(entry, "measurementType") or text(entry, "type"): entry for entry in reversed(entries)
        }

        def source(kind: str) -> ProductionSource | None:
            return ProductionSource.from_json(by_kind[kind]) if kind in by_kind else None

        return cls(
            inverters=source("inverters"),
            meter=source("production"),
            net_consumption=source("net-consumption"),
            total_consumption=source("total-consumption"),
            ac_batteries=next(
                filter(None, map(AcBatteries.from_json, nested_objects(root, "storage"))), None
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductionTotals:
    """The answer of /api/v1/production: totals of the production meter, or else of the microinverters."""

    #: W.
    power: float | None
    #: Wh.
    lifetime_energy: float | None
    #: Wh; often wrong.
    energy_today: float | None
    #: Wh; often wrong.
    energy_last_seven_days: float | None

    @classmethod
    def from_json(cls, answer: object, path: str = "/api/v1/production") -> Self:
        """Parse the whole answer.

        Raises InvalidAnswerError if it is not an object.
        """
        root = json_object(answer, path)
        return cls(
            power=number(root, "wattsNow", *_POWER),
            lifetime_energy=number(root, "wattHoursLifetime", *_ENERGY),
            energy_today=number(root, "wattHoursToday", *_ENERGY),
            energy_last_seven_days=number(root, "wattHoursSevenDays", *_ENERGY),
        )

    @property
    def is_empty(self) -> bool:
        """Whether all energies are 0, as on some gateways without a production meter."""
        energies = self.lifetime_energy, self.energy_today, self.energy_last_seven_days
        return self.lifetime_energy is not None and not any(energies)

    @staticmethod
    def are_stalled(info: Info, meters: Iterable[Meter]) -> bool:
        """Return whether the totals of a gateway do not change: it has meters, but none is connected."""
        is_connected = any(meter.enabled for meter in meters)
        return info.is_metered is True and not is_connected and info.version >= _STALLED_SINCE


def has_energy_in_totals(info: Info, meters: Iterable[Meter], totals: ProductionTotals | None) -> bool | None:
    """Return whether the totals contain the energy of an array without a production meter.

    If not, only the sum of the microinverters in /production.json contains it. None if unknown.
    """
    if ProductionTotals.are_stalled(info, meters):
        return False
    if totals is None or totals.lifetime_energy is None:
        return None
    return not totals.is_empty


def unmetered_lifetime_energy(
    info: Info, meters: Iterable[Meter], totals: ProductionTotals | None, inverters: ProductionSource | None
) -> float | None:
    """Return the lifetime energy (Wh) of an array without a production meter.

    `inverters` is the sum of the microinverters in /production.json. None if the source is unknown, or if it
    is that sum, modulo 2^32 J.
    """
    if (is_in_totals := has_energy_in_totals(info, meters, totals)) is None:
        return None
    if is_in_totals:
        return None if totals is None else totals.lifetime_energy
    return None if inverters is None or info.version[:3] <= _WRAPPING_UNTIL else inverters.lifetime_energy


@dataclass(frozen=True, slots=True, kw_only=True)
class Inverter:
    """One microinverter as of its last report: every 5 minutes by day, or as the installer set it."""

    serial_number: str
    #: UTC; None if it never reported.
    last_reported_at: datetime | None
    #: W.
    power: float | None
    #: W, the maximum that it ever reported; None if unknown.
    max_power: float | None

    @classmethod
    def list_from_json(cls, answer: object, path: str = "/api/v1/production/inverters") -> tuple[Self, ...]:
        """Parse the whole answer; AC Batteries and entries without serial number are ignored.

        Raises InvalidAnswerError if it is not a list of objects.
        """
        return tuple(
            cls._from_json(entry, serial_number)
            for entry in json_objects(answer, path)
            if (serial_number := identifier(entry, "serialNumber")) is not None
            and entry.get("devType", _MICROINVERTER) == _MICROINVERTER
        )

    @classmethod
    def _from_json(cls, data: Mapping[str, Any], serial_number: str) -> Self:
        power = number(data, "lastReportWatts", -MAX_INVERTER_POWER, MAX_INVERTER_POWER)
        most = number(data, "maxReportWatts", 0, MAX_INVERTER_POWER)
        # Some gateways report 0 for all (quirks.KNOWN); a maximum below the present power is wrong, too.
        is_known = most is not None and most > 0 and (power is None or power <= most)
        return cls(
            serial_number=serial_number,
            last_reported_at=timestamp(data, "lastReportDate"),
            power=power,
            max_power=most if is_known else None,
        )

    def is_silent(self, now: datetime) -> bool:
        """Return whether its last report is outdated at `now`, by the gateway's clock: all are at night."""
        return self.last_reported_at is None or is_silent(self.last_reported_at, now)

    def as_of(self, now: datetime) -> Self:
        """Return the inverter as of `now`, by the gateway's clock: unknown power if it is silent."""
        return replace(self, power=None) if self.is_silent(now) else self


def reported_power(
    inverters: Collection[Inverter] | None, counted: ProductionSource | None, now: datetime
) -> float | None:
    """Return the power (W) of all microinverters at `now`, by the gateway's clock, from their last reports.

    Silent ones produce nothing; at night, all are silent. `counted` is the gateway's own sum, which may
    include the last reports of silent ones forever: while there are any, the others are added up. None if
    none is listed, as after a power cut.
    """
    if inverters is not None and not inverters:
        return None
    known = inverters or ()
    powers = [inverter.power for inverter in known if not inverter.is_silent(now)]
    if counted is not None:
        # A recorded 7.3.466 with meters has no time and 0 W beside the reports of all microinverters.
        is_old = counted.measured_at is None or is_silent(counted.measured_at, now)
        if is_old and not powers:
            return 0.0
        # If the list is incomplete, the sum of the gateway is better.
        if not is_old and (len(powers) == len(known) or len(known) < (counted.active_count or 0)):
            return counted.power
    reported = [power for power in powers if power is not None]
    return float(sum(reported)) if known and len(reported) == len(powers) else None


def rated_power(inverters: Collection[Inverter]) -> float | None:
    """Return the sum (W) of the maximum power of each microinverter; None if one is unknown."""
    known = [inverter.max_power for inverter in inverters if inverter.max_power is not None]
    return sum(known) if known and len(known) == len(inverters) else None
