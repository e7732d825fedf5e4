"""Fetch the answers of the catalogue's safe endpoints from a gateway: one request at a time, with pauses."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from enphase_api import (
    AuthenticationError,
    CommunicationError,
    InvalidAnswerError,
    NotAllowedError,
    ResponseError,
)
from enphase_api.local import Gateway

from .answers import Answer, Outcome, parse_answer
from .catalogue import Endpoint
from .unfinished import UnfinishedRun

_LOGGER = logging.getLogger(__name__)

#: Consecutive requests without an answer after which the gateway itself may be gone.
_MAX_FAILURES = 3


async def fetch_answers(
    gateway: Gateway,
    run: UnfinishedRun,
    endpoints: tuple[Endpoint, ...],
    *,
    delay: float,
    sign_in: Callable[[], Awaitable[None]],
) -> None:
    """Add the gateway's answers that a run does not have yet; show a progress bar on a terminal.

    `sign_in` is called when the session can no longer be renewed. Raises what it raises, CertificateError,
    and CommunicationError if the gateway does not even answer /info after three consecutive requests without
    an answer.
    """
    failures = 0
    with _progress_bar(sum(len(each.requests) for each in endpoints)) as start_step:
        for endpoint in endpoints:
            for request in endpoint.requests:
                start_step(request)
                if request not in run.answers:
                    answer, body = await _fetch(gateway, endpoint, request, sign_in)
                    failures = failures + 1 if answer.outcome is Outcome.FAILED else 0
                    if failures == _MAX_FAILURES:
                        # One endpoint can be silent for ever, and so can its neighbours.
                        await _require_gateway(gateway)
                        failures = 0
                    run.add(request, answer, body)
                    await asyncio.sleep(delay)
                if run.answers[request].outcome in (Outcome.MISSING, Outcome.REFUSED):
                    # Without the path there are no answers to its queries.
                    break


async def _require_gateway(gateway: Gateway) -> None:
    try:
        await gateway.info()
    except CommunicationError as error:
        raise CommunicationError(
            f"{error}: run this command again to request what is missing",
            path=error.path,
            reason=error.reason,
        ) from error


async def _fetch(
    gateway: Gateway, endpoint: Endpoint, request: str, sign_in: Callable[[], Awaitable[None]]
) -> tuple[Answer, bytes]:
    """Return the answer of one request, with its bytes if it is valid."""
    try:
        body = await _request(gateway, request, sign_in)
        if body.strip():
            return Answer(Outcome.ANSWERED, parse_answer(body, endpoint)), body
        outcome, reason = Outcome.MISSING, ""
    except (NotAllowedError, CommunicationError, ResponseError, ValueError) as error:
        outcome, reason = _explain(error)
    if reason:
        _LOGGER.warning("%s: %s; its page is not changed", request, reason)
    return Answer(outcome), b""


async def _request(gateway: Gateway, request: str, sign_in: Callable[[], Awaitable[None]]) -> bytes:
    try:
        body: bytes = await gateway.api_call(request, response_raw=True)
    except NotAllowedError:
        raise
    except AuthenticationError as error:
        _LOGGER.info("Signing in again: %s", error)
        await sign_in()
        body = await gateway.api_call(request, response_raw=True)
    return body


def _explain(error: Exception) -> tuple[Outcome, str]:
    """Return the outcome of a request that failed like this, and what to warn of."""
    if isinstance(error, NotAllowedError):
        # Early firmware 7 also answers like this for endpoints that it does not have.
        return Outcome.REFUSED, ""
    if isinstance(error, CommunicationError):
        return Outcome.FAILED, "no answer"
    if isinstance(error, InvalidAnswerError):
        return Outcome.INVALID, str(error)
    if isinstance(error, ResponseError):
        return (Outcome.MISSING, "") if error.status == 404 else (Outcome.FAILED, str(error))
    return Outcome.INVALID, "the answer is invalid or too large"


@contextmanager
def _progress_bar(total: int) -> Iterator[Callable[[str], None]]:
    """Yield a function to call with the name of each of `total` steps before it starts."""
    console = Console(stderr=True, highlight=False)
    columns = (
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total)
        started = 0

        def start_step(name: str) -> None:
            nonlocal started
            bar.update(task, completed=started, description=name)
            started += 1

        yield start_step
        bar.update(task, completed=total, description="")
