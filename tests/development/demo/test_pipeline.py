"""The whole chain: simulated gateway, Home Assistant, publisher, RabbitMQ, consumer, database."""

import asyncio
import os
import re
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from development.demo import flow, folder, process, simulation
from development.demo.owner import Owner
from development.demo.pipeline import Scripts
from development.environments import environment
from enphase_companion.simulator import Simulator
from tests.development.demo.running import demo, run, until
from tests.services.rabbitmq import RabbitMQ, private_rabbitmq, rabbitmq

__all__ = ["private_rabbitmq", "rabbitmq"]

pytestmark = [pytest.mark.demo, pytest.mark.slow, pytest.mark.services("rabbitmq-server")]

PUBLISHER, CONSUMER, DIRECT = "gateway-amqp-meters", "amqp-database-meters", "gateway-database-meters"


def processes_of(path: Path) -> dict[int, bytes]:
    """Return the command lines of the processes (without zombies) with this path there or in the environment.

    RabbitMQ starts some that end within milliseconds.
    """
    found = {}
    for each in Path("/proc").glob("[0-9]*"):
        try:
            command, environment = [(each / name).read_bytes() for name in ("cmdline", "environ")]
        except OSError:
            continue
        if os.fsencode(path) in command or os.fsencode(path) in environment:
            found[int(each.name)] = command
    return found


def test_a_day_with_batteries_has_the_same_energy_in_home_assistant_and_in_the_database(
    tmp_path: Path,
) -> None:
    done = run(
        "--pipeline", "--check", "--profile", "battery", "--port", "0", "--folder", str(tmp_path / "demo")
    )
    assert done.returncode == 0, done.stdout
    assert "Database and Home Assistant agree within 0.1%" in done.stdout
    assert {"produced", "imported", "exported", "consumed", "discharged", "charged"} <= {
        line.split()[0] for line in done.stdout.splitlines() if " kWh | " in line
    }
    assert processes_of(tmp_path / "demo") == {}


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_running_when_the_demo_of_the_pipeline_ends(
    end: signal.Signals, tmp_path: Path
) -> None:
    with demo(tmp_path / "demo", "--pipeline") as running:
        assert re.search(r"^RabbitMQ +amqp://guest:guest@127\.0\.0\.1:\d+/", running.output, re.MULTILINE)
        assert "enphase-database-pyplot-meters" in running.output
        token = re.compile(rb"eyJ[\w-]+\.[\w-]+\.[\w-]+")
        processes = processes_of(tmp_path / "demo")
        assert len(processes) > 4
        for command in processes.values():
            assert not token.search(command)
        running.process.send_signal(end)
        assert running.process.wait(timeout=60) == (0 if end == signal.SIGINT else -end)
        until(lambda: not processes_of(tmp_path / "demo"), 60, lambda: processes_of(tmp_path / "demo"))


@dataclass
class Chain:
    """A gateway that Home Assistant reads each second, a broker, and scripts that are started by a test."""

    sim: Simulator
    broker: RabbitMQ
    scripts: Scripts
    url: str
    token: str
    _start: Any
    _stack: AsyncExitStack
    _home_assistant: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def start(self, command: str, **settings: str) -> process.Child:
        return await self._stack.enter_async_context(self.scripts.run(command, **settings))

    async def start_home_assistant(self) -> process.Process:
        return await self._home_assistant.enter_async_context(self._start())

    async def stop_home_assistant(self) -> None:
        await self._home_assistant.aclose()

    async def listen(self, seconds: float) -> set[int]:
        """Return when the readings were measured (ms) that Home Assistant sends in this time."""
        times: set[int] = set()
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{self.url}/api/websocket") as ws:
            await ws.receive_json()
            await ws.send_json({"type": "auth", "access_token": self.token})
            assert (await ws.receive_json())["type"] == "auth_ok"
            await ws.send_json({"id": 1, "type": "enphase_iq_gateway/readings/subscribe"})
            end = time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0:
                try:
                    message = await ws.receive_json(timeout=left)
                except TimeoutError:
                    break
                times |= {meter["measured_at"] for meter in message.get("event", {}).get("meters", ())}
        return times

    def log(self, command: str) -> str:
        return (self.scripts.folder / f"{command}.log").read_text()


@pytest.fixture
async def chain(rabbitmq: RabbitMQ, tmp_path: Path) -> AsyncIterator[Chain]:
    """Yield the chain without scripts; Home Assistant is set up and runs."""
    environment("scripts-3.14")
    port = process.find_free_port("127.0.0.1", 0)
    with Simulator("three-phase") as sim, folder.create_configuration(tmp_path / "demo") as configuration:
        folder.fill(configuration, "127.0.0.1", port)

        @asynccontextmanager
        async def start() -> AsyncIterator[process.Process]:
            async with process.run_home_assistant(
                configuration, "127.0.0.1", port, simulation.environment(sim), entrez=sim.entrez_url
            ) as running:
                yield running

        async with AsyncExitStack() as stack:
            made = Chain(sim, rabbitmq, Scripts(tmp_path, {}), "", "", start, stack)
            stack.push_async_callback(made.stop_home_assistant)
            made.url = (await made.start_home_assistant()).url
            async with Owner(made.url) as owner:
                await owner.become()
                steps = flow.steps(sim.url, sim.serial_number, sim.fingerprint, sim.username, sim.password)
                await flow.choose_options(owner, await flow.walk(owner, steps), scan_interval=1)
                made.token = await owner.create_token("script")
            made.scripts = Scripts(
                folder.recreate(tmp_path / "scripts"),
                {
                    "ENPHASE_HOME_ASSISTANT_URL": made.url,
                    "ENPHASE_HOME_ASSISTANT_TOKEN": made.token,
                    "ENPHASE_AMQP_URL": rabbitmq.url,
                },
            )
            yield made


async def test_no_reading_is_lost_without_a_broker_while_home_assistant_restarts(chain: Chain) -> None:
    chain.broker.kill()
    await chain.start(PUBLISHER)
    await chain.start(CONSUMER)
    await asyncio.sleep(3)
    at_first = await chain.listen(4)  # no broker has been there yet
    chain.broker.start()
    await chain.scripts.wait_until_stored(max(at_first))

    chain.broker.kill()
    later = await chain.listen(4)
    await chain.stop_home_assistant()
    await chain.start_home_assistant()
    returned = time.time()
    chain.broker.start()
    await chain.scripts.wait_until_stored(round(returned * 1000))

    assert len(at_first) >= 3
    assert len(later) >= 3
    assert (at_first | later) - chain.scripts.stored() == set()
    log = chain.log(PUBLISHER)
    assert "Traceback" not in log + chain.log(CONSUMER)
    assert chain.token not in log
    assert log.count("Home Assistant responds again") == 1, log


async def test_a_reading_that_comes_both_ways_is_stored_once(chain: Chain) -> None:
    await chain.start(PUBLISHER)
    await chain.start(CONSUMER)
    await chain.scripts.wait_until_stored()
    (chain.scripts.folder / "gateway.cer").write_text(chain.sim.certificate_pem)
    before = len(chain.sim.requests)
    await chain.start(
        DIRECT,
        ENPHASE_HOME_ASSISTANT_URL="",
        ENPHASE_HOME_ASSISTANT_TOKEN="",
        ENPHASE_CONFIGURATION=str(chain.scripts.folder),
        ENPHASE_GATEWAY_HOST=chain.sim.url,
        ENPHASE_GATEWAY_TOKEN=chain.sim.token(),
        ENPHASE_FLUSH_INTERVAL="0.2",
    )
    while not any(each.path == "/auth/check_jwt" for each in chain.sim.requests[before:]):
        await asyncio.sleep(0.1)
    begin = len(chain.sim.requests)
    times = await chain.listen(8)
    await chain.scripts.wait_until_stored(max(times))

    polled = [each for each in chain.sim.requests[begin:] if each.path == "/ivp/meters/readings"]
    assert len(polled) > 1.5 * len(times)  # by Home Assistant and by the script
    stored = chain.scripts.stored()
    assert times <= stored
    # A second reading of the same second would be stored some milliseconds later.
    assert {each % 1000 for each in stored} == {0}
    assert "Traceback" not in chain.log(DIRECT) + chain.log(CONSUMER)
