"""Clients for the gateway and for Entrez, their requests for the config flow, and the trusted certificate."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.const import CONF_HOST, CONF_PASSWORD, CONF_USERNAME
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from .const import CONF_CERTIFICATE, LOGGER, EnergySource
from .enphase_api import AuthenticationError, CertificateError, EnphaseError
from .enphase_api.cloud import AUTHENTICATION_HOST, ENLIGHTEN_HOST, Authentication, BatteryCloud, Token
from .enphase_api.http import read_host
from .enphase_api.local import Certificate, Gateway
from .enphase_api.local.trust import fetch_certificate
from .enphase_api.models import MeasurementType, Meter
from .helpers import log_name


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundGateway:
    """A gateway that answered, with the certificate that it shows."""

    host: str
    certificate: Certificate
    serial_number: str
    firmware: str = ""
    is_metered: bool = False

    @classmethod
    def from_entry(cls, entry: ConfigEntry) -> Self:
        """Return the gateway of an entry, without a request."""
        return cls(
            host=entry.data[CONF_HOST],
            certificate=Certificate.from_pem(entry.data[CONF_CERTIFICATE]),
            serial_number=str(entry.unique_id),
        )


def trusted_certificate(entry: ConfigEntry) -> Certificate | None:
    """Return the certificate that an entry trusts; None if it is damaged, or for an ignored entry."""
    try:
        return Certificate.from_pem(entry.data.get(CONF_CERTIFICATE, ""))
    except CertificateError:
        return None


def is_trusted(entry: ConfigEntry, certificate: Certificate) -> bool:
    """Return whether a certificate has the same key as the one that an entry trusts."""
    trusted = trusted_certificate(entry)
    return trusted is not None and certificate.key_fingerprint == trusted.key_fingerprint


def gateway_client(hass: HomeAssistant, host: str, certificate: str) -> Gateway:
    """Return a client that connects only to the gateway with this certificate (PEM)."""
    return Gateway(host, certificate=certificate, session=async_get_clientsession(hass))


@callback
def async_store_renewed_certificate(hass: HomeAssistant, entry: ConfigEntry, gateway: Gateway) -> None:
    """Store a renewed certificate that has the trusted key."""
    certificate = gateway.certificate
    if certificate is not None and certificate.pem != entry.data[CONF_CERTIFICATE]:
        LOGGER.info("%s: certificate renewed: %s", log_name(entry), certificate.fingerprint)
        hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_CERTIFICATE: certificate.pem})


async def async_find_gateway(hass: HomeAssistant, host: str) -> FoundGateway:
    """Identify the gateway at an address, which may be a URL from a browser; nothing secret is sent.

    Raises CertificateError if the certificate is of another gateway than the one that answers, and whatever
    `Gateway.info` raises.
    """
    host = read_host(host)
    # A gateway with older firmware than 7 may not support HTTPS: report that, not that it is offline.
    await Gateway(host, cert_file=None, session=async_get_clientsession(hass)).info()
    certificate = await fetch_certificate(host)
    gateway = gateway_client(hass, host, certificate.pem)
    info = await gateway.info()
    if certificate.serial_number not in (None, info.serial_number):
        raise CertificateError(f"the certificate belongs to gateway {certificate.serial_number}")
    return FoundGateway(
        host=gateway.host,
        certificate=certificate,
        serial_number=info.serial_number,
        firmware=info.firmware,
        is_metered=info.is_metered is True,
    )


async def async_shows_trusted_key(entry: ConfigEntry, host: str) -> bool:
    """Return whether the device at an address shows the trusted key of an entry; sends no request."""
    try:
        return is_trusted(entry, await fetch_certificate(host))
    except EnphaseError:
        return False


async def async_is_at(hass: HomeAssistant, entry: ConfigEntry, host: str) -> bool:
    """Return whether the gateway that an entry trusts answers at an address."""
    try:
        if entry.state is ConfigEntryState.LOADED and host == entry.data[CONF_HOST]:
            # Use the client that polls the gateway, so that two requests are never sent at once.
            gateway: Gateway = entry.runtime_data.gateway
        else:
            gateway = gateway_client(hass, host, entry.data[CONF_CERTIFICATE])
        info = await gateway.info()
    except EnphaseError:
        return False
    return info.serial_number == entry.unique_id


async def async_read_meters(hass: HomeAssistant, found: FoundGateway, token: str) -> tuple[Meter, ...]:
    """Log in with a token and return the meters of the gateway.

    Raises TokenError if the token is for another gateway or not valid now, AuthenticationError if the gateway
    rejects it, and whatever `Gateway.api_call` raises.
    """
    Token.parse(token, found.serial_number).require_valid()
    gateway = gateway_client(hass, found.host, found.certificate.pem)
    if not await gateway.login(token):
        raise AuthenticationError("the gateway rejects the token")
    return await gateway.meters()


async def async_get_token(hass: HomeAssistant, username: str, password: str, serial_number: str) -> str:
    """Sign in to Entrez, or to Enlighten if that fails, and return a token for a gateway.

    Raises whatever `Authentication.get_token` raises.
    """
    authentication = Authentication(async_get_clientsession(hass), host=AUTHENTICATION_HOST)
    return await authentication.get_token(username, password, serial_number)


def battery_cloud(
    hass: HomeAssistant, entry: ConfigEntry, account: Mapping[str, str], site: int | None = None
) -> BatteryCloud:
    """Return a client for the batteries' settings in Enphase's cloud."""
    return BatteryCloud(
        account[CONF_USERNAME],
        account[CONF_PASSWORD],
        async_get_clientsession(hass),
        host=ENLIGHTEN_HOST,
        gateway=entry.unique_id,
        site=site,
    )


def select_production_source(meters: tuple[Meter, ...]) -> EnergySource:
    """Return the source of production values with these meters."""
    metered = any(meter.enabled and meter.measurement_type == MeasurementType.PRODUCTION for meter in meters)
    return EnergySource.METER if metered else EnergySource.INVERTERS
