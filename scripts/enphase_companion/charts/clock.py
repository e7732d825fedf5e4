"""The horizontal axis: local time, whenever the clock is changed."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.ticker import FixedFormatter, FixedLocator

from . import words
from .views import Floats, Times, View

#: Buckets that bear their names at most.
_MOST_NAMES = 14


def on_axis(times: Times) -> Floats:
    """Give times (milliseconds since the epoch) as matplotlib counts them."""
    found: Floats = date2num(times.astype("datetime64[ms]"))  # type: ignore[no-untyped-call]
    return found


def set_clock(axes: Axes, view: View) -> None:
    """Have the axis say the local time of a view, or which day or month each bar is."""
    if view.buckets:
        _name_buckets(axes, view)
        return
    locator = AutoDateLocator(tz=view.zone, minticks=5, maxticks=10)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(
        ConciseDateFormatter(  # type: ignore[no-untyped-call]
            locator,
            tz=view.zone,
            show_offset=False,
            formats=["%Y", "%b", "%a %d", "%H:%M", "%H:%M", "%S.%f"],
            zero_formats=["", "%Y", "%a %d", "%a %d", "%H:%M", "%H:%M"],
        )
    )


def _name_buckets(axes: Axes, view: View) -> None:
    every = -(-len(view.buckets) // _MOST_NAMES)
    named = view.buckets[every // 2 :: every]
    middles = [on_axis(np.array([(each.start + each.end) // 2]))[0] for each in named]
    axes.xaxis.set_major_locator(FixedLocator(middles))
    axes.xaxis.set_major_formatter(FixedFormatter([words.bucket(each, view.zone) for each in named]))
