"""The stream of one gateway's readings from the integration, see docs/messages.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from enphase_api.json_values import printable

from ..config.settings import Settings
from .client import INTEGRATION, HomeAssistant, RefusedError, Subscription, UnavailableError

_INFO, _SUBSCRIBE = f"{INTEGRATION}/info", f"{INTEGRATION}/readings/subscribe"
_CONFIRM = f"{INTEGRATION}/readings/confirm"

#: Events after which they are confirmed; Home Assistant ends a subscription at 120 unconfirmed ones.
CONFIRM_EVERY = 30


class ReadingsStream:
    """The events of a gateway, confirmed as they are read; `open` subscribes to them."""

    def __init__(self, home_assistant: HomeAssistant, settings: Settings, *, panels: bool) -> None:
        self._home_assistant = home_assistant
        serial_number = settings.gateway_serial_number
        self._gateway = {} if serial_number is None else {"gateway_serial_number": serial_number}
        self._panels = {"panels": True} if panels else {}
        self._events: Subscription

    @classmethod
    async def open(
        cls, home_assistant: HomeAssistant, settings: Settings, *, panels: bool = False
    ) -> ReadingsStream:
        """Subscribe to the gateway of these settings; with `panels`, also to its microinverters.

        Raises UnavailableError while Home Assistant starts, RefusedError if it has no such gateway.
        """
        stream = cls(home_assistant, settings, panels=panels)
        await stream._subscribe()
        return stream

    async def _subscribe(self) -> None:
        place = self._home_assistant.place
        try:
            self._events = await self._home_assistant.subscribe(_SUBSCRIBE, **self._gateway, **self._panels)
        except RefusedError as error:
            if error.code == "unknown_command" and await _is_starting(self._home_assistant):
                raise UnavailableError(f"{place} is still starting") from None
            if error.code == "not_found":
                has_none = str(error).endswith("gateway_serial_number: none)")
                advice = "add the gateway there, or " + (
                    "enable it" if has_none else "set gateway_serial_number to one of these"
                )
                raise RefusedError(f"{error}: {advice}", error.code) from None
            raise
        self._received = self._confirmed = 0

    async def next(self) -> Mapping[str, Any]:
        """Return the next event; it may be cancelled without losing one.

        Raises UnavailableError when the subscription has ended, RefusedError when the gateway was removed.
        """
        if self._received - self._confirmed >= CONFIRM_EVERY:
            await self._home_assistant.command(
                _CONFIRM, subscription=self._events.number, received=self._received
            )
            self._confirmed = self._received
        event = await anext(self._events)
        self._received += 1
        found: Mapping[str, Any] = event if isinstance(event, dict) else {}
        if found.get("state") == "removed":
            # It may be there again; otherwise, the error names the gateways that are.
            await self._subscribe()
        if found.get("state") == "too_slow":
            raise UnavailableError(self.reason_of(found))
        return found

    async def info(self) -> Mapping[str, Any]:
        """Return what does not change of the gateway. Raises as `HomeAssistant.command` does."""
        info = await self._home_assistant.command(_INFO, **self._gateway)
        return info if isinstance(info, dict) else {}

    def reason_of(self, event: Mapping[str, Any]) -> str:
        """Return why an event has no readings."""
        reason = event.get("reason")
        shown = printable(reason, 200) if isinstance(reason, str) else "no readings"
        return f"{self._home_assistant.place}: {shown}"


async def _is_starting(home_assistant: HomeAssistant) -> bool:
    config = await home_assistant.command("get_config")
    return isinstance(config, dict) and config.get("state") not in (None, "RUNNING")
