"""The repair issue of a gateway that shows another certificate than the trusted one."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import CONF_CERTIFICATE, DOMAIN
from .enphase_api import CertificateChangedError

ISSUE = "certificate_changed"

_ENTRY_ID = "entry_id"


def issue_id(entry_id: str) -> str:
    """Give the id of an entry's issue."""
    return f"{ISSUE}_{entry_id}"


@callback
def async_create_issue(hass: HomeAssistant, entry: ConfigEntry, error: CertificateChangedError) -> None:
    """Ask the owner whether the certificate that was shown is to be trusted; the issue holds that one."""
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id(entry.entry_id),
        is_fixable=True,
        # A gateway that is away after a restart of Home Assistant cannot show its certificate again.
        is_persistent=True,
        severity=ir.IssueSeverity.ERROR,
        translation_key=ISSUE,
        translation_placeholders={"name": entry.title, "trusted": error.trusted, "shown": error.shown},
        data={_ENTRY_ID: entry.entry_id, CONF_CERTIFICATE: error.shown_pem},
    )


@callback
def async_delete_issue(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Take the question back: it is answered, or the trusted certificate is shown again."""
    ir.async_delete_issue(hass, DOMAIN, issue_id(entry.entry_id))


def shown_certificate(
    hass: HomeAssistant, data: dict[str, str | int | float | None] | None
) -> tuple[ConfigEntry, str] | None:
    """Give the entry that an issue is about, and the certificate (PEM) that was shown, or None."""
    entry = hass.config_entries.async_get_entry(str((data or {}).get(_ENTRY_ID)))
    certificate = (data or {}).get(CONF_CERTIFICATE)
    return None if entry is None or not isinstance(certificate, str) else (entry, certificate)
