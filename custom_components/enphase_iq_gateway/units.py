"""The devices behind the gateway: what each is, and where its latest values are."""

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any, NamedTuple

from .const import MICROINVERTER_MODEL
from .data import Device, GatewayData
from .endpoints import Endpoint
from .enphase_api.models import Battery, Collar, Combiner, DryContact, Generator, SystemController
from .entity import Unit


class UnitKind(StrEnum):
    """A kind of device; the value is the translation key of its name."""

    INVERTER = "inverter"
    BATTERY = "battery"
    AC_BATTERY = "ac_battery"
    CONTROLLER = "controller"
    COLLAR = "collar"
    COMBINER = "combiner"
    GENERATOR = "generator"
    DRY_CONTACT = "dry_contact"


class FoundUnit(NamedTuple):
    """A device, the function that returns its latest values, and the endpoint that they are read from."""

    kind: UnitKind
    unit: Unit
    find: Callable[[GatewayData], Any]
    endpoint: Endpoint


_KINDS: dict[type, tuple[UnitKind, str, Endpoint]] = {
    Battery: (UnitKind.BATTERY, "IQ Battery", Endpoint.BATTERIES),
    SystemController: (UnitKind.CONTROLLER, "IQ System Controller", Endpoint.BATTERIES),
    Collar: (UnitKind.COLLAR, "IQ Meter Collar", Endpoint.BATTERIES),
    Combiner: (UnitKind.COMBINER, "IQ Combiner 6C", Endpoint.BATTERIES),
    DryContact: (UnitKind.DRY_CONTACT, "Dry contact", Endpoint.DRY_CONTACTS),
    Generator: (UnitKind.GENERATOR, "Generator", Endpoint.GENERATOR),
}


def inverter_unit(serial_number: str) -> Unit:
    """Return the device of a microinverter."""
    return Unit(
        identifier=serial_number,
        translation_key=UnitKind.INVERTER,
        model=MICROINVERTER_MODEL,
        serial_number=serial_number,
        placeholders={"serial": serial_number},
    )


def ac_battery_unit(serial_number: str) -> Unit:
    """Return the device of an AC Battery."""
    return Unit(
        identifier=serial_number,
        translation_key=UnitKind.AC_BATTERY,
        model="AC Battery",
        serial_number=serial_number,
        placeholders={"serial": serial_number},
    )


def find_units(data: GatewayData) -> Iterator[FoundUnit]:
    """Yield the batteries and the devices around them."""
    for identifier, device in data.devices.items():
        kind, model, endpoint = _KINDS[type(device)]
        yield FoundUnit(kind, _unit(identifier, device, kind, model), _finder(identifier), endpoint)


def _unit(identifier: str, device: Device, kind: UnitKind, model: str) -> Unit:
    if isinstance(device, DryContact):
        return Unit(
            identifier=identifier,
            translation_key=kind,
            model=model,
            name=device.load_name,
            placeholders={"contact": device.id},
        )
    if isinstance(device, Generator):
        return Unit(identifier=identifier, translation_key=kind, model=model, placeholders={})
    return Unit(
        identifier=identifier,
        translation_key=kind,
        model=model,
        serial_number=device.serial_number,
        placeholders={"serial": device.serial_number},
        part_number=device.part_number,
        firmware=device.firmware,
    )


def _finder(identifier: str) -> Callable[[GatewayData], Device | None]:
    return lambda data: data.devices.get(identifier)
