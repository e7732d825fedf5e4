"""The demo itself, run by scripts/demo in the environment that has Home Assistant."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Coroutine
from datetime import date
from pathlib import Path
from typing import Any

from enphase_companion.simulator import Simulator

from . import day, flow, folder, options, pipeline, process, simulation
from .errors import DemoError
from .owner import PASSWORD, USERNAME, Owner
from .progress import say, serve_until_interrupted, step, unless_ended
from .simulated import serve_simulated

#: What is done with a Home Assistant that runs; returns the exit status.
Work = Callable[[process.Process, Owner], Coroutine[Any, Any, int]]

#: A sunny morning, in which batteries are half full and charge for hours.
_DAY, _HOUR_OF_DAY = date(2026, 5, 7), 9

#: Days before now at which a house begins whose clock runs fast, and one of which a day is compared.
_FAST_START, _COMPARED_START = 1, 4


async def demonstrate(given: Namespace) -> int:
    """Run the demo with these options and return its exit status. Raise DemoError on failure."""
    port = process.find_free_port(given.host, given.port)
    with folder.create_configuration(given.folder, forget=bool(given.gateway)) as configuration:
        folder.fill(configuration, given.host, port)
        if given.gateway:

            async def serve_own(running: process.Process, _owner: Owner) -> int:
                return await serve_until_interrupted(_how_to_add(running.url, given.gateway))

            return await _with_home_assistant(
                serve_own, configuration, given.host, port, _local_environment()
            )
        try:
            # A fast house starts in the past, so that its time stays there.
            days = _COMPARED_START if given.pipeline and given.check else _FAST_START
            start = time.time() - (days * day.DAY if given.speed > 1 else 0)
            simulator = Simulator(
                given.profile, speed=given.speed, start=start, day=_DAY, hour_of_day=_HOUR_OF_DAY
            )
        except ValueError as error:
            raise DemoError(f"--profile: {error}") from error
        async with contextlib.AsyncExitStack() as stack:
            sim = stack.enter_context(simulator)
            broker = None
            if given.pipeline:
                # It starts beside Home Assistant.
                folder.recreate(configuration.with_name("pipeline"))
                starting = pipeline.start_broker(configuration.with_name("pipeline") / "rabbitmq")
                broker = await stack.enter_async_context(starting)

            async def work(running: process.Process, owner: Owner) -> int:
                return await serve_simulated(running, owner, sim, given, broker)

            say(f"a simulated house ({sim.house.profile.description}) with gateway and Entrez is there")
            return await _with_home_assistant(
                work, configuration, given.host, port, simulation.environment(sim), sim
            )


async def _with_home_assistant(
    work: Work,
    configuration: Path,
    host: str,
    port: int,
    environment: dict[str, str],
    sim: Simulator | None = None,
) -> int:
    """Start Home Assistant, create its owner, sign in, and do the work while it runs."""
    async with contextlib.AsyncExitStack() as stack:
        async with step("starting Home Assistant"):
            running = await stack.enter_async_context(
                process.run_home_assistant(
                    configuration,
                    host,
                    port,
                    environment,
                    entrez=None if sim is None else sim.entrez_url,
                    speed=1 if sim is None else sim.clock.speed,
                )
            )
        owner = await stack.enter_async_context(Owner(running.url))
        return await unless_ended(_sign_in_and_work(work, running, owner), running)


async def _sign_in_and_work(work: Work, running: process.Process, owner: Owner) -> int:
    await owner.become()
    await owner.use_the_servers_clock()
    return await work(running, owner)


def _how_to_add(url: str, gateway: str) -> str:
    return f"""
Home Assistant    {url}   sign in as {USERNAME} with password {PASSWORD}

Add your gateway there yourself:
  1. open {url}/config/integrations/dashboard/add?domain={flow.DOMAIN}
  2. host: {gateway.removeprefix("https://")}
  3. compare the certificate's fingerprint before you trust it
  4. sign in with your Enphase account, or paste a token from https://entrez.enphaseenergy.com

When the demo ends, all of this Home Assistant is deleted, your token with it."""


def _local_environment() -> dict[str, str]:
    """Return the environment variables for Home Assistant, with this machine's time zone."""
    link = os.path.realpath("/etc/localtime").partition("/zoneinfo/")[2]
    return {
        "DEMO_NAME": "Home",
        "DEMO_LATITUDE": "0",
        "DEMO_LONGITUDE": "0",
        "DEMO_TIME_ZONE": os.environ.get("TZ", "").lstrip(":") or link or "UTC",
    }


async def _run_until_interrupted(given: Namespace) -> int:
    """Run the demo until it is done or interrupted."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101  # a coroutine runs in one
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    # An earlier Ctrl-C, which scripts/demo holds back, takes effect here.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    try:
        return await demonstrate(given)
    except asyncio.CancelledError:
        return 130


def main() -> int:
    """Run the command and return its exit status."""
    given = options.parse_arguments()
    try:
        return asyncio.run(_run_until_interrupted(given))
    except DemoError as error:
        print(f"scripts/demo: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
