"""The session with the gateway: login, cookie, expiry, and concurrent calls."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from yarl import URL

from enphase_api import (
    AuthenticationError,
    CommunicationError,
    InvalidAnswerError,
    NotAllowedError,
    ResponseError,
)
from enphase_api.local import Gateway
from enphase_companion.simulator import Simulator

from ..servers import create_certificate, run_recorder, run_server

TOKEN = "eyJ0b2tlbg.c2VjcmV0.c2lnbmF0dXJl"


def list_paths(sim: Simulator) -> list[str]:
    return [request.path for request in sim.requests]


async def test_after_the_login_only_the_cookie_is_sent(logged_in: Gateway, sim: Simulator) -> None:
    sim.requests.clear()
    await logged_in.meters()
    await logged_in.readings()
    assert [(request.has_authorization, request.has_session) for request in sim.requests] == [
        (False, True)
    ] * 2


async def test_an_ip_address_keeps_its_session(logged_in: Gateway, sim: Simulator) -> None:
    assert "127.0.0.1" in logged_in.host
    await logged_in.meters()
    assert list_paths(sim).count("/auth/check_jwt") == 1


async def test_the_session_survives_the_connection_that_opened_it(sim: Simulator) -> None:
    # Without `async with` and without a lent session, each call opens its own connection.
    gateway = Gateway(sim.url, certificate=sim.certificate_pem)
    assert await gateway.login(sim.token())
    assert await gateway.meters()
    assert await gateway.inverters()
    assert list_paths(sim).count("/auth/check_jwt") == 1


def create_foreign_jar(url: str) -> aiohttp.CookieJar:
    """Return the cookie jar of a lent session, with cookies of others for the same host."""
    jar = aiohttp.CookieJar(unsafe=True)
    jar.update_cookies({"sessionId": "foreign", "other": "foreign too"}, URL(url))
    return jar


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_lent_sessions_cookies_are_neither_sent_nor_changed(host: str, sim: Simulator) -> None:
    url = sim.url.replace("127.0.0.1", host)
    async with aiohttp.ClientSession(cookie_jar=create_foreign_jar(url)) as session:
        async with Gateway(url, certificate=sim.certificate_pem, session=session) as gateway:
            assert await gateway.login(sim.token())
            # During concurrent calls, the jar never has a cookie that another user could send.
            await asyncio.gather(*(gateway.api_call("/ivp/meters") for _ in range(5)))
            assert list_paths(sim).count("/auth/check_jwt") == 1
        assert not session.closed
        assert sorted(cookie.value for cookie in session.cookie_jar) == ["foreign", "foreign too"]
        assert sim.requests[-1].has_session


async def test_only_connections_and_user_agent_of_a_lent_session_are_used() -> None:
    shown = create_certificate()
    async with run_recorder(shown) as server:
        headers = {"X-Lent": "foreign", "Authorization": "Bearer foreign", "User-Agent": "Lender/1"}
        session = aiohttp.ClientSession(
            cookie_jar=create_foreign_jar(server.url),
            headers=headers,
            raise_for_status=True,
            base_url=server.url,
        )
        async with session:
            gateway = Gateway(server.url, certificate=shown.pem, session=session)
            assert await gateway.login(TOKEN)
            assert await gateway.api_call("/ivp/meters") == {}
        assert b"foreign" not in server.received
        assert b"User-Agent: Lender/1" in server.received
        assert b"Accept-Encoding: identity" in server.received
        # One connection is used for the whole session.
        assert server.connections == 1


async def test_an_unverifiable_gateway_gets_no_cookie() -> None:
    shown = create_certificate()
    answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: sessionId=planted\r\nContent-Length: 2\r\n\r\n{}"
    async with (
        run_recorder(shown, answer) as server,
        aiohttp.ClientSession(cookie_jar=create_foreign_jar(server.url)) as session,
    ):
        looking = Gateway(server.url, cert_file=None, session=session)
        for _ in range(2):
            with pytest.raises(InvalidAnswerError):
                await looking.info()
        believing = Gateway(server.url, session=session, insecure=True)
        assert await believing.login(TOKEN)
        assert await believing.api_call("/ivp/meters") == {}
        assert b"GET /ivp/meters" in server.received
        assert b"cookie" not in server.received.lower()


@pytest.mark.parametrize("value", ['"a b"', "a,b", "a\tb", "a" * 5000, "caf\xe9", ""])
async def test_a_cookie_with_odd_characters_is_no_session(value: str) -> None:
    shown = create_certificate()
    head = f"HTTP/1.1 200 OK\r\nSet-Cookie: sessionId={value}\r\nContent-Length: 2\r\n\r\n{{}}"
    async with run_recorder(shown, head.encode("latin-1")) as server:
        async with Gateway(server.url, certificate=shown.pem) as gateway:
            assert await gateway.login(TOKEN)
            assert await gateway.api_call("/ivp/meters") == {}
        sent = [line for line in server.received.split(b"\r\n") if line.lower().startswith(b"cookie:")]
        assert all(line.removeprefix(b"Cookie: sessionId=").isascii() for line in sent)
        assert not [line for line in sent if b" " in line.removeprefix(b"Cookie: ") or len(line) > 4200]


async def test_a_lent_session_without_verification_does_not_change_trust(sim: Simulator) -> None:
    async with run_recorder(create_certificate("stranger")) as server:
        connector = aiohttp.TCPConnector(ssl=False)
        async with aiohttp.ClientSession(connector=connector) as session:
            gateway = Gateway(server.url, certificate=sim.certificate_pem, session=session)
            with pytest.raises(Exception, match="another certificate"):
                await gateway.login(TOKEN)
        assert server.received == b""


async def test_a_closed_lent_session_is_an_error(sim: Simulator) -> None:
    async with aiohttp.ClientSession() as session:
        gateway = Gateway(sim.url, certificate=sim.certificate_pem, session=session)
    with pytest.raises(CommunicationError, match="is closed"):
        await gateway.login(sim.token())


async def test_proxies_of_the_environment_are_ignored(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_recorder() as proxy:
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        async with Gateway(sim.url, certificate=sim.certificate_pem) as gateway:
            assert await gateway.login(sim.token())
        async with aiohttp.ClientSession(trust_env=True) as session:
            gateway = Gateway(sim.url, certificate=sim.certificate_pem, session=session)
            assert await gateway.login(sim.token())
            assert (await gateway.info()).serial_number == sim.serial_number
        assert proxy.received == b""


async def test_a_session_that_ended_is_opened_again_once_and_silently(
    logged_in: Gateway, sim: Simulator
) -> None:
    sim.restart()
    sim.requests.clear()
    assert await logged_in.meters()
    assert list_paths(sim) == ["/ivp/meters", "/auth/check_jwt", "/ivp/meters"]


async def test_concurrent_calls_with_an_ended_session_open_one_new_session(
    logged_in: Gateway, sim: Simulator
) -> None:
    sim.gateway.sessions.end_all()
    sim.requests.clear()
    answers = await asyncio.gather(*(logged_in.api_call("/ivp/meters") for _ in range(5)))
    assert all(answers)
    assert list_paths(sim) == ["/ivp/meters", "/auth/check_jwt"] + ["/ivp/meters"] * 5


async def test_a_gateway_never_gets_two_requests_at_once() -> None:
    shown, busy = create_certificate(), 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal busy
        await reader.readuntil(b"\r\n\r\n")
        busy += 1
        await asyncio.sleep(0.02)
        writer.write(f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n{busy}".encode())
        busy -= 1

    async with run_server(serve, shown) as url:
        gateway = Gateway(url, certificate=shown.pem)
        assert await gateway.login(TOKEN)
        assert await asyncio.gather(*(gateway.api_call(f"/{n}") for n in range(4))) == [1, 1, 1, 1]


async def test_a_cancelled_call_releases_the_gateway_for_the_next(logged_in: Gateway, sim: Simulator) -> None:
    sim.faults.set("silent", "/production.json")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await logged_in.production()
    assert await logged_in.meters()


@pytest.mark.slow
async def test_a_token_that_expires_during_a_session_is_reported(gateway: Gateway, sim: Simulator) -> None:
    assert await gateway.login(sim.token(lifetime=3))
    await asyncio.sleep(3.1)
    with pytest.raises(
        AuthenticationError, match="no longer accepted by the gateway: get a new one"
    ) as caught:
        await gateway.meters()
    assert not isinstance(caught.value, NotAllowedError)
    # The user provides a new token.
    assert await gateway.login(sim.token())
    assert await gateway.meters()


@pytest.mark.parametrize("kind", ["expired", "another gateway's", "no token", "two lines"])
async def test_a_token_rejected_by_the_gateway_returns_false(
    kind: str, gateway: Gateway, sim: Simulator
) -> None:
    tokens = {
        "expired": sim.token(lifetime=60, issued_ago=3600),
        "another gateway's": sim.token(serial_number="122300000099"),
        "no token": "no token",
        "two lines": f"{sim.token()}\r\nX-Header: smuggled",
    }
    assert await gateway.login(tokens[kind]) is False


async def test_white_space_around_a_pasted_token_does_not_matter(gateway: Gateway, sim: Simulator) -> None:
    assert await gateway.login(f" {sim.token()}\n")


async def test_a_rejected_token_does_not_end_a_working_session(logged_in: Gateway, sim: Simulator) -> None:
    assert not await logged_in.login(sim.token(serial_number="122300000099"))
    sim.requests.clear()
    assert await logged_in.meters()
    assert list_paths(sim) == ["/ivp/meters"]


async def test_a_starting_gateway_is_not_a_rejected_token(gateway: Gateway, sim: Simulator) -> None:
    sim.faults.set("status", "/auth/check_jwt", status=503)
    with pytest.raises(ResponseError) as caught:
        await gateway.login(sim.token())
    assert caught.value.retryable


async def test_no_token_is_sent_with_the_call_after_an_unanswered_login(
    logged_in: Gateway, sim: Simulator
) -> None:
    sim.gateway.sessions.end_all()
    sim.faults.set("reset", "/auth/check_jwt")
    with pytest.raises(CommunicationError):
        await logged_in.meters()
    sim.faults.clear()
    sim.requests.clear()
    assert await logged_in.meters()
    assert [(request.path, request.has_authorization) for request in sim.requests] == [
        ("/ivp/meters", False),
        ("/auth/check_jwt", True),
        ("/ivp/meters", False),
    ]


async def test_a_gateway_without_cookies_gets_the_token_with_each_request() -> None:
    shown = create_certificate()
    async with run_recorder(shown) as server, Gateway(server.url, certificate=shown.pem) as gateway:
        assert await gateway.login(TOKEN)
        assert await gateway.api_call("/ivp/meters") == {}
        assert server.received.count(f"Authorization: Bearer {TOKEN}".encode()) == 2


async def test_a_call_that_requires_a_login_names_it(gateway: Gateway, sim: Simulator) -> None:
    with pytest.raises(AuthenticationError, match="call login first"):
        await gateway.api_call("/ivp/meters")
    assert list_paths(sim) == ["/ivp/meters"]


async def test_a_path_for_another_role_differs_from_a_rejected_token(
    logged_in: Gateway, sim: Simulator
) -> None:
    with pytest.raises(NotAllowedError, match=r"does not allow /installer/agf/index\.json with this"):
        await logged_in.api_call("/installer/agf/index.json")
    assert await logged_in.login(sim.token(role="installer"))
    with pytest.raises(ResponseError) as caught:
        await logged_in.api_call("/installer/agf/index.json")
    assert caught.value.status == 404


async def test_the_client_works_after_its_context_has_closed_its_connections(sim: Simulator) -> None:
    gateway = Gateway(sim.url, certificate=sim.certificate_pem)
    async with gateway:
        assert await gateway.login(sim.token())
        async with gateway:
            assert await gateway.meters()
    assert await gateway.meters()
