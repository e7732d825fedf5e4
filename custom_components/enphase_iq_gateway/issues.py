"""The repair issues: a changed certificate, a serial number that two devices claim, a decreasing home energy.

Home Assistant includes issues in diagnostics unredacted, so their data hold no serial number, certificate,
address or title of an entry.
"""

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import CONF_SHOWN_CERTIFICATE, DOMAIN, LOGGER
from .enphase_api import CertificateChangedError

_CERTIFICATE = "certificate_changed"
_SERIAL_NUMBER = "serial_number_conflict"
_HOME_ENERGY = "home_energy_decreasing"

_ENTRY_ID = "entry_id"
_TRUSTED = "trusted"

type IssueData = dict[str, str | int | float | None] | None


def certificate_issue_id(entry: ConfigEntry) -> str:
    """Return the id of an entry's issue of a changed certificate."""
    return f"{_CERTIFICATE}_{entry.entry_id}"


def _serial_number_issue_id(entry: ConfigEntry) -> str:
    return f"{_SERIAL_NUMBER}_{entry.entry_id}"


def _home_issue_id(entry: ConfigEntry) -> str:
    return f"{_HOME_ENERGY}_{entry.entry_id}"


@callback
def async_delete_issues(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Delete all issues of an entry that is removed."""
    for issue_id in (certificate_issue_id(entry), _serial_number_issue_id(entry), _home_issue_id(entry)):
        ir.async_delete_issue(hass, DOMAIN, issue_id)


@callback
def async_create_certificate_issue(
    hass: HomeAssistant, entry: ConfigEntry, error: CertificateChangedError
) -> None:
    """Ask whether to trust the certificate that was shown; the entry stores it until then."""
    hass.config_entries.async_update_entry(
        entry, data={**entry.data, CONF_SHOWN_CERTIFICATE: error.shown_pem}
    )
    ir.async_create_issue(
        hass,
        DOMAIN,
        certificate_issue_id(entry),
        is_fixable=True,
        # A gateway that is offline after a restart of Home Assistant cannot show its certificate again.
        is_persistent=True,
        severity=ir.IssueSeverity.ERROR,
        translation_key=_CERTIFICATE,
        data={_ENTRY_ID: entry.entry_id, _TRUSTED: error.trusted},
    )


@callback
def async_delete_certificate_issue(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Delete the issue: it is resolved, or the gateway shows the trusted certificate again."""
    ir.async_delete_issue(hass, DOMAIN, certificate_issue_id(entry))
    if CONF_SHOWN_CERTIFICATE in entry.data:
        data = {key: value for key, value in entry.data.items() if key != CONF_SHOWN_CERTIFICATE}
        hass.config_entries.async_update_entry(entry, data=data)


def changed_certificate(hass: HomeAssistant, data: IssueData) -> tuple[ConfigEntry, str, str] | None:
    """Return an issue's entry, the trusted fingerprint and the certificate (PEM) that was shown.

    None if the entry was removed or the issue is resolved.
    """
    data = data or {}
    entry = hass.config_entries.async_get_entry(str(data.get(_ENTRY_ID)))
    if entry is None or CONF_SHOWN_CERTIFICATE not in entry.data:
        return None
    return entry, str(data.get(_TRUSTED)), entry.data[CONF_SHOWN_CERTIFICATE]


@callback
def async_create_serial_number_issue(hass: HomeAssistant, entry: ConfigEntry, host: str) -> None:
    """Warn that another device announces the serial number of a gateway; its address is in the log only."""
    issue_id = _serial_number_issue_id(entry)
    if ir.async_get(hass).async_get_issue(DOMAIN, issue_id) is None:
        LOGGER.warning(
            "The device at %s announces the serial number of a configured gateway, but shows another "
            "certificate with another key; nothing was sent to it: look for this address in the list of "
            "devices of your router",
            host,
        )
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id,
        is_fixable=False,
        severity=ir.IssueSeverity.WARNING,
        translation_key=_SERIAL_NUMBER,
    )


@callback
def async_delete_serial_number_issue(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Delete the warning."""
    ir.async_delete_issue(hass, DOMAIN, _serial_number_issue_id(entry))


@callback
def async_update_home_issue(hass: HomeAssistant, entry: ConfigEntry, *, is_decreasing: bool) -> None:
    """Explain why home is unknown while its energy decreases: a source without a meter feeds it."""
    if not is_decreasing:
        ir.async_delete_issue(hass, DOMAIN, _home_issue_id(entry))
        return
    ir.async_create_issue(
        hass,
        DOMAIN,
        _home_issue_id(entry),
        is_fixable=True,
        severity=ir.IssueSeverity.WARNING,
        translation_key=_HOME_ENERGY,
        data={_ENTRY_ID: entry.entry_id},
    )


def home_issue_entry(hass: HomeAssistant, issue_id: str, data: IssueData) -> ConfigEntry | None:
    """Return the entry of an issue of home energy; None for another issue, or if the entry was removed."""
    entry = hass.config_entries.async_get_entry(str((data or {}).get(_ENTRY_ID)))
    return None if entry is None or issue_id != _home_issue_id(entry) else entry
