"""What the client's errors mean to Home Assistant, and how long each of them is waited for."""

from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import NoReturn

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ConfigEntryAuthFailed, ConfigEntryError
from homeassistant.helpers.update_coordinator import UpdateFailed
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from .certificate_issue import async_create_issue, async_delete_issue
from .connection import error_placeholders
from .const import CERTIFICATE_PACE, DOMAIN
from .enphase_api import (
    AuthenticationError,
    CertificateChangedError,
    CommunicationError,
    EnphaseError,
    InvalidAnswerError,
    NotAllowedError,
    ResponseError,
    UnsupportedFirmwareError,
)
from .enphase_api.local import Gateway
from .renewal import TokenRenewal

#: Since when each entry's gateway has refused its token; it outlives the attempts to set the entry up.
_REFUSED_SINCE: HassKey[dict[str, datetime]] = HassKey(f"{DOMAIN}_refused_since")

#: A gateway that has just started refuses good tokens until it knows the time.
_REFUSAL_PATIENCE = timedelta(minutes=10)

#: A gateway that does not answer is asked more and more rarely, but at least this often.
_LONGEST_WAIT = timedelta(minutes=1)


class Failures:
    """The failures of one gateway, one upon the other."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        gateway: Gateway,
        renewal: TokenRenewal,
        interval: timedelta,
    ) -> None:
        self._hass = hass
        self._entry = entry
        self._gateway = gateway
        self._renewal = renewal
        self._interval = interval
        self._count = 0

    def forget(self) -> None:
        """Note that the gateway has answered as it should."""
        self._count = 0
        self._forget_refusals()
        async_delete_issue(self._hass, self._entry)

    async def mapped[T](self, request: Awaitable[T]) -> T:
        """Give what a request gives; an error becomes the one that means it to Home Assistant.

        Raises UpdateFailed, with the time to wait, where trying again may help; ConfigEntryAuthFailed where
        only another sign-in does; ConfigEntryError where nothing does.
        """
        try:
            return await request
        except CertificateChangedError as error:
            # Nothing was sent, and nothing will be: each further look ends within the handshake, until the
            # owner trusts this certificate, or the trusted one is shown again.
            async_create_issue(self._hass, self._entry, error)
            raise self._failed("certificate_changed", error, CERTIFICATE_PACE) from error
        except UnsupportedFirmwareError as error:
            raise ConfigEntryError(
                translation_domain=DOMAIN,
                translation_key="unsupported_firmware",
                translation_placeholders={"firmware": error.firmware},
            ) from error
        except NotAllowedError as error:
            raise self._failed("forbidden", error) from error
        except AuthenticationError as error:
            self._refused(error)
        except CommunicationError as error:
            raise self._failed("cannot_connect", error) from error
        except InvalidAnswerError as error:
            raise self._failed("invalid_response", error) from error
        except ResponseError as error:
            raise self._failed("http_error", error) from error
        except EnphaseError as error:
            raise self._failed("communication_error", error) from error

    def _failed(self, key: str, error: EnphaseError, wait: timedelta | None = None) -> UpdateFailed:
        """Say what failed, and when to try again."""
        self._count += 1
        if key != "token_rejected":
            # Whatever else goes wrong, it no longer is refusal upon refusal.
            self._forget_refusals()
        wait = wait or min(self._interval * 2 ** min(self._count, 10), _LONGEST_WAIT)
        return UpdateFailed(
            translation_domain=DOMAIN,
            translation_key=key,
            translation_placeholders={
                "name": self._entry.title,
                "host": self._gateway.host,
                **error_placeholders(error),
            },
            retry_after=wait.total_seconds(),
        )

    def _forget_refusals(self) -> None:
        self._hass.data.get(_REFUSED_SINCE, {}).pop(self._entry.entry_id, None)

    def _refused(self, error: AuthenticationError) -> NoReturn:
        """Say that the gateway refuses the token: for now, or until the owner signs in again."""
        now = dt_util.utcnow()
        since = self._hass.data.setdefault(_REFUSED_SINCE, {}).setdefault(self._entry.entry_id, now)
        self._renewal.async_renew_if_due(refused=True)
        has_ended = self._renewal.token.expires_at <= now
        # While a renewal may still help, the gateway goes on being asked; the renewal asks the owner itself.
        if not self._renewal.is_possible and (has_ended or now - since >= _REFUSAL_PATIENCE):
            raise ConfigEntryAuthFailed(
                translation_domain=DOMAIN,
                translation_key="token_rejected",
                translation_placeholders={"name": self._entry.title},
            ) from error
        raise self._failed("token_rejected", error) from error
