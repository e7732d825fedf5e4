"""Answers about what a System Controller switches: main relay, dry contacts and generator."""

from __future__ import annotations

from typing import Any

from .house import House
from .orders import CLOSED
from .profiles import Profile


def relay(house: House, at: int) -> dict[str, Any]:
    """Return /ivp/ensemble/relay."""
    orders, battery = house.orders(at), house.profile.battery
    has_iq_batteries = battery is not None and battery.kind == "encharge"
    return {
        "mains_admin_state": orders.relay_asked,
        "mains_oper_state": orders.relay,
        "srt12_state": "open",
        "srt13_state": "open",
        "der1_state": 0,
        "der2_state": 0,
        "der3_state": 0,
        "Enchg_grid_mode": orders.grid_mode if has_iq_batteries else "unknown",
        "Solar_grid_mode": "unknown",
    }


def dry_contacts(house: House, at: int) -> dict[str, Any]:
    """Return /ivp/ensemble/dry_contacts."""
    closed = house.closed_contacts(at)
    if house.orders(at).contacts_misread:
        closed -= {contact.id for contact in house.profile.contacts if contact.normally_closed}
    return {
        "dry_contacts": [
            {"id": contact.id, "status": CLOSED if contact.id in closed else "open"}
            for contact in house.profile.contacts
        ]
    }


def dry_contact_settings(profile: Profile) -> list[dict[str, Any]]:
    """Return the settings in /ivp/ss/dry_contact_settings that an installer left."""
    return [
        {
            "id": contact.id,
            "type": "LOAD" if contact.load_name else "NONE",
            "grid_action": "apply" if contact.load_name else "none",
            "micro_grid_action": "shed" if contact.load_name else "none",
            "gen_action": "shed" if contact.load_name else "none",
            "essential_start_time": 32400.0,
            "essential_end_time": 57600.0,
            "priority": float(number + 1),
            "black_s_start": 5.0,
            "override": "false",
            "manual_override": "true",
            "load_name": contact.load_name,
            "mode": "manual",
            "soc_low": 30.0,
            "soc_high": 70.0,
            "pv_serial_nb": [],
        }
        for number, contact in enumerate(profile.contacts)
    ]


def generator(house: House, at: int) -> dict[str, Any]:
    """Return /ivp/ensemble/generator."""
    present, orders = bool(house.profile.generator), house.orders(at)
    runs = house.truth(at).generator > 0
    return {
        "admin_state": (CLOSED if orders.generator == "on" or runs else "open") if present else "unknown",
        "oper_state": CLOSED if runs else "open",
        "admin_mode": ("off", "on", "auto").index(orders.generator),
        "schedule": 0,
        "start_soc": orders.generator_limits[0] if present else 100,
        "stop_soc": orders.generator_limits[1] if present else -1,
        "exc_on": 0,
        "present": int(present),
        "type": int(present),
    }


def generator_config() -> dict[str, Any]:
    """Return /ivp/ss/gen_config of a generator."""
    return {
        "max_cont_gen_amps": 37.5,
        "min_gen_loading_perc": 0,
        "max_gen_efficiency_perc": 70,
        "name_plate_rating_wat": 9000.0,
        "start_method": "auto",
        "warm_up_mins": 1,
        "cool_down_mins": 1,
        "gen_type": "Standby",
        "model": "Simulated 9",
        "manufacturer": "Simulated",
        "last_updated_by": "Installer",
        "generator_id": "1",
        "charge_from_generator": True,
    }


def generator_schedule() -> dict[str, Any]:
    """Return /ivp/ss/gen_schedule of a generator."""
    return {
        "exercise_config": {"freq_in_weeks": 1, "start": 840, "duration": 20, "day": "Mon"},
        "default_soc": {"start_soc": 30, "stop_soc": 80},
        "schedule": {},
        "last_updated_by": "Installer",
    }
