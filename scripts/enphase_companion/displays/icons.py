"""The weather as moving pictures, each a pure function of the time, and the two signs beside them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import lru_cache

import numpy as np

from .frames import SIZE, Colour, Frame, Sprite, blank, mix, paste
from .sprites import CLOUD, DARK_CLOUD, FLAKE, FLASH, MOON, SMALL_CLOUD, WARNING

#: Seconds after which each animation repeats.
PERIOD = 3.2

_DAY: Colour = (10, 40, 90)
_DULL: Colour = (14, 24, 44)
_NIGHT: Colour = (2, 3, 22)

_SUN: Colour = (255, 190, 20)
_CORE: Colour = (255, 240, 150)
_RAY: Colour = (255, 140, 0)


class Weather(StrEnum):
    """What there is a picture of."""

    CLEAR_DAY = "clear-day"
    CLEAR_NIGHT = "clear-night"
    PARTLY_CLOUDY_DAY = "partly-cloudy-day"
    PARTLY_CLOUDY_NIGHT = "partly-cloudy-night"
    CLOUDY = "cloudy"
    FOG = "fog"
    RAIN = "rain"
    SNOW = "snow"
    THUNDER = "thunder"
    WIND = "wind"


@lru_cache(maxsize=128)
def icon(weather: Weather, seconds: float) -> Frame:
    """Draw the weather at this number of seconds of its animation; the frames of a round are kept."""
    frame = _DRAW[weather](seconds % PERIOD / PERIOD)
    frame.flags.writeable = False
    return frame


def warning(seconds: float) -> Frame:
    """Draw the sign of a trouble, which breathes once a second."""
    frame = blank()
    paste(frame, WARNING, 0, 0, 0.7 + 0.3 * math.cos(seconds * math.tau))
    return frame


def waiting(seconds: float) -> Frame:
    """Draw a sun that rises again and again: nothing has been read yet."""
    frame = blank()
    share = seconds % PERIOD / PERIOD
    _sun(frame, 7.5, 17 - 9 * math.sin(share * math.pi), share)
    frame[13:] = (40, 25, 10)
    return frame


def _sun(frame: Frame, x: float, y: float, turned: float, size: float = 1) -> None:
    """Draw a sun around this point; `turned`: how far its eight rays have gone to where the next one was."""
    across, down = np.meshgrid(np.arange(SIZE) - x, np.arange(SIZE) - y)
    distance = np.hypot(across, down) / size
    angle = np.arctan2(down, across)
    disc = np.clip(4.3 - distance, 0, 1)
    star = np.clip(np.cos(8 * angle - turned * math.tau) * 2, 0, 1)
    rays = star * np.clip(distance - 4.9, 0, 1) * np.clip(8.2 - distance, 0, 1)
    core = np.clip((3.4 - distance) / 3, 0, 1)
    for opacity, colour in ((rays, _RAY), (disc, _SUN), (core * disc, _CORE)):
        _blend(frame, opacity, colour)


def _blend(frame: Frame, opacity: Sprite, colour: Colour) -> None:
    paste(frame, np.dstack([*(opacity * value / 255 for value in colour), opacity]), 0, 0)


def _clear_day(turn: float) -> Frame:
    frame = blank(_DAY)
    _sun(frame, 7.5, 7.5, turn)
    return frame


#: Column, row, and when in its turn each star is brightest.
_STARS = ((12, 2, 0.0), (14, 7, 0.35), (2, 1, 0.6), (11, 12, 0.8), (1, 13, 0.2), (8, 5, 0.5))


def _night_sky(turn: float) -> Frame:
    frame = blank(_NIGHT)
    for x, y, peak in _STARS:
        light = 0.5 + 0.5 * math.cos((turn - peak) * math.tau)
        frame[y, x] = mix((30, 35, 70), (230, 235, 255), light**3)
    return frame


def _clear_night(turn: float) -> Frame:
    frame = _night_sky(turn)
    paste(frame, MOON, 2.5, 2.5)
    return frame


def _partly_cloudy_day(turn: float) -> Frame:
    frame = blank(_DAY)
    _sun(frame, 5.5, 5.5, turn, 0.82)
    paste(frame, CLOUD, 2 + _sway(turn), 8)
    return frame


def _partly_cloudy_night(turn: float) -> Frame:
    frame = _night_sky(turn)
    paste(frame, MOON, 1, 0)
    paste(frame, DARK_CLOUD, 2 + _sway(turn), 8)
    return frame


def _cloudy(turn: float) -> Frame:
    frame = blank(_DULL)
    paste(frame, SMALL_CLOUD, 7 - 1.2 * _sway(turn), 1)
    paste(frame, CLOUD, 0.5 + 0.8 * _sway(turn), 6.5)
    return frame


def _fog(turn: float) -> Frame:
    frame = blank(_DULL)
    down, across = np.mgrid[0:SIZE, 0:SIZE].astype(float)
    for row, speed, phase in ((1, 1, 0.0), (4, -1, 0.3), (7, 1, 0.6), (10, -1, 0.1), (13, 1, 0.45)):
        wave = 0.6 + 0.4 * np.cos((across / SIZE - speed * turn + phase) * math.tau)
        band = np.clip(1.3 - np.abs(down - row - 0.5), 0, 1)
        _blend(frame, band * wave * 0.9, (190, 200, 215))
    return frame


#: Column of each drop or flake, and where in its fall it begins.
_FALLING = ((2, 0.0), (5, 0.55), (8, 0.2), (11, 0.75), (13, 0.4), (4, 0.85))


def _rain(turn: float) -> Frame:
    frame = blank(_DULL)
    for x, begin in _FALLING:
        y = 7 + (begin + turn * 4) % 1 * 9
        for behind, light in ((0, 1.0), (1, 0.65), (2, 0.3)):
            row = math.floor(y) - behind
            if 7 <= row < SIZE:
                frame[row, x] = mix(_DULL, (70, 160, 255), light)
    paste(frame, DARK_CLOUD, 1, 0)
    return frame


def _snow(turn: float) -> Frame:
    frame = blank(_DULL)
    for x, begin in _FALLING[:4]:
        fallen = (begin + turn) % 1
        paste(frame, FLAKE, x - 1 + math.sin((fallen * 2 + begin) * math.tau) * 0.8, 5 + fallen * 11)
    frame[SIZE - 1] = (170, 185, 210)
    paste(frame, CLOUD, 1, 0)
    return frame


def _thunder(turn: float) -> Frame:
    flashes = turn < 0.1 or 0.16 < turn < 0.3
    frame = blank((60, 60, 90) if turn < 0.04 else _DULL)
    paste(frame, FLASH, 6, 8, 1.0 if flashes else 0.12)
    for x, begin in ((2, 0.1), (13, 0.6)):
        y = 8 + math.floor((begin + turn * 4) % 1 * 8)
        frame[y, x] = (70, 160, 255)
    paste(frame, DARK_CLOUD, 1, 0)
    return frame


#: Row and length of each gust, where in its turn it begins, and how often it passes.
_GUSTS = ((2, 9, 0.0, 2), (5, 12, 0.4, 1), (8, 7, 0.7, 2), (11, 11, 0.2, 1), (14, 8, 0.55, 2))


def _wind(turn: float) -> Frame:
    frame = blank(_DAY)
    down, across = np.mgrid[0:SIZE, 0:SIZE].astype(float)
    for row, length, phase, speed in _GUSTS:
        head = (turn * speed + phase) % 1 * (SIZE + length)
        line = row + np.sin((across - head) / 4) * 0.6
        tail = np.clip((across - head + length) / length, 0, 1) * (across <= head)
        _blend(frame, np.clip(1 - np.abs(down - line), 0, 1) * tail, (200, 225, 255))
    return frame


def _sway(turn: float) -> float:
    return math.sin(turn * math.tau)


_DRAW: Mapping[Weather, Callable[[float], Frame]] = {
    Weather.CLEAR_DAY: _clear_day,
    Weather.CLEAR_NIGHT: _clear_night,
    Weather.PARTLY_CLOUDY_DAY: _partly_cloudy_day,
    Weather.PARTLY_CLOUDY_NIGHT: _partly_cloudy_night,
    Weather.CLOUDY: _cloudy,
    Weather.FOG: _fog,
    Weather.RAIN: _rain,
    Weather.SNOW: _snow,
    Weather.THUNDER: _thunder,
    Weather.WIND: _wind,
}
