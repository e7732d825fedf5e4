"""A toolkit for tests, with a real main loop and timers but no screen: MPLBACKEND=module://…window_backend.

What is in its figure it writes to the file that WINDOW_STATE names; it closes when there is a file that
WINDOW_CLOSE names.
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
    """Says how it is in a file, once a turn; ends when its window is closed."""

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
        """Turn until there is no window."""
        turns = 0
        while cls.opened:
            for timer in list(_Timer.running):
                timer.run_if_due()
            turns += 1
            for manager in list(cls.opened):
                manager.look(turns)
            time.sleep(0.02)

    def look(self, turns: int) -> None:
        """Return what is drawn, and do what a person would do."""
        if (told := os.environ.get("WINDOW_STATE")) and turns % 10 == 0:
            texts = [text.get_text() for text in self.canvas.figure.texts]
            Path(told).write_text(f"{turns}\n" + "\n".join(texts))
        if Path(os.environ.get("WINDOW_CLOSE", "/nonexistent")).exists():
            self.destroy()


class FigureCanvas(FigureCanvasAgg):
    """Draws where nobody sees it."""

    required_interactive_framework = "headless"
    manager_class = FigureManager
    _timer_cls = _Timer
