"""Following a gateway: meters at each poll, slow endpoints rarely, and recovery from outages."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable

import pytest

from enphase_api import AuthenticationError, CertificateChangedError
from enphase_api.local import Gateway
from enphase_companion.console import follow as following
from enphase_companion.console.follow import State, follow
from enphase_companion.console.overview import Overview
from enphase_companion.simulator import Simulator

from ..cli_user import CliUser

TICK = 0.1

pytestmark = pytest.mark.usefixtures("home_folder")


@pytest.fixture
async def gateway(user: CliUser) -> AsyncIterator[Gateway]:
    async with Gateway(user.simulator.url, certificate=user.simulator.certificate_pem) as opened:
        assert await opened.login(user.simulator.token())
        yield opened


async def fail_sign_in() -> None:
    pytest.fail("signed in again")


async def collect_states(
    gateway: Gateway, until: Callable[[list[State]], bool], sign_in: Callable[[], object] = fail_sign_in
) -> list[State]:
    """Follow the gateway until a condition on its states is true."""
    overview = await Overview.read(gateway, await gateway.info())
    seen: list[State] = []
    async with asyncio.timeout(30):
        async for state in follow(gateway, overview, TICK, sign_in):  # type: ignore[arg-type]
            seen.append(state)
            if until(seen):
                break
    return seen


def count_requests(simulator: Simulator) -> Counter[str]:
    return Counter(request.path for request in simulator.requests)


@pytest.mark.slow
async def test_each_poll_requests_only_the_meters_readings(user: CliUser, gateway: Gateway) -> None:
    await collect_states(gateway, lambda seen: len(seen) == 1)
    user.simulator.requests.clear()
    seen = await collect_states(gateway, lambda seen: len(seen) == 5)
    ticks = count_requests(user.simulator)
    assert ticks.pop("/ivp/meters/readings") == 5
    assert set(ticks.values()) == {1}, "everything else only once, at the start"
    assert not any(state.problem for state in seen)


@pytest.mark.slow
async def test_slow_endpoints_are_requested_rarely(
    user: CliUser, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "_SLOW", 8 * TICK)
    await collect_states(gateway, lambda _: count_requests(user.simulator)["/production.json"] == 3)
    counted = count_requests(user.simulator)
    assert counted["/ivp/meters/readings"] >= 12
    assert counted["/ivp/pdm/device_data"] == 3


@pytest.mark.slow
async def test_readings_are_updated_over_time(user: CliUser, gateway: Gateway) -> None:
    seen = await collect_states(gateway, lambda seen: seen[-1].overview.at > seen[0].overview.at)
    assert seen[-1].overview.readings != seen[0].overview.readings


async def test_nothing_is_requested_at_a_poll_without_meters(
    create_user: Callable[..., CliUser], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "_SLOW", 5 * TICK)
    simulator = create_user("no-meters").simulator
    async with Gateway(simulator.url, certificate=simulator.certificate_pem) as gateway:
        assert await gateway.login(simulator.token())
        seen = await collect_states(gateway, lambda seen: len(seen) == 2)
    assert not any(state.problem for state in seen)
    counted = count_requests(simulator)
    assert "/ivp/meters/readings" not in counted
    assert counted["/ivp/pdm/device_data"] == 2


@pytest.mark.parametrize("fault", ["reset", "status", "html", "truncated"])
@pytest.mark.slow
async def test_the_last_values_stay_with_a_problem_while_the_gateway_fails(
    user: CliUser, gateway: Gateway, fault: str
) -> None:
    faults = user.simulator.faults

    def fail_then_recover(seen: list[State]) -> bool:
        if len(seen) == 2:
            faults.set(fault, "/ivp/meters/readings")
        if len(seen) == 4:
            faults.clear()
        return len(seen) > 4 and seen[-1].problem is None

    seen = await collect_states(gateway, fail_then_recover)
    assert [bool(state.problem) for state in seen[:4]] == [False, False, True, True]
    assert seen[2].overview == seen[1].overview
    assert "/ivp/meters/readings" in (seen[2].problem or "")


async def test_a_failing_gateway_is_polled_at_growing_intervals(
    user: CliUser, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    real_sleep = asyncio.sleep

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await real_sleep(0)

    monkeypatch.setattr("asyncio.sleep", sleep)
    monkeypatch.setattr(following, "_LONGEST_PAUSE", TICK * 10)

    def fail_after_first(seen: list[State]) -> bool:
        user.simulator.faults.set("status", "/ivp/meters/readings", status=503)
        return len(seen) == 7

    await collect_states(gateway, fail_after_first)
    assert pauses[0] <= TICK
    assert pauses[1:] == pytest.approx([TICK * 2, TICK * 4, TICK * 8, TICK * 10, TICK * 10], abs=0.1)


async def test_an_ended_session_is_opened_again_without_a_problem(user: CliUser, gateway: Gateway) -> None:
    def end_session(seen: list[State]) -> bool:
        if len(seen) == 2:
            user.simulator.gateway.sessions.end_all()
        return len(seen) == 4

    assert not any(state.problem for state in await collect_states(gateway, end_session))


async def test_a_token_rejected_during_a_run_causes_a_new_sign_in(user: CliUser, gateway: Gateway) -> None:
    signed_in = []

    async def sign_in() -> None:
        signed_in.append(True)
        user.simulator.faults.clear()
        assert await gateway.login(user.simulator.token())

    def reject(seen: list[State]) -> bool:
        if len(seen) == 2:
            user.simulator.faults.set("refuse")
        return len(seen) == 4

    assert not any(state.problem for state in await collect_states(gateway, reject, sign_in))
    assert len(signed_in) == 1


async def test_a_rejection_after_a_new_sign_in_is_an_error(user: CliUser, gateway: Gateway) -> None:
    async def sign_in_without_effect() -> None:
        pass

    def reject(seen: list[State]) -> bool:
        user.simulator.faults.set("refuse")
        return False

    with pytest.raises(AuthenticationError):
        await collect_states(gateway, reject, sign_in_without_effect)


async def test_another_certificate_is_an_error(user: CliUser, gateway: Gateway) -> None:
    def change_certificate(seen: list[State]) -> bool:
        if len(seen) == 2:
            user.simulator.renew_certificate(same_key=False)
        return False

    with pytest.raises(CertificateChangedError):
        await collect_states(gateway, change_certificate)
