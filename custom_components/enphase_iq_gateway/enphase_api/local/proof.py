"""Send a command and prove its effect by what the gateway reports: after seconds, and after a minute."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from ..exceptions import CommandError, CommunicationError, ResponseError
from ..models.commands import Command, CommandResult, Evidence, Outcome, Reason, Value
from ..models.storage import is_same


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The seconds that commands wait."""

    #: For the first proof: most commands show within a few seconds.
    first: float = 10
    #: For the first proof of the grid relay, which opens after 28 s and closes after 15 s.
    relay: float = 90
    #: From a command to its second proof.
    second: float = 60
    #: From a change of the dry contacts' settings until their reported states are right again.
    contacts: float = 90
    #: Between two requests.
    pause: float = 2


@dataclass(frozen=True, slots=True)
class Observation:
    """What the gateway reports, by the keys of a command."""

    values: Mapping[str, Value]
    evidence: Evidence = Evidence.DEVICE
    #: The reason of a result that these values led to, if they tell one.
    explain: Callable[[CommandResult], Reason | None] = lambda _: None


class Prover(ABC):
    """Run one command at a time."""

    def __init__(self, timing: Timing | None = None) -> None:
        self.timing = timing or Timing()
        #: The command on its way to its first proof; None if there is none.
        self.current: CommandResult | None = None
        self._lock = asyncio.Lock()
        #: By command and device: when the latest was sent.
        self._latest: dict[tuple[Command, str | None], float] = {}

    @abstractmethod
    async def _observe(self, command: Command, device: str | None) -> Observation:
        """Return what the gateway reports now. Raises CommandError if there is no such device."""

    def _seconds_to_final(self, result: CommandResult) -> float:
        """Return the seconds until the second proof of a command."""
        return result.sent_at + self.timing.second - now()

    async def confirm(self, result: CommandResult) -> CommandResult:
        """Wait until a minute after a command, and return its second proof.

        A result that is final already, or that a later command has replaced, is returned as it is. Raises as
        `Gateway.api_call` does.
        """
        if result.is_final:
            return result
        await asyncio.sleep(max(0.0, self._seconds_to_final(result)))
        async with self._lock:
            if self._latest.get((result.command, result.device)) != result.sent_at:
                return result
            seen = await self._observe(result.command, result.device)
        return _judge(result, seen)

    async def _run(
        self,
        command: Command,
        device: str | None,
        requested: Mapping[str, Value],
        send: Callable[[], Awaitable[None]],
        within: float | None = None,
    ) -> CommandResult:
        """Send a command, and return its first proof."""
        if not requested:
            raise CommandError("nothing to change was given")
        async with self._lock:
            before = await self._observe(command, device)
            sent = CommandResult(
                command=command,
                device=device,
                requested=requested,
                before=before.values,
                after=before.values,
                sent_at=now(),
            )
            self.current = sent
            try:
                self._latest[command, device] = sent.sent_at
                return await self._prove(sent, send, self.timing.first if within is None else within)
            finally:
                self.current = None

    async def _prove(
        self, sent: CommandResult, send: Callable[[], Awaitable[None]], within: float
    ) -> CommandResult:
        lost: Exception | None = None
        try:
            await send()
        except CommunicationError as error:
            # The command may have arrived: what the gateway reports decides.
            lost = error
        result, unread, deadline = sent, None, now() + within
        while True:
            try:
                seen = await self._observe(sent.command, sent.device)
            except (CommunicationError, ResponseError) as error:
                unread = error
            else:
                unread = None
                result = replace(sent, after=seen.values, evidence=seen.evidence)
                if not result.missing:
                    result = replace(result, outcome=Outcome.HELD)
                    return replace(result, reason=seen.explain(result))
                result = replace(result, reason=seen.explain(result))
            if (left := deadline - now()) <= 0:
                break
            await asyncio.sleep(min(self.timing.pause, left))
        if (failed := lost or unread) is not None:
            raise failed
        return result


def _judge(result: CommandResult, seen: Observation) -> CommandResult:
    """Return the second proof of a command."""
    final = replace(result, after=seen.values, evidence=seen.evidence, reason=None, is_final=True)
    if not final.missing:
        outcome = Outcome.HELD
    elif result.outcome is Outcome.HELD:
        outcome = Outcome.TAKEN_BACK
    elif all(is_same(seen.values.get(name), result.before.get(name)) for name in final.missing):
        outcome = Outcome.IGNORED
    else:
        outcome = Outcome.REFUSED
    final = replace(final, outcome=outcome)
    return replace(final, reason=seen.explain(final))


def now() -> float:
    """Return the event loop's monotonic seconds."""
    return asyncio.get_running_loop().time()
