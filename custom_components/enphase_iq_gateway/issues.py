"""The repair issues: certificate, serial number, home energy, live values, Energy dashboard, and commands.

Home Assistant includes issues in diagnostics unredacted, so their data hold no serial number, certificate,
address or title of an entry.
"""

from collections.abc import Mapping

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.json import json_dumps
from homeassistant.util.json import json_loads_object

from .const import CONF_SHOWN_CERTIFICATE, DOMAIN, LOGGER
from .enphase_api import CertificateChangedError
from .enphase_api.models import Command, CommandResult, Outcome, Reason, Value

_CERTIFICATE = "certificate_changed"
_SERIAL_NUMBER = "serial_number_conflict"
_HOME_ENERGY = "home_energy_decreasing"
_LIVE_VALUES = "live_values_not_allowed"
_ENERGY_DASHBOARD = "energy_dashboard_incomplete"

#: The beginning of the ids of issues of commands, which end with command and device: one issue for each.
_COMMAND = "command"

#: Its fix flow offers the way through Enphase's cloud.
COMMAND_NEEDS_CLOUD = "command_needs_cloud"

#: By reason, the translation key of an issue of a command.
COMMAND_ISSUES: dict[Reason | None, str] = {
    Reason.LOCAL_WRITES_IGNORED: COMMAND_NEEDS_CLOUD,
    Reason.OPTIMIZED_SCHEDULES: "command_overridden",
    Reason.NOT_STORED: "command_not_allowed",
    Reason.REWRITTEN: "command_taken_back",
    Reason.STUCK_SCHEDULER: "charging_stuck",
}
#: Those of other reasons, by outcome.
COMMAND_OUTCOMES: dict[Outcome, str] = {
    Outcome.TAKEN_BACK: "command_taken_back",
    Outcome.HELD: "command_changed_more",
}
COMMAND_IGNORED = "command_ignored"

_ENTRY_ID = "entry_id"
_REQUESTED = "requested"
_REPORTED = "reported"
_DEVICE = "device"
_EXPECTED = "expected"
_TRUSTED = "trusted"

type IssueData = dict[str, str | int | float | None] | None


def certificate_issue_id(entry: ConfigEntry) -> str:
    """Return the id of an entry's issue of a changed certificate."""
    return f"{_CERTIFICATE}_{entry.entry_id}"


def _serial_number_issue_id(entry: ConfigEntry) -> str:
    return f"{_SERIAL_NUMBER}_{entry.entry_id}"


def _issue_id(entry: ConfigEntry, key: str) -> str:
    return f"{key}_{entry.entry_id}"


@callback
def async_delete_issues(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Delete all issues of an entry that is removed."""
    for issue_id in (
        certificate_issue_id(entry),
        _serial_number_issue_id(entry),
        _issue_id(entry, _HOME_ENERGY),
        _issue_id(entry, _LIVE_VALUES),
        _issue_id(entry, _ENERGY_DASHBOARD),
    ):
        ir.async_delete_issue(hass, DOMAIN, issue_id)
    for domain, issue_id in list(ir.async_get(hass).issues):
        if domain == DOMAIN and issue_id.startswith(f"{_COMMAND}_{entry.entry_id}_"):
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
def async_create_live_issue(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Explain that the option of live values has no effect."""
    ir.async_create_issue(
        hass,
        DOMAIN,
        _issue_id(entry, _LIVE_VALUES),
        is_fixable=False,
        severity=ir.IssueSeverity.WARNING,
        translation_key=_LIVE_VALUES,
    )


@callback
def async_delete_live_issue(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Delete the issue: the option is off, or the gateway is about to be asked again."""
    ir.async_delete_issue(hass, DOMAIN, _issue_id(entry, _LIVE_VALUES))


@callback
def async_update_home_issue(hass: HomeAssistant, entry: ConfigEntry, *, is_decreasing: bool) -> None:
    """Explain why home is unknown while its energy decreases: a source without a meter feeds it."""
    _update_confirmed_issue(hass, entry, _HOME_ENERGY, is_needed=is_decreasing)


@callback
def async_update_energy_issue(hass: HomeAssistant, entry: ConfigEntry, *, is_incomplete: bool) -> None:
    """Offer to add the sensors that the Energy dashboard does not have."""
    _update_confirmed_issue(hass, entry, _ENERGY_DASHBOARD, is_needed=is_incomplete)


def energy_issue_entry(hass: HomeAssistant, issue_id: str, data: IssueData) -> ConfigEntry | None:
    """Return the entry of an offer to set up the Energy dashboard; None for another issue."""
    return _entry_of(hass, issue_id, data, _ENERGY_DASHBOARD)


def home_issue_entry(hass: HomeAssistant, issue_id: str, data: IssueData) -> ConfigEntry | None:
    """Return the entry of an issue of home energy; None for another issue, or if the entry was removed."""
    return _entry_of(hass, issue_id, data, _HOME_ENERGY)


@callback
def _update_confirmed_issue(hass: HomeAssistant, entry: ConfigEntry, key: str, *, is_needed: bool) -> None:
    """Create or delete the issue of an entry that is fixed by a confirmation."""
    issue_id = _issue_id(entry, key)
    if not is_needed:
        ir.async_delete_issue(hass, DOMAIN, issue_id)
        return
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id,
        is_fixable=True,
        severity=ir.IssueSeverity.WARNING,
        translation_key=key,
        data={_ENTRY_ID: entry.entry_id},
    )


def _entry_of(hass: HomeAssistant, issue_id: str, data: IssueData, key: str) -> ConfigEntry | None:
    entry = hass.config_entries.async_get_entry(str((data or {}).get(_ENTRY_ID)))
    return None if entry is None or issue_id != _issue_id(entry, key) else entry


def command_issue_id(entry: ConfigEntry, command: Command, device: str | None) -> str:
    """Return the id of the issue of a command."""
    return f"{_COMMAND}_{entry.entry_id}_{command}{'' if device is None else f'_{_short(device)}'}"


def _short(device: str) -> str:
    """Return the name of a dry contact, or the last four digits of a serial number."""
    return device[-4:]


@callback
def async_create_command_issue(
    hass: HomeAssistant,
    entry: ConfigEntry,
    result: CommandResult,
    expected: Mapping[str, Value],
    texts: tuple[str, str],
) -> None:
    """Explain what became of a command that did not hold, or that changed more than was requested.

    The issue is resolved once the gateway reports the `expected` values. `texts` say what was requested and
    what the gateway reports, such as "Battery reserve: 30 %".
    """
    requested, reported = texts
    key = COMMAND_ISSUES.get(result.reason) or COMMAND_OUTCOMES.get(result.outcome, COMMAND_IGNORED)
    ir.async_create_issue(
        hass,
        DOMAIN,
        command_issue_id(entry, result.command, result.device),
        is_fixable=True,
        # What the cloud takes back hours later is still worth knowing after a restart.
        is_persistent=True,
        severity=ir.IssueSeverity.WARNING,
        translation_key=key,
        data={
            _ENTRY_ID: entry.entry_id,
            _COMMAND: result.command.value,
            _DEVICE: None if result.device is None else _short(result.device),
            _EXPECTED: json_dumps(expected),
            _REQUESTED: requested,
            _REPORTED: reported,
        },
    )


@callback
def command_issues(
    hass: HomeAssistant, entry: ConfigEntry
) -> dict[tuple[Command, str | None], Mapping[str, Value]]:
    """Return the values that resolve the issues of an entry, also of those from before a restart.

    An AC Battery is named by the last four digits of its serial number.
    """
    found = {}
    for (domain, issue_id), issue in ir.async_get(hass).issues.items():
        if domain == DOMAIN and issue.data and issue_id.startswith(f"{_COMMAND}_{entry.entry_id}_"):
            device = issue.data[_DEVICE]
            key = Command(str(issue.data[_COMMAND])), None if device is None else str(device)
            found[key] = json_loads_object(str(issue.data[_EXPECTED]))
    return found  # type: ignore[return-value]


@callback
def async_delete_command_issue(
    hass: HomeAssistant, entry: ConfigEntry, command: Command, device: str | None
) -> None:
    """Delete the issue of a command: the gateway reports what was requested."""
    ir.async_delete_issue(hass, DOMAIN, command_issue_id(entry, command, device))


def command_issue(
    hass: HomeAssistant, issue_id: str, data: IssueData
) -> tuple[ConfigEntry, str, dict[str, str]] | None:
    """Return the entry, the translation key and the placeholders of an issue of a command.

    None for another issue, or if the entry was removed or the issue is resolved.
    """
    data = data or {}
    entry = hass.config_entries.async_get_entry(str(data.get(_ENTRY_ID)))
    issue = ir.async_get(hass).async_get_issue(DOMAIN, issue_id)
    if entry is None or issue is None or not issue_id.startswith(f"{_COMMAND}_{entry.entry_id}_"):
        return None
    texts = {name: str(data.get(name)) for name in (_REQUESTED, _REPORTED)}
    return entry, str(issue.translation_key), {"name": entry.title, **texts}
