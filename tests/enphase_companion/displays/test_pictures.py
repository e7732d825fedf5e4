"""Frames, weather icons and text."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from enphase_companion import units
from enphase_companion.displays.frames import (
    SIZE,
    Colour,
    Frame,
    blank,
    fade,
    mix,
    paste,
    sprite,
    to_light,
    to_screen,
)
from enphase_companion.displays.icons import PERIOD, Weather, icon, waiting, warning
from enphase_companion.displays.text import GLYPHS, render, scale2x, scroll

RED: Colour = (255, 0, 0)


def get_led(frame: Frame, row: int, column: int) -> Colour:
    red, green, blue = frame[row, column].tolist()
    return red, green, blue


def list_times(count: int = 16) -> list[float]:
    return [PERIOD * number / count for number in range(count)]


def test_a_sprite_is_pasted_at_its_position_and_clipped_at_the_edges() -> None:
    corner = sprite("RR RR", {"R": RED})
    frame = blank()
    paste(frame, corner, 15, -1)
    assert np.argwhere(frame.any(axis=2)).tolist() == [[0, 15]]
    assert get_led(frame, 0, 15) == RED
    for x, y in ((-2, 0), (16, 0), (0, -2), (0, 16), (40, 40)):
        before = frame.copy()
        paste(frame, corner, x, y)
        assert np.array_equal(frame, before)


def test_a_sprite_between_two_leds_is_split_between_them() -> None:
    frame = blank()
    paste(frame, sprite("R", {"R": RED}), 3.25, 5)
    assert (get_led(frame, 5, 3), get_led(frame, 5, 4)) == ((191, 0, 0), (64, 0, 0))


def test_transparent_pixels_keep_the_background() -> None:
    frame = blank((0, 0, 200))
    paste(frame, sprite("R.", {"R": RED}), 0, 0)
    assert (get_led(frame, 0, 0), get_led(frame, 0, 1)) == (RED, (0, 0, 200))


def test_a_faded_frame_is_grey_and_darker() -> None:
    grey = fade(blank((255, 120, 0)))
    assert len(set(get_led(grey, 0, 0))) == 1
    assert 0 < grey.max() < 120


def test_screen_colours_are_gamma_corrected() -> None:
    assert get_led(to_screen(blank((255, 255, 255)), 0.5, 0), 0, 0) == (186, 186, 186)
    assert get_led(to_light(blank((255, 186, 0))), 0, 0) == (255, 127, 0)
    assert to_screen(blank((255, 255, 255)), 0, 0).max() == 0


def test_rotation_on_a_screen_equals_that_of_the_hat() -> None:
    frame = blank()
    frame[0, 15] = RED
    assert get_led(to_screen(frame, 1, 90), 0, 0) == RED


def test_a_mixed_colour_is_between_its_components() -> None:
    assert mix((0, 0, 0), (200, 100, 50), 0.5) == (100, 50, 25)
    assert mix((0, 0, 0), (200, 100, 50), 7) == (200, 100, 50)


@pytest.mark.parametrize("weather", Weather)
def test_every_weather_icon_moves_in_a_seamless_loop(weather: Weather) -> None:
    frames = [icon(weather, seconds) for seconds in list_times()]
    assert all(frame.shape == (SIZE, SIZE, 3) and frame.dtype.name == "uint8" for frame in frames)
    assert any(not np.array_equal(frames[0], frame) for frame in frames)
    assert np.array_equal(icon(weather, 0), icon(weather, PERIOD))


def test_all_weather_icons_differ() -> None:
    first = [icon(weather, 0.5).astype(int) for weather in Weather]
    for number, frame in enumerate(first):
        for other in first[:number]:
            assert np.abs(frame - other).mean() > 5


def test_the_sun_is_yellow_in_a_blue_sky_and_the_night_is_dark() -> None:
    red, green, blue = get_led(icon(Weather.CLEAR_DAY, 0), 8, 8)
    assert red > 200 < green
    assert blue < red
    red, green, blue = get_led(icon(Weather.PARTLY_CLOUDY_DAY, 0), 0, 15)
    assert blue > red + green
    assert icon(Weather.CLEAR_NIGHT, 0).mean() < icon(Weather.CLEAR_DAY, 0).mean()


def test_rain_falls() -> None:
    def find_lowest_drop(seconds: float) -> int:
        drops = (icon(Weather.RAIN, seconds)[8:, 2] == (70, 160, 255)).all(axis=1)
        return int(np.flatnonzero(drops).max(initial=-1))

    fall = [find_lowest_drop(seconds) for seconds in (0.2, 0.4, 0.6)]
    assert fall == sorted(fall)
    assert fall[0] < fall[-1]


def test_lightning_flashes_briefly() -> None:
    yellow = [
        int((icon(Weather.THUNDER, seconds) == (255, 225, 60)).all(axis=2).sum()) for seconds in (0.1, 2)
    ]
    assert yellow[0] > 10
    assert yellow[1] == 0


def test_the_warning_and_waiting_icons_are_lit_and_move() -> None:
    for sign in (warning, waiting):
        first, later = sign(0), sign(0.5)
        assert first.any()
        assert not np.array_equal(first, later)


def test_all_glyphs_are_eight_pixels_high_and_differ() -> None:
    assert {glyph.shape[0] for glyph in GLYPHS.values()} == {8}
    draw_leds = {(glyph.shape, glyph.tobytes()) for glyph in GLYPHS.values()}
    assert len(draw_leds) == len(GLYPHS)
    # No column is empty: glyphs are one pixel apart.
    for name, glyph in GLYPHS.items():
        assert glyph[:, 0].any(), name
        assert glyph[:, -1].any(), name


@pytest.mark.parametrize("text", [units.format_power(value) for value in (None, 0, -7.4, 999, 1_234_567.8)])
def test_every_power_can_be_written(text: str) -> None:
    assert set(text) - {" "} <= GLYPHS.keys()


def test_an_unknown_character_is_a_question_mark() -> None:
    assert np.array_equal(render("€"), render("?"))
    assert render("").shape == (8, 0)


def test_scale2x_smooths_slopes_and_keeps_straight_lines() -> None:
    slope = scale2x(np.array([[True, False], [False, True]]))
    assert slope.tolist() == [
        [True, True, False, False],
        [True, True, True, False],
        [False, True, True, True],
        [False, False, True, True],
    ]
    line = np.array([[False, True, False]] * 3)
    assert np.array_equal(scale2x(line), line.repeat(2, axis=0).repeat(2, axis=1))


def test_text_scrolls_from_right_to_left_by_one_led() -> None:
    frames = list(scroll("215 W", (255, 120, 0)))
    width = scale2x(render("215 W")).shape[1]
    assert len(frames) == width + SIZE + 1
    assert not frames[0].any()
    assert not frames[-1].any()
    for before, after in pairwise(frames):
        assert np.array_equal(before[:, 1:], after[:, :-1])
    assert not frames[1][:, :-1].any()


def test_numbers_are_vertically_centred() -> None:
    rows = np.any([frame.any(axis=(1, 2)) for frame in scroll("88", (255, 120, 0))], axis=0)
    assert np.flatnonzero(rows).tolist() == list(range(1, 15))


def test_letters_are_one_dot_apart_and_words_four() -> None:
    one = GLYPHS["1"].shape[1]
    assert render("11").shape[1] == 2 * one + 1
    assert render("1 1").shape[1] == 2 * one + 4
    assert not render("11")[:, one].any()
    assert not render("1 1")[:, one:-one].any()


def test_a_letter_with_a_descender_reaches_the_lowest_row() -> None:
    rows = np.any([frame.any(axis=(1, 2)) for frame in scroll("g", (255, 120, 0))], axis=0)
    assert rows[SIZE - 1]
