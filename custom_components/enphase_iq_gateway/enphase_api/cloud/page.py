"""What a page of Entrez says: a token, a wish for a password, or for a second factor."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from html.parser import HTMLParser

_SECOND_FACTOR = re.compile(
    r"(?<![a-z])(?:mfa|otp)(?![a-z])|(?:multi|two|second)[- ]?factor|one[- ]time|verification code",
    re.IGNORECASE,
)


def mentions_second_factor(text: str) -> bool:
    """Tell whether a text, an address or a cookie's name speaks of a second factor."""
    return _SECOND_FACTOR.search(text) is not None


@dataclass(slots=True, repr=False)
class Form:
    """A form of a page: where it is sent, and what a browser sends along unseen."""

    action: str
    #: By name; `_csrf` may be among them.
    hidden: dict[str, str] = field(default_factory=dict)
    asks_password: bool = False


class Page(HTMLParser):
    """A page of Entrez, or another answer of it, read as far as it matters here."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self._token: str | None = None
        self._in_token = self._in_script = False
        self._seen: list[str] = []
        self._form: Form | None = None
        self.forms: list[Form] = []
        #: Whether it is the form that asks for user name and password.
        self.asks_password = False
        #: Whether it leads on to the making of tokens, as all pages for somebody signed in do.
        self.offers_tokens = False
        # Python up to 3.13 gives up on some broken markup: what stands before it was read.
        with suppress(AssertionError):
            self.feed(body.decode("utf-8", errors="replace"))
            self.close()

    @property
    def token(self) -> str | None:
        """The text of the field that holds a token; None without such a field."""
        return None if self._token is None else self._token.strip()

    @property
    def asks_second_factor(self) -> bool:
        """Whether what a person sees of it, or a name of its fields, speaks of a second factor."""
        return mentions_second_factor(" ".join(self._seen))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the fields."""
        values = dict(attrs)
        self.offers_tokens |= "/entrez_tokens" in (values.get("action"), values.get("href"))
        if tag == "textarea" and values.get("id") == "JWTToken":
            self._token, self._in_token = "", True
        elif tag in ("script", "style"):
            self._in_script = True
        elif tag == "form":
            self._form = Form(values.get("action") or "")
            self.forms.append(self._form)
        elif tag == "input":
            self._seen.append(values.get("name") or "")
            self._note_input(values)

    def _note_input(self, values: dict[str, str | None]) -> None:
        kind = (values.get("type") or "").lower()
        is_password = kind == "password"
        self.asks_password |= is_password
        if self._form is None:
            return
        self._form.asks_password |= is_password
        name = values.get("name")
        # A browser sends a field that is only made invisible, too.
        if name and (kind == "hidden" or "hidden" in values):
            self._form.hidden[name] = values.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        """Note where a field or form ends."""
        if tag == "textarea":
            self._in_token = False
        elif tag == "form":
            self._form = None
        elif tag in ("script", "style"):
            self._in_script = False

    def handle_data(self, data: str) -> None:
        """Note the texts."""
        if self._in_token:
            self._token = (self._token or "") + data
        elif not self._in_script:
            self._seen.append(data)
