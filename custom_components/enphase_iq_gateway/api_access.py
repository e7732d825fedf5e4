"""Which of the gateway's pages the action `call_api` may ask for, and what of their answers it passes on."""

import re
from enum import Enum, auto
from typing import Any

import orjson
from yarl import URL

#: What stands in the place of a secret; the same as in Home Assistant's own files.
REDACTED = "**REDACTED**"

#: Bytes. Answers stand in traces and templates; the largest that says something of a site stays below.
MAX_ANSWER = 1_000_000

#: Pages under these give sessions and tokens, or never end.
_CLOSED = {"auth", "stream"}

#: Pages with such a word in their name or query do something when they are merely asked for.
_DOING = {
    "add",
    "cancel",
    "clear",
    "decommission",
    "delete",
    "disable",
    "enable",
    "erase",
    "installer",
    "mark",
    "provision",
    "reboot",
    "redeterminephase",
    "remove",
    "reset",
    "restart",
    "scan",
    "set",
    "start",
    "stop",
    "test",
    "toggle",
    "unmark",
    "update",
    "upgrade",
    "upload",
    "write",
}

_TOKEN = re.compile(rb"eyJ[\w-]{10,}\.[\w-]+\.[\w-]+")

_NAMES = r"passw|passphrase|psk|secret|token|session|key(?![a-z])"
_SECRET = re.compile(_NAMES, re.IGNORECASE)

#: The same where no JSON says what is a name and what its value: `psk=…`, `<password>…`, JSON cut short.
_IN_TEXT = re.compile(
    rf"""((?:{_NAMES})\w*["']?\s*[=:>]\s*)("(?:[^"\\]|\\.)*"|'[^']*'|[^<\s][^<\n]*)""", re.IGNORECASE
)


class Access(Enum):
    """What asking for a page amounts to."""

    READS = auto()
    #: It changes, or may change, something.
    WRITES = auto()
    #: Never asked for, whatever the options say.
    CLOSED = auto()
    #: It is no path of a gateway.
    INVALID = auto()


def access_of(path: str) -> Access:
    """Tell what a GET of a path amounts to."""
    if not path.startswith("/") or not path.isprintable() or re.search(r"[\s\\#]", path):
        return Access.INVALID
    try:
        decoded = URL(f"https://gateway/{path.lstrip('/')}").path.lower()
    except ValueError:
        return Access.INVALID
    segments = [segment for segment in decoded.split("/") if segment]
    # Ways up that URL has taken already, and those that a gateway would still take: "%2f..%2f".
    steps = path.lower().replace("%2e", ".").split("?")[0].split("/") + segments
    # Nothing that the gateway could read otherwise than this does: no way up, nothing encoded twice.
    if re.search(r"[%\\]", decoded) or not decoded.isprintable() or {".", ".."}.intersection(steps):
        return Access.INVALID
    # "auth;x" and "auth.x" may be "auth" to it.
    if segments and re.split(r"\W", segments[0])[0] in _CLOSED:
        return Access.CLOSED
    words = re.split(r"[^a-z0-9]+", "/".join([*segments, path.partition("?")[2].lower()]))
    return Access.WRITES if _DOING.intersection(words) else Access.READS


def passed_on(body: bytes) -> Any:
    """Give an answer as parsed JSON, else as text, with what looks like a secret left out; None if empty."""
    body = _TOKEN.sub(REDACTED.encode(), body)
    if not body:
        return None
    try:
        return _without_secrets(orjson.loads(body))
    except orjson.JSONDecodeError:
        return _without_secrets(body.decode(errors="replace"))


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: REDACTED if inner and _SECRET.search(key) else _without_secrets(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_without_secrets(inner) for inner in value]
    if isinstance(value, str):
        return _IN_TEXT.sub(rf"\1{REDACTED}", value)
    return value
