"""Recorded gateways, replayed over HTTPS; the expected values were calculated by hand from the recordings."""

import logging
from collections import Counter
from collections.abc import Generator

import pytest
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import STATE_ON, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from syrupy.assertion import SnapshotAssertion

from custom_components.enphase_iq_gateway import client
from custom_components.enphase_iq_gateway.const import DOMAIN
from enphase_companion.simulator import Simulator
from tests.recordings import RECORDINGS, find_recording

from .conftest import enable_all, state_of
from .flow import Flow

#: States of the entities that are enabled by default (W, kWh, %), then of others.
type Values = dict[str, float | str]

#: An array of seven microinverters on one phase; the gateway may report more phases.
ONE_PHASE: Values = {
    "production_power": 488.925,
    "production_energy": 3183.793885,
    "grid_power": -36.162,
    "grid_energy_imported": 3738.205282,
    "grid_energy_exported": 1776.768769,
    "home_power": 452.763,  # 488.925 - 36.162
    "home_energy": 5136.378694,  # 3183.793885 - 8.851704 + 3738.205282 - 1776.768769
}

EXPECTED: dict[str, tuple[Values, Values]] = {
    "7.3.466_with_cts_3phase": (
        ONE_PHASE,
        {
            "704643328_production_voltage": 235.236,
            "704643328_production_voltage_l1": 235.236,
            "704643328_production_energy_received": 8.851704,
            "704643584_net-consumption_reactive_power": -568.304,
            "704643584_net-consumption_active_power_l1": -36.162,
            "704643584_net-consumption_status": "normal",
            "last_reading": "2023-09-03T12:45:33+00:00",
            "firmware": "7.3.466",
        },
    ),
    "7.6.175_with_cts": (
        ONE_PHASE,
        {"704643328_production_power_factor": 0.957, "704643328_production_frequency": 50.0},
    ),
    "7.6.175_standard": (
        {"production_power": 5739.0, "production_energy": 6139.406},
        {"firmware": "7.6.175"},
    ),
    "8.2.4264_metered_noct": (
        {"production_power": 5521.0, "production_energy": 32465.106},
        {"firmware": "8.2.4264"},
    ),
    "8.2.127_with_3cts_and_battery_split": (
        {
            "production_power": 1714.424,
            "production_energy": 3165.834272,
            "grid_power": 129.407,
            "grid_energy_imported": 4998.251825,
            "grid_energy_exported": 253.960783,
            # The first phase of the storage meter shows the net meter's voltage and current, and a power that
            # these cannot carry: home would be 1714.424 + 129.407 - 2579.823 = -735.992.
            "home_power": STATE_UNKNOWN,
            # 3165.834272 - 0.075689 + 4998.251825 - 253.960783 + 2274.358602 - 2971.414344
            "home_energy": 7212.993883,
            "battery_power": STATE_UNKNOWN,
            "battery_energy_charged": 2971.414344,
            "battery_energy_discharged": 2274.358602,
            "battery_charge": 21,
        },
        {
            "battery_available_energy": 5.25,
            "battery_capacity": 25.0,
            "battery_reserve": 20,
            "704643840_storage_active_power_l1": STATE_UNKNOWN,
            "704643840_storage_voltage_l1": 121.334,
            "704643840_storage_active_power_l2": -464.966,
            "704643584_net-consumption_voltage": 242.553,
            "704643584_net-consumption_current_l2": 11.925,
        },
    ),
    "8.3.5433_tot_is_net_cons": (
        {
            "production_power": 352.751,
            "production_energy": 14405.46557,
            "grid_power": 433.762,  # 786.513 - 352.751
            "home_power": 786.513,
            "home_energy": 20055.053325,
        },
        {
            "704643328_production_power_factor": 0.776577,  # 352.751 / 454.238
            "704643328_production_voltage_l2": 121.424,
            "704643584_total-consumption_energy_received": 0.184773,
            "704643584_total-consumption_apparent_power": 890.274,
        },
    ),
}

#: The lowest and the highest price of the tariff: which one is shown depends on the time of the day.
PRICES: dict[str, dict[str, tuple[float, float]]] = {
    "7.3.466_with_cts_3phase": {"import_price": (0.01, 0.14), "export_price": (0, 0)},
    "7.6.175_with_cts": {"import_price": (0.01, 0.14), "export_price": (0, 0)},
    "8.2.127_with_3cts_and_battery_split": {
        "import_price": (0.321359, 0.63003),
        "export_price": (0.000099, 0.000099),
    },
    # The import price depends on the energy of the month.
    "8.3.5433_tot_is_net_cons": {"export_price": (0.151079, 0.151079)},
}

#: The number of listed microinverters, and the sum of their last reports (W); None if all had been silent for
#: hours by the gateway's clock.
INVERTERS: dict[str, tuple[int, int | None]] = {
    "7.3.466_with_cts_3phase": (7, 751),
    "7.6.175_with_cts": (7, 751),
    "7.6.175_standard": (24, 5740),
    "8.2.4264_metered_noct": (2, 336),
    "8.2.127_with_3cts_and_battery_split": (5, None),
    "8.3.5433_tot_is_net_cons": (12, 303),
}


@pytest.fixture
def recording(request: pytest.FixtureRequest) -> str:
    """Return the recorded gateway of a test."""
    return str(request.param)


@pytest.fixture
def simulator(recording: str, socket_enabled: None, monkeypatch: pytest.MonkeyPatch) -> Generator[Simulator]:
    """Yield the recorded gateway and Entrez; the test is skipped if the recording is missing."""
    with Simulator(replay=find_recording(recording)) as running:
        monkeypatch.setattr(client, "AUTHENTICATION_HOST", running.entrez_url)
        yield running


async def set_up_by_hand(hass: HomeAssistant, flow: Flow) -> None:
    """Complete the config flow as a user does."""
    await flow.reach("token")
    await flow.enter_token()
    await flow.submit()
    assert flow.shown["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done(wait_background_tasks=True)
    assert flow.shown["result"].state is ConfigEntryState.LOADED


def assert_shown(hass: HomeAssistant, simulator: Simulator, values: Values) -> None:
    """Compare sensors by key with their expected states."""
    for key, value in values.items():
        shown = state_of(hass, simulator, key)
        if isinstance(value, str):
            assert shown == value, key
        else:
            assert float(shown) == pytest.approx(value, rel=1e-6), key


@pytest.mark.parametrize("recording", EXPECTED, indirect=True)
async def test_a_recorded_gateway_shows_its_recorded_values(
    hass: HomeAssistant, simulator: Simulator, flow: Flow, recording: str
) -> None:
    by_default, once_enabled = EXPECTED[recording]
    # A recorded gateway stands still: nothing was measured since the set-up, the start of the first day.
    by_default = by_default | {f"{key}_today": 0.0 for key in by_default if "energy" in key}
    await set_up_by_hand(hass, flow)
    enabled = {
        entity.unique_id.removeprefix(f"{simulator.serial_number}_")
        for entity in er.async_get(hass).entities.values()
        if entity.platform == DOMAIN and entity.domain == "sensor" and entity.disabled_by is None
    }
    prices = PRICES.get(recording, {})
    assert enabled == by_default.keys() | prices.keys() | {"token_expiry", "certificate_expiry"}
    assert_shown(hass, simulator, by_default)
    for key, (lowest, highest) in prices.items():
        assert lowest <= float(state_of(hass, simulator, key)) <= highest
    await enable_all(hass, flow.shown["result"])
    assert_shown(hass, simulator, once_enabled)


@pytest.mark.parametrize("recording", EXPECTED, indirect=True)
async def test_the_entities_of_a_recorded_gateway_match_the_snapshot(
    hass: HomeAssistant, simulator: Simulator, flow: Flow, snapshot: SnapshotAssertion
) -> None:
    await set_up_by_hand(hass, flow)
    await enable_all(hass, flow.shown["result"])
    shown = {
        entity.unique_id.removeprefix(f"{simulator.serial_number}_"): state.state
        for entity in er.async_get(hass).entities.values()
        # Sensors of the gateway itself; the token and the certificate are those of the simulator, and prices
        # depend on the time of the day.
        if entity.platform == DOMAIN
        and entity.unique_id.startswith(simulator.serial_number)
        and not entity.unique_id.endswith(("_expiry", "_price"))
        and (state := hass.states.get(entity.entity_id)) is not None
    }
    assert dict(sorted(shown.items())) == snapshot


@pytest.mark.parametrize("recording", INVERTERS, indirect=True)
async def test_a_recorded_gateway_shows_each_of_its_microinverters(
    hass: HomeAssistant, simulator: Simulator, flow: Flow, recording: str
) -> None:
    await set_up_by_hand(hass, flow)
    await enable_all(hass, flow.shown["result"])
    powers = [
        None if state.state == STATE_UNKNOWN else float(state.state)
        for state in hass.states.async_all("sensor")
        if state.entity_id.startswith("sensor.inverter_") and state.entity_id.count("_") == 1
    ]
    count, together = INVERTERS[recording]
    assert len(powers) == count
    if together is None:
        assert set(powers) == {None}
    else:
        assert sum(power for power in powers if power is not None) == together
        assert None not in powers


#: The devices behind the gateway besides its microinverters, by name and number of their entities.
DEVICES: dict[str, dict[str, int]] = {
    # Without batteries, a gateway reports four dry contacts and a generator, which are connected to nothing.
    "7.3.466_with_cts_3phase": {},
    "7.6.175_with_cts": {},
    "7.6.175_standard": {},
    "8.2.4264_metered_noct": {},
    "8.2.127_with_3cts_and_battery_split": {"IQ Battery": 5, "System Controller": 1, "Dry contact": 4},
    "8.3.5433_tot_is_net_cons": {},
}


@pytest.mark.parametrize("recording", DEVICES, indirect=True)
async def test_a_recorded_gateway_shows_each_of_its_devices(
    hass: HomeAssistant, simulator: Simulator, flow: Flow, recording: str
) -> None:
    await set_up_by_hand(hass, flow)
    found = Counter(
        str(device.name).rpartition(" ")[0]
        for device in dr.async_entries_for_config_entry(dr.async_get(hass), flow.shown["result"].entry_id)
    )
    assert found.pop("IQ Gateway") == 1
    # Eight removed microinverters of 8.3.5433 are not shown.
    assert found.pop("Inverter") == INVERTERS[recording][0]
    assert found == DEVICES[recording]


@pytest.mark.parametrize("recording", ["8.2.127_with_3cts_and_battery_split"], indirect=True)
async def test_the_devices_of_8_2_127_have_their_recorded_values(
    hass: HomeAssistant, simulator: Simulator, flow: Flow
) -> None:
    await set_up_by_hand(hass, flow)
    await enable_all(hass, flow.shown["result"])
    battery, controller = "12345678901006", "12345678901001"
    assert {
        key: states(hass)[f"{battery}_{key}"]
        for key in ("power", "apparent_power", "max_cell_temperature", "power_charge", "led_status")
    } == {
        "power": "-136.0",
        "apparent_power": "-136.0",
        "max_cell_temperature": "12.0",
        "power_charge": "21.0",
        "led_status": "12",
    }
    assert states(hass)[f"{battery}_dc_switch"] == STATE_ON
    # 72 °F.
    assert float(states(hass)[f"{controller}_temperature"]) == pytest.approx(22.2, abs=0.03)
    assert states(hass)[f"{controller}_relay"] == "closed"
    assert states(hass)[f"{controller}_NC1_closed"] == STATE_ON
    assert states(hass)[f"{controller}_NO2_low_level"] == "30.0"


@pytest.mark.parametrize("recording", ["8.3.5433_tot_is_net_cons"], indirect=True)
async def test_the_microinverters_of_8_3_5433_have_their_recorded_details(
    hass: HomeAssistant, simulator: Simulator, flow: Flow
) -> None:
    await set_up_by_hand(hass, flow)
    await enable_all(hass, flow.shown["result"])
    shown = states(hass)
    recorded = {
        "lifetime_energy": 825.482875,  # 2971738350 J
        "energy_today": 0.016,
        "dc_voltage": 39.102,
        "dc_current": 0.742,
        "ac_voltage": 241.563,
        "ac_current": 0.186,
        "frequency": 60.004,
        "temperature": 30,
    }
    values = {key: float(shown[f"532437030305_{key}"]) for key in recorded}
    assert values == pytest.approx(recorded, rel=1e-6)
    # The sum of the microinverters in /production.json: 9791640 Wh.
    energies = [float(state) for key, state in shown.items() if key.endswith("_lifetime_energy")]
    assert sum(energies) == pytest.approx(9791.640, abs=0.002)


def states(hass: HomeAssistant) -> dict[str, str]:
    """Return the states of all entities by unique id."""
    return {
        entity.unique_id: state.state
        for entity in er.async_get(hass).entities.values()
        if entity.platform == DOMAIN and (state := hass.states.get(entity.entity_id)) is not None
    }


@pytest.mark.parametrize("recording", [each.name for each in RECORDINGS] or ["none at all"], indirect=True)
async def test_every_recorded_gateway_is_set_up_without_warnings(
    hass: HomeAssistant, simulator: Simulator, flow: Flow, caplog: pytest.LogCaptureFixture
) -> None:
    await set_up_by_hand(hass, flow)
    await enable_all(hass, flow.shown["result"])
    assert flow.shown["result"].state is ConfigEntryState.LOADED
    complaints = [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING and record.name not in ("homeassistant.loader", "asyncio")
    ]
    assert complaints == []
