"""Arrays of times on the clock of a time zone, whenever it is changed."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from .model import Times
from .time_range import DAY

#: Milliseconds; the clocks of all time zones are changed at multiples of it.
_QUARTER = 900_000


def to_clock(times: Times, zone: ZoneInfo) -> Times:
    """Return what the local clock shows at these times, both in milliseconds since 1970."""
    return times + _offsets(times, zone)


def shift_days(times: Times, days: int, zone: ZoneInfo) -> Times:
    """Return when the local clock shows the same, this number of days later."""
    clock = to_clock(times, zone) + days * DAY
    # The offset that holds there: a day on which the clock is changed has both.
    return clock - _offsets(clock - _offsets(clock, zone), zone)


def _offsets(times: Times, zone: ZoneInfo) -> Times:
    quarters, places = np.unique(times // _QUARTER, return_inverse=True)
    offsets = [
        datetime.fromtimestamp(quarter * _QUARTER / 1000, zone).utcoffset() or timedelta()
        for quarter in quarters.tolist()
    ]
    found: Times = np.array([offset // timedelta(milliseconds=1) for offset in offsets], dtype=np.int64)[
        places
    ]
    return found
