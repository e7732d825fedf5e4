"""What is shown when: fresh readings, old ones, none, and trouble."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from enphase_api.models import Quantities
from enphase_companion.displays.bars import Chart, bars
from enphase_companion.displays.frames import Frame, faded
from enphase_companion.displays.icons import PERIOD, Weather, icon, waiting, warning
from enphase_companion.displays.panel import STALE, Panel
from enphase_companion.displays.programme import FRAME, one_round
from enphase_companion.displays.readings import OneGateway, Powers
from enphase_companion.displays.scrolling import scrolling
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
def panel(clock: Clock, troubles: list[str]) -> Panel:
    return Panel(lambda: troubles[-1] if troubles else None, capacity=CAPACITY, clock=clock)


def take(
    panel: Panel, clock: Clock, production: float | None = 3_420, consumption: float | None = 900
) -> None:
    panel.take(Powers(production, consumption, clock.now))


def shown(panel: Panel) -> list[Frame]:
    return [frame for frame, _ in one_round(panel, STEP)]


def shape(frame: Frame) -> bytes:
    """Which LEDs are lit, whatever their colour."""
    return frame.any(axis=2).tobytes()


def says(frames: list[Frame], words: str) -> bool:
    """Whether these words scroll by."""
    wanted = [shape(frame) for frame in scrolling(words, (255, 255, 255))]
    found = [shape(frame) for frame in frames]
    return any(found[start : start + len(wanted)] == wanted for start in range(len(found)))


def has(frames: list[Frame], picture: Frame) -> bool:
    return any(np.array_equal(frame, picture) for frame in frames)


def test_first_the_weather_then_the_power_then_the_bars(panel: Panel, clock: Clock) -> None:
    panel.weather = Weather.RAIN
    take(panel, clock)
    frames = shown(panel)
    assert np.array_equal(frames[0], icon(Weather.RAIN, 0))
    after_weather = frames[round(PERIOD / FRAME) :]
    assert not after_weather[0].any()
    assert says(after_weather, "3.42 kW")
    assert has(frames[-30:], bars(Chart(3_420, 900, CAPACITY), 1, 30.25))
    assert not says(frames, "no data")


def test_without_weather_its_picture_is_left_out(panel: Panel, clock: Clock) -> None:
    take(panel, clock)
    assert says(shown(panel)[:110], "3.42 kW")


def test_a_round_takes_some_seconds_and_words_move_at_their_own_pace(panel: Panel, clock: Clock) -> None:
    panel.weather = Weather.SNOW
    take(panel, clock)
    seconds = [seconds for _, seconds in one_round(panel, STEP)]
    assert set(seconds) == {FRAME, STEP}
    assert 10 < sum(seconds) < 20


def test_the_bars_follow_what_is_read_meanwhile(panel: Panel, clock: Clock) -> None:
    take(panel, clock)
    frames = (frame for frame, _ in one_round(panel, STEP))
    for frame in frames:
        if np.array_equal(frame[15, 0], (60, 60, 70)):
            break
    take(panel, clock, 1_000, 1_000)
    rest = list(frames)
    assert has(rest[25:], bars(Chart(1_000, 1_000, CAPACITY), 1, 10))


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
    panel: Panel, clock: Clock, production: float | None, consumption: float | None, words: str
) -> None:
    take(panel, clock, production, consumption)
    assert says(shown(panel), words)


def brightest(frames: Iterator[Frame]) -> int:
    return max(int(frame.sum(axis=2).max()) for frame in frames)


def test_the_more_the_array_makes_the_brighter_are_the_numbers(panel: Panel, clock: Clock) -> None:
    lights = []
    for watts in (1_000, 2_000, 3_000, 4_000, 5_000):
        take(panel, clock, watts)
        # The first two digits are in sight.
        lights.append(brightest(itertools.islice((frame for frame, _ in one_round(panel, STEP)), 30)))
    assert lights == sorted(lights)
    assert len(set(lights)) == len(lights)


def test_an_old_reading_is_told_with_its_age_and_shown_without_colour(panel: Panel, clock: Clock) -> None:
    take(panel, clock)
    clock.now += STALE
    assert not says(shown(panel), "no data")
    clock.now += 12 * 60
    frames = shown(panel)
    assert np.array_equal(frames[0], warning(0))
    assert says(frames, "no data 13 min")
    assert says(frames, "3.42 kW")
    assert has(frames[-30:], faded(bars(Chart(3_420, 900, CAPACITY), 1, 30.25)))
    assert not has(frames, bars(Chart(3_420, 900, CAPACITY), 1, 30.25))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(61, "1 min"), (3_599, "59 min"), (3_600, "1 h"), (100_000, "27 h"), (200_000, "2 d")],
)
def test_an_age_is_told_in_the_unit_that_fits(panel: Panel, clock: Clock, seconds: float, words: str) -> None:
    take(panel, clock)
    clock.now += seconds
    assert says(shown(panel), f"no data {words}")


def test_trouble_is_told_when_readings_are_old_but_not_before(
    panel: Panel, clock: Clock, troubles: list[str]
) -> None:
    take(panel, clock)
    troubles.append("broker?")
    assert not says(shown(panel), "broker?")
    clock.now += 120
    assert says(shown(panel), "broker? 2 min")


def test_before_the_first_reading_the_sun_rises(panel: Panel) -> None:
    frames = shown(panel)
    assert np.array_equal(frames[10], waiting(10 * FRAME))
    assert len(frames) == round(PERIOD / FRAME)


def test_trouble_before_the_first_reading_is_told(panel: Panel, troubles: list[str]) -> None:
    troubles.append("gateway?")
    frames = shown(panel)
    assert np.array_equal(frames[0], warning(0))
    assert says(frames, "gateway?")


def test_a_reading_that_waited_somewhere_is_old_when_it_comes(panel: Panel, clock: Clock) -> None:
    panel.take(Powers(3_420, 900, clock.now - 7_200))
    assert not panel.is_fresh


@pytest.mark.parametrize("ahead", [-100, 100, 10_000])
def test_clocks_may_differ(panel: Panel, clock: Clock, ahead: float) -> None:
    panel.take(Powers(3_420, 900, clock.now + ahead))
    assert panel.is_fresh


def test_an_older_message_does_not_take_the_place_of_a_newer_one(panel: Panel, clock: Clock) -> None:
    take(panel, clock)
    panel.take(Powers(1, 1, clock.now - 5))
    assert panel.chart.production == 3_420


def test_without_a_capacity_the_most_that_was_seen_is_the_full_height(clock: Clock) -> None:
    panel = Panel(lambda: None, clock=clock)
    assert panel.chart.top == 0
    for watts in (2_000, 4_000, 1_000):
        clock.now += 1
        take(panel, clock, watts, 500)
    assert panel.chart.top == 4_000


def message(*powers: tuple[str, float], unmetered_batteries: bool = False, gateway: str = "1") -> Message:
    samples = tuple(Sample(name, 0, 1, Quantities(active_power=power)) for name, power in powers)
    return Message(gateway, 5.0, samples, None, unmetered_batteries)


@pytest.mark.parametrize(
    ("said", "powers"),
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
    said: Message, powers: tuple[float | None, float | None]
) -> None:
    found = Powers.from_message(said)
    assert (found.production, found.consumption, found.read_at) == (*powers, 5.0)


def test_of_several_gateways_one_is_shown_and_the_other_told_once(caplog: pytest.LogCaptureFixture) -> None:
    ours = OneGateway(None)
    assert [ours.is_its(message(gateway=serial)) for serial in ("1", "2", "1", "2")] == [True, False] * 2
    assert len(caplog.records) == 1
    assert "gateway 2" in caplog.text
    assert not OneGateway("3").is_its(message(gateway="1"))


def test_not_every_gateway_that_is_invented_is_named_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ours = OneGateway("1")
    assert not any(ours.is_its(message(gateway=str(number))) for number in range(2, 100))
    assert len(caplog.records) == 5
