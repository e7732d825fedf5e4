"""The renewal of a token before it ends: by itself where the owner left the password, else by asking."""

from datetime import datetime, timedelta

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.const import CONF_PASSWORD, CONF_TOKEN, CONF_USERNAME
from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from .connection import async_get_token
from .const import DOMAIN, LOGGER
from .enphase_api import AuthenticationError, EnphaseError
from .enphase_api.cloud import Token
from .enphase_api.local import Gateway
from .naming import log_name

#: Entrez gives an owner's token for a year, an installer's for 12 hours.
_LONGEST_NOTICE = timedelta(days=30)

#: Entrez is asked at most this often.
_PACE = timedelta(hours=1)

#: When each entry's token was last to be renewed; it outlives the attempts to set the entry up.
_TRIED_AT: HassKey[dict[str, datetime]] = HassKey(f"{DOMAIN}_renewal_tried_at")


class TokenRenewal:
    """Keeps an entry's token young.

    Raises TokenError where the entry holds no token at all.
    """

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, gateway: Gateway) -> None:
        self._hass = hass
        self._entry = entry
        self._gateway = gateway
        self._raw = entry.data[CONF_TOKEN]
        self._token = Token.parse(self._raw)

    @property
    def token(self) -> Token:
        """The entry's token as it is now: another renewal, from before a reload, may have changed it."""
        raw = self._entry.data[CONF_TOKEN]
        # Looked at in each refresh, which parsing would double.
        if raw is not self._raw:
            self._raw, self._token = raw, Token.parse(raw)
        return self._token

    @property
    def due_at(self) -> datetime:
        """When to renew: 30 days or a tenth of the token's life before its end, whichever is less."""
        life = self.token.expires_at - self.token.issued_at
        return self.token.expires_at - min(_LONGEST_NOTICE, life / 10)

    @property
    def is_possible(self) -> bool:
        """Whether the token can be renewed without the owner."""
        return CONF_PASSWORD in self._entry.data

    @callback
    def async_renew_if_due(self, *, refused: bool = False) -> None:
        """Renew the token in the background, or ask the owner, where it is near its end or was `refused`."""
        now = dt_util.utcnow()
        tried_at = self._hass.data.setdefault(_TRIED_AT, {})
        last = tried_at.get(self._entry.entry_id)
        if not (refused or now >= self.due_at) or (last is not None and now - last < _PACE):
            return
        tried_at[self._entry.entry_id] = now
        if self.is_possible:
            # Not a task of the entry's: where the entry cannot be set up with the old token, those are ended.
            self._hass.async_create_background_task(self._renew(), f"{log_name(self._entry)} renew token")
        elif not refused:
            self._entry.async_start_reauth(self._hass)

    async def _renew(self) -> None:
        data, failure = self._entry.data, None
        token = ""
        try:
            token = await async_get_token(
                self._hass, data[CONF_USERNAME], data[CONF_PASSWORD], str(self._entry.unique_id)
            )
            if not await self._gateway.login(token):
                raise EnphaseError("The gateway refuses the new token.")
            Token.parse(token)
        except EnphaseError as error:
            failure = error
        entries, entry = self._hass.config_entries, self._entry
        if entries.async_get_entry(entry.entry_id) is None:
            # Removed meanwhile.
            return
        if isinstance(failure, AuthenticationError):
            entry.async_start_reauth(self._hass)
        elif failure is not None:
            LOGGER.warning(
                "%s: its token is not renewed, trying again in an hour: %s", log_name(entry), failure
            )
        else:
            entries.async_update_entry(entry, data={**entry.data, CONF_TOKEN: token})
            if entry.state is ConfigEntryState.LOADED and entry.runtime_data.renewal is not self:
                # Reloaded meanwhile: the client of now has logged in with the old token.
                entries.async_schedule_reload(entry.entry_id)
            LOGGER.info(
                "%s: the token was renewed until %s", log_name(self._entry), self.token.expires_at.date()
            )
