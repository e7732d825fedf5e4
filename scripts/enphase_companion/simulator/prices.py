"""When energy is dear and when it is cheap, by the seasons of a tariff document."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

#: The prices of one day: each from a minute of the day on.
Day = tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Season:
    """The prices from a day of the year on."""

    start: tuple[int, int]  #: month and day
    days: tuple[tuple[str, Day], ...]  #: by weekdays, such as "Sat,Sun"


@dataclass(frozen=True)
class Prices:
    """The prices of imported energy; without seasons, or with one price all day, it is always dear."""

    seasons: tuple[Season, ...] = ()

    @classmethod
    def of(cls, tariff: dict[str, Any]) -> Prices:
        """Return the prices of the part `tariff`; none if they cannot be read."""
        try:
            return cls(tuple(sorted(map(_season, tariff["seasons"]), key=lambda season: season.start)))
        except (KeyError, ValueError, TypeError, AttributeError):
            return cls()

    def is_dear(self, at: datetime) -> bool:
        """Whether the price is the highest of its day."""
        price, _, highest = self._prices(at)
        return price == highest

    def is_cheap(self, at: datetime) -> bool:
        """Whether the price is the lowest of its day, and not the only one."""
        price, lowest, highest = self._prices(at)
        return price == lowest < highest

    def _prices(self, at: datetime) -> tuple[float, float, float]:
        """Return the price at a local time, and the lowest and highest of the day."""
        day = self._day(at)
        if not day:
            return 0.0, 0.0, 0.0
        minute = at.hour * 60 + at.minute
        rates = [rate for _, rate in day]
        present = [rate for start, rate in day if start <= minute]
        return (present or rates)[-1], min(rates), max(rates)

    def _day(self, at: datetime) -> Day:
        if not self.seasons:
            return ()
        begun = [season for season in self.seasons if season.start <= (at.month, at.day)]
        # Before the first of the year, the last one of the year before goes on.
        days = (begun or self.seasons)[-1].days
        return next((day for names, day in days if _WEEKDAYS[at.weekday()] in names), ())


def _season(season: dict[str, Any]) -> Season:
    month, _, day = season["start"].partition("/")
    return Season(
        (int(month), int(day)),
        tuple(
            (each["days"], tuple(sorted((period["start"], period["rate"]) for period in each["periods"])))
            for each in season["days"]
        ),
    )
