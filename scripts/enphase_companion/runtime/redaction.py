"""Keeps secrets out of the log and of messages: those that are known by value, and all that look like one."""

from __future__ import annotations

import logging
import re
from urllib.parse import quote, quote_plus

_HIDDEN = "[hidden]"

#: From the first character of its run on: tried once for each run.
_E_MAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]++@[\w-]++(?:\.[\w-]++)++")

#: A shorter value would blot out half of every line.
_SHORTEST = 3

#: Characters; nothing that is told at once comes near it, and it takes no longer than some 25 ms.
_LONGEST = 50_000

#: What is known, by its first three characters, the longest first.
_known: dict[str, list[str]] = {}


def hide(value: str) -> None:
    """Leave this value out of everything from now on, also as a form or an address would spell it."""
    for spelled in (value, quote(value, safe=""), quote_plus(value)):
        alike = _known.setdefault(spelled[:_SHORTEST], [])
        if len(value) >= _SHORTEST and spelled not in alike:
            alike.append(spelled)
            alike.sort(key=len, reverse=True)


def redact(text: str) -> str:
    """Return the text with "[hidden]" in the place of each secret; its end is cut off where it is huge."""
    text = _without_known(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")
    text = _E_MAIL.sub(_HIDDEN, text)
    try:
        # The client is what --help should not wait for.
        from enphase_api.redaction import hide_secrets  # noqa: PLC0415
    except ImportError:
        # Without it nobody has been asked anything; that it is missing is to be said.
        return text
    return hide_secrets(text, _HIDDEN, is_log=True)


def _without_known(text: str) -> str:
    kept: list[str] = []
    at = begin = 0
    while at <= len(text) - _SHORTEST:
        for value in _known.get(text[at : at + _SHORTEST], ()):
            if text.startswith(value, at):
                kept += (text[begin:at], _HIDDEN)
                at = begin = at + len(value)
                break
        else:
            at += 1
    return "".join([*kept, text[begin:]])


class RedactingFormatter(logging.Formatter):
    """Formats a record without its secrets: message, arguments and traceback alike."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the finished line or lines."""
        return redact(super().format(record))
