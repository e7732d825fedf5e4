"""Tokens that are no good, or not quite: each as somebody would have it who pastes one, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jwt

from .certificate import key_from_seed

#: Gives a good token; see Entrez.token for what may be said of it.
Issue = Callable[..., str]

_HOUR, _YEAR = 3600, 365 * 86400


def make(issue: Issue, kind: str) -> str:
    """Return a token with what TOKENS says of it, made from one that `issue` gives.

    Raises ValueError for a name that is not there.
    """
    if kind not in TOKENS:
        raise ValueError(f"{kind!r} is no kind of token; there are {', '.join(TOKENS)}")
    return _MAKING[kind](issue)


def _signed(issue: Issue, key: Any, algorithm: str) -> str:
    claims = jwt.decode(issue(), options={"verify_signature": False})
    return jwt.encode(claims, key, algorithm=algorithm)


#: What is the matter with each.
TOKENS = {
    "good": "nothing: a year, for the owner of this gateway",
    "installer": "an installer's, for twelve hours",
    "other-gateway": "for another gateway",
    "expired": "ended an hour ago",
    "ends-soon": "ends in an hour",
    "from-the-future": "issued five minutes from now: a clock is off",
    "hs256": "signed with HS256 and a word, not with Entrez's key",
    "none": "not signed at all, and says so",
    "stranger": "signed with somebody else's key",
    "cut-short": "its end is missing",
    "no-token": "other text",
}
_MAKING: dict[str, Callable[[Issue], str]] = {
    "good": lambda issue: issue(),
    "installer": lambda issue: issue("installer"),
    "other-gateway": lambda issue: issue(serial_number="122399999999"),
    "expired": lambda issue: issue(issued_ago=_YEAR + _HOUR),
    "ends-soon": lambda issue: issue(issued_ago=_YEAR - _HOUR),
    "from-the-future": lambda issue: issue(issued_ago=-300),
    "hs256": lambda issue: _signed(issue, "no key of Entrez's, but thirty-two bytes", "HS256"),
    "none": lambda issue: _signed(issue, None, "none"),
    "stranger": lambda issue: _signed(issue, key_from_seed("stranger"), "ES256"),
    "cut-short": lambda issue: issue()[:-20],
    "no-token": lambda _: "Please copy the token",
}
