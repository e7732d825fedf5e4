"""Keep secrets out of logs and error messages: known values, and all that look like a secret."""

from __future__ import annotations

import logging
import re
from urllib.parse import quote, quote_plus

_HIDDEN = "[hidden]"

#: Starts at the first character of a run: tried once per run.
_E_MAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]++@[\w-]++(?:\.[\w-]++)++")

#: Shorter values would hide half of every line.
_SHORTEST = 3

#: Characters: far more than any log line; takes about 25 ms at most.
_LONGEST = 50_000

#: Known secrets by their first three characters, the longest first.
_known: dict[str, list[str]] = {}


def hide(value: str) -> None:
    """Hide this value from now on, also URL-encoded."""
    for spelled in (value, quote(value, safe=""), quote_plus(value)):
        alike = _known.setdefault(spelled[:_SHORTEST], [])
        if len(value) >= _SHORTEST and spelled not in alike:
            alike.append(spelled)
            alike.sort(key=len, reverse=True)


def redact(text: str) -> str:
    """Return the text with "[hidden]" instead of each secret; a huge text is truncated."""
    text = _without_known(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")
    text = _E_MAIL.sub(_HIDDEN, text)
    try:
        # --help must not wait for the client.
        from enphase_api.redaction import hide_secrets  # noqa: PLC0415
    except ImportError:
        # Without the client there are no secrets, and its absence has to be reported.
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
