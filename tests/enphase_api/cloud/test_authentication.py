"""Sign-in to Entrez: success, rejection, and failures of Entrez."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web

from enphase_api import (
    AuthenticationError,
    CommunicationError,
    InvalidAnswerError,
    InvalidHostError,
    MultiFactorError,
    ResponseError,
    TokenError,
)
from enphase_api.cloud import Authentication, Enlighten, Token
from enphase_companion.simulator import Simulator
from enphase_companion.simulator.entrez import INSTALLER_USERNAME, MFA_USERNAME

from ..servers import run_entrez, run_recorder
from .entrez_pages import LOGIN_FORM, SELECT_GATEWAY, Answer, answer_page


async def sign_in(answer: Answer) -> bool:
    async with run_entrez(answer) as url:
        return await Authentication(host=url).authenticate("me@example.com", "s3cr3t")


async def test_the_right_password_signs_in(sim: Simulator) -> None:
    assert await Authentication(host=sim.entrez_url).authenticate(sim.username, sim.password)


async def test_a_wrong_password_returns_false(sim: Simulator) -> None:
    assert not await Authentication(host=sim.entrez_url).authenticate(sim.username, "wrong")


@pytest.mark.parametrize(
    "answer",
    [
        answer_page(LOGIN_FORM.format(error="Wrong username or password")),
        answer_page("Unauthorized", status=401, cookies=()),
        answer_page(status=302, location="/login?error"),
        answer_page(status=302, location="https://entrez.example/login_main_page"),
    ],
    ids=["form again", "401", "redirect to the form", "redirect elsewhere to log in"],
)
async def test_every_form_of_a_rejection_is_recognized(answer: Answer) -> None:
    assert not await sign_in(answer)


@pytest.mark.parametrize(
    "answer",
    [
        answer_page(SELECT_GATEWAY),
        answer_page(),
        answer_page(status=302, location="/"),
        answer_page(status=303, location="entrez_tokens"),
    ],
    ids=["select gateway", "empty page", "redirect to /", "relative redirect"],
)
async def test_every_form_of_a_success_is_recognized(answer: Answer) -> None:
    assert await sign_in(answer)


@pytest.mark.parametrize(
    "answer",
    [
        answer_page('<form action="/mfa"><input name="otp"></form>'),
        answer_page("<p>Enter the verification code that we sent to you.</p>"),
        answer_page('{"success": true, "requires_mfa": true}'),
        answer_page("<p>Loading</p>", cookies=("SESSION", "login_otp_nonce")),
        answer_page(status=302, location="/login/mfa"),
        answer_page("<p>Two-factor authentication</p>", status=401),
    ],
    ids=["field", "text", "json", "cookie", "redirect", "401"],
)
async def test_the_error_for_a_second_factor_names_a_solution(answer: Answer) -> None:
    with pytest.raises(MultiFactorError, match=r"second factor.*create a token there and paste it"):
        await sign_in(answer)


async def test_a_second_factor_differs_from_a_wrong_password(sim: Simulator) -> None:
    authentication = Authentication(host=sim.entrez_url)
    with pytest.raises(MultiFactorError):
        await authentication.authenticate(MFA_USERNAME, sim.password)
    assert not await authentication.authenticate(MFA_USERNAME, "wrong")


@pytest.mark.parametrize(
    ("answer", "retryable"),
    [
        (answer_page("down, one-time maintenance", status=503), True),
        (answer_page("slow down", status=429), True),
        (answer_page("firewall", status=403), False),
        (answer_page(status=302, location="https://elsewhere.example/"), True),
        (answer_page(status=302), True),
        (answer_page(status=302, location="http://[not-an-address"), True),
        (answer_page(SELECT_GATEWAY, cookies=()), True),
    ],
    ids=["503", "429", "403", "redirect away", "redirect nowhere", "redirect to nonsense", "no cookie"],
)
async def test_a_failure_of_entrez_is_an_error_and_not_false(answer: Answer, retryable: bool) -> None:
    with pytest.raises(ResponseError) as caught:
        await sign_in(answer)
    assert caught.value.retryable is retryable
    assert caught.value.path == "/login"


async def test_an_entrez_that_does_not_answer_is_an_error_and_not_false(unused_tcp_port: int) -> None:
    authentication = Authentication(host=f"http://127.0.0.1:{unused_tcp_port}")
    with pytest.raises(CommunicationError, match=r"Entrez \(127.0.0.1\) did not answer /login") as caught:
        await authentication.authenticate("me@example.com", "s3cr3t")
    assert caught.value.retryable


async def test_a_failed_sign_in_ends_the_one_before(sim: Simulator) -> None:
    authentication = Authentication(host=sim.entrez_url)
    assert await authentication.authenticate(sim.username, sim.password)
    assert not await authentication.authenticate(sim.username, "wrong")
    with pytest.raises(AuthenticationError, match="call authenticate first"):
        await authentication.get_token_for_commissioned_gateway(sim.serial_number)


async def test_a_redirect_does_not_receive_the_password() -> None:
    async with run_recorder() as elsewhere:
        for status in (302, 307, 308):
            with pytest.raises(ResponseError):
                await sign_in(answer_page(status=status, location=f"{elsewhere.url}/"))
        assert elsewhere.received == b""


@pytest.mark.parametrize(
    "host", ["http://entrez.example", "ftp://entrez.example", "http://127.0.0.1.example"]
)
def test_a_password_is_never_sent_in_plain_text_over_a_network(host: str) -> None:
    with pytest.raises(InvalidHostError, match="https"):
        Authentication(host=host)


async def test_a_lent_session_keeps_no_cookie_and_stays_open(sim: Simulator) -> None:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        async with Authentication(session, host=sim.entrez_url) as authentication:
            assert await authentication.authenticate(sim.username, sim.password)
            assert await authentication.get_token_for_commissioned_gateway(sim.serial_number)
        assert not session.closed
        assert list(session.cookie_jar) == []


async def test_an_owners_token_is_valid_for_a_year_and_an_installers_for_half_a_day(sim: Simulator) -> None:
    async with Authentication(host=sim.entrez_url) as authentication:
        for username, role, hours in (
            (sim.username, "owner", 365 * 24),
            (INSTALLER_USERNAME, "installer", 12),
        ):
            assert await authentication.authenticate(username, sim.password)
            token = Token.parse(await authentication.get_token_for_commissioned_gateway(sim.serial_number))
            assert (token.role, token.serial_number) == (role, sim.serial_number)
            assert (token.expires_at - token.issued_at).total_seconds() == hours * 3600


async def test_a_token_for_a_gateway_without_a_site_has_no_serial_number(sim: Simulator) -> None:
    authentication = Authentication(host=sim.entrez_url)
    await authentication.authenticate(sim.username, sim.password)
    token = await authentication.get_token_for_uncommissioned_gateway()
    assert Token.parse(token).serial_number is None
    assert Authentication.check_token_valid(token, sim.serial_number)


async def test_the_error_for_the_gateway_of_another_owner_names_a_solution(sim: Simulator) -> None:
    authentication = Authentication(host=sim.entrez_url)
    await authentication.authenticate(sim.username, sim.password)
    with pytest.raises(TokenError, match=r"no token for gateway 122399999999: check its serial number"):
        await authentication.get_token_for_commissioned_gateway("122399999999")


async def test_a_serial_number_may_be_a_number(sim: Simulator) -> None:
    authentication = Authentication(host=sim.entrez_url)
    await authentication.authenticate(sim.username, sim.password)
    token = await authentication.get_token_for_commissioned_gateway(int(sim.serial_number))
    assert Authentication.check_token_valid(token, int(sim.serial_number))


@pytest.mark.parametrize("call", ["commissioned", "uncommissioned", "site"])
async def test_without_a_sign_in_no_request_is_sent(call: str, sim: Simulator) -> None:
    authentication = Authentication(host=sim.entrez_url)
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "commissioned": lambda: authentication.get_token_for_commissioned_gateway("122300000001"),
        "uncommissioned": authentication.get_token_for_uncommissioned_gateway,
        "site": lambda: authentication.get_site("home"),
    }
    with pytest.raises(AuthenticationError, match="call authenticate first"):
        await calls[call]()
    assert sim.entrez_requests == []


def accept_sign_in_then(answer: Answer) -> Answer:
    """Accept every sign-in, and answer all other requests with `answer`."""

    async def route(request: web.Request) -> web.StreamResponse:
        signs_in = request.path in ("/login", "/login_main_page")
        return await (answer_page(SELECT_GATEWAY) if signs_in else answer)(request)

    return route


@pytest.mark.parametrize(
    "answer",
    [
        answer_page(LOGIN_FORM.format(error="")),
        answer_page(status=302, location="/login"),
        answer_page(status=401),
    ],
    ids=["form", "redirect", "401"],
)
async def test_an_ended_sign_in_is_reported_and_forgotten(answer: Answer) -> None:
    async with run_entrez(accept_sign_in_then(answer)) as url:
        authentication = Authentication(host=url)
        await authentication.authenticate("me@example.com", "s3cr3t")
        with pytest.raises(AuthenticationError, match=r"has ended: call authenticate again"):
            await authentication.get_token_for_commissioned_gateway("122300000001")
        with pytest.raises(AuthenticationError, match="call authenticate first"):
            await authentication.get_site("home")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (answer_page(status=500), ResponseError),
        (answer_page(status=403), ResponseError),
        (answer_page(status=302, location="/"), InvalidAnswerError),
        (answer_page('<textarea id="JWTToken">Sorry, no tokens today</textarea>'), TokenError),
        (answer_page('<textarea id="JWTToken"></textarea>'), TokenError),
    ],
    ids=["500", "403", "redirect", "no token in its place", "nothing in its place"],
)
async def test_a_page_without_a_token_is_an_error(answer: Answer, error: type[Exception]) -> None:
    async with run_entrez(accept_sign_in_then(answer)) as url:
        authentication = Authentication(host=url)
        await authentication.authenticate("me@example.com", "s3cr3t")
        with pytest.raises(error):
            await authentication.get_token_for_commissioned_gateway("122300000001")


async def test_a_rejected_token_page_does_not_end_the_sign_in(sim: Simulator) -> None:
    authentication = Authentication(host=sim.entrez_url)
    await authentication.authenticate(sim.username, sim.password)
    sim.entrez.faults.set("status", "/entrez_tokens", status=403)
    with pytest.raises(ResponseError) as caught:
        await authentication.get_token_for_commissioned_gateway(sim.serial_number)
    assert (caught.value.path, caught.value.status) == ("/entrez_tokens", 403)
    sim.entrez.faults.clear()
    assert await authentication.get_token_for_commissioned_gateway(sim.serial_number)


async def test_site_names_with_special_characters_are_quoted() -> None:
    requested = []

    async def answer(request: web.Request) -> web.StreamResponse:
        requested.append(request.raw_path)
        return web.json_response([{"id": 7, "name": "My home", "serial_numbers": ["122300000001"]}])

    async with run_entrez(accept_sign_in_then(answer)) as url:
        authentication = Authentication(host=url)
        await authentication.authenticate("me@example.com", "s3cr3t")
        sites = await authentication.get_site("My home/../é?x")
    assert sites[0]["serial_numbers"] == ["122300000001"]
    assert requested == ["/site/My%20home%2F..%2F%C3%A9%3Fx"]


async def test_a_page_as_the_answer_of_a_search_is_an_error() -> None:
    async with run_entrez(accept_sign_in_then(answer_page("<h1>Welcome</h1>"))) as url:
        authentication = Authentication(host=url)
        await authentication.authenticate("me@example.com", "s3cr3t")
        with pytest.raises(InvalidAnswerError, match="not with JSON"):
            await authentication.get_site("home")


async def test_signing_out_ends_the_sign_in(sim: Simulator) -> None:
    authentication = Authentication(host=sim.entrez_url)
    assert not await authentication.logout()
    await authentication.authenticate(sim.username, sim.password)
    assert await authentication.logout()
    assert not await authentication.logout()
    assert [request.path for request in sim.entrez_requests] == ["/login_main_page", "/login", "/logout"]
    assert sim.entrez_requests[-1].has_session


async def test_a_failed_sign_out_returns_false_and_is_forgotten() -> None:
    async with run_entrez(accept_sign_in_then(answer_page(status=500))) as url:
        authentication = Authentication(host=url)
        await authentication.authenticate("me@example.com", "s3cr3t")
        assert not await authentication.logout()
        assert not await authentication.logout()


async def test_a_session_of_enlighten_yields_a_token(sim: Simulator) -> None:
    session_id = await Enlighten(host=sim.entrez_url).authenticate(sim.username, sim.password)
    token = await Authentication(host=sim.entrez_url).get_token_from_enlighten_session_id(
        session_id, sim.serial_number, sim.username
    )
    assert Authentication.check_token_valid(token, sim.serial_number)


@pytest.mark.parametrize("status", [200, 400, 401, 403])
async def test_the_error_for_an_enlighten_session_without_a_token_names_a_solution(status: int) -> None:
    async with run_entrez(answer_page("No tokens for you", status=status)) as url:
        with pytest.raises(TokenError, match="sign in to Entrez instead"):
            await Authentication(host=url).get_token_from_enlighten_session_id("id", "1", "me@example.com")


async def test_an_outage_is_not_a_rejected_enlighten_session() -> None:
    async with run_entrez(answer_page(status=502)) as url:
        with pytest.raises(ResponseError) as caught:
            await Authentication(host=url).get_token_from_enlighten_session_id("id", "1", "me@example.com")
        assert (caught.value.status, caught.value.retryable) == (502, True)
