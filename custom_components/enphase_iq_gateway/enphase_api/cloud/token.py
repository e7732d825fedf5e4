"""A token of Entrez: its claims, and the reason why it cannot be used."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from ..exceptions import TokenError, TokenReason
from ..json_values import is_serial_number, text, timestamp

#: The algorithm of Entrez; the one in the header of a token is not trusted.
_ALGORITHM = "ES256"
_ISSUER = "Entrez"

#: The audience of a token for a gateway without a site.
UNCOMMISSIONED = "un-commissioned"

#: The clock of a Raspberry Pi may be wrong by minutes after it starts.
_LEEWAY = timedelta(minutes=10)

#: The public key of Entrez (SubjectPublicKeyInfo), from the documented Enphase-API wrapper.
ENTREZ_PUBLIC_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE6PhAU3Mk4W7Ara5hCWPHDtv8LY0CtBwEVj4k4Tu8KRBM"
    "OhbTcHHnxYJ3UKppIKyraB2GFUmOhGP9O2jmcb4UAw=="
)

_FORM = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)

#: Characters; a token has about seven hundred.
_MAX_TOKEN = 8_000


def has_form_of_token(text: str) -> bool:
    """Return whether a text can be a token: three parts of base64url."""
    return len(text) <= _MAX_TOKEN and _FORM.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Token:
    """The claims of a token, without the token itself: nothing here is secret."""

    #: The gateway that it is for; None for one that is not commissioned.
    serial_number: str | None
    #: "owner" (valid for a year), "installer" (12 hours), or another role.
    role: str | None
    #: UTC.
    issued_at: datetime
    #: UTC.
    expires_at: datetime
    #: The reason why it cannot be used, as a text for the user; None if it can.
    problem: str | None
    #: The same as a constant.
    reason: TokenReason | None = None

    @classmethod
    def parse(
        cls,
        token: str,
        gateway_serial_number: str | int | None = None,
        verify_signature: bool = False,
        public_key: str = ENTREZ_PUBLIC_KEY,
    ) -> Self:
        """Parse and validate a token: for a gateway (any by default), by the clock of this machine.

        `public_key` is the base64 of a SubjectPublicKeyInfo. Raises TokenError if the text is not a token,
        ValueError if the public key is invalid.
        """
        raw = token.strip()
        no_token = TokenError(
            "not a token, or only a part of one: copy the whole text and paste it again",
            TokenReason.INCOMPLETE,
        )
        if not has_form_of_token(raw):
            raise no_token
        try:
            header = jwt.get_unverified_header(raw)
            claims = jwt.decode(raw, options={"verify_signature": False})
        except (jwt.InvalidTokenError, RecursionError):
            # Without the cause, which may contain parts of the token.
            raise no_token from None
        audience, issued_at, expires_at = (
            text(claims, "aud"),
            timestamp(claims, "iat"),
            timestamp(claims, "exp"),
        )
        is_for_gateway = audience is not None and (audience == UNCOMMISSIONED or is_serial_number(audience))
        if not is_for_gateway or issued_at is None or expires_at is None:
            raise TokenError(
                "the token names no gateway or no time: get one from Entrez",
                TokenReason.NOT_OF_ENTREZ,
            )
        serial_number = None if audience == UNCOMMISSIONED else audience
        error = _error(header, claims, gateway_serial_number, serial_number, issued_at, expires_at)
        if error is None and verify_signature and not _is_signed_by(raw, public_key):
            error = TokenError(
                "the token's signature is not from Entrez: get a token from Entrez", TokenReason.NOT_OF_ENTREZ
            )
        problem, reason = (None, None) if error is None else (str(error), error.reason)
        return cls(serial_number, text(claims, "enphaseUser"), issued_at, expires_at, problem, reason)

    def require_valid(self) -> None:
        """Raise TokenError, with the reason, where the token cannot be used."""
        if self.problem is not None and self.reason is not None:
            raise TokenError(self.problem, self.reason)


def _error(
    header: Mapping[str, Any],
    claims: Mapping[str, Any],
    wanted: str | int | None,
    serial_number: str | None,
    issued_at: datetime,
    expires_at: datetime,
) -> TokenError | None:
    now = datetime.now(UTC)
    if header.get("alg") != _ALGORITHM or claims.get("iss") != _ISSUER:
        return TokenError(
            "the token was not issued by Entrez: get one from Entrez", TokenReason.NOT_OF_ENTREZ
        )
    if wanted is not None and serial_number is not None and serial_number != str(wanted):
        return TokenError(
            f"the token is for gateway {serial_number}, not for {wanted}: choose that gateway in Entrez",
            TokenReason.OF_ANOTHER_GATEWAY,
        )
    if expires_at + _LEEWAY < now:
        return TokenError(
            f"the token expired on {expires_at:%Y-%m-%d %H:%M} UTC: get a new one", TokenReason.EXPIRED
        )
    if issued_at - _LEEWAY > now:
        return TokenError(
            f"the token was issued on {issued_at:%Y-%m-%d %H:%M} UTC, which is in the future: "
            "set this machine's clock",
            TokenReason.OF_THE_FUTURE,
        )
    return None


def _is_signed_by(raw: str, public_key: str) -> bool:
    key = load_der_public_key(base64.b64decode(public_key))
    if not isinstance(key, EllipticCurvePublicKey):
        return False
    try:
        jwt.PyJWS().decode(raw, key, algorithms=[_ALGORITHM])
    except jwt.InvalidTokenError:
        return False
    return True
