"""What a sensor's kind of value brings with it: device class, unit, state class and how it is shown."""

from dataclasses import dataclass
from typing import Any

from homeassistant.components.sensor import SensorDeviceClass, SensorEntityDescription, SensorStateClass
from homeassistant.const import (
    UnitOfApparentPower,
    UnitOfElectricCurrent,
    UnitOfElectricPotential,
    UnitOfEnergy,
    UnitOfFrequency,
    UnitOfPower,
    UnitOfRatio,
    UnitOfReactivePower,
    UnitOfTemperature,
)

from .entity import GatewayEntityDescription


@dataclass(frozen=True, kw_only=True)
class GatewaySensorDescription(SensorEntityDescription, GatewayEntityDescription):
    """A sensor of the gateway, or of a unit behind it."""


def _measured(device_class: SensorDeviceClass, unit: str | None, precision: int) -> dict[str, Any]:
    return {
        "device_class": device_class,
        "native_unit_of_measurement": unit,
        "state_class": SensorStateClass.MEASUREMENT,
        "suggested_display_precision": precision,
    }


POWER = _measured(SensorDeviceClass.POWER, UnitOfPower.WATT, 0)
REACTIVE_POWER = _measured(SensorDeviceClass.REACTIVE_POWER, UnitOfReactivePower.VOLT_AMPERE_REACTIVE, 0)
APPARENT_POWER = _measured(SensorDeviceClass.APPARENT_POWER, UnitOfApparentPower.VOLT_AMPERE, 0)
VOLTAGE = _measured(SensorDeviceClass.VOLTAGE, UnitOfElectricPotential.VOLT, 1)
CURRENT = _measured(SensorDeviceClass.CURRENT, UnitOfElectricCurrent.AMPERE, 2)
POWER_FACTOR = _measured(SensorDeviceClass.POWER_FACTOR, None, 2)
FREQUENCY = _measured(SensorDeviceClass.FREQUENCY, UnitOfFrequency.HERTZ, 2)
CHARGE = _measured(SensorDeviceClass.BATTERY, UnitOfRatio.PERCENTAGE, 0)
TEMPERATURE = _measured(SensorDeviceClass.TEMPERATURE, UnitOfTemperature.CELSIUS, 0)
STORED_ENERGY = _measured(SensorDeviceClass.ENERGY_STORAGE, UnitOfEnergy.WATT_HOUR, 2) | {
    "suggested_unit_of_measurement": UnitOfEnergy.KILO_WATT_HOUR,
}
ENERGY = {
    "device_class": SensorDeviceClass.ENERGY,
    "native_unit_of_measurement": UnitOfEnergy.WATT_HOUR,
    "suggested_unit_of_measurement": UnitOfEnergy.KILO_WATT_HOUR,
    "state_class": SensorStateClass.TOTAL_INCREASING,
    "suggested_display_precision": 2,
}
