"""Which of the gateway's pages the action `call_api` may ask for, and what of their answers it passes on."""

import re
from enum import Enum, auto
from itertools import pairwise
from typing import Any

import orjson
from yarl import URL

from .enphase_api.json_values import MAX_DEPTH
from .enphase_api.redaction import MAX_NAME, hide_secrets, is_secret

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

#: What names, and what holds, the value of an object such as {"name": "password", "value": …}.
_NAMING = {
    "attribute",
    "field",
    "id",
    "key",
    "label",
    "name",
    "option",
    "param",
    "parameter",
    "property",
    "setting",
}
_VALUED = {"content", "data", "val", "value", "v"}

#: What names the columns of a table, and what holds its rows.
_TABLES = (("columns", "rows"), ("fields", "values"), ("names", "values"))


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
    """Return an answer as JSON, else as text, with what looks like a secret left out; None if empty."""
    if not body:
        return None
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = body.decode(errors="replace")
    return without_secrets(answer)


def without_secrets(value: Any, depth: int = 0) -> Any:
    """Return what JSON can hold with `REDACTED` in the place of what looks like a secret."""
    if depth > MAX_DEPTH:
        return REDACTED
    if isinstance(value, str):
        return _text_without_secrets(value, depth)
    if isinstance(value, dict):
        return _members_without_secrets(value, depth)
    if isinstance(value, list):
        # ["password", …], too.
        return [
            _hidden(inner)
            if _names_secret(before) and " " not in before
            else without_secrets(inner, depth + 1)
            for before, inner in pairwise(["", *value])
        ]
    return value


def _members_without_secrets(members: dict[str, Any], depth: int) -> dict[str, Any]:
    is_pair = any(key.lower() in _VALUED for key in members)
    names = {key for key in members if key.lower() in _NAMING and (is_pair or not is_secret(key))}
    is_named_secret = any(_names_secret(members[key]) for key in names)
    kept = {
        hide_secrets(key, REDACTED): _hidden(inner)
        if key not in names and (is_named_secret or is_secret(key))
        else without_secrets(inner, depth + 1)
        for key, inner in members.items()
    }
    for titles, rows in _TABLES:
        if isinstance(members.get(titles), list) and isinstance(kept.get(rows), list):
            secret = {at for at, title in enumerate(members[titles]) if _names_secret(title)}
            # One row, or many.
            many = all(isinstance(row, list) for row in kept[rows])
            kept[rows] = [_row(row, secret) for row in kept[rows]] if many else _row(kept[rows], secret)
    return kept


def _row(row: list[Any], secret: set[int]) -> list[Any]:
    return [_hidden(cell) if at in secret else cell for at, cell in enumerate(row)]


def _names_secret(name: Any) -> bool:
    return isinstance(name, str) and len(name) <= MAX_NAME and is_secret(name)


def _hidden(value: Any) -> Any:
    """Return what stands in the place of a secret; whether there is one may be told."""
    return REDACTED if value and not isinstance(value, bool) else value


def _text_without_secrets(text: str, depth: int) -> str:
    if text[:1] in ("{", "["):
        try:
            inner = orjson.loads(text)
        except orjson.JSONDecodeError:
            pass
        else:
            kept = without_secrets(inner, depth + 1)
            return text if kept == inner else orjson.dumps(kept).decode()
    return hide_secrets(text, REDACTED)
