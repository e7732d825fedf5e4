"""Map the errors of the client to those of Home Assistant, and to the texts of the config flow."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ConfigEntryAuthFailed, ConfigEntryError, HomeAssistantError
from homeassistant.helpers.update_coordinator import UpdateFailed
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from .const import CERTIFICATE_CHECK_INTERVAL, DOMAIN, LOGGER
from .enphase_api import (
    AuthenticationError,
    CertificateChangedError,
    CertificateError,
    CommunicationError,
    EnphaseError,
    InvalidAnswerError,
    InvalidHostError,
    MultiFactorError,
    NotAllowedError,
    ResponseError,
    Silence,
    TokenError,
    TokenReason,
    UnsupportedFirmwareError,
    UnusableCertificateError,
)
from .enphase_api.local import Gateway
from .helpers import log_name
from .issues import async_create_certificate_issue, async_delete_certificate_issue
from .token_renewal import TokenRenewal

#: Since when each gateway has rejected the token of its entry; kept while the setup is retried.
_REJECTED_SINCE: HassKey[dict[str, datetime]] = HassKey(f"{DOMAIN}_rejected_since")

#: The entries whose gateways were logged as unavailable; kept while they are reloaded.
_UNAVAILABLE: HassKey[set[str]] = HassKey(f"{DOMAIN}_unavailable")

#: A gateway that has just started rejects valid tokens until its clock is set.
_REJECTION_TOLERANCE = timedelta(minutes=10)

#: A gateway that does not answer is polled less and less often, down to once in this time.
_MAX_BACKOFF = timedelta(minutes=1)

#: Translation keys of the errors that a retry may solve; the first match counts.
UPDATE_ERRORS: dict[type[EnphaseError], str] = {
    NotAllowedError: "forbidden",
    AuthenticationError: "token_rejected",
    CommunicationError: "cannot_connect",
    InvalidAnswerError: "invalid_response",
    ResponseError: "http_error",
    EnphaseError: "communication_error",
}


class ErrorMapper:
    """Map and log the errors of one gateway, and back off while they persist."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        gateway: Gateway,
        token_renewal: TokenRenewal,
        interval: timedelta,
    ) -> None:
        """Use the polling interval as the base of the backoff."""
        self._hass = hass
        self._entry = entry
        self._gateway = gateway
        self._token_renewal = token_renewal
        self._interval = interval
        self._failure_count = 0

    def reset(self, *, is_first: bool) -> None:
        """Forget all errors after the first successful refresh, and after a recovery.

        At first, an issue from before a restart may still be open, and the base class of the coordinator does
        not log that the gateway is available again.
        """
        self._failure_count = 0
        self._reset_rejections()
        async_delete_certificate_issue(self._hass, self._entry)
        unavailable = self._hass.data.get(_UNAVAILABLE, set())
        if is_first and self._entry.entry_id in unavailable:
            LOGGER.info("%s is available again", log_name(self._entry))
        unavailable.discard(self._entry.entry_id)

    def log_unavailable(self, error: BaseException | None) -> None:
        """Log why the gateway is unavailable.

        The text of the client's error is more precise than the translated one. The base class of the
        coordinator logs unexpected exceptions with a traceback.
        """
        LOGGER.info("%s is unavailable: %s", log_name(self._entry), error and (error.__cause__ or error))
        self._hass.data.setdefault(_UNAVAILABLE, set()).add(self._entry.entry_id)

    def wrong_gateway_error(self, found: str) -> ConfigEntryError:
        """Return the error for another gateway at the address."""
        return ConfigEntryError(
            translation_domain=DOMAIN,
            translation_key="wrong_gateway",
            translation_placeholders={
                "found": found,
                "wanted": str(self._entry.unique_id),
                "host": self._gateway.host,
            },
        )

    def map(self, error: EnphaseError) -> HomeAssistantError:
        """Return the error of Home Assistant for one of the client.

        That is UpdateFailed, with the time to wait, if a retry may succeed; ConfigEntryAuthFailed if the user
        has to sign in again; ConfigEntryError if neither helps.
        """
        if isinstance(error, CertificateChangedError):
            # The connection ended during the handshake: nothing was sent. It is tried again until the user
            # trusts this certificate, or the gateway shows the trusted one again.
            async_create_certificate_issue(self._hass, self._entry, error)
            return self._update_failed("certificate_changed", error, CERTIFICATE_CHECK_INTERVAL)
        if isinstance(error, UnsupportedFirmwareError):
            return ConfigEntryError(
                translation_domain=DOMAIN,
                translation_key="unsupported_firmware",
                translation_placeholders={"firmware": error.firmware},
            )
        key = next(key for kind, key in UPDATE_ERRORS.items() if isinstance(error, kind))
        if key == "token_rejected":
            return self._token_rejected(error)
        return self._update_failed(key, error)

    def _update_failed(self, key: str, error: EnphaseError, wait: timedelta | None = None) -> UpdateFailed:
        """Return the error that makes the coordinator retry."""
        self._failure_count += 1
        if key != "token_rejected":
            # Only consecutive rejections count.
            self._reset_rejections()
        wait = wait or min(self._interval * 2 ** min(self._failure_count, 10), _MAX_BACKOFF)
        return UpdateFailed(
            translation_domain=DOMAIN,
            translation_key=key,
            translation_placeholders={
                "name": self._entry.title,
                "host": self._gateway.host,
                **error_placeholders(error),
            },
            retry_after=wait.total_seconds(),
        )

    def _reset_rejections(self) -> None:
        self._hass.data.get(_REJECTED_SINCE, {}).pop(self._entry.entry_id, None)

    def _token_rejected(self, error: EnphaseError) -> HomeAssistantError:
        """Retry with the rejected token for a while, then require a new sign-in."""
        now = dt_util.utcnow()
        since = self._hass.data.setdefault(_REJECTED_SINCE, {}).setdefault(self._entry.entry_id, now)
        self._token_renewal.async_renew_if_due(is_rejected=True)
        has_expired = self._token_renewal.token.expires_at <= now
        # While a renewal is possible, keep polling; if it fails, the renewal itself starts the reauth.
        if not self._token_renewal.is_possible and (has_expired or now - since >= _REJECTION_TOLERANCE):
            return ConfigEntryAuthFailed(
                translation_domain=DOMAIN,
                translation_key="token_rejected",
                translation_placeholders={"name": self._entry.title},
            )
        return self._update_failed("token_rejected", error)


#: Translation keys of the reasons why a token cannot be used or issued.
TOKEN_ERRORS: dict[TokenReason, str] = {
    TokenReason.INCOMPLETE: "invalid_token",
    TokenReason.EXPIRED: "token_expired",
    TokenReason.OF_ANOTHER_GATEWAY: "token_wrong_gateway",
    TokenReason.OF_THE_FUTURE: "token_not_yet_valid",
    TokenReason.NOT_OF_ENTREZ: "token_wrong_issuer",
    TokenReason.NOT_GIVEN: "not_your_gateway",
}

#: Translation keys of the reasons why an address does not answer.
SILENCE_ERRORS: dict[Silence, str] = {
    Silence.UNKNOWN_HOST: "unknown_host",
    Silence.REFUSED: "connection_refused",
    Silence.TIMEOUT: "cannot_connect",
    Silence.NO_TLS: "not_https",
    Silence.BROKEN: "cannot_connect",
}

#: Translation keys of the errors of the gateway; the first match counts.
GATEWAY_ERRORS: dict[type[EnphaseError], str] = {
    InvalidHostError: "invalid_host",
    UnsupportedFirmwareError: "unsupported_firmware",
    CertificateChangedError: "certificate_changed",
    UnusableCertificateError: "certificate_unusable",
    CertificateError: "certificate_mismatch",
    AuthenticationError: "token_rejected",
    CommunicationError: "cannot_connect",
    EnphaseError: "not_a_gateway",
}

#: Those of a discovered gateway, whose address the user did not enter.
DISCOVERY_ERRORS = dict(GATEWAY_ERRORS)

#: Translation keys of the errors of Entrez.
ENTREZ_ERRORS: dict[type[EnphaseError], str] = {
    MultiFactorError: "mfa_required",
    AuthenticationError: "invalid_auth",
    EnphaseError: "entrez_unavailable",
}

#: Those of the batteries' settings in Enphase's cloud.
CLOUD_ERRORS: dict[type[EnphaseError], str] = {
    MultiFactorError: "cloud_mfa_required",
    NotAllowedError: "cloud_forbidden",
    AuthenticationError: "invalid_auth",
    EnphaseError: "cloud_unavailable",
}


def error_placeholders(error: EnphaseError) -> dict[str, str]:
    """Return the placeholders for the translated text of an error."""
    values = {"path": getattr(error, "path", None), "status": getattr(error, "status", None)}
    levels = {key: f"{value:g}" for key, value in getattr(error, "levels", {}).items()}
    return {key: str(value) for key, value in values.items() if value is not None} | levels


def error_key(error: EnphaseError, errors: Mapping[type[EnphaseError], str]) -> str:
    """Return the translation key of an error."""
    if isinstance(error, TokenError):
        return TOKEN_ERRORS[error.reason]
    if isinstance(error, CommunicationError) and errors is GATEWAY_ERRORS:
        return SILENCE_ERRORS[error.reason]
    return next(key for kind, key in errors.items() if isinstance(error, kind))
