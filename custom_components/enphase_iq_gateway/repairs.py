"""Repair flows: trust a changed certificate, or calculate home again."""

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError

from .client import FoundGateway
from .const import CONF_CERTIFICATE, CONF_SHOWN_CERTIFICATE, DOMAIN, HOME_ENERGY
from .energy_counter_store import async_rebase_counter
from .enphase_api.local import Certificate
from .helpers import certificate_placeholders, escape_code
from .issues import IssueData, async_delete_certificate_issue, changed_certificate, home_issue_entry


class CertificateRepairFlow(RepairsFlow):
    """Trust the certificate that was shown when the flow started, instead of the `trusted` one."""

    def __init__(self, entry: ConfigEntry, trusted: str, certificate: str) -> None:
        self._entry = entry
        self._trusted = trusted
        self._shown = Certificate.from_pem(certificate)

    async def async_step_init(self, _: dict[str, str] | None = None) -> RepairsFlowResult:
        """Start with the only step."""
        return await self.async_step_confirm()

    async def async_step_confirm(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Show both certificates, and trust the new one if the user confirms."""
        trusted = FoundGateway.from_entry(self._entry)
        if trusted.certificate.fingerprint != self._trusted or CONF_SHOWN_CERTIFICATE not in self._entry.data:
            # Another certificate was trusted by a reconfiguration, or the trusted one is shown again.
            return self.async_abort(reason="already_resolved")
        if self._shown.serial_number not in (None, trusted.serial_number):
            return self.async_abort(
                reason="wrong_gateway",
                description_placeholders={
                    "serial": str(self._shown.serial_number),
                    "host": escape_code(trusted.host),
                },
            )
        if user_input is None:
            return self.async_show_form(
                step_id="confirm",
                description_placeholders={
                    "name": self._entry.title,
                    "host": escape_code(trusted.host),
                    **certificate_placeholders(trusted.certificate, self._shown),
                },
            )
        entries = self.hass.config_entries
        async_delete_certificate_issue(self.hass, self._entry)
        entries.async_update_entry(self._entry, data={**self._entry.data, CONF_CERTIFICATE: self._shown.pem})
        entries.async_schedule_reload(self._entry.entry_id)
        return self.async_create_entry(data={})


class HomeRepairFlow(RepairsFlow):
    """Calculate home again, after the user has confirmed that all sources are metered."""

    def __init__(self, entry: ConfigEntry) -> None:
        self._entry = entry

    async def async_step_init(self, _: dict[str, str] | None = None) -> RepairsFlowResult:
        """Start with the only step."""
        return await self.async_step_confirm()

    async def async_step_confirm(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Explain why home is unknown; if the user confirms, continue from its last value."""
        if user_input is None:
            return self.async_show_form(
                step_id="confirm", description_placeholders={"name": self._entry.title}
            )
        await async_rebase_counter(self.hass, str(self._entry.unique_id), HOME_ENERGY)
        self.hass.config_entries.async_schedule_reload(self._entry.entry_id)
        return self.async_create_entry(data={})


async def async_create_fix_flow(hass: HomeAssistant, issue_id: str, data: IssueData) -> RepairsFlow:
    """Return the flow of an issue.

    Raises HomeAssistantError if the gateway was removed or the issue is resolved.
    """
    if (entry := home_issue_entry(hass, issue_id, data)) is not None:
        return HomeRepairFlow(entry)
    match changed_certificate(hass, data):
        case (entry, trusted, certificate):
            return CertificateRepairFlow(entry, trusted, certificate)
    raise HomeAssistantError(translation_domain=DOMAIN, translation_key="nothing_to_repair")
