"""The two ways to a token: Entrez's form, and a session of Enlighten if the form fails."""

from __future__ import annotations

from collections.abc import Callable

import aiohttp
import pytest
from aiohttp import web

from enphase_api import (
    AuthenticationError,
    CommunicationError,
    EnphaseError,
    InvalidAnswerError,
    MultiFactorError,
    ResponseError,
    TokenError,
)
from enphase_api.cloud import AUTHENTICATION_HOST, ENLIGHTEN_HOST, Authentication, Enlighten, Token
from enphase_companion.simulator import Simulator
from enphase_companion.simulator.entrez import INSTALLER_USERNAME, MFA_USERNAME

from ..servers import run_entrez
from .entrez_pages import LOGIN_FORM, SELECT_GATEWAY, answer_page

#: A failure of the simulated Entrez or Enlighten.
Trouble = Callable[[Simulator], None]

ENLIGHTEN = "/login/login.json"


def set_fault(name: str, path: str, status: int = 503) -> Trouble:
    return lambda sim: sim.entrez.faults.set(name, path, status=status)


def list_posts(sim: Simulator) -> list[str]:
    """Return the paths of all POST requests to Entrez and Enlighten."""
    return [request.path for request in sim.entrez_requests if request.method == "POST"]


async def get_token(sim: Simulator, username: str | None = None, password: str | None = None) -> str:
    return await Authentication(host=sim.entrez_url).get_token(
        username or sim.username, password or sim.password, sim.serial_number
    )


async def test_enlighten_gets_no_request_if_the_form_works(sim: Simulator) -> None:
    assert Authentication.check_token_valid(await get_token(sim), sim.serial_number)
    assert list_posts(sim) == ["/login", "/entrez_tokens"]


@pytest.mark.parametrize(
    "trouble",
    [
        set_fault("status", "/login"),
        set_fault("status", "/login", 403),
        set_fault("status", "/login", 429),
        set_fault("reset", "/login"),
        set_fault("reset", "/login_main_page"),
        set_fault("html", "/login"),
        set_fault("redirect", "/login"),
        set_fault("status", "/entrez_tokens"),
        set_fault("status", "/entrez_tokens", 403),
        set_fault("status", "/entrez_tokens", 406),
        set_fault("refuse", "/entrez_tokens"),
        set_fault("reset", "/entrez_tokens"),
        set_fault("html", "/entrez_tokens"),
        set_fault("redirect", "/entrez_tokens"),
    ],
)
async def test_a_session_of_enlighten_yields_the_token_if_the_form_fails(
    sim: Simulator, trouble: Trouble
) -> None:
    trouble(sim)
    assert Authentication.check_token_valid(await get_token(sim), sim.serial_number)
    assert list_posts(sim)[-2:] == [ENLIGHTEN, "/tokens"]


async def test_an_installer_can_get_a_token_through_enlighten(sim: Simulator) -> None:
    sim.entrez.faults.set("status", "/entrez_tokens")
    assert Token.parse(await get_token(sim, INSTALLER_USERNAME)).role == "installer"


async def test_a_wrong_password_is_sent_once_only(sim: Simulator) -> None:
    with pytest.raises(AuthenticationError, match="Entrez rejected the user name and password") as caught:
        await get_token(sim, password="wrong")
    assert type(caught.value) is AuthenticationError
    assert list_posts(sim) == ["/login"]


async def test_a_wrong_password_is_recognized_although_the_form_fails(sim: Simulator) -> None:
    sim.entrez.faults.set("status", "/login")
    with pytest.raises(AuthenticationError, match="Enlighten rejected the user name and password"):
        await get_token(sim, password="wrong")


@pytest.mark.parametrize("trouble", [None, set_fault("status", "/login")])
async def test_a_second_factor_is_reported_for_either_way(sim: Simulator, trouble: Trouble | None) -> None:
    if trouble is not None:
        trouble(sim)
    with pytest.raises(MultiFactorError):
        await get_token(sim, MFA_USERNAME)


async def test_a_second_factor_at_the_form_alone_does_not_stop_enlighten() -> None:
    token = "eyJ.eyJ.c2ln"

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == ENLIGHTEN:
            return web.json_response({"session_id": "s3ss10n"})
        if request.path == "/tokens":
            return web.Response(text=token)
        return await answer_page("<p>Verification code</p>")(request)

    async with run_entrez(answer) as url:
        assert await Authentication(host=url).get_token("me@example.com", "s3cr3t", "1") == token


async def test_a_second_factor_required_after_the_password_is_reported() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == ENLIGHTEN:
            return web.Response(status=503)
        return await answer_page(SELECT_GATEWAY if request.path == "/login" else "<p>Verification code</p>")(
            request
        )

    async with run_entrez(answer) as url:
        with pytest.raises(MultiFactorError):
            await Authentication(host=url).get_token("me@example.com", "s3cr3t", "1")


@pytest.mark.parametrize(
    ("first", "second", "error"),
    [
        (set_fault("status", "/login"), set_fault("status", ENLIGHTEN), ResponseError),
        (set_fault("status", "/login"), set_fault("status", "/tokens", 403), ResponseError),
        (set_fault("reset", "/login"), set_fault("html", ENLIGHTEN), CommunicationError),
        (set_fault("status", "/entrez_tokens", 403), set_fault("status", "/tokens", 403), ResponseError),
        (set_fault("status", "/entrez_tokens", 403), set_fault("refuse", ENLIGHTEN), ResponseError),
        (set_fault("refuse", "/entrez_tokens"), set_fault("refuse", ENLIGHTEN), InvalidAnswerError),
        (set_fault("html", "/entrez_tokens"), set_fault("reset", ENLIGHTEN), TokenError),
    ],
)
async def test_the_first_failure_is_reported_if_both_ways_fail(
    sim: Simulator, first: Trouble, second: Trouble, error: type[EnphaseError]
) -> None:
    first(sim)
    second(sim)
    with pytest.raises(error) as caught:
        await get_token(sim)
    assert type(caught.value) is error
    assert ENLIGHTEN in list_posts(sim)


async def test_a_gateway_of_another_account_is_reported_after_both_ways(sim: Simulator) -> None:
    authentication = Authentication(host=sim.entrez_url)
    with pytest.raises(TokenError, match=r"no token for gateway 122399999999: check its serial number"):
        await authentication.get_token(sim.username, sim.password, "122399999999")
    assert list_posts(sim)[-1] == "/tokens"


async def test_hidden_fields_of_a_page_are_sent_back_with_its_form(sim: Simulator) -> None:
    sim.entrez.wants_csrf = True
    await get_token(sim)
    code, verifier = await Authentication.authenticate_oauth(sim.username, sim.password, host=sim.entrez_url)
    assert code
    assert verifier
    assert list_posts(sim) == ["/login", "/entrez_tokens", "/login"]


async def test_each_form_is_sent_the_hidden_fields_of_its_own_page_and_all_cookies() -> None:
    sent = []
    token_page = SELECT_GATEWAY.replace('value="x"', 'value="t&amp;k"')

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            text = LOGIN_FORM.format(error="") if request.path == "/login_main_page" else token_page
            return await answer_page(text, cookies=("SESSION", "XSRF-TOKEN"))(request)
        sent.append((request.path, dict(await request.post()), set(request.cookies)))
        return await answer_page(SELECT_GATEWAY if request.path == "/login" else "")(request)

    async with run_entrez(answer) as url:
        authentication = Authentication(host=url)
        await authentication.authenticate("me@example.com", "s3cr3t")
        with pytest.raises(TokenError):
            await authentication.get_token_for_commissioned_gateway("1")
    cookies = {"SESSION", "XSRF-TOKEN"}
    login = {"username": "me@example.com", "password": "s3cr3t", "_csrf": "x", "codeChallenge": ""}
    assert sent == [
        ("/login", login, cookies),
        ("/entrez_tokens", {"serialNum": "1", "_csrf": "t&k"}, cookies),
    ]


@pytest.mark.parametrize("status", [403, 404, 405, 500])
async def test_a_page_that_fails_to_load_does_not_stop_its_form(sim: Simulator, status: int) -> None:
    sim.entrez.faults.set("status", "/login_main_page", status=status)
    sim.entrez.faults.set("status", "/entrez_tokens", status=status, times=1)
    await get_token(sim)
    assert list_posts(sim) == ["/login", "/entrez_tokens"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (answer_page("[]"), InvalidAnswerError),
        (answer_page('{"message": "success"}'), InvalidAnswerError),
        (answer_page('{"session_id": ""}'), InvalidAnswerError),
        (answer_page('{"session_id": 5}'), InvalidAnswerError),
        (answer_page("<h1>Welcome</h1>"), InvalidAnswerError),
        (answer_page('{"message": "success", "requires_mfa": true}'), MultiFactorError),
        (answer_page("blocked", status=403), ResponseError),
        (answer_page(status=302, location="https://elsewhere.example/"), InvalidAnswerError),
    ],
)
async def test_an_answer_of_enlightens_without_a_session_is_an_error(
    answer: Callable[..., object], error: type[EnphaseError]
) -> None:
    async with run_entrez(answer) as url:  # type: ignore[arg-type]
        with pytest.raises(error) as caught:
            await Enlighten(host=url).authenticate("me@example.com", "s3cr3t")
    assert type(caught.value) is error


async def test_no_cookie_of_entrez_or_enlighten_stays_in_a_lent_session(sim: Simulator) -> None:
    sim.entrez.faults.set("status", "/entrez_tokens")
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        await Authentication(session, host=sim.entrez_url).get_token(
            sim.username, sim.password, sim.serial_number
        )
        assert list(session.cookie_jar) == []


async def test_a_password_is_sent_to_enphase_only(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = []

    async def raise_error(self: Authentication | Enlighten, method: str, path: str, **_: object) -> None:
        hosts.append((self.host, path))
        raise CommunicationError("no answer")

    for kind in (Authentication, Enlighten):
        monkeypatch.setattr(kind, "_ask", raise_error)
    with pytest.raises(CommunicationError):
        await Authentication().get_token("me@example.com", "s3cr3t", "1")
    with pytest.raises(CommunicationError):
        await Authentication(host="https://other.example").get_token("me@example.com", "s3cr3t", "1")
    assert hosts == [
        (AUTHENTICATION_HOST, "/login_main_page"),
        (ENLIGHTEN_HOST, ENLIGHTEN),
        ("https://other.example", "/login_main_page"),
        ("https://other.example", ENLIGHTEN),
    ]
