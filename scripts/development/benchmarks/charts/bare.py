"""What one would write by hand: the points of a chart of ours, drawn by matplotlib with little around them.

As a script, `bare.py points POINTS.npz PICTURE` draws stored points, and `bare.py raw DATABASE START END
PICTURE` the energy of the days between these times, from single readings.
"""

# ruff: noqa: PLC0415 - a script of its own, which imports what it needs

from __future__ import annotations

import sys

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import pyplot as plt

Points = dict[str, np.ndarray]


def draw(points: Points, picture: str) -> None:
    """Draw a heat map, bars up and down, or filled lines; in the size and resolution of ours."""
    figure, axes = plt.subplots(figsize=(12.0, 7.0))
    if "heat_map" in points:
        image = axes.imshow(points["heat_map"], aspect="auto", origin="lower", interpolation="none")
        figure.colorbar(image)
    else:
        width = points["width"].astype("timedelta64[ms]") if "width" in points else None
        for name, values in points.items():
            if name in ("times", "width") or name.endswith("_times"):
                continue
            times = points[f"{name}_times"].astype("datetime64[ms]")
            if width is None:
                axes.plot(times, values, label=name)
                if name != "net":
                    axes.fill_between(times, values, alpha=0.4)
            elif name == "net":
                axes.plot(times + width / 2, values, "o-", label=name)
            else:
                axes.bar(times + width / 2, values, width=width * 0.8, label=name)
        axes.legend()
        axes.grid(visible=True)
    axes.set_title("Power and energy")
    figure.savefig(picture, dpi=110)


def sum_up(database: str, start: int, end: int) -> Points:
    """Return the energies of the days between these times (milliseconds), from all single readings."""
    import sqlite3

    rows = (
        sqlite3.connect(database)
        .execute(
            "SELECT measured_at, measurement_id, energy_delivered, energy_received FROM readings "
            "WHERE gateway_id = 1 AND measured_at >= ? AND measured_at < ? ORDER BY measured_at",
            (start, end),
        )
        .fetchall()
    )
    table = np.array(rows, dtype=np.float64)
    width = 86_400_000
    edges = np.arange(start, end + 1, width)
    found: Points = {"width": np.array(width)}
    sums = {}
    for measurement in np.unique(table[:, 1]):
        own = table[table[:, 1] == measurement]
        places = np.searchsorted(own[:, 0], edges)
        # Of days that are not there, nothing is counted.
        first, last = (np.minimum(each, own.shape[0] - 1) for each in (places[:-1], places[1:]))
        sums[int(measurement)] = own[last, 2:] - own[first, 2:]
    # The ids in the database of this benchmark, in the order in which its meters were stored first.
    net, production = sums[1], sums[2]
    found["production"] = production[:, 0]
    found["consumption"] = -(production[:, 0] + net[:, 0] - net[:, 1])
    found["net"] = net[:, 1] - net[:, 0]
    return found | {f"{name}_times": edges[:-1] for name in ("production", "consumption", "net")}


if __name__ == "__main__":
    if sys.argv[1] == "points":
        with np.load(sys.argv[2]) as stored:
            draw(dict(stored), sys.argv[3])
    else:
        draw(sum_up(sys.argv[2], int(sys.argv[3]), int(sys.argv[4])), sys.argv[5])
