"""The map of the panels: where each is, its colour, and what does not report."""

from __future__ import annotations

import numpy as np
import pytest

from enphase_companion.displays.frames import EMBERS, SIZE, Frame
from enphase_companion.displays.panels import MOST, SILENT, Array, draw_panels, rectangle
from enphase_companion.displays.state import DisplayState, Powers
from enphase_companion.message import InverterSample, Message

NOW = 1_782_000_000.0


def find_rectangles(frame: Frame) -> list[tuple[int, int, int, int]]:
    """Return top, left, height and width of each colour's LEDs, in the order of the colours' first LEDs."""
    found: dict[tuple[int, ...], list[tuple[int, int]]] = {}
    for row, column in np.argwhere(frame.any(axis=2)):
        found.setdefault(tuple(frame[row, column].tolist()), []).append((row, column))
    places = [(np.min(leds, axis=0), np.max(leds, axis=0), len(leds)) for leds in found.values()]
    for low, high, count in places:
        assert np.prod(high - low + 1) == count, "a colour is not one rectangle"
    return [(*low.tolist(), *(high - low + 1).tolist()) for low, high, _ in places]


@pytest.mark.parametrize("count", [*range(1, 21), 24, 30, 40, 60, 64, 100, 128, 200, MOST])
def test_each_panel_is_a_rectangle_of_its_own_and_all_have_the_same_size(count: int) -> None:
    powers = tuple(100.0 * (number + 1) / count for number in range(count))
    found = find_rectangles(draw_panels(Array(powers, 100.0), 0))
    # Neighbours whose colours round to the same would be one: that happens to very many only.
    if count <= 100:
        assert len(found) == count
        assert len({(height, width) for *_, height, width in found}) == 1
    assert found[0][:2] == min(place[:2] for place in found)


@pytest.mark.parametrize(
    ("count", "size"),
    [(1, (16, 16)), (2, (8, 16)), (10, (4, 5)), (20, (3, 4)), (60, (2, 2)), (65, (1, 2)), (256, (1, 1))],
)
def test_the_rectangles_are_as_large_as_fits(count: int, size: tuple[int, int]) -> None:
    assert rectangle(count) == size


@pytest.mark.parametrize("count", [257, 300, 700])
def test_more_panels_than_leds_are_shown_on_several_pictures_of_about_the_same_size(count: int) -> None:
    pages = list(Array(tuple(map(float, range(count))), 1.0).pages())
    assert [watts for page in pages for watts in page.powers] == list(map(float, range(count)))
    sizes = [len(page.powers) for page in pages]
    assert len(sizes) == -(-count // MOST)
    assert max(sizes) - min(sizes) < len(sizes)
    assert max(sizes) <= MOST
    assert list(Array().pages()) == []


def test_the_colour_is_the_power_against_the_most() -> None:
    frame = draw_panels(Array((300.0, 0.0, 150.0, 900.0), 300.0), 0)
    most, none, half, more = (tuple(frame[row, column].tolist()) for row in (3, 11) for column in (3, 11))
    assert most == more == EMBERS[-1]
    assert 0 < sum(none) < sum(half) < sum(most)


def test_a_panel_that_does_not_report_goes_on_and_off() -> None:
    array = Array((300.0, None), 300.0)
    lit = [tuple(draw_panels(array, seconds)[8, 12].tolist()) for seconds in (0, 0.8)]
    assert lit == [SILENT, (0, 0, 0)]
    assert len({tuple(draw_panels(array, seconds)[8, 3].tolist()) for seconds in (0, 0.8)}) == 1


def test_panels_appear_one_after_the_other() -> None:
    array = Array((300.0,) * 64, 300.0)
    lit = [np.count_nonzero(draw_panels(array, 0, grown).any(axis=2)) for grown in (0.25, 0.5, 1)]
    assert lit == [SIZE * SIZE // 4, SIZE * SIZE // 2, SIZE * SIZE]


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


def take(state: DisplayState, *reports: tuple[int, float | None], ago: float = 0, at: float = NOW) -> None:
    """Take the reports of panels by number and power, made some seconds before the message."""
    samples = tuple(
        InverterSample(f"4821{number:08}", round((at - ago) * 1000), power, None) for number, power in reports
    )
    state.take_message(Message("1", at, (), inverters=samples))


def get_powers(state: DisplayState) -> tuple[float | None, ...]:
    return state.array.powers


def test_panels_are_in_the_order_of_their_serial_numbers_and_several_messages_are_one_array() -> None:
    state = DisplayState(lambda: None, capacity=1_200, clock=Clock())
    take(state, (3, 30.0), (1, 10.0))
    take(state, (4, 40.0), (2, 20.0))
    assert state.array == Array((10.0, 20.0, 30.0, 40.0), 300.0)


def test_without_a_capacity_the_most_is_what_any_panel_has_shown() -> None:
    state = DisplayState(lambda: None, clock=Clock())
    take(state, (1, 310.0), (2, 20.0))
    take(state, (1, 10.0), (2, 20.0), at=NOW + 300)
    assert state.array == Array((10.0, 20.0), 310.0)


def test_a_late_message_does_not_replace_newer_reports() -> None:
    state = DisplayState(lambda: None, clock=Clock())
    take(state, (1, 310.0))
    take(state, (1, 10.0), at=NOW - 300)
    assert get_powers(state) == (310.0,)


def test_a_clock_of_the_gateway_that_was_ahead_once_silences_no_panel() -> None:
    clock = Clock()
    state = DisplayState(lambda: None, clock=clock)
    take(state, (1, 300.0), (2, 200.0), ago=-10_000_000)
    clock.now += 300
    take(state, (1, 290.0), (2, 190.0), at=clock.now)
    assert get_powers(state) == (290.0, 190.0)
    clock.now += 300
    take(state, (1, 280.0), at=clock.now)
    assert get_powers(state) == (280.0, 190.0)


def test_the_number_of_panels_is_limited() -> None:
    state = DisplayState(lambda: None, clock=Clock())
    for first in range(0, 2_000, 400):
        take(state, *((number, 1.0) for number in range(first, first + 400)))
    take(state, (0, 300.0), (5_000, 300.0))
    assert len(get_powers(state)) == 1_000
    assert get_powers(state).count(300.0) == 1


@pytest.mark.parametrize("wrong", [0, -86_400, 86_400])
def test_a_panel_is_silent_if_others_have_reported_an_hour_later_whatever_the_gateways_clock(
    wrong: float,
) -> None:
    clock = Clock()
    state = DisplayState(lambda: None, capacity=600, clock=clock)
    state.take(Powers(500, 100, NOW))
    take(state, (1, 300.0), (2, 200.0), ago=wrong)
    clock.now += 3_000
    take(state, (1, 290.0), ago=wrong, at=clock.now)
    assert get_powers(state) == (290.0, 200.0)
    clock.now += 1_200
    take(state, (1, 280.0), ago=wrong, at=clock.now)
    assert get_powers(state) == (280.0, None)
    # At night that is no news.
    state.take(Powers(1, 100, clock.now))
    assert get_powers(state) == (280.0, 0.0)


def test_panels_that_nobody_reads_any_more_are_not_shown() -> None:
    clock = Clock()
    state = DisplayState(lambda: None, clock=clock)
    take(state, (1, 300.0))
    clock.now += 3_800
    assert get_powers(state) == (300.0,)
    clock.now += 200
    assert state.array == Array()
