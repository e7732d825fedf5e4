"""The config flow of a gateway: setup, discovery, reauthentication and reconfiguration."""

from collections.abc import Mapping
from typing import Any, override

import voluptuous as vol
from homeassistant.config_entries import (
    SOURCE_IGNORE,
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigEntryState,
    ConfigFlowResult,
    OptionsFlow,
)
from homeassistant.const import (
    CONF_HOST,
    CONF_PASSWORD,
    CONF_TOKEN,
    CONF_USERNAME,
)
from homeassistant.core import callback
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.helpers.selector import (
    TextSelector,
)
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo
from yarl import URL

from .client import (
    FoundGateway,
    async_is_at,
    async_read_meters,
    async_shows_trusted_key,
    is_trusted,
    select_production_source,
    trusted_certificate,
)
from .const import (
    CONF_CERTIFICATE,
    CONF_PRODUCTION_SOURCE,
    DOMAIN,
)
from .enphase_api import AuthenticationError, CertificateError, EnphaseError
from .enphase_api.json_values import is_serial_number
from .enphase_api.models import Meter
from .error_handling import DISCOVERY_ERRORS, GATEWAY_ERRORS, error_key
from .helpers import async_get_words, default_title, escape_code, meter_name
from .issues import (
    async_create_serial_number_issue,
    async_delete_certificate_issue,
    async_delete_serial_number_issue,
)
from .options_flow import GatewayOptionsFlow
from .registry import async_replace_gateway
from .trust_flow import Candidate, TrustFlow

CORE_DOMAIN = "enphase_envoy"

_DEFAULT_HOST = "envoy.local"

_HOST_SCHEMA = vol.Schema({vol.Required(CONF_HOST): TextSelector()})

#: Gateways announce one of these ports, depending on the firmware; they are equivalent.
_USUAL_PORTS = (None, 80, 443)

#: The number of discovery flows at a time, as any device on the network can announce gateways.
MAX_FLOWS = 16
#: The number of discovery flows of one address, so that one device cannot block all others.
MAX_FLOWS_PER_ADDRESS = 4


class GatewayConfigFlow(TrustFlow, domain=DOMAIN):
    """Set up, reauthenticate or reconfigure a gateway."""

    VERSION = 1
    MINOR_VERSION = 1

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> OptionsFlow:
        """Return the options flow."""
        return GatewayOptionsFlow()

    # Find the gateway.

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Find the gateway at an address."""
        errors: dict[str, str] = {}
        if user_input is not None:
            found = await self._find(user_input[CONF_HOST], errors)
            if found is not None:
                entry = await self.async_set_unique_id(found.serial_number, raise_on_progress=False)
                if entry and entry.source != SOURCE_IGNORE and not is_trusted(entry, found.certificate):
                    return self._abort_conflict()
                self._abort_if_unique_id_configured()
                return await self.async_step_trust()
        return self._show_host_form("user", errors, user_input or {CONF_HOST: _DEFAULT_HOST})

    @override
    async def async_step_zeroconf(self, discovery_info: ZeroconfServiceInfo) -> ConfigFlowResult:
        """Handle a discovered gateway."""
        if discovery_info.ip_address.version != 4:
            return self.async_abort(reason="not_ipv4_address")
        serial_number = discovery_info.properties.get("serialnum") or None
        if serial_number is not None and not is_serial_number(serial_number):
            return self.async_abort(reason="not_a_gateway")
        # Two devices may announce the same serial number: flows of one gateway are identified by its key.
        entry = await self.async_set_unique_id(serial_number, raise_on_progress=False)
        host = f"https://{_discovered_host(discovery_info)}"
        if entry is not None and await self._is_known(entry, host):
            return self.async_abort(reason="already_configured")
        found = await self._probe_discovered(host)
        # An announcement may be wrong: from here on, use the serial number that the gateway reports.
        entry = await self.async_set_unique_id(found.serial_number, raise_on_progress=False)
        if entry is not None:
            return await self._handle_known_serial_number(entry, found)
        self.context["title_placeholders"] = {"name": default_title(found.serial_number)}
        return await self.async_step_trust()

    async def _probe_discovered(self, host: str) -> FoundGateway:
        """Identify the gateway at a discovered address.

        Raises AbortFlow if another flow does so already, too many flows are open, or it fails.
        """
        others = self._other_candidates
        if any(other.host == host for other in others):
            raise AbortFlow("already_in_progress")
        at_address = sum(URL(other.host).host == URL(host).host for other in others)
        if at_address >= MAX_FLOWS_PER_ADDRESS or len(others) >= MAX_FLOWS:
            raise AbortFlow("too_many_discoveries")
        self._set_candidate(Candidate(host))
        errors: dict[str, str] = {}
        found = await self._find(host, errors, DISCOVERY_ERRORS)
        if found is None:
            raise AbortFlow(errors["base"], self._error_placeholders)
        # A gateway with both Wi-Fi and Ethernet announces two addresses.
        identity = (found.serial_number, found.certificate.key_fingerprint)
        if identity in {(other.serial_number, other.key_fingerprint) for other in self._other_candidates}:
            raise AbortFlow("already_in_progress")
        return found

    async def _is_known(self, entry: ConfigEntry, host: str) -> bool:
        """Return whether the gateway of an entry is at a discovered address, and update the entry if needed.

        A gateway with both Wi-Fi and Ethernet announces two addresses: the current one is kept while it
        answers. Any device can announce a gateway: only the trusted certificate proves its identity.
        """
        # An ignored entry has no address.
        if entry.source == SOURCE_IGNORE or entry.data[CONF_HOST] == host:
            return True
        if not await async_shows_trusted_key(entry, host):
            return False
        if not await async_is_at(self.hass, entry, entry.data[CONF_HOST]) and await async_is_at(
            self.hass, entry, host
        ):
            entries = self.hass.config_entries
            entries.async_update_entry(entry, data={**entry.data, CONF_HOST: host})
            entries.async_schedule_reload(entry.entry_id)
        return True

    async def _handle_known_serial_number(self, entry: ConfigEntry, found: FoundGateway) -> ConfigFlowResult:
        """Decide by its key about a discovered device with the serial number of an entry."""
        # An ignored entry has no certificate.
        if entry.source == SOURCE_IGNORE or is_trusted(entry, found.certificate):
            return self.async_abort(reason="already_configured")
        if _is_polled(entry):
            async_create_serial_number_issue(self.hass, entry, found.host)
            return self._abort_conflict()
        self._trusted = trusted_certificate(entry)
        if self._trusted is None:
            # The trusted certificate is unknown: a reconfiguration asks about the new one.
            return self._abort_conflict()
        self.context["title_placeholders"] = {"name": entry.title}
        return await self.async_step_certificate_changed()

    def _abort_conflict(self) -> ConfigFlowResult:
        """Abort: the device claims the serial number of a configured gateway, but has another key."""
        return self.async_abort(
            reason="serial_number_conflict",
            description_placeholders={
                "host": escape_code(self._gateway.host),
                "serial": self._gateway.serial_number,
            },
        )

    # After the user has trusted the certificate.

    @override
    async def _continue_after_trust(self) -> ConfigFlowResult:
        if self.source == SOURCE_RECONFIGURE:
            return await (self.async_step_replace() if self._is_another else self._update_address("trust"))
        return await (
            self.async_step_additional_gateway() if self._offline_names else self._continue_to_sign_in()
        )

    @property
    @override
    def _name(self) -> str:
        entry = self._entry
        return entry.title if entry is not None else default_title(self._gateway.serial_number)

    @property
    def _entry(self) -> ConfigEntry | None:
        """The entry of the gateway, if it is configured already."""
        if self.source in (SOURCE_REAUTH, SOURCE_RECONFIGURE):
            return self._get_entry()
        return self.hass.config_entries.async_entry_for_domain_unique_id(DOMAIN, self._gateway.serial_number)

    @override
    async def _trust_changed_certificate(self) -> ConfigFlowResult:
        if self.source == SOURCE_RECONFIGURE:
            return await (
                self.async_step_replace() if self._is_another else self._update_address("certificate_changed")
            )
        entry = self._entry
        if (
            entry is None
            or _is_polled(entry)
            or self._trusted is None
            or not is_trusted(entry, self._trusted)
        ):
            # The entry was removed, its own gateway is online again, or it trusts another certificate now.
            return self._abort_conflict()
        async_delete_certificate_issue(self.hass, entry)
        async_delete_serial_number_issue(self.hass, entry)
        updates = {CONF_HOST: self._gateway.host, CONF_CERTIFICATE: self._gateway.certificate.pem}
        return self.async_update_reload_and_abort(
            entry, data_updates=updates, reason="reconfigure_successful"
        )

    async def async_step_additional_gateway(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Suggest a reconfiguration, which keeps the history, if the gateway replaces another one."""
        if user_input is not None:
            return await self._continue_to_sign_in()
        return self.async_show_form(
            step_id="additional_gateway",
            last_step=False,
            description_placeholders={"name": self._offline_names, "serial": self._gateway.serial_number},
        )

    @property
    def _offline_names(self) -> str:
        """The names of configured gateways that are not polled at present."""
        entries = self.hass.config_entries.async_entries(DOMAIN, include_ignore=False, include_disabled=False)
        return ", ".join(entry.title for entry in entries if not _is_polled(entry))

    async def _continue_to_sign_in(self) -> ConfigFlowResult:
        return await (
            self.async_step_core_integration() if self._has_core_integration else self.async_step_sign_in()
        )

    @property
    def _has_core_integration(self) -> bool:
        entries = self.hass.config_entries.async_entries(CORE_DOMAIN, include_ignore=False)
        return any(entry.unique_id in (None, self._gateway.serial_number) for entry in entries)

    async def async_step_core_integration(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Warn that the built-in integration polls this gateway as well."""
        if user_input is not None:
            return await self.async_step_sign_in()
        return self.async_show_form(step_id="core_integration", last_step=False)

    # After the sign-in.

    @override
    def _get_entry(self) -> ConfigEntry:
        return self._get_reauth_entry() if self.source == SOURCE_REAUTH else self._get_reconfigure_entry()

    @override
    async def _finish_sign_in(self) -> ConfigFlowResult:
        if self.source not in (SOURCE_REAUTH, SOURCE_RECONFIGURE):
            return await self.async_step_meters_found()
        entry, changes = self._get_entry(), dict(self._sign_in)
        if self.source == SOURCE_RECONFIGURE:
            changes[CONF_PRODUCTION_SOURCE] = select_production_source(self._meters)
            if self._is_another:
                if self._other_entry is not None:
                    # It was added in the meantime.
                    return self.async_abort(reason="already_configured")
                changes |= await self._replace(entry)
        if not is_trusted(entry, self._gateway.certificate):
            changes[CONF_CERTIFICATE] = self._gateway.certificate.pem
            async_delete_certificate_issue(self.hass, entry)
        kept = {key: value for key, value in entry.data.items() if key not in (CONF_USERNAME, CONF_PASSWORD)}
        return self.async_update_reload_and_abort(entry, data=kept | changes)

    async def async_step_meters_found(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show the meters, and create the entry."""
        if user_input is not None:
            return self.async_create_entry(
                title=default_title(self._gateway.serial_number),
                data={
                    CONF_HOST: self._gateway.host,
                    CONF_CERTIFICATE: self._gateway.certificate.pem,
                    CONF_PRODUCTION_SOURCE: select_production_source(self._meters),
                    **self._sign_in,
                },
            )
        enabled = tuple(meter for meter in self._meters if meter.enabled)
        if not enabled:
            return self.async_show_form(step_id="no_meters")
        names, phases = await async_get_words(self.hass, "meter"), await async_get_words(self.hass, "phases")
        lines = [f"- {meter_name(names, enabled, meter)}: {phases[_phases_key(meter)]}" for meter in enabled]
        return self.async_show_form(
            step_id="meters_found", description_placeholders={"meters": "\n".join(lines)}
        )

    async def async_step_no_meters(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Create the entry of a gateway without meters."""
        return await self.async_step_meters_found(user_input)

    # Reauthentication and reconfiguration.

    async def async_step_reauth(self, _: Mapping[str, Any]) -> ConfigFlowResult:
        """Start a reauthentication."""
        self._gateway = FoundGateway.from_entry(self._get_reauth_entry())
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(self, _: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Choose how to sign in."""
        return self.async_show_menu(
            step_id="reauth_confirm",
            menu_options=["account", "token"],
            description_placeholders={"name": self._get_reauth_entry().title},
        )

    async def async_step_reconfigure(self, _: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Let the user choose what to change."""
        entry = self._get_reconfigure_entry()
        try:
            self._gateway = FoundGateway.from_entry(entry)
        except CertificateError:
            # Signing in requires a trusted certificate.
            return await self.async_step_address()
        return self.async_show_menu(
            step_id="reconfigure",
            menu_options=["address", "account", "token"],
            description_placeholders={"name": entry.title},
        )

    async def async_step_address(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Take the gateway's new address, or that of the gateway that replaces it."""
        errors: dict[str, str] = {}
        entry = self._get_reconfigure_entry()
        if user_input is not None:
            found = await self._find(user_input[CONF_HOST], errors)
            if found is not None:
                if self._is_another and self._other_entry is not None:
                    errors["base"] = "gateway_already_configured"
                elif not is_trusted(entry, found.certificate):
                    self._trusted = trusted_certificate(entry)
                    # A damaged certificate cannot be compared with the new one.
                    return await (
                        self.async_step_certificate_changed() if self._trusted else self.async_step_trust()
                    )
                elif self._is_another:
                    return await self.async_step_replace()
                else:
                    return await self._update_address("address")
        return self._show_host_form("address", errors, user_input or entry.data)

    async def _update_address(self, step: str) -> ConfigFlowResult:
        """Store the address, the certificate and the production source."""
        entry = self._get_reconfigure_entry()
        updates = {CONF_HOST: self._gateway.host, CONF_CERTIFICATE: self._gateway.certificate.pem}
        try:
            meters = await async_read_meters(self.hass, self._gateway, entry.data[CONF_TOKEN])
            updates[CONF_PRODUCTION_SOURCE] = select_production_source(meters)
        except AuthenticationError:
            # An invalid token starts a reauthentication after the reload, at the new address.
            pass
        except EnphaseError as error:
            errors = {"base": error_key(error, GATEWAY_ERRORS)}
            if step == "trust":
                return await self.async_step_trust(errors=errors)
            if step == "certificate_changed":
                return await self.async_step_certificate_changed(errors=errors)
            return self._show_host_form("address", errors, {CONF_HOST: self._gateway.host})
        # The certificate that was shown here is trusted: close an older issue.
        async_delete_certificate_issue(self.hass, entry)
        return self.async_update_reload_and_abort(entry, data_updates=updates)

    # Replacement by another gateway.

    @property
    def _is_another(self) -> bool:
        """Whether another gateway than that of the entry answers at the address."""
        return self._gateway.serial_number != self._get_reconfigure_entry().unique_id

    @property
    def _other_entry(self) -> ConfigEntry | None:
        """The entry of that other gateway, unless it is ignored."""
        entries = self.hass.config_entries.async_entries(DOMAIN, include_ignore=False)
        return next((each for each in entries if each.unique_id == self._gateway.serial_number), None)

    async def async_step_replace(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask whether the gateway that was found replaces the old one; it needs its own token."""
        if user_input is not None:
            return await self.async_step_sign_in()
        entry = self._get_reconfigure_entry()
        return self.async_show_form(
            step_id="replace",
            last_step=False,
            description_placeholders={
                "name": entry.title,
                "host": self._gateway.host,
                "old": str(entry.unique_id),
                "new": self._gateway.serial_number,
            },
        )

    async def _replace(self, entry: ConfigEntry) -> dict[str, str]:
        """Move the entry to the gateway that was found, and return its address and certificate."""
        serial_number = self._gateway.serial_number
        for ignored in self.hass.config_entries.async_entries(DOMAIN):
            if ignored.unique_id == serial_number and ignored.source == SOURCE_IGNORE:
                await self.hass.config_entries.async_remove(ignored.entry_id)
        flows = self.hass.config_entries.flow
        for waiting in flows.async_progress_by_handler(DOMAIN):
            # The discovery of the new gateway.
            if waiting["context"].get("unique_id") == serial_number and waiting["flow_id"] != self.flow_id:
                flows.async_abort(waiting["flow_id"])
        async_delete_certificate_issue(self.hass, entry)
        await async_replace_gateway(self.hass, entry, serial_number)
        return {CONF_HOST: self._gateway.host, CONF_CERTIFICATE: self._gateway.certificate.pem}

    def _show_host_form(
        self, step_id: str, errors: dict[str, str], values: Mapping[str, Any]
    ) -> ConfigFlowResult:
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(_HOST_SCHEMA, values),
            errors=errors,
            description_placeholders=self._error_placeholders,
            last_step=False,
        )


def _is_polled(entry: ConfigEntry) -> bool:
    """Return whether the gateway of an entry is online at its address."""
    return entry.state is ConfigEntryState.LOADED and entry.runtime_data.last_update_success


def _phases_key(meter: Meter) -> str:
    """Return the key of the translated phases; a split phase has two lines."""
    return "split" if meter.phase_mode == "split" else str(meter.phase_count)


def _discovered_host(discovery_info: ZeroconfServiceInfo) -> str:
    """Return the address of a discovered gateway, with the port only if it is unusual."""
    if discovery_info.port in _USUAL_PORTS:
        return discovery_info.host
    return f"{discovery_info.host}:{discovery_info.port}"
