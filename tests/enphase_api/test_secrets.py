"""Planted secrets, hunted for in logs at debug level, in errors, their causes, and what objects show."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from enphase_api import EnphaseError
from enphase_api.cloud import Authentication, Enlighten, Token
from enphase_api.local import Gateway
from enphase_companion.simulator import Simulator

from .servers import certificate, entrez, recorder

PASSWORD = "Pl4nted-P4ssword"
USERNAME = "planted.owner@example.com"
TOKEN = "cGxhbnRlZA.dG9rZW4tdG9rZW4.c2lnbmF0dXJl"
COOKIE = "planted0cookie0value"
CODE, VERIFIER = "planted-code", "planted-verifier-planted-verifier-planted-verifier"
SECRETS = (PASSWORD, USERNAME, TOKEN, *TOKEN.split("."), COOKIE, CODE, VERIFIER)


@pytest.fixture(autouse=True)
def no_secret_in_the_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG, logger="")
    yield
    for record in caplog.records:
        shown = record.getMessage() + logging.Formatter().format(record)
        assert not [secret for secret in SECRETS if secret in shown]


def hunted(error: BaseException) -> None:
    """Look for secrets in all that a log, or a person, may see of an error."""
    seen: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in seen:
        seen.append(following)
        hidden = following.__suppress_context__
        following = following.__cause__ or (None if hidden else following.__context__)
    shown = "".join(traceback.format_exception(error))
    for each in seen:
        shown += f"{each} {each!r} {getattr(each, '__dict__', '')}"
    # The lines of this test's own code stand in a traceback: they name constants, not values.
    assert not [secret for secret in SECRETS if secret in shown]


def response(status: str = "200 OK", *headers: str, body: str = "") -> bytes:
    lines = [
        f"HTTP/1.1 {status}",
        f"Set-Cookie: sessionId={COOKIE}",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return ("\r\n".join(lines) + f"\r\n\r\n{body}").encode()


BROKEN = {
    "refused": response("403 Forbidden", body=TOKEN),
    "redirect": response("302 Found", f"Location: https://elsewhere.example/?{TOKEN}"),
    "error": response("500 Server Error", body=PASSWORD),
    "echo": response(body=f"<html>{TOKEN} {COOKIE}</html>"),
    "headers cut off": response("200 OK", "Connection: close", "Content-Le").removesuffix(b"\r\n\r\n"),
    "headers broken": response("200 OK", "Bad\x00Header: x"),
    "body cut off": response().replace(b"Content-Length: 0", b"Connection: close\r\nContent-Length: 99"),
    "no http": f"{TOKEN}\r\n\r\n".encode(),
    "closed": b"",
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
async def test_no_error_of_the_gateway_shows_a_secret(answer: bytes) -> None:
    shown = certificate()
    calls: list[Callable[[Gateway], Any]] = [
        lambda gateway: gateway.login(TOKEN),
        lambda gateway: gateway.login_oauth_code(CODE, VERIFIER),
        Gateway.meters,
        Gateway.info,
        lambda gateway: gateway.api_call("/ivp/x", "POST", json={"token": TOKEN}),
        lambda gateway: anext(gateway.api_call_stream("/stream/meter")),
    ]
    async with recorder(shown, response()) as server, Gateway(server.url, certificate=shown.pem) as gateway:
        assert await gateway.login(TOKEN)
        server.answer = answer
        failed = 0
        for call in calls:
            try:
                await call(gateway)
            except (EnphaseError, StopAsyncIteration) as error:
                failed += 1
                hunted(error)
        assert failed >= 4
        hunted(Exception(repr(gateway), str(gateway), repr(gateway.certificate)))
        assert COOKIE.encode() in server.received


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 500])
async def test_no_error_of_entrez_shows_a_secret(status: int) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        # Everything that was sent comes back.
        text = f"{await request.text()} {PASSWORD} {USERNAME} {TOKEN}"
        location = {"Location": f"https://elsewhere.example/?{PASSWORD}"}
        return web.Response(status=status, text=text, headers=location, content_type="text/html")

    async with entrez(answer) as url:
        authentication = Authentication(host=url)
        authentication._cookies["SESSION"], authentication._is_signed_in = COOKIE, True
        calls: list[Any] = [
            authentication.get_token_for_commissioned_gateway("122300000001"),
            authentication.get_token_from_enlighten_session_id(COOKIE, "122300000001", USERNAME),
            authentication.authenticate(USERNAME, PASSWORD),
            authentication.get_token(USERNAME, PASSWORD, "122300000001"),
            Enlighten(host=url).authenticate(USERNAME, PASSWORD),
            Authentication.authenticate_oauth(USERNAME, PASSWORD, host=url),
            Authentication.get_token_from_oauth(CODE, VERIFIER, host=url),
            authentication.get_site("home"),
        ]
        failed = 0
        for call in calls:
            try:
                await call
            except EnphaseError as error:
                failed += 1
                hunted(error)
        assert failed >= 4
        hunted(Exception(repr(authentication), str(authentication)))


@pytest.mark.parametrize("answer", [b"", f"HTTP/1.1 200 OK\r\nSet-Cookie: SESSION={COOKIE}\r\nCon".encode()])
async def test_no_broken_connection_to_entrez_shows_a_secret(answer: bytes) -> None:
    async with recorder(
        None, answer + b"Connection: close" if answer else b"Connection: close\r\n\r\n"
    ) as server:
        with pytest.raises(EnphaseError) as caught:
            await Authentication(host=server.url).get_token(USERNAME, PASSWORD, "122300000001")
        hunted(caught.value)
        assert b"POST /login" in server.received


async def test_normal_operation_logs_no_secret(sim: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    async with aiohttp.ClientSession() as session:
        authentication = Authentication(session, host=sim.entrez_url)
        assert await authentication.authenticate(sim.username, sim.password)
        token = await authentication.get_token_for_commissioned_gateway(sim.serial_number)
        gateway = Gateway(sim.url, certificate=sim.certificate_pem, session=session)
        assert await gateway.login(token)
        sim.restart()
        assert (await gateway.readings()).get("production")
        sim.renew_certificate()
        assert await gateway.meters()
        cookie = gateway._session_id or ""
        secrets = [
            sim.password,
            sim.username,
            token,
            *token.split("."),
            cookie,
            authentication._cookies["SESSION"],
        ]
    assert not [secret for secret in secrets if not secret or secret in caplog.text]
    shown = repr([authentication, gateway, Token.parse(token)])
    assert not [secret for secret in secrets if secret in shown]


#: What would change what a terminal or a page shows, as far as a peer can write it into an answer.
CONTROLS = "\x1b[2K\x9b1m\u202e"

ODD = {
    "reason": response(f"200 {CONTROLS}"),
    "reason of an error": response(f"500 {CONTROLS}", body=CONTROLS),
    "no version": f"HTTP/{CONTROLS} 200 OK\r\n\r\n".encode(),
    "no http": f"{CONTROLS}\r\n\r\n".encode(),
    "redirect": response("302 Found", f"Location: https://{CONTROLS}.example/{CONTROLS}"),
    "header": response("200 OK", f"{CONTROLS}: x"),
    "encoding": response("200 OK", f"Content-Encoding: {CONTROLS}"),
    "length": response("200 OK").replace(b"Length: 0", f"Length: {CONTROLS}".encode()),
    "cookie": response("200 OK", f"Set-Cookie: sessionId={CONTROLS}", body="<p>"),
    "body": response(body=f"{{'a': '{CONTROLS}'}}"),
    "description": response(
        body=f"<envoy_info><device><sn>{CONTROLS}</sn><software>D8</software></device></envoy_info>"
    ),
    "form": response(body=f"<form action='{CONTROLS}'><input type='password' name='{CONTROLS}'></form>"),
}


def shown_of(error: BaseException) -> str:
    """All that a log may show of an error but the lines of code."""
    formatted = traceback.TracebackException.from_exception(error, capture_locals=False)
    return "".join(
        line
        for each in (formatted, formatted.__cause__, formatted.__context__)
        if each is not None
        for line in each.format_exception_only()
    )


@pytest.mark.parametrize("answer", ODD.values(), ids=ODD)
async def test_no_error_repeats_the_text_of_an_answer(
    answer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    shown = certificate()
    async with recorder(shown) as server, Gateway(server.url, certificate=shown.pem) as gateway:
        assert await gateway.login(TOKEN)
        server.answer = answer
        calls: list[Callable[[], Any]] = [
            gateway.info,
            gateway.meters,
            lambda: gateway.login(TOKEN),
            lambda: gateway.login_oauth_code(CODE, VERIFIER),
            lambda: anext(gateway.api_call_stream("/stream/meter")),
        ]
        said = [shown_of(error) for error in [await failure_of(call) for call in calls] if error is not None]
    async with recorder(None, answer) as server:
        entrez_calls: list[Callable[[], Any]] = [
            lambda: Authentication(host=server.url).get_token(USERNAME, PASSWORD, "122300000001"),
            lambda: Enlighten(host=server.url).authenticate(USERNAME, PASSWORD),
        ]
        errors = [await failure_of(call) for call in entrez_calls]
        said += [shown_of(error) for error in errors if error is not None]
    assert len(said) >= 3
    said += [record.getMessage() for record in caplog.records if record.name.startswith("enphase_api")]
    assert not [text for text in said for line in text.splitlines() if not line.isprintable()]


async def failure_of(call: Callable[[], Any]) -> BaseException | None:
    try:
        await call()
    except (EnphaseError, StopAsyncIteration) as error:
        return error
    return None
