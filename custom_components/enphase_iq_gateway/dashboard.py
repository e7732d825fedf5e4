"""Serve the ES modules of the dashboard, and load them on each page of Home Assistant."""

import hashlib
from pathlib import Path

from homeassistant.components.frontend import add_extra_js_url
from homeassistant.components.http import StaticPathConfig  # type: ignore[attr-defined,unused-ignore]  # exported since 2026.11
from homeassistant.core import HomeAssistant

from .const import DOMAIN

_FOLDER = Path(__file__).with_name("frontend")
#: The module that imports the others.
_MODULE = "enphase-iq-gateway.js"


async def async_register_dashboard(hass: HomeAssistant) -> None:
    """Offer the dashboard to all pages that are opened from now on; the frontend and HTTP must be set up."""
    version = await hass.async_add_executor_job(_version)
    # Browsers keep these files for a month. The version is part of the folder, so that it also applies to
    # the modules that the first one imports.
    url = f"/{DOMAIN}/{version}"
    await hass.http.async_register_static_paths([StaticPathConfig(url, str(_FOLDER), cache_headers=True)])
    add_extra_js_url(hass, f"{url}/{_MODULE}")


def _version() -> str:
    """Return a text that changes with the content of any file."""
    content = hashlib.sha256()
    for file in sorted(_FOLDER.glob("*.js")):
        content.update(file.name.encode() + file.read_bytes())
    return content.hexdigest()[:12]
