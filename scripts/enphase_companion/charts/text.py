"""The texts of a chart: its time, its totals, self-consumption and self-sufficiency."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from ..units import format_energy
from .model import Costs, Totals
from .series import NET, PRODUCTION, TOTAL
from .time_range import Span

if TYPE_CHECKING:
    from .costs import Sums

#: Milliseconds; where a clock is set back there are longer ones than of 24 hours.
_LONGEST_DAY = 30 * 3_600_000
#: Milliseconds; months have up to 31 days.
_LONGEST_MONTH = 32 * 24 * 3_600_000

#: Less money does not show a difference.
_LEAST_MONEY = 0.01


def format_count(number: float, unit: str) -> str:
    """Return "1 minute", "30 minutes"."""
    return f"{number:g} {unit}" if number == 1 else f"{number:g} {unit}s"


def format_percent(part: float) -> str:
    """Return "53 %"."""
    return f"{100 * part:.0f} %"


def tiles(totals: Totals, before: Totals | None = None) -> list[tuple[str, str]]:
    """Return each total that there is, with what it is, and how much more or less than `before`."""
    names = {
        "produced": "produced",
        "consumed": "consumed",
        "exported": "exported",
        "imported": "imported",
        "charged": "battery charged",
        "discharged": "battery discharged",
    }
    return [
        (format_energy(value), f"{name}{_difference(value, getattr(before, key, None))}")
        for key, name in names.items()
        if (value := getattr(totals, key)) is not None
    ]


def _difference(value: float, before: float | None, least: float = 1) -> str:
    """Return " +12 %"; nothing where there was next to nothing before."""
    if before is None or before < least:
        return ""
    part = round(100 * (value - before) / before)
    # Beyond, it says no more than that there was little.
    return f" {part:+,} %".replace("-", "\N{MINUS SIGN}") if abs(part) < 1000 else ""


def cost_tiles(costs: Costs, before: Costs | None = None) -> list[tuple[str, str]]:
    """Return each sum of money that there is, with what it is, and how much more or less than `before`."""
    names = {
        "import_cost": "import cost",
        "export_income": "export income",
        "net_cost": "net cost",
        "saved": "saved",
    }
    return [
        (
            format_money(value, costs.currency),
            # A difference of two sums can be less than nothing, of which there is no part.
            name
            if key == "net_cost"
            else f"{name}{_difference(value, getattr(before, key, None), _LEAST_MONEY)}",
        )
        for key, name in names.items()
        if (value := getattr(costs, key)) is not None
    ]


def format_money(value: float, currency: str) -> str:
    """Return "12.34 EUR" or "1,234 EUR"."""
    digits = 2 if abs(value) < 999.995 else 0
    return f"{round(value, digits) + 0.0:,.{digits}f} {currency}".replace("-", "\N{MINUS SIGN}")


def describe_costs(costs: Costs, totals: Totals) -> list[str]:
    """Return the energies behind sums of money, and what all would have cost; unknown ones are omitted."""
    texts = [
        f"{format_energy(energy)} {name}"
        for energy, name in ((totals.imported, "imported"), (totals.exported, "exported"))
        if energy is not None
    ]
    if costs.grid_only is not None:
        texts.append(
            f"without production and battery, the consumption would have cost "
            f"{format_money(costs.grid_only, costs.currency)}"
        )
    return texts


#: Wh, and the part of all of it, of which a note says that they have no price.
_LEAST_UNPRICED, _PART_UNPRICED = 100.0, 0.01


def cost_notes(sums: Sums, totals: Totals) -> list[str]:
    """Return notes about what is not known of costs, or not exactly."""
    notes = []
    for energy, (priced, unpriced), cost, name, direction in (
        (totals.imported, sums.imported, sums.costs.import_cost, "import cost", "import"),
        (totals.exported, sums.exported, sums.costs.export_income, "export income", "export"),
    ):
        if energy is None:
            continue
        least = max(_LEAST_UNPRICED, _PART_UNPRICED * energy)
        if (missing := energy - priced - unpriced) > least:
            notes.append(
                f"{format_energy(missing)} of {direction} are left out: prices change within a day, and "
                "quarter-hours of that time are not stored"
            )
        elif cost is None:
            notes.append(f"{name} is not known: the tariff has no {direction} price for this time")
        elif unpriced > least:
            notes.append(
                f"{format_energy(unpriced)} of {direction} have no price in the tariff and are left out"
            )
    if sums.costs.import_cost is not None and sums.costs.saved is None:
        notes.append("what self-consumption saved is not known: it needs a meter that is not there")
    if sums.has_mean_price:
        notes.append("energy from gaps counts at the mean of the prices in the gap")
    return notes


def describe_totals(totals: Totals) -> list[str]:
    """Return self-consumption and self-sufficiency as texts; unknown ones are omitted."""
    texts = []
    if totals.self_consumption is not None:
        texts.append(
            f"{format_percent(totals.self_consumption)} of the production was used here (self-consumption)"
        )
    if totals.self_sufficiency is not None:
        texts.append(
            f"{format_percent(totals.self_sufficiency)} of the consumption came from here (self-sufficiency)"
        )
    return texts


def unknown_note(meters: Collection[str]) -> list[str]:
    """Return a note about what these meters cannot show as none of them measures the batteries, if any."""
    if PRODUCTION not in meters or (TOTAL in meters) == (NET in meters):
        return []
    what = "what goes to the grid" if TOTAL in meters else "consumption"
    return [f"{what} is not known: no meter sees the batteries"]


def inverters_note() -> list[str]:
    """Return the note for production that no meter measures."""
    return ["production is the sum of what the microinverters report, every five minutes"]


def by_phase_note(than: str) -> list[str]:
    """Return the note for a gateway that adds up import and export by phase."""
    note = (
        "import and export are counted by phase, and one phase may import while another exports: "
        f"both totals are more than {than}"
    )
    return [note]


def first_reading_note(first: int, zone: ZoneInfo, *, is_day: bool) -> list[str]:
    """Return the note for a time that begins before the first reading (milliseconds since the epoch)."""
    start = datetime.fromtimestamp(first / 1000, zone)
    at = "" if is_day else f", {start:%H:%M}"
    return [f"the first readings are of {_short(start)} {start.year}{at}"]


def format_title(span: Span, zone: ZoneInfo) -> str:
    """Return the time that is shown: a day by its name, else its first and last day or time."""
    start, end = (datetime.fromtimestamp(each / 1000, zone) for each in (span.start, span.end))
    last = datetime.fromtimestamp(span.end / 1000 - 1, zone)
    if (start.hour, start.minute, end.hour, end.minute) != (0, 0, 0, 0):
        if start.date() == last.date():
            return f"{_day(start)}, {start:%H:%M} to {end:%H:%M}"
        return f"{_short(start)} {start:%H:%M} to {_short(end)} {end:%H:%M}"
    if start.date() == last.date():
        return _day(start)
    if start.year != last.year:
        return f"{_short(start)} {start.year} to {_short(last)} {last.year}"
    return f"{_short(start)} to {_short(last)} {last.year}"


def since(span: Span, zone: ZoneInfo) -> str:
    """Return the title of the first hour of a database: its day, and when it begins."""
    start = datetime.fromtimestamp(span.start / 1000, zone)
    return f"{_day(start)}, since {start:%H:%M}"


def format_bucket(span: Span, zone: ZoneInfo) -> str:
    """Return the name of a day, "13 Sep", a month, "Sep 2025", or a year, "2025"."""
    start = datetime.fromtimestamp(span.start / 1000, zone)
    if span.length > _LONGEST_MONTH:
        return f"{start.year}"
    return short_day(start) if span.length < _LONGEST_DAY else f"{_MONTHS[start.month - 1][:3]} {start.year}"


def short_day(day: date) -> str:
    """Return "13 Sep"."""
    return f"{day.day} {_MONTHS[day.month - 1][:3]}"


def weekday(moment: datetime) -> str:
    """Return the short name of a day: "Sun 25"."""
    return f"{_DAYS[moment.weekday()][:3]} {moment.day:02}"


def offset(moment: datetime) -> str:
    """Return the abbreviation of a time's zone: "CEST", or "UTC+10:30" if it has none."""
    name = moment.tzname() or ""
    if name.isalpha():
        return name
    shift = round((moment.utcoffset() or timedelta()).total_seconds()) // 60
    hours, minutes = divmod(abs(shift), 60)
    return f"UTC{'-' if shift < 0 else '+'}{hours}{f':{minutes:02}' if minutes else ''}"


def length(span: Span) -> str:
    """Return how long a time is: "the last 60 minutes"."""
    minutes = span.length / 60_000
    return "the last minute" if minutes == 1 else f"the last {format_count(minutes, 'minute')}"


#: The note of the first hour of a database.
BEGUN = "readings have just begun: from an hour on, the chart shows the whole time that was asked for"

# strftime would use the machine's language; charts are in English.
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def _day(moment: datetime) -> str:
    return f"{_DAYS[moment.weekday()]}, {_short(moment)} {moment.year}"


def _short(moment: datetime) -> str:
    return f"{moment.day} {_MONTHS[moment.month - 1]}"
