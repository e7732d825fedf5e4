"""What the action `call_api` may request from the gateway, and the redaction of secrets in responses."""

import re
from enum import Enum, auto
from itertools import pairwise
from typing import Any

import orjson
from yarl import URL

from .enphase_api.json_values import MAX_DEPTH
from .enphase_api.redaction import MAX_NAME, hide_secrets, is_secret

#: The replacement for secrets, as in Home Assistant's diagnostics.
REDACTED = "**REDACTED**"

#: Bytes; responses end up in traces and templates. All useful ones are smaller.
MAX_RESPONSE_SIZE = 1_000_000

#: Endpoints that return sessions and tokens, or never end.
_FORBIDDEN = {"auth", "stream"}

#: Endpoints, and all below them, that are not safe even with GET: those whose GET does more than read by the
#: companion scripts' catalogue, which a test verifies. In the form that `_segments` returns.
_UNSAFE = {
    ("admin", "lib", "admin_dcc_display"),
    ("admin", "lib", "date_time_display"),
    ("admin", "lib", "network_display"),
    ("admin", "lib", "security_display"),
    ("admin", "lib", "wireless_display"),
    ("installer",),
    ("ivp", "ensemble", "comm_check"),
    ("ivp", "livedata", "stream"),
    ("ivp", "pdm", "maintainence"),
    ("ivp", "peb", "newscan"),
}

#: Endpoints that only read although they are below one of the above, or have such a word as below: exactly
#: these, by the same catalogue.
_SAFE = {
    ("installer", "agf", "details"),
    ("installer", "agf", "index"),
    ("installer", "agf", "inverters_status"),
    ("ivp", "sc", "sched"),
}

#: Endpoints with such a word in their path or query may have side effects even with GET.
_ACTIONS = re.compile(
    # Also within other words, such as "newscan"; not "deleted" or "enabled", which are states.
    r"""(?:activate|apply|calibrate|cancel|commission|create|delete|disable|enable|erase|execute|factory|identify
    |install|modify|override|provision|reboot|redetermine|remove|reset|restart|scan|shutdown|toggle|trigger
    |unmark|unpair|update|upgrade|upload|wipe)(?!e?d(?![a-z0-9]))
    # Only as a whole word: not "add" in "address" or "set" in "settings".
    |(?<![a-z0-9])(?:abort|add|balance|change|check|clear|close|commit|control|edit|exec|flush|force|format
    |kill|locate|mark|move|open|pair|patch|ping|poll|post|probe|prov|purge|put|resume|revoke|run|save|sched
    |select|send|set|start|stop|submit|suspend|switch|sync|test|trip|write)(?![a-z0-9])""",
    re.VERBOSE,
)

#: Keys of the name and of the value in an object such as {"name": "password", "value": …}.
_NAME_KEYS = {
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
_VALUE_KEYS = {"content", "data", "val", "value", "v"}

#: Keys of the column names and of the rows of a table.
_TABLES = (("columns", "rows"), ("fields", "values"), ("names", "values"))


class Access(Enum):
    """What a request may do."""

    READ = auto()
    #: The request may change something.
    WRITE = auto()
    #: The request is never sent, whatever the options are.
    FORBIDDEN = auto()
    #: Not a path of a gateway.
    INVALID = auto()


def classify_request(path: str, method: str = "GET", *, has_body: bool = False) -> Access:
    """Return what a request may do."""
    if not path.startswith("/") or not path.isprintable() or re.search(r"[\s\\#]", path):
        return Access.INVALID
    try:
        url = URL(f"https://gateway/{path.lstrip('/')}")
        decoded, query = url.path, url.query_string
    except ValueError:
        return Access.INVALID
    # Parent directories that URL has resolved already, and those that a gateway would: "%2f..%2f".
    steps = [*path.lower().replace("%2e", ".").split("?")[0].split("/"), *decoded.split("/")]
    # Nothing that the gateway could interpret differently: no parent directory, no double encoding.
    plain = f"{decoded}{query}"
    if re.search(r"[%\\]", plain) or not plain.isprintable() or {".", ".."}.intersection(steps):
        return Access.INVALID
    segments = _segments(decoded)
    if segments and segments[0] in _FORBIDDEN:
        return Access.FORBIDDEN
    is_known = segments in _SAFE
    is_unsafe = not is_known and any(segments[: len(each)] == each for each in _UNSAFE)
    named = query if is_known else f"{decoded}?{query}"
    if method != "GET" or has_body or is_unsafe or _names_action(named):
        return Access.WRITE
    return Access.READ


def _names_action(target: str) -> bool:
    # Also split "resetDevice".
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", target)
    return _ACTIONS.search(f"{target} {words}".lower()) is not None


def _segments(path: str) -> tuple[str, ...]:
    """Return the segments of a decoded path as any server may read them: "//Auth;x/ y.json" is auth, y."""
    words = (re.search(r"[\w-]+", segment.split(";")[0]) for segment in path.lower().split("/"))
    return tuple(word[0] for word in words if word)


def redact_response(body: bytes) -> Any:
    """Return a response as JSON if possible, else as text, with secrets redacted; None if it is empty."""
    if not body:
        return None
    try:
        response = orjson.loads(body)
    except orjson.JSONDecodeError:
        response = body.decode(errors="replace")
    return redact(response)


def redact(value: Any, depth: int = 0) -> Any:
    """Return a JSON value with everything that looks like a secret replaced by `REDACTED`."""
    if depth > MAX_DEPTH:
        return REDACTED
    if isinstance(value, str):
        return _redact_text(value, depth)
    if isinstance(value, dict):
        return _redact_members(value, depth)
    if isinstance(value, list):
        # A list such as ["password", …].
        return [
            _redact_value(inner) if _names_secret(before) and " " not in before else redact(inner, depth + 1)
            for before, inner in pairwise(["", *value])
        ]
    return value


def _redact_members(members: dict[str, Any], depth: int) -> dict[str, Any]:
    is_pair = any(key.lower() in _VALUE_KEYS for key in members)
    names = {key for key in members if key.lower() in _NAME_KEYS and (is_pair or not is_secret(key))}
    is_named_secret = any(_names_secret(members[key]) for key in names)
    kept = {
        hide_secrets(key, REDACTED): _redact_value(inner)
        if key not in names and (is_named_secret or is_secret(key))
        else redact(inner, depth + 1)
        for key, inner in members.items()
    }
    for titles, rows in _TABLES:
        if isinstance(members.get(titles), list) and isinstance(kept.get(rows), list):
            secret = {at for at, title in enumerate(members[titles]) if _names_secret(title)}
            # One row or several.
            many = all(isinstance(row, list) for row in kept[rows])
            kept[rows] = (
                [_redact_row(row, secret) for row in kept[rows]] if many else _redact_row(kept[rows], secret)
            )
    return kept


def _redact_row(row: list[Any], secret: set[int]) -> list[Any]:
    return [_redact_value(cell) if at in secret else cell for at, cell in enumerate(row)]


def _names_secret(name: Any) -> bool:
    return isinstance(name, str) and len(name) <= MAX_NAME and is_secret(name)


def _redact_value(value: Any) -> Any:
    """Return the replacement of a secret; an empty value or a boolean is no secret."""
    return REDACTED if value and not isinstance(value, bool) else value


def _redact_text(text: str, depth: int) -> str:
    if text[:1] in ("{", "["):
        try:
            inner = orjson.loads(text)
        except orjson.JSONDecodeError:
            pass
        else:
            kept = redact(inner, depth + 1)
            return text if kept == inner else orjson.dumps(kept).decode()
    return hide_secrets(text, REDACTED)
