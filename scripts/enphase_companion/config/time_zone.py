"""The time zone in which a day begins and ends."""

from __future__ import annotations

import os
from pathlib import Path
from zoneinfo import ZoneInfo

from ..runtime.errors import CommandError

_LOCAL_TIME = Path("/etc/localtime")
_NAME_FILE = Path("/etc/timezone")


def zone_of(name: str) -> ZoneInfo:
    """Return the time zone of this name, such as Europe/Vienna.

    Raises CommandError where there is none.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise CommandError(
            f"{name}: no time zone of this name is known here. It must be one like Europe/Vienna; where even "
            "that is unknown, install the package tzdata."
        ) from None


def system_zone() -> ZoneInfo:
    """Return the time zone of this machine; UTC where it has none that is known."""
    for name in (os.environ.get("TZ", "").lstrip(":"), _linked(), _written()):
        if name:
            try:
                return ZoneInfo(name)
            except (KeyError, OSError, ValueError):
                continue
    return ZoneInfo("UTC")


def _linked() -> str:
    # /usr/share/zoneinfo/Europe/Vienna
    _, found, name = str(_LOCAL_TIME.resolve()).partition("/zoneinfo/")
    return name if found else ""


def _written() -> str:
    try:
        return _NAME_FILE.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
