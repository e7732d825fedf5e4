"""The actions: the newest readings, and what any page of the gateway answers, as responses."""

from typing import Any

import voluptuous as vol
from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.selector import ConfigEntrySelector
from homeassistant.helpers.service import async_get_config_entry, async_register_admin_service

from .api_access import MAX_ANSWER, Access, access_of, passed_on
from .connection import error_key, error_placeholders
from .const import CONF_ALLOW_WRITES, DOMAIN
from .coordinator import GatewayConfigEntry
from .enphase_api import (
    AuthenticationError,
    CertificateChangedError,
    CommunicationError,
    EnphaseError,
    InvalidAnswerError,
    NotAllowedError,
    ResponseError,
)
from .newest_readings import newest_readings

GET_READINGS = "get_readings"
CALL_API = "call_api"

ATTR_BODY = "body"
ATTR_METHOD = "method"
ATTR_PATH = "path"

METHODS = ["GET", "POST", "PUT", "DELETE"]

#: The text for each error of a call; the first that fits.
CALL_ERRORS: dict[type[EnphaseError], str] = {
    CertificateChangedError: "certificate_changed",
    NotAllowedError: "call_forbidden",
    AuthenticationError: "token_rejected",
    CommunicationError: "call_no_response",
    InvalidAnswerError: "call_invalid_response",
    ResponseError: "call_http_error",
    EnphaseError: "call_failed",
}

_GATEWAY: dict[vol.Marker, Any] = {
    vol.Required(ATTR_CONFIG_ENTRY_ID): ConfigEntrySelector({"integration": DOMAIN})
}

_GET_READINGS_SCHEMA = vol.Schema(_GATEWAY)

_CALL_API_SCHEMA = vol.Schema(
    {
        **_GATEWAY,
        vol.Required(ATTR_PATH): vol.All(cv.string, vol.Length(max=1000)),
        vol.Optional(ATTR_METHOD, default="GET"): vol.In(METHODS),
        vol.Optional(ATTR_BODY): vol.Any(dict, list),
    }
)


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions.

    The readings are what sensors show to everybody. The rest of a gateway is not for everybody who may see
    a dashboard: its pages name network, devices and addresses, and may be allowed to change things.
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


async def _async_get_readings(call: ServiceCall) -> ServiceResponse:
    """Return the newest readings; the gateway is not asked."""
    coordinator = _entry(call).runtime_data
    if not coordinator.last_update_success:
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="readings_unavailable",
            translation_placeholders={"name": coordinator.config_entry.title},
        )
    return newest_readings(coordinator)


async def _async_call_api(call: ServiceCall) -> ServiceResponse:
    """Return what a page of the gateway answers."""
    entry = _entry(call)
    path, method, body = call.data[ATTR_PATH], call.data[ATTR_METHOD], call.data.get(ATTR_BODY)
    access = access_of(path, method, has_body=body is not None)
    if access is Access.INVALID:
        raise _invalid("invalid_path", path=path)
    if access is Access.CLOSED:
        raise _invalid("path_not_allowed", path=path)
    if access is Access.WRITES and not entry.options.get(CONF_ALLOW_WRITES):
        raise _invalid("writes_not_allowed", name=entry.title, method=method, path=path)
    answer = await _async_ask(entry, path, method, body)
    if len(answer) > MAX_ANSWER:
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="response_too_large",
            translation_placeholders={"path": path, "limit": str(MAX_ANSWER // 1_000_000)},
        )
    # It may hold anything: reading through a large one takes longer than the event loop should wait.
    return {"content": await call.hass.async_add_executor_job(passed_on, answer)}


async def _async_ask(entry: GatewayConfigEntry, path: str, method: str, body: Any) -> bytes:
    """Ask the gateway, in turn with the coordinator: the client never sends it two requests at once."""
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


def _entry(call: ServiceCall) -> GatewayConfigEntry:
    entry: GatewayConfigEntry = async_get_config_entry(call.hass, DOMAIN, call.data[ATTR_CONFIG_ENTRY_ID])
    return entry


def _invalid(key: str, **placeholders: str) -> ServiceValidationError:
    return ServiceValidationError(
        translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders
    )
