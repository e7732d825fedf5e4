"""Windows: with the test backend, with Tk, and without a toolkit."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from matplotlib import pyplot

from enphase_companion.charts.output import Window, show
from enphase_companion.charts.style import LIGHT
from enphase_companion.runtime.errors import CommandError

from .helpers import BACKEND, VIEW


@pytest.fixture(autouse=True)
def no_screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    before = pyplot.rcParams["backend"]
    yield
    pyplot.close("all")
    pyplot.switch_backend(before)


def test_the_error_of_a_missing_toolkit_names_the_remedy() -> None:
    pyplot.switch_backend("agg")
    with pytest.raises(CommandError, match=r"no window can be opened here: write a file with --output"):
        Window((12, 7), "Chart")
    assert pyplot.get_fignums() == []


def test_a_window_closes_when_its_callback_ends(tmp_path: Path) -> None:
    pyplot.switch_backend(BACKEND)
    window = Window((12, 7), "Chart")
    updates: list[int] = []

    def update() -> bool:
        updates.append(len(updates))
        return len(updates) < 5

    window.run(update, 0.01)
    assert len(updates) == 5
    assert pyplot.get_fignums() == []


def test_an_error_in_a_window_is_raised_after_it_is_closed() -> None:
    pyplot.switch_backend(BACKEND)
    window = Window((12, 7), "Chart")

    def update() -> bool:
        raise CommandError("The database is gone.")

    with pytest.raises(CommandError, match="The database is gone"):
        window.run(update, 0.01)
    assert pyplot.get_fignums() == []


@pytest.mark.slow
def test_new_views_are_drawn_and_signal_handlers_restored() -> None:
    pyplot.switch_backend(BACKEND)
    before = signal.getsignal(signal.SIGTERM)
    turns: list[float] = []

    def newest(timeout: float) -> object:
        turns.append(timeout)
        if len(turns) == 6:
            os.kill(os.getpid(), signal.SIGTERM)
        return VIEW if len(turns) % 2 else None

    show(newest, {}, "Chart", LIGHT)  # type: ignore[arg-type]
    assert len(turns) >= 6
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.skipif(
    importlib.util.find_spec("tkinter") is None or shutil.which("Xvfb") is None, reason="needs Tk and Xvfb"
)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_closes_a_tk_window(number: signal.Signals, tmp_path: Path) -> None:
    code = (
        "from tests.enphase_companion.charts.helpers import VIEW\n"
        "from enphase_companion.charts.output import show\n"
        "from enphase_companion.charts.style import LIGHT\n"
        "count = 0\n"
        "def newest(timeout):\n"
        "    global count\n"
        "    count += 1\n"
        "    if count == 6: print('drawn', flush=True)\n"
        "    return VIEW\n"
        "show(newest, {}, 'Chart', LIGHT)\n"
        "print('ended')\n"
    )
    display = f":{os.getpid() % 30_000 + 100}"
    screen = subprocess.Popen(["Xvfb", display, "-screen", "0", "1600x1000x24"], stderr=subprocess.DEVNULL)
    environment = {
        **os.environ, "DISPLAY": display, "MPLBACKEND": "TkAgg", "PYTHONPATH": ":".join(sys.path),
    }  # fmt: skip
    try:
        for _ in range(50):
            if Path(f"/tmp/.X11-unix/X{display[1:]}").exists():
                break
            signal.sigtimedwait([], 0.1)
        with subprocess.Popen(
            [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "drawn\n"
            process.send_signal(number)
            assert process.wait(60) == 0
            assert process.stdout.read() == "ended\n"
    finally:
        screen.terminate()
        screen.wait(5)
