"""Renew the token before it expires: automatically if the password is stored, else by reauthentication."""

from datetime import datetime, timedelta

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.const import CONF_PASSWORD, CONF_TOKEN, CONF_USERNAME
from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from .client import async_get_token
from .const import DOMAIN, LOGGER
from .enphase_api import AuthenticationError, EnphaseError
from .enphase_api.cloud import Token
from .enphase_api.local import Gateway
from .helpers import log_name

#: Tokens of owners are valid for a year, those of installers for 12 hours.
_MAX_LEAD_TIME = timedelta(days=30)

#: The minimum time between two attempts.
_RETRY_INTERVAL = timedelta(hours=1)

#: When the renewal of each entry's token was last attempted; kept while the setup is retried.
_ATTEMPTED_AT: HassKey[dict[str, datetime]] = HassKey(f"{DOMAIN}_renewal_attempted_at")


class TokenRenewal:
    """Renew the token of an entry.

    Raises TokenError if the entry has no valid token.
    """

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, gateway: Gateway) -> None:
        self._hass = hass
        self._entry = entry
        self._gateway = gateway
        self._raw = entry.data[CONF_TOKEN]
        self._token = Token.parse(self._raw)

    @property
    def token(self) -> Token:
        """The token of the entry, which a renewal from before a reload may have replaced."""
        raw = self._entry.data[CONF_TOKEN]
        # Read in each background poll: parse only once.
        if raw is not self._raw:
            self._raw, self._token = raw, Token.parse(raw)
        return self._token

    @property
    def due_at(self) -> datetime:
        """When to renew: 30 days or a tenth of the token's lifetime before it expires, whichever is less."""
        lifetime = self.token.expires_at - self.token.issued_at
        return self.token.expires_at - min(_MAX_LEAD_TIME, lifetime / 10)

    @property
    def is_possible(self) -> bool:
        """Whether the token can be renewed without the user."""
        return CONF_PASSWORD in self._entry.data

    @callback
    def async_renew_if_due(self, *, is_rejected: bool = False) -> None:
        """Renew a token that expires soon or was rejected, in the background or by reauthentication."""
        now = dt_util.utcnow()
        attempted_at = self._hass.data.setdefault(_ATTEMPTED_AT, {})
        last = attempted_at.get(self._entry.entry_id)
        if not (is_rejected or now >= self.due_at) or (last is not None and now - last < _RETRY_INTERVAL):
            return
        attempted_at[self._entry.entry_id] = now
        if self.is_possible:
            # Not a task of the entry: those are cancelled if the setup fails with the old token.
            self._hass.async_create_background_task(self._renew(), f"{log_name(self._entry)} renew token")
        elif not is_rejected:
            self._entry.async_start_reauth(self._hass)

    async def _renew(self) -> None:
        data, failure = self._entry.data, None
        token = ""
        try:
            token = await async_get_token(
                self._hass, data[CONF_USERNAME], data[CONF_PASSWORD], str(self._entry.unique_id)
            )
            if not await self._gateway.login(token):
                raise EnphaseError("the gateway rejects the new token")
            Token.parse(token)
        except EnphaseError as error:
            failure = error
        entries, entry = self._hass.config_entries, self._entry
        if entries.async_get_entry(entry.entry_id) is None:
            # Removed in the meantime.
            return
        if isinstance(failure, AuthenticationError):
            entry.async_start_reauth(self._hass)
        elif failure is not None:
            LOGGER.warning("%s: token not renewed, retrying in an hour: %s", log_name(entry), failure)
        else:
            entries.async_update_entry(entry, data={**entry.data, CONF_TOKEN: token})
            if entry.state is ConfigEntryState.LOADED and entry.runtime_data.token_renewal is not self:
                # Reloaded in the meantime: its client has logged in with the old token.
                entries.async_schedule_reload(entry.entry_id)
            LOGGER.info("%s: token renewed until %s", log_name(self._entry), self.token.expires_at.date())
