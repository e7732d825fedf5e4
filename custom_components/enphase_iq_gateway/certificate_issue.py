"""The repair issue of a gateway that shows another certificate than the trusted one."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import CONF_SHOWN_CERTIFICATE, DOMAIN
from .enphase_api import CertificateChangedError

ISSUE = "certificate_changed"

_ENTRY_ID = "entry_id"
_TRUSTED = "trusted"


def issue_id(entry_id: str) -> str:
    """Give the id of an entry's issue."""
    return f"{ISSUE}_{entry_id}"


@callback
def async_create_issue(hass: HomeAssistant, entry: ConfigEntry, error: CertificateChangedError) -> None:
    """Ask the owner whether the certificate that was shown is to be trusted; the entry holds that one.

    Home Assistant adds issues as they are to each diagnostics file, so nothing with a serial number may be in
    one: neither a certificate nor a title of an entry.
    """
    hass.config_entries.async_update_entry(
        entry, data={**entry.data, CONF_SHOWN_CERTIFICATE: error.shown_pem}
    )
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id(entry.entry_id),
        is_fixable=True,
        # A gateway that is away after a restart of Home Assistant cannot show its certificate again.
        is_persistent=True,
        severity=ir.IssueSeverity.ERROR,
        translation_key=ISSUE,
        data={_ENTRY_ID: entry.entry_id, _TRUSTED: error.trusted},
    )


@callback
def async_delete_issue(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Take the question back: it is answered, or the trusted certificate is shown again."""
    ir.async_delete_issue(hass, DOMAIN, issue_id(entry.entry_id))
    if CONF_SHOWN_CERTIFICATE in entry.data:
        data = {key: value for key, value in entry.data.items() if key != CONF_SHOWN_CERTIFICATE}
        hass.config_entries.async_update_entry(entry, data=data)


def question(
    hass: HomeAssistant, data: dict[str, str | int | float | None] | None
) -> tuple[ConfigEntry, str, str] | None:
    """Give what an issue asks: the entry, the fingerprint that was trusted, and the certificate (PEM) shown.

    None where the entry is gone, or nothing is asked about it any more.
    """
    data = data or {}
    entry = hass.config_entries.async_get_entry(str(data.get(_ENTRY_ID)))
    if entry is None or CONF_SHOWN_CERTIFICATE not in entry.data:
        return None
    return entry, str(data.get(_TRUSTED)), entry.data[CONF_SHOWN_CERTIFICATE]
