"""The bar chart, LED by LED."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enphase_companion.displays.bars import (
    BEYOND,
    BOUGHT,
    LINE,
    MARK,
    ROWS,
    STRAINED,
    SURPLUS,
    USED,
    Chart,
    draw_bars,
    growth,
)
from enphase_companion.displays.frames import Colour, Frame

PRODUCTION, CONSUMPTION, ALONE = 3, 11, 7


def get_column(frame: Frame, number: int) -> list[Colour]:
    """Return the LEDs of a column from bottom to top, without the base line."""
    return [tuple(led) for led in frame[:ROWS, number][::-1].tolist()]


def count_height(frame: Frame, number: int) -> int:
    return sum(led not in ((0, 0, 0), MARK) for led in get_column(frame, number))


def test_the_full_height_is_the_capacity_of_the_array() -> None:
    frame = draw_bars(Chart(1_500, 750, capacity=1_500))
    assert (count_height(frame, PRODUCTION), count_height(frame, CONSUMPTION)) == (15, 8)


def test_self_consumption_is_orange_in_both_bars_and_surplus_yellow() -> None:
    frame = draw_bars(Chart(1_000, 400, capacity=1_500))
    produced, consumed = get_column(frame, PRODUCTION), get_column(frame, CONSUMPTION)
    assert produced[:4] == consumed[:4] == [USED] * 4
    for led in produced[4:10]:
        assert all(min(a, b) <= value <= max(a, b) for value, a, b in zip(led, USED, SURPLUS, strict=True))
        assert led != USED
    assert produced[10:] == [(0, 0, 0)] * 5
    assert consumed[4:] == [(0, 0, 0)] * 11


def test_imported_power_is_blue() -> None:
    taken = get_column(draw_bars(Chart(300, 1_000, capacity=1_500)), CONSUMPTION)
    assert taken == [USED] * 3 + [BOUGHT] * 7 + [(0, 0, 0)] * 5


def test_a_fraction_of_an_led_is_darker() -> None:
    taken = get_column(draw_bars(Chart(0, 125, capacity=1_500)), CONSUMPTION)
    assert taken[0] == BOUGHT
    assert taken[1] == tuple(round(value * 0.25) for value in BOUGHT)


def test_power_above_the_capacity_exceeds_a_mark_across_all_columns() -> None:
    frame = draw_bars(Chart(3_000, 100, capacity=1_500), moved=2.5)
    row = ROWS - 8
    assert {tuple(led) for led in frame[row].tolist()} == {MARK}
    beyond = get_column(frame, PRODUCTION)[9:]
    assert all(led[2] > SURPLUS[2] for led in beyond), "white, which has blue in it"
    assert max(beyond) == BEYOND or max(beyond) > SURPLUS


def test_consumption_above_the_capacity_fits() -> None:
    frame = draw_bars(Chart(500, 6_000, capacity=1_500))
    assert count_height(frame, CONSUMPTION) == 14, "all but the mark"
    assert count_height(frame, PRODUCTION) == 2


def test_below_the_capacity_its_mark_is_at_the_top_between_the_bars() -> None:
    frame = draw_bars(Chart(100, 100, capacity=1_500))
    assert np.argwhere((frame == MARK).all(axis=2)).tolist() == [[0, 0], [0, 7], [0, 8], [0, 15]]


def test_production_above_the_capacity_is_red() -> None:
    produced = get_column(draw_bars(Chart(1_500, 1_500, capacity=1_500, continuous=1_000)), PRODUCTION)
    assert produced == [USED] * 10 + [STRAINED] * 5


@pytest.mark.parametrize("capacity", [None, 0.0, 1_500.0])
@pytest.mark.parametrize(("production", "consumption"), [(0, 0), (0, None), (None, None), (-3.5, 0)])
def test_only_the_base_line_is_lit_at_zero_power(
    production: float | None, consumption: float | None, capacity: float | None
) -> None:
    frame = draw_bars(Chart(production, consumption, capacity))
    assert {tuple(led) for led in frame[ROWS].tolist()} == {LINE}
    others = {tuple(led) for led in frame[:ROWS].reshape(-1, 3).tolist()}
    assert others <= {(0, 0, 0), MARK}
    assert (MARK in others) == bool(capacity)


def test_without_a_known_capacity_the_larger_bar_fills_the_height() -> None:
    frame = draw_bars(Chart(900, 300))
    assert (count_height(frame, PRODUCTION), count_height(frame, CONSUMPTION)) == (15, 5)
    assert not (frame == MARK).all(axis=2).any()


@pytest.mark.parametrize("chart", [Chart(700, None, 1_500), Chart(None, 700, 1_500)])
def test_a_single_metered_quantity_is_in_the_middle(chart: Chart) -> None:
    lit = draw_bars(chart)[1:ROWS].any(axis=(0, 2))
    assert np.flatnonzero(lit).tolist() == list(range(4, 12))


def test_bars_grow_to_their_height_and_stay() -> None:
    chart = Chart(1_500, 700, capacity=1_500)
    steps = list(growth(20, 30))
    heights = [count_height(draw_bars(chart, *step), PRODUCTION) for step in steps]
    assert len(heights) == 50
    assert heights == sorted(heights)
    assert heights[0] < 5
    assert heights[19:] == [15] * 31


watts = st.none() | st.floats(-1e7, 1e7, allow_nan=False)


@given(watts, watts, watts, watts, st.floats(0, 1), st.floats(0, 1e4))
def test_any_power_can_be_drawn(
    production: float | None,
    consumption: float | None,
    capacity: float | None,
    continuous: float | None,
    grown: float,
    moved: float,
) -> None:
    frame = draw_bars(Chart(production, consumption, capacity, continuous), grown, moved)
    assert frame.shape == (16, 16, 3)
    assert frame.dtype.name == "uint8"
