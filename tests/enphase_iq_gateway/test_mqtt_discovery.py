"""Home Assistant's own MQTT integration beside this one: it gets the same sensors from the scripts.

RabbitMQ, its MQTT plug-in and `enphase-gateway-amqp-meters --mqtt-discovery` are real; the command runs in
the environment of the scripts.
"""

import asyncio
import json
import subprocess
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_socket
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from development.environments import environment
from enphase_companion.simulator import Simulator
from tests.services import rabbitmq

from .conftest import SetUp, enable_all
from .helpers import change_response

COMMAND = "enphase-gateway-amqp-meters"
MQTT = "mqtt"

#: The device classes of what is in the messages.
MEASURED = {
    "power", "reactive_power", "apparent_power", "voltage", "current", "power_factor", "frequency", "energy"
}  # fmt: skip

pytestmark = [
    # Home Assistant's web server, which its MQTT integration depends on, warns about itself.
    pytest.mark.filterwarnings("ignore:It is recommended to use web.AppKey"),
    # The first test waits for the start of the broker as well.
    pytest.mark.timeout(300),
]

type Publishing = subprocess.Popen[bytes]


@pytest.fixture(scope="module")
def mqtt_broker(tmp_path_factory: pytest.TempPathFactory) -> Generator[rabbitmq.RabbitMQ]:
    """Yield a private broker with the MQTT plug-in, for all tests of this module."""
    # The plug-in of Home Assistant allows sockets to fixtures of a single test only.
    pytest_socket.enable_socket()
    with rabbitmq.running(tmp_path_factory.mktemp("mqtt"), "rabbitmq_mqtt") as broker:
        yield broker


@pytest.fixture
def publishing(simulator: Simulator, mqtt_broker: rabbitmq.RabbitMQ, tmp_path: Path) -> Generator[Publishing]:
    """Yield the running command, whose gateway is the simulated one."""
    settings = {
        "gateway_host": simulator.url,
        "gateway_token": simulator.token(),
        "amqp_url": mqtt_broker.url,
        "amqp_queues": ["none"],
        "mqtt_discovery": True,
        "spool_file": str(tmp_path / "spool"),
    }
    (tmp_path / "credentials_token.json").write_text(json.dumps(settings))
    (tmp_path / "credentials_token.json").chmod(0o600)
    (tmp_path / "gateway.cer").write_text(simulator.certificate_pem)
    program = environment("scripts-3.14").with_name(COMMAND)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([program, "--configuration", tmp_path], stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)


@pytest.fixture
async def mqtt_entry(hass: HomeAssistant, mqtt_broker: rabbitmq.RabbitMQ, tmp_path: Path) -> MockConfigEntry:
    """Return the entry of Home Assistant's MQTT integration, connected to the broker."""
    # It reads the configuration, and there is none in the folder of the plug-in.
    hass.config.config_dir = str(tmp_path)
    (tmp_path / "configuration.yaml").touch()
    data = {"broker": "127.0.0.1", "port": mqtt_broker.mqtt_port, "username": "guest", "password": "guest"}
    entry = MockConfigEntry(domain=MQTT, data=data, version=2, minor_version=1)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    return entry


async def wait_until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.1)


def sensors_of(hass: HomeAssistant, entry: MockConfigEntry, prefix: str) -> dict[str, er.RegistryEntry]:
    """Return the sensors of an entry by their key."""
    found = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    return {
        each.unique_id.removeprefix(prefix): each
        for each in found
        if each.domain == Platform.SENSOR and each.unique_id.startswith(prefix)
    }


def state_of(hass: HomeAssistant, entry: MockConfigEntry, simulator: Simulator, key: str) -> str:
    """Return the state of an MQTT sensor; unavailable while it does not exist."""
    registered = sensors_of(hass, entry, f"enphase_{simulator.serial_number}_").get(key)
    state = registered and hass.states.get(registered.entity_id)
    return state.state if state else STATE_UNAVAILABLE


@pytest.mark.parametrize("profile", ["battery", "total-consumption"])
async def test_the_sensors_are_those_of_this_integration(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    publishing: Publishing,
    mqtt_entry: MockConfigEntry,
) -> None:
    serial = simulator.serial_number
    await set_up(entry)
    own = {
        key.partition("_")[2].replace("-", "_") if key[0].isdigit() else key: each
        for key, each in sensors_of(hass, entry, f"{serial}_").items()
        if each.original_device_class in MEASURED and not key.endswith("_today")
    }
    with suppress(TimeoutError):
        await wait_until(lambda: len(sensors_of(hass, mqtt_entry, f"enphase_{serial}_")) >= len(own))
    by_mqtt = sensors_of(hass, mqtt_entry, f"enphase_{serial}_")
    assert set(by_mqtt) == set(own)
    assert {key for key, each in by_mqtt.items() if each.disabled} == {
        key for key, each in own.items() if each.disabled
    }
    await enable_all(hass, entry)
    await enable_all(hass, mqtt_entry)
    with suppress(TimeoutError):
        await wait_until(
            lambda: (
                not any(hass.states.is_state(each.entity_id, STATE_UNAVAILABLE) for each in by_mqtt.values())
            )
        )
    for key, registered in by_mqtt.items():
        state, expected = hass.states.get(registered.entity_id), hass.states.get(own[key].entity_id)
        assert state is not None, key
        assert expected is not None, key
        assert registered.original_name == own[key].original_name
        for attribute in ("device_class", "unit_of_measurement", "state_class"):
            if (key, attribute) != ("home_energy", "state_class"):
                assert state.attributes.get(attribute) == expected.attributes.get(attribute), (key, attribute)
        if expected.state == STATE_UNKNOWN:
            # This integration waits until it is sure that a counter of 0 is right.
            assert state.state in (STATE_UNKNOWN, "0.0"), key
            continue
        # The two read the gateway at different seconds.
        tolerance = 50 if state.attributes.get("unit_of_measurement") in ("W", "var", "VA") else 1
        assert float(state.state) == pytest.approx(float(expected.state), rel=0.01, abs=tolerance), key
    assert registered.device_id is not None
    device = dr.async_get(hass).async_get(registered.device_id)
    assert device is not None
    assert device.name == entry.title


async def test_they_return_when_home_assistant_connects_again(
    hass: HomeAssistant, simulator: Simulator, publishing: Publishing, mqtt_entry: MockConfigEntry
) -> None:
    def is_available() -> bool:
        state = state_of(hass, mqtt_entry, simulator, "grid_power")
        return state not in (STATE_UNAVAILABLE, STATE_UNKNOWN)

    await wait_until(is_available)
    assert await hass.config_entries.async_unload(mqtt_entry.entry_id)
    assert not is_available()
    assert await hass.config_entries.async_setup(mqtt_entry.entry_id)
    await wait_until(is_available)


async def test_what_no_message_holds_any_more_is_unknown_and_never_0(
    hass: HomeAssistant,
    simulator: Simulator,
    publishing: Publishing,
    mqtt_entry: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def state(key: str) -> str:
        return state_of(hass, mqtt_entry, simulator, key)

    await wait_until(lambda: state("grid_power") not in (STATE_UNAVAILABLE, STATE_UNKNOWN))
    meter = next(
        each.eid for each in simulator.house.profile.meters if each.measurement_type == "net-consumption"
    )
    change_response(
        monkeypatch,
        simulator,
        "/ivp/meters/readings",
        lambda readings: [each for each in readings if each["eid"] != meter],
    )
    await wait_until(lambda: state("grid_power") == STATE_UNKNOWN)
    assert state("home_power") == STATE_UNKNOWN
    assert state("grid_energy_imported") == STATE_UNKNOWN
    assert float(state("production_power")) > 0
