"""Fixtures: a Home Assistant that listens on loopback, and the settings of scripts that read from it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator  # type: ignore[import-untyped]

from enphase_companion.config.settings import Settings

type Configure = Callable[..., Settings]


@pytest.fixture
async def url(hass: HomeAssistant, hass_client: ClientSessionGenerator) -> str:
    """Return the address of a Home Assistant with its websocket API."""
    assert await async_setup_component(hass, "websocket_api", {})
    client = await hass_client()
    return str(client.make_url("")).rstrip("/")


@pytest.fixture
def configure(url: str, hass_access_token: str, tmp_path: Path) -> Configure:
    """Return a function that makes the settings of a script: `configure(gateway_serial_number=...)`."""

    def make(**values: Any) -> Settings:
        given = {"home_assistant_url": url, "home_assistant_token": hass_access_token, **values}
        return Settings(folder=tmp_path, origins={}, files={}, **given)

    return make
