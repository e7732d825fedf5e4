"""The repair issue of a home whose energy falls: something feeds it that no meter of the gateway measures."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN

ISSUE = "home_energy_decreasing"

_ENTRY_ID = "entry_id"


def issue_id(entry_id: str) -> str:
    """Return the id of an entry's issue."""
    return f"{ISSUE}_{entry_id}"


@callback
def async_create_issue(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Create the issue that explains why home is unknown; issues hold no serial number."""
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id(entry.entry_id),
        is_fixable=True,
        severity=ir.IssueSeverity.WARNING,
        translation_key=ISSUE,
        data={_ENTRY_ID: entry.entry_id},
    )


@callback
def async_delete_issue(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Take the issue back."""
    ir.async_delete_issue(hass, DOMAIN, issue_id(entry.entry_id))


def entry_of(
    hass: HomeAssistant, issue: str, data: dict[str, str | int | float | None] | None
) -> ConfigEntry | None:
    """Return the entry that an issue is of; None where it is of another kind, or the entry is gone."""
    entry = hass.config_entries.async_get_entry(str((data or {}).get(_ENTRY_ID)))
    return None if entry is None or issue != issue_id(entry.entry_id) else entry
