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

#: What the companion scripts' catalogue of endpoints does not mark safe, so that not even GET reads it unless
#: changes are allowed; a test holds both together. As `_segments` gives them, with all that is below.
_UNSAFE = {
    ("admin", "lib", "date_time_display"),
    ("admin", "lib", "network_display"),
    ("admin", "lib", "wireless_display"),
    ("installer",),
    ("ivp", "ensemble", "comm_check"),
    ("ivp", "livedata", "stream"),
    ("ivp", "peb", "newscan"),
}

#: Pages with such a word in their name or query may do something when they are merely asked for.
_ACTIONS = re.compile(
    # Inside of other words, too, such as "newscan"; "deleted" and "enabled" only say what is.
    r"""(?:activate|apply|calibrate|cancel|commission|create|delete|disable|enable|erase|execute|factory|identify
    |install|modify|override|provision|reboot|redetermine|remove|reset|restart|scan|shutdown|toggle|trigger
    |unmark|unpair|update|upgrade|upload|wipe)(?!e?d(?![a-z0-9]))
    # As a word of its own only: "add" is no address, "set" no settings.
    |(?<![a-z0-9])(?:abort|add|balance|change|check|clear|close|commit|control|edit|exec|flush|force|format
    |kill|locate|mark|move|open|pair|patch|ping|poll|post|probe|prov|purge|put|resume|revoke|run|save|sched
    |select|send|set|start|stop|submit|suspend|switch|sync|test|trip|write)(?![a-z0-9])""",
    re.VERBOSE,
)

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


def access_of(path: str, method: str = "GET", *, has_body: bool = False) -> Access:
    """Return what a request of a path amounts to."""
    if not path.startswith("/") or not path.isprintable() or re.search(r"[\s\\#]", path):
        return Access.INVALID
    try:
        url = URL(f"https://gateway/{path.lstrip('/')}")
        decoded, query = url.path, url.query_string
    except ValueError:
        return Access.INVALID
    # Ways up that URL has taken already, and those that a gateway would still take: "%2f..%2f".
    steps = [*path.lower().replace("%2e", ".").split("?")[0].split("/"), *decoded.split("/")]
    # Nothing that the gateway could read otherwise than this does: no way up, nothing encoded twice.
    plain = f"{decoded}{query}"
    if re.search(r"[%\\]", plain) or not plain.isprintable() or {".", ".."}.intersection(steps):
        return Access.INVALID
    segments = _segments(decoded)
    if segments and segments[0] in _CLOSED:
        return Access.CLOSED
    is_unsafe = any(segments[: len(each)] == each for each in _UNSAFE)
    if method != "GET" or has_body or is_unsafe or _acts(f"{decoded}?{query}"):
        return Access.WRITES
    return Access.READS


def _acts(asked: str) -> bool:
    # "resetDevice" is "reset_Device" to a reader.
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", asked)
    return _ACTIONS.search(f"{asked} {apart}".lower()) is not None


def _segments(path: str) -> tuple[str, ...]:
    """Return the parts of a decoded path as any server may read them: "//Auth;x/ y.json" is auth, y."""
    words = (re.search(r"[\w-]+", segment.split(";")[0]) for segment in path.lower().split("/"))
    return tuple(word[0] for word in words if word)


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
