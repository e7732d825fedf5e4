"""Tokens that are no good, or not quite: each as somebody would have it who pastes one, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jwt

from .certificate import key_from_seed

if TYPE_CHECKING:
    from .entrez import Entrez

_HOUR, _YEAR = 3600, 365 * 86400


def make(entrez: Entrez, kind: str) -> str:
    """A token with what TOKENS says of it. Raises ValueError for a name that is not there."""
    if kind not in TOKENS:
        raise ValueError(f"{kind!r} is no kind of token; there are {', '.join(TOKENS)}")
    return _MAKING[kind](entrez)


def _signed(entrez: Entrez, key: Any, algorithm: str) -> str:
    claims = jwt.decode(entrez.token(), options={"verify_signature": False})
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
_MAKING: dict[str, Callable[[Entrez], str]] = {
    "good": lambda entrez: entrez.token(),
    "installer": lambda entrez: entrez.token("installer"),
    "other-gateway": lambda entrez: entrez.token(serial_number="122399999999"),
    "expired": lambda entrez: entrez.token(issued_ago=_YEAR + _HOUR),
    "ends-soon": lambda entrez: entrez.token(issued_ago=_YEAR - _HOUR),
    "from-the-future": lambda entrez: entrez.token(issued_ago=-300),
    "hs256": lambda entrez: _signed(entrez, "no key of Entrez's, but thirty-two bytes", "HS256"),
    "none": lambda entrez: _signed(entrez, None, "none"),
    "stranger": lambda entrez: _signed(entrez, key_from_seed("stranger"), "ES256"),
    "cut-short": lambda entrez: entrez.token()[:-20],
    "no-token": lambda _: "Please copy the token",
}
