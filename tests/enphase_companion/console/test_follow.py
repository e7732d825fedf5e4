"""Following a gateway: meters at each tick, slow pages rarely, and through its silences."""

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


async def never() -> None:
    pytest.fail("signed in anew")


async def states(
    gateway: Gateway, until: Callable[[list[State]], bool], sign_in: Callable[[], object] = never
) -> list[State]:
    """Follow the gateway until its states are enough."""
    overview = await Overview.read(gateway, await gateway.info())
    seen: list[State] = []
    async with asyncio.timeout(30):
        async for state in follow(gateway, overview, TICK, sign_in):  # type: ignore[arg-type]
            seen.append(state)
            if until(seen):
                break
    return seen


def asked(simulator: Simulator) -> Counter[str]:
    return Counter(request.path for request in simulator.requests)


@pytest.mark.slow
async def test_each_tick_asks_for_the_meters_readings_and_nothing_else(
    user: CliUser, gateway: Gateway
) -> None:
    await states(gateway, lambda seen: len(seen) == 1)
    user.simulator.requests.clear()
    seen = await states(gateway, lambda seen: len(seen) == 5)
    ticks = asked(user.simulator)
    assert ticks.pop("/ivp/meters/readings") == 5
    assert set(ticks.values()) == {1}, "all else only once, at the start"
    assert not any(state.problem for state in seen)


@pytest.mark.slow
async def test_slow_pages_are_asked_for_rarely(
    user: CliUser, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "_SLOW", 8 * TICK)
    await states(gateway, lambda _: asked(user.simulator)["/production.json"] == 3)
    counted = asked(user.simulator)
    assert counted["/ivp/meters/readings"] >= 12
    assert counted["/api/v1/production/inverters"] == 3


@pytest.mark.slow
async def test_readings_go_on_with_the_time(user: CliUser, gateway: Gateway) -> None:
    seen = await states(gateway, lambda seen: seen[-1].overview.at > seen[0].overview.at)
    assert seen[-1].overview.readings != seen[0].overview.readings


async def test_without_meters_nothing_is_asked_at_a_tick(
    create_user: Callable[..., CliUser], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "_SLOW", 5 * TICK)
    simulator = create_user("no-meters").simulator
    async with Gateway(simulator.url, certificate=simulator.certificate_pem) as gateway:
        assert await gateway.login(simulator.token())
        seen = await states(gateway, lambda seen: len(seen) == 2)
    assert not any(state.problem for state in seen)
    counted = asked(simulator)
    assert "/ivp/meters/readings" not in counted
    assert counted["/api/v1/production/inverters"] == 2


@pytest.mark.parametrize("fault", ["reset", "status", "html", "truncated"])
@pytest.mark.slow
async def test_while_the_gateway_fails_the_last_values_stay_and_are_said_to_be_old(
    user: CliUser, gateway: Gateway, fault: str
) -> None:
    faults = user.simulator.faults

    def fails_then_recovers(seen: list[State]) -> bool:
        if len(seen) == 2:
            faults.set(fault, "/ivp/meters/readings")
        if len(seen) == 4:
            faults.clear()
        return len(seen) > 4 and seen[-1].problem is None

    seen = await states(gateway, fails_then_recovers)
    assert [bool(state.problem) for state in seen[:4]] == [False, False, True, True]
    assert seen[2].overview == seen[1].overview
    assert "/ivp/meters/readings" in (seen[2].problem or "")


async def test_a_gateway_that_fails_is_asked_less_and_less_often(
    user: CliUser, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    real_sleep = asyncio.sleep

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await real_sleep(0)

    monkeypatch.setattr("asyncio.sleep", sleep)
    monkeypatch.setattr(following, "_LONGEST_PAUSE", TICK * 10)

    def first_works_then_fails(seen: list[State]) -> bool:
        user.simulator.faults.set("status", "/ivp/meters/readings", status=503)
        return len(seen) == 7

    await states(gateway, first_works_then_fails)
    assert pauses[0] <= TICK
    assert pauses[1:] == pytest.approx([TICK * 2, TICK * 4, TICK * 8, TICK * 10, TICK * 10], abs=0.1)


async def test_an_ended_session_is_opened_again_without_a_word(user: CliUser, gateway: Gateway) -> None:
    def ends(seen: list[State]) -> bool:
        if len(seen) == 2:
            user.simulator.gateway.sessions.end_all()
        return len(seen) == 4

    assert not any(state.problem for state in await states(gateway, ends))


async def test_a_token_that_is_refused_in_mid_run_leads_to_a_new_sign_in(
    user: CliUser, gateway: Gateway
) -> None:
    signed_in = []

    async def sign_in() -> None:
        signed_in.append(True)
        user.simulator.faults.clear()
        assert await gateway.login(user.simulator.token())

    def refuses(seen: list[State]) -> bool:
        if len(seen) == 2:
            user.simulator.faults.set("refuse")
        return len(seen) == 4

    assert not any(state.problem for state in await states(gateway, refuses, sign_in))
    assert len(signed_in) == 1


async def test_a_gateway_that_refuses_after_a_new_sign_in_ends_it(user: CliUser, gateway: Gateway) -> None:
    async def in_vain() -> None:
        pass

    def refuses(seen: list[State]) -> bool:
        user.simulator.faults.set("refuse")
        return False

    with pytest.raises(AuthenticationError):
        await states(gateway, refuses, in_vain)


async def test_another_certificate_ends_it(user: CliUser, gateway: Gateway) -> None:
    def changes(seen: list[State]) -> bool:
        if len(seen) == 2:
            user.simulator.renew_certificate(same_key=False)
        return False

    with pytest.raises(CertificateChangedError):
        await states(gateway, changes)
