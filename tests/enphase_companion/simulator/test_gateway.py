"""The simulated gateway: tokens, sessions, endpoints and faults."""

from __future__ import annotations

import asyncio
import json
import math
import time
from types import SimpleNamespace
from typing import Any

import aiohttp
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from enphase_companion.simulator import Simulator
from enphase_companion.simulator.faults import latency
from enphase_companion.simulator.profiles import PROFILES

READINGS = "/ivp/meters/readings"
#: The paths of all endpoints that an owner's token can read.
PATHS = (
    "/ivp/meters", "/ivp/meters/", READINGS, "/ivp/meters/704643328", "/ivp/meters/readings/704643584",
    "/ivp/meters/reports", "/ivp/meters/reports/production", "/ivp/meters/reports/consumption", "/production",
    "/production.json", "/production.json?details=1", "/api/v1/production", "/api/v1/production/inverters",
    "/ivp/pdm/device_data", "/inventory.json", "/ivp/ensemble/inventory", "/ivp/ensemble/power",
    "/ivp/ensemble/secctrl", "/ivp/ensemble/status", "/ivp/ensemble/relay", "/ivp/ensemble/dry_contacts",
    "/ivp/livedata/status", "/admin/lib/tariff", "/home.json", "/home",
)  # fmt: skip


def build_headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def get_status(session: aiohttp.ClientSession, url: str, token: str | None = None) -> int:
    async with session.get(url, headers=build_headers(token) if token else {}) as response:
        return response.status


async def get_json(session: aiohttp.ClientSession, simulator: Simulator, path: str) -> Any:
    async with session.get(simulator.url + path, headers=build_headers(simulator.token())) as response:
        assert response.status == 200
        return await response.json()


async def test_only_info_needs_no_token(simulator: Simulator, session: aiohttp.ClientSession) -> None:
    async with session.get(simulator.url + "/info") as response:
        text = await response.text()
    assert f"<sn>{simulator.serial_number}</sn>" in text
    assert "<software>D8.2.4264</software>" in text
    assert "<imeter>true</imeter>" in text
    assert await get_status(session, simulator.url + "/info.xml") == 200
    for path in PATHS:
        assert await get_status(session, simulator.url + path) == 401, path


async def test_an_owner_reads_every_endpoint(simulator: Simulator, session: aiohttp.ClientSession) -> None:
    for path in PATHS:
        assert await get_json(session, simulator, path) is not None


async def test_an_unknown_path_is_not_found(simulator: Simulator, session: aiohttp.ClientSession) -> None:
    for path in ("/nothing", "/ivp/meters/1", "/ivp/meters/readings/1"):
        assert await get_status(session, simulator.url + path, simulator.token()) == 404


async def test_a_session_opened_with_a_token_needs_no_further_token(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    async with session.get(
        simulator.url + "/auth/check_jwt", headers=build_headers(simulator.token())
    ) as response:
        assert await response.text() == "<!DOCTYPE html><h2>Valid token.</h2>\n"
        assert response.cookies["sessionId"].value
    assert await get_status(session, simulator.url + READINGS) == 200
    simulator.restart()
    assert await get_status(session, simulator.url + READINGS) == 401


def test_a_session_ends_after_ten_idle_minutes(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    clock = SimpleNamespace(monotonic=lambda: now[0], time=time.time)
    monkeypatch.setattr("enphase_companion.simulator.sessions.time", clock)
    sessions = simulator.gateway.sessions
    session_id = sessions.open(simulator.token())
    for minutes in (9, 9, 9):
        now[0] += minutes * 60
        assert sessions.find(session_id) is not None
    now[0] += 11 * 60
    assert sessions.find(session_id) is None


@pytest.mark.slow
async def test_a_session_ends_with_its_token(simulator: Simulator, session: aiohttp.ClientSession) -> None:
    token = simulator.token(lifetime=2)
    assert await get_status(session, simulator.url + "/auth/check_jwt", token) == 200
    assert await get_status(session, simulator.url + "/ivp/meters") == 200
    await asyncio.sleep(2.1)
    assert await get_status(session, simulator.url + "/ivp/meters") == 401


def forge_token(simulator: Simulator, **changes: Any) -> str:
    """Return a token with changed claims, signed with Entrez's key."""
    claims = jwt.decode(simulator.token(), options={"verify_signature": False})
    key = simulator.entrez._key
    return jwt.encode({**claims, **changes}, key, algorithm="ES256")


async def test_only_unexpired_tokens_of_entrez_for_this_gateway_are_valid(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    claims = jwt.decode(simulator.token(), options={"verify_signature": False})
    other_key = ec.generate_private_key(ec.SECP256R1())
    valid = [
        simulator.token(),
        simulator.token(serial_number="un-commissioned"),
        simulator.token("installer"),
    ]
    invalid = [
        simulator.token(lifetime=60, issued_ago=120),
        simulator.token(serial_number="122399999999"),
        forge_token(simulator, iss="Other"),
        forge_token(simulator, enphaseUser="gardener"),
        jwt.encode(claims, other_key, algorithm="ES256"),
        jwt.encode(claims, "a secret of thirty-two bytes, or more", algorithm="HS256"),
        "no token",
    ]
    for token in valid:
        assert await get_status(session, simulator.url + "/auth/check_jwt", token) == 200
        session.cookie_jar.clear()
        assert await get_status(session, simulator.url + "/ivp/meters", token) == 200
    for token in invalid:
        assert await get_status(session, simulator.url + "/auth/check_jwt", token) == 401
        assert await get_status(session, simulator.url + "/ivp/meters", token) == 401


async def test_the_meter_stream_sends_an_event_per_second_to_installers_only(
    simulator: Simulator, session: aiohttp.ClientSession, waits: list[float]
) -> None:
    url = simulator.url + "/stream/meter"
    assert await get_status(session, url, simulator.token()) == 401
    async with session.get(url, headers=build_headers(simulator.token("installer"))) as response:
        assert response.content_type == "text/event-stream"
        events: list[Any] = []
        while len(events) < 2:
            line = (await response.content.readline()).decode()
            if line.startswith("data: "):
                events.append(json.loads(line.removeprefix("data: ")))
    assert set(waits) == {1}
    # TLS takes some turns of the event loop to close a connection in the middle of an answer.
    await asyncio.sleep(0.2)
    assert events[0]["production"]["ph-a"]["p"] > 0


async def test_a_post_starts_the_live_stream(simulator: Simulator, session: aiohttp.ClientSession) -> None:
    before = await get_json(session, simulator, "/ivp/livedata/status")
    begin = int(simulator.clock.time())
    headers = build_headers(simulator.token())
    async with session.post(
        simulator.url + "/ivp/livedata/stream", json={"enable": 1}, headers=headers
    ) as response:
        assert await response.json() == {"sc_stream": "enabled"}
    after = await get_json(session, simulator, "/ivp/livedata/status")
    assert before["meters"]["last_update"] == 0
    assert begin <= after["meters"]["last_update"] <= simulator.clock.time()
    async with session.post(simulator.url + "/ivp/meters", json={}, headers=headers) as response:
        assert response.status == 404
    async with session.patch(simulator.url + "/ivp/meters", json={}, headers=headers) as response:
        assert response.status == 405


async def test_readings_have_a_current_timestamp_in_whole_seconds(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    begin = int(time.time())
    for reading in await get_json(session, simulator, READINGS):
        assert begin <= reading["timestamp"] <= time.time()
        assert isinstance(reading["timestamp"], int)


async def test_requests_are_recorded_without_secrets(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    token = simulator.token()
    await get_status(session, simulator.url + "/info")
    await get_status(session, simulator.url + "/auth/check_jwt", token)
    await get_status(session, simulator.url + "/production.json?details=1")
    recorded = [
        (seen.path, seen.method, seen.has_authorization, seen.has_session) for seen in simulator.requests
    ]
    assert recorded == [
        ("/info", "GET", False, False),
        ("/auth/check_jwt", "GET", True, False),
        ("/production.json?details=1", "GET", False, True),
    ]
    assert token not in repr(simulator.requests)


@pytest.mark.parametrize("profile", PROFILES)
async def test_info_reports_the_firmware_and_hardware_of_every_profile(
    profile: str, session: aiohttp.ClientSession
) -> None:
    with Simulator(profile) as running:
        async with session.get(running.url + "/info") as response:
            text = await response.text()
    assert f"<software>{PROFILES[profile].firmware}</software>" in text
    assert ("<web-tokens>true</web-tokens>" in text) == (profile != "old-firmware")
    assert ("<imeter>true</imeter>" in text) == (not profile.startswith("no-meters"))


async def test_a_gateway_without_meters_answers_with_empty_lists_or_404(
    session: aiohttp.ClientSession,
) -> None:
    with Simulator("no-meters") as running:
        assert await get_json(session, running, "/ivp/meters") == []
    with Simulator("no-meters-404") as running:
        assert await get_status(session, running.url + "/ivp/meters", running.token()) == 404


async def test_a_slow_gateway_answers_late(
    simulator: Simulator, session: aiohttp.ClientSession, waits: list[float]
) -> None:
    simulator.faults.set("slow", path=READINGS, seconds=1)
    await get_json(session, simulator, READINGS)
    assert waits == [1]
    simulator.faults.set("slow", path=READINGS, seconds=600)
    await get_json(session, simulator, "/ivp/meters")
    simulator.faults.clear()
    await get_json(session, simulator, READINGS)
    assert waits == [1]


async def test_a_silent_gateway_never_answers_but_can_be_stopped(session: aiohttp.ClientSession) -> None:
    with Simulator() as running:
        running.faults.set("silent")
        with pytest.raises(TimeoutError):
            await session.get(running.url + "/info", timeout=aiohttp.ClientTimeout(total=0.3))


async def test_a_gateway_resets_connections(simulator: Simulator, session: aiohttp.ClientSession) -> None:
    simulator.faults.set("reset", path=READINGS)
    with pytest.raises(aiohttp.ClientError):
        await session.get(simulator.url + READINGS, headers=build_headers(simulator.token()))
    assert await get_status(session, simulator.url + "/info") == 200


@pytest.mark.parametrize(
    ("fault", "details", "expected"),
    [
        ("status", {"status": 503}, 503),
        ("status", {"status": 404}, 404),
        ("html", {}, 200),
        ("refuse", {}, 401),
    ],
)
async def test_a_gateway_answers_with_html_instead_of_json(
    simulator: Simulator, session: aiohttp.ClientSession, fault: str, details: dict[str, Any], expected: int
) -> None:
    simulator.faults.set(fault, **details)
    async with session.get(simulator.url + READINGS, headers=build_headers(simulator.token())) as response:
        assert (response.status, response.content_type) == (expected, "text/html")


async def test_a_gateway_truncates_its_json(simulator: Simulator, session: aiohttp.ClientSession) -> None:
    simulator.faults.set("truncated", path=READINGS)
    async with session.get(simulator.url + READINGS, headers=build_headers(simulator.token())) as response:
        assert response.status == 200
        with pytest.raises(json.JSONDecodeError):
            await response.json()


async def test_a_gateway_sends_zeros_or_falling_counters(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    [true, *_] = await get_json(session, simulator, READINGS)
    simulator.faults.set("zeros")
    [zero, *_] = await get_json(session, simulator, READINGS)
    assert (zero["eid"], zero["activePower"], zero["channels"][0]["voltage"]) == (true["eid"], 0, 0)
    assert zero["timestamp"] >= true["timestamp"]
    simulator.faults.clear()
    simulator.faults.set("counters-fall", share=0.5)
    [fallen, *_] = await get_json(session, simulator, READINGS)
    assert fallen["actEnergyDlvd"] == pytest.approx(true["actEnergyDlvd"] / 2, rel=1e-3)
    assert fallen["activePower"] == pytest.approx(true["activePower"], rel=0.5)


async def test_a_gateway_sends_huge_numbers_and_nan(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    simulator.faults.set("huge", READINGS)
    simulator.faults.set("huge", "/api/v1/production")
    simulator.faults.set("nan", "/production.json")
    [reading, *_] = await get_json(session, simulator, READINGS)
    assert reading["eid"] == 704643328
    assert reading["activePower"] == reading["channels"][0]["voltage"] == 1e300
    assert (await get_json(session, simulator, "/api/v1/production"))["wattsNow"] == 10**30
    assert math.isnan((await get_json(session, simulator, "/production.json"))["production"][0]["wNow"])


async def test_a_gateway_redirects(simulator: Simulator, session: aiohttp.ClientSession) -> None:
    simulator.faults.set("redirect", READINGS, location="https://192.0.2.1/")
    async with session.get(simulator.url + READINGS, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (302, "https://192.0.2.1/")


async def test_a_fault_can_be_limited_to_a_number_of_requests(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    simulator.faults.set("refuse", READINGS, times=2)
    simulator.faults.set("truncated", READINGS, times=1)
    token = simulator.token()
    assert [await get_status(session, simulator.url + READINGS, token) for _ in range(3)] == [401, 401, 200]
    assert await get_json(session, simulator, READINGS)


@pytest.mark.parametrize(
    ("path", "quick", "slow"),
    [
        (READINGS, 0.08, 0.32),
        (READINGS + "/704643328", 0.08, 0.32),
        ("/ivp/meters/", 0.07, 0.30),
        ("/ivp/ensemble/inventory", 0.03, 0.28),
        ("/production.json", 0.68, 5.0),
        ("/production.json?details=1", 1.8, 5.4),
        ("/production", 3.0, 11.1),
        ("/inventory.json?deleted=1", 3.0, 6.2),
        ("/home.json", 6.4, 9.3),
        ("/admin/lib/tariff.json", 0.08, 0.32),
        ("/auth/check_jwt", 0.02, 0.29),
    ],
)
def test_the_response_times_of_real_gateways_differ_by_path(path: str, quick: float, slow: float) -> None:
    assert latency("quick-gateway", path) == quick
    assert latency("slow-gateway", path) == slow


async def test_the_simulator_counts_busy_seconds_and_requests_by_path(
    simulator: Simulator, session: aiohttp.ClientSession, waits: list[float]
) -> None:
    simulator.faults.set("slow-gateway")
    await get_json(session, simulator, READINGS)
    busy = simulator.busy_seconds
    assert busy >= 0.32
    await get_json(session, simulator, READINGS)
    await get_json(session, simulator, "/ivp/meters")
    assert simulator.busy_seconds >= busy + 0.62
    assert waits == [0.32, 0.32, 0.30]
    assert simulator.requests_by_path() == {READINGS: 2, "/ivp/meters": 1}


def test_the_error_for_an_unknown_fault_lists_the_known_ones(simulator: Simulator) -> None:
    with pytest.raises(ValueError, match="slow, silent"):
        simulator.faults.set("explode")
