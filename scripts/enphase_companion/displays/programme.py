"""What is shown in which order: the weather, what the array makes, the bars; or what is wrong."""

from __future__ import annotations

from collections.abc import Iterator

from .. import units
from .bars import BOUGHT, Chart, bars, growing
from .frames import Colour, Frame, faded, mixed
from .icons import PERIOD, icon, waiting, warning
from .panel import Panel
from .scrolling import scrolling

#: A frame, and the seconds for which it is shown.
Timed = tuple[Frame, float]

#: Seconds between two frames of what moves.
FRAME = 0.04

#: Frames in which the bars grow, and in which they stand.
_GROWING, _STANDING = 20, 105

#: Seconds for which a sign is shown.
_SIGN = 2.0

#: From nothing to all that the array can make: ever brighter, for eyes that see no colours too.
_EMBERS: tuple[Colour, ...] = ((120, 70, 190), (235, 100, 30), (255, 160, 20), (255, 230, 80))

_ALARM: Colour = (255, 176, 0)
_OLD: Colour = (130, 130, 140)


def one_round(panel: Panel, step: float) -> Iterator[Timed]:
    """Yield everything once, as known when its turn comes; text scrolls by an LED every `step` seconds."""
    if panel.weather is not None:
        weather = panel.weather
        yield from ((icon(weather, seconds), FRAME) for seconds in _times(PERIOD))
    if panel.is_fresh:
        words, colour = _said(panel.chart)
        yield from ((frame, step) for frame in scrolling(words, colour))
        # Looked up for each frame: the bars follow what is read meanwhile.
        yield from ((bars(panel.chart, *moment), FRAME) for moment in growing(_GROWING, _STANDING))
        return
    age, trouble = panel.age, panel.trouble
    if age is None and trouble is None:
        yield from ((waiting(seconds), FRAME) for seconds in _times(PERIOD))
        return
    yield from ((warning(seconds), FRAME) for seconds in _times(_SIGN))
    since = "" if age is None else f" {_duration(age)}"
    yield from ((frame, step) for frame in scrolling(f"{trouble or 'no data'}{since}", _ALARM))
    if age is not None:
        yield from ((frame, step) for frame in scrolling(_said(panel.chart)[0], _OLD))
        yield from ((faded(bars(panel.chart, *moment)), FRAME) for moment in growing(_GROWING, _STANDING))


def _said(chart: Chart) -> tuple[str, Colour]:
    """Return what the array makes in words, and the colour for how much that is; else what the home takes."""
    if chart.production is None and chart.consumption is not None:
        return units.power(chart.consumption), BOUGHT
    share = max(chart.production or 0, 0) / chart.top if chart.top else 0
    return units.power(chart.production), _ember(share)


def _ember(share: float) -> Colour:
    place = min(max(share, 0), 1) * (len(_EMBERS) - 1)
    lower = min(int(place), len(_EMBERS) - 2)
    return mixed(_EMBERS[lower], _EMBERS[lower + 1], place - lower)


def _duration(seconds: float) -> str:
    if seconds < 3_600:
        return f"{max(seconds // 60, 1):.0f} min"
    return f"{seconds // 3_600:.0f} h" if seconds < 48 * 3_600 else f"{seconds // 86_400:.0f} d"


def _times(seconds: float) -> Iterator[float]:
    return (number * FRAME for number in range(round(seconds / FRAME)))
