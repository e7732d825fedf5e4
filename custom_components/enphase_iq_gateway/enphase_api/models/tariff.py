"""The prices of the owner's tariff, by season, day and time of use.

All times are local times of the site, by the clock on the wall: a tariff starts at "15:00" on every day.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self

from ..json_values import integer, json_object, nested_objects, number, text
from .storage import TARIFF

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

#: Per kWh; beyond any price in any currency.
HIGHEST_RATE = 100_000.0

_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Season:
    """The prices from a day of the year until the next season starts."""

    #: Month and day.
    start: tuple[int, int]
    #: By weekday (0 is Monday): starts in minutes after midnight, ascending, and prices.
    days: Mapping[int, tuple[tuple[int, float], ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """The prices of one direction: by season, or one for the whole year."""

    seasons: tuple[Season, ...] = ()
    #: Without seasons; None if unknown.
    single: float | None = None

    def of_day(self, day: date) -> tuple[tuple[int, float], ...]:
        """Return the prices of a local day, each from a minute of it, the first from 0; empty: unknown."""
        if not self.seasons:
            return () if self.single is None else ((0, self.single),)
        periods = self._starts(day)
        if periods and periods[0][0] > 0:
            # The last period of the day before lasts over midnight, until the first one starts.
            before = self._starts(day - _DAY) or periods
            return ((0, before[-1][1]), *periods)
        return periods

    def _starts(self, day: date) -> tuple[tuple[int, float], ...]:
        begun = [season for season in self.seasons if season.start <= (day.month, day.day)]
        # The last season lasts over the new year, until the first one starts.
        return (begun or self.seasons)[-1].days.get(day.weekday(), ())

    def at(self, at: datetime) -> float | None:
        """Return the price at a local time; None if unknown."""
        minute = at.hour * 60 + at.minute
        begun = [price for start, price in self.of_day(at.date()) if start <= minute]
        return begun[-1] if begun else None

    def __iter__(self) -> Iterator[float]:
        """Yield all prices."""
        if not self.seasons and self.single is not None:
            yield self.single
        for season in self.seasons:
            for periods in season.days.values():
                yield from (price for _, price in periods)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """The prices of imported and exported energy, per kWh in `currency`."""

    #: By ISO 4217, such as "EUR".
    currency: str
    #: Of energy from the grid.
    imported: Prices
    #: Of energy to the grid.
    exported: Prices

    @classmethod
    def from_json(cls, answer: object, path: str = TARIFF) -> Self | None:
        """Parse the answer of /admin/lib/tariff; None without currency or prices, or if all of them are 0.

        A gateway whose owner never entered a tariff has 0 everywhere. Beside other prices, 0 is a price.
        Raises InvalidAnswerError if it has another structure.
        """
        document = json_object(json_object(answer, path).get("tariff"), path)
        currency, single = document.get("currency"), document.get("single_rate")
        code = text(currency, "code") if isinstance(currency, dict) else None
        if code is None or len(code) != 3 or not (code.isascii() and code.isalpha()):
            return None
        rates = single if isinstance(single, dict) else {}
        imported = _prices(document, "seasons", _rate(rates, "rate"))
        exported = _prices(document, "seasons_sell", _rate(rates, "sell"))
        if not any((*imported, *exported)):
            return None
        return cls(currency=code.upper(), imported=imported, exported=exported)

    def import_price(self, at: datetime) -> float | None:
        """Return the price of imported energy at a local time; None if unknown."""
        return self.imported.at(at)

    def export_price(self, at: datetime) -> float | None:
        """Return the price of exported energy at a local time; None if unknown."""
        return self.exported.at(at)

    def next_change(self, at: datetime) -> datetime:
        """Return the next minute (UTC) in which a price changes, or the next local midnight before that.

        Needs a time with its time zone. Both clock changes count: 2:30 may never be, or be twice.
        """
        before = self.import_price(at), self.export_price(at)
        minute = at.astimezone(UTC).replace(second=0, microsecond=0)
        while True:
            minute += _MINUTE
            local = minute.astimezone(at.tzinfo)
            if local.date() != at.date() or (self.import_price(local), self.export_price(local)) != before:
                return minute


def _prices(document: Mapping[str, Any], key: str, single: float | None) -> Prices:
    """Return the prices under `key`; none if a part is invalid, as others would count in its place."""
    seasons = nested_objects(document, key)
    if any(len({tier.get("rate") for tier in nested_objects(season, "tiers")}) > 1 for season in seasons):
        # The price depends on what was consumed since the last bill, which the gateway does not know.
        return Prices()
    if not any(season.get("days") for season in seasons):
        return Prices(single=single)
    try:
        found = sorted((_season(season) for season in seasons), key=lambda season: season.start)
    except ValueError:
        return Prices()
    return Prices(seasons=tuple(found))


def _season(season: Mapping[str, Any]) -> Season:
    """Parse a season. Raises ValueError if a part is invalid."""
    month, _, day = (text(season, "start") or "").partition("/")
    # A leap year, as a season may start on February 29.
    start = date(2000, int(month), int(day))
    days: dict[int, tuple[tuple[int, float], ...]] = {}
    for entry in nested_objects(season, "days"):
        periods = tuple(sorted(map(_period, nested_objects(entry, "periods")), key=lambda period: period[0]))
        for name in (text(entry, "days") or "").split(","):
            days[WEEKDAYS.index(name.strip())] = periods
    return Season(start=(start.month, start.day), days=days)


def _period(period: Mapping[str, Any]) -> tuple[int, float]:
    """Parse a period. Raises ValueError if it is invalid."""
    start, rate = integer(period, "start", 0, 24 * 60 - 1), _rate(period, "rate")
    if start is None or rate is None:
        raise ValueError
    return start, rate


def _rate(data: Mapping[str, Any], key: str) -> float | None:
    rate = number(data, key, -HIGHEST_RATE, HIGHEST_RATE)
    # Gateways convert a price to 32 bits and back: 0.32137 is 0.321370005607605.
    return None if rate is None else float(f"{rate:.6g}")
