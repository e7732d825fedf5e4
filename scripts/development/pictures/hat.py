"""What a HAT shows of a simulated day, without the wait for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

from enphase_companion.displays.animation import Animation
from enphase_companion.displays.playlist import FRAME, render_round
from enphase_companion.displays.state import DisplayState
from enphase_companion.message import InverterSample, Message
from enphase_companion.simulator.house import House
from enphase_companion.simulator.profiles import PROFILES

from .house import START, ZONE
from .house_readings import build_messages

#: Seconds between two readings, and from midnight to the first and the last one.
_STEP, _FIRST, _LAST = 300, -600, 15 * 3_600

#: Hours from midnight to START.
_START = 11

#: Panels, and the number of one that is silent.
_PANELS, _SILENT = 20, 8


def draw_scenes(file: Path, *scenes: str) -> None:
    """Record these scenes in the afternoon of the day that the pictures show."""
    profile = replace(PROFILES["three-phase"], inverters=_PANELS)
    house = House(profile, 1, START, float(_START))
    midnight = START - _START * 3_600
    at = midnight + _LAST
    capacity = sum(inverter.peak for inverter in house.inverters)
    state = DisplayState(lambda: None, capacity=capacity, clock=lambda: at, zone=ZoneInfo(ZONE))
    for message in build_messages(house, range(midnight + _FIRST, at + 1, _STEP)):
        state.take_message(message)
    state.take_message(_build_reports(house, at))
    display = Animation(file, 1.0, 0)
    for frame, seconds in render_round(state, FRAME, scenes):
        display.show(frame, seconds)
    display.end_of_round()


def _build_reports(house: House, at: int) -> Message:
    powers = house.truth(at).inverters.items()
    samples = [
        InverterSample(serial_number, (at - 7_200 * (number == _SILENT)) * 1000, watts, None)
        for number, (serial_number, watts) in enumerate(powers)
    ]
    return Message("122300000001", at, (), inverters=tuple(samples))
