"""OAuth sign-in with PKCE: a code from Entrez, and a token from Entrez or through the gateway."""

from __future__ import annotations

import base64
import hashlib

import aiohttp
import pytest
from aiohttp import web

from enphase_api import AuthenticationError, MultiFactorError, ResponseError
from enphase_api.cloud import Authentication
from enphase_api.local import Gateway
from enphase_companion.simulator import Simulator
from enphase_companion.simulator.entrez import MFA_USERNAME

from ..servers import create_certificate, run_entrez, run_recorder
from .entrez_pages import LOGIN_FORM, answer_page


async def fetch_code_and_verifier(sim: Simulator) -> tuple[str, str]:
    return await Authentication.authenticate_oauth(
        sim.username, sim.password, sim.serial_number, host=sim.entrez_url
    )


async def test_a_code_becomes_a_token_at_entrez(sim: Simulator) -> None:
    code, verifier = await fetch_code_and_verifier(sim)
    tokens = await Authentication.get_token_from_oauth(code, verifier, host=sim.entrez_url)
    assert Authentication.check_token_valid(tokens["access_token"], sim.serial_number)


async def test_a_code_becomes_a_login_through_the_gateway(sim: Simulator, gateway: Gateway) -> None:
    assert await gateway.login_oauth_code(*await fetch_code_and_verifier(sim))
    assert await gateway.meters()


async def test_a_code_works_once(sim: Simulator, gateway: Gateway) -> None:
    code, verifier = await fetch_code_and_verifier(sim)
    await gateway.login_oauth_code(code, verifier)
    with pytest.raises(AuthenticationError, match="new code"):
        await gateway.login_oauth_code(code, verifier)
    with pytest.raises(AuthenticationError, match="new code"):
        await Authentication.get_token_from_oauth(code, verifier, host=sim.entrez_url)


async def test_a_stolen_code_is_useless_without_its_verifier(sim: Simulator) -> None:
    code, _ = await fetch_code_and_verifier(sim)
    with pytest.raises(AuthenticationError):
        await Authentication.get_token_from_oauth(code, "x" * 64, host=sim.entrez_url)


async def test_the_challenge_is_the_sha256_of_a_unique_verifier() -> None:
    seen = []

    async def answer(request: web.Request) -> web.StreamResponse:
        form = await request.post()
        if request.method == "GET":
            return web.Response()
        seen.append(form)
        return web.Response(status=302, headers={"Location": f"{form.getone('redirectUri')!s}?code=c0de"})

    async with run_entrez(answer) as url, aiohttp.ClientSession() as session:
        pairs = [
            await Authentication.authenticate_oauth("me", "s3cr3t", host=url, session=session) for _ in (1, 2)
        ]
    for form, (code, verifier) in zip(seen, pairs, strict=True):
        digest = hashlib.sha256(verifier.encode()).digest()
        assert form["codeChallenge"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")
        assert verifier not in form.values()
        assert 43 <= len(verifier) <= 128
        assert code == "c0de"
        assert form["serialNum"] == "un-commissioned"
    assert pairs[0][1] != pairs[1][1]


async def test_a_wrong_password_yields_no_code(sim: Simulator) -> None:
    with pytest.raises(AuthenticationError, match="rejected the user name and password"):
        await Authentication.authenticate_oauth(sim.username, "wrong", host=sim.entrez_url)
    async with run_entrez(answer_page(LOGIN_FORM.format(error="Wrong username or password"))) as url:
        with pytest.raises(AuthenticationError, match="rejected the user name and password"):
            await Authentication.authenticate_oauth("me", "wrong", host=url)


async def test_an_account_with_a_second_factor_gets_no_code(sim: Simulator) -> None:
    with pytest.raises(MultiFactorError):
        await Authentication.authenticate_oauth(MFA_USERNAME, sim.password, host=sim.entrez_url)


@pytest.mark.parametrize(
    "answer", [answer_page("<h1>Welcome</h1>"), answer_page(status=500)], ids=["page", "500"]
)
async def test_an_answer_without_a_code_is_an_error(answer: object) -> None:
    async with run_entrez(answer) as url:  # type: ignore[arg-type]
        with pytest.raises(ResponseError):
            await Authentication.authenticate_oauth("me", "s3cr3t", host=url)


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_a_code_rejected_by_entrez_is_not_an_outage(status: int) -> None:
    async with run_entrez(answer_page(status=status)) as url:
        with pytest.raises(AuthenticationError, match="new code"):
            await Authentication.get_token_from_oauth("code", "verifier", host=url)


async def test_an_outage_is_not_a_rejected_code() -> None:
    async with run_entrez(answer_page(status=503)) as url:
        with pytest.raises(ResponseError) as caught:
            await Authentication.get_token_from_oauth("code", "verifier", host=url)
        assert caught.value.retryable


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", AuthenticationError),
        (b"HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n", ResponseError),
    ],
)
async def test_the_error_reports_a_gateway_that_gets_no_token(answer: bytes, error: type[Exception]) -> None:
    shown = create_certificate()
    async with run_recorder(shown, answer) as server, Gateway(server.url, certificate=shown.pem) as gateway:
        with pytest.raises(error):
            await gateway.login_oauth_code("code", "verifier")


async def test_no_code_is_sent_to_an_untrusted_gateway(sim: Simulator) -> None:
    async with run_recorder(create_certificate("stranger")) as server:
        gateway = Gateway(server.url, certificate=sim.certificate_pem)
        with pytest.raises(Exception, match="another certificate"):
            await gateway.login_oauth_code("code", "verifier")
        assert server.received == b""
