"""Meters: what each measures, and its state.

The sign of a meter's power follows its purpose: production positive: produced; net consumption positive:
imported; storage positive: discharged; total consumption positive: consumed. Energy counters run in two
directions: delivered for positive power, received for negative.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from ..json_values import integer, json_objects, text, texts


class MeasurementType(StrEnum):
    """What a meter measures.

    Gateways report further types (load, evse, backfeed, pv3p), which remain plain text.
    """

    #: The solar array; delivered is produced energy, received is the consumption of the array at night.
    PRODUCTION = "production"
    #: The grid connection; delivered is imported energy, received exported energy.
    NET_CONSUMPTION = "net-consumption"
    #: The whole home; delivered is consumed energy.
    TOTAL_CONSUMPTION = "total-consumption"
    #: The batteries; delivered is discharged energy, received charged energy.
    STORAGE = "storage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """One entry of /ivp/meters: a meter that the gateway has, used or not."""

    eid: int
    #: One of MeasurementType, or another type of the firmware.
    measurement_type: str
    #: Disabled meters still report values, which are meaningless.
    enabled: bool
    #: "single", "split" or "three".
    phase_mode: str | None = None
    #: How many phases the gateway believes to be wired, 1 to 3.
    phase_count: int = 1
    #: "normal", "not-metering" or "check-wiring".
    metering_status: str | None = None
    #: Such as "production-imbalance" or "negative-production".
    status_flags: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self | None:
        """Parse one entry; None if it has no eid or no type."""
        eid = integer(data, "eid", low=0)
        measurement_type = text(data, "measurementType")
        if eid is None or measurement_type is None:
            return None
        return cls(
            eid=eid,
            measurement_type=measurement_type,
            enabled=text(data, "state") == "enabled",
            phase_mode=text(data, "phaseMode"),
            phase_count=integer(data, "phaseCount", low=1, high=3) or 1,
            metering_status=text(data, "meteringStatus"),
            status_flags=texts(data, "statusFlags"),
        )

    @classmethod
    def list_from_json(cls, answer: object, path: str = "/ivp/meters") -> tuple[Self, ...]:
        """Parse the answer of /ivp/meters, including disabled meters.

        Raises InvalidAnswerError if it is not a list of objects.
        """
        meters = (cls.from_json(entry) for entry in json_objects(answer, path))
        return tuple(meter for meter in meters if meter is not None)
