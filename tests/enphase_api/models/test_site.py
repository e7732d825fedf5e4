"""The site: power and energy from any combination of meters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from enphase_api.models import Meter, Quantities, Readings, Site
from enphase_api.models.site import UNWIRED, add_up, are_together, grid_terms, home_terms

EIDS = {"production": 1, "net-consumption": 2, "total-consumption": 3, "storage": 4}


def build_site(
    *, options: dict[str, Any] | None = None, **meters: tuple[float | None, float | None, float | None]
) -> Site:
    """Return a site with meters by type: W, Wh delivered, Wh received."""
    kinds = {name.replace("_", "-"): values for name, values in meters.items()}
    listed = Meter.list_from_json(
        [{"eid": EIDS[kind], "measurementType": kind, "state": "enabled"} for kind in kinds]
    )
    answer = [
        {"eid": EIDS[kind], "activePower": power, "actEnergyDlvd": delivered, "actEnergyRcvd": received}
        for kind, (power, delivered, received) in kinds.items()
    ]
    return Site.from_readings(Readings.from_json(answer, listed), **(options or {}))


def test_home_is_production_and_net() -> None:
    assert build_site(production=(3000, 5000, 10), net_consumption=(-1000, 2000, 1500)) == Site(
        production_power=3000,
        grid_power=-1000,
        home_power=2000,
        produced_energy=5000,
        imported_energy=2000,
        exported_energy=1500,
        # 5000 - 10 produced, 2000 - 1500 from the grid
        consumed_energy=5490,
    )


def test_a_metered_battery_counts_in_home_power() -> None:
    found = build_site(
        production=(3000, 5000, 0), net_consumption=(-500, 2000, 1000), storage=(-1500, 300, 400)
    )
    assert (found.battery_power, found.discharged_energy, found.charged_energy) == (-1500, 300, 400)
    assert found.home_power == 1000
    assert found.consumed_energy == 5000 + 1000 - 100


def test_a_battery_without_a_meter_has_power_and_no_energy() -> None:
    found = build_site(
        production=(3000, 5000, 0),
        net_consumption=(-500, 2000, 1000),
        options={"unmetered_batteries": True, "battery_power": -1500},
    )
    assert (found.battery_power, found.home_power) == (-1500, 1000)
    assert found.consumed_energy is found.charged_energy is found.discharged_energy is None


def test_home_power_is_unknown_while_the_power_of_a_battery_is() -> None:
    found = build_site(
        production=(3000, 1, 0), net_consumption=(-500, 1, 0), options={"unmetered_batteries": True}
    )
    assert found.home_power is None
    assert found.grid_power == -500


def test_a_storage_meter_takes_precedence_over_the_batteries() -> None:
    found = build_site(
        production=(3000, 1, 0),
        net_consumption=(-500, 1, 0),
        storage=(-1500, 1, 1),
        options={"unmetered_batteries": True, "battery_power": -9},
    )
    assert (found.battery_power, found.home_power) == (-1500, 1000)


def test_total_consumption_is_home_and_leaves_the_grid_its_power_only() -> None:
    found = build_site(production=(3000, 5000, 0), total_consumption=(1200, 7000, 5))
    assert (found.home_power, found.consumed_energy) == (1200, 7000)
    assert found.grid_power == -1800
    assert found.imported_energy is found.exported_energy is None


def test_total_consumption_beside_a_battery() -> None:
    found = build_site(production=(3000, 1, 0), total_consumption=(1200, 1, 0), storage=(-500, 1, 0))
    assert found.grid_power == 1200 - 3000 + 500


def test_home_is_read_from_its_own_meter_without_a_production_meter() -> None:
    found = build_site(net_consumption=(-800, 2000, 1500), total_consumption=(1200, 7000, 5))
    assert (found.home_power, found.consumed_energy) == (1200, 7000)
    assert (found.grid_power, found.imported_energy, found.exported_energy) == (-800, 2000, 1500)
    assert found.production_power is None


def test_an_unmetered_value_is_none_and_not_zero() -> None:
    assert build_site() == Site()
    assert build_site(production=(3000, 5000, 0)) == Site(production_power=3000, produced_energy=5000)
    found = build_site(net_consumption=(500, 2000, 0))
    assert (found.grid_power, found.imported_energy, found.exported_energy) == (500, 2000, 0)
    assert found.home_power is found.consumed_energy is found.production_power is None


def test_an_unknown_term_makes_a_sum_unknown() -> None:
    found = build_site(production=(None, None, 0), net_consumption=(-500, 2000, 1000))
    assert found.home_power is found.consumed_energy is None
    assert found.grid_power == -500
    found = build_site(production=(3000, 5000, 0), total_consumption=(None, None, None))
    assert found.grid_power is found.home_power is None


def test_a_meter_of_total_consumption_does_not_change_the_sum_of_production_and_net() -> None:
    found = build_site(
        production=(3000, 5000, 0), net_consumption=(-1000, 2000, 1500), total_consumption=(1900, 7000, 5)
    )
    assert (found.home_power, found.consumed_energy) == (2000, 5500)
    assert (found.grid_power, found.imported_energy, found.exported_energy) == (-1000, 2000, 1500)


def test_home_is_read_from_its_own_meter_beside_unmetered_batteries() -> None:
    found = build_site(
        production=(3000, 5000, 0),
        net_consumption=(-1000, 2000, 1500),
        total_consumption=(1900, 7000, 5),
        options={"unmetered_batteries": True, "battery_power": -100},
    )
    assert (found.home_power, found.consumed_energy) == (1900, 7000)


def test_an_unknown_direction_makes_home_energy_unknown() -> None:
    found = build_site(production=(3000, 5000, 0), net_consumption=(-1000, 2000, None))
    assert found.consumed_energy is None
    assert found.home_power == 2000


def test_a_meter_without_readings_differs_from_a_missing_meter() -> None:
    metered = {"metered": {"production", "net-consumption", "total-consumption", "storage"}}
    found = build_site(
        net_consumption=(-1000, 2000, 1500), total_consumption=(1900, 7000, 5), options=metered
    )
    assert found.home_power is found.consumed_energy is found.battery_power is None
    assert found.grid_power == -1000


def test_powers_measured_at_different_times_are_not_added() -> None:
    listed = Meter.list_from_json(
        [{"eid": eid, "measurementType": kind, "state": "enabled"} for kind, eid in EIDS.items() if eid < 3]
    )
    at = datetime(2026, 6, 1, tzinfo=UTC)

    def read(apart: timedelta) -> Site:
        times = {1: at, 2: at + apart}
        answer = [{"eid": eid, "activePower": 500, "timestamp": int(times[eid].timestamp())} for eid in times]
        return Site.from_readings(Readings.from_json(answer, listed))

    assert read(timedelta(seconds=5)).home_power == 1000
    assert read(timedelta(seconds=60)).home_power is None
    assert read(timedelta(seconds=60)).grid_power == 500


def test_the_site_rule_holds_for_each_phase() -> None:
    metered = ["production", "net-consumption", "storage"]
    net = Quantities(active_power=100, reactive_power=-30, voltage=120, frequency=60)
    production = Quantities(active_power=340, reactive_power=20)
    phase = {"production": production, "net-consumption": net, "storage": Quantities(active_power=-40)}
    assert Site.from_quantities(phase).home_power == 400
    # The battery's reactive power is unknown, so that of the home is unknown too.
    assert add_up(home_terms(metered), phase).reactive_power is None
    home = add_up(home_terms(metered), {**phase, "storage": UNWIRED})
    assert (home.active_power, home.reactive_power, home.apparent_power) == pytest.approx(
        (440, -10, (440**2 + 10**2) ** 0.5)
    )
    assert (home.voltage, home.frequency) == (120, 60)
    total = add_up(home_terms(metered), {**phase, "storage": UNWIRED._replace(active_power=None)})
    assert total.active_power is None


def test_batteries_without_a_meter_are_a_term_only_if_there_are_any() -> None:
    metered = {"production", "net-consumption"}
    assert home_terms(metered) == {"net-consumption": 1, "production": 1}
    assert home_terms(metered, unmetered_batteries=True) == {
        "net-consumption": 1,
        "production": 1,
        "storage": 1,
    }
    metered = {"production", "total-consumption"}
    assert grid_terms(metered) == {"total-consumption": 1, "production": -1}
    assert grid_terms(metered, unmetered_batteries=True)["storage"] == -1


@pytest.mark.parametrize(("seconds", "is_known"), [(10, True), (11, False)])
def test_powers_measured_within_10_seconds_are_added(seconds: int, is_known: bool) -> None:
    start = datetime(2026, 6, 21, 12, tzinfo=UTC)
    assert are_together([start, None, start + timedelta(seconds=seconds)]) is is_known


def test_a_phase_that_is_not_wired_has_no_power() -> None:
    zero = dict.fromkeys(("active_power", "reactive_power", "energy_delivered", "energy_received"), 0)
    assert Quantities(**zero) == UNWIRED


def test_a_single_meter_is_its_own_sum() -> None:
    assert home_terms({"total-consumption"}) == {"total-consumption": 1}
    assert grid_terms({"net-consumption", "production"}) == {"net-consumption": 1}


def test_a_sum_has_the_current_and_power_factor_of_its_power() -> None:
    meters = {
        "net-consumption": Quantities(active_power=100, reactive_power=30, voltage=200, frequency=50),
        "production": Quantities(active_power=200, reactive_power=370),
    }
    found = add_up(dict.fromkeys(meters, 1), meters)
    # 300 W and 400 var are 500 VA.
    assert (found.apparent_power, found.current, found.power_factor) == (500, 2.5, 0.6)
    assert (found.voltage, found.frequency) == (200, 50)


def test_home_of_two_meters_needs_no_battery_unless_there_is_one() -> None:
    meters = {"production": Quantities(active_power=3000), "net-consumption": Quantities(active_power=-1000)}
    assert Site.from_quantities(meters).home_power == 2000
    assert Site.from_quantities(meters, unmetered_batteries=True).home_power is None


def test_total_consumption_is_home_if_there_may_be_unmetered_batteries() -> None:
    three = {"production", "net-consumption", "total-consumption"}
    assert home_terms(three, unmetered_batteries=None) == {"total-consumption": 1}
    assert home_terms(three | {"storage"}, unmetered_batteries=None).keys() == three - {
        "total-consumption"
    } | {"storage"}
    without_total = {"production", "net-consumption"}
    assert home_terms(without_total, unmetered_batteries=None) == home_terms(without_total)
    assert grid_terms(three - {"net-consumption"}, unmetered_batteries=None) == {
        "total-consumption": 1,
        "production": -1,
    }
