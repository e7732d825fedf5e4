"""Calls: their results, limits and errors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from enphase_api import (
    CommunicationError,
    EnphaseError,
    InvalidAnswerError,
    ResponseError,
    UnsupportedFirmwareError,
)
from enphase_api.local import Gateway
from enphase_companion.simulator import Simulator

from ..servers import create_certificate, run_recorder

TOKEN = "eyJ0b2tlbg.c2VjcmV0.c2lnbmF0dXJl"


async def test_a_call_returns_the_answer_of_the_path(logged_in: Gateway) -> None:
    meters = await logged_in.api_call("/ivp/meters")
    assert [meter["measurementType"] for meter in meters] == ["production", "net-consumption"]


async def test_a_path_needs_no_slash_and_may_have_a_query(logged_in: Gateway, sim: Simulator) -> None:
    assert await logged_in.api_call("production.json?details=1")
    assert sim.requests[-1].path == "/production.json?details=1"


async def test_raw_returns_the_unchanged_body(logged_in: Gateway) -> None:
    assert (await logged_in.api_call("/ivp/meters", response_raw=True)).startswith(b"[{")


@pytest.mark.parametrize(
    ("fault", "error", "retryable"),
    [
        ({"name": "status", "status": 503}, ResponseError, True),
        ({"name": "status", "status": 404}, ResponseError, False),
        ({"name": "status", "status": 302}, ResponseError, False),
        ({"name": "html"}, InvalidAnswerError, True),
        ({"name": "truncated"}, InvalidAnswerError, True),
        ({"name": "reset"}, CommunicationError, True),
    ],
    ids=["503", "404", "302", "html", "truncated", "reset"],
)
async def test_a_fault_is_an_error_with_its_path_and_never_data(
    fault: dict[str, object], error: type[EnphaseError], retryable: bool, logged_in: Gateway, sim: Simulator
) -> None:
    sim.faults.set(path="/ivp/meters/readings", **fault)  # type: ignore[arg-type]
    with pytest.raises(error, match="/ivp/meters/readings") as caught:
        await logged_in.readings()
    assert caught.value.retryable is retryable
    assert getattr(caught.value, "path", None) == "/ivp/meters/readings"
    sim.faults.clear()
    assert (await logged_in.readings()).get("production")


async def test_a_silent_gateway_times_out(
    logged_in: Gateway, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("enphase_api.local.connection.TIMEOUT", aiohttp.ClientTimeout(total=0.1))
    sim.faults.set("silent")
    with pytest.raises(CommunicationError, match="did not answer /ivp/meters"):
        await logged_in.meters()


async def test_an_answer_cut_off_in_its_body_is_an_error() -> None:
    shown = create_certificate()
    answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 99\r\n\r\n{"
    async with run_recorder(shown, answer) as server, Gateway(server.url, certificate=shown.pem) as gateway:
        with pytest.raises(CommunicationError):
            await gateway.api_call("/ivp/meters")


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/info", 64_000),
        ("/ivp/meters/readings", 1_000_000),
        ("ivp/meters/readings/?x=1", 1_000_000),
        ("/production.json?details=1", 1_000_000),
        ("/api/v1/production/inverters", 4_000_000),
        ("/ivp/ensemble/inventory", 4_000_000),
        ("/ivp/unknown", 4_000_000),
    ],
)
async def test_an_answer_is_accepted_up_to_the_limit_of_its_path(path: str, limit: int) -> None:
    shown = create_certificate()
    async with run_recorder(shown) as server, Gateway(server.url, certificate=shown.pem) as gateway:
        assert await gateway.login(TOKEN)
        server.answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b" " * limit
        assert len(await gateway.api_call(path, response_raw=True)) == limit
        server.answer += b" "
        with pytest.raises(InvalidAnswerError, match=f"is larger than {limit:,} bytes"):
            await gateway.api_call(path, response_raw=True)


async def test_an_empty_answer_is_none() -> None:
    shown = create_certificate()
    answer = b"HTTP/1.1 204 No Content\r\n\r\n"
    async with run_recorder(shown, answer) as server, Gateway(server.url, certificate=shown.pem) as gateway:
        assert await gateway.api_call("/ivp/zb/reset_device", method="POST", json={"a": 1}) is None
        assert await gateway.api_call("/ivp/x", method="PUT", data={"b": "2"}, response_raw=True) == b""
        assert b"POST /ivp/zb/reset_device" in server.received
        assert b"Content-Type: application/x-www-form-urlencoded" in server.received


async def test_a_gateway_is_identified_without_login_and_trust(sim: Simulator) -> None:
    info = await Gateway(sim.url).info()
    assert info.serial_number == sim.serial_number
    assert info.firmware == "8.2.4264"
    assert info.is_metered
    assert not sim.requests[0].has_authorization


async def test_a_device_that_is_not_a_gateway_is_an_error(sim: Simulator) -> None:
    sim.faults.set("html", "/info")
    with pytest.raises(InvalidAnswerError, match="gateway's description"):
        await Gateway(sim.url).info()
    sim.faults.set("status", "/info", status=404)
    sim.faults.clear()
    sim.faults.set("status", "/info", status=404)
    with pytest.raises(ResponseError, match="status 404"):
        await Gateway(sim.url).info()


async def test_the_error_for_firmware_without_tokens_names_its_version() -> None:
    raises = pytest.raises(UnsupportedFirmwareError, match=r"firmware 5\.0\.62, but version 7 or later")
    with Simulator("old-firmware") as sim, raises:
        await Gateway(sim.url).info()


OLD = b"<envoy_info><device><sn>122300000042</sn><software>R4.10.35</software></device></envoy_info>"


def build_response(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


async def test_the_error_for_firmware_without_https_names_its_version() -> None:
    async with run_recorder(None, build_response(OLD)) as server:
        with pytest.raises(UnsupportedFirmwareError, match=r"firmware 4\.10\.35"):
            await Gateway(server.url.replace("http://", "https://")).info()
        assert b"GET /info HTTP" in server.received
        assert b"Authorization" not in server.received
        assert b"Cookie" not in server.received


@pytest.mark.parametrize("body", [OLD.replace(b"R4", b"D8"), b"<html></html>"], ids=["8", "no gateway"])
async def test_plain_http_is_used_to_identify_old_firmware_only(body: bytes) -> None:
    answer = build_response(body).replace(b"OK\r\n", b"OK\r\nConnection: close\r\n")
    async with run_recorder(None, answer) as server:
        with pytest.raises(CommunicationError):
            await Gateway(server.url.replace("http://", "https://")).info()


async def test_a_silent_trusted_gateway_gets_no_plain_text_request() -> None:
    async with run_recorder(None, build_response(OLD)) as server:
        url = server.url.replace("http://", "https://")
        gateway = Gateway(url, certificate=create_certificate().pem)
        with pytest.raises(CommunicationError):
            await gateway.info()
        assert b"GET" not in server.received


ANSWERS: dict[str, Callable[[Gateway], Awaitable[object]]] = {
    "/ivp/meters": Gateway.meters,
    "/ivp/meters/readings": Gateway.readings,
    "/ivp/meters/reports": Gateway.reports,
    "/production.json": Gateway.production,
    "/api/v1/production/inverters": Gateway.inverters,
    "/ivp/pdm/device_data": Gateway.device_data,
    "/ivp/ensemble/inventory": Gateway.batteries,
    "/ivp/ensemble/relay": Gateway.relay,
    "/ivp/ensemble/generator": Gateway.generator,
    "/ivp/ensemble/dry_contacts": Gateway.dry_contacts,
    "/ivp/ss/dry_contact_settings": Gateway.dry_contacts,
    "/ivp/livedata/status": Gateway.live,
    "/admin/lib/tariff": Gateway.tariff,
}


@pytest.mark.parametrize("path", ANSWERS)
async def test_html_instead_of_json_is_an_error(path: str, logged_in: Gateway, sim: Simulator) -> None:
    sim.faults.set("html", path)
    with pytest.raises(InvalidAnswerError):
        await ANSWERS[path](logged_in)


@pytest.mark.parametrize("path", ANSWERS)
async def test_a_broken_gateway_never_counts_as_an_empty_one(
    path: str, logged_in: Gateway, sim: Simulator
) -> None:
    sim.faults.set("status", path, status=500)
    with pytest.raises(ResponseError):
        await ANSWERS[path](logged_in)
