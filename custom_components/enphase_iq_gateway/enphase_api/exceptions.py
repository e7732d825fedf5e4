"""The errors of the client, as one tree.

Catch `EnphaseError` for all errors, or a subclass to handle its meaning. No message contains a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class EnphaseError(Exception):
    """Base of all errors of this client.

    `retryable`: whether the same request may succeed later without user action. `is_from_cloud`: whether a
    command failed in Enphase's cloud, not at the gateway.
    """

    retryable = False
    is_from_cloud = False


class InvalidHostError(EnphaseError, ValueError):
    """The host is not that of a gateway or of Entrez: no https, a path, or no name."""


class Silence(StrEnum):
    """The reason why a host does not answer."""

    #: No name server knows the host.
    UNKNOWN_HOST = "unknown_host"
    #: The host refuses connections on this port.
    REFUSED = "refused"
    #: No answer in time, or no route to the host.
    TIMEOUT = "timeout"
    #: The host answered, but not with TLS.
    NO_TLS = "no_tls"
    #: The connection broke.
    BROKEN = "broken"


class CommunicationError(EnphaseError):
    """The host does not answer; see `reason`."""

    retryable = True

    def __init__(self, message: str, *, path: str | None = None, reason: Silence = Silence.BROKEN) -> None:
        super().__init__(message)
        self.path = path
        self.reason = reason


class ResponseError(EnphaseError):
    """The host answered with an error: `path`, HTTP `status`, and whether to retry."""

    def __init__(self, message: str, *, path: str, status: int, retryable: bool = False) -> None:
        super().__init__(message)
        self.path = path
        self.status = status
        self.retryable = retryable


class InvalidAnswerError(ResponseError):
    """The answer has a successful status, but is invalid: HTML, truncated, or of another structure."""

    def __init__(self, message: str, *, path: str, status: int = 200) -> None:
        super().__init__(message, path=path, status=status, retryable=True)


class UnsupportedFirmwareError(EnphaseError):
    """The gateway runs a firmware older than 7, which does not support tokens."""

    def __init__(self, firmware: str) -> None:
        super().__init__(
            f"the gateway runs firmware {firmware}, but version 7 or later is needed: "
            "ask Enphase support to update it"
        )
        self.firmware = firmware


class AuthenticationError(EnphaseError):
    """User name and password, a token or a session were rejected."""


class NotAllowedError(AuthenticationError):
    """The gateway accepts the token, but not for this `path`, which needs a role such as an installer's."""

    def __init__(self, message: str, *, path: str) -> None:
        super().__init__(message)
        self.path = path


class MultiFactorError(AuthenticationError):
    """The account requires a second factor, which the client cannot provide: paste a token instead."""


class TokenReason(StrEnum):
    """Reason why a token cannot be used, or is missing."""

    INCOMPLETE = "incomplete"
    EXPIRED = "expired"
    OF_ANOTHER_GATEWAY = "of_another_gateway"
    #: It was issued in the future: the clock of this machine is wrong.
    OF_THE_FUTURE = "of_the_future"
    NOT_OF_ENTREZ = "not_of_entrez"
    #: Entrez issues none for this account and gateway.
    NOT_GIVEN = "not_given"


class TokenError(AuthenticationError):
    """A token cannot be used or is not issued; see `reason`."""

    def __init__(self, message: str, reason: TokenReason) -> None:
        super().__init__(message)
        self.reason = reason


class CertificateError(EnphaseError):
    """The gateway does not show a trusted certificate: nothing secret was sent."""


class UnusableCertificateError(CertificateError):
    """The gateway shows a certificate that cannot be trusted: no connection is possible with it."""


class NotTrustedError(CertificateError):
    """No certificate of this gateway is trusted yet: call `Gateway.trust_gateway` first."""


class CertificateChangedError(CertificateError):
    """The gateway shows a certificate with another key than the trusted one.

    `trusted` and `shown` are the SHA-256 fingerprints; `shown_pem` is the certificate to store if the user
    trusts it (never one that is fetched again).
    """

    def __init__(self, *, trusted: str, shown: str, shown_pem: str) -> None:
        super().__init__(
            f"the gateway shows another certificate (SHA-256 {shown}) than the trusted one "
            f"(SHA-256 {trusted}); no secret was sent: if you expected that, trust the new one with "
            "Gateway.trust_gateway"
        )
        self.trusted = trusted
        self.shown = shown
        self.shown_pem = shown_pem


class CommandReason(StrEnum):
    """Reason why a command is not sent."""

    NO_BATTERIES = "no_batteries"
    NO_CONTROLLER = "no_controller"
    NO_DRY_CONTACT = "no_dry_contact"
    NO_GENERATOR = "no_generator"
    #: The gateway does not have the endpoint of the command.
    NO_DEVICE = "no_device"
    #: `levels`: `reserve` and `shutdown_level`.
    RESERVE_BELOW_SHUTDOWN = "reserve_below_shutdown"
    #: In mode `backup`, the reserve is always 100 %.
    RESERVE_OF_BACKUP = "reserve_of_backup"
    #: `levels`: `low` and `high`, between which this level of the site must be.
    OUT_OF_RANGE = "out_of_range"
    #: `levels`: `low` and `high`, which are the wrong way round.
    LOW_ABOVE_HIGH = "low_above_high"
    #: The account of Enphase's cloud has several sites, and it is unknown which one is the gateway's.
    SEVERAL_SITES = "several_sites"
    #: The value is none that any gateway accepts.
    INVALID = "invalid"


class CommandError(EnphaseError, ValueError):
    """The gateway has no such device, or the value is invalid: nothing was sent. See `reason`.

    `levels`: those (%) that the reason is about, by name.
    """

    def __init__(self, message: str, reason: CommandReason = CommandReason.INVALID, **levels: float) -> None:
        super().__init__(message)
        self.reason = reason
        self.levels = levels


class SeveralSitesError(CommandError):
    """The account has several sites, and none was chosen: `sites` has their names by id."""

    #: Sites that the message names.
    _SHOWN = 10

    def __init__(self, sites: Mapping[int, str]) -> None:
        named = [f"{site} ({name})" if name else f"{site}" for site, name in sites.items()]
        more = ", ..." if len(named) > self._SHOWN else ""
        super().__init__(
            f"this account has several sites, choose one by its id: {', '.join(named[: self._SHOWN])}{more}",
            CommandReason.SEVERAL_SITES,
        )
        self.sites = dict(sites)
