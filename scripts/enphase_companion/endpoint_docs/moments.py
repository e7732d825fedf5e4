"""Moments in answers: all of one gateway are moved by the same, so that its newest is a fixed one."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

#: Seconds since 1970: the moment that every example is from, 2026-01-15 12:00:00 UTC.
REFERENCE = 1768478400
NOON = "12:00"
DAY = "01/15/2026"

#: From 2001 to 2038, in seconds; the same in milliseconds is a moment too.
_EARLIEST, _LATEST = 10**9, 2**31

_WRITTEN = re.compile(r"(\d{4}-\d\d-\d\d)(?:([T ])(\d\d:\d\d:\d\d))?")


def is_moment(value: Any) -> int | None:
    """Return the seconds since 1970 of a number, or text of digits, that can be a moment; else None."""
    if isinstance(value, str):
        value = int(value) if re.fullmatch(r"\d{10}|\d{13}", value) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if _EARLIEST <= value / 1000 < _LATEST:
        return int(value / 1000)
    return int(value) if _EARLIEST <= value < _LATEST else None


def shifted(value: Any, seconds: int) -> Any:
    """Return a moment that much later, in the form that it has: seconds or milliseconds, number or text."""
    if isinstance(value, str):
        return str(shifted(int(value), seconds))
    return value + (seconds if value < _LATEST else seconds * 1000)


def shifted_text(text: str, seconds: int) -> str:
    """Return a text with each moment in it, such as "2026-07-29 13:47:37 UTC", that much later."""

    def moved(found: re.Match[str]) -> str:
        day, between, clock = found.groups()
        try:
            before = datetime.fromisoformat(f"{day} {clock or '00:00:00'}").replace(tzinfo=UTC)
            after = before + timedelta(seconds=seconds)
        except (ValueError, OverflowError):
            return f"{REFERENCE_DAY}"
        return f"{after:%Y-%m-%d}" if clock is None else f"{after:%Y-%m-%d}{between}{after:%H:%M:%S}"

    return _WRITTEN.sub(moved, text)


REFERENCE_DAY = datetime.fromtimestamp(REFERENCE, UTC).date().isoformat()
