"""A window: there is none without a toolkit, a click is seen in it, and with Tk it is a real one."""

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


def test_without_a_toolkit_it_says_what_to_do() -> None:
    pyplot.switch_backend("agg")
    with pytest.raises(CommandError, match=r"no window can be opened here: write a file with --output"):
        Window((12, 7), "Chart")
    assert pyplot.get_fignums() == []


def test_a_window_ends_when_what_it_looks_at_does(tmp_path: Path) -> None:
    pyplot.switch_backend(BACKEND)
    window = Window((12, 7), "Chart")
    looks: list[int] = []

    def look() -> bool:
        looks.append(len(looks))
        return len(looks) < 5

    window.run(look, 0.01)
    assert len(looks) == 5
    assert pyplot.get_fignums() == []


def test_what_goes_wrong_in_a_window_is_raised_after_it_is_closed() -> None:
    pyplot.switch_backend(BACKEND)
    window = Window((12, 7), "Chart")

    def look() -> bool:
        raise CommandError("The database is gone.")

    with pytest.raises(CommandError, match="The database is gone"):
        window.run(look, 0.01)
    assert pyplot.get_fignums() == []


@pytest.mark.slow
def test_it_draws_what_comes_and_gives_the_signals_back() -> None:
    pyplot.switch_backend(BACKEND)
    before = signal.getsignal(signal.SIGTERM)
    turns: list[float] = []

    def newest(timeout: float) -> object:
        turns.append(timeout)
        if len(turns) == 6:
            os.kill(os.getpid(), signal.SIGTERM)
        return VIEW if len(turns) % 2 else None

    show(newest, {}, "Chart")  # type: ignore[arg-type]
    assert len(turns) >= 6
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.skipif(
    importlib.util.find_spec("tkinter") is None or shutil.which("Xvfb") is None, reason="needs Tk and Xvfb"
)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_real_window_of_tk_ends_on_a_signal_within_a_second(number: signal.Signals, tmp_path: Path) -> None:
    code = (
        "from tests.enphase_companion.charts.helpers import VIEW\n"
        "from enphase_companion.charts.output import show\n"
        "count = 0\n"
        "def newest(timeout):\n"
        "    global count\n"
        "    count += 1\n"
        "    if count == 6: print('drawn', flush=True)\n"
        "    return VIEW\n"
        "show(newest, {}, 'Chart')\n"
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
            assert process.wait(5) == 0
            assert process.stdout.read() == "ended\n"
    finally:
        screen.terminate()
        screen.wait(5)
