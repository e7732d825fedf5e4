"""What is measured: the two integrations, each in a Home Assistant, and the two clients alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from homeassistant.const import CONF_HOST, CONF_NAME, CONF_PASSWORD, CONF_TOKEN, CONF_USERNAME

from custom_components.enphase_iq_gateway.const import (
    CONF_CERTIFICATE,
    CONF_PRODUCTION_SOURCE,
    EnergySource,
)

from .clients import OurClient, Pyenphase
from .home_assistant import HomeAssistantWith
from .measures import Gateway


def connection_data(gateway: Gateway) -> dict[str, Any]:
    """Return the data of an entry of this project's integration."""
    return {
        CONF_HOST: f"https://{gateway.host}",
        CONF_CERTIFICATE: gateway.certificate,
        CONF_TOKEN: gateway.token,
        CONF_PRODUCTION_SOURCE: EnergySource.METER,
    }


def _ours(gateway: Gateway) -> HomeAssistantWith:
    return HomeAssistantWith("enphase_iq_gateway", connection_data(gateway), gateway.serial_number)


def _built_in(gateway: Gateway) -> HomeAssistantWith:
    data = {
        CONF_HOST: gateway.host,
        CONF_NAME: f"Envoy {gateway.serial_number}",
        CONF_TOKEN: gateway.token,
        # Used for a new token only, which is not needed during a benchmark.
        CONF_USERNAME: "",
        CONF_PASSWORD: "",
    }
    return HomeAssistantWith("enphase_envoy", data, gateway.serial_number)


#: By their names in `refresh.py`.
SUBJECTS: dict[str, Callable[[Gateway], Any]] = {
    "enphase_iq_gateway": _ours,
    "enphase_envoy": _built_in,
    "enphase_api": OurClient,
    "pyenphase": Pyenphase,
}
