"""The repairs: a changed certificate that is trusted on a click, a home that is worked out again on one."""

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError

from . import home_issue
from .certificate_issue import async_delete_issue, question
from .connection import FoundGateway
from .const import CONF_CERTIFICATE, CONF_SHOWN_CERTIFICATE, DOMAIN, HOME_ENERGY
from .counter_store import async_go_on_from_here
from .enphase_api.local import Certificate
from .flow_forms import in_code, trusted_and_shown


class CertificateRepairFlow(RepairsFlow):
    """Trusts the certificate that was shown when the flow was opened, in the place of the `trusted` one."""

    def __init__(self, entry: ConfigEntry, trusted: str, certificate: str) -> None:
        self._entry = entry
        self._trusted = trusted
        self._shown = Certificate.from_pem(certificate)

    async def async_step_init(self, _: dict[str, str] | None = None) -> RepairsFlowResult:
        """Start with the one step there is."""
        return await self.async_step_confirm()

    async def async_step_confirm(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Show both certificates; trust the new one once confirmed."""
        trusted = FoundGateway.from_entry(self._entry)
        if trusted.certificate.fingerprint != self._trusted or CONF_SHOWN_CERTIFICATE not in self._entry.data:
            # The owner has trusted another one meanwhile, by a reconfiguration, or the trusted one is back.
            return self.async_abort(reason="already_resolved")
        if self._shown.serial_number not in (None, trusted.serial_number):
            return self.async_abort(
                reason="wrong_gateway",
                description_placeholders={
                    "serial": str(self._shown.serial_number),
                    "host": in_code(trusted.host),
                },
            )
        if user_input is None:
            return self.async_show_form(
                step_id="confirm",
                description_placeholders={
                    "name": self._entry.title,
                    "host": in_code(trusted.host),
                    **trusted_and_shown(trusted.certificate, self._shown),
                },
            )
        entries = self.hass.config_entries
        async_delete_issue(self.hass, self._entry)
        entries.async_update_entry(self._entry, data={**self._entry.data, CONF_CERTIFICATE: self._shown.pem})
        entries.async_schedule_reload(self._entry.entry_id)
        return self.async_create_entry(data={})


class HomeRepairFlow(RepairsFlow):
    """Works home out again, once its owner says that all that feeds it is metered."""

    def __init__(self, entry: ConfigEntry) -> None:
        self._entry = entry

    async def async_step_init(self, _: dict[str, str] | None = None) -> RepairsFlowResult:
        """Start with the one step there is."""
        return await self.async_step_confirm()

    async def async_step_confirm(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Show why home is unknown and what to do; once confirmed, continue home from its last value."""
        if user_input is None:
            return self.async_show_form(
                step_id="confirm", description_placeholders={"name": self._entry.title}
            )
        await async_go_on_from_here(self.hass, str(self._entry.unique_id), HOME_ENERGY)
        self.hass.config_entries.async_schedule_reload(self._entry.entry_id)
        return self.async_create_entry(data={})


async def async_create_fix_flow(
    hass: HomeAssistant, issue_id: str, data: dict[str, str | int | float | None] | None
) -> RepairsFlow:
    """Return the flow of an issue.

    Raises HomeAssistantError where its gateway is gone or the question is answered.
    """
    if (entry := home_issue.entry_of(hass, issue_id, data)) is not None:
        return HomeRepairFlow(entry)
    match question(hass, data):
        case (entry, trusted, certificate):
            return CertificateRepairFlow(entry, trusted, certificate)
    raise HomeAssistantError(translation_domain=DOMAIN, translation_key="nothing_to_repair")
