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

from .answers import Answer, Outcome, Recording, parse_answer
from .catalogue import Endpoint

_LOGGER = logging.getLogger(__name__)

#: Consecutive requests without an answer before the run is aborted.
_MAX_FAILURES = 3


async def fetch_answers(
    gateway: Gateway,
    firmware: str,
    endpoints: tuple[Endpoint, ...],
    *,
    delay: float,
    sign_in: Callable[[], Awaitable[None]],
) -> Recording:
    """Return the gateway's answers; show a progress bar on a terminal.

    `sign_in` is called when the session can no longer be renewed. Raises what it raises, CertificateError,
    and CommunicationError after three consecutive requests without an answer.
    """
    recording = Recording(firmware)
    failures = 0
    with _progress_bar(sum(len(each.requests) for each in endpoints)) as start_step:
        for endpoint in endpoints:
            for request in endpoint.requests:
                start_step(request)
                try:
                    recording.answers[request] = await _fetch(gateway, endpoint, request, sign_in)
                    failures = 0
                except CommunicationError:
                    failures += 1
                    if failures == _MAX_FAILURES:
                        raise
                    recording.answers[request] = Answer(Outcome.FAILED)
                    _LOGGER.warning("%s: no answer; its page is not changed", request)
                await asyncio.sleep(delay)
                if recording.answers[request].outcome in (Outcome.MISSING, Outcome.REFUSED):
                    # Without the path there are no answers to its queries.
                    break
    return recording


async def _fetch(
    gateway: Gateway, endpoint: Endpoint, request: str, sign_in: Callable[[], Awaitable[None]]
) -> Answer:
    try:
        try:
            body = await gateway.api_call(request, response_raw=True)
        except NotAllowedError:
            raise
        except AuthenticationError as error:
            _LOGGER.info("Signing in again: %s", error)
            await sign_in()
            body = await gateway.api_call(request, response_raw=True)
        return Answer(Outcome.ANSWERED, parse_answer(body, endpoint)) if body else Answer(Outcome.MISSING)
    except NotAllowedError:
        # Early firmware 7 also answers like this for endpoints that it does not have.
        return Answer(Outcome.REFUSED)
    except (ResponseError, ValueError) as error:
        if (
            isinstance(error, ResponseError)
            and error.status == 404
            and not isinstance(error, InvalidAnswerError)
        ):
            return Answer(Outcome.MISSING)
        reason = error if isinstance(error, ResponseError) else "the answer is invalid or too large"
        _LOGGER.warning("%s: %s; its page is not changed", request, reason)
        return Answer(Outcome.FAILED)


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
