"""Background work of a window: the newest view is returned, errors are raised, and it ends in time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from enphase_companion.charts.background import Background
from enphase_companion.charts.model import View
from enphase_companion.runtime.errors import CommandError
from enphase_companion.runtime.service import Service

from .helpers import VIEW

Put = Callable[[View], None]


def test_only_the_newest_view_is_returned_and_only_once() -> None:
    async def work(service: Service, put: Put) -> None:
        for _ in range(3):
            put(VIEW)
        await service.sleep(60)

    with Background(work) as source:
        assert source.newest(5) is VIEW
        assert source.newest() is None


def test_the_window_never_waits_for_the_work() -> None:
    has_looked = threading.Event()

    async def work(service: Service, put: Put) -> None:
        # The worst case: this blocks the event loop of the work.
        assert has_looked.wait(30)
        put(VIEW)
        await service.sleep(600)

    with Background(work) as source:
        assert source.newest() is None
        has_looked.set()
        assert source.newest(30) is VIEW


def test_an_error_of_the_work_is_raised_to_the_window() -> None:
    async def work(_: Service, __: Put) -> None:
        raise CommandError("a: b. Do c.")

    with Background(work) as source, pytest.raises(CommandError, match=r"a: b\. Do c\."):
        source.newest(5)


def test_work_that_ends_unexpectedly_is_an_error() -> None:
    async def work(_: Service, put: Put) -> None:
        put(VIEW)

    with Background(work) as source, pytest.raises(RuntimeError, match="has ended"):  # noqa: PT012
        source.newest(5)
        source.newest(5)


@pytest.mark.parametrize("wait", [0.0, 0.3])
def test_hanging_work_is_cancelled_with_the_window(wait: float) -> None:
    ended = []

    async def work(service: Service, _: Put) -> None:
        try:
            await service.unless_stopped(asyncio.Event().wait())
        finally:
            ended.append(True)

    with Background(work):
        time.sleep(wait)
    assert ended in ([True], []) if wait == 0 else ended == [True]
