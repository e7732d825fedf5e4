"""Send a command and prove its effect by what the gateway reports: after seconds, and after a minute."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from ..exceptions import CommandError, CommunicationError, ResponseError
from ..models.commands import Command, CommandResult, Evidence, Outcome, Reason, Value, Way
from ..models.storage import is_same


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The seconds that commands wait."""

    #: For the first proof: most commands show within a few seconds.
    first: float = 10
    #: For the first proof of the grid relay, which opens after 28 s and closes after 15 s.
    relay: float = 90
    #: For the first proof of a command that goes through the cloud.
    cloud: float = 30
    #: From a command to its second proof.
    second: float = 60
    #: Until the cloud itself has a change; normally 5 to 15 minutes.
    cloud_view: float = 1200
    #: From a change of the dry contacts' settings until their reported states are right again.
    contacts: float = 90
    #: Until the local way is tried again after the battery controller has ignored a change.
    local_again: float = 3600
    #: Between two requests.
    pause: float = 2


@dataclass(frozen=True, slots=True)
class Observation:
    """What the gateway reports, by the keys of a command."""

    values: Mapping[str, Value]
    #: What proves a result that these values led to.
    evidence: Callable[[CommandResult], Evidence] = lambda _: Evidence.DEVICE
    #: The reason of a result that these values led to, if they tell one.
    explain: Callable[[CommandResult], Reason | None] = lambda _: None


#: Returns what the gateway reports now. Raises CommandError if there is no such device.
Observe = Callable[[], Awaitable[Observation]]


class Prover:
    """Run one command at a time."""

    def __init__(self, timing: Timing | None = None) -> None:
        self.timing = timing or Timing()
        #: The command on its way to its first proof; None if there is none.
        self.current: CommandResult | None = None
        #: The latest command whose task was cancelled on its way: it may have been sent.
        self.interrupted: CommandResult | None = None
        self._lock = asyncio.Lock()
        #: By command and device, of the latest: when it was sent, and how its values are read.
        self._latest: dict[tuple[Command, str | None], tuple[float, Observe]] = {}

    async def confirm(self, result: CommandResult) -> CommandResult:
        """Wait until a minute after a command, and return its second proof.

        A result that is final already is returned as it is; one that a later command has replaced is final
        as it is. Raises as `Gateway.api_call` does.
        """
        if result.is_final:
            return result
        await asyncio.sleep(max(0.0, self._seconds_to_final(result)))
        async with self._lock:
            sent_at, observe = self._latest.get((result.command, result.device), (None, None))
            if observe is None or sent_at != result.sent_at:
                return replace(result, is_final=True)
            final = _judge(result, await observe())
        if final.reason is Reason.CLOUD_PENDING and now() - result.sent_at < self.timing.cloud_view:
            return replace(final, outcome=Outcome.PENDING, is_final=False)
        return final

    def _seconds_to_final(self, result: CommandResult) -> float:
        """Return the seconds until the second proof of a command."""
        return result.sent_at + self.timing.second - now()

    async def _run(
        self,
        command: Command,
        requested: Mapping[str, Value],
        *,
        send: Callable[[], Awaitable[None]],
        observe: Observe,
        device: str | None = None,
        within: float | None = None,
        way: Way = Way.LOCAL,
        before: Mapping[str, Value] | None = None,
        check: Callable[[Mapping[str, Value]], None] = lambda _: None,
    ) -> CommandResult:
        """Send a command, and return its first proof; `before` is known where it is a second attempt.

        `check` is called with what the gateway reports, and raises CommandError if nothing is to be sent.
        """
        if not requested:
            raise CommandError("nothing to change was given")
        async with self._lock:
            present = (await observe()).values
            check(present)
            sent = CommandResult(
                command=command,
                device=device,
                requested=requested,
                before=present if before is None else before,
                after=present,
                way=way,
                sent_at=now(),
            )
            self.current = sent
            lost: CommunicationError | None = None
            try:
                try:
                    await send()
                except CommunicationError as error:
                    # The command may have arrived: what the gateway reports decides.
                    lost = error
                # A command that was rejected does not replace an earlier one.
                self._latest[command, device] = sent.sent_at, observe
                return await self._prove(sent, observe, self.timing.first if within is None else within, lost)
            except asyncio.CancelledError:
                self._latest[command, device] = sent.sent_at, observe
                self.interrupted = sent
                raise
            finally:
                self.current = None

    async def _prove(
        self, sent: CommandResult, observe: Observe, within: float, lost: CommunicationError | None
    ) -> CommandResult:
        """Return the first proof, as soon as the command holds, else after `within` seconds.

        Raises `lost`, the error of a command without answer, if it does not hold.
        """
        result, unread, deadline = sent, None, now() + within
        while True:
            try:
                seen = await observe()
            except (CommunicationError, ResponseError) as error:
                unread = error
            else:
                unread = None
                result = replace(sent, after=seen.values)
                if not result.missing:
                    return _complete(replace(result, outcome=Outcome.HELD), seen)
                result = _complete(result, seen)
            if (left := deadline - now()) <= 0:
                break
            await asyncio.sleep(min(self.timing.pause, left))
        if (failed := lost or unread) is not None:
            raise failed
        return result


def _judge(result: CommandResult, seen: Observation) -> CommandResult:
    """Return the second proof of a command."""
    final = replace(result, after=seen.values, is_final=True)
    if not final.missing:
        outcome = Outcome.HELD
    elif result.outcome is Outcome.HELD:
        outcome = Outcome.TAKEN_BACK
    elif all(_is_unchanged(final, name) for name in final.missing):
        outcome = Outcome.IGNORED
    else:
        outcome = Outcome.REFUSED
    return _complete(replace(final, outcome=outcome), seen)


def _is_unchanged(result: CommandResult, name: str) -> bool:
    """Return whether a value is as before, or no longer known, as that of a document that is not used."""
    value = result.after.get(name)
    return value is None or is_same(value, result.before.get(name))


def _complete(result: CommandResult, seen: Observation) -> CommandResult:
    """Return a result with its reason, and with what proves it."""
    return replace(result, reason=seen.explain(result), evidence=seen.evidence(result))


def now() -> float:
    """Return the event loop's monotonic seconds."""
    return asyncio.get_running_loop().time()
