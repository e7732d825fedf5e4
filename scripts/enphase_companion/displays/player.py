"""Shows round after round on a display, from a thread of its own, until the script shall end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..runtime.errors import CommandError
from ..runtime.service import Service
from .display import Display
from .panel import Panel
from .programme import one_round

#: Seconds that a recording waits for a first reading, and then for the weather.
_FIRST, _WEATHER = 20.0, 5.0

#: Seconds between two looks for them.
_LOOK = 0.1


class Player:
    """Joins a panel to a display."""

    def __init__(
        self, display: Display, panel: Panel, service: Service, status: Callable[[], str], step: float
    ) -> None:
        """`status` says how the script is, for systemd; `step`: see one_round."""
        self._display = display
        self._panel = panel
        self._service = service
        self._status = status
        self._step = step

    async def run(self, *, wants_weather: bool) -> None:
        """Show everything again and again; a recording ends after one round, all else with Stopped.

        Raises CommandError where the display does not work, or a recording has nothing to show but that.
        """
        # In a thread, because a display blocks; in always the same one, as none of them is made for more.
        thread = ThreadPoolExecutor(1, thread_name_prefix="display")
        try:
            if self._display.is_recording:
                await self._wait(lambda: self._panel.powers is not None, _FIRST)
                await self._wait(lambda: self._panel.weather is not None or not wants_weather, _WEATHER)
            while True:
                await self._round(thread)
                await self._call(thread, self._display.end_of_round)
                if self._display.is_recording:
                    break
        finally:
            # Not awaited: whoever is cancelled twice must still switch the LEDs off.
            thread.shutdown(wait=True, cancel_futures=True)
            self._display.close()
        if self._panel.powers is None:
            raise CommandError("Nothing was read, so what was recorded shows only that.")

    async def _round(self, thread: ThreadPoolExecutor) -> None:
        due = time.monotonic()
        for frame, seconds in one_round(self._panel, self._step):
            self._service.alive(self._status())
            await self._call(thread, self._display.show, frame, seconds)
            self._service.ready()
            if not self._display.is_recording:
                # What was late is not made up for by a rush.
                due = max(due + seconds, time.monotonic())
                await self._service.sleep(due - time.monotonic())

    async def _call(self, thread: ThreadPoolExecutor, work: Callable[..., None], *arguments: Any) -> None:
        await self._service.unless_stopped(_in_thread(thread, work, *arguments))

    async def _wait(self, condition: Callable[[], bool], longest: float) -> None:
        end = time.monotonic() + longest
        while not condition() and time.monotonic() < end:
            self._service.alive(self._status())
            await self._service.sleep(_LOOK)


async def _in_thread(thread: ThreadPoolExecutor, work: Callable[..., None], *arguments: Any) -> None:
    await asyncio.get_running_loop().run_in_executor(thread, work, *arguments)
