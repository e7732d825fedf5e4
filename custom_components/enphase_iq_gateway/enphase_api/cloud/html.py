"""Parse pages of Entrez: their token, their forms, and whether they ask for a second factor."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from itertools import islice

_SECOND_FACTOR = re.compile(
    r"(?<![a-z])(?:mfa|otp)(?![a-z])|(?:multi|two|second)[- ]?factor|one[- ]time|verification code",
    re.IGNORECASE,
)

#: A relevant tag, with its slash, name and attributes, or the begin of a comment. A tag contains no "<", so
#: that each attempt ends where the next begins.
_MARKUP = re.compile(
    r"""<(?:!--|(/?)(textarea|form|input|a|script|style|title)\b((?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+)>)""",
    re.IGNORECASE,
)

#: An attribute's name, and its value in double, single or no quotes.
_ATTRIBUTE = re.compile(r"""([^\s"'>/=]++)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>]++)))?""")

#: Any other tag, which is invisible.
_UNSEEN = re.compile(r"<[^<>]*+>")

#: Elements in which a tag is text.
_ONLY_TEXT = {"script", "style", "textarea", "title"}

_MAX_ATTRIBUTES = 64

#: Characters; relevant texts with entities are shorter.
_MAX_ESCAPED = 4_000


def mentions_second_factor(text: str) -> bool:
    """Return whether a text, a URL or a cookie's name mentions a second factor."""
    return _SECOND_FACTOR.search(text) is not None


@dataclass(slots=True, repr=False)
class Form:
    """A form of a page: its target, and its hidden fields."""

    action: str = ""
    #: By name; `_csrf` may be among them.
    hidden: dict[str, str] = field(default_factory=dict)
    asks_password: bool = False


class EntrezPage:
    """A page, or another answer, of Entrez.

    Python's own parser takes minutes for some pages of 256 kB; here, each pattern scans the text once.
    """

    def __init__(self, body: bytes) -> None:
        self._token: list[str] | None = None
        self._seen: list[str] = []
        self._form: Form | None = None
        #: The element with only text at the current position, or "".
        self._within = ""
        self.forms: list[Form] = []
        #: Whether it asks for user name and password.
        self.asks_password = False
        #: Whether it links to the page of tokens, as all pages after a sign-in do.
        self.offers_tokens = False
        self._read(body.decode("utf-8", errors="replace"))
        #: Whether its visible text, or the name of a field, mentions a second factor.
        self.asks_second_factor = mentions_second_factor(_UNSEEN.sub(" ", " ".join(self._seen)))

    @property
    def token(self) -> str | None:
        """The token in its field; None without such a field."""
        return None if self._token is None else "".join(self._token).strip()

    def _read(self, text: str) -> None:
        position = 0
        while found := _MARKUP.search(text, position):
            self._note_text(text[position : found.start()])
            position = found.end()
            # In a comment, the group is None.
            tag = str(found[2] or "").lower()
            if self._within:
                if found[1] and tag == self._within:
                    self._within = ""
                else:
                    self._note_text(found[0])
            elif not tag:  # a comment
                end = text.find("-->", position)
                position = len(text) if end < 0 else end + 3
            elif not found[1]:
                self._begin(tag, found[3])
            elif tag == "form":
                self._form = None
        self._note_text(text[position:])

    def _begin(self, tag: str, attributes: str) -> None:
        if tag == "form":
            self._form = Form()
            self.forms.append(self._form)
        if tag in _ONLY_TEXT:
            self._within = tag
        if not attributes:
            return
        values = {
            each[1].lower(): _unescape(each[2] or each[3] or each[4] or "")
            for each in islice(_ATTRIBUTE.finditer(attributes), _MAX_ATTRIBUTES)
        }
        self.offers_tokens |= "/entrez_tokens" in (values.get("action"), values.get("href"))
        if tag == "textarea" and values.get("id") == "JWTToken":
            self._token = []
        elif tag == "form" and self._form is not None:
            self._form.action = values.get("action", "")
        elif tag == "input":
            self._seen.append(values.get("name", ""))
            self._note_input(values)

    def _note_input(self, values: dict[str, str]) -> None:
        kind = values.get("type", "").lower()
        is_password = kind == "password"
        self.asks_password |= is_password
        if self._form is None:
            return
        self._form.asks_password |= is_password
        name = values.get("name")
        # A browser also sends fields with the attribute "hidden".
        if name and (kind == "hidden" or "hidden" in values):
            self._form.hidden[name] = values.get("value", "")

    def _note_text(self, text: str) -> None:
        if self._within == "textarea" and self._token is not None:
            self._token.append(_unescape(text))
        elif self._within not in ("script", "style"):
            self._seen.append(text)


def _unescape(text: str) -> str:
    # A number of thousands of digits would be an error in Python.
    return html.unescape(text) if len(text) <= _MAX_ESCAPED else text
