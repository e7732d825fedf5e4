"""The config flow: find a gateway, trust its certificate, sign in, see what is metered; later change that."""

from collections.abc import Mapping
from typing import Any, override

from homeassistant.config_entries import (
    SOURCE_IGNORE,
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigEntryState,
    ConfigFlowResult,
    OptionsFlow,
)
from homeassistant.const import CONF_HOST, CONF_PASSWORD, CONF_TOKEN, CONF_USERNAME
from homeassistant.core import callback
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo

from .certificate_issue import async_create_claim_issue, async_delete_claim_issue, async_delete_issue
from .claims import Claim, async_is_full, async_other_claims, async_remove_claim, async_set_claim
from .connection import (
    DISCOVERY_ERRORS,
    GATEWAY_ERRORS,
    FoundGateway,
    async_find_gateway,
    async_is_at,
    async_read_meters,
    async_shows_trusted_key,
    error_key,
    is_trusted,
    production_from,
    trusted_certificate,
)
from .const import CONF_CERTIFICATE, CONF_PRODUCTION_SOURCE, DOMAIN
from .enphase_api import AuthenticationError, CertificateError, EnphaseError
from .enphase_api.json_values import is_serial_number
from .enphase_api.models import Meter
from .flow_forms import DEFAULT_HOST, HOST_FORM, announced_host, grouped, in_code
from .flow_sign_in import SignInFlow
from .naming import async_words, gateway_title, meter_name
from .options_flow import GatewayOptionsFlow
from .replacement import async_replace_gateway

CORE_DOMAIN = "enphase_envoy"


class GatewayConfigFlow(SignInFlow, domain=DOMAIN):
    """Sets a gateway up, signs in again, or finds it at another address."""

    VERSION = 1
    MINOR_VERSION = 1

    #: Addresses that the owner was shown as those of others that say they are this gateway.
    _seen_rivals: frozenset[str] = frozenset()

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> OptionsFlow:
        """Return the flow of the options."""
        return GatewayOptionsFlow()

    # Find.

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Take the address of a gateway."""
        errors: dict[str, str] = {}
        if user_input is not None:
            found = await self._find(user_input[CONF_HOST], errors)
            if found is not None:
                entry = await self.async_set_unique_id(found.serial_number, raise_on_progress=False)
                if entry and entry.source != SOURCE_IGNORE and not is_trusted(entry, found.certificate):
                    return self._claimed()
                self._abort_if_unique_id_configured()
                return await self.async_step_trust()
        return self._host_form("user", errors, user_input or {CONF_HOST: DEFAULT_HOST})

    @override
    async def async_step_zeroconf(self, discovery_info: ZeroconfServiceInfo) -> ConfigFlowResult:
        """Take a gateway that announces itself."""
        if discovery_info.ip_address.version != 4:
            return self.async_abort(reason="not_ipv4_address")
        serial_number = discovery_info.properties.get("serialnum") or None
        if serial_number is not None and not is_serial_number(serial_number):
            return self.async_abort(reason="not_a_gateway")
        # Two can announce the same serial number: which flows are of one gateway is decided by its key.
        entry = await self.async_set_unique_id(serial_number, raise_on_progress=False)
        host = f"https://{announced_host(discovery_info)}"
        if entry is not None and await self._knows(entry, host):
            return self.async_abort(reason="already_configured")
        found = await self._look_at_announced(host)
        # An announcement can say anything: from here on, what the gateway itself said counts.
        entry = await self.async_set_unique_id(found.serial_number, raise_on_progress=False)
        if entry is not None:
            return await self._meet(entry, found)
        self.context["title_placeholders"] = {"name": gateway_title(found.serial_number)}
        return await self.async_step_trust()

    async def _look_at_announced(self, host: str) -> FoundGateway:
        """Look who answers at an announced address, unless another flow does or many flows are open.

        Raises AbortFlow where nothing comes of it.
        """
        if any(claim.host == host for claim in async_other_claims(self.hass, self.flow_id)):
            raise AbortFlow("already_in_progress")
        if async_is_full(self.hass, self.flow_id, host):
            raise AbortFlow("too_many_discoveries")
        async_set_claim(self.hass, self.flow_id, Claim(host))
        errors: dict[str, str] = {}
        found = await self._find(host, errors, DISCOVERY_ERRORS)
        if found is None:
            raise AbortFlow(errors["base"], self._error_placeholders)
        # A gateway with both Wi-Fi and Ethernet announces two addresses.
        this = (found.serial_number, found.certificate.key_fingerprint)
        others = async_other_claims(self.hass, self.flow_id)
        if this in {(claim.serial_number, claim.key) for claim in others}:
            raise AbortFlow("already_in_progress")
        return found

    async def _knows(self, entry: ConfigEntry, host: str) -> bool:
        """Return whether an entry's own gateway is at an announced address; let the entry follow it there.

        A gateway with both Wi-Fi and Ethernet announces two in turn: the present one stays while it answers.
        And anybody can announce a gateway: only the trusted certificate proves that it is there.
        """
        # One that its owner ignores holds no address.
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

    async def _meet(self, entry: ConfigEntry, found: FoundGateway) -> ConfigFlowResult:
        """Decide about what announced itself with the serial number of an entry, by the key that it shows."""
        # One that its owner ignores holds no certificate.
        if entry.source == SOURCE_IGNORE or is_trusted(entry, found.certificate):
            return self.async_abort(reason="already_configured")
        if _is_read(entry):
            async_create_claim_issue(self.hass, entry, found.host)
            return self._claimed()
        self._trusted = trusted_certificate(entry)
        if self._trusted is None:
            # Which certificate was trusted is not known any more: reconfiguring asks about a new one.
            return self._claimed()
        self.context["title_placeholders"] = {"name": entry.title}
        return await self.async_step_certificate_changed()

    def _claimed(self) -> ConfigFlowResult:
        """End: what answers says that it is a gateway that is set up, but has another key."""
        return self.async_abort(
            reason="serial_number_conflict",
            description_placeholders={
                "host": in_code(self._gateway.host),
                "serial": self._gateway.serial_number,
            },
        )

    async def _find(
        self, host: str, errors: dict[str, str], texts: Mapping[type[EnphaseError], str] = GATEWAY_ERRORS
    ) -> FoundGateway | None:
        """Look who answers at an address; on an error return None, and the error's key."""
        found = await self._attempt(async_find_gateway(self.hass, host), errors, texts)
        if found is not None:
            self._gateway = found
            if self.source != SOURCE_RECONFIGURE:
                claim = Claim(found.host, found.serial_number, found.certificate.key_fingerprint)
                async_set_claim(self.hass, self.flow_id, claim)
        return found

    @callback
    @override
    def async_remove(self) -> None:
        """Forget what was found, now that the flow has ended."""
        async_remove_claim(self.hass, self.flow_id)

    # Trust.

    async def async_step_trust(
        self, user_input: dict[str, Any] | None = None, errors: dict[str, str] | None = None
    ) -> ConfigFlowResult:
        """Show what was found and its certificate, to be trusted or not."""
        if self._unseen_rivals:
            return await self.async_step_serial_number_conflict()
        if user_input is not None:
            return await self._trusted_at_first()
        return self.async_show_form(
            step_id="trust",
            errors=errors,
            last_step=False,
            description_placeholders=await self._description(),
        )

    async def async_step_serial_number_conflict(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show that something else, with another key, says that it is this gateway too."""
        if user_input is not None and not self._unseen_rivals:
            return await self._trusted_at_first()
        self._seen_rivals |= self._rivals
        return self.async_show_form(
            step_id="serial_number_conflict",
            last_step=False,
            description_placeholders=await self._description()
            | {"others": ", ".join(f"`{in_code(host)}`" for host in sorted(self._seen_rivals))},
        )

    async def _description(self) -> dict[str, str]:
        """Return what is shown of the gateway that was found, and of its certificate."""
        certificate, metering = self._gateway.certificate, await async_words(self.hass, "metering")
        return {
            "host": in_code(self._gateway.host),
            "serial": self._gateway.serial_number,
            "firmware": in_code(self._gateway.firmware),
            "metering": metering["yes" if self._gateway.is_metered else "no"],
            "subject": in_code(certificate.subject),
            "not_before": str(certificate.not_before.date()),
            "not_after": str(certificate.not_after.date()),
            "fingerprint": grouped(certificate.fingerprint),
        }

    @property
    def _rivals(self) -> set[str]:
        """The addresses of what says that it is the gateway that was found here, but has another key."""
        return {
            claim.host
            for claim in async_other_claims(self.hass, self.flow_id)
            if claim.serial_number == self._gateway.serial_number
            and claim.key != self._gateway.certificate.key_fingerprint
        }

    @property
    def _unseen_rivals(self) -> set[str]:
        """Those of them that the owner was not shown: the form may be older than what announced itself."""
        return self._rivals - self._seen_rivals

    @override
    async def _ask_in_doubt(self) -> ConfigFlowResult | None:
        entry = self._entry
        if entry is not None and is_trusted(entry, self._gateway.certificate):
            return None
        # The other may have announced itself only after this one was trusted.
        return await self.async_step_serial_number_conflict() if self._unseen_rivals else None

    async def _trusted_at_first(self) -> ConfigFlowResult:
        if self.source == SOURCE_RECONFIGURE:
            return await (self.async_step_replace() if self._is_another else self._move_by_hand("trust"))
        return await (self.async_step_additional_gateway() if self._unread else self._go_on_to_sign_in())

    @property
    @override
    def _name(self) -> str:
        entry = self._entry
        return entry.title if entry is not None else gateway_title(self._gateway.serial_number)

    @property
    def _entry(self) -> ConfigEntry | None:
        """The entry whose gateway shows another key, where it is set up already."""
        if self.source in (SOURCE_REAUTH, SOURCE_RECONFIGURE):
            return self._get_entry()
        return self.hass.config_entries.async_entry_for_domain_unique_id(DOMAIN, self._gateway.serial_number)

    @override
    async def _trusted_again(self) -> ConfigFlowResult:
        if self.source == SOURCE_RECONFIGURE:
            return await (
                self.async_step_replace() if self._is_another else self._move_by_hand("certificate_changed")
            )
        entry = self._entry
        if entry is None or _is_read(entry) or self._trusted is None or not is_trusted(entry, self._trusted):
            # It was removed meanwhile, its own gateway is back, or another one than was shown is trusted now.
            return self._claimed()
        async_delete_issue(self.hass, entry)
        async_delete_claim_issue(self.hass, entry)
        updates = {CONF_HOST: self._gateway.host, CONF_CERTIFICATE: self._gateway.certificate.pem}
        return self.async_update_reload_and_abort(
            entry, data_updates=updates, reason="reconfigure_successful"
        )

    async def async_step_additional_gateway(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show that a gateway that replaces another needs no new entry, which would have no history."""
        if user_input is not None:
            return await self._go_on_to_sign_in()
        return self.async_show_form(
            step_id="additional_gateway",
            last_step=False,
            description_placeholders={"name": self._unread, "serial": self._gateway.serial_number},
        )

    @property
    def _unread(self) -> str:
        """The names of the gateways that are set up, but not read at present."""
        entries = self.hass.config_entries.async_entries(DOMAIN, include_ignore=False, include_disabled=False)
        return ", ".join(entry.title for entry in entries if not _is_read(entry))

    async def _go_on_to_sign_in(self) -> ConfigFlowResult:
        return await (
            self.async_step_core_integration() if self._core_polls_too else self.async_step_sign_in()
        )

    @property
    def _core_polls_too(self) -> bool:
        entries = self.hass.config_entries.async_entries(CORE_DOMAIN, include_ignore=False)
        return any(entry.unique_id in (None, self._gateway.serial_number) for entry in entries)

    async def async_step_core_integration(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Say that Home Assistant's own integration asks this gateway as well."""
        if user_input is not None:
            return await self.async_step_sign_in()
        return self.async_show_form(step_id="core_integration", last_step=False)

    # Signed in.

    @override
    def _get_entry(self) -> ConfigEntry:
        return self._get_reauth_entry() if self.source == SOURCE_REAUTH else self._get_reconfigure_entry()

    @override
    async def _signed_in(self) -> ConfigFlowResult:
        if self.source not in (SOURCE_REAUTH, SOURCE_RECONFIGURE):
            return await self.async_step_meters_found()
        entry, changes = self._get_entry(), dict(self._sign_in)
        if self.source == SOURCE_RECONFIGURE:
            changes[CONF_PRODUCTION_SOURCE] = production_from(self._meters)
            if self._is_another:
                if self._other_entry is not None:
                    # It was added while its owner signed in here.
                    return self.async_abort(reason="already_configured")
                changes |= await self._replace(entry)
        if not is_trusted(entry, self._gateway.certificate):
            changes[CONF_CERTIFICATE] = self._gateway.certificate.pem
            async_delete_issue(self.hass, entry)
        kept = {key: value for key, value in entry.data.items() if key not in (CONF_USERNAME, CONF_PASSWORD)}
        return self.async_update_reload_and_abort(entry, data=kept | changes)

    async def async_step_meters_found(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show what is metered, and create the entry."""
        if user_input is not None:
            return self.async_create_entry(
                title=gateway_title(self._gateway.serial_number),
                data={
                    CONF_HOST: self._gateway.host,
                    CONF_CERTIFICATE: self._gateway.certificate.pem,
                    CONF_PRODUCTION_SOURCE: production_from(self._meters),
                    **self._sign_in,
                },
            )
        enabled = tuple(meter for meter in self._meters if meter.enabled)
        if not enabled:
            return self.async_show_form(step_id="no_meters")
        names, phases = await async_words(self.hass, "meter"), await async_words(self.hass, "phases")
        lines = [f"- {meter_name(names, enabled, meter)}: {phases[_phases_key(meter)]}" for meter in enabled]
        return self.async_show_form(
            step_id="meters_found", description_placeholders={"meters": "\n".join(lines)}
        )

    async def async_step_no_meters(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Create the entry of a gateway that has no meters."""
        return await self.async_step_meters_found(user_input)

    # Sign in again, and move.

    async def async_step_reauth(self, _: Mapping[str, Any]) -> ConfigFlowResult:
        """Start a new sign-in to a gateway that is set up."""
        self._gateway = FoundGateway.from_entry(self._get_reauth_entry())
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(self, _: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Let the owner choose how."""
        return self.async_show_menu(
            step_id="reauth_confirm",
            menu_options=["account", "token"],
            description_placeholders={"name": self._get_reauth_entry().title},
        )

    async def async_step_reconfigure(self, _: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Let the owner choose what to change."""
        entry = self._get_reconfigure_entry()
        try:
            self._gateway = FoundGateway.from_entry(entry)
        except CertificateError:
            # Nobody can be signed in to before a certificate is trusted.
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
                    # A damaged one cannot be shown beside it.
                    return await (
                        self.async_step_certificate_changed() if self._trusted else self.async_step_trust()
                    )
                elif self._is_another:
                    return await self.async_step_replace()
                else:
                    return await self._move_by_hand("address")
        return self._host_form("address", errors, user_input or entry.data)

    async def _move_by_hand(self, step: str) -> ConfigFlowResult:
        """Store the gateway's new address, its certificate, and what production comes from now."""
        entry = self._get_reconfigure_entry()
        updates = {CONF_HOST: self._gateway.host, CONF_CERTIFICATE: self._gateway.certificate.pem}
        try:
            meters = await async_read_meters(self.hass, self._gateway, entry.data[CONF_TOKEN])
            updates[CONF_PRODUCTION_SOURCE] = production_from(meters)
        except AuthenticationError:
            # A token that has ended is asked for after the reload, at the new address.
            pass
        except EnphaseError as error:
            errors = {"base": error_key(error, GATEWAY_ERRORS)}
            if step == "trust":
                return await self.async_step_trust(errors=errors)
            if step == "certificate_changed":
                return await self.async_step_certificate_changed(errors=errors)
            return self._host_form("address", errors, {CONF_HOST: self._gateway.host})
        # Trusted is what was shown here: an older question must not take its place.
        async_delete_issue(self.hass, entry)
        return self.async_update_reload_and_abort(entry, data_updates=updates)

    # A gateway that replaces another.

    @property
    def _is_another(self) -> bool:
        """Whether another gateway than the one that is reconfigured answers at the address."""
        return self._gateway.serial_number != self._get_reconfigure_entry().unique_id

    @property
    def _other_entry(self) -> ConfigEntry | None:
        """The entry that the gateway has already; one that its owner ignores is none."""
        entries = self.hass.config_entries.async_entries(DOMAIN, include_ignore=False)
        return next((each for each in entries if each.unique_id == self._gateway.serial_number), None)

    async def async_step_replace(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask whether the gateway that was found replaces the old one; it needs a token of its own."""
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
            # It has announced itself, and waits for being added.
            if waiting["context"].get("unique_id") == serial_number and waiting["flow_id"] != self.flow_id:
                flows.async_abort(waiting["flow_id"])
        async_delete_issue(self.hass, entry)
        await async_replace_gateway(self.hass, entry, serial_number)
        return {CONF_HOST: self._gateway.host, CONF_CERTIFICATE: self._gateway.certificate.pem}

    def _host_form(self, step_id: str, errors: dict[str, str], values: Mapping[str, Any]) -> ConfigFlowResult:
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(HOST_FORM, values),
            errors=errors,
            description_placeholders=self._error_placeholders,
            last_step=False,
        )


def _is_read(entry: ConfigEntry) -> bool:
    """Return whether the gateway of an entry answers where the entry expects it."""
    return entry.state is ConfigEntryState.LOADED and entry.runtime_data.last_update_success


def _phases_key(meter: Meter) -> str:
    """Return the key of the word for how a meter is connected: two phases may be two halves of one."""
    return "split" if meter.phase_mode == "split" else str(meter.phase_count)
