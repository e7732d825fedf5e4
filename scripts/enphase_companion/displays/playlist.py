"""The order of a round: the scenes that are set, after a problem if there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from .. import units
from .bars import BOUGHT, SURPLUS, Chart, draw_bars, growth
from .day import scroll_day
from .frames import EMBERS, Colour, Frame, fade, mix
from .icons import PERIOD, icon, waiting, warning
from .panels import draw_panels
from .state import DisplayState
from .text import scroll

#: A frame, and the seconds for which it is shown.
Timed = tuple[Frame, float]

#: Seconds between two frames of an animation.
FRAME = 0.04

#: Frames in which bars or panels appear, and in which they stay; frames for which the day stays.
_GROWING, _STANDING, _DAY_STANDING = 20, 105, 60

#: Seconds for which the warning sign is shown.
_SIGN = 2.0

_ALARM: Colour = (255, 176, 0)


def render_round(state: DisplayState, step: float, scenes: Sequence[str]) -> Iterator[Timed]:
    """Yield the frames of a round with the current state; text scrolls by an LED every `step` seconds.

    A scene without values is left out. Outdated values are without colour.
    """
    age, trouble, is_fresh = state.age, state.trouble, state.is_fresh
    is_waiting = age is None and trouble is None
    if not is_fresh and not is_waiting:
        yield from ((warning(seconds), FRAME) for seconds in _times(_SIGN))
        since = "" if age is None else f" {_duration(age)}"
        yield from ((frame, step) for frame in scroll(f"{trouble or 'no data'}{since}", _ALARM))
    is_empty = True
    for name in scenes:
        for frame, seconds in SCENES[name](state, step):
            is_empty = False
            yield frame if is_fresh or name == "weather" else fade(frame), seconds
    if is_waiting or (is_fresh and is_empty):
        yield from ((waiting(seconds), FRAME) for seconds in _times(PERIOD))


def _weather(state: DisplayState, step: float) -> Iterator[Timed]:  # noqa: ARG001 - as all scenes
    weather = state.weather
    if weather is not None:
        yield from ((icon(weather, seconds), FRAME) for seconds in _times(PERIOD))


def _power(state: DisplayState, step: float) -> Iterator[Timed]:
    if state.powers is not None:
        words, colour = _format_power(state.chart)
        yield from ((frame, step) for frame in scroll(words, colour))


def _bars(state: DisplayState, step: float) -> Iterator[Timed]:  # noqa: ARG001
    if state.powers is not None:
        # Evaluated for each frame: the bars follow new readings.
        yield from ((draw_bars(state.chart, *part), FRAME) for part in growth(_GROWING, _STANDING))


def _energy(state: DisplayState, step: float) -> Iterator[Timed]:
    day = state.day
    energy, colour = (day.consumed, BOUGHT) if day.produced is None else (day.produced, SURPLUS)
    if energy is not None:
        more_than = "" if day.is_whole else "> "
        words = f"{more_than}{units.format_energy(max(energy, 0))}"
        yield from ((frame, step) for frame in scroll(words, colour))


def _day(state: DisplayState, step: float) -> Iterator[Timed]:
    strip = state.day.draw(state.chart.top)
    frames = list(scroll_day(strip))
    yield from ((frame, step) for frame in frames)
    yield from ((frame, FRAME) for frame in frames[-1:] * _DAY_STANDING)


def _panels(state: DisplayState, step: float) -> Iterator[Timed]:  # noqa: ARG001
    for page in state.array.pages():
        for number in range(_GROWING + _STANDING):
            grown = min((number + 1) / _GROWING, 1)
            yield draw_panels(page, number * FRAME, grown), FRAME


#: By the names in the setting `scene`.
SCENES: Mapping[str, Callable[[DisplayState, float], Iterator[Timed]]] = {
    "weather": _weather,
    "power": _power,
    "bars": _bars,
    "energy": _energy,
    "day": _day,
    "panels": _panels,
}


def _format_power(chart: Chart) -> tuple[str, Colour]:
    """Return the production as text with its colour; without one, the consumption."""
    if chart.production is None and chart.consumption is not None:
        return units.format_power(chart.consumption), BOUGHT
    share = max(chart.production or 0, 0) / chart.top if chart.top else 0
    return units.format_power(chart.production), _ember(share)


def _ember(share: float) -> Colour:
    place = min(max(share, 0), 1) * (len(EMBERS) - 1)
    lower = min(int(place), len(EMBERS) - 2)
    return mix(EMBERS[lower], EMBERS[lower + 1], place - lower)


def _duration(seconds: float) -> str:
    if seconds < 3_600:
        return f"{max(seconds // 60, 1):.0f} min"
    return f"{seconds // 3_600:.0f} h" if seconds < 48 * 3_600 else f"{seconds // 86_400:.0f} d"


def _times(seconds: float) -> Iterator[float]:
    return (number * FRAME for number in range(round(seconds / FRAME)))
