"""Who may ask the gateway what: tokens checked, roles, and sessions that end when idle."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

#: What a role may ask; each includes those below it.
LEVELS = {"owner": 2, "installer": 6}
IDLE_SECONDS = 600.0
UNCOMMISSIONED = "un-commissioned"


class TokenRefusedError(Exception):
    """The token is no token for this gateway, or no longer."""


@dataclass
class Session:
    """Somebody who showed a good token."""

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
        """Return the session of a token. Raises TokenRefusedError."""
        try:
            claims = jwt.decode(
                token,
                self._public_key,
                algorithms=["ES256"],
                audience=[self._serial_number, UNCOMMISSIONED],
                issuer="Entrez",
                # The gateway's clock is right where this machine's is off, and Entrez's with it.
                options={"require": ["exp", "iat", "iss", "aud", "enphaseUser"], "verify_iat": False},
            )
        except jwt.PyJWTError as error:
            raise TokenRefusedError(str(error)) from error
        role = claims["enphaseUser"]
        if role not in LEVELS:
            raise TokenRefusedError("no such role")
        return Session(role, claims["exp"], time.monotonic())

    def open(self, token: str) -> str:
        """Return the cookie's value for a new session. Raises TokenRefusedError."""
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
        """Forgets every session, as a restart does."""
        self._open.clear()
