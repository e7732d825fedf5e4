"""The energy since local midnight, from a counter that never jumps or drops.

The "today" of the firmware is not used: some firmware returns the lifetime energy or zero instead, and some
resets it an hour late or not at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

#: If nothing was read for longer than this around midnight, it is not known what belongs to which day. After
#: a shorter time, the energy is split evenly: a restart at midnight, or a gateway that is silent for minutes.
MAX_GAP = timedelta(hours=1)

#: A start further ahead was stored while the clock of Home Assistant was wrong.
_MAX_AHEAD = timedelta(days=1)


@dataclass(slots=True)
class DailyEnergy:
    """The energy of the current local day; all times are by the clock of Home Assistant."""

    #: Local midnight, or the first reading after it if the energy at midnight is unknown.
    started_at: datetime | None = None
    #: Wh; the counter at that time.
    start: float = 0.0
    #: When the counter was last read, and its value (Wh).
    read_at: datetime | None = None
    value: float = 0.0

    def update(self, value: float, read_at: datetime, midnight: datetime) -> None:
        """Update from the value of the counter (Wh); `midnight` is the start of the current local day."""
        if self.started_at is None or self.read_at is None or self.started_at - read_at > _MAX_AHEAD:
            self.started_at, self.start = read_at, value
        elif self.started_at < midnight <= read_at:
            self.started_at, self.start = self._split(self.read_at, value, read_at, midnight)
        self.read_at, self.value = read_at, value

    def _split(
        self, before: datetime, value: float, read_at: datetime, midnight: datetime
    ) -> tuple[datetime, float]:
        """Return from when the energy of the new day counts, and the counter at that time."""
        if value == self.value:
            return midnight, value
        if before >= midnight or read_at - before > MAX_GAP:
            return read_at, value
        share = (midnight - before) / (read_at - before)
        return midnight, self.value + share * (value - self.value)

    def energy(self, midnight: datetime) -> float:
        """Return the energy (Wh) since the start of the current day; 0 until the counter is read in it."""
        # Gateways count with at most three decimals.
        return 0.0 if self.last_reset(midnight) != self.started_at else round(self.value - self.start, 3)

    def last_reset(self, midnight: datetime) -> datetime:
        """Return from when the energy of the current day counts."""
        return midnight if self.started_at is None else max(self.started_at, midnight)

    def as_dict(self) -> dict[str, Any]:
        """Return the state to store."""
        return {
            "started_at": self.started_at and self.started_at.isoformat(),
            "start": self.start,
            "read_at": self.read_at and self.read_at.isoformat(),
            "value": self.value,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return a stored day, or a new one if the stored state is invalid."""
        try:
            return cls(
                datetime.fromisoformat(data["started_at"]),
                float(data["start"]),
                datetime.fromisoformat(data["read_at"]),
                float(data["value"]),
            )
        except KeyError, TypeError, ValueError:
            return cls()
