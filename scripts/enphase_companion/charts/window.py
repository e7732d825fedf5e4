"""A window, of the toolkit that matplotlib finds (Tk, Qt, GTK, wx, macOS) or MPLBACKEND names."""

from __future__ import annotations

from collections.abc import Callable

from ..runtime.errors import CommandError

_ADVICE = (
    "Give --output FILE.png to get a file, or install a toolkit (Debian: apt install python3-tk) and start "
    "this on a desktop."
)


class Window:
    """One window with an empty figure."""

    def __init__(self, size: tuple[float, float], name: str) -> None:
        """`size`: width and height in inches. Raises CommandError where there can be no window."""
        try:
            # Only now: importing it, and making a figure, chooses the toolkit.
            from matplotlib import pyplot  # noqa: PLC0415

            self.figure = pyplot.figure(num=name, figsize=size)
        except ImportError as error:
            raise CommandError(f"No window can be opened ({error}). {_ADVICE}") from None
        self._pyplot = pyplot
        if self.figure.canvas.required_interactive_framework is None:
            pyplot.close(self.figure)
            raise CommandError(f"No window can be opened here. {_ADVICE}")

    def run(self, look: Callable[[], bool], interval: float) -> None:
        """Call `look` each `interval` seconds until it says False, or the window is closed.

        Raises what it raises.
        """
        failures: list[Exception] = []

        def step() -> None:
            try:
                goes_on = look()
            # A toolkit prints what a callback raises, and goes on.
            except Exception as error:  # noqa: BLE001
                failures.append(error)
                goes_on = False
            if not goes_on:
                self._pyplot.close(self.figure)

        timer = self.figure.canvas.new_timer(interval=round(interval * 1000))
        timer.add_callback(step)
        timer.start()
        self._pyplot.show(block=True)
        timer.stop()
        if failures:
            raise failures[0]
