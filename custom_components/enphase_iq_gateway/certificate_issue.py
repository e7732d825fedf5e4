"""The issues of a gateway that shows another certificate, and of another device that claims to be one."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import CONF_SHOWN_CERTIFICATE, DOMAIN, LOGGER
from .enphase_api import CertificateChangedError

ISSUE = "certificate_changed"
CLAIM_ISSUE = "serial_number_conflict"

_ENTRY_ID = "entry_id"
_TRUSTED = "trusted"


def issue_id(entry_id: str) -> str:
    """Return the id of an entry's issue."""
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
def async_create_claim_issue(hass: HomeAssistant, entry: ConfigEntry, host: str) -> None:
    """Warn the owner that another device announces a gateway that is set up, and is still read.

    As it stands in diagnostics files, the issue has no address in it: that is in the log.
    """
    if ir.async_get(hass).async_get_issue(DOMAIN, _claim_issue_id(entry)) is None:
        LOGGER.warning(
            "%s says that it is a gateway that is set up, but shows another certificate, with another key. "
            "Nothing was sent to it. Look for this address in your router's list of devices",
            host,
        )
    ir.async_create_issue(
        hass,
        DOMAIN,
        _claim_issue_id(entry),
        is_fixable=False,
        severity=ir.IssueSeverity.WARNING,
        translation_key=CLAIM_ISSUE,
    )


@callback
def async_delete_claim_issue(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Take the warning back."""
    ir.async_delete_issue(hass, DOMAIN, _claim_issue_id(entry))


def _claim_issue_id(entry: ConfigEntry) -> str:
    return f"{CLAIM_ISSUE}_{entry.entry_id}"


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
    """Return what an issue asks: the entry, the trusted fingerprint, and the certificate (PEM) shown.

    None where the entry is gone, or nothing is asked about it any more.
    """
    data = data or {}
    entry = hass.config_entries.async_get_entry(str(data.get(_ENTRY_ID)))
    if entry is None or CONF_SHOWN_CERTIFICATE not in entry.data:
        return None
    return entry, str(data.get(_TRUSTED)), entry.data[CONF_SHOWN_CERTIFICATE]
