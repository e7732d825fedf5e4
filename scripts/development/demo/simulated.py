"""The simulated gateway in Home Assistant, and the scripts behind it: set up, compared, and shown."""

from __future__ import annotations

import contextlib
from argparse import Namespace
from collections.abc import Callable, Coroutine
from typing import Any

from enphase_companion.simulator import Simulator

from . import day, energy, entities, flow, pipeline, process, simulation
from .comparison import Row, compare, format_table
from .owner import PASSWORD, USERNAME, Owner
from .progress import say, serve_until_interrupted, step, unless_ended
from .truth import Expected


async def serve_simulated(
    running: process.Process,
    owner: Owner,
    sim: Simulator,
    given: Namespace,
    broker: pipeline.Broker | None,
) -> int:
    """Set the simulated gateway up in Home Assistant, and do what the options say; return the exit status.

    With a broker, the scripts run behind Home Assistant.
    """
    compares_day = given.pipeline and given.check
    async with step("setting the integration up: address, fingerprint, Entrez account"):
        steps = flow.steps(sim.url, sim.serial_number, sim.fingerprint, sim.username, sim.password)
        entry_id = await flow.walk(owner, steps)
        # The first is for the map of the panels.
        interval = {"scan_interval": 1} if compares_day else {}
        await flow.choose_options(owner, entry_id, panel_sensors=True, **interval)
        expected = simulation.list_expected_entities(sim)
        found = await entities.wait_for_entities(owner, entry_id, [each.unique_id for each in expected])
        panels = [each.serial_number for each in sim.house.inverters]
        await entities.wait_until_enabled(owner, entry_id, [f"{serial}_power" for serial in panels])
        # What a panel's power is compared with depends on the time of its report.
        wanted = {*found} if given.everything or given.check else {f"{each}_last_report" for each in panels}
        if compares_day and not given.everything:
            wanted = {f"{sim.serial_number}_{key}" for key in day.SENSORS}
        shown = await entities.enable(owner, entry_id, wanted)
        expected = [each for each in expected if each.unique_id in shown or each.unique_id not in found]
    sensors = {
        unique_id.removeprefix(f"{sim.serial_number}_"): entity_id for unique_id, entity_id in found.items()
    }
    async with step("adding the dashboard, and filling the Energy dashboard with the house's last days"):
        await energy.add_gateway_dashboard(owner)
        await energy.set_up_dashboard(owner, sensors)
        await energy.import_history(owner, sensors, sim.house, sim.clock.start)

    async def show(scripts: pipeline.Scripts | None, amqp_url: str) -> int:
        if scripts is not None and compares_day:
            return await _compare_day(running, owner, sim, sensors, scripts)
        problems = await _compare_sensors(running, owner, sim, entry_id, expected, shown)
        if given.check:
            return 1 if problems else 0
        device = await entities.find_device(owner, flow.DOMAIN, sim.serial_number)
        text = _where_to_look(running.url, device["id"], sim)
        return await serve_until_interrupted(
            text + ("" if scripts is None else _where_readings_are(scripts, amqp_url))
        )

    if broker is None:
        return await show(None, "")
    return await _with_scripts(show, running, owner, broker)


async def _with_scripts(
    work: Callable[[pipeline.Scripts, str], Coroutine[Any, Any, int]],
    running: process.Process,
    owner: Owner,
    broker: pipeline.Broker,
) -> int:
    """Start the scripts that bring Home Assistant's readings into a database, and do the work meanwhile."""
    async with contextlib.AsyncExitStack() as stack:
        async with step("starting RabbitMQ, and the scripts that read from Home Assistant"):
            amqp_url = await broker.url()
            settings = {
                "ENPHASE_HOME_ASSISTANT_URL": running.url,
                "ENPHASE_HOME_ASSISTANT_TOKEN": await owner.create_token("enphase-gateway-amqp-meters"),
                "ENPHASE_AMQP_URL": amqp_url,
            }
            scripts = pipeline.Scripts(broker.child.log.parent, settings)
            children = [
                await stack.enter_async_context(scripts.run(command))
                for command in ("amqp-database-meters", "gateway-amqp-meters")
            ]

        async def wait_and_work() -> int:
            async with step("waiting for the first reading in the database"):
                await scripts.wait_until_stored()
            return await work(scripts, amqp_url)

        return await unless_ended(wait_and_work(), broker.child, *children)


async def _compare_sensors(
    running: process.Process,
    owner: Owner,
    sim: Simulator,
    entry_id: str,
    expected: list[Expected],
    shown: dict[str, str],
) -> str:
    """Print each sensor beside the truth, and return descriptions of the problems found."""
    silent = {each.unique_id for each in expected if each.silent}
    async with step("waiting until every sensor has been read"):
        states = await entities.wait_for_states(
            owner, [entity_id for unique_id, entity_id in shown.items() if unique_id not in silent]
        )
    diagnostics = await owner.get(f"/api/diagnostics/config_entry/{entry_id}")
    moments = simulation.get_moments(sim, shown, states, diagnostics)
    rows = compare(expected, shown, states, moments, simulation.zone(sim))
    say(f"\n{format_table(rows)}\n")
    problems = _describe_problems(rows, running.find_problems())
    say(problems or f"All {len(rows)} agree with the house within 1 %.")
    return problems


async def _compare_day(
    running: process.Process,
    owner: Owner,
    sim: Simulator,
    sensors: dict[str, str],
    scripts: pipeline.Scripts,
) -> int:
    """Print a day's energy in Home Assistant and in the database; return 1 if they differ, else 0."""
    start = await day.take_snapshot(owner, sensors)
    async with step("waiting for a day of the house"):
        end = await day.wait_for_a_day(owner, sensors, start, say)
    lines = await day.compare(scripts, sim.serial_number, sim.house, start, end)
    count, missing = await day.find_missing(owner, scripts, sensors["last_reading"], start, end)
    say(f"\n{day.format_lines(lines)}\n")
    problems = [f"{line.name}: {line.off}" for line in lines if line.off]
    if missing:
        problems.append(f"{len(missing)} of {count} readings that Home Assistant showed are not stored")
    problems += [f"Home Assistant logged about the integration:\n{each}" for each in running.find_problems()]
    problems += [f"a script logged:\n{each}" for each in scripts.find_problems()]
    equal = f"Database and Home Assistant agree within {day.TOLERANCE:.1%}; all {count} readings are stored."
    say("\n".join(problems) or equal)
    return 1 if problems else 0


def _describe_problems(rows: list[Row], logged: list[str]) -> str:
    """Return descriptions of the problems found."""
    wrong = [row for row in rows if row.off]
    lines = [f"{len(wrong)} of {len(rows)} do not agree with the house:"] if wrong else []
    lines += [f"  {row.name}: {row.off}" for row in wrong]
    lines += [f"Home Assistant logged about the integration:\n{record}" for record in logged]
    return "\n".join(lines)


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


def _where_readings_are(scripts: pipeline.Scripts, amqp_url: str) -> str:
    return f"""

Only Home Assistant polls the gateway; enphase-gateway-amqp-meters gets its readings from there:
RabbitMQ          {amqp_url}   exchange Enphase
Database          {scripts.database}
  a chart of it   ENPHASE_DATABASE_URL=sqlite:///{scripts.database} \\
                  {pipeline.PROGRAMS}/enphase-database-pyplot-meters --output today.png
Logs              {scripts.folder}"""
