"""Loading a view from the database, compared with the simulated house."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from development.pictures.house_readings import store
from enphase_api.models import Quantities
from enphase_companion.charts.load import Request, load, load_heat_map
from enphase_companion.charts.model import Quantity, View
from enphase_companion.charts.time_range import Span, parse
from enphase_companion.message import Message, Sample
from enphase_companion.runtime.errors import CommandError, SettingsError
from enphase_companion.simulator.house import House
from enphase_companion.storage import Database

from .conftest import END, GAP, ZURICH, local_seconds

DOTS = 1_000

#: The first reading of another database.
BEGUN = local_seconds(2026, 10, 24, 14, 3, 20)


async def load_view(
    url: str,
    text: str,
    now: int = END,
    *,
    phases: bool = False,
    gateway: str | None = None,
    comparison: bool = False,
) -> View:
    async with Database(url) as database:
        return await load(database, Request(parse(text), gateway, phases, DOTS, comparison), now)


def compute_mean(house: House, measurement: str, at: int, seconds: int, phase: int = 0) -> float:
    """Return the mean power of a house around a time in milliseconds."""
    first = at // 1000 - seconds // 2
    measured = [house.truth(first + second).of(measurement) for second in range(0, seconds, 30)]
    values = [each.total if phase == 0 else each.phases[phase - 1] for each in measured]
    return sum(each.active_power for each in values) / len(values)


@pytest.mark.parametrize(
    ("text", "seconds", "fineness"),
    [("2026-10-26", 60, "means of minutes"), ("2026-10-24..2026-10-26", 60, "means of minutes"),
     ("2026-10-20..2026-10-28", 900, "means of quarter-hours")],
)  # fmt: skip
@pytest.mark.slow
async def test_lines_are_means_of_the_matching_rollup(
    house: House, house_url: str, text: str, seconds: int, fineness: str
) -> None:
    view = await load_view(house_url, text)
    assert fineness in view.subtitle
    tracks = view.panels[0].tracks
    assert tracks.keys() == {Quantity.PRODUCTION, Quantity.CONSUMPTION, Quantity.NET, Quantity.BATTERY}
    for at, watts in list(zip(*get_known(view, Quantity.PRODUCTION), strict=True))[::40]:
        assert watts == pytest.approx(compute_mean(house, "production", at, seconds), abs=1)
    for at, watts in list(zip(*get_known(view, Quantity.CONSUMPTION), strict=True))[::40]:
        assert watts == pytest.approx(compute_mean(house, "total-consumption", at, seconds), abs=1)
    for at, watts in list(zip(*get_known(view, Quantity.NET), strict=True))[::40]:
        assert watts == pytest.approx(compute_mean(house, "net-consumption", at, seconds), abs=1)


def get_known(view: View, quantity: Quantity) -> tuple[list[int], list[float]]:
    track = view.panels[0].tracks[quantity]
    known = ~np.isnan(track.values)
    return track.times[known].tolist(), track.values[known].tolist()


async def test_a_short_range_shows_every_reading(house: House, house_url: str) -> None:
    view = await load_view(house_url, "2026-10-26T12:00..2026-10-26T13:00")
    times, watts = get_known(view, Quantity.PRODUCTION)
    assert times == list(
        range(local_seconds(2026, 10, 26, 12) * 1000, local_seconds(2026, 10, 26, 13) * 1000, 30_000)
    )
    truth = [house.truth(at / 1000).production.total.active_power for at in times]
    assert watts == pytest.approx(truth, abs=0.01)


async def test_totals_come_from_counters_over_a_25_hour_day_and_a_gap(house: House, house_url: str) -> None:
    for text, start, end in [
        ("2026-10-25", local_seconds(2026, 10, 25), local_seconds(2026, 10, 26)),
        ("2026-10-24", local_seconds(2026, 10, 24), local_seconds(2026, 10, 25)),
    ]:
        found = (await load_view(house_url, text)).totals
        energy_of = partial(compute_energy, house, start, end)
        delivered, received = "energy_delivered", "energy_received"
        assert found.produced == pytest.approx(energy_of("production", delivered), rel=1e-3)
        assert found.consumed == pytest.approx(energy_of("total-consumption", delivered), rel=1e-3)
        assert found.imported == pytest.approx(energy_of("net-consumption", delivered), rel=1e-3)
        assert found.exported == pytest.approx(energy_of("net-consumption", received), rel=1e-3)
        assert found.charged == pytest.approx(energy_of("storage", received), rel=1e-3)
        assert found.discharged == pytest.approx(energy_of("storage", delivered), rel=1e-3)


def compute_energy(house: House, start: int, end: int, name: str, direction: str) -> float:
    before, after = house.truth(start).of(name).total, house.truth(end).of(name).total
    return float(getattr(after, direction) - getattr(before, direction))


async def test_missing_readings_are_a_gap_with_a_note(house_url: str) -> None:
    view = await load_view(house_url, "2026-10-24")
    (gap,) = view.gaps
    assert (gap.start / 1000, gap.end / 1000) == pytest.approx(GAP, abs=60)
    track = view.panels[0].tracks[Quantity.PRODUCTION]
    around = np.flatnonzero((track.times > gap.start - 90_000) & (track.times < gap.end + 90_000))
    assert np.isnan(track.values[around]).any(), "the line is broken"
    assert not ((track.times > gap.start) & (track.times < gap.end)).any()
    assert "totals include energy from gaps" in view.notes[0]
    assert (await load_view(house_url, "2026-10-26")).gaps == []


async def test_the_rest_of_today_is_no_gap(house_url: str) -> None:
    assert (await load_view(house_url, "today", local_seconds(2026, 10, 26, 12, 0))).gaps == []
    silent = await load_view(house_url, "today", END + 6 * 3600)
    assert [(gap.start, gap.end) for gap in silent.gaps] == [(END * 1000 + 60_000, (END + 6 * 3600) * 1000)]


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("2026-10-23..2026-10-24", "the first readings are of 24 October 2026, 00:00"),
        ("2026-10-10..2026-10-26", "the first readings are of 24 October 2026"),
    ],
)
async def test_the_time_before_the_first_reading_is_a_gap_and_a_note_names_it(
    house_url: str, text: str, note: str
) -> None:
    view = await load_view(house_url, text)
    assert view.gaps[0].start == view.span.start
    assert note in view.notes


async def test_an_outage_at_the_start_is_not_mistaken_for_the_first_reading(house_url: str) -> None:
    view = await load_view(house_url, "2026-10-24T14:00..2026-10-24T18:00")
    assert view.gaps[0].start == view.span.start
    assert not any("first readings" in note for note in view.notes)


async def test_a_note_explains_that_grid_totals_are_counted_per_phase(house_url: str) -> None:
    for text in ("2026-10-26", "2026-10-20..2026-10-31"):
        assert any("counted by phase" in note for note in (await load_view(house_url, text)).notes)


@pytest.mark.slow
async def test_only_lines_that_end_now_have_current_values(house_url: str) -> None:
    assert (await load_view(house_url, "day", END)).is_now
    assert not (await load_view(house_url, "day", END + 3_600)).is_now
    assert not (await load_view(house_url, "2026-10-25", END)).is_now


async def test_five_minute_reports_of_microinverters_have_no_gaps(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('inverters') / 'enphase.db'}"
    start = local_seconds(2026, 6, 1)
    # Some answers are late.
    times = [start + 300 * number + 100 * (number % 3) for number in range(288) if not 100 < number < 110]
    async with Database(url, ZURICH) as database:
        await database.upgrade()
        await database.write(
            Message("1", at, (Sample("production", 0, at * 1000, Quantities(active_power=100.0)),), None)
            for at in times
        )
        await database.roll_up()
    for text in ("2026-06-01", "2026-06-01T06:00..2026-06-01T12:00"):
        (gap,) = (await load_view(url, text)).gaps
        assert (gap.start / 1000, gap.end / 1000) == pytest.approx((times[100], times[101]), abs=60)


@pytest.mark.slow
async def test_each_phase_has_its_own_panel(house: House, house_url: str) -> None:
    view = await load_view(house_url, "2026-10-26", phases=True)
    assert [panel.name for panel in view.panels] == ["", "L1", "L2"]
    track = view.panels[2].tracks[Quantity.PRODUCTION]
    at = int(track.times[720])
    assert track.values[720] == pytest.approx(compute_mean(house, "production", at, 60, phase=2), abs=1)


async def test_a_long_range_shows_the_energy_of_each_local_day(house: House, house_url: str) -> None:
    view = await load_view(house_url, "2026-10-20..2026-10-31")
    assert [bucket.length // 3_600_000 for bucket in view.buckets] == [24] * 5 + [25] + [24] * 6
    tracks = view.panels[0].tracks
    assert np.isnan(tracks[Quantity.PRODUCTION].values[:4]).all()
    for number, day in enumerate((24, 25, 26), start=4):
        energy_of = partial(
            compute_energy, house, local_seconds(2026, 10, day), local_seconds(2026, 10, day + 1)
        )
        produced = energy_of("production", "energy_delivered")
        used = energy_of("total-consumption", "energy_delivered")
        stored = energy_of("storage", "energy_received")
        assert tracks[Quantity.PRODUCTION].values[number] == pytest.approx(produced, rel=1e-3)
        assert tracks[Quantity.CONSUMPTION].values[number] == pytest.approx(used, rel=1e-3)
        assert tracks[Quantity.CHARGED].values[number] == pytest.approx(stored, rel=1e-3)


async def test_a_year_shows_the_energy_of_each_month(house_url: str) -> None:
    view = await load_view(house_url, "year")
    assert len(view.buckets) == 12
    assert "energy of each month" in view.subtitle
    values = view.panels[0].tracks[Quantity.PRODUCTION].values
    assert np.flatnonzero(~np.isnan(values)).tolist() == [11]
    assert values[11] == pytest.approx(view.totals.produced)


@pytest.mark.slow
async def test_recovered_energy_of_missing_days_is_not_shown_as_one_bar(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('towers') / 'enphase.db'}"
    # With an outage from noon of the 3rd to noon of the 8th.
    noons = local_seconds(2026, 6, 3, 12), local_seconds(2026, 6, 8, 12)
    times = [
        *range(local_seconds(2026, 6, 1), noons[0], 300),
        *range(noons[1], local_seconds(2026, 6, 15), 300),
    ]
    await store_steady(url, times)
    view = await load_view(url, "2026-06-01..2026-06-14")
    energies = view.panels[0].tracks[Quantity.PRODUCTION].values / 1000
    assert energies[[0, 1, 2, 7, 8]] == pytest.approx([24, 24, 12, 12, 24], abs=0.1)
    assert np.isnan(energies[3:7]).all()
    assert view.totals.produced == pytest.approx(14 * 24_000, abs=100)
    left_out = "totals include energy from gaps, which the chart cannot show"
    assert left_out in view.notes
    for first in (5, 8):
        # The outage began before the range, and ends in a later bar of it or in the first one.
        view = await load_view(url, f"2026-06-{first:02}..2026-06-19")
        energies = view.panels[0].tracks[Quantity.PRODUCTION].values / 1000
        assert energies[[8 - first, 9 - first]] == pytest.approx([12, 24], abs=0.1)
        assert np.isnan(energies[: 8 - first]).all()
        assert left_out in view.notes


async def test_recovered_energy_of_a_night_is_in_the_bar_of_the_first_day(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'enphase.db'}"
    end = local_seconds(2026, 6, 13)
    await store_steady(url, [local_seconds(2026, 6, 1, 20), *range(local_seconds(2026, 6, 2, 6), end, 300)])
    view = await load_view(url, "2026-06-02..2026-06-12")
    energies = view.panels[0].tracks[Quantity.PRODUCTION].values / 1000
    assert energies[[0, 1]] == pytest.approx([28, 24], abs=0.1)
    assert not any("cannot show" in note for note in view.notes)


async def test_a_day_with_a_single_reading_is_unknown_not_zero(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'enphase.db'}"
    end = local_seconds(2026, 6, 13)
    await store_steady(url, [local_seconds(2026, 6, 2, 12), *range(local_seconds(2026, 6, 4), end, 300)])
    view = await load_view(url, "2026-06-01..2026-06-12")
    energies = view.panels[0].tracks[Quantity.PRODUCTION].values / 1000
    assert np.isnan(energies[:3]).all()
    assert energies[4] == pytest.approx(24, abs=0.1)


async def store_steady(url: str, times: Iterable[int]) -> None:
    """Store readings of constantly 1 kW."""
    async with Database(url, ZURICH) as database:
        await database.upgrade()
        await database.write(
            Message("1", at, (Sample("production", 0, at * 1000, build_steady_message(at)),), None)
            for at in times
        )
        await database.roll_up()


def build_steady_message(at: int) -> Quantities:
    return Quantities(active_power=1000.0, energy_delivered=at / 3.6 - 4e8, energy_received=0.0)


@pytest.mark.parametrize("text", ["2026-06-01", "2026-05-20..2026-06-05"], ids=["power", "energies"])
@pytest.mark.slow
async def test_consumption_is_unknown_with_unmetered_batteries_and_a_note_explains_it(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('batteries') / 'enphase.db'}"
    async with Database(url, ZURICH) as database:
        await database.upgrade()
        await store_hour(database, local_seconds(2026, 6, 1, 0), "net-consumption", unmetered_batteries=False)
        before = await load_view(url, text)
        await store_hour(database, local_seconds(2026, 6, 1, 1), "net-consumption", unmetered_batteries=True)
        after = await load_view(url, text)
    assert Quantity.CONSUMPTION in before.panels[0].tracks
    assert before.totals.consumed == pytest.approx(2_000, abs=20)
    assert "consumption is not known: no meter sees the batteries" not in before.notes
    assert after.panels[0].tracks.keys() == before.panels[0].tracks.keys() - {Quantity.CONSUMPTION}
    assert (after.totals.consumed, after.totals.self_sufficiency) == (None, None)
    assert "consumption is not known: no meter sees the batteries" in after.notes


async def test_grid_power_is_unknown_with_unmetered_batteries(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('batteries') / 'enphase.db'}"
    async with Database(url, ZURICH) as database:
        await database.upgrade()
        await store_hour(
            database, local_seconds(2026, 6, 1, 0), "total-consumption", unmetered_batteries=True
        )
    view = await load_view(url, "2026-06-01")
    assert view.panels[0].tracks.keys() == {Quantity.PRODUCTION, Quantity.CONSUMPTION}
    assert "what goes to the grid is not known: no meter sees the batteries" in view.notes


async def store_hour(database: Database, start: int, metered: str, *, unmetered_batteries: bool) -> None:
    """Store one hour of 1 kW on two meters."""
    await database.write(
        Message(
            "1",
            at,
            tuple(Sample(name, 0, at * 1000, build_steady_message(at)) for name in ("production", metered)),
            None,
            unmetered_batteries,
        )
        for at in range(start, start + 3600, 30)
    )
    await database.roll_up()


async def test_the_error_of_an_empty_database_names_the_commands_that_fill_it(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('empty') / 'enphase.db'}"
    async with Database(url) as database:
        await database.upgrade()
    with pytest.raises(CommandError, match=r"contains no readings yet: enphase-gateway-database-meters"):
        await load_view(url, "today")


@pytest.mark.slow
async def test_one_of_several_gateways_must_be_configured(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('several') / 'enphase.db'}"
    at = local_seconds(2026, 6, 1, 12)
    async with Database(url, ZURICH) as database:
        await database.upgrade()
        await database.write(
            Message(name, at, (Sample("production", 0, at * 1000, build_steady_message(at)),), None)
            for name in ("1", "2")
        )
    with pytest.raises(SettingsError, match=r"readings of 1, 2: select one with"):
        await load_view(url, "2026-06-01")
    with pytest.raises(SettingsError, match="no readings of 3, only of 1, 2"):
        await load_view(url, "2026-06-01", gateway="3")
    assert "Gateway 2" in (await load_view(url, "2026-06-01", gateway="2")).subtitle
    nothing = await load_view(url, "2026-06-05", gateway="2")
    assert nothing.notes == ["no readings in this time"]
    assert nothing.panels[0].tracks == {}


@pytest.mark.parametrize("text", ["2026-10-01..2026-10-28", "2026-01-01..2026-12-31", "2026-10-27"])
@pytest.mark.slow
async def test_the_energy_of_imported_readings_is_marked_as_an_estimate(tmp_path: Path, text: str) -> None:
    """Enphase-API stores no counters. On two days, 1,000 W are produced and 400 W exported for four hours."""
    url = f"sqlite:///{tmp_path}/enphase.db"
    async with Database(url, ZURICH) as database:
        await database.upgrade()
        for day in (26, 27):
            start = local_seconds(2026, 10, day, 10)
            await database.write(
                Message(
                    "122300000001",
                    float(at),
                    (
                        Sample("production", 0, at * 1000, Quantities(active_power=1000.0)),
                        Sample("net-consumption", 0, at * 1000, Quantities(active_power=-400.0)),
                    ),
                    None,
                )
                for at in range(start, start + 4 * 3600 + 1, 60)
            )
        await database.roll_up(END * 1000)
    view = await load_view(url, text)
    days = 1 if text == "2026-10-27" else 2
    assert view.totals.produced == pytest.approx(4000 * days)
    assert view.totals.exported == pytest.approx(1600 * days)
    assert view.totals.imported == 0
    assert view.totals.consumed == pytest.approx(2400 * days)
    assert "energy is estimated by power where no counters were stored (imports)" in view.notes
    if days == 2:
        assert sum(get_known(view, Quantity.PRODUCTION)[1]) == pytest.approx(8000)
        assert sum(get_known(view, Quantity.NET)[1]) == pytest.approx(-3200)


async def test_energy_from_counters_is_not_an_estimate(house: House, house_url: str) -> None:
    assert not any(
        "estimated" in note for note in (await load_view(house_url, "2026-10-20..2026-10-28")).notes
    )


async def test_a_day_is_compared_with_the_day_before_by_the_clock(house_url: str) -> None:
    """The day before has 25 hours."""
    view = await load_view(house_url, "2026-10-26", comparison=True)
    day_before = await load_view(house_url, "2026-10-25")
    assert view.comparison is not None
    assert view.comparison.title == "Sunday, 25 October 2026"
    assert view.comparison.tracks.keys() == {Quantity.PRODUCTION, Quantity.CONSUMPTION}
    assert view.comparison.totals == day_before.totals
    moved, before = (
        view.comparison.tracks[Quantity.PRODUCTION],
        day_before.panels[0].tracks[Quantity.PRODUCTION],
    )
    assert moved.values.tolist() == before.values.tolist()
    distances = moved.times - before.times
    # Before the clock is changed, a day later is 25 hours later.
    assert (distances[0], distances[-1]) == (25 * 3_600_000, 24 * 3_600_000)


async def test_a_day_that_is_not_over_is_compared_up_to_the_same_time(house_url: str) -> None:
    noon = local_seconds(2026, 10, 26, 12)
    view = await load_view(house_url, "today", noon, comparison=True)
    morning = await load_view(house_url, "2026-10-25T00:00..2026-10-25T12:00")
    assert view.comparison is not None
    assert view.comparison.totals == morning.totals
    # The line shows the rest of the day, too.
    assert view.comparison.tracks[Quantity.PRODUCTION].times[-1] > noon * 1000


async def test_days_of_a_month_are_compared_with_those_of_the_last_year(house_url: str) -> None:
    view = await load_view(house_url, "2027-10-11..2027-10-31", comparison=True)
    assert view.comparison is not None
    assert view.comparison.title == "11 October to 31 October 2026"
    track = view.comparison.tracks[Quantity.PRODUCTION]
    known = np.flatnonzero(~np.isnan(track.values)).tolist()
    assert [view.buckets[number].start for number in known] == track.times[known].tolist()
    # Of the 27th there is only the reading of midnight.
    assert known == [13, 14, 15]


async def test_a_note_says_that_there_is_nothing_to_compare_with(house_url: str) -> None:
    view = await load_view(house_url, "2026-10-24", comparison=True)
    assert view.comparison is None
    assert "no readings to compare with: Friday, 23 October 2026" in view.notes


@pytest.fixture(scope="module")
def begun_url(house: House, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URL of a database with the first two minutes of readings, since 14:03:20."""
    url = f"sqlite:///{tmp_path_factory.mktemp('begun') / 'enphase.db'}"
    asyncio.run(store(url, ZURICH, house, range(BEGUN, BEGUN + 121)))
    return url


@pytest.mark.parametrize("text", ["today", "day", "week", "month", "year", "2026-10-24", "2026-10-24.."])
async def test_the_first_minutes_of_a_database_fill_the_picture_and_it_says_so(
    begun_url: str, text: str
) -> None:
    view = await load_view(begun_url, text, BEGUN + 121)
    assert view.title == "Saturday, 24 October 2026, since 14:03"
    assert (view.span.start, view.span.end) == ((BEGUN - 20) * 1000, (BEGUN + 160) * 1000)
    assert not view.buckets
    assert not view.gaps
    assert view.notes[0].startswith("readings have just begun")
    assert view.panels[0].tracks[Quantity.PRODUCTION].values.size == 121
    assert "every reading" in view.subtitle


async def test_the_first_reading_alone_is_a_picture(begun_url: str) -> None:
    view = await load_view(begun_url, "today", BEGUN)
    assert view.span == Span((BEGUN - 20) * 1000, (BEGUN + 40) * 1000)


@pytest.mark.parametrize(
    ("text", "after", "title"),
    [
        ("today", 3599, "Saturday, 24 October 2026, since 14:03"),
        ("today", 3600, "Saturday, 24 October 2026"),
        ("2026-10-23", 121, "Friday, 23 October 2026"),
        ("2026-10-24T14:04..", 121, "Saturday, 24 October 2026, 14:04 to 14:05"),
    ],
)
async def test_an_hour_later_and_at_other_times_the_chart_shows_what_was_asked_for(
    begun_url: str, text: str, after: int, title: str
) -> None:
    assert (await load_view(begun_url, text, BEGUN + after)).title == title


async def test_a_heat_map_says_when_readings_began(begun_url: str) -> None:
    async with Database(begun_url) as database:
        request = Request(parse("year"), None, phases=False, dots=DOTS)
        view = await load_heat_map(database, request, BEGUN + 121, Quantity.PRODUCTION)
    assert view.notes == ["the first readings are of 24 October 2026, 14:03"]
