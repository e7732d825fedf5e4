"""The actions: their responses, their permissions, and that they return no secret."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_SCAN_INTERVAL
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.icon import async_get_icons
from homeassistant.helpers.service import _SERVICES_SCHEMA, async_get_all_descriptions
from homeassistant.helpers.translation import async_get_translations
from homeassistant.util.yaml import load_yaml_dict
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway import services
from custom_components.enphase_iq_gateway.api_access import (
    REDACTED,
    Access,
    classify_request,
    redact_response,
)
from custom_components.enphase_iq_gateway.const import CONF_ALLOW_WRITES, DOMAIN
from enphase_companion.endpoint_docs.catalogue import Endpoint, Safety, load_catalogue
from enphase_companion.simulator import Simulator

from .conftest import SetUp, Tick, make_entry, state_of
from .helpers import change_response
from .texts import FOLDER

DESCRIBED: dict[str, Any] = load_yaml_dict(str(FOLDER / "services.yaml"))

type CallAction = Callable[..., Awaitable[Any]]


@pytest.fixture
def call_action(hass: HomeAssistant, entry: MockConfigEntry) -> CallAction:
    """Call an action for the entry, and return its response."""

    async def run(action: str, context: Context | None = None, **data: Any) -> Any:
        return await hass.services.async_call(
            DOMAIN,
            action,
            {"config_entry_id": entry.entry_id, **data},
            blocking=True,
            return_response=True,
            context=context,
        )

    return run


@pytest.fixture
def allowing(simulator: Simulator) -> MockConfigEntry:
    """Return an entry that allows actions to change the gateway."""
    return make_entry(simulator, options={CONF_ALLOW_WRITES: True})


def paths(simulator: Simulator) -> list[str]:
    """Return the requests of the gateway since the last call."""
    asked = [f"{request.method} {request.path}" for request in simulator.requests]
    simulator.requests.clear()
    return asked


@pytest.mark.parametrize("profile", ["battery"])
async def test_the_latest_readings_match_the_sensors_and_cause_no_request(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    tick: Tick,
    call_action: CallAction,
) -> None:
    await set_up(entry, enable=True)
    await tick()
    paths(simulator)
    readings = await call_action("get_readings")
    assert paths(simulator) == []
    json.dumps(readings)

    for key in ("production_power", "grid_power", "home_power", "battery_power"):
        # Sensors do not show changes below their precision.
        assert readings["site"][key] == pytest.approx(float(state_of(hass, simulator, key)), abs=1)
    for key in ("production_energy", "grid_energy_imported", "battery_energy_charged", "home_energy"):
        assert readings["site"][key] / 1000 == pytest.approx(float(state_of(hass, simulator, key)))
    truth = simulator.house.truth(simulator.clock.time()).net_consumption
    grid = readings["meters"]["net_consumption"]
    assert grid["status"] == "normal"
    assert grid["total"]["active_power"] == pytest.approx(truth.total.active_power, abs=1)
    assert list(grid["phases"]) == ["L1", "L2"]
    assert grid["phases"]["L2"]["voltage"] == pytest.approx(truth.phases[1].voltage, abs=0.1)
    assert set(readings["meters"]) == {"production", "net_consumption", "storage"}
    assert len(readings["inverters"]) == 12
    assert len(readings["batteries"]) == 3
    assert all(10 < unit["state_of_charge"] <= 100 for unit in readings["batteries"].values())
    assert all(unit["last_reported_at"].startswith("2026-") for unit in readings["inverters"].values())
    assert readings["gateway"]["serial_number"] == simulator.serial_number


async def test_unknown_values_are_null(
    simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick, call_action: CallAction
) -> None:
    await set_up(entry)
    readings = await call_action("get_readings")
    assert readings["batteries"] == {}
    # No sensor of a microinverter is enabled, so they are polled only twice a day.
    await tick(seconds=1000)
    readings = await call_action("get_readings")
    assert readings["inverters"] is None
    assert readings["site"]["grid_power"] is not None
    simulator.faults.set("truncated", "/ivp/meters/readings")
    await tick()
    with pytest.raises(HomeAssistantError, match="does not answer at the moment"):
        await call_action("get_readings")
    simulator.faults.clear()
    await tick(seconds=61)
    assert (await call_action("get_readings"))["site"]["grid_power"] is not None


@pytest.mark.parametrize("profile", ["one-of-three"])
async def test_an_unwired_phase_is_null(
    entry: MockConfigEntry, set_up: SetUp, call_action: CallAction
) -> None:
    await set_up(entry)
    phases = (await call_action("get_readings"))["meters"]["production"]["phases"]
    assert phases["L1"]["voltage"] == pytest.approx(230, rel=0.1)
    assert phases["L2"] is None
    assert phases["L3"] is None


async def test_readings_are_not_returned_once_they_are_no_longer_polled(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    tick: Tick,
    call_action: CallAction,
) -> None:
    await set_up(entry)
    registry = er.async_get(hass)
    for entity in er.async_entries_for_config_entry(registry, entry.entry_id):
        registry.async_update_entity(entity.entity_id, disabled_by=er.RegistryEntryDisabler.USER)
    await hass.config_entries.async_reload(entry.entry_id)
    await tick(seconds=11, times=4)
    readings = await call_action("get_readings")
    assert readings["measured_at"] is None
    assert readings["site"]["production_power"] is None
    assert readings["meters"]["production"]["total"] is None


@pytest.mark.parametrize("action", ["get_readings", "call_api"])
async def test_the_error_names_a_gateway_that_is_not_set_up(
    hass: HomeAssistant, entry: MockConfigEntry, set_up: SetUp, call_action: CallAction, action: str
) -> None:
    await set_up(entry)
    await hass.config_entries.async_unload(entry.entry_id)
    data = {"path": "/ivp/meters"} if action == "call_api" else {}
    with pytest.raises(ServiceValidationError, match=entry.title):
        await call_action(action, **data)
    with pytest.raises(ServiceValidationError, match="not found"):
        await call_action(action, config_entry_id="nowhere", **data)


async def test_a_response_is_returned_as_json_or_as_text(
    simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, call_action: CallAction
) -> None:
    await set_up(entry)
    paths(simulator)
    answer = (await call_action("call_api", path="/ivp/meters"))["content"]
    assert [meter["measurementType"] for meter in answer] == ["production", "net-consumption"]
    assert paths(simulator) == ["GET /ivp/meters"]
    details = (await call_action("call_api", path="/production.json?details=1"))["content"]
    assert details["production"][1]["lines"]
    assert "<sn>" in (await call_action("call_api", path="/info"))["content"]


@pytest.mark.parametrize(
    "path",
    [
        "ivp/meters",
        "https://example.com/ivp/meters",
        "//auth/../x",
        "/ivp/../auth/check_jwt",
        "/ivp/%2e%2e/auth/check_jwt",
        "/%2561uth/check_jwt",
        "/ivp/..%2fauth/check_jwt",
        "/ivp%2f%2e%2e%2Fauth/check_jwt",
        "/auth%00/check_jwt",
        "/ivp%5c..%5cauth/check_jwt",
        "/ivp/meters#x",
        "/ivp\\meters",
        "/ivp/me ters",
        "/ivp/meters\r\nX-Header: 1",
        "/ivp/meters?x=%2572eset",
        "/ivp/meters?x=%5c",
        "",
    ],
)
async def test_an_invalid_path_is_rejected(
    simulator: Simulator, set_up: SetUp, allowing: MockConfigEntry, hass: HomeAssistant, path: str
) -> None:
    await set_up(allowing)
    paths(simulator)
    with pytest.raises(ServiceValidationError, match="is not a path of a gateway"):
        await hass.services.async_call(
            DOMAIN,
            "call_api",
            {"config_entry_id": allowing.entry_id, "path": path},
            blocking=True,
            return_response=True,
        )
    assert paths(simulator) == []


@pytest.mark.parametrize(
    "path",
    [
        "/auth/check_jwt",
        "/AUTH/check_jwt",
        "/%61uth/get_jwt",
        "///auth/check_jwt",
        "/auth?x=1",
        "/auth;x/check_jwt",
        "/auth%2fcheck_jwt",
        "/auth%20/check_jwt",
        "/%20auth/check_jwt",
        "/;x/auth/check_jwt",
        "/auth.json",
        "/stream/meter",
        "/Stream/psd",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.slow
async def test_endpoints_of_sessions_and_streams_are_never_requested(
    simulator: Simulator,
    set_up: SetUp,
    allowing: MockConfigEntry,
    hass: HomeAssistant,
    path: str,
    method: str,
) -> None:
    await set_up(allowing)
    paths(simulator)
    with pytest.raises(ServiceValidationError, match="is not allowed"):
        await hass.services.async_call(
            DOMAIN,
            "call_api",
            {"config_entry_id": allowing.entry_id, "path": path, "method": method},
            blocking=True,
            return_response=True,
        )
    assert paths(simulator) == []


@pytest.mark.parametrize(
    "call",
    [
        {"path": "/ivp/livedata/stream", "method": "POST", "body": {"enable": 1}},
        {"path": "/admin/lib/tariff", "method": "PUT", "body": {}},
        {"path": "/admin/lib/acb_config.json", "method": "DELETE"},
        {"path": "/ivp/meters", "body": {}},
        {"path": "/installer/upgrade_start"},
        {"path": "/ivp/ensemble/reset_device/1234"},
        {"path": "/ivp/firmware_manager/update_all"},
        {"path": "/ivp/pdm/reset_export"},
        {"path": "/ivp/ensemble/comm_check"},
        {"path": "/ivp/peb/newscan"},
    ],
)
async def test_requests_that_change_something_are_rejected_unless_allowed(
    simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, call_action: CallAction, call: dict[str, Any]
) -> None:
    await set_up(entry)
    paths(simulator)
    with pytest.raises(ServiceValidationError, match=f"the options of {entry.title} do not allow"):
        await call_action("call_api", **call)
    assert paths(simulator) == []


@pytest.mark.parametrize("endpoint", load_catalogue(), ids=lambda each: each.path)
def test_only_endpoints_that_the_catalogue_marks_safe_are_read_only(endpoint: Endpoint) -> None:
    for query in ("", *(f"?{each}" for each in endpoint.queries)):
        for method in services.METHODS:
            expected = Access.WRITE
            if endpoint.path.startswith(("/auth/", "/stream/")):
                expected = Access.FORBIDDEN
            elif method == "GET" and method in endpoint.methods:
                if endpoint.safety is Safety.UNKNOWN:
                    # Like a path that the catalogue does not have: the words in it decide.
                    continue
                expected = Access.READ if endpoint.safe else Access.WRITE
            for path in (endpoint.path, *endpoint.aliases):
                assert classify_request(path + query, method) is expected
        # A GET with a body may change something.
        assert classify_request(endpoint.path + query, has_body=True) is not Access.READ


@pytest.mark.parametrize("endpoint", load_catalogue(), ids=lambda each: each.path)
def test_no_other_spelling_of_a_forbidden_path_is_accepted(endpoint: Endpoint) -> None:
    """A path that a server may resolve to a forbidden endpoint is classified as that endpoint, or invalid."""
    path = endpoint.path
    first, *rest = path.strip("/").split("/")
    encoded = "".join(f"%{ord(each):02x}" if each != "/" else each for each in path)
    for other in (
        path.upper(),
        path.title(),
        f"{path}/",
        f"/{path}",
        path.replace("/", "//"),
        path.replace("/", "/;x=1/"),
        path.replace("/", "/%20"),
        f"{path};x=1",
        f"{path}.json",
        f"{path}.",
        f"{path}%20",
        f"{path}%09",
        f"{path}%00",
        f"{path}?",
        f"{path}?x=1",
        f"{path}%3Fx=1",
        f"{path}%23x",
        f"{path}/x",
        f"/x/..{path}",
        f"/.{path}",
        encoded,
        encoded.replace("%", "%25"),
        path.replace("/", "%2f").replace("%2f", "/", 1),
        "/" + "/".join([f"{first};v=1", *rest]),
    ):
        access = classify_request(other)
        assert access in (classify_request(path), Access.INVALID) or classify_request(path) is Access.READ


@pytest.mark.parametrize(
    "path",
    [
        "/ivp/x/resetDevice",
        "/ivp/x/RESET",
        "/ivp/x/re%73et",
        "/ivp/x?do=re%73et",
        "/ivp/x?_method=PUT",
        "/ivp/x?command=start",
        "/ivp/autoupdate",
        "/ivp/ensemble/ec1_wiring_test",
        "/ivp/ss/gen_delete",
        "/ivp/ss/generator_meter_enable",
        "/ivp/ss/load_control",
        "/ivp/ss/sys_phase_balance",
        "/ivp/sc/sched/override",
        "/ivp/sc/sched?clear=1",
        "/ivp/tpm/select",
        "/ivp/zb/provision",
        "/ivp/zb/set_phase",
        "/ivp/adc/relaxedparams/add",
        "/prov",
        "/upload",
    ],
)
def test_an_unknown_endpoint_with_an_action_word_is_not_read_only(path: str) -> None:
    assert classify_request(path) is Access.WRITE


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/inv",
        "/home",
        "/ivp/cellular",
        "/ivp/eh/devs",
        "/ivp/ensemble/device_list",
        "/ivp/ensemble/device_status?serial_num=1234",
        "/ivp/ensemble/sleep",
        "/ivp/firmware_manager/state",
        "/ivp/grest/profile/G99-1-6%3A2020%20UK/1.2.10",
        "/ivp/meters/cts/704643328",
        "/ivp/mod/603980032/mode/power",
        "/ivp/ss/der_settings",
        "/ivp/x?address=1&offset=2&enabled=1",
        "/ivp/zb/pairing_status",
        "/datatab/inventory_dt",
    ],
)
def test_an_unknown_endpoint_without_an_action_word_is_read_only(path: str) -> None:
    assert classify_request(path) is Access.READ


async def test_a_user_can_allow_and_disallow_changes(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, call_action: CallAction
) -> None:
    await set_up(entry)
    call = {"path": "/ivp/livedata/stream", "method": "POST", "body": {"enable": 1}}

    async def choose(allow: bool) -> None:
        shown = await hass.config_entries.options.async_init(entry.entry_id)
        await hass.config_entries.options.async_configure(
            shown["flow_id"], {CONF_SCAN_INTERVAL: 10, CONF_ALLOW_WRITES: allow}
        )
        await hass.async_block_till_done(wait_background_tasks=True)

    await choose(True)
    paths(simulator)
    assert (await call_action("call_api", **call))["content"]
    assert "POST /ivp/livedata/stream" in paths(simulator)
    await choose(False)
    with pytest.raises(ServiceValidationError):
        await call_action("call_api", **call)


async def test_a_user_who_is_not_an_administrator_gets_readings_only(
    hass: HomeAssistant, entry: MockConfigEntry, set_up: SetUp, call_action: CallAction
) -> None:
    await set_up(entry)
    guest = MockUser(name="Guest").add_to_hass(hass)
    context = Context(user_id=guest.id)
    assert (await call_action("get_readings", context=context))["site"]
    with pytest.raises(Unauthorized):
        await call_action("call_api", context=context, path="/ivp/meters")
    owner = MockUser(name="Owner", is_owner=True).add_to_hass(hass)
    assert (await call_action("call_api", context=Context(user_id=owner.id), path="/ivp/meters"))["content"]


async def test_values_that_look_like_secrets_are_redacted(
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    call_action: CallAction,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await set_up(entry)
    token = simulator.token()
    planted = {
        "wifi": [{"ssid": "Home", "Password": "hunter2", "preSharedKey_psk": "hunter2"}],
        "jwt": token,
        "note": f"Bearer {token} and more",
        "access_token": "hunter2",
        "sessionId": "hunter2",
        "wpa-key": "hunter2",
        "password_set": False,
    }
    change_response(monkeypatch, simulator, "/ivp/livedata/status", lambda _: planted)
    answer = (await call_action("call_api", path="/ivp/livedata/status"))["content"]
    text = json.dumps(answer)
    assert "hunter2" not in text
    assert token not in text
    assert token.split(".")[1] not in text
    assert answer["wifi"][0]["ssid"] == "Home"
    assert answer["note"] == f"Bearer {REDACTED} and more"
    assert answer["password_set"] is False


def test_a_secret_in_a_text_response_is_redacted(simulator: Simulator) -> None:
    token = simulator.token()
    assert redact_response(f"<textarea>{token}</textarea>".encode()) == f"<textarea>{REDACTED}</textarea>"
    for text in (
        "<wifi><password>hunter2 and 3</password></wifi>",
        'ssid=Home\npsk = "hunter2"\n',
        '{"ssid": "Home", "Passphrase": "a\\"hunter2", "power": NaN}',
        "sessionId=hunter2&x=1",
        '{"file": "wpa_key=hunter2"}',
    ):
        passed = str(redact_response(text.encode()))
        assert "hunter2" not in passed
        assert REDACTED in passed
    assert redact_response(b"<p>1 keyword</p>") == "<p>1 keyword</p>"
    assert redact_response(b"") is None
    assert redact_response(b"caf\xe9") == "caf\N{REPLACEMENT CHARACTER}"


async def test_a_response_is_redacted_outside_the_event_loop(
    entry: MockConfigEntry, set_up: SetUp, call_action: CallAction, monkeypatch: pytest.MonkeyPatch
) -> None:
    await set_up(entry)
    threads = []

    def noted(body: bytes) -> Any:
        threads.append(threading.current_thread())
        return redact_response(body)

    monkeypatch.setattr(services, "redact_response", noted)
    assert (await call_action("call_api", path="/ivp/meters"))["content"]
    assert threads
    assert threading.main_thread() not in threads


async def test_a_response_that_is_too_large_is_not_returned(
    entry: MockConfigEntry, set_up: SetUp, call_action: CallAction, monkeypatch: pytest.MonkeyPatch
) -> None:
    await set_up(entry)
    size = len(json.dumps((await call_action("call_api", path="/ivp/meters"))["content"]))
    monkeypatch.setattr(services, "MAX_RESPONSE_SIZE", size // 2)
    with pytest.raises(HomeAssistantError, match="is larger than"):
        await call_action("call_api", path="/ivp/meters")


async def test_a_call_waits_for_its_turn(
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    call_action: CallAction,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await set_up(entry)
    at_once, most = 0, 0
    before = simulator.faults.before

    async def counted(request: Any) -> Any:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        try:
            return await before(request)
        finally:
            at_once -= 1

    monkeypatch.setattr(simulator.faults, "before", counted)
    paths(simulator)
    simulator.faults.set("slow", seconds=0.05)
    calls = [call_action("call_api", path=path) for path in ("/ivp/meters", "/ivp/meters/readings", "/info")]
    await asyncio.gather(*calls, entry.runtime_data.async_refresh())
    assert len(paths(simulator)) == 4
    assert most == 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [("reset", "did not answer"), ("status", "status 503"), ("refuse", "does not allow /ivp/meters")],
)
async def test_a_failing_endpoint_is_an_error_with_its_reason(
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    call_action: CallAction,
    fault: str,
    words: str,
) -> None:
    await set_up(entry)
    simulator.faults.set(fault, "/ivp/meters")
    with pytest.raises(HomeAssistantError, match=words) as caught:
        await call_action("call_api", path="/ivp/meters")
    assert str(caught.value).startswith(entry.title)
    assert entry.state is ConfigEntryState.LOADED


async def test_no_call_is_sent_to_a_gateway_with_another_certificate(
    simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, call_action: CallAction
) -> None:
    await set_up(entry)
    simulator.renew_certificate(same_key=False)
    paths(simulator)
    with pytest.raises(HomeAssistantError, match="another certificate"):
        await call_action("call_api", path="/ivp/meters")
    assert paths(simulator) == []


async def test_a_rejected_token_is_reported_as_such(
    simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, call_action: CallAction
) -> None:
    await set_up(entry)
    simulator.faults.set("refuse")
    with pytest.raises(HomeAssistantError, match="no longer accepts its token"):
        await call_action("call_api", path="/ivp/meters")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/home",
        "/production.json?details=1",
        "/inventory.json?deleted=1",
        "/ivp/meters/storage_setting",
        "/ivp/ensemble/secctrl",
        "/ivp/grest/profile/G99-1-6%3A2020%20UK/1.2.10",
        "/ivp/zb/pairing_status",
    ],
)
def test_read_only_endpoints_are_allowed(path: str) -> None:
    assert classify_request(path) is Access.READ


@pytest.mark.parametrize(
    "path",
    [
        "/ivp/reboot",
        "/ivp/peb/clear",
        "/ivp/ss/dc_switch?toggle=1",
        "/admin/lib/x?cmd=restart",
        "/ivp/scan/start",
    ],
)
def test_endpoints_with_side_effects_require_the_option(path: str) -> None:
    assert classify_request(path) is Access.WRITE


async def test_every_action_has_a_name_a_description_and_an_icon(
    hass: HomeAssistant, entry: MockConfigEntry, set_up: SetUp
) -> None:
    await set_up(entry)
    registered = set(hass.services.async_services_for_domain(DOMAIN))
    assert registered == set(DESCRIBED)
    icons = await async_get_icons(hass, "services", [DOMAIN])
    assert set(icons[DOMAIN]) == registered
    texts = await async_get_translations(hass, "en", "services", {DOMAIN})
    wanted = {f"{action}.{part}" for action in registered for part in ("name", "description")}
    for action in registered:
        for field in DESCRIBED[action]["fields"]:
            wanted |= {f"{action}.fields.{field}.{part}" for part in ("name", "description")}
    assert set(texts) == {f"component.{DOMAIN}.services.{key}" for key in wanted}


async def test_home_assistant_accepts_the_description_of_the_actions(
    hass: HomeAssistant, entry: MockConfigEntry, set_up: SetUp, caplog: pytest.LogCaptureFixture
) -> None:
    _SERVICES_SCHEMA(DESCRIBED)
    await set_up(entry)
    described = (await async_get_all_descriptions(hass))[DOMAIN]
    assert "Unable to parse" not in caplog.text
    assert described["get_readings"]["response"] == {"optional": False}
    assert described["call_api"]["response"] == {"optional": True}


@pytest.mark.parametrize(
    ("action", "schema"),
    [
        ("get_readings", services._GET_READINGS_SCHEMA),
        ("call_api", services._CALL_API_SCHEMA),
        ("set_battery_mode", services._SET_BATTERY_MODE_SCHEMA),
        ("set_production", services._SET_PRODUCTION_SCHEMA),
        ("set_grid_connection", services._SET_GRID_CONNECTION_SCHEMA),
    ],
)
def test_the_described_fields_match_the_schema(action: str, schema: Any) -> None:
    fields = DESCRIBED[action]["fields"]
    taken = {str(marker): type(marker).__name__ for marker in schema.schema}
    assert set(fields) == set(taken)
    required = {name for name, field in fields.items() if field.get("required")}
    assert required == {name for name, kind in taken.items() if kind == "Required"}
    assert all("selector" in field for field in fields.values())
    # Home Assistant requires an example or a default for free text.
    assert all(
        "example" in field or "default" in field for field in fields.values() if not field.get("required")
    )
