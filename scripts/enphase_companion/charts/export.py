"""What a chart shows as a table, for a spreadsheet or another program: CSV or Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isnan
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from enphase_api.files import write_file

from ..runtime.errors import CommandError
from .model import Floats, Quantity, Times, View

#: Digits behind the point: milliwatts, milliwatt-hours, and a tenth of a cent.
_DIGITS = 3

#: Quantities whose line has another name in the chart.
_NAMES = {Quantity.NET: "grid"}


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Columns of one length."""

    #: Milliseconds since the epoch: when power was measured, or when an hour, day, month or year begins.
    times: Times
    zone: ZoneInfo
    #: By a name such as "production_W", "L1_grid_Wh" or "import_cost_EUR"; NaN: unknown.
    columns: Mapping[str, Floats]


def export(view: View, file: Path) -> None:
    """Write the tracks of a view in the format of the file's suffix.

    Raises CommandError where the package for the format is missing, OSError where it cannot be written.
    """
    write_file(file, FORMATS[file.suffix.lower()](to_table(view)))


def to_table(view: View) -> Table:
    """Return the tracks of all panels side by side: a row for each time at which one has a value."""
    if (inverters := view.inverters) is not None:
        by_name = zip(inverters.serial_numbers, inverters.by_day.T, strict=True)
        return Table(inverters.days, view.zone, {f"{name}_Wh": energies for name, energies in by_name})
    tracks = {
        "_".join(filter(None, (panel.name, _NAMES.get(quantity, quantity), view.unit))): track
        for panel in view.panels
        for quantity, track in panel.tracks.items()
    }
    known = {name: ~np.isnan(track.values) for name, track in tracks.items()}
    # Of an empty list, too.
    none = np.array([], dtype=np.int64)
    times = np.unique(np.concatenate([none, *(tracks[name].times[known[name]] for name in tracks)]))
    columns = {}
    for name, track in tracks.items():
        columns[name] = np.full(times.size, np.nan)
        columns[name][np.searchsorted(times, track.times[known[name]])] = track.values[known[name]]
    return Table(times, view.zone, columns)


def _to_csv(table: Table) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["time", *table.columns])
    rows = zip(table.times.tolist(), *(column.tolist() for column in table.columns.values()), strict=True)
    for at, *values in rows:
        time = datetime.fromtimestamp(at / 1000, table.zone).isoformat(timespec="seconds")
        writer.writerow([time, *(_format(value) for value in values)])
    return text.getvalue().encode()


def _format(value: float) -> str:
    """Return a number, without a minus before zero; an unknown one is an empty field."""
    return "" if isnan(value) else f"{round(value, _DIGITS) + 0.0:.{_DIGITS}f}"


def _to_parquet(table: Table) -> bytes:
    try:
        import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise CommandError(
            "a .parquet file needs pyarrow: pip install pyarrow, or export a .csv file"
        ) from None
    content = pa.BufferOutputStream()
    columns = {
        "time": pa.array(table.times, pa.timestamp("ms", table.zone.key)),
        # Without a value there is nothing, not a number that is none.
        **{name: pa.array(column, from_pandas=True) for name, column in table.columns.items()},
    }
    parquet.write_table(pa.table(columns), content)
    return bytes(content.getvalue())


FORMATS: Mapping[str, Callable[[Table], bytes]] = {".csv": _to_csv, ".parquet": _to_parquet}
