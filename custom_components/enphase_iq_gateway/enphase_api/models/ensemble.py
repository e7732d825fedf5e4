"""Devices around the batteries: System Controller, IQ Meter Collar, combiner, generator, dry contacts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from ..json_values import boolean, identifier, integer, json_object, nested_objects, number, text, timestamp

#: Positions of a relay, by the first word of its state: "open synchronized" is open.
_POSITIONS = {"closed": True, "close": True, "open": False}

#: Whether the site is on the grid, by the state of an IQ Meter Collar.
_COLLAR_ON_GRID = {"ENCMN_MDE_ON_GRID": True, "ENCMN_MDE_OFF_GRID": False}


def is_closed(state: str | None) -> bool | None:
    """Return whether a relay is closed; None if its state is unknown."""
    return _POSITIONS.get(state.split()[0].lower()) if state else None


def communication_level(data: Mapping[str, Any], key: str) -> int | None:
    """Return a signal strength in bars, 0 to 5."""
    return integer(data, key, 0, 5)


def read_common(data: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what all devices of the inventory report alike, by field; None without serial number."""
    serial_number = identifier(data, "serial_num")
    if serial_number is None:
        return None
    return {
        "serial_number": serial_number,
        "part_number": identifier(data, "part_num"),
        "firmware": text(data, "img_pnum_running"),
        "last_reported_at": timestamp(data, "last_rpt_date"),
        "communicating": boolean(data, "communicating"),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsembleDevice:
    """What all devices of /ivp/ensemble/inventory report."""

    serial_number: str
    part_number: str | None
    firmware: str | None
    #: °C.
    temperature: float | None
    #: UTC.
    last_reported_at: datetime | None
    communicating: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemController(EnsembleDevice):
    """An IQ System Controller ("Enpower"), whose relay connects the site to the grid."""

    #: The relay as it is, such as "closed" or "open synchronized"; its first word is the position.
    mains_oper_state: str | None
    #: The relay as it was asked to be: "open" or "closed".
    mains_admin_state: str | None
    #: Such as "multimode-ongrid".
    grid_mode: str | None
    #: Bars, 0 to 5.
    comm_level_sub_ghz: int | None
    comm_level_2_4_ghz: int | None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self | None:
        """Parse a device of the inventory; None without serial number."""
        common = read_common(data)
        if common is None:
            return None
        fahrenheit = number(data, "temperature", -76, 302)
        return cls(
            **common,
            # In °F, unlike that of all other devices (quirks.KNOWN).
            temperature=None if fahrenheit is None else (fahrenheit - 32) / 1.8,
            mains_oper_state=text(data, "mains_oper_state"),
            mains_admin_state=text(data, "mains_admin_state"),
            grid_mode=text(data, "Enpwr_grid_mode"),
            comm_level_sub_ghz=communication_level(data, "comm_level_sub_ghz"),
            comm_level_2_4_ghz=communication_level(data, "comm_level_2_4_ghz"),
        )

    @property
    def is_on_grid(self) -> bool | None:
        """Whether its relay connects the site to the grid; None if unknown."""
        return is_closed(self.mains_oper_state)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collar(EnsembleDevice):
    """An IQ Meter Collar, which connects a site without System Controller to the grid."""

    #: Such as "ENCMN_MDE_ON_GRID".
    admin_state: str | None
    #: Its own view of the grid, which was seen not to follow (quirks.KNOWN): prefer `is_on_grid`.
    grid_state: str | None
    #: Whether its relay (microgrid interconnection device) is closed.
    is_closed: bool | None
    #: The firmware's number of an error; 0: none.
    control_error: int | None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self | None:
        """Parse a device of the inventory; None without serial number."""
        common = read_common(data)
        if common is None:
            return None
        return cls(
            **common,
            temperature=number(data, "temperature", -60, 150),
            admin_state=text(data, "admin_state_str"),
            grid_state=text(data, "grid_state"),
            is_closed=is_closed(text(data, "mid_state")),
            control_error=integer(data, "control_error", 0, 2**32),
        )

    @property
    def is_on_grid(self) -> bool | None:
        """Whether it connects the site to the grid; None if unknown."""
        return _COLLAR_ON_GRID.get(self.admin_state or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Combiner(EnsembleDevice):
    """The controller of an IQ Combiner 6C."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self | None:
        """Parse a device of the inventory; None without serial number."""
        common = read_common(data)
        if common is None:
            return None
        common["firmware"] = text(data, "fw_version") or common["firmware"]
        return cls(**common, temperature=number(data, "temperature", -60, 150))


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """The answer of /ivp/ensemble/relay: the relay of the System Controller."""

    #: As `SystemController` has them.
    mains_oper_state: str | None
    mains_admin_state: str | None

    @classmethod
    def from_json(cls, answer: object, path: str = "/ivp/ensemble/relay") -> Self:
        """Parse the whole answer.

        Raises InvalidAnswerError if it is not an object.
        """
        root = json_object(answer, path)
        return cls(
            mains_oper_state=text(root, "mains_oper_state"), mains_admin_state=text(root, "mains_admin_state")
        )

    @property
    def is_on_grid(self) -> bool | None:
        """Whether the relay connects the site to the grid; None if unknown."""
        return is_closed(self.mains_oper_state)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """The answer of /ivp/ensemble/generator; gateways without generator have it, too."""

    #: Its mode, such as "auto"; None without generator.
    admin_state: str | None
    #: Whether its relay is closed.
    is_connected: bool | None
    #: % of the batteries at which it starts.
    start_soc: float | None
    #: % of the batteries at which it stops.
    stop_soc: float | None

    @classmethod
    def from_json(cls, answer: object, path: str = "/ivp/ensemble/generator") -> Self:
        """Parse the whole answer.

        Raises InvalidAnswerError if it is not an object.
        """
        root = json_object(answer, path)
        state = text(root, "admin_state")
        return cls(
            admin_state=None if state == "unknown" else state,
            is_connected=is_closed(text(root, "oper_state")),
            start_soc=number(root, "start_soc", 0, 100),
            stop_soc=number(root, "stop_soc", 0, 100),
        )

    @property
    def is_there(self) -> bool:
        """Whether a generator is configured; `present` is 1 on gateways without one (quirks.KNOWN)."""
        return self.admin_state is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class DryContact:
    """A dry contact of the System Controller: its status, and its settings."""

    #: "NC1", "NC2", "NO1" or "NO2".
    id: str
    #: "open" or "closed"; false for up to 90 s after its settings were written.
    status: str | None
    #: The owner's name of the load; None if it has none.
    load_name: str | None
    #: "NONE", "LOAD", "PV" or "3RD-PV"; only installers can change it.
    type: str | None
    #: "manual" or "soc".
    mode: str | None
    #: What happens on the grid: "apply", "shed", "schedule" or "none".
    grid_action: str | None
    #: What happens off the grid.
    micro_grid_action: str | None
    #: What happens with the generator.
    generator_action: str | None
    #: % of the batteries at which it is switched off in the mode "soc".
    soc_low: float | None
    #: % of the batteries at which it is switched on again.
    soc_high: float | None
    #: All settings as they were read: a change must send them all.
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def is_closed(self) -> bool | None:
        """Whether it is closed; None if unknown."""
        return is_closed(self.status)

    @classmethod
    def list_from_json(cls, status: object, settings: object = None) -> tuple[Self, ...]:
        """Parse the answers of /ivp/ensemble/dry_contacts and /ivp/ss/dry_contact_settings.

        Raises InvalidAnswerError if one is not an object.
        """
        known = {} if settings is None else _by_id(settings, "/ivp/ss/dry_contact_settings")
        return tuple(
            cls(
                id=contact_id,
                status=_STATUSES.get(is_closed(text(data, "status"))),
                load_name=text(rule, "load_name"),
                type=text(rule, "type"),
                mode=text(rule, "mode"),
                grid_action=text(rule, "grid_action"),
                micro_grid_action=text(rule, "micro_grid_action"),
                generator_action=text(rule, "gen_action"),
                soc_low=number(rule, "soc_low", 0, 100),
                soc_high=number(rule, "soc_high", 0, 100),
                settings=rule,
            )
            for contact_id, data in _by_id(status, "/ivp/ensemble/dry_contacts").items()
            for rule in [known.get(contact_id, {})]
        )


_STATUSES: dict[bool | None, str] = {True: "closed", False: "open"}


def _by_id(answer: object, path: str) -> dict[str, Mapping[str, Any]]:
    """Return the contacts of an answer by their id."""
    contacts = nested_objects(json_object(answer, path), "dry_contacts")
    return {key: contact for contact in contacts if (key := identifier(contact, "id")) is not None}
