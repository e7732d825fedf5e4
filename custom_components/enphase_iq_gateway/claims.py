"""Who says that it is which gateway, in the flows that are open: a serial number is public, so two can."""

from dataclasses import dataclass

from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey
from yarl import URL

from .const import DOMAIN

#: Flows of announced gateways at the same time; anybody on the network can announce as many as it likes.
MAX_FLOWS = 16
#: Those of one address, whatever the ports: a single device must not keep all others away.
MAX_FLOWS_OF_ADDRESS = 4


@dataclass(frozen=True, slots=True)
class Claim:
    """What answers at an address, as far as it is known."""

    #: Such as "https://192.168.1.20".
    host: str
    serial_number: str = ""
    #: Fingerprint of the public key.
    key: str = ""


_CLAIMS: HassKey[dict[str, Claim]] = HassKey(f"{DOMAIN}_claims")


@callback
def async_is_full(hass: HomeAssistant, flow_id: str, host: str) -> bool:
    """Return whether so many flows are open that nothing more is looked at, at this address or at any."""
    others, address = async_other_claims(hass, flow_id), URL(host).host
    here = sum(URL(claim.host).host == address for claim in others)
    return here >= MAX_FLOWS_OF_ADDRESS or len(others) >= MAX_FLOWS


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
