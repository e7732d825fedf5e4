"""How a gateway and Entrez are reached: what the config flow and the renewal find there, or why not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.const import CONF_HOST
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from .const import CONF_CERTIFICATE, ProductionFrom
from .enphase_api import (
    AuthenticationError,
    CertificateChangedError,
    CertificateError,
    CommunicationError,
    EnphaseError,
    InvalidHostError,
    MultiFactorError,
    Silence,
    TokenError,
    TokenReason,
    UnsupportedFirmwareError,
    UnusableCertificateError,
)
from .enphase_api.cloud import AUTHENTICATION_HOST, Authentication, Token
from .enphase_api.http import read_host
from .enphase_api.local import Certificate, Gateway
from .enphase_api.local.trust import fetch_certificate
from .enphase_api.models import MeasurementType, Meter


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundGateway:
    """A gateway that answers at an address, with the certificate that it shows."""

    host: str
    certificate: Certificate
    serial_number: str
    firmware: str = ""
    is_metered: bool = False

    @classmethod
    def from_entry(cls, entry: ConfigEntry) -> Self:
        """Return the gateway that an entry trusts, without asking it."""
        return cls(
            host=entry.data[CONF_HOST],
            certificate=Certificate.from_pem(entry.data[CONF_CERTIFICATE]),
            serial_number=str(entry.unique_id),
        )


def trusted_certificate(entry: ConfigEntry) -> Certificate | None:
    """Return the certificate that an entry trusts; None for a damaged one, or for an ignored entry."""
    try:
        return Certificate.from_pem(entry.data.get(CONF_CERTIFICATE, ""))
    except CertificateError:
        return None


def is_trusted(entry: ConfigEntry, certificate: Certificate) -> bool:
    """Return whether a certificate has the key of the one that an entry trusts."""
    trusted = trusted_certificate(entry)
    return trusted is not None and certificate.key_fingerprint == trusted.key_fingerprint


def gateway_client(hass: HomeAssistant, host: str, certificate: str) -> Gateway:
    """Return a client that speaks only to the gateway with this certificate (PEM)."""
    return Gateway(host, certificate=certificate, session=async_get_clientsession(hass))


async def async_find_gateway(hass: HomeAssistant, host: str) -> FoundGateway:
    """Look who answers at an address, which may be copied from a browser; nothing secret is sent.

    Raises CertificateError where the certificate names another gateway than the one that answers, else what
    `Gateway.info` does.
    """
    host = read_host(host)
    # A gateway of before firmware 7 may know no https: its owner is to hear that, not that it is away.
    await Gateway(host, cert_file=None, session=async_get_clientsession(hass)).info()
    certificate = await fetch_certificate(host)
    gateway = gateway_client(hass, host, certificate.pem)
    info = await gateway.info()
    if certificate.serial_number not in (None, info.serial_number):
        raise CertificateError(f"The certificate is of gateway {certificate.serial_number}")
    return FoundGateway(
        host=gateway.host,
        certificate=certificate,
        serial_number=info.serial_number,
        firmware=info.firmware,
        is_metered=info.is_metered is True,
    )


async def async_shows_trusted_key(entry: ConfigEntry, host: str) -> bool:
    """Return whether what answers at an address has the key that an entry trusts; nothing is asked there."""
    try:
        return is_trusted(entry, await fetch_certificate(host))
    except EnphaseError:
        return False


async def async_is_at(hass: HomeAssistant, entry: ConfigEntry, host: str) -> bool:
    """Return whether the gateway that an entry trusts answers at an address."""
    try:
        if entry.state is ConfigEntryState.LOADED and host == entry.data[CONF_HOST]:
            # The client that reads it all the time: two would send two requests at once.
            gateway: Gateway = entry.runtime_data.gateway
        else:
            gateway = gateway_client(hass, host, entry.data[CONF_CERTIFICATE])
        info = await gateway.info()
    except EnphaseError:
        return False
    return info.serial_number == entry.unique_id


async def async_read_meters(hass: HomeAssistant, found: FoundGateway, token: str) -> tuple[Meter, ...]:
    """Log in with a token and give the gateway's meters.

    Raises TokenError where the token is of another gateway or time, AuthenticationError where the gateway
    refuses it, else what `Gateway.api_call` does.
    """
    Token.parse(token, found.serial_number).require_valid()
    gateway = gateway_client(hass, found.host, found.certificate.pem)
    if not await gateway.login(token):
        raise AuthenticationError("The gateway refuses the token")
    return await gateway.meters()


async def async_get_token(hass: HomeAssistant, username: str, password: str, serial_number: str) -> str:
    """Sign in to Entrez, else to Enlighten, and return a token for a gateway.

    Raises as `Authentication.get_token` does.
    """
    authentication = Authentication(async_get_clientsession(hass), host=AUTHENTICATION_HOST)
    return await authentication.get_token(username, password, serial_number)


def production_from(meters: tuple[Meter, ...]) -> ProductionFrom:
    """Return what production is taken from, with these meters."""
    metered = any(meter.enabled and meter.measurement_type == MeasurementType.PRODUCTION for meter in meters)
    return ProductionFrom.METER if metered else ProductionFrom.INVERTERS


#: The config flow's error for each reason why a token cannot be used, or is not given.
TOKEN_ERRORS: dict[TokenReason, str] = {
    TokenReason.INCOMPLETE: "invalid_token",
    TokenReason.EXPIRED: "token_expired",
    TokenReason.OF_ANOTHER_GATEWAY: "token_wrong_gateway",
    TokenReason.OF_THE_FUTURE: "token_not_yet_valid",
    TokenReason.NOT_OF_ENTREZ: "token_wrong_issuer",
    TokenReason.NOT_GIVEN: "not_your_gateway",
}

#: The config flow's error for each reason why nobody answers at an address.
SILENCE_ERRORS: dict[Silence, str] = {
    Silence.UNKNOWN_HOST: "unknown_host",
    Silence.REFUSED: "connection_refused",
    Silence.TIMEOUT: "cannot_connect",
    Silence.NO_TLS: "not_https",
    Silence.BROKEN: "cannot_connect",
}

#: The config flow's error for each error of the gateway's; the first that fits.
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

#: The same for a gateway that announced itself: nobody typed its address.
DISCOVERY_ERRORS = dict(GATEWAY_ERRORS)

#: The same for errors of Entrez's.
ENTREZ_ERRORS: dict[type[EnphaseError], str] = {
    MultiFactorError: "mfa_required",
    AuthenticationError: "invalid_auth",
    EnphaseError: "entrez_unavailable",
}


def error_placeholders(error: EnphaseError) -> dict[str, str]:
    """Return what a translated text may name of an error; its own sentence is English, and for the log."""
    named = {"path": getattr(error, "path", None), "status": getattr(error, "status", None)}
    return {key: str(value) for key, value in named.items() if value is not None}


def error_key(error: EnphaseError, errors: Mapping[type[EnphaseError], str]) -> str:
    """Return the key of an error's text."""
    if isinstance(error, TokenError):
        return TOKEN_ERRORS[error.reason]
    if isinstance(error, CommunicationError) and errors is GATEWAY_ERRORS:
        return SILENCE_ERRORS[error.reason]
    return next(key for kind, key in errors.items() if isinstance(error, kind))
