"""Home Assistant's shared session: only its connections are used."""

from http.cookies import SimpleCookie

import aiohttp
import pytest
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_create_clientsession
from yarl import URL

from custom_components.enphase_iq_gateway.client import gateway_client
from custom_components.enphase_iq_gateway.enphase_api import CertificateChangedError
from custom_components.enphase_iq_gateway.enphase_api.local import Gateway
from enphase_companion.simulator import Simulator
from tests.enphase_api.servers import create_certificate, create_certificate_and_leaf, run_recorder


async def test_cookies_of_the_shared_session_are_neither_sent_nor_changed(hass: HomeAssistant) -> None:
    shown = create_certificate()
    answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: sessionId=ours\r\nContent-Length: 2\r\n\r\n{}"
    async with run_recorder(shown, answer) as server:
        jar = aiohttp.CookieJar(unsafe=True)
        jar.update_cookies(SimpleCookie({"sessionId": "theirs", "other": "theirs too"}), URL(server.url))
        session = async_create_clientsession(hass, cookie_jar=jar)
        gateway = Gateway(server.url, certificate=shown.pem, session=session)
        assert await gateway.login("eyJ0b2tlbg.c2VjcmV0.c2lnbmF0dXJl")
        assert await gateway.api_call("/ivp/meters") == {}
        assert server.connections == 1
    assert sorted(cookie.value for cookie in jar) == ["theirs", "theirs too"]
    assert b"theirs" not in server.received
    assert b"Cookie: sessionId=ours\r\n" in server.received
    assert b"User-Agent: HomeAssistant/" in server.received


async def test_a_certificate_that_the_trusted_key_signed_is_not_trusted(
    hass: HomeAssistant, simulator: Simulator
) -> None:
    trusted, signed = create_certificate_and_leaf("stranger", is_authority=True)
    # The server, which runs in the same loop, logs that the client closed the connection.
    hass.loop.set_exception_handler(lambda *_: None)
    async with run_recorder(signed) as server:
        gateway = gateway_client(hass, server.url, trusted.pem)
        with pytest.raises(CertificateChangedError):
            await gateway.login(simulator.token())
        assert server.received == b""
