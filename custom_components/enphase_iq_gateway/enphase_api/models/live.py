"""The live status: /ivp/livedata/status, which changes each second only while a stream is enabled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from ..json_values import MAX_POWER, integer, json_object, number, timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """The powers of the site, as the gateway's own live view shows them."""

    #: UTC; None if the stream was never enabled.
    updated_at: datetime | None
    #: %, over all batteries.
    state_of_charge: float | None
    #: The firmware's number for the main relay's state.
    main_relay_state: int | None
    #: W, positive: produced.
    solar_power: float | None
    #: W, positive: discharging.
    storage_power: float | None
    #: W, positive: imported.
    grid_power: float | None
    #: W, positive: consumed.
    load_power: float | None
    #: W, positive: generated.
    generator_power: float | None

    @classmethod
    def from_json(cls, answer: object, path: str = "/ivp/livedata/status") -> Self:
        """Parse the whole answer.

        Raises InvalidAnswerError if it is not an object with an object `meters`.
        """
        meters = json_object(json_object(answer, path).get("meters"), path)
        return cls(
            updated_at=timestamp(meters, "last_update"),
            state_of_charge=number(meters, "soc", 0, 100),
            main_relay_state=integer(meters, "main_relay_state"),
            solar_power=_watts(meters, "pv"),
            storage_power=_watts(meters, "storage"),
            grid_power=_watts(meters, "grid"),
            load_power=_watts(meters, "load"),
            generator_power=_watts(meters, "generator"),
        )


def _watts(meters: Mapping[str, Any], key: str) -> float | None:
    part = meters.get(key)
    milliwatts = (
        number(part, "agg_p_mw", -1000 * MAX_POWER, 1000 * MAX_POWER) if isinstance(part, dict) else None
    )
    return None if milliwatts is None else milliwatts / 1000
