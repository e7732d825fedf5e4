"""Keeps secrets out of the log and of messages: those that are known by value, and all that look like one."""

from __future__ import annotations

import logging
import re
from urllib.parse import quote, quote_plus

_HIDDEN = "[hidden]"

#: What nobody needs to have told us: tokens (JWT), session cookies, authorisation headers, e-mail addresses,
#: and the user information of an address such as amqp://user:password@host.
_PATTERNS = (
    re.compile(r"eyJ[\w-]{8,}(?:\.[\w-]*){0,2}"),
    re.compile(r"(?<=\bsessionId)(\W{1,4})[^\s;,'\"&]+", re.IGNORECASE),
    re.compile(r"(?<=\bSESSION)(\W{1,4})[^\s;,'\"&]+"),
    re.compile(r"(?<=\bBearer)(\s+)[^\s'\"]+", re.IGNORECASE),
    re.compile(r"(?<=\bpassword)(['\"]?\s*[:=]\s*['\"]?)[^\s,;'\"&}]+", re.IGNORECASE),
    re.compile(r"(?<=://)()[^\s/@]+(?=@)"),
    re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+"),
)

#: A shorter value would blot out half of every line.
_SHORTEST = 3

_known: set[str] = set()


def hide(value: str) -> None:
    """Leave this value out of everything from now on, also as a form or an address would spell it."""
    if len(value) >= _SHORTEST:
        _known.update((value, quote(value, safe=""), quote_plus(value)))


def redact(text: str) -> str:
    """Give the text with "[hidden]" in the place of each secret."""
    for value in sorted(_known, key=len, reverse=True):
        text = text.replace(value, _HIDDEN)
    for pattern in _PATTERNS:
        text = pattern.sub(rf"\g<1>{_HIDDEN}" if pattern.groups else _HIDDEN, text)
    return text


class RedactingFormatter(logging.Formatter):
    """Formats a record without its secrets: message, arguments and traceback alike."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the finished line or lines."""
        return redact(super().format(record))
