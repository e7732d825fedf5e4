"""The steps of the config flow that find a gateway, and ask whether to trust its certificate."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, override

from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigEntry, ConfigFlowResult
from homeassistant.core import callback
from homeassistant.util.hass_dict import HassKey

from .client import FoundGateway, async_find_gateway, is_trusted
from .const import DOMAIN
from .enphase_api import EnphaseError
from .error_handling import GATEWAY_ERRORS
from .helpers import async_get_words, escape_code, format_fingerprint
from .sign_in_flow import SignInFlow


@dataclass(frozen=True, slots=True)
class Candidate:
    """The device that an open flow has found, as far as it is known; serial numbers may conflict."""

    #: Such as "https://192.168.1.20".
    host: str
    serial_number: str = ""
    key_fingerprint: str = ""


_CANDIDATES: HassKey[dict[str, Candidate]] = HassKey(f"{DOMAIN}_candidates")


class TrustFlow(SignInFlow):
    """Find the gateway, and let the user compare its certificate; serial numbers may conflict."""

    #: The addresses, shown to the user, of other devices that claim the same serial number.
    _shown_rivals: frozenset[str] = frozenset()

    async def _find(
        self, host: str, errors: dict[str, str], texts: Mapping[type[EnphaseError], str] = GATEWAY_ERRORS
    ) -> FoundGateway | None:
        """Identify the gateway at an address; if that fails, return None and set the error."""
        found = await self._call(async_find_gateway(self.hass, host), errors, texts)
        if found is not None:
            self._gateway = found
            if self.source != SOURCE_RECONFIGURE:
                self._set_candidate(
                    Candidate(found.host, found.serial_number, found.certificate.key_fingerprint)
                )
        return found

    def _set_candidate(self, candidate: Candidate) -> None:
        self.hass.data.setdefault(_CANDIDATES, {})[self.flow_id] = candidate

    @property
    def _other_candidates(self) -> list[Candidate]:
        """The devices that the other open flows have found."""
        candidates = self.hass.data.get(_CANDIDATES, {})
        return [candidate for flow_id, candidate in candidates.items() if flow_id != self.flow_id]

    @callback
    @override
    def async_remove(self) -> None:
        """Clean up after the flow."""
        self.hass.data.get(_CANDIDATES, {}).pop(self.flow_id, None)

    async def async_step_trust(
        self, user_input: dict[str, Any] | None = None, errors: dict[str, str] | None = None
    ) -> ConfigFlowResult:
        """Ask whether to trust the certificate of the gateway."""
        if self._new_rivals:
            return await self.async_step_serial_number_conflict()
        if user_input is not None:
            return await self._continue_after_trust()
        return self.async_show_form(
            step_id="trust",
            errors=errors,
            last_step=False,
            description_placeholders=await self._gateway_placeholders(),
        )

    async def async_step_serial_number_conflict(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Warn that another device, with another key, claims the same serial number."""
        if user_input is not None and not self._new_rivals:
            return await self._continue_after_trust()
        self._shown_rivals |= self._rivals
        return self.async_show_form(
            step_id="serial_number_conflict",
            last_step=False,
            description_placeholders=await self._gateway_placeholders()
            | {"others": ", ".join(f"`{escape_code(host)}`" for host in sorted(self._shown_rivals))},
        )

    async def _gateway_placeholders(self) -> dict[str, str]:
        """Return the placeholders for the gateway that was found and its certificate."""
        certificate, metering = self._gateway.certificate, await async_get_words(self.hass, "metering")
        return {
            "host": escape_code(self._gateway.host),
            "serial": self._gateway.serial_number,
            "firmware": escape_code(self._gateway.firmware),
            "metering": metering["yes" if self._gateway.is_metered else "no"],
            "subject": escape_code(certificate.subject),
            "not_before": str(certificate.not_before.date()),
            "not_after": str(certificate.not_after.date()),
            "fingerprint": format_fingerprint(certificate.fingerprint),
        }

    @property
    def _rivals(self) -> set[str]:
        """The addresses of other devices that claim the same serial number with another key."""
        return {
            other.host
            for other in self._other_candidates
            if other.serial_number == self._gateway.serial_number
            and other.key_fingerprint != self._gateway.certificate.key_fingerprint
        }

    @property
    def _new_rivals(self) -> set[str]:
        """Those that were discovered after the form was shown to the user."""
        return self._rivals - self._shown_rivals

    @override
    async def _check_conflict(self) -> ConfigFlowResult | None:
        entry = self._entry
        if entry is not None and is_trusted(entry, self._gateway.certificate):
            return None
        # The other device may have been discovered after this one was trusted.
        return await self.async_step_serial_number_conflict() if self._new_rivals else None

    @property
    @abstractmethod
    def _entry(self) -> ConfigEntry | None:
        """The entry of the gateway, if it is configured already."""

    @abstractmethod
    async def _continue_after_trust(self) -> ConfigFlowResult:
        """Continue with the gateway whose certificate the user has trusted."""
