"""The live status: /ivp/livedata/status, which changes each second only while a stream is enabled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from ..json_values import MAX_POWER, integer, json_object, number, thousandth, timestamp

#: While a stream is enabled, the values are a few seconds old; otherwise, they are those of its end.
_OUTDATED_AFTER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """The powers of the site, as the gateway's own live view shows them."""

    #: UTC; None if the stream was never enabled.
    updated_at: datetime | None
    #: %, over all batteries.
    state_of_charge: float | None = None
    #: The firmware's number for the main relay's state.
    main_relay_state: int | None = None
    #: W, positive: produced.
    solar_power: float | None = None
    #: W, positive: discharging.
    storage_power: float | None = None
    #: W, positive: imported.
    grid_power: float | None = None
    #: W, positive: consumed.
    load_power: float | None = None
    #: W, positive: generated.
    generator_power: float | None = None

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

    def is_outdated(self, now: datetime) -> bool:
        """Return whether the values are old as of `now`, by the gateway's clock: no stream is enabled."""
        return self.updated_at is None or now - self.updated_at > _OUTDATED_AFTER


def _watts(meters: Mapping[str, Any], key: str) -> float | None:
    part = meters.get(key)
    return thousandth(part, "agg_p_mw", -MAX_POWER, MAX_POWER) if isinstance(part, dict) else None
