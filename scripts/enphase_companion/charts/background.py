"""Work in a separate thread, so that no window waits for a gateway or a database."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from ..runtime.service import Service, Stopped
from .model import View

#: Seconds that the work has to end.
_END = 4.0

#: Runs until the service stops, and passes each view to the function.
Work = Callable[[Service, Callable[[View], None]], Awaitable[None]]


class Background:
    """Runs the work from `with` to its end, and keeps the newest view until it is taken."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._service = Service()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="enphase-readings", daemon=True)
        self._news = threading.Condition()
        self._view: View | None = None
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        """Start."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ask the work to end, and wait a little for that."""
        # Not started yet, or ended already.
        self._service.stopping.set()
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._service.stopping.set)
        self._thread.join(_END)

    def newest(self, timeout: float = 0.0) -> View | None:
        """Return the newest view that was not taken yet; None if there is none within `timeout` seconds.

        Raises what ended the work.
        """
        with self._news:
            self._news.wait_for(lambda: self._view is not None or self._error is not None, timeout)
            if self._error is not None:
                raise self._error
            view, self._view = self._view, None
        return view

    def _run(self) -> None:
        try:
            asyncio.run(self._run_until_stopped())
        # Raised again in the thread that takes the views.
        except BaseException as error:  # noqa: BLE001
            with self._news:
                self._error = error
                self._news.notify()

    async def _run_until_stopped(self) -> None:
        self._loop = asyncio.get_running_loop()
        with suppress(Stopped):
            await self._work(self._service, self._put)
        if not self._service.stopping.is_set():
            # Otherwise the view would become outdated unnoticed.
            raise RuntimeError("what brings new readings has ended")

    def _put(self, view: View) -> None:
        with self._news:
            self._view = view
            self._news.notify()
