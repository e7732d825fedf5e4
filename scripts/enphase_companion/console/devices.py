"""The devices around the batteries, how these are used, and the dry contacts: for page and JSON document."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from enphase_api.models import Collar, Combiner, DryContact, Storage, SystemController
from enphase_api.models.ensemble import EnsembleDevice

from ..units import UNKNOWN, format_local_time, format_quantity
from .overview import Overview
from .tables import Columns, heading

#: By class of a device: its type in the JSON document.
_TYPES: dict[type, str] = {
    SystemController: "system_controller",
    Collar: "meter_collar",
    Combiner: "combiner",
}

_ON_GRID = {True: "on grid", False: "off grid", None: UNKNOWN}


def list_devices(overview: Overview) -> Iterator[tuple[str, str, EnsembleDevice]]:
    """Yield the name, the state and the values of each System Controller, collar and combiner."""
    known = overview.batteries
    if known is None:
        return
    for controller in known.controllers:
        yield "System Controller", controller.mains_oper_state or UNKNOWN, controller
    for collar in known.collars:
        yield "IQ Meter Collar", _ON_GRID[collar.is_on_grid], collar
    for combiner in known.combiners:
        yield "Combiner", "", combiner


def build_device_table(overview: Overview) -> Columns:
    """Return the table of these devices, and of the generator."""
    table = Columns("<<<><", leave_out=(3, 4, 1))
    table.add_row(*heading("  Device", "Serial number", "State", "Temperature", "Last report"))
    for name, state, device in list_devices(overview):
        silent = "" if device.communicating is not False else ", not communicating"
        table.add_row(
            f"  {name}",
            device.serial_number,
            state,
            format_quantity(device.temperature, "°C", 0),
            format_local_time(device.last_reported_at, overview.at) + silent,
        )
    if overview.generator is not None:
        running = {True: ", connected", False: ", not connected", None: ""}[overview.generator.is_connected]
        charging = ", no charging" if overview.generator_charging is False else ""
        state = f"{overview.generator_mode or UNKNOWN}{running}{charging}"
        table.add_row("  Generator", "-", state, "-", "-")
    return table


def has_devices(overview: Overview) -> bool:
    """Whether the table of devices has a row."""
    return overview.generator is not None or any(True for _ in list_devices(overview))


def build_contact_table(contacts: tuple[DryContact, ...]) -> Columns:
    """Return the table of dry contacts: each with its load, its state, and what moves it."""
    table = Columns("<<<<", leave_out=(3, 1))
    table.add_row(*heading("  Contact", "Load", "State", "Moved"))
    for contact in contacts:
        table.add_row(
            f"  {contact.id}", contact.load_name or "-", contact.status or UNKNOWN, _describe_rule(contact)
        )
    return table


def _describe_rule(contact: DryContact) -> str:
    if contact.mode == "manual":
        actions = {
            "on grid": contact.grid_action,
            "off grid": contact.micro_grid_action,
            "with generator": contact.generator_action,
        }
        sheds = [when for when, action in actions.items() if action == "shed"]
        return f"by hand, shed {', '.join(sheds)}" if sheds else "by hand"
    if contact.mode != "soc":
        return contact.mode or UNKNOWN
    low, high = (format_quantity(level, "%", 0) for level in (contact.soc_low, contact.soc_high))
    return f"by charge: off below {low}, on above {high}"


def describe_storage(storage: Storage) -> str:
    """Return how the batteries are used, as one line."""
    mode = storage.mode or f"{UNKNOWN}{' (only Enphase has it)' if storage.is_outdated else ''}"
    charging = {True: "allowed", False: "not allowed", None: UNKNOWN}[storage.charge_from_grid]
    return (
        f"mode {mode}, shutdown at {format_quantity(storage.shutdown_level, '%', 0)}, "
        f"grid charging {charging}"
    )


def build_storage_document(storage: Storage | None) -> dict[str, Any] | None:
    """Return how the batteries are used, for JSON; None without batteries."""
    if storage is None:
        return None
    return {
        "mode": storage.mode,
        "reserve_percent": storage.reserve,
        "shutdown_level_percent": storage.shutdown_level,
        "charge_from_grid": storage.charge_from_grid,
        "scheduler_mode": storage.scheduler_mode,
        "document_is_outdated": storage.is_outdated,
    }


def build_device_documents(overview: Overview) -> list[dict[str, Any]]:
    """Return the devices of the table, for JSON."""
    return [
        {
            "type": _TYPES[type(device)],
            "serial_number": device.serial_number,
            "part_number": device.part_number,
            "firmware": device.firmware,
            "state": state or None,
            # That of a System Controller is converted from °F.
            "temperature_celsius": None if device.temperature is None else round(device.temperature, 1),
            "communicating": device.communicating,
            "last_reported_at": _time(device.last_reported_at),
        }
        for _, state, device in list_devices(overview)
    ]


def build_generator_document(overview: Overview) -> dict[str, Any] | None:
    """Return the generator, for JSON; None without one."""
    known = overview.generator
    if known is None:
        return None
    return {
        "mode": overview.generator_mode,
        "connected": known.is_connected,
        "start_percent": known.start_soc,
        "stop_percent": known.stop_soc,
        "charge_from_generator": overview.generator_charging,
    }


def build_contact_documents(contacts: tuple[DryContact, ...]) -> list[dict[str, Any]]:
    """Return the dry contacts, for JSON."""
    return [
        {
            "id": contact.id,
            "load": contact.load_name,
            "state": contact.status,
            "type": contact.type,
            "mode": contact.mode,
            "grid_action": contact.grid_action,
            "off_grid_action": contact.micro_grid_action,
            "generator_action": contact.generator_action,
            "low_percent": contact.soc_low,
            "high_percent": contact.soc_high,
        }
        for contact in contacts
    ]


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
