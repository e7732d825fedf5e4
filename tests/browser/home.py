"""The tested home: a simulated gateway, and a real Home Assistant with an owner."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zeroconf import InterfaceChoice
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from development.demo import entities, flow, folder, process, simulation
from development.demo.owner import Owner
from development.steps import PROJECT
from enphase_companion.simulator import Simulator
from tests.houses import JUNE

HOST = "127.0.0.1"
#: Besides the configuration of the demo: discovery, and statistics on request.
_CONFIGURATION = "zeroconf:\nstatistics_now:\n"
_SERVICE = "_enphase-envoy._tcp.local."


class Gateway(Simulator):
    """A simulated gateway that can change its address."""

    def move(self) -> None:
        """Change the port."""
        self._run(self._gateway_server.stop())
        self._gateway_server.port = 0
        self._run(self._gateway_server.start(self._certificate.server_context()))

    @asynccontextmanager
    async def announced(self) -> AsyncIterator[None]:
        """Announce the gateway by mDNS; other machines cannot reach the announced address."""
        info = AsyncServiceInfo(
            _SERVICE,
            f"envoy.{_SERVICE}",
            server="envoy.local.",
            addresses=[socket.inet_aton(HOST)],
            port=int(self.url.rpartition(":")[2]),
            properties={"serialnum": self.serial_number, "protovers": "8.2.4264"},
        )
        announcer = AsyncZeroconf(interfaces=InterfaceChoice.Default)
        try:
            await announcer.async_register_service(info)
            yield
        finally:
            await announcer.async_unregister_all_services()
            await announcer.async_close()


@dataclass(frozen=True)
class Home:
    """A gateway and a Home Assistant; `owner` is its API for everything that is not done in the browser."""

    gateway: Gateway
    process: process.Process
    owner: Owner

    async def entries(self) -> list[dict[str, Any]]:
        """Return the entries of the integration."""
        found: list[dict[str, Any]] = await self.owner.ask("config_entries/get", domain=flow.DOMAIN)
        return found

    async def sensors(self) -> dict[str, str]:
        """Return the entity ids of the gateway by the keys in their unique ids."""
        (entry,) = await self.entries()
        found = await entities.wait_for_entities(self.owner, entry["entry_id"], [])
        return {
            unique_id.removeprefix(f"{self.gateway.serial_number}_"): entity_id
            for unique_id, entity_id in found.items()
        }

    async def state(self, entity_id: str) -> str:
        """Return the state of an entity; unavailable if it does not exist."""
        return str((await self.owner.states()).get(entity_id, {"state": "unavailable"})["state"])

    async def remove_gateway(self) -> None:
        """Remove the gateway from Home Assistant."""
        for entry in await self.entries():
            await self.owner.delete(f"/api/config/config_entries/entry/{entry['entry_id']}")

    async def add_gateway(self, token: str | None = None) -> None:
        """Add the gateway to Home Assistant if needed, and poll it every second; with a token if given."""
        if token or not await self._is_polled():
            await self.remove_gateway()
            gateway = self.gateway
            steps = flow.steps(
                gateway.url, gateway.serial_number, gateway.fingerprint, gateway.username, gateway.password
            )
            if token:
                steps |= {"sign_in": {"next_step_id": "token"}, "token": {"token": token}}
            await flow.walk(self.owner, steps)
        await self.choose_options()

    async def choose_options(self, **chosen: Any) -> None:
        """Set options, and poll the gateway every second."""
        (entry,) = await self.entries()
        await flow.choose_options(self.owner, entry["entry_id"], scan_interval=1, **chosen)

    async def _is_polled(self) -> bool:
        if not any(entry["state"] == "loaded" for entry in await self.entries()):
            return False
        power = (await self.sensors()).get("production_power")
        return power is not None and await self.state(power) not in entities.NOTHING


@asynccontextmanager
async def running_home(place: Path, profile: str = "battery") -> AsyncIterator[Home]:
    """Run the home in a folder, with this profile of the simulator. Raises DemoError."""
    port = process.find_free_port(HOST, 0)
    with (
        folder.create_configuration(place) as configuration,
        Gateway(profile, day=JUNE, hour_of_day=13) as gateway,
    ):
        folder.fill(configuration, HOST, port)
        _add_integrations(configuration)
        async with (
            process.run_home_assistant(
                configuration, HOST, port, simulation.environment(gateway), entrez=gateway.entrez_url
            ) as running,
            Owner(running.url) as owner,
        ):
            await owner.become()
            await owner.use_the_servers_clock()
            yield Home(gateway, running, owner)


def _add_integrations(configuration: Path) -> None:
    custom = configuration / "custom_components"
    custom.unlink()
    custom.mkdir()
    for part in (PROJECT / "custom_components" / flow.DOMAIN, Path(__file__).with_name("statistics_now")):
        (custom / part.name).symlink_to(part)
    with (configuration / "configuration.yaml").open("a") as file:
        file.write(_CONFIGURATION)
