"""A Home Assistant with one integration, a recorder and its web server, which runs in real time."""

from __future__ import annotations

import asyncio
import logging
import socket
from datetime import timedelta
from pathlib import Path
from time import process_time, thread_time
from typing import override

from homeassistant.auth import auth_manager_from_config
from homeassistant.auth.const import GROUP_ID_READ_ONLY
from homeassistant.auth.models import TOKEN_TYPE_LONG_LIVED_ACCESS_TOKEN
from homeassistant.core import HomeAssistant
from homeassistant.helpers.recorder import async_initialize_recorder
from homeassistant.setup import async_setup_component

from ..demo.folder import write_address
from .home_assistant import HomeAssistantWith
from .loop import occupied
from .measures import Cost, Gateway
from .subjects import connection_data

_HERE = "127.0.0.1"


class ServedHomeAssistant(HomeAssistantWith):
    """One integration in its own Home Assistant with recorder and WebSocket API."""

    _port: int

    @override
    async def start(self) -> None:
        with socket.create_server((_HERE, 0)) as free:
            self._port = free.getsockname()[1]
        storage = Path(self._folder.name) / ".storage"
        storage.mkdir()
        write_address(storage, _HERE, self._port)
        # Messages are not compressed here, so that how quickly that would be done is of no interest.
        logging.getLogger("aiohttp_fast_zlib").setLevel(logging.ERROR)
        await super().start()

    @override
    async def _set_up_more(self, hass: HomeAssistant) -> None:
        hass.auth = await auth_manager_from_config(hass, [], [])
        async_initialize_recorder(hass)
        for component in ("recorder", "http", "websocket_api"):
            if not await async_setup_component(hass, component, {}):
                raise RuntimeError(f"Home Assistant did not set {component} up")

    async def serve(self) -> tuple[str, str]:
        """Return the address of Home Assistant, and a token of a user who may only read."""
        auth = self._hass.auth
        user = await auth.async_create_user("Listener", group_ids=[GROUP_ID_READ_ONLY])
        refresh = await auth.async_create_refresh_token(
            user,
            client_name="benchmark",
            token_type=TOKEN_TYPE_LONG_LIVED_ACCESS_TOKEN,
            access_token_expiration=timedelta(days=1),
        )
        return f"http://{_HERE}:{self._port}", auth.async_create_access_token(refresh)

    async def run(self, seconds: float) -> Cost:
        """Let Home Assistant run; return what that took."""
        changed, unchanged = self._changed, self._unchanged
        cpu, thread, busy = process_time(), thread_time(), occupied()
        await asyncio.sleep(seconds)
        return Cost(
            cpu=process_time() - cpu,
            thread=thread_time() - thread,
            occupied=occupied() - busy,
            changed=self._changed - changed,
            unchanged=self._unchanged - unchanged,
        )


def _served(gateway: Gateway) -> ServedHomeAssistant:
    return ServedHomeAssistant("enphase_iq_gateway", connection_data(gateway), gateway.serial_number)


#: By their names in `one_poll.py`.
SUBJECTS = {"served": _served}
