"""Series: quantities without a meter are calculated from the others, or unknown."""

from __future__ import annotations

import numpy as np
import pytest

from enphase_api.models import Quantities, Site
from enphase_companion.charts.model import Quantity, Totals, Track
from enphase_companion.charts.series import (
    Metering,
    calculate_totals,
    counts_by_phase,
    make_power_tracks,
    make_track,
)


def build_track(*watts: float | None, at: int = 0) -> Track:
    return make_track([at + 1000 * number for number in range(len(watts))], watts)


def test_consumption_is_production_and_grid_and_battery() -> None:
    tracks = make_power_tracks(
        {
            "production": build_track(3000, 0),
            "net-consumption": build_track(-1000, 200),
            "storage": build_track(-500, 300),
        }
    )
    assert tracks[Quantity.CONSUMPTION].values.tolist() == [1500, 500]
    assert tracks[Quantity.NET].values.tolist() == [-1000, 200], "positive: import"
    assert tracks[Quantity.BATTERY].values.tolist() == [-500, 300], "positive: discharging"


def test_grid_power_is_calculated_if_only_consumption_is_metered() -> None:
    tracks = make_power_tracks({"production": build_track(3000), "total-consumption": build_track(1000)})
    assert tracks[Quantity.NET].values.tolist() == [-2000]


def test_grid_without_its_own_meter_is_consumption_less_production_and_battery() -> None:
    tracks = make_power_tracks(
        {
            "production": build_track(3000, 0),
            "total-consumption": build_track(1200, 900),
            "storage": build_track(-500, 700),
        }
    )
    assert tracks[Quantity.NET].values.tolist() == [1200 - 3000 + 500, 900 - 700]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("grid", ["net-consumption", "total-consumption"])
def test_power_equals_that_of_the_client(grid: str, sign: int) -> None:
    watts = {"production": 3000.0, grid: 1100.0, "storage": sign * 700.0}
    tracks = make_power_tracks({name: build_track(value) for name, value in watts.items()})
    site = Site.from_quantities({name: Quantities(active_power=value) for name, value in watts.items()})
    assert tracks[Quantity.CONSUMPTION].values.tolist() == [site.home_power]
    assert tracks[Quantity.NET].values.tolist() == [site.grid_power]


@pytest.mark.parametrize("other", ["net-consumption", "total-consumption"])
def test_nothing_is_calculated_with_unmetered_batteries(other: str) -> None:
    meters = {"production": build_track(3000), other: build_track(1000)}
    assert len(make_power_tracks(meters, Metering(unmetered_batteries=True))) == 2
    assert len(make_power_tracks(meters)) == 3


def test_home_power_uses_one_rule_if_net_and_total_consumption_are_metered() -> None:
    # The client's site, Home Assistant and the console use this sum too.
    meters = {"production": 3000.0, "net-consumption": -1000.0, "total-consumption": 1900.0}
    tracks = make_power_tracks({name: build_track(watts) for name, watts in meters.items()})
    site = Site.from_quantities({name: Quantities(active_power=watts) for name, watts in meters.items()})
    assert tracks[Quantity.CONSUMPTION].values.tolist() == [site.home_power] == [2000]
    energies = {
        "production": (3000.0, 0.0),
        "net-consumption": (0.0, 1000.0),
        "total-consumption": (1900.0, 0.0),
    }
    assert calculate_totals(energies).consumed == 2000


def test_home_power_of_a_phase_without_production_is_grid_power() -> None:
    metered = {"production", "net-consumption"}
    phase = {"net-consumption": build_track(700)}
    tracks = make_power_tracks(phase, Metering(metered, unwired={"production"}))
    assert tracks[Quantity.CONSUMPTION].values.tolist() == [700]
    assert Quantity.PRODUCTION not in tracks
    assert Quantity.CONSUMPTION not in make_power_tracks(phase, Metering(metered)), "its phases are unknown"
    assert calculate_totals({"net-consumption": (50, 0)}, Metering(metered, {"production"})).consumed == 50


def test_readings_of_different_times_are_not_added() -> None:
    meters = {"production": build_track(1, 2, 3), "net-consumption": build_track(10, 20, at=1)}
    together = make_power_tracks(meters)[Quantity.CONSUMPTION]
    assert together.values.tolist() == [11, 22]
    meters["net-consumption"] = build_track(10, 20, at=12_001)
    assert np.isnan(make_power_tracks(meters)[Quantity.CONSUMPTION].values).all()


def test_a_missing_value_is_not_zero() -> None:
    tracks = make_power_tracks(
        {"production": build_track(1, None, 3), "net-consumption": build_track(10, 20, 30)}
    )
    values = tracks[Quantity.CONSUMPTION].values
    assert (values[0], values[2]) == (11, 33)
    assert np.isnan(values[1])


def test_a_break_is_inserted_before_the_first_value_after_a_gap() -> None:
    broken = make_track([0, 1000, 9000], [1, 2, 3], [False, False, True])
    assert broken.times.tolist() == [0, 1000, 8999, 9000]
    assert np.isnan(broken.values[2])


def test_totals_of_a_house_with_a_battery() -> None:
    found = calculate_totals(
        {"production": (10_000, 20), "net-consumption": (1_000, 4_000), "storage": (2_000, 3_000)}
    )
    assert found.consumed == 10_000 - 20 - 3_000 - 1_000
    assert found.self_consumption == 0.6
    assert found.self_sufficiency == pytest.approx(1 - 1_000 / 5_980)


def test_totals_without_counters_are_unknown() -> None:
    assert calculate_totals({}) == Totals()
    only_total = calculate_totals({"production": (10_000, None), "total-consumption": (3_000, None)})
    assert (only_total.produced, only_total.consumed) == (10_000, 3_000)
    assert only_total.imported is only_total.self_consumption is only_total.self_sufficiency is None
    unmetered = {"production": (10_000, 0), "net-consumption": (1_000, 4_000)}
    assert calculate_totals(unmetered, Metering(unmetered_batteries=True)).consumed is None


@pytest.mark.parametrize(
    "unknown", ["production", "net-consumption", "storage"], ids=["tracks at night", "export", "charge"]
)
def test_consumption_is_unknown_if_a_counter_is(unknown: str) -> None:
    counted: dict[str, tuple[float | None, float | None]] = {
        "production": (1_000, 0), "net-consumption": (100, 1_000), "storage": (0, 0),
    }  # fmt: skip
    assert calculate_totals(counted).consumed == 100
    counted[unknown] = counted[unknown][0], None
    assert calculate_totals(counted).consumed is calculate_totals(counted).self_sufficiency is None


def test_simultaneous_import_and_export_are_counted_per_phase() -> None:
    assert counts_by_phase((9_800, 6_200), [(9_700, 100), (100, 6_100)])
    assert not counts_by_phase((3_500, 100), [(9_700, 100), (100, 6_100)]), "it nets its phases"
    assert not counts_by_phase((9_800, 0), [(4_900, 0), (4_900, 0)]), "nothing went the other way"
    assert not counts_by_phase((9_800, 6_200), [(9_800, 6_200)]), "one phase cannot"
    assert not counts_by_phase((9_800, 6_200), [(9_700, None), (100, 6_100)])


def test_parts_are_between_zero_and_the_total() -> None:
    assert Totals(produced=100, exported=150).self_consumption == 0
    assert Totals(produced=0, exported=0).self_consumption is None
