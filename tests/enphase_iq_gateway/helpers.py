"""Helpers: announcements, changed responses, repair issues, diagnostics, and modules of the scripts."""

import importlib
import importlib.util
import json
import sys
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from homeassistant.components.repairs import repairs_flow_manager
from homeassistant.components.repairs.const import DOMAIN as REPAIRS
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.event import async_track_state_change_event
from homeassistant.helpers.json import JSONEncoder
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]
from yarl import URL

from custom_components.enphase_iq_gateway import enphase_api as integrations_client
from custom_components.enphase_iq_gateway.const import DOMAIN
from custom_components.enphase_iq_gateway.diagnostics import async_get_config_entry_diagnostics
from custom_components.enphase_iq_gateway.endpoints import POLL_INTERVALS, Endpoint
from custom_components.enphase_iq_gateway.issues import certificate_issue_id
from enphase_companion.simulator import Simulator

UNREACHABLE = "https://127.0.0.1:1"


async def diagnostics(hass: HomeAssistant, entry: MockConfigEntry) -> Any:
    """Return the diagnostics file as a user downloads it."""
    return json.loads(json.dumps(await async_get_config_entry_diagnostics(hass, entry), cls=JSONEncoder))


def scripts_name(module: str) -> ModuleType:
    """Return a module of the scripts, or of the client under the name by which they import it.

    That is a second copy of the client, beside that of the integration.
    """
    if "enphase_api" not in sys.modules:
        folder = Path(integrations_client.__path__[0])
        found = importlib.util.spec_from_file_location(
            "enphase_api", folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        assert found is not None
        assert found.loader is not None
        sys.modules["enphase_api"] = client = importlib.util.module_from_spec(found)
        found.loader.exec_module(client)
    return importlib.import_module(module)


def announcement(
    simulator: Simulator,
    address: str | None = None,
    properties: Mapping[str, str | None] | None = None,
) -> ZeroconfServiceInfo:
    """Return the announcement of a gateway."""
    url = URL(simulator.url)
    ip = ip_address(address or str(url.host))
    announced = {"serialnum": simulator.serial_number, "protovers": "8.2.4264"}
    return ZeroconfServiceInfo(
        ip_address=ip,
        ip_addresses=[ip],
        port=url.port,
        hostname="envoy.local.",
        type="_enphase-envoy._tcp.local.",
        name="envoy._enphase-envoy._tcp.local.",
        properties=dict(announced if properties is None else properties),
    )


def change_response(
    monkeypatch: pytest.MonkeyPatch, simulator: Simulator, path: str, change: Callable[[Any], Any]
) -> None:
    """Change the response of the gateway to one path."""
    answers = simulator.gateway._answers
    get = answers.get

    def changed(requested_path: str, query: str) -> Any:
        answer = get(requested_path, query)
        return change(answer) if requested_path == path else answer

    monkeypatch.setattr(answers, "get", changed)


def issue_of(hass: HomeAssistant, entry: MockConfigEntry) -> ir.IssueEntry | None:
    """Return the issue of the certificate, if any."""
    return ir.async_get(hass).async_get_issue(DOMAIN, certificate_issue_id(entry))


async def repair(hass: HomeAssistant, entry: MockConfigEntry) -> Any:
    """Open the repair as a user does, and return its first step."""
    assert await async_setup_component(hass, REPAIRS, {})
    manager = repairs_flow_manager(hass)
    assert manager is not None
    return await manager.async_init(DOMAIN, data={"issue_id": certificate_issue_id(entry)})


async def accept(hass: HomeAssistant, shown: Any) -> Any:
    """Submit the only step."""
    manager = repairs_flow_manager(hass)
    assert manager is not None
    result = await manager.async_configure(shown["flow_id"], {})
    await hass.async_block_till_done(wait_background_tasks=True)
    return result


#: Seconds until the list of meters is due again.
NEXT_LIST = POLL_INTERVALS[Endpoint.METERS].total_seconds() + 1


class Meters:
    """The status of each meter in the list of meters, by measurement type."""

    def __init__(self, hass: HomeAssistant, simulator: Simulator) -> None:
        self._hass = hass
        self._simulator = simulator
        self.statuses: dict[str, str] = {}
        self.flags: list[str] = []

    def changed(self, listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the list of meters with these statuses."""
        return [
            meter
            | {
                "meteringStatus": self.statuses.get(meter["measurementType"], "normal"),
                "statusFlags": self.flags,
            }
            for meter in listed
        ]

    def entity_id(self, measurement_type: str) -> str:
        """Return the event entity of a meter."""
        eid = next(
            meter.eid
            for meter in self._simulator.house.profile.meters
            if meter.measurement_type == measurement_type
        )
        unique_id = f"{self._simulator.serial_number}_{eid}_{measurement_type}_status_change"
        entity_id = er.async_get(self._hass).async_get_entity_id("event", DOMAIN, unique_id)
        assert entity_id is not None
        return entity_id

    def fired(self, measurement_type: str) -> list[str]:
        """Collect the types of the events of a meter from now on."""
        seen: list[str] = []

        @callback
        def note(event: Event[EventStateChangedData]) -> None:
            state, before = event.data["new_state"], event.data["old_state"]
            if state is None or state.state == STATE_UNAVAILABLE:
                return
            if before is None or before.state != state.state:
                seen.append(state.attributes["event_type"])

        async_track_state_change_event(self._hass, self.entity_id(measurement_type), note)
        return seen
