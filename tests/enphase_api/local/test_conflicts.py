"""Two programs that change the same gateway at the same time, each by its own client."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from enphase_api.local import Control, Gateway, Timing
from enphase_api.models import CommandResult, Outcome, Reason
from enphase_companion.simulator import Simulator
from tests.houses import JUNE

TARIFF = "/admin/lib/tariff"
TIMING = Timing(first=0.3, second=0.5, pause=0.05)

Send = Callable[[Control], Awaitable[CommandResult]]


class Meeting:
    """Let two programs write what both have read before, one after the other, and then see both writes."""

    def __init__(self, first: Control, second: Control) -> None:
        self._have_read = {control: asyncio.Event() for control in (first, second)}
        self._has_written = {control: asyncio.Event() for control in (first, second)}
        for control in (first, second):
            self._let_wait(control, control._write, is_first=control is first)

    def _let_wait(self, control: Control, write: Callable[..., Awaitable[None]], *, is_first: bool) -> None:
        async def wait_and_write(path: str, method: str, body: Any) -> None:
            self._have_read[control].set()
            for event in self._have_read.values():
                await event.wait()
            if not is_first:
                await next(iter(self._has_written.values())).wait()
            await write(path, method, body)
            self._has_written[control].set()
            for event in self._has_written.values():
                await event.wait()

        control._write = wait_and_write  # type: ignore[method-assign]


async def run_at_once(profile: str, path: str, *commands: Send) -> tuple[list[CommandResult], Any, Any]:
    """Return the second proofs of two commands, and the document before and after them."""
    async with AsyncExitStack() as stack:
        sim = stack.enter_context(Simulator(profile, hour_of_day=11, day=JUNE, speed=60))
        gateways = [
            await stack.enter_async_context(Gateway(sim.url, certificate=sim.certificate_pem))
            for _ in commands
        ]
        for gateway in gateways:
            assert await gateway.login(sim.token())
            gateway.control.timing = TIMING
        controls = [gateway.control for gateway in gateways]
        before = await gateways[0].api_call(path)
        Meeting(*controls)

        async def run(control: Control, send: Send) -> CommandResult:
            return await control.confirm(await send(control))

        results = await asyncio.gather(*map(run, controls, commands))
        after = await gateways[0].api_call(path)
    await asyncio.sleep(0.02)
    return results, before, after


@pytest.mark.parametrize(
    ("first", "second", "outcome", "reason"),
    [
        ({"reserve": 40}, {"charge_from_grid": True}, Outcome.IGNORED, Reason.REWRITTEN),
        ({"mode": "economy", "reserve": 40}, {"mode": "backup"}, Outcome.REFUSED, Reason.NOT_STORED),
        ({"reserve": 40}, {"reserve": 50}, Outcome.REFUSED, Reason.NOT_STORED),
        ({"shutdown_level": 8}, {"mode": "economy", "reserve": 50}, Outcome.IGNORED, Reason.REWRITTEN),
    ],
)
async def test_of_two_documents_the_later_one_is_stored_whole_and_the_earlier_program_is_told(
    first: dict[str, Any], second: dict[str, Any], outcome: Outcome, reason: Reason
) -> None:
    results, before, after = await run_at_once(
        "battery",
        TARIFF,
        lambda control: control.set_storage(**first),
        lambda control: control.set_storage(**second),
    )
    keys = {"mode": "mode", "reserve": "reserved_soc", "shutdown_level": "very_low_soc"}
    changed = {keys.get(name, name): value for name, value in second.items()}
    settings = after["tariff"]["storage_settings"]
    expected = before["tariff"]["storage_settings"] | changed
    assert {**settings, "date": None} == {**expected, "date": None}
    assert [result.outcome for result in results] == [outcome, Outcome.HELD]
    assert results[0].reason is reason
    assert results[0].missing


async def test_a_program_that_reads_after_the_other_has_written_keeps_its_change() -> None:
    with Simulator("battery", hour_of_day=11, day=JUNE, speed=60) as sim:
        async with (
            Gateway(sim.url, certificate=sim.certificate_pem) as one,
            Gateway(sim.url, certificate=sim.certificate_pem) as other,
        ):
            for gateway in (one, other):
                assert await gateway.login(sim.token())
                gateway.control.timing = Timing(first=20, pause=0.05)
            await one.control.set_storage(reserve=40)
            result = await other.control.set_storage(charge_from_grid=True)
            storage = await one.control.storage()
    assert (result.outcome, result.also_changed) == (Outcome.HELD, {})
    assert (storage.reserve, storage.charge_from_grid) == (40, True)
    await asyncio.sleep(0.02)


async def test_of_two_settings_of_a_dry_contact_the_later_one_holds_and_the_earlier_program_is_told() -> None:
    results, before, after = await run_at_once(
        "generator",
        "/ivp/ss/dry_contact_settings",
        lambda control: control.set_dry_contact_settings("NC1", soc_low=20),
        lambda control: control.set_dry_contact_settings("NC1", grid_action="shed"),
    )
    assert [result.outcome for result in results] == [Outcome.IGNORED, Outcome.HELD]
    assert after["dry_contacts"][0] == {**before["dry_contacts"][0], "grid_action": "shed"}
