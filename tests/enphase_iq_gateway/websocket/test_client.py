"""The scripts' client of Home Assistant: sign-in, commands, subscriptions, and errors that name the cure."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from homeassistant.core import HomeAssistant

from enphase_companion.home_assistant.client import (
    RefusedError,
    TokenRefusedError,
    UnavailableError,
    connect,
)
from enphase_companion.runtime.errors import SettingsError
from enphase_companion.simulator import Simulator

from .conftest import Configure

pytestmark = [
    pytest.mark.filterwarnings("ignore:It is recommended to use web"),  # Home Assistant's own
    pytest.mark.parametrize("expected_lingering_timers", [True]),  # aiohttp's, of the next ping
]


async def test_commands_have_results_and_subscriptions_events(
    hass: HomeAssistant, configure: Configure
) -> None:
    async with connect(configure()) as home_assistant:
        config = await home_assistant.command("get_config")
        assert config["version"] == home_assistant.version
        events = await home_assistant.subscribe("subscribe_events", event_type="tried")
        hass.bus.async_fire("tried", {"value": 1})
        hass.bus.async_fire("tried", {"value": 2})
        assert [(await anext(events))["data"]["value"] for _ in range(2)] == [1, 2]
        # Commands and events share the connection.
        assert (await home_assistant.command("get_config"))["version"] == config["version"]


async def test_a_refused_command_names_the_reason(configure: Configure) -> None:
    async with connect(configure()) as home_assistant:
        with pytest.raises(RefusedError, match=r"refuses no_such_command: Unknown command") as error:
            await home_assistant.command("no_such_command")
        assert error.value.code == "unknown_command"


async def test_the_error_of_a_refused_token_names_the_setting_and_not_the_token(configure: Configure) -> None:
    settings = configure(home_assistant_token="eyJhbGciOi.wrong.token")
    with pytest.raises(TokenRefusedError, match=r"home_assistant_token: .* refuses this token") as error:
        async with connect(settings):
            pass
    assert "eyJhbGciOi" not in f"{error.value}{error.value.__cause__!r}{settings!r}"


@asynccontextmanager
async def web_server(
    handle: Callable[[web.Request], Awaitable[web.StreamResponse]], context: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """Yield the address of a web server with this answer to everything."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    server = site._server
    assert isinstance(server, asyncio.Server)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"{'http' if context is None else 'https'}://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def error_at(configure: Configure, url: str) -> str:
    with pytest.raises(UnavailableError) as error:
        async with connect(configure(home_assistant_url=url)):
            pass
    return str(error.value)


async def test_no_token_follows_a_redirect(url: str, configure: Configure) -> None:
    seen: list[str] = []

    async def redirect(request: web.Request) -> web.StreamResponse:
        seen.append(request.path)
        raise web.HTTPFound(f"{url}/api/websocket")

    async with web_server(redirect) as other:
        assert "redirects, so no token was sent: use its final address" in await error_at(configure, other)
    assert seen == ["/api/websocket"]


async def test_no_token_is_sent_to_an_untrusted_certificate(
    simulator: Simulator, configure: Configure
) -> None:
    simulator.requests.clear()
    message = await error_at(configure, simulator.url)
    assert "has a certificate that cannot be verified" in message
    assert "so no token was sent" in message
    assert simulator.requests == []


async def test_what_is_wrong_with_the_address_is_named(simulator: Simulator, configure: Configure) -> None:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(text="a router")

    assert "refuses the connection: check the port" in await error_at(configure, "http://127.0.0.1:1")
    async with web_server(answer) as other:
        assert "answers, but is not Home Assistant" in await error_at(configure, other)
        assert "does not answer with TLS" in await error_at(configure, other.replace("http:", "https:"))


@pytest.mark.parametrize(
    ("status", "expected"),
    [(403, "refuses this machine: look for its address in"), (502, "answers with status 502, as while")],
)
async def test_an_error_page_is_explained(configure: Configure, status: int, expected: str) -> None:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status)

    async with web_server(answer) as other:
        assert expected in await error_at(configure, other)


async def test_another_websocket_is_not_taken_for_home_assistant(configure: Configure) -> None:
    received: list[str] = []

    async def greet(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "welcome"})
        received.extend([message.data async for message in socket])
        return socket

    async with web_server(greet) as other:
        assert "answers, but is not Home Assistant" in await error_at(configure, other)
    assert received == []


@pytest.mark.parametrize("lost", ["home_assistant_url", "home_assistant_token"])
async def test_a_missing_setting_is_named(configure: Configure, lost: str) -> None:
    with pytest.raises(SettingsError, match=f"{lost}: is missing: "):
        async with connect(configure(**{lost: None})):
            pass
