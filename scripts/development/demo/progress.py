"""What the demo prints while it works, and what it does until it is interrupted."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from .process import Child

#: Seconds after which the current step is printed again.
_REMINDER_INTERVAL = 10


def say(text: str = "") -> None:
    """Print and flush."""
    print(text, flush=True)


@contextlib.asynccontextmanager
async def step(text: str) -> AsyncIterator[None]:
    """Print the current step, and repeat it every ten seconds until it is done."""

    async def remind() -> None:
        for seconds in itertools.count(_REMINDER_INTERVAL, _REMINDER_INTERVAL):
            await asyncio.sleep(_REMINDER_INTERVAL)
            say(f"still {text} ({seconds} s)")

    say(text)
    reminding = asyncio.create_task(remind())
    try:
        yield
    finally:
        reminding.cancel()


async def serve_until_interrupted(text: str) -> int:
    """Print where to look, and wait until the demo is interrupted."""
    began = float(os.environ.get("DEMO_STARTED", "nan"))
    say(f"{text}\n\nReady after {time.time() - began:.0f} s. Ctrl-C ends everything.")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        say("\nending Home Assistant")
    return 0


async def unless_ended(work: Coroutine[Any, Any, int], *children: Child) -> int:
    """Do the work and return its exit status; raise DemoError if one of these programs ends meanwhile."""
    ended = [asyncio.create_task(child.wait_for_exit()) for child in children]
    working = asyncio.create_task(work)
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.wait([*ended, working], return_when=asyncio.FIRST_COMPLETED)
        if working.done() and working.exception():
            # The usual cause is that a program is about to exit.
            await asyncio.wait(ended, timeout=1, return_when=asyncio.FIRST_COMPLETED)
    errors = [each.result() for each in ended if each.done()]
    for task in (*ended, working):
        task.cancel()
    await asyncio.wait([working])
    if errors:
        raise errors[0]
    return await working
