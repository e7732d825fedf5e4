"""Write a chart to a file once, or keep a window or a file up to date until the script stops."""

from __future__ import annotations

import io
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from matplotlib.figure import Figure

from enphase_api.files import write_file

from ..runtime.errors import CommandError
from .drawing import DOTS, Chart, size
from .model import View
from .style import Style

_ADVICE = (
    "write a file with --output FILE.png, or install a toolkit (Debian: apt install python3-tk) and run the "
    "command on a desktop"
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
            raise CommandError(f"no window can be opened ({error}): {_ADVICE}") from None
        self._pyplot = pyplot
        if self.figure.canvas.required_interactive_framework is None:
            pyplot.close(self.figure)
            raise CommandError(f"no window can be opened here: {_ADVICE}")

    def run(self, look: Callable[[], bool], interval: float) -> None:
        """Call `look` every `interval` seconds until it returns False, or the window is closed.

        Raises what it raises.
        """
        failures: list[Exception] = []

        def step() -> None:
            try:
                goes_on = look()
            # A toolkit prints the exceptions of callbacks, and continues.
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


#: Returns the newest view, waiting for it at most these seconds; None: no new one.
Newest = Callable[[float], View | None]

#: Seconds; also the longest time until a signal is seen.
_CHECK_INTERVAL = 0.25

#: Seconds between two files: drawing one takes a small computer a second.
_PAUSE = 5.0


def write(view: View, limits: Mapping[str, float], file: Path, style: Style) -> None:
    """Write a file. Raises OSError where that cannot be."""
    chart = Chart(Figure(size(len(view.panels))), limits, style)
    chart.draw(view)
    save(chart.figure, file)


def keep_writing(newest: Newest, limits: Mapping[str, float], file: Path, style: Style) -> None:
    """Write a file with each new view, until Ctrl-C or SIGTERM. Raises OSError, and what `newest` raises."""
    with _catch_signals() as is_over:
        print(f"{file} is written again and again. Ctrl-C ends it.", flush=True)
        due = 0.0
        while not is_over():
            if time.monotonic() < due:
                time.sleep(_CHECK_INTERVAL)
            elif (view := newest(_CHECK_INTERVAL)) is not None:
                due = time.monotonic() + _PAUSE
                write(view, limits, file, style)


def show(newest: Newest, limits: Mapping[str, float], name: str, style: Style) -> None:
    """Open a window with the first view and update it, until it is closed, Ctrl-C or SIGTERM.

    Raises CommandError where there can be no window, and what `newest` raises.
    """
    with _catch_signals() as is_over:
        view = None
        while view is None:
            if is_over():
                return
            view = newest(_CHECK_INTERVAL)
        window = Window(size(len(view.panels)), name)
        chart = Chart(window.figure, limits, style)
        chart.draw(view)

        def look() -> bool:
            if (new := newest(0)) is not None:
                chart.draw(new)
                window.figure.canvas.draw_idle()
            return not is_over()

        window.run(look, _CHECK_INTERVAL)


@contextmanager
def _catch_signals() -> Iterator[Callable[[], bool]]:
    """Yield a function that returns whether Ctrl-C or SIGTERM came; a toolkit would swallow an exception."""
    came: list[int] = []

    def note(number: int, _: object) -> None:
        came.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def save(figure: Figure, file: Path) -> None:
    """Write the figure in the format of the file's suffix; a reader never finds an incomplete file.

    Raises OSError where it cannot be written.
    """
    content = io.BytesIO()
    figure.savefig(content, format=file.suffix[1:].lower(), dpi=DOTS)
    write_file(file, content.getvalue())
