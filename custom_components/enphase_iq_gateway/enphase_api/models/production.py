"""What the array makes: the sections of /production.json, and each microinverter.

/production.json takes a gateway seconds, and some firmware writes nonsense into it: meters' values come from
`Readings` instead, wherever there are meters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from ..values import MAX_POWER, integer, moment, nested, number, objects, one_object, text
from .batteries import AcBatteries

_POWER = (-MAX_POWER, MAX_POWER)
_ENERGY = (0, 1e12)

#: `devType` of a microinverter; AC batteries stand in the same list with another.
_MICROINVERTER = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductionSource:
    """One entry of the `production` or `consumption` list of /production.json."""

    #: Inverters, or meters, that take part; a meter with 0 says nothing.
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
        """Read one entry."""
        return cls(
            active_count=integer(data, "activeCount", 0, 10_000),
            measured_at=moment(data, "readingTime"),
            power=number(data, "wNow", *_POWER),
            lifetime_energy=number(data, "whLifetime", *_ENERGY),
            energy_today=number(data, "whToday", *_ENERGY),
            energy_last_seven_days=number(data, "whLastSevenDays", *_ENERGY),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Production:
    """The answer of /production.json: what is known without meters, and what the meters' sections say."""

    #: The sum over the microinverters, some minutes old.
    inverters: ProductionSource | None
    #: The production meter's section.
    meter: ProductionSource | None
    net_consumption: ProductionSource | None
    total_consumption: ProductionSource | None
    #: None where there are none.
    ac_batteries: AcBatteries | None = None

    @classmethod
    def from_json(cls, answer: object, path: str = "/production.json") -> Self:
        """Read the whole answer.

        Raises InvalidAnswerError where it is no object with a list `production`.
        """
        root = one_object(answer, path)
        entries = objects(root.get("production"), path) + nested(root, "consumption")
        # The inverters' entry has no measurementType, the meters' entries have no other use of `type`.
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
            ac_batteries=next(filter(None, map(AcBatteries.from_json, nested(root, "storage"))), None),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Inverter:
    """One microinverter, as of its last report: every 5 minutes by day, or as the installer has set it."""

    serial_number: str
    #: UTC; None where it has never reported.
    last_reported_at: datetime | None
    #: W.
    power: float | None
    #: W, the most it has ever reported.
    max_power: float | None

    @classmethod
    def list_from_json(cls, answer: object, path: str = "/api/v1/production/inverters") -> tuple[Self, ...]:
        """Read the whole answer; AC batteries and entries without a serial number are left out.

        Raises InvalidAnswerError where it is no list of objects.
        """
        return tuple(
            cls(
                serial_number=serial_number,
                last_reported_at=moment(entry, "lastReportDate"),
                power=number(entry, "lastReportWatts", -100_000, 100_000),
                max_power=number(entry, "maxReportWatts", 0, 100_000),
            )
            for entry in objects(answer, path)
            if (serial_number := text(entry, "serialNumber")) is not None
            and entry.get("devType", _MICROINVERTER) == _MICROINVERTER
        )
