"""The steps that allow the way through Enphase's cloud, in the options flow and in a repair flow."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import voluptuous as vol
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_PASSWORD, CONF_USERNAME
from homeassistant.data_entry_flow import FlowHandler
from homeassistant.helpers.selector import SelectOptionDict, SelectSelector, SelectSelectorConfig

from .client import battery_cloud
from .const import CONF_BATTERY_CLOUD, CONF_BATTERY_SITE
from .enphase_api import EnphaseError, SeveralSitesError
from .error_handling import CLOUD_ERRORS, error_key
from .sign_in_flow import ACCOUNT_FORM, CONF_RENEW

_CONF_SITE = "site"

_ACCOUNT_FORM = vol.Schema(
    {marker: field for marker, field in ACCOUNT_FORM.schema.items() if marker != CONF_RENEW}
)


class CloudFlow[ResultT](FlowHandler[Any, Any, Any]):
    """Ask for the account, unless a valid one is stored, and for the site of an account with several."""

    _account: Mapping[str, str]
    #: The names of the account's sites, by id.
    _sites: Mapping[int, str]

    async def async_step_cloud_account(self, user_input: dict[str, str] | None = None) -> ResultT:
        """Take the account."""
        if user_input is None:
            return self._show_account_form({})
        username, password = user_input[CONF_USERNAME].strip(), user_input[CONF_PASSWORD]
        return await self._continue_with({CONF_USERNAME: username, CONF_PASSWORD: password})

    async def _check_stored_account(self) -> ResultT:
        """Return the next step: to take an account, unless a valid one is stored."""
        data = self._flow_entry.data
        if CONF_PASSWORD not in data:
            return self._show_account_form({})
        return await self._continue_with({name: data[name] for name in (CONF_USERNAME, CONF_PASSWORD)})

    async def _continue_with(self, account: Mapping[str, str]) -> ResultT:
        self._account = account
        try:
            await battery_cloud(self.hass, self._flow_entry, account).settings()
        except SeveralSitesError as error:
            self._sites = error.sites
            return await self.async_step_cloud_site()
        except EnphaseError as error:
            return self._show_account_form({"base": error_key(error, CLOUD_ERRORS)})
        return await self._finish({})

    def _show_account_form(self, errors: dict[str, str]) -> ResultT:
        shown: ResultT = self.async_show_form(
            step_id="cloud_account",
            data_schema=_ACCOUNT_FORM,
            errors=errors,
            description_placeholders=self._placeholders,
        )
        return shown

    async def async_step_cloud_site(self, user_input: dict[str, str] | None = None) -> ResultT:
        """Take the site of the gateway, one of `_sites`."""
        errors: dict[str, str] = {}
        if user_input is not None:
            site = int(user_input[_CONF_SITE])
            try:
                await battery_cloud(self.hass, self._flow_entry, self._account, site).settings()
            except EnphaseError as error:
                errors["base"] = error_key(error, CLOUD_ERRORS)
            else:
                return await self._finish({CONF_BATTERY_SITE: site})
        options = [
            SelectOptionDict(value=str(site), label=f"{name} ({site})" if name else str(site))
            for site, name in self._sites.items()
        ]
        selector = SelectSelector(SelectSelectorConfig(options=options))
        shown: ResultT = self.async_show_form(
            step_id="cloud_site",
            data_schema=vol.Schema({vol.Required(_CONF_SITE): selector}),
            errors=errors,
            description_placeholders=self._placeholders,
        )
        return shown

    async def _finish(self, site: Mapping[str, int]) -> ResultT:
        """Store the account, as the automatic renewal does, and the options."""
        entry = self._flow_entry
        self.hass.config_entries.async_update_entry(entry, data={**entry.data, **self._account})
        return await self._store_options({CONF_BATTERY_CLOUD: True, **site})

    @property
    @abstractmethod
    def _flow_entry(self) -> ConfigEntry:
        """The entry of the gateway."""

    @property
    @abstractmethod
    def _placeholders(self) -> Mapping[str, str]:
        """The placeholders of the texts."""

    @abstractmethod
    async def _store_options(self, options: Mapping[str, Any]) -> ResultT:
        """Store the options of the way through the cloud, and end the flow."""
