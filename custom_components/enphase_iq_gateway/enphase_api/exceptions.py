"""What can go wrong between an owner, Entrez and an IQ Gateway, as one tree of errors.

Catch `EnphaseError` for everything, a branch to act on its meaning. No message holds a secret.
"""

from __future__ import annotations

from enum import StrEnum


class EnphaseError(Exception):
    """Anything that this client reports.

    `retryable` says whether asking the same again later makes sense without a person doing something first.
    """

    retryable = False


class InvalidHostError(EnphaseError, ValueError):
    """The host given cannot be a gateway's or Entrez's: no https, a path in it, or no name."""


class Silence(StrEnum):
    """Why nobody answered."""

    #: No name server knows the host.
    UNKNOWN_HOST = "unknown_host"
    #: Something has this address, but takes no connection on this port.
    REFUSED = "refused"
    #: Nothing answered in time, or no way leads there.
    TIMEOUT = "timeout"
    #: Something answered, but not with TLS.
    NO_TLS = "no_tls"
    #: The connection broke.
    BROKEN = "broken"


class CommunicationError(EnphaseError):
    """Nobody answered: `reason` says whether the host is unknown, refuses, is silent, or broke off."""

    retryable = True

    def __init__(self, message: str, *, path: str | None = None, reason: Silence = Silence.BROKEN) -> None:
        super().__init__(message)
        self.path = path
        self.reason = reason


class ResponseError(EnphaseError):
    """Somebody answered, but not with what was asked for: `path`, HTTP `status`, and whether to retry."""

    def __init__(self, message: str, *, path: str, status: int, retryable: bool = False) -> None:
        super().__init__(message)
        self.path = path
        self.status = status
        self.retryable = retryable


class InvalidAnswerError(ResponseError):
    """The answer came with a good status, but is no such answer: HTML, cut short, or of another structure."""

    def __init__(self, message: str, *, path: str, status: int = 200) -> None:
        super().__init__(message, path=path, status=status, retryable=True)


class UnsupportedFirmwareError(EnphaseError):
    """The gateway runs a firmware older than 7, which knows no tokens."""

    def __init__(self, firmware: str) -> None:
        super().__init__(
            f"The gateway runs firmware {firmware}; version 7 or later is needed. "
            "Ask Enphase support to update it."
        )
        self.firmware = firmware


class AuthenticationError(EnphaseError):
    """User name and password, a token or a session were refused."""


class NotAllowedError(AuthenticationError):
    """The gateway accepts the token, but not for this `path`, which needs a role such as an installer's."""

    def __init__(self, message: str, *, path: str) -> None:
        super().__init__(message)
        self.path = path


class MultiFactorError(AuthenticationError):
    """The account asks for a second factor, which no program can give: paste a token instead."""


class TokenReason(StrEnum):
    """Reason why a token cannot be used, or is missing."""

    INCOMPLETE = "incomplete"
    EXPIRED = "expired"
    OF_ANOTHER_GATEWAY = "of_another_gateway"
    #: It was issued later than now: this machine's clock is wrong.
    OF_THE_FUTURE = "of_the_future"
    NOT_OF_ENTREZ = "not_of_entrez"
    #: Entrez gives this account none for this gateway.
    NOT_GIVEN = "not_given"


class TokenError(AuthenticationError):
    """A token cannot be used, or is not given; the message says why, and `reason` for a program."""

    def __init__(self, message: str, reason: TokenReason) -> None:
        super().__init__(message)
        self.reason = reason


class CertificateError(EnphaseError):
    """The gateway's certificate is not one that the owner has trusted: nothing secret was sent."""


class UnusableCertificateError(CertificateError):
    """The gateway shows a certificate with which no connection can be made, so it cannot be trusted."""


class NotTrustedError(CertificateError):
    """No certificate of this gateway has been trusted yet: call `Gateway.trust_gateway` first."""


class CertificateChangedError(CertificateError):
    """The gateway shows a certificate with another key than the trusted one.

    `trusted` and `shown` are the SHA-256 fingerprints; `shown_pem` is what was shown, to be stored if the
    owner says yes (never one that was fetched again).
    """

    def __init__(self, *, trusted: str, shown: str, shown_pem: str) -> None:
        super().__init__(
            f"The gateway shows another certificate (SHA-256 {shown}) than the trusted one "
            f"(SHA-256 {trusted}). Nothing secret was sent. If you expected that, trust the new one with "
            "Gateway.trust_gateway."
        )
        self.trusted = trusted
        self.shown = shown
        self.shown_pem = shown_pem
