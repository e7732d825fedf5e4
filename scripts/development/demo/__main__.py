"""The demo itself, run by scripts/demo in the environment that has Home Assistant."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import sys
import time
from argparse import Namespace
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date
from pathlib import Path

from enphase_companion.simulator import Simulator

from . import energy, entities, flow, folder, options, process, simulation
from .comparison import Row, compare, format_table
from .errors import DemoError
from .owner import PASSWORD, USERNAME, Owner

#: What is done with a Home Assistant that runs; returns the exit status.
Work = Callable[[process.Process, Owner], Awaitable[int]]

#: A sunny morning, in which batteries are half full and charge for hours.
_DAY, _HOUR_OF_DAY = date(2026, 5, 7), 9

#: Seconds before now at which a house begins whose clock runs fast.
_FAST_START = 86_400

#: Seconds after which the current step is printed again.
_REMINDER_INTERVAL = 10


def say(text: str = "") -> None:
    """Print and flush."""
    print(text, flush=True)


@contextlib.asynccontextmanager
async def _step(text: str) -> AsyncIterator[None]:
    """Print the current step, and repeat it every ten seconds until it is done."""

    async def remind() -> None:
        for seconds in itertools.count(_REMINDER_INTERVAL, _REMINDER_INTERVAL):
            await asyncio.sleep(_REMINDER_INTERVAL)
            say(f"still {text} ({seconds} s)")

    say(text)
    reminding = asyncio.create_task(remind())
    try:
        yield
    finally:
        reminding.cancel()


async def demonstrate(given: Namespace) -> int:
    """Run the demo with these options and return its exit status. Raise DemoError on failure."""
    port = process.find_free_port(given.host, given.port)
    with folder.create_configuration(given.folder, forget=bool(given.gateway)) as configuration:
        folder.fill(configuration, given.host, port)
        if given.gateway:

            async def serve_own(running: process.Process, _owner: Owner) -> int:
                return await _serve(_how_to_add(running.url, given.gateway))

            return await _with_home_assistant(
                serve_own, configuration, given.host, port, _local_environment()
            )
        try:
            # A fast house starts a day ago, so that its time stays in the past.
            start = time.time() - (_FAST_START if given.speed > 1 else 0)
            simulator = Simulator(
                given.profile, speed=given.speed, start=start, day=_DAY, hour_of_day=_HOUR_OF_DAY
            )
        except ValueError as error:
            raise DemoError(f"--profile: {error}") from error
        with simulator as sim:

            async def serve_simulated(running: process.Process, owner: Owner) -> int:
                return await _serve_simulated(running, owner, sim, given)

            say(f"a simulated house ({sim.house.profile.description}) with gateway and Entrez is there")
            return await _with_home_assistant(
                serve_simulated, configuration, given.host, port, simulation.environment(sim), sim
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
        async with _step("starting Home Assistant"):
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
        ended = asyncio.create_task(running.wait_for_exit())
        working = asyncio.create_task(_sign_in_and_work(work, running, owner))
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([ended, working], return_when=asyncio.FIRST_COMPLETED)
            if working.done() and working.exception():
                # The usual cause is that Home Assistant is about to exit.
                await asyncio.wait([ended], timeout=1)
        ended_by_itself = ended.done()
        for task in (ended, working):
            task.cancel()
        await asyncio.wait([working])
        if ended_by_itself:
            raise ended.result()
        return await working


async def _sign_in_and_work(work: Work, running: process.Process, owner: Owner) -> int:
    await owner.become()
    await owner.use_the_servers_clock()
    return await work(running, owner)


async def _serve_simulated(running: process.Process, owner: Owner, sim: Simulator, given: Namespace) -> int:
    async with _step("setting the integration up: address, fingerprint, Entrez account"):
        steps = flow.steps(sim.url, sim.serial_number, sim.fingerprint, sim.username, sim.password)
        entry_id = await flow.walk(owner, steps)
        # For the map of the panels.
        await flow.choose_options(owner, entry_id, panel_sensors=True)
        expected = simulation.list_expected_entities(sim)
        found = await entities.wait_for_entities(owner, entry_id, [each.unique_id for each in expected])
        shown = await entities.enable(owner, entry_id, found if given.everything or given.check else ())
        expected = [each for each in expected if each.unique_id in shown or each.unique_id not in found]
    sensors = {
        unique_id.removeprefix(f"{sim.serial_number}_"): entity_id for unique_id, entity_id in found.items()
    }
    async with _step("adding the dashboard, and filling the Energy dashboard with the house's last days"):
        await energy.add_gateway_dashboard(owner)
        await energy.set_up_dashboard(owner, sensors)
        await energy.import_history(owner, sensors, sim.house, sim.clock.start)

    silent = {each.unique_id for each in expected if each.silent}
    async with _step("waiting until every sensor has been read"):
        states = await entities.wait_for_states(
            owner, [entity_id for unique_id, entity_id in shown.items() if unique_id not in silent]
        )
    diagnostics = await owner.get(f"/api/diagnostics/config_entry/{entry_id}")
    moments = simulation.get_moments(sim, shown, states, diagnostics)
    rows = compare(expected, shown, states, moments, simulation.zone(sim))
    say(f"\n{format_table(rows)}\n")
    problems = _describe_problems(rows, running.find_problems())
    say(problems or f"All {len(rows)} agree with the house within 1 %.")
    if given.check:
        return 1 if problems else 0
    device = await entities.find_device(owner, flow.DOMAIN, sim.serial_number)
    return await _serve(_where_to_look(running.url, device["id"], sim))


def _describe_problems(rows: list[Row], logged: list[str]) -> str:
    """Return descriptions of the problems found."""
    wrong = [row for row in rows if row.off]
    lines = [f"{len(wrong)} of {len(rows)} do not agree with the house:"] if wrong else []
    lines += [f"  {row.name}: {row.off}" for row in wrong]
    lines += [f"Home Assistant logged about the integration:\n{record}" for record in logged]
    return "\n".join(lines)


async def _serve(text: str) -> int:
    """Print where to look, and wait until the demo is interrupted."""
    began = float(os.environ.get("DEMO_STARTED", "nan"))
    say(f"{text}\n\nReady after {time.time() - began:.0f} s. Ctrl-C ends everything.")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        say("\nending Home Assistant")
    return 0


def _where_to_look(url: str, device_id: str, sim: Simulator) -> str:
    return f"""
Home Assistant    {url}   sign in as {USERNAME} with password {PASSWORD}
  the dashboard   {url}/{energy.DASHBOARD}   (this is what opens)
  the gateway     {url}/config/devices/device/{device_id}
  Energy          {url}/energy
Gateway           {sim.url}   serial number {sim.serial_number}
Entrez            {sim.entrez_url}   account {sim.username} with password {sim.password}

House, gateway and account are simulated, and so is what the Energy dashboard shows of the days before now:
it is the house's own past, put into the statistics of the same sensors."""


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
