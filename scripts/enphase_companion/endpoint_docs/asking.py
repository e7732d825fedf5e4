"""Asks a gateway what the catalogue has: only what is marked safe, one thing at a time, with pauses."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from enphase_api import (
    AuthenticationError,
    CommunicationError,
    InvalidAnswerError,
    NotAllowedError,
    ResponseError,
)
from enphase_api.local import Gateway

from .answers import Answer, Outcome, Source, parsed
from .catalogue import Endpoint

_LOGGER = logging.getLogger(__name__)

#: Requests in a row that nobody answers, after which the gateway is left in peace.
_PATIENCE = 3


async def asked(
    gateway: Gateway,
    firmware: str,
    endpoints: tuple[Endpoint, ...],
    *,
    pause: float,
    sign_in: Callable[[], Awaitable[None]],
    step: Callable[[str], None],
) -> Source:
    """Return what the gateway answers; `step` is told each request before it is sent.

    `sign_in` is called where the session can no longer be renewed. Raises what it raises, CertificateError,
    and CommunicationError where the gateway answers nothing any more.
    """
    source = Source(firmware)
    silent = 0
    for endpoint in endpoints:
        for request in endpoint.requests:
            step(request)
            try:
                source.answers[request] = await _asked(gateway, endpoint, request, sign_in)
                silent = 0
            except CommunicationError:
                silent += 1
                if silent == _PATIENCE:
                    raise
                source.answers[request] = Answer(Outcome.FAILED)
                _LOGGER.warning("%s: no answer; its page stays as it is.", request)
            await asyncio.sleep(pause)
            if source.answers[request].outcome in (Outcome.MISSING, Outcome.REFUSED):
                # Without the path, its queries need not be asked for.
                break
    return source


async def _asked(
    gateway: Gateway, endpoint: Endpoint, request: str, sign_in: Callable[[], Awaitable[None]]
) -> Answer:
    try:
        try:
            body = await gateway.api_call(request, response_raw=True)
        except NotAllowedError:
            raise
        except AuthenticationError as error:
            _LOGGER.info("Signing in anew: %s", error)
            await sign_in()
            body = await gateway.api_call(request, response_raw=True)
        return Answer(Outcome.ANSWERED, parsed(body, endpoint)) if body else Answer(Outcome.MISSING)
    except NotAllowedError:
        # Early firmware 7 answers so for what it does not have, too.
        return Answer(Outcome.REFUSED)
    except (ResponseError, ValueError) as error:
        if (
            isinstance(error, ResponseError)
            and error.status == 404
            and not isinstance(error, InvalidAnswerError)
        ):
            return Answer(Outcome.MISSING)
        reason = error if isinstance(error, ResponseError) else "its answer is cut short, too large or none"
        _LOGGER.warning("%s: %s. Its page stays as it is.", request, str(reason).rstrip("."))
        return Answer(Outcome.FAILED)
