"""Follow a gateway: poll its meters at every tick and slow endpoints rarely, through outages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple

from enphase_api import AuthenticationError, CommunicationError, ResponseError
from enphase_api.local import Gateway

from ..runtime.errors import join_clauses
from .overview import Overview

_LOGGER = logging.getLogger(__name__)

#: Seconds between polls of slow endpoints: inverters report no more often.
_SLOW = 300
#: Maximum seconds between two retries while the gateway does not answer.
_LONGEST_PAUSE = 60


class State(NamedTuple):
    """The latest overview, and the problem that keeps it from being updated."""

    overview: Overview
    problem: str | None = None


async def follow(
    gateway: Gateway, overview: Overview, interval: float, sign_in: Callable[[], Awaitable[None]]
) -> AsyncIterator[State]:
    """Yield a state now and every `interval` seconds, for ever.

    A late answer does not shift the next tick, and a missed tick is skipped. `sign_in` is called if the
    session cannot be renewed. Raises what `sign_in` raises, and CertificateError.
    """
    yield State(overview)
    clock = asyncio.get_running_loop().time
    start = clock()
    next_slow = start + _SLOW
    failures, signed_in_again = 0, False
    while True:
        step = interval if overview.has_enabled_meters else _SLOW
        until_tick = step - (clock() - start) % step
        await asyncio.sleep(max(until_tick, min(_LONGEST_PAUSE, interval * 2**failures) if failures else 0))
        try:
            overview = await overview.with_readings(gateway)
            if overview.has_enabled_meters:
                yield State(overview)
            if clock() >= next_slow:
                next_slow = clock() + _SLOW
                overview = await (await overview.with_identity(gateway)).with_slow_endpoints(gateway)
                yield State(overview)
            failures, signed_in_again = 0, False
        except AuthenticationError as error:
            if signed_in_again:
                raise
            _LOGGER.info("Signing in again: %s", error)
            await sign_in()
            signed_in_again = True
        except (CommunicationError, ResponseError) as error:
            failures = min(failures + 1, 10)
            yield State(overview, join_clauses(str(error), "retrying"))
