"""The player: frames at their rate, in a thread, and a display that is always switched off."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from enphase_companion.displays.frames import Frame
from enphase_companion.displays.player import Player, run_until_first_ends
from enphase_companion.displays.state import DisplayState, Powers
from enphase_companion.message import InverterSample, Message
from enphase_companion.runtime.errors import CommandError
from enphase_companion.runtime.service import Service, Stopped


class RecordingDisplay:
    """A display that records its calls."""

    def __init__(self, *, is_animation: bool = False) -> None:
        self.is_animation = is_animation
        self.brightness = 0.5
        self.at: list[float] = []
        self.threads: set[int] = set()
        self.rounds = 0
        self.closed = 0
        self.may_continue = threading.Event()
        self.may_continue.set()

    def show(self, frame: Frame, seconds: float) -> None:  # noqa: ARG002 - part of the interface
        assert not self.closed
        assert frame.shape == (16, 16, 3)
        self.at.append(time.monotonic())
        self.threads.add(threading.get_ident())
        assert self.may_continue.wait(30)

    def end_of_round(self) -> None:
        self.rounds += 1

    def close(self) -> None:
        self.closed += 1


def create_state(production: float | None = 1_000) -> DisplayState:
    result = DisplayState(lambda: None)
    if production is not None:
        result.take(Powers(production, 500, time.time()))
    return result


def create_player(display: RecordingDisplay, service: Service, state: DisplayState) -> Player:
    return Player(display, state, service, lambda: "OK", 0.02, ("weather", "power", "bars"), 0.1)


async def test_frames_are_shown_at_their_rate_in_a_separate_thread() -> None:
    display, service = RecordingDisplay(), Service()
    running = asyncio.ensure_future(create_player(display, service, create_state()).run(wants_weather=False))
    while len(display.at) < 25:
        await asyncio.sleep(0.01)
    service.stopping.set()
    with pytest.raises(Stopped):
        await running
    # Frames may be late on a busy machine, but never too early.
    assert display.at[-1] - display.at[0] > 0.02 * (len(display.at) - 2)
    assert len(display.threads) == 1
    assert threading.get_ident() not in display.threads
    assert display.closed == 1


@pytest.mark.parametrize(
    ("brightness", "night", "expected"), [(0.5, 0.1, 0.1), (0.05, 0.1, 0.05), (0.5, 0.5, 0.5)]
)
async def test_the_leds_are_dimmer_at_night(brightness: float, night: float, expected: float) -> None:
    for production, seen in ((1_000, brightness), (0, expected)):
        display, service = RecordingDisplay(is_animation=True), Service()
        display.brightness = brightness
        state = create_state(production)
        await Player(display, state, service, lambda: "OK", 0.02, ("bars",), night).run(wants_weather=False)
        assert display.brightness == seen


async def test_a_blocking_display_does_not_block_the_event_loop() -> None:
    display, service = RecordingDisplay(), Service()
    display.may_continue.clear()
    running = asyncio.ensure_future(create_player(display, service, create_state()).run(wants_weather=False))
    while not display.at:
        await asyncio.sleep(0.01)
    # The display hangs in its first frame, while the event loop continues.
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(display.at) == 1
    display.may_continue.set()
    service.stopping.set()
    with pytest.raises(Stopped):
        await running
    assert display.closed == 1


async def test_a_recording_is_one_round_without_pauses() -> None:
    display, service = RecordingDisplay(is_animation=True), Service()
    await create_player(display, service, create_state()).run(wants_weather=False)
    assert (display.rounds, display.closed) == (1, 1)
    assert len(display.at) > 200


async def test_a_recording_waits_for_a_first_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    display, service, late = RecordingDisplay(is_animation=True), Service(), create_state(None)
    running = asyncio.ensure_future(create_player(display, service, late).run(wants_weather=False))
    await asyncio.sleep(0.5)
    assert not display.at
    late.take(Powers(1, 1, time.time()))
    await running
    assert display.rounds == 1


async def test_a_recording_waits_for_the_panels_if_they_are_a_scene() -> None:
    display, service, state = RecordingDisplay(is_animation=True), Service(), create_state()
    player = Player(display, state, service, lambda: "OK", 0.02, ("panels",), 0.1)
    running = asyncio.ensure_future(player.run(wants_weather=False))
    await asyncio.sleep(0.3)
    assert not display.at
    now = time.time()
    state.take_message(Message("1", now, (), inverters=(InverterSample("1", round(now * 1000), 9.0, None),)))
    await running
    assert display.rounds == 1


async def test_a_recording_without_a_reading_is_written_and_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("enphase_companion.displays.player._FIRST", 0.2)
    # It does not wait for panels as well: that would take longer than a test may.
    monkeypatch.setattr("enphase_companion.displays.player._PANELS", 1_000)
    display, service = RecordingDisplay(is_animation=True), Service()
    player = Player(display, create_state(None), service, lambda: "OK", 0.02, ("panels",), 0.1)
    with pytest.raises(CommandError, match="no reading arrived"):
        await player.run(wants_weather=False)
    assert (display.rounds, display.closed) == (1, 1)


async def test_a_failed_display_stops_the_player_and_is_closed() -> None:
    display, service = RecordingDisplay(), Service()

    def raise_error(frame: Frame, seconds: float) -> None:
        raise CommandError("no HAT")

    display.show = raise_error  # type: ignore[method-assign]
    cancelled = asyncio.Event()

    async def run_other() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(CommandError, match="no HAT"):
        await run_until_first_ends(
            create_player(display, service, create_state()).run(wants_weather=False), run_other()
        )
    assert cancelled.is_set()
    assert display.closed == 1


async def test_the_display_is_closed_after_another_failure() -> None:
    display, service = RecordingDisplay(), Service()

    async def run_other() -> None:
        await asyncio.sleep(0.2)
        raise OSError("no network")

    with pytest.raises(OSError, match="no network"):
        await run_until_first_ends(
            create_player(display, service, create_state()).run(wants_weather=False), run_other()
        )
    assert display.closed == 1
    assert display.at
