"""Read values from a gateway's JSON by explicit rules: a missing or implausible value is None.

Unknown keys are ignored. The reason why a value is dropped is logged once per key and reason, at debug level.

The answer may come from any device, so its texts are untrusted: a text that could change what a terminal, a
log or a page shows is dropped. Where one must be shown, `printable` escapes it.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from .exceptions import InvalidAnswerError

_LOGGER = logging.getLogger(__name__)

#: W, in either direction; far beyond any site behind one gateway.
MAX_POWER = 1e6

#: After this long without a report, a microinverter or battery is silent: its last values are outdated.
#: Each reports every five minutes, and where an installer has set it so, every hour.
SILENT_AFTER = timedelta(minutes=65)

#: Levels of nested JSON or XML; answers of gateways have ten at most.
MAX_DEPTH = 64

#: Characters; texts of gateways, such as part numbers and states, are far shorter.
MAX_TEXT = 64

_MAX_TEXTS = 32

#: Serial and part numbers of devices: "122333444455", "122115055931EIM2", "800-01374-r02".
_IDENTIFIER = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,31}")

#: Keys and reasons that were logged; both are defined in this package, so the set stays small.
_logged: set[tuple[str, str]] = set()

#: Epoch seconds: there was no gateway before 2008, and a clock beyond this century is wrong.
_EARLIEST = 1_199_145_600
_LATEST = 4_102_444_800


def _log_dropped(key: str, reason: str) -> None:
    """Log once why the value of a key is dropped."""
    if (key, reason) not in _logged:
        _logged.add((key, reason))
        _LOGGER.debug("%s dropped: %s", key, reason)


def number(data: Mapping[str, Any], key: str, low: float = -math.inf, high: float = math.inf) -> float | None:
    """Return the number under `key` if it is between `low` and `high`, else None."""
    value = data.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        _log_dropped(key, "not a number")
    elif not low <= value <= high or not _is_finite(value):
        _log_dropped(key, f"not between {low:g} and {high:g}")
    else:
        # Adding 0.0 turns -0.0 into 0.0 (quirks.KNOWN).
        return float(value) + 0.0
    return None


def thousandth(data: Mapping[str, Any], key: str, low: float, high: float) -> float | None:
    """Return the number under `key`, which is in thousandths (mW, mV), in whole units, as the bounds are."""
    value = number(data, key, 1000 * low, 1000 * high)
    return None if value is None else value / 1000


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that no float can hold
        return False


def integer(data: Mapping[str, Any], key: str, low: float = -math.inf, high: float = math.inf) -> int | None:
    """Return the whole number under `key` if it is between `low` and `high`, else None."""
    known = data.get(key)
    if type(known) is int and low <= known <= high:  # the usual case, fast
        return known
    value = number(data, key, low=low, high=high)
    if value is not None and value.is_integer():
        return int(value)
    if value is not None:
        _log_dropped(key, "not a whole number")
    return None


def text(data: Mapping[str, Any], key: str) -> str | None:
    """Return the text under `key`, stripped; None if it is no text, empty, too long or not printable."""
    value = data.get(key)
    if not isinstance(value, str):
        if value is not None:
            _log_dropped(key, "not a text")
        return None
    value = value.strip()
    if is_printable(value):
        return value or None
    _log_dropped(key, f"not a text of at most {MAX_TEXT} printable characters")
    return None


def texts(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Return the texts listed under `key`, each by the rule of `text`; at most 32."""
    value = data.get(key)
    if not isinstance(value, list):
        return ()
    found = (text({key: entry}, key) for entry in value[:_MAX_TEXTS])
    return tuple(entry for entry in found if entry is not None)


def identifier(data: Mapping[str, Any], key: str) -> str | None:
    """Return the serial or part number under `key`, or None if it is invalid.

    They become parts of file names, entities and rows: only letters, digits and hyphens, at most 32.
    """
    value = text(data, key)
    if value is None or is_identifier(value):
        return value
    _log_dropped(key, "not a serial or part number")
    return None


@lru_cache(maxsize=256)  # a consumer checks the same few hundred thousand times per second
def is_identifier(value: str) -> bool:
    """Return whether a text can be a device's serial or part number."""
    return _IDENTIFIER.fullmatch(value) is not None


def is_printable(value: str, limit: int = MAX_TEXT) -> bool:
    """Return whether an untrusted text can be shown: short, without control and format characters."""
    return len(value) <= limit and value.isprintable()


def is_serial_number(value: str) -> bool:
    """Return whether a text can be a gateway's serial number: 1 to 32 digits."""
    return 0 < len(value) <= 32 and value.isascii() and value.isdigit()


def printable(value: str, limit: int = MAX_TEXT) -> str:
    r"""Return an untrusted text in printable characters, at most `limit` of them.

    Control, format and bidirectional characters are escaped, such as "\x1b" and "\u202e"; an ellipsis marks a
    text that was cut.
    """
    # Cut before escaping, too: the text can be of any size.
    spelled = "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode("ascii")
        for each in value[: limit + 1]
    )
    return spelled if len(spelled) <= limit else f"{spelled[: limit - 1]}…"


def boolean(data: Mapping[str, Any], key: str) -> bool | None:
    """Return the boolean under `key`, or None if it is invalid."""
    value = data.get(key)
    if isinstance(value, bool):
        return value
    if value is not None:
        _log_dropped(key, "not a truth value")
    return None


def timestamp(data: Mapping[str, Any], key: str) -> datetime | None:
    """Return the time (UTC) under `key`, in epoch seconds; None for 0, which means never."""
    if data.get(key) == 0:
        return None
    value = number(data, key, low=_EARLIEST, high=_LATEST)
    return None if value is None else datetime.fromtimestamp(value, UTC)


def json_object(answer: object, path: str) -> Mapping[str, Any]:
    """Return the answer of `path` as a JSON object.

    Raises InvalidAnswerError if it is anything else.
    """
    if not isinstance(answer, dict):
        raise InvalidAnswerError(f"{path} did not answer with a JSON object", path=path)
    return answer


def json_objects(answer: object, path: str) -> list[Mapping[str, Any]]:
    """Return the answer of `path` as a list of JSON objects.

    Raises InvalidAnswerError if it is anything else.
    """
    if not isinstance(answer, list) or not all(isinstance(entry, dict) for entry in answer):
        raise InvalidAnswerError(f"{path} did not answer with a list of JSON objects", path=path)
    return answer


def nested_objects(data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Return the objects in the list under `key`; other elements, and anything but a list, are ignored."""
    value = data.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        _log_dropped(key, "not a list")
        return []
    return [entry for entry in value if isinstance(entry, dict)]


def is_too_deep(body: bytes, value: object) -> bool:
    """Return whether a body that was parsed as this value is nested more than `MAX_DEPTH` levels deep."""
    # Nearly all bodies have fewer brackets than that.
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return False
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def is_silent(reported_at: datetime, now: datetime) -> bool:
    """Return whether a report is outdated; both times are by the gateway's clock."""
    return now - reported_at > SILENT_AFTER
