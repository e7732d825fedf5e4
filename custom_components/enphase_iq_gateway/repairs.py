"""Repair flows: changed certificate, home energy, Energy dashboard, and what became of a command."""

from collections.abc import Mapping
from typing import Any, override

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError

from .client import FoundGateway
from .cloud_flow import CloudFlow
from .const import (
    CONF_BATTERY_SITE,
    CONF_CERTIFICATE,
    CONF_ENERGY_DASHBOARD,
    CONF_SHOWN_CERTIFICATE,
    DOMAIN,
    HOME_ENERGY,
)
from .energy_counter_store import async_rebase_counter
from .enphase_api.local import Certificate
from .helpers import certificate_placeholders, escape_code
from .issues import (
    COMMAND_NEEDS_CLOUD,
    IssueData,
    async_delete_certificate_issue,
    changed_certificate,
    command_issue,
    energy_issue_entry,
    home_issue_entry,
)


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


class _ConfirmedRepairFlow(RepairsFlow):
    """Change something of an entry after a confirmation, and reload it."""

    def __init__(self, entry: ConfigEntry) -> None:
        self._entry = entry

    async def async_step_init(self, _: dict[str, str] | None = None) -> RepairsFlowResult:
        """Start with the only step."""
        return await self.async_step_confirm()

    async def async_step_confirm(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Explain the issue; if the user confirms, fix it."""
        if user_input is None:
            return self.async_show_form(
                step_id="confirm", description_placeholders={"name": self._entry.title}
            )
        await self._async_fix()
        self.hass.config_entries.async_schedule_reload(self._entry.entry_id)
        return self.async_create_entry(data={})

    async def _async_fix(self) -> None:
        raise NotImplementedError


class HomeRepairFlow(_ConfirmedRepairFlow):
    """Calculate home again, after the user has confirmed that all sources are metered."""

    @override
    async def _async_fix(self) -> None:
        """Continue from home's last value."""
        await async_rebase_counter(self.hass, str(self._entry.unique_id), HOME_ENERGY)


class EnergyRepairFlow(_ConfirmedRepairFlow):
    """Add the sensors to the Energy dashboard; the option removes them again."""

    @override
    async def _async_fix(self) -> None:
        """Turn on the option, which adds them."""
        options = {**self._entry.options, CONF_ENERGY_DASHBOARD: True}
        self.hass.config_entries.async_update_entry(self._entry, options=options)


class CommandRepairFlow(RepairsFlow):
    """Show what became of a command, and what helps."""

    def __init__(self, placeholders: dict[str, str]) -> None:
        self._placeholders = placeholders

    async def async_step_init(self, _: dict[str, str] | None = None) -> RepairsFlowResult:
        """Start with the only step."""
        return await self.async_step_confirm()

    async def async_step_confirm(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Show the command; the issue is deleted once the user has read it."""
        if user_input is None:
            return self.async_show_form(step_id="confirm", description_placeholders=self._placeholders)
        return self.async_create_entry(data={})


class CloudRepairFlow(RepairsFlow, CloudFlow[RepairsFlowResult]):
    """Set the batteries through Enphase's cloud, where the gateway ignores local changes."""

    def __init__(self, entry: ConfigEntry, placeholders: dict[str, str]) -> None:
        self._entry = entry
        self._texts = placeholders

    async def async_step_init(self, _: dict[str, str] | None = None) -> RepairsFlowResult:
        """Start with the account, whose step explains what is offered."""
        return await self.async_step_cloud_account()

    @property
    @override
    def _flow_entry(self) -> ConfigEntry:
        return self._entry

    @property
    @override
    def _placeholders(self) -> Mapping[str, str]:
        return self._texts

    @override
    async def _store_options(self, options: Mapping[str, Any]) -> RepairsFlowResult:
        entries, entry = self.hass.config_entries, self._entry
        # A site that was chosen before is of another account.
        kept = {key: value for key, value in entry.options.items() if key != CONF_BATTERY_SITE}
        entries.async_update_entry(entry, options={**kept, **options})
        entries.async_schedule_reload(entry.entry_id)
        return self.async_create_entry(data={})


async def async_create_fix_flow(hass: HomeAssistant, issue_id: str, data: IssueData) -> RepairsFlow:
    """Return the flow of an issue.

    Raises HomeAssistantError if the gateway was removed or the issue is resolved.
    """
    if (entry := home_issue_entry(hass, issue_id, data)) is not None:
        return HomeRepairFlow(entry)
    if (entry := energy_issue_entry(hass, issue_id, data)) is not None:
        return EnergyRepairFlow(entry)
    match command_issue(hass, issue_id, data):
        case (entry, key, placeholders) if key == COMMAND_NEEDS_CLOUD:
            return CloudRepairFlow(entry, placeholders)
        case (_, _, placeholders):
            return CommandRepairFlow(placeholders)
    match changed_certificate(hass, data):
        case (entry, trusted, certificate):
            return CertificateRepairFlow(entry, trusted, certificate)
    raise HomeAssistantError(translation_domain=DOMAIN, translation_key="nothing_to_repair")
