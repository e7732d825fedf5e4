"""Access to the gateway: valid and invalid tokens, their check, roles, and sessions that end when idle."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from .certificate import key_from_seed

#: Issues a valid token; see Entrez.token for the arguments.
Issue = Callable[..., str]

_HOUR, _YEAR = 3600, 365 * 86400


def make_token(issue: Issue, kind: str) -> str:
    """Return a token of a kind in TOKENS, derived from a valid one of `issue`.

    Raise ValueError for an unknown kind.
    """
    if kind not in TOKENS:
        raise ValueError(f"unknown token {kind!r}: choose one of {', '.join(TOKENS)}")
    return _MAKING[kind](issue)


def _sign(issue: Issue, key: Any, algorithm: str) -> str:
    claims = jwt.decode(issue(), options={"verify_signature": False})
    return jwt.encode(claims, key, algorithm=algorithm)


#: Descriptions of the tokens by kind.
TOKENS = {
    "good": "a valid owner's token, for a year",
    "installer": "a valid installer's token, for twelve hours",
    "other-gateway": "for another gateway",
    "expired": "expired an hour ago",
    "ends-soon": "expires in an hour",
    "from-the-future": "issued five minutes from now, as when a clock is wrong",
    "hs256": "signed with HS256 and a password instead of Entrez's key",
    "none": "unsigned (alg: none)",
    "stranger": "signed with another key",
    "cut-short": "truncated",
    "no-token": "text that is not a token",
}
_MAKING: dict[str, Callable[[Issue], str]] = {
    "good": lambda issue: issue(),
    "installer": lambda issue: issue("installer"),
    "other-gateway": lambda issue: issue(serial_number="122399999999"),
    "expired": lambda issue: issue(issued_ago=_YEAR + _HOUR),
    "ends-soon": lambda issue: issue(issued_ago=_YEAR - _HOUR),
    "from-the-future": lambda issue: issue(issued_ago=-300),
    "hs256": lambda issue: _sign(issue, "no key of Entrez's, but thirty-two bytes", "HS256"),
    "none": lambda issue: _sign(issue, None, "none"),
    "stranger": lambda issue: _sign(issue, key_from_seed("stranger"), "ES256"),
    "cut-short": lambda issue: issue()[:-20],
    "no-token": lambda _: "Please copy the token",
}

#: Access levels of the roles; each includes the lower ones.
LEVELS = {"owner": 2, "installer": 6}
IDLE_SECONDS = 600.0
UNCOMMISSIONED = "un-commissioned"


class TokenRefusedError(Exception):
    """The token is not valid for this gateway."""


@dataclass
class Session:
    """A session opened with a valid token."""

    role: str
    expires: float  #: epoch seconds of the token's end
    last_used: float  #: monotonic seconds


class Sessions:
    """The gateway's sessions by the value of their `sessionId` cookie."""

    def __init__(self, serial_number: str, public_key: ec.EllipticCurvePublicKey) -> None:
        self._serial_number = serial_number
        self._public_key = public_key
        self._open: dict[str, Session] = {}
        self.idle_seconds = IDLE_SECONDS

    def check(self, token: str) -> Session:
        """Return the session of a token; raise TokenRefusedError if it is invalid."""
        try:
            claims = jwt.decode(
                token,
                self._public_key,
                algorithms=["ES256"],
                audience=[self._serial_number, UNCOMMISSIONED],
                issuer="Entrez",
                # Gateway and Entrez share a clock, which may differ from this machine's.
                options={"require": ["exp", "iat", "iss", "aud", "enphaseUser"], "verify_iat": False},
            )
        except jwt.PyJWTError as error:
            raise TokenRefusedError(str(error)) from error
        role = claims["enphaseUser"]
        if role not in LEVELS:
            raise TokenRefusedError("no such role")
        return Session(role, claims["exp"], time.monotonic())

    def open(self, token: str) -> str:
        """Return the cookie's value for a new session; raise TokenRefusedError for an invalid token."""
        session_id = secrets.token_urlsafe(24)
        self._open[session_id] = self.check(token)
        return session_id

    def find(self, session_id: str) -> Session | None:
        """Return the session of a cookie; None if it is unknown, idle too long, or its token has expired."""
        session = self._open.get(session_id)
        if session is None:
            return None
        now = time.monotonic()
        if now - session.last_used > self.idle_seconds or session.expires <= time.time():
            del self._open[session_id]
            return None
        session.last_used = now
        return session

    def end_all(self) -> None:
        """End every session, as a restart does."""
        self._open.clear()
