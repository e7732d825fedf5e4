"""The sensors of messages for Home Assistant's MQTT discovery: which there are, their names and values."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from enphase_api.models import MeasurementType, Quantities
from enphase_companion.amqp.mqtt_discovery import (
    METER_NAMES,
    Sensor,
    build_config,
    build_state,
    expire_after,
    read_sensors,
)
from enphase_companion.message import Message, Sample

from ..amqp_helpers import AT, SERIAL

PRODUCTION, NET = MeasurementType.PRODUCTION, MeasurementType.NET_CONSUMPTION
TOTAL, STORAGE = MeasurementType.TOTAL_CONSUMPTION, MeasurementType.STORAGE

#: The sensors of a grid meter.
GRID = "grid_power grid_energy_imported grid_energy_exported"

ENGLISH = json.loads(
    (
        Path(__file__).parents[3] / "custom_components" / "enphase_iq_gateway" / "translations" / "en.json"
    ).read_text()
)


def build(*measurements: str, phases: int = 0, quantities: Quantities | None = None, **other: Any) -> Message:
    """Return a message of these meters, all with the same quantities."""
    if quantities is None:
        quantities = Quantities(active_power=500.0, energy_delivered=3000.0, energy_received=1000.0)
    samples = (
        Sample(measurement, phase, AT * 1000, quantities)
        for measurement in measurements
        for phase in range(phases + 1)
    )
    return Message(SERIAL, AT, tuple(samples), **{"has_unmetered_batteries": False, **other})


def read_state(message: Message) -> dict[str, Any]:
    state: dict[str, Any] = json.loads(build_state(message, read_sensors(message)))
    return state


def enabled(sensors: Iterable[Sensor]) -> set[str]:
    return {each.key for each in sensors if each.is_enabled}


@pytest.mark.parametrize(
    ("measurements", "keys"),
    [
        ((PRODUCTION,), "production_power production_energy"),
        ((NET,), GRID),
        ((PRODUCTION, NET), "production_power production_energy home_power home_energy " + GRID),
        ((PRODUCTION, TOTAL), "production_power production_energy grid_power home_power home_energy"),
        ((TOTAL,), "home_power home_energy"),
        ((STORAGE,), "battery_power battery_energy_charged battery_energy_discharged"),
        (("backfeed",), ""),
    ],
)
def test_the_sensors_of_the_site_are_those_that_its_meters_allow(
    measurements: tuple[str, ...], keys: str
) -> None:
    assert enabled(read_sensors(build(*measurements))) == set(keys.split())


def test_home_is_unknown_as_long_as_there_may_be_batteries_without_a_meter() -> None:
    message = build(PRODUCTION, NET, has_unmetered_batteries=True)
    assert not {"home_power", "home_energy"} & enabled(read_sensors(message))


def test_the_microinverters_have_production_only_and_it_lasts_for_three_of_their_reports() -> None:
    message = build(PRODUCTION, has_unmetered_production=True)
    assert {each.key for each in read_sensors(message)} == {"production_power", "production_energy"}
    assert expire_after(message, 1, 300) == 960
    assert expire_after(build(PRODUCTION), 1, 300) == 63


def test_phases_and_quantities_that_no_sensor_of_the_site_shows_are_disabled() -> None:
    sensors = {each.key: each for each in read_sensors(build(NET, phases=2))}
    assert sensors["net_consumption_active_power_l2"].name == "Grid active power L2"
    assert sensors["net_consumption_energy_received_l1"].name == "Grid energy exported L1"
    assert sensors["net_consumption_voltage"].name == "Grid voltage"
    assert not sensors["net_consumption_voltage"].is_enabled
    assert not {"net_consumption_active_power", "net_consumption_energy_delivered"} & sensors.keys()


def test_the_names_are_those_of_the_integration() -> None:
    assert ENGLISH["selector"]["meter"]["options"] == METER_NAMES
    names = {key: text["name"] for key, text in ENGLISH["entity"]["sensor"].items()}
    for sensor in read_sensors(build(*METER_NAMES, phases=3)):
        if sensor.is_enabled:
            assert sensor.name == names[sensor.key]
            continue
        meter = next(each for each in METER_NAMES if sensor.key.startswith(each.replace("-", "_")))
        expected = [
            text.format(meter=METER_NAMES[meter], phase=f"L{phase}")
            for key, text in names.items()
            for phase in (1, 2, 3)
            if key.startswith("meter_")
        ]
        assert sensor.name in expected


def test_a_meter_of_an_unknown_type_has_its_name() -> None:
    sensors = read_sensors(build("heat-pump"))
    assert {each.name for each in sensors} >= {"Heat pump active power", "Heat pump energy delivered"}


def test_energies_are_in_kwh_and_powers_in_whole_watts() -> None:
    quantities = Quantities(
        active_power=-0.4, voltage=229.96, energy_delivered=8123456.2, energy_received=0.0
    )
    state = read_state(build(PRODUCTION, quantities=quantities))
    assert state["measured_at"] == AT * 1000
    assert state["production_energy"] == 8123.456
    assert str(state["production_power"]) == "0", "and not -0"
    assert state["production_voltage"] == 230.0
    assert state["production_energy_received"] == 0.0


def test_an_unknown_value_is_null() -> None:
    state = read_state(build(PRODUCTION, NET, quantities=Quantities(active_power=1.0)))
    assert state["grid_energy_imported"] is None
    assert state["home_energy"] is None
    assert state["production_voltage"] is None
    assert state["home_power"] == 2


def test_counters_that_the_gateway_cannot_read_are_unknown() -> None:
    # Home Assistant would add the whole counter to the day after such a 0.
    unread = Quantities(active_power=1.0, energy_delivered=0.0, energy_received=0.0)
    state = read_state(build(PRODUCTION, NET, phases=1, quantities=unread))
    assert {key for key, value in state.items() if "energy" in key and value is not None} == set()


def test_the_discovery_message_has_what_home_assistant_needs() -> None:
    config = json.loads(build_config(SERIAL, read_sensors(build(NET, phases=1)), 63))
    assert config["device"]["identifiers"] == [f"enphase_{SERIAL}"]
    assert config["origin"]["name"]
    assert config["state_topic"] == f"enphase/{SERIAL}"
    assert config["components"]["grid_energy_imported"] == {
        "platform": "sensor",
        "name": "Grid energy imported",
        "unique_id": f"enphase_{SERIAL}_grid_energy_imported",
        "device_class": "energy",
        "state_class": "total_increasing",
        "unit_of_measurement": "kWh",
        "suggested_display_precision": 2,
        "value_template": "{{ value_json.get('grid_energy_imported') }}",
        "expire_after": 63,
    }
    assert config["components"]["net_consumption_active_power_l1"]["enabled_by_default"] is False
    assert "unit_of_measurement" not in config["components"]["net_consumption_power_factor"]
