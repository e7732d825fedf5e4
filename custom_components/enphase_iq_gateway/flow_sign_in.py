"""The steps of signing in, for a new gateway and for one whose token has ended."""

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

from .connection import (
    ENTREZ_ERRORS,
    GATEWAY_ERRORS,
    FoundGateway,
    async_get_token,
    async_read_meters,
    error_key,
)
from .enphase_api import CertificateChangedError, EnphaseError, MultiFactorError, UnsupportedFirmwareError
from .enphase_api.cloud import AUTHENTICATION_HOST
from .enphase_api.local import Certificate
from .enphase_api.models import Meter
from .flow_forms import ACCOUNT_FORM, CONF_RENEW, TOKEN_FORM, in_code, trusted_and_shown


class SignInFlow(ConfigFlow):
    """Signs in to the gateway that was found, by an account or a token."""

    _gateway: FoundGateway
    #: The certificate that was trusted, while `_gateway` shows one with another key.
    _trusted: Certificate | None = None
    #: The token, and name and password where the owner wants it renewed by itself; empty until it was tried.
    _sign_in: Mapping[str, str] = {}
    _meters: tuple[Meter, ...]
    #: What stands in the text of an error.
    _error_placeholders: Mapping[str, str] = {}

    async def async_step_sign_in(self, _: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Let the owner choose how."""
        return self.async_show_menu(step_id="sign_in", menu_options=["account", "token"])

    async def async_step_account(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Get a token from Entrez."""
        errors: dict[str, str] = {}
        if user_input is not None:
            username, password = user_input[CONF_USERNAME].strip(), user_input[CONF_PASSWORD]
            serial_number = self._gateway.serial_number
            token = await self._attempt(
                async_get_token(self.hass, username, password, serial_number), errors, ENTREZ_ERRORS
            )
            if token is not None:
                sign_in = {CONF_TOKEN: token}
                if user_input[CONF_RENEW]:
                    sign_in |= {CONF_USERNAME: username, CONF_PASSWORD: password}
                if (result := await self._sign_in_with(sign_in, errors)) is not None:
                    return result
            if errors.get("base") == ENTREZ_ERRORS[MultiFactorError]:
                return self._form("token", TOKEN_FORM, errors, None)
        return self._form("account", ACCOUNT_FORM, errors, user_input or self._account)

    async def async_step_token(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Take a token that the owner has got from Entrez."""
        errors: dict[str, str] = {}
        if user_input is not None:
            # A token copied from a page may have been broken into lines.
            sign_in = {CONF_TOKEN: "".join(user_input[CONF_TOKEN].split())}
            if (result := await self._sign_in_with(sign_in, errors)) is not None:
                return result
        return self._form("token", TOKEN_FORM, errors, user_input)

    async def _sign_in_with(self, sign_in: dict[str, str], errors: dict[str, str]) -> ConfigFlowResult | None:
        """Return what comes after a sign-in, or a question that comes before it; None where it fails."""
        if (question := await self._ask_in_doubt()) is not None:
            return question
        if await self._try(sign_in, errors):
            return await self._signed_in()
        return None if self._trusted is None else await self.async_step_certificate_changed()

    async def _try(self, sign_in: Mapping[str, str], errors: dict[str, str]) -> bool:
        """Try a token at the gateway, and learn what is metered.

        False where that fails; `_trusted` is set where the gateway shows another key, and was sent nothing.
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
        """Ask whether another key than the trusted one is the gateway's, as the repair does."""
        if user_input is not None:
            if not self._sign_in:
                return await self._trusted_again()
            errors = {}
            if await self._try(self._sign_in, errors):
                return await self._signed_in()
            if self._trusted is None:
                return self._form("token", TOKEN_FORM, errors, None)
        return self.async_show_form(
            step_id="certificate_changed",
            errors=errors,
            last_step=False,
            description_placeholders={
                "name": self._name,
                "host": in_code(self._gateway.host),
                "serial": self._gateway.serial_number,
                **trusted_and_shown(self._trusted or self._gateway.certificate, self._gateway.certificate),
            },
        )

    @property
    def _account(self) -> dict[str, Any]:
        """The account that the gateway was signed in with, as far as its name and renewal are kept."""
        if self.source not in (SOURCE_REAUTH, SOURCE_RECONFIGURE):
            return {}
        entry = self._get_entry()
        return {CONF_USERNAME: entry.data.get(CONF_USERNAME, ""), CONF_RENEW: CONF_PASSWORD in entry.data}

    @abstractmethod
    def _get_entry(self) -> ConfigEntry:
        """Return the entry that is signed in to again, or reconfigured."""

    @property
    @abstractmethod
    def _name(self) -> str:
        """What the owner knows the gateway by."""

    @abstractmethod
    async def _ask_in_doubt(self) -> ConfigFlowResult | None:
        """Return the question to be answered before a token is sent, or None where there is none."""

    @abstractmethod
    async def _trusted_again(self) -> ConfigFlowResult:
        """Go on, once the owner trusts the key that `_gateway` shows, where nobody has signed in yet."""

    @abstractmethod
    async def _signed_in(self) -> ConfigFlowResult:
        """Go on with `_sign_in` and `_meters`."""

    async def _attempt[T](
        self,
        work: Awaitable[T],
        errors: dict[str, str],
        texts: Mapping[type[EnphaseError], str] = GATEWAY_ERRORS,
    ) -> T | None:
        """Return what the work returns; on an error None, and the error's key."""
        try:
            return await work
        except EnphaseError as error:
            if isinstance(error, UnsupportedFirmwareError):
                self._error_placeholders = {"firmware": error.firmware}
            errors["base"] = error_key(error, texts)
            return None

    def _form(
        self, step_id: str, form: vol.Schema, errors: dict[str, str], values: Mapping[str, Any] | None
    ) -> ConfigFlowResult:
        # A secret is typed anew rather than sent back to the browser.
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
