"""Batteries: each IQ Battery of /ivp/ensemble, the sum of the AC Batteries, and the sum of all.

The same answer lists the System Controller, the IQ Meter Collar and the combiner: see `ensemble`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self, TypeVar

from ..json_values import (
    MAX_POWER,
    boolean,
    identifier,
    integer,
    is_silent,
    json_object,
    json_objects,
    nested_objects,
    number,
    text,
    thousandth,
    timestamp,
)
from .ensemble import Collar, Combiner, SystemController, communication_level, read_common

_ENERGY = (0, 1e9)

#: W per Wh of capacity: an IQ Battery 5P has 5 kWh and delivers 7.68 kW for three seconds.
_MOST_POWER = 2

#: The rated W and Wh of an AC Battery; up to 1.5 times that is plausible, as for meters.
_AC_POWER, _AC_ENERGY, _BEYOND = 270, 1200, 1.5

#: The key of the capacity (Wh) of all IQ Batteries in the sums.
_CAPACITY = "Enc_max_available_capacity"

_DeviceT = TypeVar("_DeviceT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Battery:
    """An IQ Battery."""

    serial_number: str
    part_number: str | None
    #: Such as "3.0.6614_rel/31.13".
    firmware: str | None
    #: % of its capacity.
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
    #: °C, of the hottest cell.
    max_cell_temperature: float | None = None
    #: VA, with the sign of the power.
    apparent_power: float | None = None
    #: % of its capacity, as the answer with the power has it.
    power_state_of_charge: float | None = None
    #: Of its battery management unit.
    bmu_firmware: str | None = None
    #: Such as "grid-tied".
    grid_state: str | None = None
    sleep_enabled: bool | None = None
    dc_switch_off: bool | None = None
    #: The firmware's number of what its LED shows.
    led_status: int | None = None
    #: Bars, 0 to 5.
    comm_level_sub_ghz: int | None = None
    comm_level_2_4_ghz: int | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any], power: Mapping[str, Mapping[str, Any]]) -> Self | None:
        """Parse a device of the inventory; None without serial number.

        `power` has the entries of /ivp/ensemble/power by serial number.
        """
        common = read_common(data)
        if common is None:
            return None
        capacity, entry = number(data, "encharge_capacity", 0, 1e6), power.get(common["serial_number"], {})
        most = _MOST_POWER * capacity if capacity else MAX_POWER
        return cls(
            **common,
            state_of_charge=number(data, "percentFull", 0, 100),
            temperature=number(data, "temperature", -60, 150),
            capacity=capacity,
            power=thousandth(entry, "real_power_mw", -most, most),
            max_cell_temperature=number(data, "maxCellTemp", -60, 150),
            apparent_power=thousandth(entry, "apparent_power_mva", -most, most),
            power_state_of_charge=number(entry, "soc", 0, 100),
            bmu_firmware=text(data, "bmu_fw_version"),
            grid_state=text(data, "reported_enc_grid_state"),
            sleep_enabled=boolean(data, "sleep_enabled"),
            dc_switch_off=boolean(data, "dc_switch_off"),
            led_status=integer(data, "led_status", 0, 2**16),
            comm_level_sub_ghz=communication_level(data, "comm_level_sub_ghz"),
            comm_level_2_4_ghz=communication_level(data, "comm_level_2_4_ghz"),
        )

    def as_of(self, now: datetime) -> Self:
        """Return the battery as of `now`, by the gateway's clock: unknown values if it is silent."""
        if self.last_reported_at is None or not is_silent(self.last_reported_at, now):
            return self
        return replace(
            self,
            state_of_charge=None,
            temperature=None,
            power=None,
            max_cell_temperature=None,
            apparent_power=None,
            power_state_of_charge=None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AcBatteries:
    """The sum of all AC Batteries, as of their last reports: the storage section of /production.json.

    Only /inventory.json lists each of them, and also those that were taken out of service, which are not
    included here; its answer takes a gateway seconds.
    """

    active_count: int
    #: UTC.
    measured_at: datetime | None
    #: W, positive: discharging.
    power: float | None
    #: Wh, now.
    energy: float | None
    #: % of their capacity; None if they are silent.
    state_of_charge: float | None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self | None:
        """Parse one entry of the section; None if it has no AC Batteries."""
        active_count = integer(data, "activeCount", 1, 10_000)
        # Some gateways without AC Batteries count some, but without a state of charge (quirks.KNOWN).
        state_of_charge = number(data, "percentFull", 0, 100)
        if text(data, "type") != "acb" or active_count is None or state_of_charge is None:
            return None
        most_power = _BEYOND * _AC_POWER * active_count
        return cls(
            active_count=active_count,
            measured_at=timestamp(data, "readingTime"),
            # -178 W while charging: jesserizzo/envoy_reader issue 36.
            power=number(data, "wNow", -most_power, most_power),
            energy=number(data, "whNow", 0, _BEYOND * _AC_ENERGY * active_count),
            state_of_charge=state_of_charge,
        )

    def as_of(self, now: datetime) -> Self:
        """Return the batteries as of `now`, by the gateway's clock: unknown values if they are silent."""
        if self.measured_at is None or not is_silent(self.measured_at, now):
            return self
        return replace(self, power=None, energy=None, state_of_charge=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batteries:
    """All batteries of a site, and the devices in the same answer.

    Without any battery, everything but these devices and `grid_connected` is unknown.
    """

    #: The IQ Batteries.
    units: tuple[Battery, ...]
    #: Whether there are AC Batteries, too; None if unknown.
    has_ac: bool | None = False
    #: Their values in /production.json, once read: see `with_ac`.
    ac: AcBatteries | None = None
    #: %.
    state_of_charge: float | None = None
    #: Wh that could be discharged now.
    available_energy: float | None = None
    #: Wh when full.
    capacity: float | None = None
    #: % that IQ Batteries reserve for outages.
    reserve: float | None = None
    #: W, positive: discharging; the sum of all, None if one is unknown.
    power: float | None = None
    #: Whether the System Controller's relay, or an IQ Meter Collar, connects the site to the grid; None if
    #: there is neither, or if the collar reports an unknown state.
    grid_connected: bool | None = None
    controllers: tuple[SystemController, ...] = ()
    collars: tuple[Collar, ...] = ()
    combiners: tuple[Combiner, ...] = ()

    @classmethod
    def from_json(cls, inventory: object, power: object = None, secctrl: object = None) -> Self:
        """Parse the answers of /ivp/ensemble/inventory, /power and /secctrl; None for a missing one.

        Raises InvalidAnswerError if one has another structure.
        """
        devices: dict[str | None, list[Mapping[str, Any]]] = {}
        for group in json_objects(inventory, "/ivp/ensemble/inventory"):
            devices.setdefault(text(group, "type"), []).extend(nested_objects(group, "devices"))
        powers = {} if power is None else _power_by_serial(power)
        units = _list_known(Battery.from_json(entry, powers) for entry in devices.get("ENCHARGE", ()))
        sums = {} if secctrl is None else json_object(secctrl, "/ivp/ensemble/secctrl")
        has_ac = None if secctrl is None else _has_ac_batteries(sums)
        controllers = _list_known(map(SystemController.from_json, devices.get("ENPOWER", ())))
        collars = _list_known(map(Collar.from_json, devices.get("COLLAR", ())))
        found = cls(
            units=units,
            has_ac=has_ac,
            grid_connected=_is_on_grid(controllers, collars),
            controllers=controllers,
            collars=collars,
            combiners=_list_known(map(Combiner.from_json, devices.get("C6 COMBINER CONTROLLER", ()))),
        ).with_ac(None)
        if not units and not has_ac:
            # Without batteries, all sums are 0 (quirks.KNOWN).
            return found
        available = [number(sums, "ENC_agg_avail_energy", *_ENERGY)] if units else []
        available += [number(sums, "ACB_agg_energy", *_ENERGY)] if has_ac else []
        return replace(
            found,
            state_of_charge=number(sums, "agg_soc" if has_ac else "ENC_agg_soc", 0, 100),
            available_energy=_sum(available),
            capacity=number(sums, "Max_energy" if has_ac else _CAPACITY, *_ENERGY),
            reserve=integer(sums, "configured_backup_soc", 0, 100) if units else None,
        )._within_capacity()

    def with_ac(self, ac: AcBatteries | None) -> Self:
        """Return these batteries with those of /production.json (`Production.ac_batteries`).

        If there are AC Batteries, the power of all is unknown without them.
        """
        joined = replace(self, ac=ac, power=self._power(ac))
        if ac is None or self.units:
            return joined
        return replace(
            joined, state_of_charge=ac.state_of_charge, available_energy=ac.energy
        )._within_capacity()

    def as_of(self, now: datetime) -> Self:
        """Return these batteries as of `now`, by the gateway's clock; values of silent ones are unknown.

        If all are silent, so are charge and energy of all.
        """
        units = tuple(unit.as_of(now) for unit in self.units)
        ac = None if self.ac is None else self.ac.as_of(now)
        if units == self.units and ac == self.ac:
            return self
        found = replace(self, units=units, ac=ac)
        found = replace(found, power=found._power(ac))
        charges = [unit.state_of_charge for unit in units] + ([] if ac is None else [ac.state_of_charge])
        return (
            found
            if any(charge is not None for charge in charges)
            else replace(found, state_of_charge=None, available_energy=None)
        )

    def _power(self, ac: AcBatteries | None) -> float | None:
        """Return the power of all (W); None if one is unknown."""
        powers = [unit.power for unit in self.units]
        if ac is not None or self.has_ac:
            powers.append(None if ac is None else ac.power)
        return _sum(powers)

    def _within_capacity(self) -> Self:
        """Return these batteries without a capacity below their available energy (but for rounding)."""
        capacity, available = self.capacity, self.available_energy
        if capacity is None or available is None or available <= 1.01 * capacity:
            return self
        return replace(self, capacity=None)

    @property
    def are_there(self) -> bool:
        """Whether there is any battery."""
        return bool(self.units) or self.has_ac is True or self.ac is not None


def _list_known(devices: Iterable[_DeviceT | None]) -> tuple[_DeviceT, ...]:
    return tuple(device for device in devices if device is not None)


def _is_on_grid(controllers: Iterable[SystemController], collars: Iterable[Collar]) -> bool | None:
    """Return whether the site is connected to the grid: by a controller, or else by a collar."""
    states = [*(each.is_on_grid for each in controllers), *(each.is_on_grid for each in collars)]
    return next((state for state in states if state is not None), None)


def _has_ac_batteries(sums: Mapping[str, Any]) -> bool:
    """Return whether the sums include AC Batteries: their energy, or a total above the IQ Batteries'."""
    if number(sums, "ACB_agg_energy", *_ENERGY) or number(sums, "ACB_agg_soc", 0, 100):
        return True
    # A battery that is offline reduces the available capacity, but maybe not the total.
    of_iq = [number(sums, key, *_ENERGY) or 0 for key in ("Enc_commissioned_capacity", _CAPACITY)]
    return (number(sums, "Max_energy", *_ENERGY) or 0) > max(of_iq)


def _sum(values: list[float | None]) -> float | None:
    """Return the sum; None without values, or if one is unknown."""
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def _power_by_serial(answer: object) -> dict[str, Mapping[str, Any]]:
    """Return the entries of /ivp/ensemble/power by serial number; its key ends in a colon (quirks.KNOWN)."""
    root = json_object(answer, "/ivp/ensemble/power")
    entries = nested_objects(root, "devices:") or nested_objects(root, "devices")
    return {key: entry for entry in entries if (key := identifier(entry, "serial_num")) is not None}
