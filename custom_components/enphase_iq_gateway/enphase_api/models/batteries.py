"""IQ Batteries: each unit, and what they hold together, out of three answers of /ivp/ensemble."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from ..values import flag, integer, moment, nested, number, objects, one_object, text

_ENERGY = (0, 1e9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Battery:
    """One unit."""

    serial_number: str
    part_number: str | None
    #: Such as "3.0.6614_rel/31.13".
    firmware: str | None
    #: % of what it can hold.
    state_of_charge: float | None
    #: °C.
    temperature: float | None
    #: Wh.
    capacity: float | None
    #: W, positive: discharging.
    power: float | None
    #: UTC.
    last_reported_at: datetime | None
    communicating: bool | None

    @classmethod
    def from_json(cls, data: Mapping[str, Any], power: Mapping[str, float | None]) -> Self | None:
        """Read one device of the inventory; `power` gives W by serial. None without a serial number."""
        serial_number = text(data, "serial_num")
        if serial_number is None:
            return None
        return cls(
            serial_number=serial_number,
            part_number=text(data, "part_num"),
            firmware=text(data, "img_pnum_running"),
            state_of_charge=number(data, "percentFull", 0, 100),
            temperature=number(data, "temperature", -60, 150),
            capacity=number(data, "encharge_capacity", 0, 1e6),
            power=power.get(serial_number),
            last_reported_at=moment(data, "last_rpt_date"),
            communicating=flag(data, "communicating"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Batteries:
    """All IQ Batteries of a site.

    Without any, `units` is empty, and of all else only `grid_connected` can be known.
    """

    units: tuple[Battery, ...]
    #: %.
    state_of_charge: float | None = None
    #: Wh that could be discharged now.
    available_energy: float | None = None
    #: Wh when full.
    capacity: float | None = None
    #: % kept back for outages.
    reserve: float | None = None
    #: W, positive: discharging; the sum over the units, None where one is missing.
    power: float | None = None
    #: Whether the system controller's relay connects the site to the grid; None without a controller.
    grid_connected: bool | None = None

    @classmethod
    def from_json(cls, inventory: object, power: object = None, secctrl: object = None) -> Self:
        """Join the answers of /ivp/ensemble/inventory, /power and /secctrl; None for one that is lacking.

        Raises InvalidAnswerError where one has another structure.
        """
        devices: dict[str | None, list[Mapping[str, Any]]] = {}
        for group in objects(inventory, "/ivp/ensemble/inventory"):
            devices.setdefault(text(group, "type"), []).extend(nested(group, "devices"))
        powers = {} if power is None else _power_by_serial(power)
        read = (Battery.from_json(entry, powers) for entry in devices.get("ENCHARGE", []))
        units = tuple(unit for unit in read if unit is not None)
        controller = next(iter(devices.get("ENPOWER", [])), None)
        mains = None if controller is None else text(controller, "mains_oper_state")
        if not units:
            # Without batteries the firmware fills the sums with zeros.
            return cls(units=(), grid_connected=None if mains is None else mains == "closed")
        sums = {} if secctrl is None else one_object(secctrl, "/ivp/ensemble/secctrl")
        unit_powers = [unit.power for unit in units if unit.power is not None]
        return cls(
            units=units,
            state_of_charge=number(sums, "ENC_agg_soc", 0, 100),
            available_energy=number(sums, "ENC_agg_avail_energy", *_ENERGY),
            capacity=number(sums, "Enc_max_available_capacity", *_ENERGY),
            reserve=integer(sums, "configured_backup_soc", 0, 100),
            power=sum(unit_powers) if len(unit_powers) == len(units) else None,
            grid_connected=None if mains is None else mains == "closed",
        )


def _power_by_serial(answer: object) -> dict[str, float | None]:
    """Read /ivp/ensemble/power as W by serial number; its key ends in a colon on every firmware seen."""
    root = one_object(answer, "/ivp/ensemble/power")
    powers: dict[str, float | None] = {}
    for entry in nested(root, "devices:") or nested(root, "devices"):
        serial_number, milliwatts = text(entry, "serial_num"), number(entry, "real_power_mw", -10e9, 10e9)
        if serial_number is not None:
            powers[serial_number] = None if milliwatts is None else milliwatts / 1000
    return powers
