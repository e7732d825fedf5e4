"""The actions: return readings, call any endpoint of the gateway, and change its settings."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

import voluptuous as vol
from homeassistant.const import ATTR_CONFIG_ENTRY_ID, ATTR_MODE
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.selector import ConfigEntrySelector
from homeassistant.helpers.service import async_get_config_entry, async_register_admin_service
from homeassistant.util import dt as dt_util

from .api_access import MAX_RESPONSE_SIZE, Access, classify_request, redact_response
from .const import CONF_ALLOW_WRITES, DOMAIN, INSTALLER
from .coordinator import GatewayConfigEntry, GatewayCoordinator
from .data import GatewayData
from .endpoints import Endpoint
from .enphase_api import (
    AuthenticationError,
    CertificateChangedError,
    CommunicationError,
    EnphaseError,
    InvalidAnswerError,
    NotAllowedError,
    ResponseError,
)
from .enphase_api.models import Battery, Command, Inverter, Meter, Outcome, Reading, StorageMode, Value
from .error_handling import error_key, error_placeholders
from .sensor_descriptions import site_sensors

GET_READINGS = "get_readings"
CALL_API = "call_api"
SET_BATTERY_MODE = "set_battery_mode"
SET_PRODUCTION = "set_production"
SET_GRID_CONNECTION = "set_grid_connection"

ATTR_BODY = "body"
ATTR_METHOD = "method"
ATTR_PATH = "path"
ATTR_CHARGE_FROM_GRID = "charge_from_grid"
ATTR_CONFIRM = "confirm"
ATTR_CONNECTED = "connected"
ATTR_ENABLED = "enabled"
ATTR_RESERVE = "reserve"

_STORAGE_FIELDS = (ATTR_MODE, ATTR_RESERVE, ATTR_CHARGE_FROM_GRID)

METHODS = ["GET", "POST", "PUT", "DELETE"]

#: Translation keys of the errors of `call_api`; the first match counts.
CALL_ERRORS: dict[type[EnphaseError], str] = {
    CertificateChangedError: "certificate_changed",
    NotAllowedError: "call_forbidden",
    AuthenticationError: "token_rejected",
    CommunicationError: "call_no_response",
    InvalidAnswerError: "call_invalid_response",
    ResponseError: "call_http_error",
    EnphaseError: "call_failed",
}

_ENTRY_FIELD: dict[vol.Marker, Any] = {
    vol.Required(ATTR_CONFIG_ENTRY_ID): ConfigEntrySelector({"integration": DOMAIN})
}

_GET_READINGS_SCHEMA = vol.Schema(_ENTRY_FIELD)

_CALL_API_SCHEMA = vol.Schema(
    {
        **_ENTRY_FIELD,
        vol.Required(ATTR_PATH): vol.All(cv.string, vol.Length(max=1000)),
        vol.Optional(ATTR_METHOD, default="GET"): vol.In(METHODS),
        vol.Optional(ATTR_BODY): vol.Any(dict, list),
    }
)

_SET_BATTERY_MODE_SCHEMA = vol.Schema(
    {
        **_ENTRY_FIELD,
        vol.Optional(ATTR_MODE): vol.In([mode.value for mode in StorageMode]),
        vol.Optional(ATTR_RESERVE): vol.All(vol.Coerce(float), vol.Range(min=0, max=100)),
        vol.Optional(ATTR_CHARGE_FROM_GRID): cv.boolean,
    }
)

_SET_PRODUCTION_SCHEMA = vol.Schema({**_ENTRY_FIELD, vol.Required(ATTR_ENABLED): cv.boolean})

_SET_GRID_CONNECTION_SCHEMA = vol.Schema(
    {
        **_ENTRY_FIELD,
        vol.Required(ATTR_CONNECTED): cv.boolean,
        vol.Optional(ATTR_CONFIRM, default=False): cv.boolean,
    }
)


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions.

    Every user may get the readings, which the sensors show as well. Other endpoints reveal the network
    settings and addresses, and may change the gateway: `call_api` is for administrators. So is the connection
    to the grid; the other changes are allowed to everybody, as those of entities are.
    """
    hass.services.async_register(
        DOMAIN,
        GET_READINGS,
        _async_get_readings,
        schema=_GET_READINGS_SCHEMA,
        supports_response=SupportsResponse.ONLY,
    )
    async_register_admin_service(
        hass,
        DOMAIN,
        CALL_API,
        _async_call_api,
        schema=_CALL_API_SCHEMA,
        supports_response=SupportsResponse.OPTIONAL,
    )
    async_register_admin_service(
        hass,
        DOMAIN,
        SET_GRID_CONNECTION,
        _async_set_grid_connection,
        schema=_SET_GRID_CONNECTION_SCHEMA,
        supports_response=SupportsResponse.OPTIONAL,
    )
    for action, handle, schema in (
        (SET_BATTERY_MODE, _async_set_battery_mode, _SET_BATTERY_MODE_SCHEMA),
        (SET_PRODUCTION, _async_set_production, _SET_PRODUCTION_SCHEMA),
    ):
        hass.services.async_register(
            DOMAIN, action, handle, schema=schema, supports_response=SupportsResponse.OPTIONAL
        )


async def _async_get_readings(call: ServiceCall) -> ServiceResponse:
    """Return the latest readings, without a request to the gateway."""
    coordinator = _config_entry(call).runtime_data
    if not coordinator.last_update_success:
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="readings_unavailable",
            translation_placeholders={"name": coordinator.config_entry.title},
        )
    return _latest_readings(coordinator)


async def _async_call_api(call: ServiceCall) -> ServiceResponse:
    """Return the response of an endpoint of the gateway."""
    entry = _config_entry(call)
    path, method, body = call.data[ATTR_PATH], call.data[ATTR_METHOD], call.data.get(ATTR_BODY)
    access = classify_request(path, method, has_body=body is not None)
    if access is Access.INVALID:
        raise _validation_error("invalid_path", path=path)
    if access is Access.FORBIDDEN:
        raise _validation_error("path_not_allowed", path=path)
    if access is Access.WRITE and not entry.options.get(CONF_ALLOW_WRITES):
        raise _validation_error("writes_not_allowed", name=entry.title, method=method, path=path)
    response = await _async_request(entry, path, method, body)
    if len(response) > MAX_RESPONSE_SIZE:
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="response_too_large",
            translation_placeholders={"path": path, "limit": str(MAX_RESPONSE_SIZE // 1_000_000)},
        )
    # Redacting a large response would block the event loop.
    return {"content": await call.hass.async_add_executor_job(redact_response, response)}


async def _async_set_battery_mode(call: ServiceCall) -> ServiceResponse:
    """Set mode, reserve and charging from the grid in one command."""
    requested = {name: call.data[name] for name in _STORAGE_FIELDS if name in call.data}
    if not requested:
        raise _validation_error("nothing_to_change")
    return await _async_command(call, Command.STORAGE, requested)


async def _async_set_production(call: ServiceCall) -> ServiceResponse:
    """Switch production on or off; an owner's token may not do that."""
    entry = _config_entry(call)
    if entry.runtime_data.token_renewal.token.role != INSTALLER:
        raise _validation_error("installer_required", name=entry.title)
    return await _async_command(call, Command.PRODUCTION, {"on": call.data[ATTR_ENABLED]})


async def _async_set_grid_connection(call: ServiceCall) -> ServiceResponse:
    """Connect the site to the grid, or disconnect it after a confirmation."""
    if not call.data[ATTR_CONNECTED] and not call.data[ATTR_CONFIRM]:
        raise _validation_error("confirmation_required", name=_config_entry(call).title)
    return await _async_command(call, Command.GRID_CONNECTION, {"connected": call.data[ATTR_CONNECTED]})


async def _async_command(
    call: ServiceCall, command: Command, requested: Mapping[str, Value]
) -> ServiceResponse:
    """Send a command; with a response, wait for the proof after a minute."""
    runner = _config_entry(call).runtime_data.commands
    result = await runner.async_send(command, requested, final=call.return_response)
    if not call.return_response:
        return None
    values = result.as_dict()
    shown = ("requested", "before", "after", "also_changed", "outcome", "reason", "evidence", "way")
    return {"held": result.outcome is Outcome.HELD, **{name: values[name] for name in shown}}


async def _async_request(entry: GatewayConfigEntry, path: str, method: str, body: Any) -> bytes:
    """Send a request with the client of the coordinator, which never sends two requests at once."""
    gateway = entry.runtime_data.gateway
    try:
        return bytes(await gateway.api_call(path, method, json=body, response_raw=True))
    except EnphaseError as error:
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key=error_key(error, CALL_ERRORS),
            translation_placeholders={
                "name": entry.title,
                "host": gateway.host,
                **error_placeholders(error),
                "path": path,
            },
        ) from error


def _config_entry(call: ServiceCall) -> GatewayConfigEntry:
    entry: GatewayConfigEntry = async_get_config_entry(call.hass, DOMAIN, call.data[ATTR_CONFIG_ENTRY_ID])
    return entry


def _validation_error(key: str, **placeholders: str) -> ServiceValidationError:
    return ServiceValidationError(
        translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders
    )


def _latest_readings(coordinator: GatewayCoordinator) -> dict[str, Any]:
    """Return the response of `get_readings`; None for unknown and outdated values.

    Powers in W, energies in Wh as the gateway counts them, everything else as in the models of the client;
    times in ISO 8601. The values of the site have the keys of their sensors.
    """
    data, now = coordinator.data, dt_util.utcnow()

    def is_fresh(endpoint: Endpoint) -> bool:
        return coordinator.poll_schedule.is_fresh(endpoint, now)

    readings = data.readings_by_eid if is_fresh(Endpoint.READINGS) else {}
    times = (each.measured_at for each in readings.values() if each.measured_at is not None)
    return {
        "gateway": {"serial_number": coordinator.serial_number, "firmware": data.info.firmware},
        "measured_at": _to_json(max(times, default=None)),
        "site": _site_values(data, is_fresh),
        "meters": {
            key: _meter_values(meter, readings.get(meter.eid)) for key, meter in _by_type(data.enabled_meters)
        },
        "inverters": _inverter_values(data, is_fresh(Endpoint.DEVICE_DATA))
        if is_fresh(Endpoint.INVERTERS)
        else None,
        "batteries": _battery_values(data, is_fresh(Endpoint.BATTERIES)),
    }


def _site_values(data: GatewayData, is_fresh: Callable[[Endpoint], bool]) -> dict[str, Any]:
    return {
        sensor.key: _to_json(sensor.value_fn(data)) if all(map(is_fresh, sensor.endpoints)) else None
        for sensor in site_sensors(data)
    }


def _by_type(meters: Iterable[Meter]) -> Iterable[tuple[str, Meter]]:
    """Yield each meter with its key: net_consumption, production, production_2."""
    counts: dict[str, int] = {}
    for meter in meters:
        key = meter.measurement_type.replace("-", "_")
        counts[key] = count = counts.get(key, 0) + 1
        yield key if count == 1 else f"{key}_{count}", meter


def _meter_values(meter: Meter, reading: Reading | None) -> dict[str, Any]:
    phases = () if reading is None else reading.phases
    return {
        "status": meter.metering_status,
        "status_flags": list(meter.status_flags),
        "measured_at": None if reading is None else _to_json(reading.measured_at),
        "total": None if reading is None else reading.total._asdict(),
        "phases": {
            f"L{number}": None if phase is None else phase._asdict() for number, phase in enumerate(phases, 1)
        },
    }


def _inverter_values(data: GatewayData, has_details: bool) -> dict[str, Any] | None:
    if data.inverters is None:
        return None
    details = _by_serial_number(data.inverter_details.values()) if has_details else {}
    return {
        # The list may be newer than the details.
        serial_number: details.get(serial_number, {})
        | {name: _to_json(getattr(inverter, name)) for name in _LISTED}
        for serial_number, inverter in data.inverters.items()
    }


def _battery_values(data: GatewayData, is_fresh: bool) -> dict[str, Any] | None:
    # An empty list stays valid: without batteries, it is polled only twice a day.
    if data.batteries is None or (data.batteries.units and not is_fresh):
        return None
    return _by_serial_number(data.batteries.units)


def _by_serial_number(units: Iterable[Battery | Inverter]) -> dict[str, Any]:
    return {
        unit.serial_number: {
            name: _to_json(value) for name, value in asdict(unit).items() if name != "serial_number"
        }
        for unit in units
    }


#: What the list of microinverters has of each.
_LISTED = tuple(each.name for each in fields(Inverter) if each.name != "serial_number")


def _to_json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
