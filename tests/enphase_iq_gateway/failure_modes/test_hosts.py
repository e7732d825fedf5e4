"""Wrong addresses: no host, no answer, another device, a redirect."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Generator
from contextlib import closing

import pytest
import pytest_socket
from aiohttp.resolver import AsyncResolver
from homeassistant.const import CONF_HOST, STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir

from custom_components.enphase_iq_gateway.const import DOMAIN
from custom_components.enphase_iq_gateway.issues import certificate_issue_id
from enphase_companion.simulator import Simulator
from enphase_companion.simulator.server import Server

from ..conftest import NOON, SetUp, Tick, make_entry, state_of
from ..flow import Flow
from .conftest import PendingRequests, is_loaded
from .watch import AVAILABLE, UNAVAILABLE, WRONG_PASSWORD, Watch

#: Serve the endpoints of a simulated gateway over http, and return the address.
type ServeHttp = Callable[[Simulator], Awaitable[str]]


async def finish_flow(flow: Flow) -> None:
    """Correct the address in the form that is shown, and set the gateway up."""
    await flow.enter_host()
    assert flow.shows("trust")
    await flow.submit()
    await flow.choose("token")
    await flow.enter_token()
    await flow.submit()
    assert flow.shown["type"] is FlowResultType.CREATE_ENTRY


@pytest.fixture
def unknown_name(monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a name that cannot be resolved."""

    async def resolve(*_: object, **__: object) -> None:
        raise OSError(None, "Domain name not found")

    monkeypatch.setattr(AsyncResolver, "resolve", resolve)
    return "no-such-gateway.local"


async def test_an_unknown_name_can_be_corrected(flow: Flow, unknown_name: str) -> None:
    await flow.start()
    await flow.enter_host(unknown_name)
    assert flow.shows("user", "unknown_host")
    await finish_flow(flow)


@pytest.mark.parametrize("host", ["ftp://{}", "wss://{}/home", "?{}", f"owner:{WRONG_PASSWORD}@{{}}"])
async def test_an_address_without_https_can_be_corrected(flow: Flow, simulator: Simulator, host: str) -> None:
    await flow.start()
    await flow.enter_host(host.format(simulator.url.removeprefix("https://")))
    assert flow.shows("user", "invalid_host")
    assert simulator.requests == []
    await finish_flow(flow)


async def test_a_host_that_accepts_connections_but_never_answers_times_out(
    flow: Flow, pending: PendingRequests
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        await flow.start()
        given_up = asyncio.ensure_future(flow.enter_host(f"127.0.0.1:{silent.getsockname()[1]}"))
        for _ in range(60):
            for _ in range(100):
                await asyncio.sleep(0)
            pending.advance(1)
        await given_up
    assert flow.shows("user", "cannot_connect")
    await finish_flow(flow)


@pytest.fixture
def serve_http(simulator: Simulator) -> Generator[ServeHttp]:
    """Start gateways without https, and close them at the end."""
    servers = []

    async def run(gateway: Simulator) -> str:
        servers.append(server := Server(gateway.gateway.handle, "127.0.0.1", 0))
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(server.start(), simulator._loop))
        return f"127.0.0.1:{server.port}"

    yield run
    for server in servers:
        simulator._run(server.stop())


@pytest.mark.parametrize(
    ("profile", "error"), [("old-firmware", "unsupported_firmware"), ("three-phase", "not_https")]
)
async def test_a_gateway_without_https_is_recognized_by_its_firmware(
    flow: Flow, simulator: Simulator, serve_http: ServeHttp, error: str
) -> None:
    address = await serve_http(simulator)
    await flow.start()
    await flow.enter_host(address)
    assert flow.shows("user", error)
    assert {request.path for request in simulator.requests} == {"/info"}


async def test_a_redirect_is_never_followed(
    flow: Flow, simulator: Simulator, other_gateway: Simulator
) -> None:
    await flow.start()
    simulator.faults.set("redirect", "/info", location=f"{other_gateway.url}/info")
    await flow.enter_host()
    assert flow.shows("user", "not_a_gateway")
    simulator.faults.clear()
    await flow.enter_host()
    await flow.submit()
    await flow.choose("token")
    for path in ("/auth/check_jwt", "/ivp/meters"):
        simulator.faults.set("redirect", path, location=f"{other_gateway.url}{path}")
        await flow.enter_token()
        assert flow.shows("token", "not_a_gateway")
        simulator.faults.clear()
    assert other_gateway.requests == []
    await flow.enter_token()
    assert flow.shows("meters_found")


@pytest.mark.parametrize("location", ["https", "http"])
async def test_no_secret_follows_a_redirect_of_a_configured_gateway(
    hass: HomeAssistant,
    simulator: Simulator,
    other_gateway: Simulator,
    set_up: SetUp,
    tick: Tick,
    watch: Watch,
    location: str,
) -> None:
    entry = await set_up(make_entry(simulator))
    simulator.restart()
    simulator.faults.set("redirect", location=other_gateway.url.replace("https", location))
    await tick(61, times=3)
    assert other_gateway.requests == []
    assert state_of(hass, simulator, "production_power") == STATE_UNAVAILABLE
    simulator.faults.clear()
    await tick(61)
    assert float(state_of(hass, simulator, "production_power")) > 0
    assert watch.availability_changes(entry.title) == [UNAVAILABLE, AVAILABLE]


@pytest.mark.parametrize("profile", ["three-phase", "no-meters"])
async def test_another_gateway_at_the_address_gets_no_secret(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick, watch: Watch
) -> None:
    """A router may assign the address of the gateway to another device."""
    entry = await set_up(make_entry(simulator))
    port = simulator._gateway_server.port
    simulator.stop()
    with Simulator("three-phase", seed=2, start=NOON, longitude=0, speed=0, port=port) as other:
        await tick(301, times=5)
        assert other.requests == []
        assert ir.async_get(hass).async_get_issue(DOMAIN, certificate_issue_id(entry)) is not None
        await hass.config_entries.async_reload(entry.entry_id)
        await hass.async_block_till_done(wait_background_tasks=True)
        assert not is_loaded(entry)
        assert other.requests == []
    simulator.start()
    await tick(301, times=2)
    assert is_loaded(entry)
    assert float(state_of(hass, simulator, "production_power")) > 0
    assert ir.async_get(hass).async_get_issue(DOMAIN, certificate_issue_id(entry)) is None
    assert watch.availability_changes(entry.title) == [UNAVAILABLE, AVAILABLE]


@pytest.fixture
def over_ipv6(simulator: Simulator) -> Generator[Simulator]:
    """Yield the IPv6 address of the same gateway."""
    pytest_socket.socket_allow_hosts(["127.0.0.1", "::1"])
    with Simulator("three-phase", start=NOON, longitude=0, speed=0, host="::1") as running:
        yield running
    pytest_socket.socket_allow_hosts(["127.0.0.1"])


async def test_an_ipv6_address_is_accepted(
    hass: HomeAssistant, flow: Flow, over_ipv6: Simulator, tick: Tick
) -> None:
    await flow.start()
    await flow.enter_host("[::1")
    assert flow.shows("user", "invalid_host")
    await flow.enter_host(over_ipv6.url.removeprefix("https://"))
    assert flow.shows("trust")
    await flow.submit()
    await flow.choose("token")
    await flow.enter_token(over_ipv6.token())
    await flow.submit()
    assert flow.shown["type"] is FlowResultType.CREATE_ENTRY
    assert flow.shown["data"][CONF_HOST] == over_ipv6.url
    await hass.async_block_till_done(wait_background_tasks=True)
    await tick(11, times=2)
    assert float(state_of(hass, over_ipv6, "production_power")) > 0
