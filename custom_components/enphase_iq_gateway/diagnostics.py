"""Diagnostics, without secrets and without the identity of the user."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from homeassistant.components.diagnostics import async_redact_data
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_HOST, CONF_PASSWORD, CONF_TOKEN, CONF_USERNAME
from homeassistant.core import HomeAssistant

from .api_access import redact
from .const import (
    CONF_CERTIFICATE,
    CONF_ENERGY_SOURCES,
    CONF_PANEL_SENSORS_BEFORE,
    CONF_SHOWN_CERTIFICATE,
)
from .coordinator import GatewayConfigEntry
from .data import Device
from .enphase_api.models import Inverter, Reading

TO_REDACT = {
    CONF_CERTIFICATE,
    # Ids of entities, most of which have the serial number.
    CONF_ENERGY_SOURCES,
    CONF_HOST,
    CONF_PANEL_SENSORS_BEFORE,
    CONF_PASSWORD,
    CONF_SHOWN_CERTIFICATE,
    CONF_TOKEN,
    CONF_USERNAME,
    "serial_number",
    # The settings of a dry contact: the owner's name of its load, and serial numbers.
    "load_name",
    "pv_serial_nb",
}


async def async_get_config_entry_diagnostics(
    _hass: HomeAssistant, entry: GatewayConfigEntry
) -> dict[str, Any]:
    """Return the diagnostics of a gateway, or the reason if it could not be set up."""
    entry_info = {
        "entry": {
            "data": redact(async_redact_data(dict(entry.data), TO_REDACT)),
            "options": redact(dict(entry.options)),
            # The first digits are the time and place of manufacture, the others identify the gateway.
            "serial_number": f"{str(entry.unique_id)[:6]}******",
            "state": entry.state.value,
            # The text of the reason has the title and address of the gateway.
            "reason": entry.error_reason_translation_key,
        }
    }
    if entry.state is not ConfigEntryState.LOADED:
        return entry_info
    coordinator = entry.runtime_data
    data, token = coordinator.data, coordinator.token_renewal.token
    certificate = coordinator.gateway.certificate
    serial = coordinator.serial_number
    return entry_info | {
        "gateway": redact(async_redact_data(asdict(data.info), TO_REDACT)),
        "token": {"role": token.role, "issued_at": token.issued_at, "expires_at": token.expires_at},
        "certificate": certificate
        and {"not_before": certificate.not_before, "not_after": certificate.not_after},
        "production_source": data.production_source,
        "production": data.production and asdict(data.production),
        "production_totals": data.totals and asdict(data.totals),
        "meters": [asdict(meter) for meter in data.meters],
        "readings": [_reading_to_dict(reading) for reading in data.readings],
        "site": asdict(data.site),
        "live": data.live and asdict(data.live),
        "inverters": data.inverters and _redact_units(data.inverters.values()),
        "inverter_details": _redact_units(data.inverter_details.values()),
        "batteries": data.batteries
        and asdict(data.batteries)
        | {
            kind: _redact_units(getattr(data.batteries, kind))
            for kind in ("units", "controllers", "collars", "combiners")
        },
        "dry_contacts": _redact_units(data.dry_contacts),
        "generator": data.generator and asdict(data.generator),
        "storage": data.storage
        and asdict(data.storage) | {"from_controller": sorted(data.storage.from_controller)},
        "generator_mode": data.generator_mode,
        "generator_charging": data.generator_charging,
        "production_switch": data.production_switch,
        "quirks": {
            "disabled_meters": [meter.eid for meter in data.meters if not meter.enabled],
            "unknown_eids": list(coordinator.fetcher.unknown_eids),
            "unwired_phases": {
                reading.meter.eid: [number for number, phase in enumerate(reading.phases, 1) if phase is None]
                for reading in data.readings
                if None in reading.phases
            },
            "home_energy_decreasing": data.is_home_decreasing,
            "unmetered_batteries": data.has_unmetered_batteries,
        },
        "counters": {
            unique_id.removeprefix(f"{serial}_"): counter.as_dict() | {"is_holding": counter.is_holding}
            for unique_id, counter in coordinator.counters.active.items()
            if unique_id.startswith(f"{serial}_")
        },
        "inverter_counters": [
            counter.as_dict() | {"is_holding": counter.is_holding}
            for unique_id, counter in coordinator.counters.active.items()
            if counter.value is not None and not unique_id.startswith(f"{serial}_")
        ],
        "polling": {
            "update_interval": coordinator.update_interval and coordinator.update_interval.total_seconds(),
            "last_update_success": coordinator.last_update_success,
            "last_exception": coordinator.last_exception and type(coordinator.last_exception).__name__,
            "endpoints": coordinator.poll_schedule.as_dict(),
        },
    }


def _reading_to_dict(reading: Reading) -> dict[str, Any]:
    phases = [phase and phase._asdict() for phase in reading.phases]
    return asdict(reading) | {"total": reading.total._asdict(), "phases": phases}


def _redact_units(units: Iterable[Inverter | Device]) -> list[dict[str, Any]]:
    return [async_redact_data(asdict(unit), TO_REDACT) for unit in units]
