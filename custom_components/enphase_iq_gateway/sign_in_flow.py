"""The sign-in steps of the config flow, for new gateways, reauthentication and reconfiguration."""

from abc import abstractmethod
from collections.abc import Awaitable, Mapping
from dataclasses import replace
from typing import Any

import voluptuous as vol
from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
)
from homeassistant.const import CONF_PASSWORD, CONF_TOKEN, CONF_USERNAME
from homeassistant.helpers.selector import (
    BooleanSelector,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)

from .client import FoundGateway, async_get_token, async_read_meters
from .enphase_api import CertificateChangedError, EnphaseError, MultiFactorError, UnsupportedFirmwareError
from .enphase_api.cloud import AUTHENTICATION_HOST
from .enphase_api.local import Certificate
from .enphase_api.models import Meter
from .error_handling import ENTREZ_ERRORS, GATEWAY_ERRORS, error_key
from .helpers import certificate_placeholders, escape_code

CONF_RENEW = "renew"

ACCOUNT_FORM = vol.Schema(
    {
        vol.Required(CONF_USERNAME): TextSelector(
            TextSelectorConfig(type=TextSelectorType.EMAIL, autocomplete="username")
        ),
        vol.Required(CONF_PASSWORD): TextSelector(
            TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="current-password")
        ),
        vol.Required(CONF_RENEW, default=False): BooleanSelector(),
    }
)

TOKEN_FORM = vol.Schema(
    {
        vol.Required(CONF_TOKEN): TextSelector(
            TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="off")
        )
    }
)


class SignInFlow(ConfigFlow):
    """Sign in to the gateway that was found, with an account or a token."""

    _gateway: FoundGateway
    #: The trusted certificate, while `_gateway` has one with another key.
    _trusted: Certificate | None = None
    #: The token, with the account if it is to be renewed automatically; empty before the first attempt.
    _sign_in: Mapping[str, str] = {}
    _meters: tuple[Meter, ...]
    _error_placeholders: Mapping[str, str] = {}

    async def async_step_sign_in(self, _: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Choose how to sign in."""
        return self.async_show_menu(step_id="sign_in", menu_options=["account", "token"])

    async def async_step_account(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Get a token from Entrez."""
        errors: dict[str, str] = {}
        if user_input is not None:
            username, password = user_input[CONF_USERNAME].strip(), user_input[CONF_PASSWORD]
            serial_number = self._gateway.serial_number
            token = await self._call(
                async_get_token(self.hass, username, password, serial_number), errors, ENTREZ_ERRORS
            )
            if token is not None:
                sign_in = {CONF_TOKEN: token}
                if user_input[CONF_RENEW]:
                    sign_in |= {CONF_USERNAME: username, CONF_PASSWORD: password}
                if (result := await self._sign_in_with(sign_in, errors)) is not None:
                    return result
            if errors.get("base") == ENTREZ_ERRORS[MultiFactorError]:
                return self._show_sign_in_form("token", TOKEN_FORM, errors, None)
        return self._show_sign_in_form("account", ACCOUNT_FORM, errors, user_input or self._stored_account)

    async def async_step_token(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Sign in with a token that the user has pasted."""
        errors: dict[str, str] = {}
        if user_input is not None:
            # A copied token may contain line breaks.
            sign_in = {CONF_TOKEN: "".join(user_input[CONF_TOKEN].split())}
            if (result := await self._sign_in_with(sign_in, errors)) is not None:
                return result
        return self._show_sign_in_form("token", TOKEN_FORM, errors, user_input)

    async def _sign_in_with(self, sign_in: dict[str, str], errors: dict[str, str]) -> ConfigFlowResult | None:
        """Return the next step, or the step that must be confirmed first; None if the sign-in fails."""
        if (conflict := await self._check_conflict()) is not None:
            return conflict
        if await self._try_sign_in(sign_in, errors):
            return await self._finish_sign_in()
        return None if self._trusted is None else await self.async_step_certificate_changed()

    async def _try_sign_in(self, sign_in: Mapping[str, str], errors: dict[str, str]) -> bool:
        """Log in to the gateway and read its meters; return whether that succeeded.

        If the gateway shows another key, nothing is sent and `_trusted` is set.
        """
        self._sign_in, self._trusted = sign_in, None
        try:
            self._meters = await async_read_meters(self.hass, self._gateway, sign_in[CONF_TOKEN])
        except CertificateChangedError as error:
            shown = Certificate.from_pem(error.shown_pem)
            if shown.serial_number in (None, self._gateway.serial_number):
                self._trusted = self._gateway.certificate
                self._gateway = replace(self._gateway, certificate=shown)
            errors["base"] = "certificate_mismatch"
        except EnphaseError as error:
            errors["base"] = error_key(error, GATEWAY_ERRORS)
        else:
            return True
        return False

    async def async_step_certificate_changed(
        self, user_input: dict[str, Any] | None = None, errors: dict[str, str] | None = None
    ) -> ConfigFlowResult:
        """Ask whether to trust another key, as the repair flow does."""
        if user_input is not None:
            if not self._sign_in:
                return await self._trust_changed_certificate()
            errors = {}
            if await self._try_sign_in(self._sign_in, errors):
                return await self._finish_sign_in()
            if self._trusted is None:
                return self._show_sign_in_form("token", TOKEN_FORM, errors, None)
        return self.async_show_form(
            step_id="certificate_changed",
            errors=errors,
            last_step=False,
            description_placeholders={
                "name": self._name,
                "host": escape_code(self._gateway.host),
                "serial": self._gateway.serial_number,
                **certificate_placeholders(
                    self._trusted or self._gateway.certificate, self._gateway.certificate
                ),
            },
        )

    @property
    def _stored_account(self) -> dict[str, Any]:
        """The stored account, without the password."""
        if self.source not in (SOURCE_REAUTH, SOURCE_RECONFIGURE):
            return {}
        entry = self._get_entry()
        return {CONF_USERNAME: entry.data.get(CONF_USERNAME, ""), CONF_RENEW: CONF_PASSWORD in entry.data}

    @abstractmethod
    def _get_entry(self) -> ConfigEntry:
        """Return the entry of a reauthentication or reconfiguration."""

    @property
    @abstractmethod
    def _name(self) -> str:
        """The name of the gateway."""

    @abstractmethod
    async def _check_conflict(self) -> ConfigFlowResult | None:
        """Return the step to confirm before a token is sent, if there is one."""

    @abstractmethod
    async def _trust_changed_certificate(self) -> ConfigFlowResult:
        """Continue after the user has trusted another key without a sign-in."""

    @abstractmethod
    async def _finish_sign_in(self) -> ConfigFlowResult:
        """Continue with `_sign_in` and `_meters`."""

    async def _call[T](
        self,
        request: Awaitable[T],
        errors: dict[str, str],
        texts: Mapping[type[EnphaseError], str] = GATEWAY_ERRORS,
    ) -> T | None:
        """Return the result of a request; if it fails, return None and set the error."""
        try:
            return await request
        except EnphaseError as error:
            if isinstance(error, UnsupportedFirmwareError):
                self._error_placeholders = {"firmware": error.firmware}
            errors["base"] = error_key(error, texts)
            return None

    def _show_sign_in_form(
        self, step_id: str, form: vol.Schema, errors: dict[str, str], values: Mapping[str, Any] | None
    ) -> ConfigFlowResult:
        # Never send a secret back to the browser.
        shown = {key: value for key, value in (values or {}).items() if key in (CONF_USERNAME, CONF_RENEW)}
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(form, shown),
            errors=errors,
            description_placeholders={
                "serial": self._gateway.serial_number,
                "entrez": AUTHENTICATION_HOST,
            },
            last_step=self.source in (SOURCE_REAUTH, SOURCE_RECONFIGURE),
        )
