"""What is shown when: fresh readings, old ones, none, and trouble."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from enphase_api.models import Quantities
from enphase_companion.displays.bars import Chart, draw_bars
from enphase_companion.displays.frames import Frame, fade
from enphase_companion.displays.icons import PERIOD, Weather, icon, waiting, warning
from enphase_companion.displays.playlist import FRAME, render_round
from enphase_companion.displays.state import STALE, DisplayState, GatewayFilter, Powers
from enphase_companion.displays.text import scroll
from enphase_companion.message import Message, Sample

STEP = 0.05
CAPACITY = 5_000.0


class Clock:
    now = 1_782_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def troubles() -> list[str]:
    return []


@pytest.fixture
def state(clock: Clock, troubles: list[str]) -> DisplayState:
    return DisplayState(lambda: troubles[-1] if troubles else None, capacity=CAPACITY, clock=clock)


def take(
    state: DisplayState, clock: Clock, production: float | None = 3_420, consumption: float | None = 900
) -> None:
    state.take(Powers(production, consumption, clock.now))


def shown(state: DisplayState) -> list[Frame]:
    return [frame for frame, _ in render_round(state, STEP)]


def shape(frame: Frame) -> bytes:
    """Which LEDs are lit, whatever their colour."""
    return frame.any(axis=2).tobytes()


def says(frames: list[Frame], words: str) -> bool:
    """Whether these words scroll by."""
    wanted = [shape(frame) for frame in scroll(words, (255, 255, 255))]
    found = [shape(frame) for frame in frames]
    return any(found[start : start + len(wanted)] == wanted for start in range(len(found)))


def has(frames: list[Frame], picture: Frame) -> bool:
    return any(np.array_equal(frame, picture) for frame in frames)


def test_first_the_weather_then_the_power_then_the_bars(state: DisplayState, clock: Clock) -> None:
    state.weather = Weather.RAIN
    take(state, clock)
    frames = shown(state)
    assert np.array_equal(frames[0], icon(Weather.RAIN, 0))
    after_weather = frames[round(PERIOD / FRAME) :]
    assert not after_weather[0].any()
    assert says(after_weather, "3.42 kW")
    assert has(frames[-30:], draw_bars(Chart(3_420, 900, CAPACITY), 1, 30.25))
    assert not says(frames, "no data")


def test_without_weather_its_picture_is_left_out(state: DisplayState, clock: Clock) -> None:
    take(state, clock)
    assert says(shown(state)[:110], "3.42 kW")


def test_a_round_takes_some_seconds_and_words_move_at_their_own_pace(
    state: DisplayState, clock: Clock
) -> None:
    state.weather = Weather.SNOW
    take(state, clock)
    seconds = [seconds for _, seconds in render_round(state, STEP)]
    assert set(seconds) == {FRAME, STEP}
    assert 10 < sum(seconds) < 20


def test_the_bars_follow_what_is_read_meanwhile(state: DisplayState, clock: Clock) -> None:
    take(state, clock)
    frames = (frame for frame, _ in render_round(state, STEP))
    for frame in frames:
        if np.array_equal(frame[15, 0], (60, 60, 70)):
            break
    take(state, clock, 1_000, 1_000)
    rest = list(frames)
    assert has(rest[25:], draw_bars(Chart(1_000, 1_000, CAPACITY), 1, 10))


@pytest.mark.parametrize(
    ("production", "consumption", "words"),
    [
        (0, 300, "0 W"),
        (-4.2, 300, "-4 W"),
        (999.6, 0, "1.00 kW"),
        (12_340, 0, "12.34 kW"),
        (None, 870, "870 W"),
    ],
)
def test_what_is_written_is_the_production_or_else_what_is_metered(
    state: DisplayState, clock: Clock, production: float | None, consumption: float | None, words: str
) -> None:
    take(state, clock, production, consumption)
    assert says(shown(state), words)


def brightest(frames: Iterator[Frame]) -> int:
    return max(int(frame.sum(axis=2).max()) for frame in frames)


def test_the_more_the_array_makes_the_brighter_are_the_numbers(state: DisplayState, clock: Clock) -> None:
    lights = []
    for watts in (1_000, 2_000, 3_000, 4_000, 5_000):
        take(state, clock, watts)
        # The first two digits are in sight.
        lights.append(brightest(itertools.islice((frame for frame, _ in render_round(state, STEP)), 30)))
    assert lights == sorted(lights)
    assert len(set(lights)) == len(lights)


def test_an_old_reading_is_told_with_its_age_and_shown_without_colour(
    state: DisplayState, clock: Clock
) -> None:
    take(state, clock)
    clock.now += STALE
    assert not says(shown(state), "no data")
    clock.now += 12 * 60
    frames = shown(state)
    assert np.array_equal(frames[0], warning(0))
    assert says(frames, "no data 13 min")
    assert says(frames, "3.42 kW")
    assert has(frames[-30:], fade(draw_bars(Chart(3_420, 900, CAPACITY), 1, 30.25)))
    assert not has(frames, draw_bars(Chart(3_420, 900, CAPACITY), 1, 30.25))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(61, "1 min"), (3_599, "59 min"), (3_600, "1 h"), (100_000, "27 h"), (200_000, "2 d")],
)
def test_an_age_is_told_in_the_unit_that_fits(
    state: DisplayState, clock: Clock, seconds: float, words: str
) -> None:
    take(state, clock)
    clock.now += seconds
    assert says(shown(state), f"no data {words}")


def test_trouble_is_told_when_readings_are_old_but_not_before(
    state: DisplayState, clock: Clock, troubles: list[str]
) -> None:
    take(state, clock)
    troubles.append("broker?")
    assert not says(shown(state), "broker?")
    clock.now += 120
    assert says(shown(state), "broker? 2 min")


def test_before_the_first_reading_the_sun_rises(state: DisplayState) -> None:
    frames = shown(state)
    assert np.array_equal(frames[10], waiting(10 * FRAME))
    assert len(frames) == round(PERIOD / FRAME)


def test_trouble_before_the_first_reading_is_told(state: DisplayState, troubles: list[str]) -> None:
    troubles.append("gateway?")
    frames = shown(state)
    assert np.array_equal(frames[0], warning(0))
    assert says(frames, "gateway?")


def test_a_reading_that_waited_somewhere_is_old_when_it_comes(state: DisplayState, clock: Clock) -> None:
    state.take(Powers(3_420, 900, clock.now - 7_200))
    assert not state.is_fresh


@pytest.mark.parametrize("ahead", [-100, 100, 10_000])
def test_clocks_may_differ(state: DisplayState, clock: Clock, ahead: float) -> None:
    state.take(Powers(3_420, 900, clock.now + ahead))
    assert state.is_fresh


def test_an_older_message_does_not_take_the_place_of_a_newer_one(state: DisplayState, clock: Clock) -> None:
    take(state, clock)
    state.take(Powers(1, 1, clock.now - 5))
    assert state.chart.production == 3_420


def test_without_a_capacity_the_most_that_was_seen_is_the_full_height(clock: Clock) -> None:
    state = DisplayState(lambda: None, clock=clock)
    assert state.chart.top == 0
    for watts in (2_000, 4_000, 1_000):
        clock.now += 1
        take(state, clock, watts, 500)
    assert state.chart.top == 4_000


def message(*powers: tuple[str, float], unmetered_batteries: bool = False, gateway: str = "1") -> Message:
    samples = tuple(Sample(name, 0, 1, Quantities(active_power=power)) for name, power in powers)
    return Message(gateway, 5.0, samples, None, unmetered_batteries)


@pytest.mark.parametrize(
    ("expected", "powers"),
    [
        (message(("production", 3000), ("net-consumption", -2000)), (3000, 1000)),
        (message(("production", 3000), ("net-consumption", -2000), ("storage", -500)), (3000, 500)),
        (message(("production", 3000), ("total-consumption", 800)), (3000, 800)),
        (message(("production", 3000), ("net-consumption", -2000), unmetered_batteries=True), (3000, None)),
        (message(("production", 3000)), (3000, None)),
        (message(("total-consumption", 800)), (None, 800)),
        (message(), (None, None)),
    ],
)
def test_consumption_is_worked_out_where_it_can_be(
    expected: Message, powers: tuple[float | None, float | None]
) -> None:
    found = Powers.from_message(expected)
    assert (found.production, found.consumption, found.read_at) == (*powers, 5.0)


def test_of_several_gateways_one_is_shown_and_the_other_told_once(caplog: pytest.LogCaptureFixture) -> None:
    ours = GatewayFilter(None)
    assert [ours.accepts(message(gateway=serial)) for serial in ("1", "2", "1", "2")] == [True, False] * 2
    assert len(caplog.records) == 1
    assert "gateway 2" in caplog.text
    assert not GatewayFilter("3").accepts(message(gateway="1"))


def test_not_every_gateway_that_is_invented_is_named_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ours = GatewayFilter("1")
    assert not any(ours.accepts(message(gateway=str(number))) for number in range(2, 100))
    assert len(caplog.records) == 5
