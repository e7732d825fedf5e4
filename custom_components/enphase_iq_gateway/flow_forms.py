"""The forms of the config flow, how an announcement becomes an address, and how a certificate is shown."""

import voluptuous as vol
from homeassistant.const import CONF_HOST, CONF_PASSWORD, CONF_TOKEN, CONF_USERNAME
from homeassistant.helpers.selector import (
    BooleanSelector,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo

from .enphase_api.json_values import printable
from .enphase_api.local import Certificate

CONF_RENEW = "renew"
DEFAULT_HOST = "envoy.local"

HOST_FORM = vol.Schema({vol.Required(CONF_HOST): TextSelector()})

ACCOUNT_FORM = vol.Schema(
    {
        vol.Required(CONF_USERNAME): TextSelector(
            TextSelectorConfig(type=TextSelectorType.EMAIL, autocomplete="username")
        ),
        vol.Required(CONF_PASSWORD): TextSelector(
            TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="current-password")
        ),
        vol.Required(CONF_RENEW, default=False): BooleanSelector(),
    }
)

TOKEN_FORM = vol.Schema(
    {
        vol.Required(CONF_TOKEN): TextSelector(
            TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="off")
        )
    }
)

#: Characters; no name of a host is longer.
_LONGEST_NAME = 255

#: What gateways announce, by firmware: their pages on these ports are one and the same.
_USUAL_PORTS = (None, 80, 443)


def announced_host(discovery_info: ZeroconfServiceInfo) -> str:
    """Return the address of a gateway that announces itself; a port only where it is an unusual one."""
    if discovery_info.port in _USUAL_PORTS:
        return discovery_info.host
    return f"{discovery_info.host}:{discovery_info.port}"


def grouped(fingerprint: str) -> str:
    """Return a fingerprint in four groups of eight bytes: a line breaks between them, not within a byte."""
    return " ".join(fingerprint[start : start + 24].rstrip(":") for start in range(0, len(fingerprint), 24))


def in_code(text: str) -> str:
    """Return a peer's text for a code span of Markdown, which it cannot end and where nothing is rendered."""
    return printable(text, _LONGEST_NAME).replace("`", "'") or "-"


def trusted_and_shown(trusted: Certificate, shown: Certificate) -> dict[str, str]:
    """Return the placeholders of the question whether another certificate is to be trusted."""
    return {
        "trusted": grouped(trusted.fingerprint),
        "shown": grouped(shown.fingerprint),
        "not_before": str(shown.not_before.date()),
        "not_after": str(shown.not_after.date()),
    }
