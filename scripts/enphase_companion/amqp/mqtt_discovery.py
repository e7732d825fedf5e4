"""Home Assistant's MQTT discovery: the sensors of a gateway's messages, their description and their values.

Names, kinds and which sensors are enabled are those of the integration.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, NamedTuple

import orjson

from enphase_api.models import MeasurementType, Quantities
from enphase_api.models.site import Site, grid_terms, home_terms

from ..message import WHOLE, Message, Sample

PRODUCTION, NET = MeasurementType.PRODUCTION, MeasurementType.NET_CONSUMPTION
TOTAL, STORAGE = MeasurementType.TOTAL_CONSUMPTION, MeasurementType.STORAGE

#: Home Assistant publishes "online" with this routing key when it has connected to the broker.
STATUS_KEY = "homeassistant.status"
ONLINE = b"online"

_PROJECT = "enphase-iq-gateway"
_SUPPORT = "https://github.com/enphase-iq-gateway/enphase-iq-gateway"

#: Seconds, and readings that may be missing, until the sensors are unavailable.
_GRACE, _MISSED = 60, 3


class Kind(NamedTuple):
    """What Home Assistant has to know about the values of a sensor."""

    device_class: str
    unit: str | None
    #: Decimal digits: a change of less is not published, so that Home Assistant does not store it.
    digits: int
    state_class: str = "measurement"

    def convert(self, value: float | None) -> float | None:
        """Return a value of the client in the unit of the sensor, rounded; None if it is unknown."""
        if value is None:
            return None
        # Adding 0 makes 0 of -0.
        return round(value / 1000 if self.unit == "kWh" else value, self.digits or None) + 0


POWER = Kind("power", "W", 0)
ENERGY = Kind("energy", "kWh", 3, "total_increasing")
#: A sum of counters can decrease by a rounding error, which is no reset.
ENERGY_SUM = ENERGY._replace(state_class="total")


class Sensor(NamedTuple):
    """A sensor: its key in the state message, its name, its kind, and whether it is enabled by default."""

    key: str
    name: str
    kind: Kind
    is_enabled: bool = True


#: What is there if home or grid is a sum of the meters; no measurement type has such a name.
_HOME, _GRID = "(home)", "(grid)"

#: What must be there, field of the client's Site, sensor.
_SITE: tuple[tuple[str, str, Sensor], ...] = (
    (PRODUCTION, "production_power", Sensor("production_power", "Production power", POWER)),
    (PRODUCTION, "produced_energy", Sensor("production_energy", "Production energy", ENERGY)),
    (_GRID, "grid_power", Sensor("grid_power", "Grid power", POWER)),
    (NET, "imported_energy", Sensor("grid_energy_imported", "Grid energy imported", ENERGY)),
    (NET, "exported_energy", Sensor("grid_energy_exported", "Grid energy exported", ENERGY)),
    (_HOME, "home_power", Sensor("home_power", "Home power", POWER)),
    (_HOME, "consumed_energy", Sensor("home_energy", "Home energy", ENERGY_SUM)),
    (STORAGE, "battery_power", Sensor("battery_power", "Battery power", POWER)),
    (STORAGE, "charged_energy", Sensor("battery_energy_charged", "Battery charged", ENERGY)),
    (STORAGE, "discharged_energy", Sensor("battery_energy_discharged", "Battery discharged", ENERGY)),
)

#: By field of the client's Quantities.
QUANTITIES: dict[str, Kind] = {
    "active_power": POWER,
    "reactive_power": Kind("reactive_power", "var", 0),
    "apparent_power": Kind("apparent_power", "VA", 0),
    "voltage": Kind("voltage", "V", 1),
    "current": Kind("current", "A", 2),
    "power_factor": Kind("power_factor", None, 2),
    "frequency": Kind("frequency", "Hz", 2),
    "energy_delivered": ENERGY,
    "energy_received": ENERGY,
}

#: Energies whose direction has a plainer name than delivered and received.
_DIRECTIONS: dict[str, dict[str, str]] = {
    NET: {"energy_delivered": "energy imported", "energy_received": "energy exported"},
    STORAGE: {"energy_delivered": "energy discharged", "energy_received": "energy charged"},
}

METER_NAMES: dict[str, str] = {
    PRODUCTION: "Production",
    NET: "Grid",
    TOTAL: "Home",
    STORAGE: "Battery",
    "backfeed": "Backfeed",
    "load": "Load",
    "evse": "EV charger",
    "pv3p": "Three-phase solar",
}


def config_key(gateway: str) -> str:
    """Return the routing key of a gateway's discovery message."""
    return f"homeassistant.device.enphase_{gateway}.config"


def state_key(gateway: str) -> str:
    """Return the routing key of a gateway's state messages."""
    return f"enphase.{gateway}"


def expire_after(message: Message, interval: float, inverter_interval: float) -> int:
    """Return after how many seconds without a message the sensors are unavailable.

    `interval` is the time between two readings of meters, `inverter_interval` between two of
    microinverters, in seconds.
    """
    wait = max(interval, inverter_interval) if message.has_unmetered_production else interval
    return round(_GRACE + _MISSED * wait)


def read_sensors(message: Message) -> dict[Sensor, float | None]:
    """Return the sensors that the meters of a message allow, with their values; None if unknown."""
    samples = [
        each._replace(quantities=_without_unread_energies(each.quantities)) for each in message.samples
    ]
    whole = {each.measurement: each for each in samples if each.phase == WHOLE}
    site = Site.from_quantities(
        {name: each.quantities for name, each in whole.items()},
        metered=message.metered,
        unmetered_batteries=message.has_unmetered_batteries,
        measured_at={
            name: datetime.fromtimestamp(each.measured_at / 1000, UTC) for name, each in whole.items()
        },
    )
    there = {*whole}
    for name, terms in ((_HOME, home_terms), (_GRID, grid_terms)):
        names = terms(message.metered, unmetered_batteries=message.has_unmetered_batteries).keys()
        if names and names <= message.metered:
            there.add(name)
    sensors = {
        sensor: sensor.kind.convert(getattr(site, field))
        for needed, field, sensor in _SITE
        if needed in there
    }
    # The microinverters' sum has no other quantities.
    for sample in () if message.has_unmetered_production else samples:
        left_out = _shown_quantities(sample.measurement, message.metered) if sample.phase == WHOLE else ()
        for quantity, kind in QUANTITIES.items():
            if quantity not in left_out:
                value = getattr(sample.quantities, quantity)
                sensors[_quantity_sensor(sample, quantity, kind)] = kind.convert(value)
    return sensors


def _without_unread_energies(quantities: Quantities) -> Quantities:
    """Return the quantities without energies of which both directions are 0.

    A gateway that has just started, or cannot read a meter, returns 0. Home Assistant would add the counter's
    whole value to the day when that is back.
    """
    if quantities.energy_delivered or quantities.energy_received:
        return quantities
    return quantities._replace(energy_delivered=None, energy_received=None)


def _shown_quantities(measurement: str, metered: Iterable[str]) -> frozenset[str]:
    """Return the quantities of a whole meter that the sensors of the site show already."""
    if measurement in (NET, STORAGE):
        return frozenset({"active_power", "energy_delivered", "energy_received"})
    if measurement == PRODUCTION or (measurement == TOTAL and not {NET, PRODUCTION} <= set(metered)):
        return frozenset({"active_power", "energy_delivered"})
    return frozenset()


def _quantity_sensor(sample: Sample, quantity: str, kind: Kind) -> Sensor:
    measurement = sample.measurement
    meter = METER_NAMES.get(measurement) or " ".join(re.findall(r"[^\W_]+", measurement)).capitalize()
    name = _DIRECTIONS.get(measurement, {}).get(quantity, quantity.replace("_", " "))
    key = f"{measurement.replace('-', '_')}_{quantity}"
    if sample.phase == WHOLE:
        return Sensor(key, f"{meter} {name}", kind, is_enabled=False)
    return Sensor(f"{key}_l{sample.phase}", f"{meter} {name} L{sample.phase}", kind, is_enabled=False)


def build_config(gateway: str, sensors: Iterable[Sensor], expire: int) -> bytes:
    """Return the discovery message: one device with these sensors, unavailable after `expire` seconds."""
    identifier = f"enphase_{gateway}"
    return orjson.dumps(
        {
            "device": {
                "identifiers": [identifier],
                "name": f"IQ Gateway {gateway}",
                "manufacturer": "Enphase",
                "model": "IQ Gateway",
                "serial_number": gateway,
            },
            "origin": {"name": _PROJECT, "sw_version": version(_PROJECT), "support_url": _SUPPORT},
            "state_topic": state_key(gateway).replace(".", "/"),
            "components": {each.key: _build_component(identifier, each, expire) for each in sensors},
        }
    )


def _build_component(identifier: str, sensor: Sensor, expire: int) -> dict[str, Any]:
    return {
        "platform": "sensor",
        "name": sensor.name,
        "unique_id": f"{identifier}_{sensor.key}",
        "device_class": sensor.kind.device_class,
        "state_class": sensor.kind.state_class,
        **({"unit_of_measurement": sensor.kind.unit} if sensor.kind.unit else {}),
        "suggested_display_precision": min(sensor.kind.digits, 2),
        # A missing key and null are None, which Home Assistant takes for unknown.
        "value_template": f"{{{{ value_json.get('{sensor.key}') }}}}",
        "expire_after": expire,
        **({} if sensor.is_enabled else {"enabled_by_default": False}),
    }


def build_state(message: Message, sensors: Mapping[Sensor, float | None]) -> bytes:
    """Return the state message: the latest time of measurement in milliseconds, and each sensor's value."""
    measured_at = max(each.measured_at for each in message.samples)
    return orjson.dumps(
        {"measured_at": measured_at, **{sensor.key: value for sensor, value in sensors.items()}}
    )
