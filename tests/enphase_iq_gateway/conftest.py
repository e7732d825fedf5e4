"""Fixtures: a simulated gateway in a thread, and an entry that polls it."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Generator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant import loader
from homeassistant.config_entries import RELOAD_AFTER_UPDATE_DELAY, ConfigEntryState
from homeassistant.const import CONF_HOST, CONF_TOKEN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed  # type: ignore[import-untyped]
from pytest_homeassistant_custom_component.syrupy import HomeAssistantSnapshotExtension  # type: ignore[import-untyped]
from syrupy.assertion import SnapshotAssertion

# Without this import, the package custom_components of the plug-in is found.
from custom_components.enphase_iq_gateway import client, coordinator
from custom_components.enphase_iq_gateway.const import (
    CONF_CERTIFICATE,
    CONF_PRODUCTION_SOURCE,
    DOMAIN,
    EnergySource,
)
from enphase_companion.simulator import Simulator

from .flow import Flow

#: A day in June at noon, when the house exports.
NOON = datetime(2026, 6, 21, 12, tzinfo=UTC).timestamp()

type SetUp = Callable[..., Awaitable[MockConfigEntry]]
type Tick = Callable[..., Awaitable[None]]


@pytest.fixture(autouse=True)
async def enable_event_loop_debug() -> None:
    """Turn on asyncio's debug mode if scripts/test requests it; the fixture of the plug-in always does.

    PYTHONASYNCIODEBUG would change aiohttp too, which then rejects how Home Assistant uses its sessions.
    """
    asyncio.get_running_loop().set_debug("EVENT_LOOP_DEBUG" in os.environ)


@pytest.fixture
def profile() -> str:
    """Return the profile of the simulated house; parametrize this fixture to use another."""
    return "three-phase"


@pytest.fixture
def clock_speed(request: pytest.FixtureRequest) -> float:
    """Return the speed of the house's clock; 0 if a test advances it."""
    return 0.0 if "tick" in request.fixturenames else 1.0


@pytest.fixture
def simulator(
    profile: str,
    clock_speed: float,
    socket_enabled: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Generator[Simulator]:
    """Yield a simulated gateway and Entrez."""
    with Simulator(profile, start=NOON, longitude=0, speed=clock_speed) as running:
        monkeypatch.setattr(client, "AUTHENTICATION_HOST", running.entrez_url)
        monkeypatch.setattr(client, "ENLIGHTEN_HOST", running.entrez_url)
        yield running


@pytest.fixture
def hass(simulator: Simulator, hass: HomeAssistant, hass_storage: dict[str, Any]) -> HomeAssistant:
    """Return Home Assistant with the integration; it stops before the gateway does."""
    hass.data.pop(loader.DATA_CUSTOM_COMPONENTS)
    return hass


@pytest.fixture
def entry(simulator: Simulator) -> MockConfigEntry:
    """Return an entry as the config flow creates it, not yet added."""
    return make_entry(simulator)


def make_entry(
    simulator: Simulator, data: Mapping[str, Any] | None = None, options: Mapping[str, Any] | None = None
) -> MockConfigEntry:
    """Return an entry as the config flow creates it, with other data if given."""
    metered = simulator.house.profile.measures("production")
    return MockConfigEntry(
        domain=DOMAIN,
        title=f"IQ Gateway {simulator.serial_number}",
        unique_id=simulator.serial_number,
        options=dict(options or {}),
        data={
            CONF_HOST: simulator.url,
            CONF_CERTIFICATE: simulator.certificate_pem,
            CONF_TOKEN: simulator.token(),
            CONF_PRODUCTION_SOURCE: EnergySource.METER if metered else EnergySource.INVERTERS,
            **(data or {}),
        },
    )


@pytest.fixture
def set_up(hass: HomeAssistant) -> SetUp:
    """Add an entry and wait until everything is polled; `enable` also enables the disabled entities."""

    async def run(
        entry: MockConfigEntry,
        *,
        enable: bool = False,
        state: ConfigEntryState = ConfigEntryState.LOADED,
    ) -> MockConfigEntry:
        entry.add_to_hass(hass)
        await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done(wait_background_tasks=True)
        if enable:
            await enable_all(hass, entry)
        assert entry.state is state
        return entry

    return run


async def enable_all(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Enable all entities of an entry, and wait until Home Assistant has reloaded it."""
    registry = er.async_get(hass)
    for registered in er.async_entries_for_config_entry(registry, entry.entry_id):
        registry.async_update_entity(registered.entity_id, disabled_by=None)
    await _wait_for_reload(hass)


async def disable_all(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Disable all entities of an entry."""
    registry = er.async_get(hass)
    for registered in er.async_entries_for_config_entry(registry, entry.entry_id):
        registry.async_update_entity(registered.entity_id, disabled_by=er.RegistryEntryDisabler.USER)
    await _wait_for_reload(hass)


async def _wait_for_reload(hass: HomeAssistant) -> None:
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=RELOAD_AFTER_UPDATE_DELAY + 1))
    await hass.async_block_till_done(wait_background_tasks=True)


@pytest.fixture
def tick(
    hass: HomeAssistant,
    simulator: Simulator,
    freezer: FrozenDateTimeFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Tick:
    """Advance the time of Home Assistant and of the house, refresh by refresh."""
    # The time is frozen: do not wait before a retry.
    monkeypatch.setattr(coordinator, "_RETRY_DELAY", 0)

    async def run(seconds: float = 11, times: int = 1) -> None:
        for _ in range(times):
            freezer.tick(timedelta(seconds=seconds))
            simulator.clock.advance(seconds)
            async_fire_time_changed(hass)
            await hass.async_block_till_done(wait_background_tasks=True)

    return run


@pytest.fixture
def snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Return a snapshot in Home Assistant's format."""
    return snapshot.use_extension(HomeAssistantSnapshotExtension)


def state_of(hass: HomeAssistant, simulator: Simulator, key: str) -> str:
    """Return the state of the gateway's sensor with this key."""
    entity_id = er.async_get(hass).async_get_entity_id("sensor", DOMAIN, f"{simulator.serial_number}_{key}")
    assert entity_id is not None, f"no sensor {key}"
    state = hass.states.get(entity_id)
    assert state is not None, f"{entity_id} has no state"
    return state.state


@pytest.fixture
def flow(hass: HomeAssistant, simulator: Simulator) -> Flow:
    """Return a config flow that is not started yet."""
    return Flow(hass, simulator)


@pytest.fixture
async def changed(simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick) -> MockConfigEntry:
    """Return an entry whose gateway shows a certificate of another key."""
    await set_up(entry)
    simulator.renew_certificate(same_key=False)
    simulator.requests.clear()
    await tick()
    return entry


@pytest.fixture
def rival(socket_enabled: None) -> Generator[Simulator]:
    """Yield another device with the serial number of the gateway, but without its key."""
    with Simulator("three-phase", start=NOON, longitude=0) as running:
        running.renew_certificate(same_key=False)
        running.requests.clear()
        yield running
