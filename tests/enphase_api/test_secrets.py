"""Secrets never appear in debug logs, errors, their causes, or representations of objects."""

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

from .servers import create_certificate, run_entrez, run_recorder

PASSWORD = "Pl4nted-P4ssword"
USERNAME = "planted.owner@example.com"
TOKEN = "cGxhbnRlZA.dG9rZW4tdG9rZW4.c2lnbmF0dXJl"
COOKIE = "planted0cookie0value"
CODE, VERIFIER = "planted-code", "planted-verifier-planted-verifier-planted-verifier"
SECRETS = (PASSWORD, USERNAME, TOKEN, *TOKEN.split("."), COOKIE, CODE, VERIFIER)


@pytest.fixture(autouse=True)
def check_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG, logger="")
    yield
    for record in caplog.records:
        shown = record.getMessage() + logging.Formatter().format(record)
        assert not [secret for secret in SECRETS if secret in shown]


def assert_no_secret(error: BaseException) -> None:
    """Assert that no representation of an error contains a secret."""
    seen: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in seen:
        seen.append(current)
        hidden = current.__suppress_context__
        current = current.__cause__ or (None if hidden else current.__context__)
    shown = "".join(traceback.format_exception(error))
    for each in seen:
        shown += f"{each} {each!r} {getattr(each, '__dict__', '')}"
    # The traceback contains lines of this test, which name constants and not values.
    assert not [secret for secret in SECRETS if secret in shown]


def build_response(status: str = "200 OK", *headers: str, body: str = "") -> bytes:
    lines = [
        f"HTTP/1.1 {status}",
        f"Set-Cookie: sessionId={COOKIE}",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return ("\r\n".join(lines) + f"\r\n\r\n{body}").encode()


BROKEN = {
    "refused": build_response("403 Forbidden", body=TOKEN),
    "redirect": build_response("302 Found", f"Location: https://elsewhere.example/?{TOKEN}"),
    "error": build_response("500 Server Error", body=PASSWORD),
    "echo": build_response(body=f"<html>{TOKEN} {COOKIE}</html>"),
    "headers cut off": build_response("200 OK", "Connection: close", "Content-Le").removesuffix(b"\r\n\r\n"),
    "headers broken": build_response("200 OK", "Bad\x00Header: x"),
    "body cut off": build_response().replace(
        b"Content-Length: 0", b"Connection: close\r\nContent-Length: 99"
    ),
    "no http": f"{TOKEN}\r\n\r\n".encode(),
    "closed": b"",
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
async def test_no_error_of_the_gateway_shows_a_secret(answer: bytes) -> None:
    shown = create_certificate()
    calls: list[Callable[[Gateway], Any]] = [
        lambda gateway: gateway.login(TOKEN),
        lambda gateway: gateway.login_oauth_code(CODE, VERIFIER),
        Gateway.meters,
        Gateway.info,
        lambda gateway: gateway.api_call("/ivp/x", "POST", json={"token": TOKEN}),
        lambda gateway: anext(gateway.api_call_stream("/stream/meter")),
    ]
    async with (
        run_recorder(shown, build_response()) as server,
        Gateway(server.url, certificate=shown.pem) as gateway,
    ):
        assert await gateway.login(TOKEN)
        server.answer = answer
        failed = 0
        for call in calls:
            try:
                await call(gateway)
            except (EnphaseError, StopAsyncIteration) as error:
                failed += 1
                assert_no_secret(error)
        assert failed >= 4
        assert_no_secret(Exception(repr(gateway), str(gateway), repr(gateway.certificate)))
        assert COOKIE.encode() in server.received


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 500])
async def test_no_error_of_entrez_shows_a_secret(status: int) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        # The answer repeats the whole request.
        text = f"{await request.text()} {PASSWORD} {USERNAME} {TOKEN}"
        location = {"Location": f"https://elsewhere.example/?{PASSWORD}"}
        return web.Response(status=status, text=text, headers=location, content_type="text/html")

    async with run_entrez(answer) as url:
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
                assert_no_secret(error)
        assert failed >= 4
        assert_no_secret(Exception(repr(authentication), str(authentication)))


@pytest.mark.parametrize("answer", [b"", f"HTTP/1.1 200 OK\r\nSet-Cookie: SESSION={COOKIE}\r\nCon".encode()])
async def test_no_broken_connection_to_entrez_shows_a_secret(answer: bytes) -> None:
    async with run_recorder(
        None, answer + b"Connection: close" if answer else b"Connection: close\r\n\r\n"
    ) as server:
        with pytest.raises(EnphaseError) as caught:
            await Authentication(host=server.url).get_token(USERNAME, PASSWORD, "122300000001")
        assert_no_secret(caught.value)
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


#: Control characters and markup that a peer can put into an answer.
CONTROLS = "\x1b[2K\x9b1m\u202e"

ODD = {
    "reason": build_response(f"200 {CONTROLS}"),
    "reason of an error": build_response(f"500 {CONTROLS}", body=CONTROLS),
    "no version": f"HTTP/{CONTROLS} 200 OK\r\n\r\n".encode(),
    "no http": f"{CONTROLS}\r\n\r\n".encode(),
    "redirect": build_response("302 Found", f"Location: https://{CONTROLS}.example/{CONTROLS}"),
    "header": build_response("200 OK", f"{CONTROLS}: x"),
    "encoding": build_response("200 OK", f"Content-Encoding: {CONTROLS}"),
    "length": build_response("200 OK").replace(b"Length: 0", f"Length: {CONTROLS}".encode()),
    "cookie": build_response("200 OK", f"Set-Cookie: sessionId={CONTROLS}", body="<p>"),
    "body": build_response(body=f"{{'a': '{CONTROLS}'}}"),
    "description": build_response(
        body=f"<envoy_info><device><sn>{CONTROLS}</sn><software>D8</software></device></envoy_info>"
    ),
    "form": build_response(
        body=f"<form action='{CONTROLS}'><input type='password' name='{CONTROLS}'></form>"
    ),
}


def format_error(error: BaseException) -> str:
    """Return everything that a log may show of an error, except lines of code."""
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
    shown = create_certificate()
    async with run_recorder(shown) as server, Gateway(server.url, certificate=shown.pem) as gateway:
        assert await gateway.login(TOKEN)
        server.answer = answer
        calls: list[Callable[[], Any]] = [
            gateway.info,
            gateway.meters,
            lambda: gateway.login(TOKEN),
            lambda: gateway.login_oauth_code(CODE, VERIFIER),
            lambda: anext(gateway.api_call_stream("/stream/meter")),
        ]
        messages = [
            format_error(error) for error in [await catch_error(call) for call in calls] if error is not None
        ]
    async with run_recorder(None, answer) as server:
        entrez_calls: list[Callable[[], Any]] = [
            lambda: Authentication(host=server.url).get_token(USERNAME, PASSWORD, "122300000001"),
            lambda: Enlighten(host=server.url).authenticate(USERNAME, PASSWORD),
        ]
        errors = [await catch_error(call) for call in entrez_calls]
        messages += [format_error(error) for error in errors if error is not None]
    assert len(messages) >= 3
    messages += [record.getMessage() for record in caplog.records if record.name.startswith("enphase_api")]
    assert not [text for text in messages for line in text.splitlines() if not line.isprintable()]


async def catch_error(call: Callable[[], Any]) -> BaseException | None:
    try:
        await call()
    except (EnphaseError, StopAsyncIteration) as error:
        return error
    return None
