"""Play rounds on a display, in a separate thread, until the script stops."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..config.settings import Settings
from ..runtime.errors import CommandError
from ..runtime.service import Service
from .display import Display, open_display
from .forecast import Forecast
from .frames import Frame
from .playlist import render_round
from .state import DisplayState

#: Seconds that an animation waits for the first reading, then for the weather, and then for the panels, which
#: a gateway may need some seconds for.
_FIRST, _WEATHER, _PANELS = 20.0, 5.0, 20.0

#: Seconds between two checks for them.
_CHECK_INTERVAL = 0.1


class Player:
    """Plays the current state on a display."""

    def __init__(
        self,
        display: Display,
        state: DisplayState,
        service: Service,
        status: Callable[[], str],
        step: float,
        scenes: Sequence[str],
        night_brightness: float,
    ) -> None:
        """`status` returns the status line for systemd; `step`, `scenes`: see render_round.

        `night_brightness` limits that of the display at night.
        """
        self._display = display
        self._state = state
        self._service = service
        self._status = status
        self._step = step
        self._scenes = scenes
        self._by_day = display.brightness
        self._by_night = min(display.brightness, night_brightness)

    async def run(self, *, wants_weather: bool) -> None:
        """Play rounds; an animation ends after one, every other display when Stopped is raised.

        Raises CommandError if the display fails, or an animation shows no reading.
        """
        # In a thread, because a display blocks; always in the same one, because none is thread-safe.
        thread = ThreadPoolExecutor(1, thread_name_prefix="display")
        try:
            if self._display.is_animation:
                await self._wait(lambda: self._state.powers is not None, _FIRST)
                await self._wait(lambda: self._state.weather is not None or not wants_weather, _WEATHER)
                # Where no reading came, no panel will.
                if "panels" in self._scenes and self._state.powers is not None:
                    await self._wait(lambda: self._state.array.powers != (), _PANELS)
            while True:
                await self._round(thread)
                await self._service.unless_stopped(_in_thread(thread, self._display.end_of_round))
                if self._display.is_animation:
                    break
                if (file := self._state.day_file) is not None and file.is_due:
                    await self._service.unless_stopped(_in_thread(thread, file.write))
        finally:
            # Not awaited: a task that is cancelled twice must still switch the LEDs off.
            thread.shutdown(wait=True, cancel_futures=True)
            self._display.close()
            if self._state.day_file is not None and not self._display.is_animation:
                self._state.day_file.write()
        if self._state.powers is None:
            raise CommandError("no reading arrived: the animation shows only that")

    async def _round(self, thread: ThreadPoolExecutor) -> None:
        due = time.monotonic()
        self._display.brightness = self._by_night if self._state.is_night else self._by_day
        for frame, seconds in render_round(self._state, self._step, self._scenes):
            self._service.alive(self._status())
            due = await self._service.unless_stopped(self._show(thread, frame, seconds, due))
            self._service.ready()

    async def _show(self, thread: ThreadPoolExecutor, frame: Frame, seconds: float, due: float) -> float:
        """Show a frame that is due, and return when the next one is; an animation does not wait for it."""
        await _in_thread(thread, self._display.show, frame, seconds)
        if not self._display.is_animation:
            # A late frame does not speed up the next ones.
            due = max(due + seconds, time.monotonic())
            await asyncio.sleep(due - time.monotonic())
        return due

    async def _wait(self, condition: Callable[[], bool], longest: float) -> None:
        end = time.monotonic() + longest
        while not condition() and time.monotonic() < end:
            self._service.alive(self._status())
            await self._service.sleep(_CHECK_INTERVAL)


async def _in_thread(thread: ThreadPoolExecutor, work: Callable[..., None], *arguments: Any) -> None:
    await asyncio.get_running_loop().run_in_executor(thread, work, *arguments)


async def play(
    name: str,
    settings: Settings,
    state: DisplayState,
    keep: Callable[[], Coroutine[Any, Any, None]],
    service: Service,
    status: Callable[[], str],
) -> None:
    """Show a state on the display of this name while `keep` updates it, until one of both ends.

    `status` returns the status line for systemd. Raises CommandError if the display fails, and what
    `keep` raises.
    """
    forecast = Forecast.from_settings(settings)
    display = open_display(name, settings.brightness, settings.rotation)
    player = Player(
        display,
        state,
        service,
        status,
        settings.scroll_delay,
        settings.scene,
        settings.night_brightness,
    )
    works = [player.run(wants_weather=forecast is not None), keep()]
    if forecast is not None:
        works.append(forecast.follow(state))
    await run_until_first_ends(*works)


async def run_until_first_ends(*works: Coroutine[Any, Any, None]) -> None:
    """Run these concurrently until the first ends, cancel the others, and raise what it raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
