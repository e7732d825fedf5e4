"""Timestamps in answers: all of one gateway are shifted equally, so that the newest is a fixed one."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

#: The newest timestamp of every example, in seconds since 1970: 2026-01-15 12:00:00 UTC.
REFERENCE = 1768478400
NOON = "12:00"
DAY = "01/15/2026"

#: From 2001 to 2038, in seconds. Timestamps in milliseconds are recognised in the same range.
_EARLIEST, _LATEST = 10**9, 2**31

_DATE_AND_TIME = re.compile(r"(\d{4}-\d\d-\d\d)(?:([T ])(\d\d:\d\d:\d\d))?")
_REFERENCE_DAY = datetime.fromtimestamp(REFERENCE, UTC).date().isoformat()


def parse_timestamp(value: Any) -> int | None:
    """Return a number, or a text of digits, as seconds since 1970; None if it cannot be a timestamp."""
    if isinstance(value, str):
        value = int(value) if re.fullmatch(r"\d{10}|\d{13}", value) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if _EARLIEST <= value / 1000 < _LATEST:
        return int(value / 1000)
    return int(value) if _EARLIEST <= value < _LATEST else None


def shift(value: Any, seconds: int) -> Any:
    """Return a later timestamp in the same form: seconds or milliseconds, number or text."""
    if isinstance(value, str):
        return str(shift(int(value), seconds))
    return value + (seconds if value < _LATEST else seconds * 1000)


def shift_text(text: str, seconds: int) -> str:
    """Return a text with each date and time in it, such as "2026-07-29 13:47:37 UTC", shifted."""

    def replace(match: re.Match[str]) -> str:
        day, separator, time = match.groups()
        try:
            before = datetime.fromisoformat(f"{day} {time or '00:00:00'}").replace(tzinfo=UTC)
            after = before + timedelta(seconds=seconds)
        except (ValueError, OverflowError):
            return _REFERENCE_DAY
        return f"{after:%Y-%m-%d}" if time is None else f"{after:%Y-%m-%d}{separator}{after:%H:%M:%S}"

    return _DATE_AND_TIME.sub(replace, text)
