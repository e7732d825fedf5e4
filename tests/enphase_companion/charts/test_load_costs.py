"""Costs, income and savings by a tariff, compared with sums by hand.

A house that produces 700 W, imports 400 W and exports 200 W at all times, and so consumes 900 W.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from enphase_api.models import Quantities, Tariff
from enphase_companion.charts.export import export
from enphase_companion.charts.load import Request
from enphase_companion.charts.load_costs import load_costs
from enphase_companion.charts.model import Quantity, View
from enphase_companion.charts.time_range import parse
from enphase_companion.message import Message, Sample
from enphase_companion.runtime.errors import CommandError
from enphase_companion.storage import Database, Resolution

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
WEEK = "Mon,Tue,Wed,Thu,Fri,Sat,Sun"

#: W in the positive and the negative direction.
HOUSE = {"production": (700, 0), "net-consumption": (400, 200)}


def make_season(start: str, prices: Mapping[int, float], days: str = WEEK) -> dict[str, Any]:
    periods = [{"start": minute, "rate": price} for minute, price in prices.items()]
    return {"start": start, "days": [{"days": days, "periods": periods}]}


def make_tariff(*seasons: Mapping[str, Any], rate: float = 0.3, sell: float | None = 0.08) -> Tariff:
    single = {"rate": rate} | ({} if sell is None else {"sell": sell})
    document = {
        "currency": {"code": "EUR"},
        "single_rate": single,
        "seasons": list(seasons),
        "seasons_sell": [],
    }
    tariff = Tariff.from_json({"tariff": document})
    assert tariff is not None
    return tariff


FLAT = make_tariff()
#: Dear from half past two to six in the morning.
BY_TIME = make_tariff(make_season("1/1", {0: 0.2, 150: 0.4, 360: 0.2}))


def local(zone: ZoneInfo, *time: int) -> int:
    return round(datetime(*time, tzinfo=zone).timestamp())  # type: ignore[arg-type, misc]


async def store_steady(
    url: str, zone: ZoneInfo, times: Iterable[int], house: Mapping[str, tuple[int, int]] = HOUSE
) -> None:
    """Store the readings of meters that count the same at all times."""
    async with Database(url, zone) as database:
        await database.upgrade()
        await database.write(
            Message("1", at, tuple(_sample(name, at, *watts) for name, watts in house.items()), None, False)
            for at in times
        )
        await database.roll_up()


def _sample(name: str, at: int, delivered: int, received: int, phase: int = 0) -> Sample:
    hours = (at - 1_700_000_000) / 3600
    counted = Quantities(
        active_power=float(delivered - received),
        energy_delivered=delivered * hours,
        energy_received=received * hours,
    )
    return Sample(name, phase, at * 1000, counted)


async def load(url: str, text: str, tariff: Tariff = BY_TIME, now: int = 2**31, **request: Any) -> View:
    async with Database(url) as database:
        return await load_costs(
            database, Request(parse(text), None, phases=False, dots=1_000, **request), tariff, "a test", now
        )


def values(view: View, quantity: Quantity) -> list[float]:
    found: list[float] = view.panels[0].tracks[quantity].values.tolist()
    return found


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'enphase.db'}"


@pytest.mark.parametrize(
    ("zone", "day", "hours", "dear_hours", "night"),
    [
        # From two to three there is nothing: half past two has passed at three.
        (BERLIN, (2026, 3, 29), 23, 3, [0.08, 0.08, 0.16]),
        (NEW_YORK, (2026, 3, 8), 23, 3, [0.08, 0.08, 0.16]),
        # From two to three twice: half an hour is dear, then half an hour is cheap again.
        (BERLIN, (2026, 10, 25), 25, 4, [0.08, 0.08, 0.12, 0.12, 0.16]),
        # From one to two twice.
        (NEW_YORK, (2026, 11, 1), 25, 3.5, [0.08, 0.08, 0.08, 0.12, 0.16]),
        (BERLIN, (2026, 6, 21), 24, 3.5, [0.08, 0.08, 0.12, 0.16]),
    ],
)
async def test_a_day_costs_what_its_hours_cost_whenever_the_clock_is_changed(
    url: str, zone: ZoneInfo, day: tuple[int, int, int], hours: int, dear_hours: float, night: list[float]
) -> None:
    begin = local(zone, *day)
    await store_steady(url, zone, range(begin, begin + hours * 3600 + 301, 300))
    view = await load(url, f"{day[0]}-{day[1]:02}-{day[2]:02}")
    assert view.costs is not None
    price_hours = 0.4 * dear_hours + 0.2 * (hours - dear_hours)
    assert view.costs.import_cost == pytest.approx(0.4 * price_hours)
    assert view.costs.export_income == pytest.approx(0.2 * 0.08 * hours)
    assert view.costs.saved == pytest.approx((0.9 - 0.4) * price_hours)
    assert view.costs.net_cost == pytest.approx(0.4 * price_hours - 0.2 * 0.08 * hours)
    assert view.costs.grid_only == pytest.approx(0.9 * price_hours)
    bars = values(view, Quantity.IMPORT_COST)
    assert len(bars) == len(view.buckets) == hours
    assert sum(bars) == pytest.approx(view.costs.import_cost)
    assert bars[: len(night)] == pytest.approx(night)
    assert view.notes == ["prices of a test"]
    # The same day as one bar of many.
    month = await load(url, f"{day[0]}-{day[1]:02}-01..{day[0]}-{day[1]:02}-30")
    whole = values(month, Quantity.IMPORT_COST)
    assert whole[day[2] - 1] == pytest.approx(view.costs.import_cost)
    assert np.isnan(whole).sum() == 28


@pytest.mark.parametrize(("minute", "dear"), [(12 * 60 + 15, 0.75), (12 * 60 + 20, 40 / 60)])
async def test_a_price_may_change_within_an_hour_and_a_quarter_hour(
    url: str, minute: int, dear: float
) -> None:
    begin = local(BERLIN, 2026, 6, 21)
    await store_steady(url, BERLIN, range(begin - 1800, begin + 88_200, 300))
    view = await load(url, "2026-06-21", make_tariff(make_season("1/1", {0: 0.2, minute: 0.4})))
    bars = values(view, Quantity.IMPORT_COST)
    assert bars[11:14] == pytest.approx([0.08, 0.4 * (0.2 * (1 - dear) + 0.4 * dear), 0.16])


async def test_prices_depend_on_season_and_weekday(url: str) -> None:
    """From Friday to Monday, with a season that starts on Sunday, 1 November."""
    begin = local(NEW_YORK, 2026, 10, 30)
    await store_steady(url, NEW_YORK, range(begin - 1800, begin + 97 * 3600 + 1800, 300))
    summer = make_season("4/1", {0: 0.1}, "Mon,Tue,Wed,Thu,Fri")
    summer["days"] += make_season("", {0: 0.05}, "Sat,Sun")["days"]
    tariff = make_tariff(summer, make_season("11/1", {0: 0.3}))
    view = await load(url, "2026-10-30..2026-11-02", tariff)
    # Sunday has 25 hours.
    expected = [0.4 * 24 * 0.1, 0.4 * 24 * 0.05, 0.4 * 25 * 0.3, 0.4 * 24 * 0.3]
    assert values(view, Quantity.IMPORT_COST) == pytest.approx(expected)
    assert [bucket.length // 3_600_000 for bucket in view.buckets] == [24, 24, 25, 24]


async def test_energy_of_a_gap_counts_at_the_mean_of_its_prices_and_a_note_says_so(url: str) -> None:
    """From one o'clock to five, nothing is read: one and a half hours of them are cheap."""
    begin = local(BERLIN, 2026, 6, 21)
    times = [
        at for at in range(begin - 1800, begin + 88_200, 300) if not begin + 3600 < at < begin + 5 * 3600
    ]
    await store_steady(url, BERLIN, times)
    view = await load(url, "2026-06-21")
    assert view.costs is not None
    assert view.costs.import_cost == pytest.approx(0.4 * (3.5 * 0.4 + 20.5 * 0.2), rel=0.01)
    assert "energy from gaps counts at the mean of the prices in the gap" in view.notes
    assert "totals include energy from gaps, which the chart cannot show" in view.notes
    bars = np.array(values(view, Quantity.IMPORT_COST))
    assert np.isnan(bars[1:5]).all(), "nothing is known of these hours, and they are not free"
    assert bars[5:7] == pytest.approx([0.16, 0.08])
    assert len(view.gaps) == 1


async def test_an_outage_of_days_is_in_the_costs_and_not_a_tower_after_it(url: str) -> None:
    begin, end = local(BERLIN, 2026, 6, 1), local(BERLIN, 2026, 6, 4)
    await store_steady(url, BERLIN, [*range(begin, begin + 3600, 300), *range(end, end + 86_701, 300)])
    for text, missing in (("2026-06-01..2026-06-04", 2), ("2026-06-02..2026-06-04", 2)):
        view = await load(url, text)
        bars = values(view, Quantity.IMPORT_COST)
        assert np.isnan(bars).sum() == missing
        day = 0.4 * (3.5 * 0.4 + 20.5 * 0.2)
        assert bars[-1] == pytest.approx(day, rel=0.01)
        assert view.costs is not None
        assert view.costs.import_cost == pytest.approx(4 * day, rel=0.02)
        assert "totals include energy from gaps, which the chart cannot show" in view.notes


async def test_the_price_of_a_sunday_lasts_until_monday_morning(url: str) -> None:
    begin = local(BERLIN, 2026, 6, 21)
    await store_steady(url, BERLIN, range(begin, begin + 2 * 86_400 + 1, 300))
    season = make_season("1/1", {480: 0.3}, "Mon,Tue,Wed,Thu,Fri,Sat")
    season["days"] += make_season("1/1", {0: 0.1}, "Sun")["days"]
    view = await load(url, "2026-06-20..2026-06-22", make_tariff(season))
    bars = values(view, Quantity.IMPORT_COST)
    assert bars[1:] == pytest.approx([0.4 * 24 * 0.1, 0.4 * (8 * 0.1 + 16 * 0.3)])


async def test_an_outage_of_days_before_the_range_is_not_a_tower_in_its_first_hour(url: str) -> None:
    day = local(BERLIN, 2026, 6, 4)
    times = [local(BERLIN, 2026, 6, 1), *range(day + 1200, day + 86_701, 300)]
    await store_steady(url, BERLIN, times)
    bars = values(await load(url, "2026-06-04", FLAT), Quantity.IMPORT_COST)
    assert bars[:2] == pytest.approx([0.4 * 2 / 3 * 0.3, 0.4 * 0.3])


async def test_days_of_which_only_the_sum_is_kept_have_costs_with_one_price_a_day_only(url: str) -> None:
    begin = local(BERLIN, 2026, 6, 1)
    await store_steady(url, BERLIN, range(begin, begin + 4 * 86_400 + 1, 300))
    now = (begin + 4 * 86_400) * 1000
    async with Database(url) as database:
        for resolution in (Resolution.READING, Resolution.MINUTE, Resolution.QUARTER_HOUR):
            await database.prune(resolution, 1, lambda *_: None, now)
    view = await load(url, "2026-06-01..2026-06-04", FLAT)
    assert view.costs is not None
    assert view.costs.import_cost == pytest.approx(0.4 * 24 * 4 * 0.3)
    assert values(view, Quantity.SAVED) == pytest.approx([0.5 * 24 * 0.3] * 4)
    by_time = await load(url, "2026-06-01..2026-06-04")
    bars = np.array(values(by_time, Quantity.IMPORT_COST))
    assert np.isnan(bars).tolist() == [True] * 3 + [False]
    note = "of import are left out: prices change within a day, and quarter-hours of that time are not stored"
    assert any(note in each for each in by_time.notes)
    nothing = await load(url, "2026-06-01..2026-06-02")
    assert nothing.panels[0].tracks == {}
    assert f"19.2 kWh {note}" in nothing.notes
    assert not any("has no import price" in each or "no readings" in each for each in nothing.notes)


async def test_what_has_no_price_is_unknown_and_not_free(url: str) -> None:
    """The import price depends on what was used before, and weekends are missing."""
    begin = local(BERLIN, 2026, 6, 19)
    await store_steady(url, BERLIN, range(begin - 1800, begin + 2 * 86_400 + 1800, 300))
    tiers = {"start": "1/1", "days": [], "tiers": [{"rate": 0.1}, {"rate": 0.2}]}
    view = await load(url, "2026-06-19", make_tariff(tiers))
    assert view.costs is not None
    assert (view.costs.import_cost, view.costs.saved, view.costs.net_cost) == (None, None, None)
    assert view.costs.export_income == pytest.approx(24 * 0.2 * 0.08)
    assert view.panels[0].tracks.keys() == {Quantity.EXPORT_INCOME}
    assert "import cost is not known: the tariff has no import price for this time" in view.notes
    weekdays = make_tariff(make_season("1/1", {0: 0.2}, "Mon,Tue,Wed,Thu,Fri"), sell=None)
    view = await load(url, "2026-06-19T12:00..2026-06-20T12:00", weekdays)
    bars = np.array(values(view, Quantity.IMPORT_COST))
    assert np.isnan(bars).tolist() == [False] * 12 + [True] * 12
    assert "4.8 kWh of import have no price in the tariff and are left out" in view.notes
    assert "export income is not known: the tariff has no export price for this time" in view.notes


async def test_without_a_meter_of_import_and_export_one_sentence_says_so(url: str) -> None:
    begin = local(BERLIN, 2026, 6, 21)
    await store_steady(url, BERLIN, range(begin, begin + 3600, 300), {"production": (700, 0)})
    with pytest.raises(CommandError, match=r"no meter of gateway 1 counted import and export .* costs need"):
        await load(url, "2026-06-21")
    assert (await load(url, "2026-06-20")).notes == ["prices of a test", "no readings in this time"]


async def test_totals_by_phase_are_explained_without_a_line_that_is_not_there(url: str) -> None:
    begin = local(BERLIN, 2026, 6, 21)
    watts = [(400, 200), (400, 0), (0, 200)]
    async with Database(url, BERLIN) as database:
        await database.upgrade()
        await database.write(
            Message("1", at, samples, None, False)
            for at in range(begin, begin + 3600, 300)
            for samples in [tuple(_sample("net-consumption", at, *each, i) for i, each in enumerate(watts))]
        )
    (*_, note) = (await load(url, "2026-06-21")).notes
    assert note.endswith("both totals are more than the sum of the phases")


async def test_without_production_what_was_saved_is_unknown(url: str) -> None:
    begin = local(BERLIN, 2026, 6, 21)
    await store_steady(url, BERLIN, range(begin, begin + 3600, 300), {"net-consumption": (400, 200)})
    view = await load(url, "2026-06-21")
    assert Quantity.SAVED not in view.panels[0].tracks
    assert "what self-consumption saved is not known: it needs a meter that is not there" in view.notes


async def test_a_battery_that_charges_from_the_grid_saves_less_than_nothing(url: str) -> None:
    """Charging with 1 kW, the house imports 1.9 kW for its 900 W; the meter was added at noon."""
    begin = local(BERLIN, 2026, 6, 21)
    alone = {"production": (0, 0), "net-consumption": (900, 0)}
    charging = {"production": (0, 0), "net-consumption": (900, 0), "storage": (0, 500)}
    await store_steady(url, BERLIN, range(begin, begin + 12 * 3600, 300), alone)
    await store_steady(url, BERLIN, range(begin + 12 * 3600, begin + 86_700, 300), charging)
    view = await load(url, "2026-06-21", FLAT)
    saved = values(view, Quantity.SAVED)
    assert saved[:12] == pytest.approx([0.0] * 12)
    assert saved[13:] == pytest.approx([-0.5 * 0.3] * 11)


async def test_hours_are_compared_by_the_clock_with_those_of_the_day_before(url: str) -> None:
    """On the 25th, the hour from two to three comes twice: of the day after, both are one."""
    begin = local(BERLIN, 2026, 10, 24)
    await store_steady(url, BERLIN, range(begin, begin + 73 * 3600 + 300, 300))
    view = await load(url, "2026-10-26", FLAT, comparison=True)
    assert view.comparison is not None
    assert view.comparison.title == "Sunday, 25 October 2026"
    bars = view.comparison.tracks[Quantity.IMPORT_COST].values.tolist()
    assert bars == pytest.approx([0.12, 0.12, 0.24, *[0.12] * 21])
    assert view.comparison.costs is not None
    assert view.comparison.costs.import_cost == pytest.approx(25 * 0.12)
    # Of a day that is not over, the sums of the same time.
    noon = local(BERLIN, 2026, 10, 25, 12)
    today = await load(url, "today", FLAT, now=noon, comparison=True)
    assert today.comparison is not None
    assert today.comparison.costs is not None
    assert today.comparison.costs.import_cost == pytest.approx(12 * 0.12)
    assert len(today.buckets) == 25
    nothing = await load(url, "2026-10-24", FLAT, comparison=True)
    assert nothing.comparison is None
    assert "no readings to compare with: Friday, 23 October 2026" in nothing.notes


async def test_days_and_months_are_compared_with_those_of_the_last_year(url: str) -> None:
    for year in (2025, 2026):
        begin = local(BERLIN, year, 6, 1)
        await store_steady(url, BERLIN, range(begin - 600, begin + 3 * 86_400 + 600, 300))
    view = await load(url, "2026-06-01..2026-06-03", comparison=True)
    assert view.comparison is not None
    expected = [0.4 * (0.2 * 20.5 + 0.4 * 3.5)] * 3
    assert view.comparison.tracks[Quantity.IMPORT_COST].values.tolist() == pytest.approx(expected)
    years = await load(url, "2023-01-01..2026-12-31", FLAT)
    assert [len(years.buckets), *np.isnan(values(years, Quantity.IMPORT_COST)).tolist()] == [
        4, True, True, False, False,
    ]  # fmt: skip


async def test_the_table_has_money_by_the_hour(url: str, tmp_path: Path) -> None:
    begin = local(BERLIN, 2026, 10, 25)
    await store_steady(url, BERLIN, range(begin - 1800, begin + 93_000, 300))
    view = await load(url, "2026-10-25")
    await asyncio.to_thread(export, view, tmp_path / "costs.csv")
    head, *rows = (tmp_path / "costs.csv").read_text().splitlines()
    assert head == "time,saved_EUR,export_income_EUR,import_cost_EUR"
    assert rows[1:5] == [
        "2026-10-25T01:00:00+02:00,0.100,0.016,0.080",
        "2026-10-25T02:00:00+02:00,0.150,0.016,0.120",
        "2026-10-25T02:00:00+01:00,0.150,0.016,0.120",
        "2026-10-25T03:00:00+01:00,0.200,0.016,0.160",
    ]
