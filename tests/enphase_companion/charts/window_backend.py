"""A matplotlib backend with a real main loop and timers but no screen: MPLBACKEND=module://…window_backend.

It writes the texts of its figure to the file WINDOW_STATE and closes once the file WINDOW_CLOSE exists.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, ClassVar

from matplotlib.backend_bases import FigureManagerBase, TimerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg


class _Timer(TimerBase):
    running: ClassVar[list[_Timer]] = []

    def _timer_start(self) -> None:
        self.due = time.monotonic() + self.interval / 1000
        self.running.append(self)

    def _timer_stop(self) -> None:
        if self in self.running:
            self.running.remove(self)

    def run_if_due(self) -> None:
        if time.monotonic() >= self.due:
            self.due = time.monotonic() + self.interval / 1000
            self._on_timer()  # type: ignore[attr-defined]  # the stubs lack it


class FigureManager(FigureManagerBase):
    """A window that writes its state to a file and can be closed by a file."""

    opened: ClassVar[list[FigureManager]] = []

    def __init__(self, canvas: Any, num: int | str) -> None:
        """Open the window."""
        super().__init__(canvas, num)
        self.opened.append(self)

    def destroy(self) -> None:
        """Close the window."""
        if self in self.opened:
            self.opened.remove(self)

    @classmethod
    def start_main_loop(cls) -> None:
        """Run the timers until all windows are closed."""
        turns = 0
        while cls.opened:
            for timer in list(_Timer.running):
                timer.run_if_due()
            turns += 1
            for manager in list(cls.opened):
                manager.update(turns)
            time.sleep(0.02)

    def update(self, turns: int) -> None:
        """Write the state of the window, and close it on request."""
        if (file := os.environ.get("WINDOW_STATE")) and turns % 10 == 0:
            texts = [text.get_text() for text in self.canvas.figure.texts]
            Path(file).write_text(f"{turns}\n" + "\n".join(texts))
        if Path(os.environ.get("WINDOW_CLOSE", "/nonexistent")).exists():
            self.destroy()


class FigureCanvas(FigureCanvasAgg):
    """A canvas without a screen."""

    required_interactive_framework = "headless"
    manager_class = FigureManager
    _timer_cls = _Timer
