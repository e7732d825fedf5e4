"""An async client for the Enphase IQ Gateway and for Entrez, which issues its tokens.

`enphase_api.cloud.authentication.Authentication` and `enphase_api.local.gateway.Gateway` have the names of
the documented Enphase-API wrapper, as coroutines where they do I/O. The client is independent of Home
Assistant.
"""

from .exceptions import (
    AuthenticationError,
    CertificateChangedError,
    CertificateError,
    CommandError,
    CommandReason,
    CommunicationError,
    EnphaseError,
    InvalidAnswerError,
    InvalidHostError,
    MultiFactorError,
    NotAllowedError,
    NotTrustedError,
    ResponseError,
    SeveralSitesError,
    Silence,
    TokenError,
    TokenReason,
    UnsupportedFirmwareError,
    UnusableCertificateError,
)

__all__ = [
    "AuthenticationError",
    "CertificateChangedError",
    "CertificateError",
    "CommandError",
    "CommandReason",
    "CommunicationError",
    "EnphaseError",
    "InvalidAnswerError",
    "InvalidHostError",
    "MultiFactorError",
    "NotAllowedError",
    "NotTrustedError",
    "ResponseError",
    "SeveralSitesError",
    "Silence",
    "TokenError",
    "TokenReason",
    "UnsupportedFirmwareError",
    "UnusableCertificateError",
]
