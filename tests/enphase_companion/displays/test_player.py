"""The player: frames at their pace, from a thread, and a display that is switched off whatever happens."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from enphase_companion.displays.frames import Frame
from enphase_companion.displays.player import Player, run_until_first_ends
from enphase_companion.displays.state import DisplayState, Powers
from enphase_companion.runtime.errors import CommandError
from enphase_companion.runtime.service import Service, Stopped


class Seen:
    """A display that notes what is done with it."""

    def __init__(self, *, is_animation: bool = False) -> None:
        self.is_animation = is_animation
        self.at: list[float] = []
        self.threads: set[int] = set()
        self.rounds = 0
        self.closed = 0
        self.goes_on = threading.Event()
        self.goes_on.set()

    def show(self, frame: Frame, seconds: float) -> None:  # noqa: ARG002 - as displays are
        assert not self.closed
        assert frame.shape == (16, 16, 3)
        self.at.append(time.monotonic())
        self.threads.add(threading.get_ident())
        assert self.goes_on.wait(30)

    def end_of_round(self) -> None:
        self.rounds += 1

    def close(self) -> None:
        self.closed += 1


def state(production: float | None = 1_000) -> DisplayState:
    result = DisplayState(lambda: None)
    if production is not None:
        result.take(Powers(production, 500, time.time()))
    return result


def player(display: Seen, service: Service, what: DisplayState) -> Player:
    return Player(display, what, service, lambda: "well", 0.02)


async def test_frames_are_shown_at_their_pace_by_one_thread_that_is_not_the_loops() -> None:
    display, service = Seen(), Service()
    running = asyncio.ensure_future(player(display, service, state()).run(wants_weather=False))
    while len(display.at) < 25:
        await asyncio.sleep(0.01)
    service.stopping.set()
    with pytest.raises(Stopped):
        await running
    # Never a rush: on a busy machine they may be slower.
    assert display.at[-1] - display.at[0] > 0.02 * (len(display.at) - 2)
    assert len(display.threads) == 1
    assert threading.get_ident() not in display.threads
    assert display.closed == 1


async def test_a_display_that_blocks_does_not_hold_up_the_rest() -> None:
    display, service = Seen(), Service()
    display.goes_on.clear()
    running = asyncio.ensure_future(player(display, service, state()).run(wants_weather=False))
    while not display.at:
        await asyncio.sleep(0.01)
    # It hangs in its first frame, and this goes on.
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(display.at) == 1
    display.goes_on.set()
    service.stopping.set()
    with pytest.raises(Stopped):
        await running
    assert display.closed == 1


async def test_a_recording_is_one_round_that_nobody_waits_for() -> None:
    display, service = Seen(is_animation=True), Service()
    await player(display, service, state()).run(wants_weather=False)
    assert (display.rounds, display.closed) == (1, 1)
    assert len(display.at) > 200


async def test_a_recording_waits_for_a_first_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    display, service, late = Seen(is_animation=True), Service(), state(None)
    running = asyncio.ensure_future(player(display, service, late).run(wants_weather=False))
    await asyncio.sleep(0.5)
    assert not display.at
    late.take(Powers(1, 1, time.time()))
    await running
    assert display.rounds == 1


async def test_a_recording_without_reading_is_made_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("enphase_companion.displays.player._FIRST", 0.2)
    display, service = Seen(is_animation=True), Service()
    with pytest.raises(CommandError, match="no reading arrived"):
        await player(display, service, state(None)).run(wants_weather=False)
    assert (display.rounds, display.closed) == (1, 1)


async def test_a_display_that_breaks_ends_everything_and_is_closed() -> None:
    display, service = Seen(), Service()

    def broken(frame: Frame, seconds: float) -> None:
        raise CommandError("no HAT")

    display.show = broken  # type: ignore[method-assign]
    cancelled = asyncio.Event()

    async def other() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(CommandError, match="no HAT"):
        await run_until_first_ends(player(display, service, state()).run(wants_weather=False), other())
    assert cancelled.is_set()
    assert display.closed == 1


async def test_the_display_is_closed_when_something_else_breaks() -> None:
    display, service = Seen(), Service()

    async def other() -> None:
        await asyncio.sleep(0.2)
        raise OSError("no network")

    with pytest.raises(OSError, match="no network"):
        await run_until_first_ends(player(display, service, state()).run(wants_weather=False), other())
    assert display.closed == 1
    assert display.at
