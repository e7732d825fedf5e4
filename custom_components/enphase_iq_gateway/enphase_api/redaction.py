"""Find secrets in untrusted names and texts, in time proportional to the length of the text.

Names are found by searching for fixed words, so that no pattern is tried at each position, and the text after
a name is matched without backtracking. If a text has too many names, the rest of it is hidden.
"""

from __future__ import annotations

import re
from itertools import islice

#: The words in names of secrets, in lower case; each begins an alternative of _NAME.
_WORDS = (
    "auth", "bearer", "cookie", "credential", "jwt", "key", "otp", "pass", "pin", "psk", "pwd", "secret",
    "sess", "token", "verifier",
)  # fmt: skip

#: The maximum number of words in one text that are examined.
_MOST_PLACES = 2000

#: Characters; a longer name is hidden together with its value.
MAX_NAME = 100

#: A name, from such a word on, in each way that names are written: wifi_pass, wifiPass, WIFI_PASS, wifipass.
#: The letters beside the word exclude "author", "passed", "shipping" and "keypad".
_NAME = re.compile(
    r"""(?:
      (?i:passw|passphrase|passcode|passkey|psk|pwd|pincode|pinnumber|secret(?!ar)|(?<!pos)(?<!ob)session|sessid
        |token|cookie|credential|jwt|verifier|bearer|authorization|authentication|authcode)
    | (?:[Pp]ass(?<!bypass)(?<!ompass)(?<!urpass)(?<!respass)(?<!verpass)|[Kk]ey(?<!onkey)(?<!ockey)(?<!urkey)
        |[Aa]uth|[Oo]tp|(?<![A-Za-z])pin|(?<![A-Z])Pin)s?(?![a-z])
    | (?:PASS(?<!BYPASS)|KEY|AUTH|OTP|(?<![A-Z])PIN)S?(?![A-Za-z])
    )[\w.-]{0,100}+""",
    re.VERBOSE,
)

#: The possible ends of a name.
_CLOSED = r"""\]?(?:\\*+["']|&quot;|&\#34;|%22)?+"""
#: To the end of the text where a quote is not closed.
_QUOTED = r"""(?:"(?:[^"\\]++|\\.)*+(?:"|\Z)|'(?:[^'\\\n]++|\\.)*+(?:'|(?=\n)|\Z))"""


def _assignment_pattern(plain: str) -> re.Pattern[str]:
    """Return the pattern of an assignment after a name: password = …; `plain` is a value without quotes."""
    return re.compile(
        rf"""{_CLOSED}\s*+(?:=>|:=|%3[ADad]|[=:])\s*+(?:[|>][+-]?[ \t]*+\n\s*+)?+
          (?P<value>{_QUOTED}|{plain})""",
        re.VERBOSE | re.DOTALL,
    )


_IN_DOCUMENT = _assignment_pattern(r"[^<\s][^<\n]*+")
#: The value of a header is the whole line, in a log, too.
_HEADER = re.compile("cookie|authorization", re.IGNORECASE)
#: A message about a name: "amqp_password: must be a text", "credentials.json: …", "/auth/check_jwt: …".
_MESSAGE = re.compile(r""":\s++(?!["'])""")
_IN_LOG = _assignment_pattern(r"""[^\s,;&<>"'(){}\[\]]++""")

#: {"name": "password", "value": …}, <param name="password" value=…>.
_PAIR = re.compile(
    rf"""{_CLOSED}[^\w{{}}]{{1,40}}+(?:(?!val\b|value|string|content)\w{{1,20}}+[^\w{{}}]{{1,20}}+){{0,6}}+
      (?:val|value|string|content){_CLOSED}\s*+[=:]\s*+(?P<value>{_QUOTED}|[^\s,<>]++)""",
    re.VERBOSE | re.DOTALL,
)
#: <name>password</name> <value>…, <td>password</td><td>….
_NEXT_ELEMENT = re.compile(
    r"\s*+</[\w:.-]{1,40}+>\s*+<[\w:.-]{1,40}+[^<>]{0,200}+>\s*+(?:<!\[CDATA\[)?+(?P<value>[^<]++)"
)
#: <param name="password">….
_ATTRIBUTE = re.compile(r"""["'][^<>]{0,500}+>\s*+(?:<!\[CDATA\[)?+(?P<value>[^<]++)""")
#: <password type="text">….
_ELEMENT = re.compile(r"(?:\s[^<>]{0,500}+)?+>\s*+(?:<!\[CDATA\[)?+(?P<value>[^<]++)")
_OPENING = re.compile(r"<[\w:.-]*+")

_AFTER_BEARER = re.compile(r"\s++(?P<value>[\w.~+/=-]{8,}+)")

#: Secrets without a name: tokens, also truncated ones; PEM blocks; users and passwords in URLs.
_MARKED = {
    "eyj": re.compile(r"(?P<value>eyJ[\w-]{8,}+(?:\.[\w-]*+){0,2}+)"),
    "-----begin": re.compile(
        r"(?P<value>-----BEGIN(?:[^-]++|-(?!----END))*+(?:-----END[\w ]{0,60}+-{0,5}+)?+)"
    ),
    "://": re.compile(r"""://(?P<value>[^\s/"'<>@]++(?:@[^\s/"'<>@]*+(?=@))*+)@"""),
}


def is_secret(name: str) -> bool:
    """Return whether a name is that of a secret."""
    return len(name) > MAX_NAME or any(_NAME.match(name, at) for at, _ in _find_words(name, _WORDS))


def hide_secrets(text: str, mark: str, *, is_log: bool = False) -> str:
    """Return a text with each secret replaced by `mark`.

    In a log, a value without quotes ends with the word; elsewhere with the line.
    """
    result: list[str] = []
    begin = 0
    for start, end in _merge(_find_secrets(text, is_log)):
        result += (text[begin:start], mark)
        begin = end
    return "".join([*result, text[begin:]]) if result else text


def _find_words(text: str, words: tuple[str, ...]) -> list[tuple[int, str]]:
    """Return the positions of these words in a text, in order; at most one more than are examined."""
    # Dotted I is the one letter that is longer in lower case.
    lowered = text.replace("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}", "i").lower()

    def of(word: str) -> list[tuple[int, str]]:
        found: list[tuple[int, str]] = []
        at = lowered.find(word)
        while at >= 0 and len(found) <= _MOST_PLACES:
            found.append((at, word))
            at = lowered.find(word, at + 1)
        return found

    return sorted(place for word in words for place in of(word))[: _MOST_PLACES + 1]


def _find_secrets(text: str, is_log: bool) -> list[tuple[int, int]]:
    """Return start and end of each secret; they may overlap."""
    spans: list[tuple[int, int]] = []
    since = until = 0
    places = _find_words(text, (*_WORDS, *_MARKED))
    for at, word in islice(places, _MOST_PLACES):
        if since <= at < until:
            continue
        span = _find_secret(text, at, word, is_log)
        if span is not None:
            spans.append(span)
            # A short one may contain a name: <key>password</key><string>….
            if span[1] - span[0] > 2 * MAX_NAME:
                since, until = span
    if len(places) > _MOST_PLACES:
        spans.append((places[-1][0], len(text)))
    return spans


def _find_secret(text: str, at: int, word: str, is_log: bool) -> tuple[int, int] | None:
    if word in _MARKED:
        found = _MARKED[word].match(text, at)
        return found.span("value") if found else None
    name = _NAME.match(text, at)
    if name is None:
        return None
    begin = name.end()
    if is_log and _HEADER.match(text, at) is None:
        is_subject = text[max(at - 1, 0) : at] in ("_", "/", ".") or "." in name[0] or word == "key"
        assigned = None if is_subject and _MESSAGE.match(text, begin) else _IN_LOG.match(text, begin)
    else:
        assigned = _IN_DOCUMENT.match(text, begin)
    found = (
        assigned
        or _PAIR.match(text, begin)
        or _NEXT_ELEMENT.match(text, begin)
        or _ATTRIBUTE.match(text, begin)
        or (_AFTER_BEARER.match(text, begin) if word == "bearer" else None)
    )
    if found is None and _OPENING.fullmatch(text, max(text.rfind("<", max(at - MAX_NAME, 0), at), 0), at):
        found = _ELEMENT.match(text, begin)
    return found.span("value") if found else None


def _merge(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
