"""The energy of each panel: from the database to bars, silent ones and those that are behind marked."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from enphase_companion.charts.drawing import Chart, size
from enphase_companion.charts.export import export
from enphase_companion.charts.load import Request
from enphase_companion.charts.load_inverters import load_inverters
from enphase_companion.charts.model import View
from enphase_companion.charts.style import STYLES
from enphase_companion.charts.time_range import parse
from enphase_companion.message import InverterSample, Message
from enphase_companion.runtime.errors import CommandError
from enphase_companion.storage import Database

from .conftest import ZURICH, local_seconds

GATEWAY = "122300000001"
USUAL, BEST, BEHIND, SILENT = (f"48220001000{number}" for number in range(1, 5))
NOW = local_seconds(2026, 6, 21, 13)

#: W.
POWERS = {USUAL: 240.0, BEST: 252.0, BEHIND: 180.0, SILENT: 240.0}


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Yield a database with two mornings of four panels; one falls silent at 10:00 of the second."""
    async with Database(f"sqlite:///{tmp_path / 'panels.db'}", ZURICH) as filled:
        await filled.upgrade()
        await filled.write([_build_message(day, hours) for day in (0, 1) for hours in range(3)])
        yield filled


def _build_message(day: int, hours: int) -> Message:
    at = local_seconds(2026, 6, 20 + day, 10 + hours)
    samples = tuple(
        InverterSample(name, at * 1000, watts, 9000 + watts * (2 * day + hours))
        for name, watts in POWERS.items()
        if not (name == SILENT and day == 1 and hours > 0)
    )
    return Message(GATEWAY, at, (), inverters=samples)


async def load(database: Database, days: str) -> View:
    return await load_inverters(database, Request(parse(days), None, phases=False, dots=1000), NOW)


async def test_panels_are_sorted_by_their_energy_and_silent_ones_have_their_time(database: Database) -> None:
    view = await load(database, "2026-06-20..2026-06-21")
    assert view.inverters is not None
    assert list(view.inverters.serial_numbers) == [BEST, USUAL, BEHIND, SILENT]
    assert view.inverters.totals.tolist() == [1008.0, 960.0, 720.0, 480.0]
    assert view.inverters.silent_since == {SILENT: local_seconds(2026, 6, 21, 10) * 1000}
    assert view.totals.produced == 3168.0
    assert view.notes == [f"silent: {SILENT} since 2026-06-21 10:00"]


async def test_the_energy_of_each_day_is_exported(database: Database, tmp_path: Path) -> None:
    export(await load(database, "week"), tmp_path / "panels.csv")
    head, *rows = csv.reader((tmp_path / "panels.csv").read_text().splitlines())
    assert head == ["time", *(f"{name}_Wh" for name in (BEST, USUAL, BEHIND, SILENT))]
    assert [row[:2] for row in rows] == [
        ["2026-06-20T00:00:00+02:00", "504.000"],
        ["2026-06-21T00:00:00+02:00", "504.000"],
    ]


@pytest.mark.parametrize("style", STYLES)
async def test_each_panel_is_a_bar_and_the_legend_tells_which_are_behind_or_silent(
    database: Database, style: str
) -> None:
    view = await load(database, "2026-06-20")
    figure = Figure(size(0))
    FigureCanvasAgg(figure)
    chart = Chart(figure, {}, STYLES[style])
    chart.draw(view)
    chart.draw(await load(database, "2026-06-21"))
    figure.canvas.draw()
    (axes,) = figure.axes
    bars = sorted((bar.get_x(), bar.get_height()) for bar in axes.patches)  # type: ignore[attr-defined]
    assert [height for _, height in bars] == [504.0, 480.0, 360.0, 0.0]
    shown = {artist.get_text() for artist in figure.findobj(Text)}
    assert {"Panel", "Behind: more than 20 % below the median", "Silent", "silent since 21 Jun"} <= shown
    assert {BEST, "median\n480 Wh", "Wh"} <= shown


async def test_without_panels_the_error_names_the_setting(tmp_path: Path) -> None:
    async with Database(f"sqlite:///{tmp_path / 'panels.db'}", ZURICH) as database:
        await database.upgrade()
        with pytest.raises(CommandError, match="contains no readings yet"):
            await load(database, "today")
        await database.write([Message(GATEWAY, NOW, ())])
        with pytest.raises(CommandError, match=f"no panels of gateway {GATEWAY} .*set keep_panels"):
            await load(database, "today")


async def test_a_time_without_readings_has_a_note(database: Database) -> None:
    view = await load(database, "2026-06-22")
    assert view.notes == ["no readings in this time"]
    assert view.inverters is not None
    assert np.isnan(view.inverters.median)
    Chart(Figure(size(0)), {}).draw(view)
