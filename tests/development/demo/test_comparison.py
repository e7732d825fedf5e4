"""The comparison of Home Assistant with the house: accepted and reported values."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from development.demo.comparison import Row, compare, format_table
from development.demo.day import Line
from development.demo.truth import Expected, Moments, Right, get_expected_entities
from enphase_companion.simulator.house import House
from enphase_companion.simulator.profiles import PROFILES

NOON = datetime(2026, 6, 21, 12, tzinfo=UTC).timestamp()
MOMENTS = Moments(reading=NOON, production=NOON, reported={}, request_times=lambda _: [NOON], started=NOON)


def shown(state: object, unit: str | None = None) -> dict[str, Any]:
    return {"entity_id": "sensor.x", "state": str(state), "attributes": {"unit_of_measurement": unit}}


def right(value: Right) -> Callable[[Moments], Right]:
    return lambda _: value


def off(each: Expected, state: dict[str, Any] | None) -> str:
    """Return why an entity deviates; empty if it does not."""
    states = {} if state is None else {"sensor.x": state}
    (row,) = compare([each], {each.unique_id: "sensor.x"}, states, MOMENTS, UTC)
    return row.off


@pytest.mark.parametrize(
    ("truth", "state", "unit", "deviation"),
    [
        (1000.0, 1009.9, "W", ""),
        (1000.0, 1010.1, "W", "off by 1.0%"),
        (-1000.0, -980.0, "W", "off by 2.0%"),
        (1000.0, 1.02, "kW", "off by 2.0%"),
        (1000.0, 1.0, "kW", ""),
        (1000.0, 1000.0, "Wh", "has the unit Wh"),
        (1000.0, 1000.0, None, "has the unit None"),
        (1000.0, -1000.0, "W", "off by 200.0%"),
        (0.0, 0.0, "W", ""),
        (0.0, 0.4, "W", "off by 0.4"),
    ],
)
def test_a_number_may_be_off_by_one_percent(
    truth: float, state: float, unit: str | None, deviation: str
) -> None:
    assert off(Expected("x", right((truth, truth)), "W", 0.001), shown(state, unit)) == deviation


def test_a_small_number_may_be_off_by_half_the_resolution_of_the_gateway() -> None:
    whole_watts = Expected("x", right((10.5, 10.5)), "W", 1)
    assert off(whole_watts, shown(11, "W")) == ""
    assert off(whole_watts, shown(10, "W")) == ""
    assert off(whole_watts, shown(12, "W")) == "off by 14.3%"


@pytest.mark.parametrize("state", ["unknown", "unavailable"])
def test_an_entity_without_a_value_is_reported(state: str) -> None:
    assert off(Expected("x", right("normal")), shown(state)) == "shows nothing"


@pytest.mark.parametrize(
    ("state", "deviation"),
    [("unknown", ""), ("unavailable", "differs"), ("2026-06-21T12:00:00+00:00", "differs")],
)
def test_an_event_that_has_not_happened_has_no_value(state: str, deviation: str) -> None:
    assert off(Expected("x", right("unknown"), silent=True), shown(state)) == deviation


def test_a_missing_entity_is_reported() -> None:
    assert off(Expected("x", right("normal")), None) == "missing"
    assert compare([Expected("x", right("normal"))], {}, {}, MOMENTS, UTC) == [Row("x", "-", "-", "missing")]


def test_an_entity_without_an_expected_value_is_reported() -> None:
    (row,) = compare([], {"new": "sensor.new"}, {"sensor.new": shown(1)}, MOMENTS, UTC)
    assert (row.name, row.off) == ("sensor.new", "not expected")


@pytest.mark.parametrize(("state", "deviation"), [("normal", ""), ("check-wiring", "differs")])
def test_texts_must_match(state: str, deviation: str) -> None:
    assert off(Expected("x", right("normal")), shown(state)) == deviation


@pytest.mark.parametrize(
    ("state", "deviation"),
    [
        ("2026-06-21T12:00:00+00:00", ""),
        ("2026-06-21T14:00:00+02:00", ""),
        ("2026-06-21T12:00:01+00:00", "differs"),
        ("2026-06-21T11:59:59+00:00", "differs"),
    ],
)
def test_times_must_match(state: str, deviation: str) -> None:
    assert off(Expected("x", right((NOON, NOON)), "time"), shown(state)) == deviation


def test_the_table_marks_deviations() -> None:
    lines = format_table([Row("Power", "1 W", "1 W"), Row("Firmware", "8", "9", "differs")]).splitlines()
    assert lines[0].split("|") == ["sensor   ", " Home Assistant ", " truth"]
    assert not lines[2].endswith("differs")
    assert lines[3].endswith("9 <-- differs")


def of_profile(name: str) -> tuple[House, dict[str, Expected]]:
    house = House(PROFILES[name], 1, NOON, longitude=0)
    entities = get_expected_entities(house, "122300000001", (NOON, NOON), NOON)
    return house, {each.unique_id.removeprefix("122300000001_"): each for each in entities}


def value(each: Expected) -> float:
    found = each.right(MOMENTS)
    assert not isinstance(found, str)
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize("profile", ["single-phase", "split-phase", "three-phase", "battery"])
def test_the_expected_home_power_is_the_sum_of_production_grid_and_battery(profile: str) -> None:
    _, entities = of_profile(profile)
    parts = [
        value(entities[key]) for key in ("production_power", "grid_power", "battery_power") if key in entities
    ]
    assert len(parts) == (3 if profile == "battery" else 2)
    assert value(entities["home_power"]) == pytest.approx(sum(parts))


def test_the_expected_voltage_is_line_to_line_in_split_phase_and_to_neutral_otherwise() -> None:
    for profile, volts in (("single-phase", 230), ("split-phase", 240), ("three-phase", 230)):
        _, entities = of_profile(profile)
        assert value(entities["704643328_production_voltage"]) == pytest.approx(volts, rel=0.03)


def test_no_grid_values_are_expected_without_a_grid_meter() -> None:
    _, entities = of_profile("production-only")
    assert not {"grid_power", "home_power", "battery_power", "grid_energy_imported"} & set(entities)
    _, entities = of_profile("no-meters")
    assert not {"grid_power", "home_power"} & set(entities)
    assert "last_reading" in entities
    assert value(entities["production_power"]) > 100


@pytest.mark.parametrize("profile", ["three-phase", "battery"])
def test_every_number_that_is_off_by_two_percent_is_reported(profile: str) -> None:
    house, _ = of_profile(profile)
    entities = get_expected_entities(house, "122300000001", (NOON, NOON), NOON)
    reported = {each.unique_id.partition("_")[0]: NOON for each in entities}
    moments = replace(MOMENTS, reported=reported)
    scaled = 0
    for each in entities:
        truth = each.right(moments)
        # Deviations of half the resolution of the gateway are accepted.
        if isinstance(truth, str) or each.unit == "time" or 0.02 * abs(truth[1]) <= 0.51 * each.step:
            continue
        state = shown(truth[1] * 1.02, each.unit or None)
        (row,) = compare([each], {each.unique_id: "sensor.x"}, {"sensor.x": state}, moments, UTC)
        assert row.off.startswith("off by"), each.unique_id
        scaled += 1
    assert scaled > 60


@pytest.mark.parametrize(
    ("stored", "off"),
    [
        (10_009.0, ""),
        (9_991.0, ""),
        (10_020.0, "differ by 0.20%"),
        (0.0, "differ by 100.00%"),
        (None, "not in the database"),
    ],
)
def test_the_comparison_reports_more_than_a_thousandth(stored: float | None, off: str) -> None:
    assert Line("produced", 10_000.0, stored, 10_000.0).off == off
