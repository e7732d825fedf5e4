"""Tables of what a chart shows."""

from __future__ import annotations

import csv
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from enphase_companion.charts import options
from enphase_companion.charts.export import FORMATS, export, to_table
from enphase_companion.charts.model import Panel, Quantity, Track, View
from enphase_companion.charts.time_range import split_into_days
from enphase_companion.runtime.errors import CommandError

from .helpers import END, START, TIMES, TRACKS, VIEW, WAVE


def read_csv(view: View, folder: Path) -> list[dict[str, str]]:
    file = folder / "table.csv"
    export(view, file)
    with file.open(newline="") as content:
        return list(csv.DictReader(content))


def test_a_row_has_the_local_time_and_the_power_of_each_line(tmp_path: Path) -> None:
    rows = read_csv(VIEW, tmp_path)
    assert list(rows[0]) == ["time", "production_W", "consumption_W", "grid_W", "battery_W"]
    # 25 hours: the one that comes twice is told apart by its offset.
    assert len(rows) == 100
    assert [row["time"] for row in rows[8:17:4]] == [
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T03:00:00+01:00",
    ]
    assert [float(row["production_W"]) for row in rows] == pytest.approx(WAVE.tolist(), abs=0.0006)
    assert {row["battery_W"] for row in rows} == {"0.000"}


def test_an_unknown_value_is_an_empty_field(tmp_path: Path) -> None:
    later = Track(TIMES[4:], np.where(np.arange(TIMES.size - 4) == 2, np.nan, -0.0))
    view = replace(VIEW, panels=[Panel("", {**TRACKS, Quantity.BATTERY: later})])
    found = [row["battery_W"] for row in read_csv(view, tmp_path)]
    assert found[:8] == ["", "", "", "", "0.000", "0.000", "", "0.000"]


def test_a_break_in_a_line_is_no_row() -> None:
    """Where a line is broken, it has a point without value a millisecond before."""
    broken = Track(np.insert(TIMES, 5, TIMES[5] - 1), np.insert(WAVE, 5, np.nan))
    table = to_table(replace(VIEW, panels=[Panel("", {Quantity.PRODUCTION: broken})]))
    assert table.times.tolist() == TIMES.tolist()


def test_bars_are_energies_from_the_beginning_of_each_day(tmp_path: Path) -> None:
    days = split_into_days(VIEW.span, VIEW.zone)
    energy = {Quantity.DISCHARGED: Track(np.array([days[0].start]), np.array([6_100.5]))}
    phase = {Quantity.NET: Track(np.array([days[0].start]), np.array([-17_309.8524]))}
    view = replace(VIEW, buckets=days, panels=[Panel("", energy), Panel("L1", phase)])
    (row,) = read_csv(view, tmp_path)
    assert row == {
        "time": "2026-10-25T00:00:00+02:00",
        "discharged_Wh": "6100.500",
        "L1_grid_Wh": "-17309.852",
    }


def test_a_view_without_readings_is_a_table_without_rows(tmp_path: Path) -> None:
    assert read_csv(replace(VIEW, panels=[Panel("", {})]), tmp_path) == []


def test_parquet_has_the_same_with_types(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "table.parquet"
    export(VIEW, file)
    table = parquet.read_table(file)
    assert table.column_names == ["time", "production_W", "consumption_W", "grid_W", "battery_W"]
    assert str(table.schema.field("time").type) == f"timestamp[ms, tz={VIEW.zone.key}]"
    times = [round(moment.timestamp() * 1000) for moment in table["time"].to_pylist()]
    assert times == list(range(START, END, 900_000))
    assert table["production_W"].to_pylist() == WAVE.tolist()


def test_an_unknown_value_is_null_in_parquet(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    known = Track(TIMES[:1], np.array([1.5]))
    export(replace(VIEW, panels=[Panel("", {**TRACKS, Quantity.BATTERY: known})]), tmp_path / "a.parquet")
    values = parquet.read_table(tmp_path / "a.parquet")["battery_W"]
    assert (values[0].as_py(), values.null_count) == (1.5, TIMES.size - 1)


def test_without_its_package_parquet_is_an_error_that_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(CommandError, match=r"pip install pyarrow, or export a \.csv file"):
        export(VIEW, tmp_path / "table.parquet")
    assert not list(tmp_path.iterdir())


def test_the_option_offers_these_formats() -> None:
    assert tuple(FORMATS) == options.TABLES
