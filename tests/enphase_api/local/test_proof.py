"""The proof of a command: what the gateway reports after seconds, and after a minute."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from enphase_api import CommandError, CommunicationError, NotAllowedError, ResponseError
from enphase_api.local import Timing
from enphase_api.local.proof import Observation, Prover
from enphase_api.models import Command, CommandResult, Outcome, Reason, Value

#: Commands in these tests need milliseconds.
QUICK = Timing(first=0.2, relay=0.2, cloud=0.2, second=0.3, contacts=0.3, cloud_view=5, pause=0.01)


class Device(Prover):
    """A device whose values follow a script: one entry for each time that they are read."""

    def __init__(self, *script: Mapping[str, Value] | Exception) -> None:
        super().__init__(QUICK)
        self.script = [*script]
        self.sent = 0
        self.reads = 0
        self.reason: Callable[[CommandResult], Reason | None] = lambda _: None

    async def observe(self) -> Observation:
        self.reads += 1
        entry = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(entry, Exception):
            raise entry
        return Observation(entry, explain=self.reason)

    async def set(self, error: Exception | None = None, **requested: Value) -> CommandResult:
        async def send() -> None:
            self.sent += 1
            if error is not None:
                raise error

        return await self._run(Command.STORAGE, requested, send=send, observe=self.observe)


ECO, SELF, FULL = {"mode": "economy"}, {"mode": "self-consumption"}, {"mode": "backup"}
LOST = CommunicationError("the gateway did not answer")


@pytest.mark.parametrize(
    ("script", "first", "final"),
    [
        ([SELF, ECO], Outcome.HELD, Outcome.HELD),
        ([SELF, SELF, SELF, ECO], Outcome.HELD, Outcome.HELD),
        ([SELF], Outcome.PENDING, Outcome.IGNORED),
        ([SELF, {"mode": None}], Outcome.PENDING, Outcome.IGNORED),
        ([SELF, FULL], Outcome.PENDING, Outcome.REFUSED),
        ([SELF, ECO, SELF], Outcome.HELD, Outcome.TAKEN_BACK),
        ([SELF, ECO, FULL], Outcome.HELD, Outcome.TAKEN_BACK),
        ([ECO, ECO], Outcome.HELD, Outcome.HELD),
        ([SELF, LOST, ECO], Outcome.HELD, Outcome.HELD),
    ],
    ids=[
        "at once",
        "later",
        "never",
        "unknown",
        "third value",
        "cloud writes back",
        "cloud writes another",
        "as before",
        "one read fails",
    ],
)
async def test_the_outcome_is_what_the_device_reports(
    script: list[Mapping[str, Value] | Exception], first: Outcome, final: Outcome
) -> None:
    device = Device(*script)
    result = await device.set(mode="economy")
    assert (result.outcome, result.is_final) == (first, False)
    confirmed = await device.confirm(result)
    assert (confirmed.outcome, confirmed.is_final) == (final, True)
    assert confirmed.before == script[0]
    assert device.sent == 1
    assert await device.confirm(confirmed) is confirmed


async def test_a_value_that_only_shows_after_the_first_proof_has_held() -> None:
    device = Device(SELF)
    result = await device.set(mode="economy")
    assert result.outcome is Outcome.PENDING
    device.script = [ECO]
    assert (await device.confirm(result)).outcome is Outcome.HELD


async def test_what_else_changed_is_named() -> None:
    device = Device({**SELF, "reserve": 20.0, "level": 5}, {**FULL, "reserve": 100.0, "level": 5.4})
    result = await device.set(mode="backup")
    assert result.also_changed == {"reserve": (20.0, 100.0)}
    assert result.as_dict()["also_changed"] == {"reserve": {"before": 20.0, "after": 100.0}}
    assert result.as_dict()["outcome"] == "held"


async def test_each_requested_value_counts() -> None:
    device = Device({**SELF, "reserve": 20.0}, {**ECO, "reserve": 20.0})
    result = await device.confirm(await device.set(mode="economy", reserve=30.0))
    assert (result.outcome, result.missing) == (Outcome.IGNORED, ("reserve",))


async def test_a_command_whose_answer_was_lost_is_proven_by_its_effect() -> None:
    device = Device(SELF, ECO)
    assert (await device.set(LOST, mode="economy")).outcome is Outcome.HELD


async def test_a_lost_command_without_effect_is_the_error() -> None:
    with pytest.raises(CommunicationError, match="did not answer"):
        await Device(SELF).set(LOST, mode="economy")


async def test_a_command_whose_effect_cannot_be_read_is_the_error() -> None:
    busy = ResponseError("status 503", path="/", status=503, retryable=True)
    with pytest.raises(ResponseError, match="503"):
        await Device(SELF, busy).set(mode="economy")


async def test_a_rejected_command_is_the_error_at_once() -> None:
    device = Device(SELF)
    with pytest.raises(NotAllowedError):
        await device.set(NotAllowedError("not for owners", path="/"), mode="economy")
    assert device.reads == 1
    assert device.current is None


async def test_nothing_is_sent_if_the_present_values_cannot_be_read() -> None:
    device = Device(LOST)
    with pytest.raises(CommunicationError):
        await device.set(mode="economy")
    assert device.sent == 0


async def test_a_command_without_a_change_is_an_error() -> None:
    with pytest.raises(CommandError, match="nothing to change"):
        await Device(SELF).set()


async def test_two_commands_never_run_at_once() -> None:
    device = Device(SELF)
    running: list[Any] = []

    async def watch() -> None:
        while device.sent < 2 or device.current is not None:
            running.append(device.current and device.current.requested["mode"])
            await asyncio.sleep(0.005)

    await asyncio.gather(device.set(mode="economy"), device.set(mode="backup"), watch())
    seen = [mode for mode in running if mode is not None]
    assert seen == sorted(seen, key=["economy", "backup"].index)
    assert set(seen) == {"economy", "backup"}


async def test_the_command_on_its_way_is_known_until_its_first_proof() -> None:
    device = Device(SELF)
    sending = asyncio.create_task(device.set(mode="economy"))
    while device.sent == 0:
        await asyncio.sleep(0)
    current = device.current
    assert current is not None
    assert (current.outcome, current.before) == (Outcome.PENDING, SELF)
    await sending
    assert [device.current, device.interrupted] == [None, None]


async def test_a_command_that_was_cancelled_on_its_way_is_known() -> None:
    device = Device(SELF)
    sending = asyncio.create_task(device.set(mode="economy"))
    while device.sent == 0:
        await asyncio.sleep(0)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert device.current is None
    assert device.interrupted is not None
    assert device.interrupted.requested == ECO


async def test_an_earlier_command_is_not_judged_by_the_values_of_a_later_one() -> None:
    device = Device(SELF, ECO, ECO, FULL)
    first = await device.set(mode="economy")
    second = await device.set(mode="backup")
    assert await device.confirm(first) == replace(first, is_final=True)
    assert (await device.confirm(second)).outcome is Outcome.HELD


async def test_an_earlier_command_is_still_judged_after_a_later_one_was_rejected() -> None:
    device = Device(SELF, ECO, ECO, SELF)
    first = await device.set(mode="economy")
    with pytest.raises(NotAllowedError):
        await device.set(NotAllowedError("not for owners", path="/"), mode="backup")
    assert (await device.confirm(first)).outcome is Outcome.TAKEN_BACK


async def test_a_change_that_waits_for_the_cloud_is_pending_and_not_final() -> None:
    device = Device(SELF)
    device.reason = lambda result: Reason.CLOUD_PENDING if result.missing else None
    result = await device.confirm(await device.set(mode="economy"))
    assert (result.outcome, result.is_final) == (Outcome.PENDING, False)
    device.script = [ECO]
    assert (await device.confirm(result)).outcome is Outcome.HELD


async def test_a_change_that_the_cloud_never_has_was_ignored() -> None:
    device = Device(SELF)
    device.timing = Timing(first=0.05, second=0.1, cloud_view=0.1, pause=0.01)
    device.reason = lambda _: Reason.CLOUD_PENDING
    result = await device.confirm(await device.set(mode="economy"))
    assert (result.outcome, result.is_final) == (Outcome.IGNORED, True)
