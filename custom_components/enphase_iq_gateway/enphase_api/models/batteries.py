"""Batteries: each IQ Battery out of /ivp/ensemble, AC Batteries in sum, and what all hold together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

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
    timestamp,
)

_ENERGY = (0, 1e9)

#: W for each Wh of capacity: an IQ Battery 5P holds 5 kWh and gives 7.68 kW for three seconds.
_MOST_POWER = 2

#: W and Wh that an AC Battery is rated at; 1.5 times that is believed, as of meters.
_AC_POWER, _AC_ENERGY, _BEYOND = 270, 1200, 1.5

#: What an IQ Meter Collar says of itself while the site is on the grid, and while it is not.
_COLLAR_ON_GRID = {"ENCMN_MDE_ON_GRID": True, "ENCMN_MDE_OFF_GRID": False}

#: Wh that all IQ Batteries together can hold, as the sums have it.
_CAPACITY = "Enc_max_available_capacity"


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
        serial_number = identifier(data, "serial_num")
        if serial_number is None:
            return None
        capacity, watts = number(data, "encharge_capacity", 0, 1e6), power.get(serial_number)
        if watts is not None and capacity and abs(watts) > _MOST_POWER * capacity:
            watts = None
        return cls(
            serial_number=serial_number,
            part_number=identifier(data, "part_num"),
            firmware=text(data, "img_pnum_running"),
            state_of_charge=number(data, "percentFull", 0, 100),
            temperature=number(data, "temperature", -60, 150),
            capacity=capacity,
            power=watts,
            last_reported_at=timestamp(data, "last_rpt_date"),
            communicating=boolean(data, "communicating"),
        )

    def as_of(self, now: datetime) -> Self:
        """Return the same at `now`, by the gateway's clock: of a silent one, no charge or power is known."""
        if self.last_reported_at is None or not is_silent(self.last_reported_at, now):
            return self
        return replace(self, state_of_charge=None, temperature=None, power=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcBatteries:
    """All AC Batteries of a site in sum, as of their last reports: the storage section of /production.json.

    Each alone stands only in /inventory.json, which takes a gateway seconds; so do those that were taken out
    of service, which are not counted here.
    """

    active_count: int
    #: UTC.
    measured_at: datetime | None
    #: W, positive: discharging.
    power: float | None
    #: Wh that they hold now.
    energy: float | None
    #: % of what they can hold; None once they are silent.
    state_of_charge: float | None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self | None:
        """Read one entry of the section; None if it has no AC Batteries."""
        active_count = integer(data, "activeCount", 1, 10_000)
        # Gateways without AC Batteries were seen to count some, but not to say how full they are (pyenphase).
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
        """Return the same at `now`, by the gateway's clock: of silent ones, nothing that changes is known."""
        if self.measured_at is None or not is_silent(self.measured_at, now):
            return self
        return replace(self, power=None, energy=None, state_of_charge=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batteries:
    """All batteries of a site.

    Without any, of all else only `grid_connected` can be known.
    """

    #: The IQ Batteries.
    units: tuple[Battery, ...]
    #: Whether there are AC Batteries too; None where the gateway does not say it here.
    has_ac: bool | None = False
    #: What /production.json says of them, once it is known: see `with_ac`.
    ac: AcBatteries | None = None
    #: %.
    state_of_charge: float | None = None
    #: Wh that could be discharged now.
    available_energy: float | None = None
    #: Wh when full.
    capacity: float | None = None
    #: % that IQ Batteries keep back for outages.
    reserve: float | None = None
    #: W, positive: discharging; the sum over all, None where one is missing.
    power: float | None = None
    #: Whether the System Controller's relay, or an IQ Meter Collar, connects the site to the grid; None where
    #: there is neither, or the collar says neither yes nor no.
    grid_connected: bool | None = None

    @classmethod
    def from_json(cls, inventory: object, power: object = None, secctrl: object = None) -> Self:
        """Join the answers of /ivp/ensemble/inventory, /power and /secctrl; None for one that is lacking.

        Raises InvalidAnswerError where one has another structure.
        """
        devices: dict[str | None, list[Mapping[str, Any]]] = {}
        for group in json_objects(inventory, "/ivp/ensemble/inventory"):
            devices.setdefault(text(group, "type"), []).extend(nested_objects(group, "devices"))
        powers = {} if power is None else _power_by_serial(power)
        read = (Battery.from_json(entry, powers) for entry in devices.get("ENCHARGE", []))
        units = tuple(unit for unit in read if unit is not None)
        sums = {} if secctrl is None else json_object(secctrl, "/ivp/ensemble/secctrl")
        has_ac = None if secctrl is None else _speaks_of_ac(sums)
        found = cls(units=units, has_ac=has_ac, grid_connected=_is_on_grid(devices)).with_ac(None)
        if not units and not has_ac:
            # Without batteries the firmware fills the sums with zeros.
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
        """Return the same batteries with what /production.json says (`Production.ac_batteries`).

        Until then the power of all is not known where there are AC Batteries.
        """
        joined = replace(self, ac=ac, power=self._power(ac))
        if ac is None or self.units:
            return joined
        return replace(
            joined, state_of_charge=ac.state_of_charge, available_energy=ac.energy
        )._within_capacity()

    def as_of(self, now: datetime) -> Self:
        """Return the same at `now`, by the gateway's clock, with what the silent ones do now unknown.

        Once all are silent, so is what all hold together.
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
        """Return the sum over all, W; None where one is missing."""
        powers = [unit.power for unit in self.units]
        if ac is not None or self.has_ac:
            powers.append(None if ac is None else ac.power)
        return _sum(powers)

    def _within_capacity(self) -> Self:
        """Return the same without a capacity that is less than what can be discharged (but for rounding)."""
        capacity, available = self.capacity, self.available_energy
        if capacity is None or available is None or available <= 1.01 * capacity:
            return self
        return replace(self, capacity=None)

    @property
    def are_there(self) -> bool:
        """Whether there is any battery."""
        return bool(self.units) or self.has_ac is True or self.ac is not None


def _is_on_grid(devices: Mapping[str | None, list[Mapping[str, Any]]]) -> bool | None:
    """Return whether what stands between site and grid connects them, by the devices of each type."""
    for controller in devices.get("ENPOWER", []):
        if (mains := text(controller, "mains_oper_state")) is not None:
            return mains == "closed"
    for collar in devices.get("COLLAR", []):
        # Its own grid_state stays "on_grid" (quirks.KNOWN).
        if (state := text(collar, "admin_state_str")) in _COLLAR_ON_GRID:
            return _COLLAR_ON_GRID[state]
    return None


def _speaks_of_ac(sums: Mapping[str, Any]) -> bool:
    """Return whether the sums count AC Batteries: they hold energy or all hold more than IQ Batteries."""
    if number(sums, "ACB_agg_energy", *_ENERGY) or number(sums, "ACB_agg_soc", 0, 100):
        return True
    # A battery that is away lowers what is available, and maybe not what all can hold.
    of_iq = [number(sums, key, *_ENERGY) or 0 for key in ("Enc_commissioned_capacity", _CAPACITY)]
    return (number(sums, "Max_energy", *_ENERGY) or 0) > max(of_iq)


def _sum(values: list[float | None]) -> float | None:
    """Add what is known; None where there is nothing to add, or one is not known."""
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def _power_by_serial(answer: object) -> dict[str, float | None]:
    """Read /ivp/ensemble/power as W by serial number; its key ends in a colon on every firmware seen."""
    root = json_object(answer, "/ivp/ensemble/power")
    powers: dict[str, float | None] = {}
    for entry in nested_objects(root, "devices:") or nested_objects(root, "devices"):
        serial_number, milliwatts = (
            identifier(entry, "serial_num"),
            number(entry, "real_power_mw", -1000 * MAX_POWER, 1000 * MAX_POWER),
        )
        if serial_number is not None:
            powers[serial_number] = None if milliwatts is None else milliwatts / 1000
    return powers
