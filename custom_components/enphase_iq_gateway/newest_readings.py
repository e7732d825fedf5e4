"""The newest readings as one dictionary, for the action that hands them to automations."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from homeassistant.util import dt as dt_util

from .coordinator import GatewayCoordinator
from .data import GatewayData
from .enphase_api.models import Battery, Inverter, Meter, Reading
from .pages import Page
from .sensor_site import site_sensors

#: Readings that nobody has asked for during so many intervals are no longer the newest.
_PATIENCE = 3


def newest_readings(coordinator: GatewayCoordinator) -> dict[str, Any]:
    """Return what the coordinator knows now, without a request; None for what is not known, or no longer.

    Powers in W, energies in Wh as the gateway counts them, all else as in the client's models; times as ISO
    8601. The site's values bear the keys of the sensors that show them.
    """
    data, now = coordinator.data, dt_util.utcnow()

    def is_newest(page: Page) -> bool:
        if page is not Page.READINGS:
            return coordinator.pages.is_fresh(page, now)
        read_at, interval = coordinator.pages.answered_at(page), coordinator.update_interval or timedelta()
        return read_at is not None and now - read_at <= _PATIENCE * interval

    readings = data.by_eid if is_newest(Page.READINGS) else {}
    times = (each.measured_at for each in readings.values() if each.measured_at is not None)
    return {
        "gateway": {"serial_number": coordinator.serial_number, "firmware": data.info.firmware},
        "measured_at": _plain(max(times, default=None)),
        "site": _site(data, is_newest),
        "meters": {
            key: _meter(meter, readings.get(meter.eid)) for key, meter in _by_purpose(data.enabled_meters)
        },
        "inverters": _inverters(data) if is_newest(Page.INVERTERS) else None,
        "batteries": _batteries(data, is_newest(Page.BATTERIES)),
    }


def _site(data: GatewayData, is_newest: Callable[[Page], bool]) -> dict[str, Any]:
    return {
        sensor.key: _plain(sensor.value_fn(data)) if all(map(is_newest, sensor.pages)) else None
        for sensor in site_sensors(data)
    }


def _by_purpose(meters: Iterable[Meter]) -> Iterable[tuple[str, Meter]]:
    """Yield each meter under a key for templates: net_consumption, production_2."""
    counts: dict[str, int] = {}
    for meter in meters:
        purpose = meter.measurement_type.replace("-", "_")
        counts[purpose] = count = counts.get(purpose, 0) + 1
        yield purpose if count == 1 else f"{purpose}_{count}", meter


def _meter(meter: Meter, reading: Reading | None) -> dict[str, Any]:
    phases = () if reading is None else reading.phases
    return {
        "status": meter.metering_status,
        "status_flags": list(meter.status_flags),
        "measured_at": None if reading is None else _plain(reading.measured_at),
        "total": None if reading is None else asdict(reading.total),
        "phases": {
            f"L{number}": None if phase is None else asdict(phase) for number, phase in enumerate(phases, 1)
        },
    }


def _inverters(data: GatewayData) -> dict[str, Any] | None:
    return None if data.inverters is None else _by_serial_number(data.inverters.values())


def _batteries(data: GatewayData, are_newest: bool) -> dict[str, Any] | None:
    # That there are none stays true, and is asked for but twice a day.
    if data.batteries is None or (data.batteries.units and not are_newest):
        return None
    return _by_serial_number(data.batteries.units)


def _by_serial_number(units: Iterable[Battery | Inverter]) -> dict[str, Any]:
    return {
        unit.serial_number: {
            name: _plain(value) for name, value in asdict(unit).items() if name != "serial_number"
        }
        for unit in units
    }


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
