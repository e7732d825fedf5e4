"""What a Unicorn HAT HD costs: each frame beside one drawn LED by LED, and the script for a minute."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import numpy as np
from rich.progress import Progress

from enphase_companion.config.settings import SCENES
from enphase_companion.displays.bars import Chart, draw_bars
from enphase_companion.displays.day import Day
from enphase_companion.displays.frames import EMBERS, SIZE, Frame, blank
from enphase_companion.displays.hat import Hat
from enphase_companion.displays.icons import PERIOD, Weather, icon
from enphase_companion.displays.panels import Array, draw_panels
from enphase_companion.displays.playlist import FRAME
from enphase_companion.displays.state import Powers
from enphase_companion.displays.text import render, scale2x, scroll
from enphase_companion.simulator import Simulator

from ..steps import PROJECT
from . import hat_per_pixel
from .measures import BenchmarkError
from .results import Result, middle

#: Packages whose versions are printed below the figures.
PACKAGES = ("numpy", "unicornhathd")

#: The folder with a bus to which no HAT is connected.
_BUS = PROJECT / "tests" / "enphase_companion" / "displays"

#: Pictures in a round, and rounds; seconds of the script, after those in which it starts.
_PICTURES, _PICTURES_QUICK, _ROUNDS, _ROUNDS_QUICK = 100, 10, 15, 1
_SECONDS, _SECONDS_QUICK, _STARTING = 60.0, 3.0, 8.0

#: Panels, text and power in W of the pictures.
_PANELS, _WORDS, _WATTS = 60, "3.42 kW", 3_000.0

#: Bytes that are sent for a frame.
_FRAME_BYTES = 769

#: What sends as many frames and does nothing else.
_BARE = """
import time, unicornhathd
due, number = time.monotonic(), 0
while True:
    number += 1
    unicornhathd.set_all(number % 256, 100, 0)
    unicornhathd.show()
    due += 0.04
    time.sleep(max(due - time.monotonic(), 0))
"""

#: Draws the picture with this number, in a frame, or LED by LED.
_Ours: TypeAlias = Callable[[int], Frame]
_Reference: TypeAlias = Callable[[int], hat_per_pixel.Picture]


def run(
    parts: Iterable[str],
    progress: Progress,
    *,
    quick: bool,
    against: Path | None,  # noqa: ARG001 - the references are here
) -> Iterator[Result]:
    """Yield the figures of these parts. Raises BenchmarkError."""
    measures = {"frame": _measure_frames, "minute": _measure_minute}
    for part in parts:
        yield from measures[part](progress, quick=quick)


def _measure_frames(progress: Progress, *, quick: bool) -> Iterator[Result]:
    """Yield milliseconds of the processor for a picture: drawn, and sent to the bus."""
    sys.path.insert(0, str(_BUS))
    import spidev  # type: ignore[import-not-found]  # noqa: PLC0415
    import unicornhathd  # type: ignore[import-untyped]  # noqa: PLC0415

    pictures, rounds = (_PICTURES_QUICK, _ROUNDS_QUICK) if quick else (_PICTURES, _ROUNDS)
    hat = Hat(1.0, 0)
    # Sets the library's brightness for both.
    hat.show(blank(), 0)

    def show_ours(draw: _Ours, number: int) -> None:
        hat.show(draw(number), 0)

    def show_reference(draw: _Reference, number: int) -> None:
        hat_per_pixel.send(unicornhathd, draw(number))

    for scene, (ours, reference) in progress.track(_scenes().items(), description="drawing"):
        taken: tuple[list[float], list[float]] = ([], [])
        both: list[tuple[Callable[[int], None], list[float]]] = [
            (partial(show_ours, ours), taken[0]),
            (partial(show_reference, reference), taken[1]),
        ]
        for number in range(1 + rounds):
            sent: list[list[int]] = []
            for show, seconds in both if number % 2 else reversed(both):
                spidev.SpiDev.sent.clear()
                begin = time.process_time()
                for picture in range(pictures):
                    show(picture)
                seconds.append((time.process_time() - begin) / pictures)
                sent.append(spidev.SpiDev.sent[-1])
            if np.abs(np.subtract(sent[0], sent[1])).max() > 2:
                raise BenchmarkError(f"the pictures of {scene} differ")
        # The first round loads and makes what the others find.
        ours_ms, reference_ms = ([1000 * each for each in seconds[1:]] for seconds in taken)
        yield Result("hat", f"frame_of_{scene}", "ms of the processor", middle(ours_ms), middle(reference_ms))


def _scenes() -> dict[str, tuple[_Ours, _Reference]]:
    """Return by scene what draws a picture of the same, at its dearest: nothing is kept from another."""
    letters = np.roll(scale2x(render(_WORDS)), 1, axis=0)
    dots = np.pad(letters, ((0, 0), (SIZE, SIZE))).tolist()
    texts: list[Frame] = []

    def draw_text(number: int) -> Frame:
        if number == 0:
            texts[:] = scroll(_WORDS, EMBERS[-1])
        return texts[number % len(texts)]

    day, quarter_hours = Day(UTC), [(2_000.0 + 20 * number, 600.0 + number) for number in range(70)]
    for number, (production, consumption) in enumerate(quarter_hours):
        day.take(Powers(production, consumption, 900.0 * number))
    powers = tuple(5.0 * number for number in range(_PANELS))
    columns = len(dots[0]) - SIZE + 1
    draw_icon = icon.__wrapped__
    return {
        "weather": (
            lambda number: draw_icon(Weather.CLEAR_DAY, number * FRAME),
            lambda number: hat_per_pixel.sun(number * FRAME % PERIOD / PERIOD),
        ),
        "power": (draw_text, lambda number: hat_per_pixel.text(dots, EMBERS[-1], number % columns)),
        "bars": (
            lambda number: draw_bars(Chart(_WATTS - number, _WATTS)),
            lambda number: hat_per_pixel.bars(_WATTS - number, _WATTS, _WATTS),
        ),
        "day": (
            lambda number: day.draw(_WATTS + number)[:, -SIZE:],
            lambda number: hat_per_pixel.day(quarter_hours, max(_WATTS + number, quarter_hours[-1][0])),
        ),
        "panels": (
            lambda number: draw_panels(Array(powers, _WATTS + number), 0),
            lambda number: hat_per_pixel.panels(powers, _WATTS + number),
        ),
    }


def _measure_minute(progress: Progress, *, quick: bool) -> Iterator[Result]:
    """Yield what the script takes of a core, with a simulated gateway that it reads once a second."""
    seconds = _SECONDS_QUICK if quick else _SECONDS
    task = progress.add_task("running the script", total=None)
    with Simulator("three-phase", hour_of_day=13.0) as gateway, TemporaryDirectory() as folder:
        (Path(folder) / "gateway.cer").write_text(gateway.certificate_pem)
        owner = {
            "ENPHASE_CONFIGURATION": folder,
            "ENPHASE_GATEWAY_HOST": gateway.url,
            "ENPHASE_GATEWAY_TOKEN": gateway.token(),
            "ENPHASE_WEATHER_HOST": gateway.weather_url,
            "ENPHASE_LATITUDE": "47.4",
            "ENPHASE_LONGITUDE": "8.5",
            "ENPHASE_SCENE": ",".join(SCENES),
        }
        script = str(Path(sys.executable).with_name("enphase-gateway-unicorn-hat-hd"))
        ours, ours_rate = _watch([script], owner, seconds)
    reference, reference_rate = _watch([sys.executable, "-c", _BARE], {}, seconds)
    progress.remove_task(task)
    yield Result("hat", "cpu_of_script", "% of a core", middle([ours]), middle([reference]))
    yield Result("hat", "frames_per_second", "1/s", middle([ours_rate]), middle([reference_rate]))


def _watch(command: list[str], environment: dict[str, str], seconds: float) -> tuple[float, float]:
    """Return percent of a core and frames per second of a command, after it has started."""
    with TemporaryDirectory() as folder:
        bus = Path(folder) / "bus"
        variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(_BUS), "FAKE_SPI": str(bus)}
        with subprocess.Popen(command, env=environment | variables) as process:
            try:
                before = _look(process, bus, _STARTING)
                after = _look(process, bus, seconds)
            finally:
                process.terminate()
    at, taken, frames = np.subtract(after, before)
    return 100 * taken / at, frames / at


def _look(process: subprocess.Popen[bytes], bus: Path, seconds: float) -> tuple[float, float, int]:
    """Return time, seconds of the processor and frames of a process after a wait. Raises BenchmarkError."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        _, _, numbers = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")
        ticks = sum(map(int, numbers.split()[11:13]))
        return time.monotonic(), ticks / os.sysconf("SC_CLK_TCK"), bus.stat().st_size // _FRAME_BYTES
    raise BenchmarkError("the script has ended")
