"""What no meter measures is worked out from the others, or not known."""

from __future__ import annotations

import numpy as np
import pytest

from enphase_api.models import Quantities, Site
from enphase_companion.charts.model import Quantity, Totals, Track
from enphase_companion.charts.series import Metering, counts_by_phase, make_track, power_tracks, totals


def meter(*watts: float | None, at: int = 0) -> Track:
    return make_track([at + 1000 * number for number in range(len(watts))], watts)


def test_consumption_is_production_and_grid_and_battery() -> None:
    drawn = power_tracks(
        {"production": meter(3000, 0), "net-consumption": meter(-1000, 200), "storage": meter(-500, 300)}
    )
    assert drawn[Quantity.CONSUMPTION].values.tolist() == [1500, 500]
    assert drawn[Quantity.NET].values.tolist() == [-1000, 200], "positive: import"
    assert drawn[Quantity.BATTERY].values.tolist() == [-500, 300], "positive: discharging"


def test_where_only_consumption_is_metered_the_grid_is_worked_out() -> None:
    drawn = power_tracks({"production": meter(3000), "total-consumption": meter(1000)})
    assert drawn[Quantity.NET].values.tolist() == [-2000]


def test_grid_without_its_own_meter_is_consumption_less_production_and_battery() -> None:
    drawn = power_tracks(
        {"production": meter(3000, 0), "total-consumption": meter(1200, 900), "storage": meter(-500, 700)}
    )
    assert drawn[Quantity.NET].values.tolist() == [1200 - 3000 + 500, 900 - 700]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("grid", ["net-consumption", "total-consumption"])
def test_power_is_that_of_the_site(grid: str, sign: int) -> None:
    watts = {"production": 3000.0, grid: 1100.0, "storage": sign * 700.0}
    drawn = power_tracks({name: meter(value) for name, value in watts.items()})
    site = Site.from_quantities({name: Quantities(active_power=value) for name, value in watts.items()})
    assert drawn[Quantity.CONSUMPTION].values.tolist() == [site.home_power]
    assert drawn[Quantity.NET].values.tolist() == [site.grid_power]


@pytest.mark.parametrize("other", ["net-consumption", "total-consumption"])
def test_with_batteries_that_nobody_measures_nothing_is_worked_out(other: str) -> None:
    meters = {"production": meter(3000), other: meter(1000)}
    assert len(power_tracks(meters, Metering(unmetered_batteries=True))) == 2
    assert len(power_tracks(meters)) == 3


def test_home_is_one_number_where_net_and_total_consumption_are_metered() -> None:
    # As the client's site adds it up, and with it Home Assistant and the console.
    meters = {"production": 3000.0, "net-consumption": -1000.0, "total-consumption": 1900.0}
    drawn = power_tracks({name: meter(watts) for name, watts in meters.items()})
    said = Site.from_quantities({name: Quantities(active_power=watts) for name, watts in meters.items()})
    assert drawn[Quantity.CONSUMPTION].values.tolist() == [said.home_power] == [2000]
    energies = {
        "production": (3000.0, 0.0),
        "net-consumption": (0.0, 1000.0),
        "total-consumption": (1900.0, 0.0),
    }
    assert totals(energies).consumed == 2000


def test_home_of_a_phase_that_the_array_has_not_wired_is_what_the_grid_gives() -> None:
    metered = {"production", "net-consumption"}
    phase = {"net-consumption": meter(700)}
    drawn = power_tracks(phase, Metering(metered, unwired={"production"}))
    assert drawn[Quantity.CONSUMPTION].values.tolist() == [700]
    assert Quantity.PRODUCTION not in drawn
    assert Quantity.CONSUMPTION not in power_tracks(phase, Metering(metered)), "it does not say its phases"
    assert totals({"net-consumption": (50, 0)}, Metering(metered, {"production"})).consumed == 50


def test_what_was_not_read_together_is_not_added_up() -> None:
    meters = {"production": meter(1, 2, 3), "net-consumption": meter(10, 20, at=1)}
    together = power_tracks(meters)[Quantity.CONSUMPTION]
    assert together.values.tolist() == [11, 22]
    meters["net-consumption"] = meter(10, 20, at=12_001)
    assert np.isnan(power_tracks(meters)[Quantity.CONSUMPTION].values).all()


def test_a_value_that_is_missing_is_no_zero() -> None:
    drawn = power_tracks({"production": meter(1, None, 3), "net-consumption": meter(10, 20, 30)})
    values = drawn[Quantity.CONSUMPTION].values
    assert (values[0], values[2]) == (11, 33)
    assert np.isnan(values[1])


def test_a_break_is_put_before_what_comes_after_a_gap() -> None:
    broken = make_track([0, 1000, 9000], [1, 2, 3], [False, False, True])
    assert broken.times.tolist() == [0, 1000, 8999, 9000]
    assert np.isnan(broken.values[2])


def test_totals_of_a_house_with_a_battery() -> None:
    found = totals({"production": (10_000, 20), "net-consumption": (1_000, 4_000), "storage": (2_000, 3_000)})
    assert found.consumed == 10_000 - 20 - 3_000 - 1_000
    assert found.self_consumption == 0.6
    assert found.self_sufficiency == pytest.approx(1 - 1_000 / 5_980)


def test_totals_that_nobody_counts_are_not_known() -> None:
    assert totals({}) == Totals()
    only_total = totals({"production": (10_000, None), "total-consumption": (3_000, None)})
    assert (only_total.produced, only_total.consumed) == (10_000, 3_000)
    assert only_total.imported is only_total.self_consumption is only_total.self_sufficiency is None
    unmetered = {"production": (10_000, 0), "net-consumption": (1_000, 4_000)}
    assert totals(unmetered, Metering(unmetered_batteries=True)).consumed is None


@pytest.mark.parametrize(
    "unknown", ["production", "net-consumption", "storage"], ids=["drawn at night", "export", "charge"]
)
def test_consumption_is_not_known_where_a_counter_is_not(unknown: str) -> None:
    counted: dict[str, tuple[float | None, float | None]] = {
        "production": (1_000, 0), "net-consumption": (100, 1_000), "storage": (0, 0),
    }  # fmt: skip
    assert totals(counted).consumed == 100
    counted[unknown] = counted[unknown][0], None
    assert totals(counted).consumed is totals(counted).self_sufficiency is None


def test_import_and_export_on_two_phases_at_once_are_counted_by_phase() -> None:
    assert counts_by_phase((9_800, 6_200), [(9_700, 100), (100, 6_100)])
    assert not counts_by_phase((3_500, 100), [(9_700, 100), (100, 6_100)]), "it nets its phases"
    assert not counts_by_phase((9_800, 0), [(4_900, 0), (4_900, 0)]), "nothing went the other way"
    assert not counts_by_phase((9_800, 6_200), [(9_800, 6_200)]), "one phase cannot"
    assert not counts_by_phase((9_800, 6_200), [(9_700, None), (100, 6_100)])


def test_parts_stay_between_nothing_and_all() -> None:
    assert Totals(produced=100, exported=150).self_consumption == 0
    assert Totals(produced=0, exported=0).self_consumption is None
