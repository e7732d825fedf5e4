"""What a chart shows, before it is drawn: lines or daily bars, totals, gaps and notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from .time_range import Span

Floats = NDArray[np.float64]
#: Milliseconds since the epoch.
Times = NDArray[np.int64]


class Quantity(StrEnum):
    """What is drawn. Each has one sign, whatever its meter's is."""

    #: The production of the array.
    PRODUCTION = "production"
    #: What the home uses; drawn downwards.
    CONSUMPTION = "consumption"
    #: What comes from the grid; negative: what goes to it, which is drawn upwards.
    NET = "net"
    #: Positive: discharging; negative: charging.
    BATTERY = "battery"
    #: Only in buckets: what the battery gave.
    DISCHARGED = "discharged"
    #: Only in buckets: what the battery took; drawn downwards.
    CHARGED = "charged"
    #: Only in buckets, as money: what imported energy cost; drawn downwards.
    IMPORT_COST = "import_cost"
    #: Only in buckets, as money: what exported energy earned.
    EXPORT_INCOME = "export_income"
    #: Only in buckets, as money: what the consumption that was not imported would have cost.
    SAVED = "saved"


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One quantity over time: W at times, or Wh or money in each of a view's buckets; NaN: unknown."""

    times: Times
    values: Floats
    #: Each value holds until the next one, as for values that are polled every few minutes.
    is_stepped: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One part of a chart: all phases together, or one of them."""

    name: str
    tracks: Mapping[Quantity, Track]


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Energy in the time that is shown, in Wh; None where it is not known."""

    produced: float | None = None
    consumed: float | None = None
    imported: float | None = None
    exported: float | None = None
    charged: float | None = None
    discharged: float | None = None

    @property
    def self_consumption(self) -> float | None:
        """What part of the production was not exported, 0 to 1."""
        return _part_kept(self.produced, self.exported)

    @property
    def self_sufficiency(self) -> float | None:
        """What part of the consumption was not imported, 0 to 1."""
        return _part_kept(self.consumed, self.imported)


def _part_kept(whole: float | None, exported: float | None) -> float | None:
    # Below one watt-hour, a ratio means nothing.
    if whole is None or exported is None or whole < 1:
        return None
    return min(max((whole - exported) / whole, 0.0), 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Money in the time that is shown, in `currency`; None where it is not known."""

    #: By ISO 4217, such as "EUR".
    currency: str
    import_cost: float | None = None
    export_income: float | None = None
    #: By self-consumption: what the consumption would have cost without it, less what was imported.
    saved: float | None = None

    @property
    def net_cost(self) -> float | None:
        """What import cost less what export earned."""
        if self.import_cost is None or self.export_income is None:
            return None
        return self.import_cost - self.export_income

    @property
    def grid_only(self) -> float | None:
        """What the consumption would have cost if all of it had been imported."""
        return None if self.import_cost is None or self.saved is None else self.import_cost + self.saved


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was before: the day, or the month or year of the last year."""

    title: str
    #: Of the whole house, moved to the times or buckets that are shown.
    tracks: Mapping[Quantity, Track]
    #: Up to the same time of the day, if what is shown is not over yet.
    totals: Totals
    costs: Costs | None = None


@dataclass(frozen=True, slots=True, eq=False)
class HeatMap:
    """The power of one quantity by day and time of day."""

    quantity: Quantity
    first_day: date
    #: W, signed as in tracks: a row for each slot of the local clock from midnight on, a column for each day;
    #: NaN: unknown.
    values: Floats

    @property
    def slots(self) -> int:
        """How many slots a day has."""
        return int(self.values.shape[0])

    @property
    def days(self) -> int:
        """How many days there are."""
        return int(self.values.shape[1])

    @property
    def has_gaps(self) -> bool:
        """Whether anything is unknown."""
        return bool(np.isnan(self.values).any())


@dataclass(frozen=True, slots=True, eq=False)
class InverterEnergies:
    """The energy of each microinverter, that is of each panel, the most first."""

    serial_numbers: Sequence[str]
    #: Starts of local days.
    days: Times
    #: Wh: a row for each day, a column for each microinverter; NaN: unknown.
    by_day: Floats
    #: When those reported last that fell silent before the others (milliseconds since the epoch).
    silent_since: Mapping[str, int]

    @property
    def totals(self) -> Floats:
        """Wh of each microinverter; NaN where no day is known."""
        return np.where(np.isnan(self.by_day).all(axis=0), np.nan, np.nansum(self.by_day, axis=0))

    @property
    def median(self) -> float:
        """Wh, of those that report; NaN if none is known."""
        report = np.array([name not in self.silent_since for name in self.serial_numbers])
        known = self.totals[report & ~np.isnan(self.totals)]
        return float(np.median(known)) if known.size else float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """All that a chart shows at one time."""

    title: str
    #: Whose readings, and how fine: one line.
    subtitle: str
    span: Span
    zone: ZoneInfo
    panels: Sequence[Panel]
    totals: Totals
    #: Hours, days, months or years, if their energy or money is shown instead of power.
    buckets: Sequence[Span] = ()
    #: What the energy cost, if that is shown.
    costs: Costs | None = None
    #: Drawn pale behind the first panel.
    comparison: Comparison | None = None
    #: Drawn instead of the panels.
    heat_map: HeatMap | None = None
    #: Drawn instead of the panels of a chart.
    inverters: InverterEnergies | None = None
    #: When nothing was read.
    gaps: Sequence[Span] = ()
    #: What else an owner should know.
    notes: Sequence[str] = ()
    #: Whether lines end at the present: their last values are those of now.
    is_now: bool = True
    #: What is wrong right now: what is shown may be old.
    trouble: str | None = None

    @property
    def unit(self) -> str:
        """What is drawn: "W", "Wh", or a currency."""
        if self.costs is not None:
            return self.costs.currency
        return "Wh" if self.buckets else "W"
