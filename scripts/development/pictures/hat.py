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

#: Seconds between two readings, and hours after midnight of the first and the last one.
_STEP, _FIRST, _LAST = 60, -0.1, 15.0
_HOURS_FROM_MIDNIGHT = 11.0

#: Panels, and the number of one that is silent.
_PANELS, _SILENT = 20, 8


def draw_scenes(file: Path, *scenes: str, hour: float = _LAST) -> None:
    """Record these scenes at an hour of the day that the pictures show."""
    profile = replace(PROFILES["three-phase"], inverters=_PANELS)
    house = House(profile, 1, START, _HOURS_FROM_MIDNIGHT)
    midnight = START - _HOURS_FROM_MIDNIGHT * 3_600
    at = midnight + hour * 3_600
    capacity = sum(inverter.peak for inverter in house.inverters)
    state = DisplayState(lambda: None, capacity=capacity, clock=lambda: at, zone=ZoneInfo(ZONE))
    for message in build_messages(house, range(int(midnight + _FIRST * 3_600), int(at) + 1, _STEP)):
        state.take_message(message)
    state.take_message(_build_reports(house, int(at)))
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
