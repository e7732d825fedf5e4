"""Who says that it is which gateway, in the flows that are open: a serial number is public, so two can."""

from dataclasses import dataclass

from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN

#: Flows of announced gateways at the same time; anybody on the network can announce as many as it likes.
MAX_FLOWS = 16


@dataclass(frozen=True, slots=True)
class Claim:
    """What answers at an address, as far as it is known."""

    #: Such as "https://192.168.1.20", or "192.168.1.20" while nobody has been asked there.
    host: str
    serial_number: str = ""
    #: Fingerprint of the public key.
    key: str = ""


_CLAIMS: HassKey[dict[str, Claim]] = HassKey(f"{DOMAIN}_claims")


@callback
def async_set_claim(hass: HomeAssistant, flow_id: str, claim: Claim) -> None:
    """Keep what a flow has found, in the place of what it had found before."""
    hass.data.setdefault(_CLAIMS, {})[flow_id] = claim


@callback
def async_remove_claim(hass: HomeAssistant, flow_id: str) -> None:
    """Forget what a flow that has ended had found."""
    hass.data.get(_CLAIMS, {}).pop(flow_id, None)


@callback
def async_other_claims(hass: HomeAssistant, flow_id: str) -> list[Claim]:
    """Return what all other open flows have found."""
    return [claim for each, claim in hass.data.get(_CLAIMS, {}).items() if each != flow_id]
