"""The order of a round: the weather, the production, the bars; or a problem."""

from __future__ import annotations

from collections.abc import Iterator

from .. import units
from .bars import BOUGHT, Chart, draw_bars, growth
from .frames import Colour, Frame, fade, mix
from .icons import PERIOD, icon, waiting, warning
from .state import DisplayState
from .text import scroll

#: A frame, and the seconds for which it is shown.
Timed = tuple[Frame, float]

#: Seconds between two frames of an animation.
FRAME = 0.04

#: Frames in which the bars grow, and in which they stay.
_GROWING, _STANDING = 20, 105

#: Seconds for which the warning sign is shown.
_SIGN = 2.0

#: From zero to the array's peak power: brighter and brighter, for colour-blind eyes too.
_EMBERS: tuple[Colour, ...] = ((120, 70, 190), (235, 100, 30), (255, 160, 20), (255, 230, 80))

_ALARM: Colour = (255, 176, 0)
_OLD: Colour = (130, 130, 140)


def render_round(state: DisplayState, step: float) -> Iterator[Timed]:
    """Yield the frames of a round with the current state; text scrolls by an LED every `step` seconds."""
    if state.weather is not None:
        weather = state.weather
        yield from ((icon(weather, seconds), FRAME) for seconds in _times(PERIOD))
    if state.is_fresh:
        words, colour = _format_power(state.chart)
        yield from ((frame, step) for frame in scroll(words, colour))
        # Evaluated for each frame: the bars follow new readings.
        yield from ((draw_bars(state.chart, *part), FRAME) for part in growth(_GROWING, _STANDING))
        return
    age, trouble = state.age, state.trouble
    if age is None and trouble is None:
        yield from ((waiting(seconds), FRAME) for seconds in _times(PERIOD))
        return
    yield from ((warning(seconds), FRAME) for seconds in _times(_SIGN))
    since = "" if age is None else f" {_duration(age)}"
    yield from ((frame, step) for frame in scroll(f"{trouble or 'no data'}{since}", _ALARM))
    if age is not None:
        yield from ((frame, step) for frame in scroll(_format_power(state.chart)[0], _OLD))
        yield from ((fade(draw_bars(state.chart, *part)), FRAME) for part in growth(_GROWING, _STANDING))


def _format_power(chart: Chart) -> tuple[str, Colour]:
    """Return the production as text with its colour; without one, the consumption."""
    if chart.production is None and chart.consumption is not None:
        return units.format_power(chart.consumption), BOUGHT
    share = max(chart.production or 0, 0) / chart.top if chart.top else 0
    return units.format_power(chart.production), _ember(share)


def _ember(share: float) -> Colour:
    place = min(max(share, 0), 1) * (len(_EMBERS) - 1)
    lower = min(int(place), len(_EMBERS) - 2)
    return mix(_EMBERS[lower], _EMBERS[lower + 1], place - lower)


def _duration(seconds: float) -> str:
    if seconds < 3_600:
        return f"{max(seconds // 60, 1):.0f} min"
    return f"{seconds // 3_600:.0f} h" if seconds < 48 * 3_600 else f"{seconds // 86_400:.0f} d"


def _times(seconds: float) -> Iterator[float]:
    return (number * FRAME for number in range(round(seconds / FRAME)))
