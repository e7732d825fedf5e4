"""Joins a panel that is kept up to date, the weather, and the display that was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from ..config.settings import Settings
from ..runtime.service import Service
from .display import open_display
from .forecast import Forecast
from .panel import Panel
from .player import Player


async def play(
    name: str,
    settings: Settings,
    panel: Panel,
    keep: Callable[[], Coroutine[Any, Any, None]],
    service: Service,
    status: Callable[[], str],
) -> None:
    """Show a panel on the display of this name while `keep` gives it its readings, until one of them ends.

    `status` says how the script is, for systemd. Raises CommandError where the display does not work, and
    what `keep` raises.
    """
    forecast = Forecast.from_settings(settings)
    display = open_display(name, settings.brightness, settings.rotation)
    player = Player(display, panel, service, status, settings.scroll_delay)
    works = [player.run(wants_weather=forecast is not None), keep()]
    if forecast is not None:
        works.append(forecast.follow(panel))
    await until_one_ends(*works)


async def until_one_ends(*works: Coroutine[Any, Any, None]) -> None:
    """Run these together until the first of them ends, end the others, and raise what it raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
