"""The playlist: what is shown for recent, old and missing readings, and for problems."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from enphase_api.models import Quantities
from enphase_companion.config import settings
from enphase_companion.displays import playlist
from enphase_companion.displays.bars import Chart, draw_bars
from enphase_companion.displays.frames import Frame, fade
from enphase_companion.displays.icons import PERIOD, Weather, icon, waiting, warning
from enphase_companion.displays.panels import draw_panels
from enphase_companion.displays.playlist import FRAME, render_round
from enphase_companion.displays.state import STALE, DisplayState, GatewayFilter, Powers
from enphase_companion.displays.text import scroll
from enphase_companion.message import InverterSample, Message, Sample

STEP = 0.05
CAPACITY = 5_000.0
SCENES = ("weather", "power", "bars")


class Clock:
    now = 1_782_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def problems() -> list[str]:
    return []


@pytest.fixture
def state(clock: Clock, problems: list[str]) -> DisplayState:
    return DisplayState(lambda: problems[-1] if problems else None, capacity=CAPACITY, clock=clock)


def take(
    state: DisplayState, clock: Clock, production: float | None = 3_420, consumption: float | None = 900
) -> None:
    state.take(Powers(production, consumption, clock.now))


def render_frames(state: DisplayState) -> list[Frame]:
    return [frame for frame, _ in render_round(state, STEP, SCENES)]


def get_shape(frame: Frame) -> bytes:
    """Return which LEDs are lit, of any colour."""
    return frame.any(axis=2).tobytes()


def is_text_in(frames: list[Frame], text: str) -> bool:
    """Whether a text scrolls by."""
    expected = [get_shape(frame) for frame in scroll(text, (255, 255, 255))]
    found = [get_shape(frame) for frame in frames]
    return any(found[start : start + len(expected)] == expected for start in range(len(found)))


def contains(frames: list[Frame], picture: Frame) -> bool:
    return any(np.array_equal(frame, picture) for frame in frames)


def test_weather_is_followed_by_power_and_bars(state: DisplayState, clock: Clock) -> None:
    state.weather = Weather.RAIN
    take(state, clock)
    frames = render_frames(state)
    assert np.array_equal(frames[0], icon(Weather.RAIN, 0))
    after_weather = frames[round(PERIOD / FRAME) :]
    assert not after_weather[0].any()
    assert is_text_in(after_weather, "3.42 kW")
    assert contains(frames[-30:], draw_bars(Chart(3_420, 900, CAPACITY), 1, 30.25))
    assert not is_text_in(frames, "no data")


def render_scenes(state: DisplayState, *scenes: str) -> list[Frame]:
    return [frame for frame, _ in render_round(state, STEP, scenes)]


def test_every_scene_has_a_name_that_the_setting_allows() -> None:
    assert tuple(playlist.SCENES) == settings.SCENES


def test_scenes_are_shown_in_the_order_of_the_setting(state: DisplayState, clock: Clock) -> None:
    state.weather = Weather.RAIN
    take(state, clock)
    bars, weather = render_scenes(state, "bars"), render_scenes(state, "weather")
    both = render_scenes(state, "bars", "weather", "bars")
    assert np.array_equal(both, [*bars, *weather, *bars])


def test_the_energy_of_the_day_is_text_that_says_if_its_begin_was_missed(
    state: DisplayState, clock: Clock
) -> None:
    for watt_hours in (5_000_000, 5_012_300):
        clock.now += 3_600
        state.take(Powers(3_000, 500, clock.now, watt_hours))
    assert is_text_in(render_scenes(state, "energy"), "> 12.3 kWh")
    state.day.is_whole = True
    assert is_text_in(render_scenes(state, "energy"), "12.3 kWh")
    assert not is_text_in(render_scenes(state, "energy"), "> 12.3 kWh")


def test_the_day_stays_when_it_has_run_in(state: DisplayState, clock: Clock) -> None:
    take(state, clock)
    frames = render_scenes(state, "day")
    assert np.array_equal(frames[-1], frames[-40])
    assert frames[-1][:, -1].any()


def take_panels(state: DisplayState, clock: Clock, count: int) -> None:
    at = round(clock.now * 1000)
    samples = tuple(InverterSample(f"4821{number:08}", at, 300.0, None) for number in range(count))
    state.take_message(Message("1", clock.now, (), inverters=samples))


@pytest.mark.parametrize(("count", "pictures"), [(20, 1), (300, 2)])
def test_the_panels_are_shown_in_as_many_pictures_as_they_need(
    state: DisplayState, clock: Clock, count: int, pictures: int
) -> None:
    take(state, clock)
    take_panels(state, clock, count)
    frames = render_scenes(state, "panels")
    assert len(frames) == 125 * pictures
    assert np.array_equal(frames[-1], draw_panels([*state.array.pages()][-1], 0))


@pytest.mark.parametrize("scene", ["weather", "energy", "panels"])
def test_a_scene_without_values_is_left_out_and_a_round_is_never_empty(
    state: DisplayState, clock: Clock, scene: str
) -> None:
    take(state, clock)
    assert np.array_equal(render_scenes(state, scene), [waiting(number * FRAME) for number in range(80)])
    assert np.array_equal(render_scenes(state, scene, "bars"), render_scenes(state, "bars"))


def test_old_scenes_are_without_colour_but_the_weather_is_current(state: DisplayState, clock: Clock) -> None:
    state.weather = Weather.SNOW
    take(state, clock)
    take_panels(state, clock, 20)
    fresh = render_scenes(state, "panels", "weather")
    clock.now += 600
    old = render_scenes(state, "panels", "weather")[-len(fresh) :]
    assert np.array_equal(old[:125], [fade(frame) for frame in fresh[:125]])
    assert np.array_equal(old[125:], fresh[125:])


def test_it_is_night_while_the_array_produces_next_to_nothing(clock: Clock) -> None:
    state = DisplayState(lambda: None, capacity=10_000, clock=clock)
    seen = []
    for production in (900, 49, 99, 101, 60, None, -3, None):
        take(state, clock, production)
        seen.append(state.is_night)
    assert seen == [False, True, True, False, False, False, True, True]


def test_the_weather_icon_is_left_out_without_weather(state: DisplayState, clock: Clock) -> None:
    take(state, clock)
    assert is_text_in(render_frames(state)[:110], "3.42 kW")


def test_a_round_takes_some_seconds_and_text_scrolls_at_its_own_rate(
    state: DisplayState, clock: Clock
) -> None:
    state.weather = Weather.SNOW
    take(state, clock)
    seconds = [seconds for _, seconds in render_round(state, STEP, SCENES)]
    assert set(seconds) == {FRAME, STEP}
    assert 10 < sum(seconds) < 20


def test_the_bars_follow_new_readings(state: DisplayState, clock: Clock) -> None:
    take(state, clock)
    frames = (frame for frame, _ in render_round(state, STEP, SCENES))
    for frame in frames:
        if np.array_equal(frame[15, 0], (60, 60, 70)):
            break
    take(state, clock, 1_000, 1_000)
    rest = list(frames)
    assert contains(rest[25:], draw_bars(Chart(1_000, 1_000, CAPACITY), 1, 10))


@pytest.mark.parametrize(
    ("production", "consumption", "text"),
    [
        (0, 300, "0 W"),
        (-4.2, 300, "-4 W"),
        (999.6, 0, "1.00 kW"),
        (12_340, 0, "12.34 kW"),
        (None, 870, "870 W"),
    ],
)
def test_the_text_is_production_or_else_the_metered_quantity(
    state: DisplayState, clock: Clock, production: float | None, consumption: float | None, text: str
) -> None:
    take(state, clock, production, consumption)
    assert is_text_in(render_frames(state), text)


def find_brightest(frames: Iterator[Frame]) -> int:
    return max(int(frame.sum(axis=2).max()) for frame in frames)


def test_numbers_are_brighter_with_more_production(state: DisplayState, clock: Clock) -> None:
    lights = []
    for watts in (1_000, 2_000, 3_000, 4_000, 5_000):
        take(state, clock, watts)
        # The first two digits are visible.
        frames = (frame for frame, _ in render_round(state, STEP, SCENES))
        lights.append(find_brightest(itertools.islice(frames, 30)))
    assert lights == sorted(lights)
    assert len(set(lights)) == len(lights)


def test_an_old_reading_is_shown_with_its_age_and_without_colour(state: DisplayState, clock: Clock) -> None:
    take(state, clock)
    clock.now += STALE
    assert not is_text_in(render_frames(state), "no data")
    clock.now += 12 * 60
    frames = render_frames(state)
    assert np.array_equal(frames[0], warning(0))
    assert is_text_in(frames, "no data 13 min")
    assert is_text_in(frames, "3.42 kW")
    assert contains(frames[-30:], fade(draw_bars(Chart(3_420, 900, CAPACITY), 1, 30.25)))
    assert not contains(frames, draw_bars(Chart(3_420, 900, CAPACITY), 1, 30.25))


@pytest.mark.parametrize(
    ("seconds", "age"),
    [(61, "1 min"), (3_599, "59 min"), (3_600, "1 h"), (100_000, "27 h"), (200_000, "2 d")],
)
def test_an_age_has_a_suitable_unit(state: DisplayState, clock: Clock, seconds: float, age: str) -> None:
    take(state, clock)
    clock.now += seconds
    assert is_text_in(render_frames(state), f"no data {age}")


def test_a_problem_is_shown_only_once_readings_are_old(
    state: DisplayState, clock: Clock, problems: list[str]
) -> None:
    take(state, clock)
    problems.append("broker?")
    assert not is_text_in(render_frames(state), "broker?")
    clock.now += 120
    assert is_text_in(render_frames(state), "broker? 2 min")


def test_the_sun_rises_before_the_first_reading(state: DisplayState) -> None:
    frames = render_frames(state)
    assert np.array_equal(frames[10], waiting(10 * FRAME))
    assert len(frames) == round(PERIOD / FRAME)


def test_a_problem_before_the_first_reading_is_shown(state: DisplayState, problems: list[str]) -> None:
    problems.append("gateway?")
    frames = render_frames(state)
    assert np.array_equal(frames[0], warning(0))
    assert is_text_in(frames, "gateway?")


def test_a_delayed_reading_is_old_on_arrival(state: DisplayState, clock: Clock) -> None:
    state.take(Powers(3_420, 900, clock.now - 7_200))
    assert not state.is_fresh


@pytest.mark.parametrize("ahead", [-100, 100, 10_000])
def test_a_reading_from_the_future_is_recent(state: DisplayState, clock: Clock, ahead: float) -> None:
    state.take(Powers(3_420, 900, clock.now + ahead))
    assert state.is_fresh


def test_an_older_message_does_not_replace_a_newer_one(state: DisplayState, clock: Clock) -> None:
    take(state, clock)
    state.take(Powers(1, 1, clock.now - 5))
    assert state.chart.production == 3_420


def test_the_full_height_without_a_capacity_is_the_highest_power_so_far(clock: Clock) -> None:
    state = DisplayState(lambda: None, clock=clock)
    assert state.chart.top == 0
    for watts in (2_000, 4_000, 1_000):
        clock.now += 1
        take(state, clock, watts, 500)
    assert state.chart.top == 4_000


def test_the_full_height_without_a_capacity_includes_consumption(clock: Clock) -> None:
    state = DisplayState(lambda: None, clock=clock)
    take(state, clock, None, 2_500)
    assert state.chart.top == 2_500


def test_the_summary_names_both_powers(state: DisplayState, clock: Clock) -> None:
    assert state.summary == "nothing read yet"
    take(state, clock)
    assert state.summary == "production 3.42 kW, home 900 W"


def test_the_powers_of_a_message_are_those_of_whole_meters_read_together() -> None:
    power = Quantities(active_power=3000.0)
    phase = Sample("production", 1, 1, Quantities(active_power=1000.0))
    samples = (Sample("production", 0, 1, power), phase, Sample("net-consumption", 0, 1, power))
    together = Powers.from_message(Message("1", 5.0, samples, None, False))
    assert (together.production, together.consumption) == (3000, 6000)
    samples = (*samples[:2], Sample("net-consumption", 0, 60_001, power))
    assert Powers.from_message(Message("1", 65.0, samples, None, False)).consumption is None


def build_message(
    *powers: tuple[str, float], unmetered_batteries: bool = False, gateway: str = "1"
) -> Message:
    samples = tuple(Sample(name, 0, 1, Quantities(active_power=power)) for name, power in powers)
    return Message(gateway, 5.0, samples, None, unmetered_batteries)


@pytest.mark.parametrize(
    ("expected", "powers"),
    [
        (build_message(("production", 3000), ("net-consumption", -2000)), (3000, 1000)),
        (build_message(("production", 3000), ("net-consumption", -2000), ("storage", -500)), (3000, 500)),
        (build_message(("production", 3000), ("total-consumption", 800)), (3000, 800)),
        (
            build_message(("production", 3000), ("net-consumption", -2000), unmetered_batteries=True),
            (3000, None),
        ),
        (build_message(("production", 3000)), (3000, None)),
        (build_message(("total-consumption", 800)), (None, 800)),
        (build_message(), (None, None)),
    ],
)
def test_consumption_is_calculated_if_possible(
    expected: Message, powers: tuple[float | None, float | None]
) -> None:
    found = Powers.from_message(expected)
    assert (found.production, found.consumption, found.read_at) == (*powers, 5.0)


def test_one_of_several_gateways_is_shown_and_the_others_are_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gateway_filter = GatewayFilter(None)
    assert [gateway_filter.accepts(build_message(gateway=serial)) for serial in ("1", "2", "1", "2")] == [
        True,
        False,
    ] * 2
    assert len(caplog.records) == 1
    assert "gateway 2" in caplog.text
    assert not GatewayFilter("3").accepts(build_message(gateway="1"))


def test_the_log_names_a_limited_number_of_gateways(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gateway_filter = GatewayFilter("1")
    assert not any(gateway_filter.accepts(build_message(gateway=str(number))) for number in range(2, 100))
    assert len(caplog.records) == 5
