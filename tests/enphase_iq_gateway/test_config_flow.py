"""The config flow of a user: all steps, and all errors, which can be corrected in the same form."""

from collections.abc import Callable

import pytest
from homeassistant.const import CONF_HOST, CONF_PASSWORD, CONF_TOKEN, CONF_USERNAME
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway import trust_flow
from custom_components.enphase_iq_gateway.const import CONF_CERTIFICATE, CONF_PRODUCTION_SOURCE
from custom_components.enphase_iq_gateway.enphase_api import CommunicationError, Silence
from enphase_companion.simulator import Simulator
from enphase_companion.simulator.entrez import MFA_USERNAME, Entrez

from .conftest import SetUp
from .flow import Flow

#: A failure of the gateway or of Entrez.
type Trouble = Callable[[Simulator], None]


async def test_a_user_signs_in_with_an_account_and_enables_renewal(flow: Flow, simulator: Simulator) -> None:
    await flow.start()
    assert flow.shows("user")
    await flow.enter_host()
    assert flow.shows("trust")
    await flow.submit()
    assert flow.shows("sign_in")
    await flow.choose("account")
    assert flow.shows("account")
    await flow.enter_account(renew=True)
    assert flow.shows("meters_found")
    await flow.submit()

    assert flow.shown["type"] is FlowResultType.CREATE_ENTRY
    assert flow.shown["title"] == f"IQ Gateway {simulator.serial_number}"
    created = flow.shown["result"]
    assert created.unique_id == simulator.serial_number
    assert created.data[CONF_HOST] == simulator.url
    assert created.data[CONF_CERTIFICATE] == simulator.certificate_pem
    assert created.data[CONF_PRODUCTION_SOURCE] == "meter"
    assert created.data[CONF_TOKEN].count(".") == 2
    assert created.data[CONF_USERNAME] == simulator.username
    assert created.data[CONF_PASSWORD] == simulator.password


async def test_the_password_is_not_stored_unless_renewal_is_enabled(flow: Flow) -> None:
    await flow.reach("account")
    await flow.enter_account(renew=False)
    await flow.submit()
    assert set(flow.shown["data"]) == {CONF_HOST, CONF_CERTIFICATE, CONF_TOKEN, CONF_PRODUCTION_SOURCE}


async def test_a_pasted_token_may_contain_line_breaks(flow: Flow, simulator: Simulator) -> None:
    token = simulator.token()
    await flow.reach("token")
    assert flow.shows("token")
    await flow.enter_token(f"  {token[:60]}\n{token[60:]} \n")
    assert flow.shows("meters_found")
    await flow.submit()
    assert flow.shown["data"][CONF_TOKEN] == token
    assert CONF_USERNAME not in flow.shown["data"]


async def test_the_trust_step_shows_the_gateway_and_its_certificate(flow: Flow, simulator: Simulator) -> None:
    await flow.start()
    await flow.enter_host(simulator.url.removeprefix("https://"))
    shown = flow.shown["description_placeholders"]
    assert shown is not None
    assert shown["fingerprint"].replace(" ", ":") == simulator.fingerprint
    assert [len(group) for group in shown["fingerprint"].split()] == [23, 23, 23, 23], "eight bytes each"
    assert shown["serial"] == simulator.serial_number
    assert simulator.serial_number in shown["subject"]
    assert shown["host"] == simulator.url
    assert shown["firmware"] == "8.2.4264"
    assert shown["metering"] == "has meters"
    assert shown["not_before"] < shown["not_after"]


async def test_nothing_secret_is_sent_before_the_certificate_is_trusted(
    flow: Flow, simulator: Simulator
) -> None:
    await flow.start()
    await flow.enter_host()
    assert flow.shows("trust")
    assert {request.path for request in simulator.requests} == {"/info"}
    assert not any(request.has_authorization or request.has_session for request in simulator.requests)


@pytest.mark.parametrize(
    ("profile", "meters"),
    [
        ("three-phase", "- Production: three phases\n- Grid: three phases"),
        ("split-phase", "- Production: split phase\n- Grid: split phase"),
        ("single-phase", "- Production: one phase\n- Grid: one phase"),
    ],
)
async def test_the_flow_shows_the_meters_by_name_and_phases(flow: Flow, meters: str) -> None:
    await flow.reach("token")
    await flow.enter_token()
    assert flow.shown["description_placeholders"] == {"meters": meters}


@pytest.mark.parametrize("profile", ["no-meters", "no-meters-404", "meters-disabled"])
async def test_production_of_a_gateway_without_meters_is_read_from_its_inverters(flow: Flow) -> None:
    await flow.reach("token")
    await flow.enter_token()
    assert flow.shows("no_meters")
    await flow.submit()
    assert flow.shown["data"][CONF_PRODUCTION_SOURCE] == "inverters"


@pytest.mark.parametrize(
    ("host", "error"),
    [
        ("ftp://envoy.local", "invalid_host"),
        ("https://envoy..local/home", "invalid_host"),
        ("owner:secret@envoy.local", "invalid_host"),
        ("https://owner@envoy.local/home", "invalid_host"),
        ("", "invalid_host"),
        ("127.0.0.1:1", "connection_refused"),
    ],
)
async def test_an_invalid_address_can_be_corrected(flow: Flow, host: str, error: str) -> None:
    await flow.start()
    await flow.enter_host(host)
    assert flow.shows("user", error)
    await flow.enter_host()
    assert flow.shows("trust")


@pytest.mark.parametrize("copied", ["{}/home", "{}/", " {} ", "{}/home?lang=de#/overview", "HTTPS:{}"])
async def test_an_address_copied_from_a_browser_is_accepted(
    flow: Flow, simulator: Simulator, copied: str
) -> None:
    await flow.start()
    address = simulator.url.removeprefix("https:") if copied.startswith("HTTPS") else simulator.url
    await flow.enter_host(copied.format(address))
    assert flow.shows("trust")
    placeholders = flow.shown["description_placeholders"]
    assert placeholders is not None
    assert placeholders["host"] == simulator.url


async def test_plain_http_copied_from_a_browser_becomes_https(flow: Flow, simulator: Simulator) -> None:
    await flow.start()
    await flow.enter_host(f"http:{simulator.url.removeprefix('https:')}/home")
    assert flow.shows("trust")


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (lambda simulator: simulator.faults.set("html", "/info"), "not_a_gateway"),
        (lambda simulator: simulator.faults.set("status", "/info"), "not_a_gateway"),
        (lambda simulator: simulator.faults.set("reset", "/info"), "cannot_connect"),
        (
            lambda simulator: simulator.renew_certificate(common_name="envoy-122399999999"),
            "certificate_mismatch",
        ),
        (lambda simulator: simulator.renew_certificate(for_clients=True), "certificate_unusable"),
    ],
)
async def test_a_response_of_another_device_is_an_error_that_can_be_retried(
    flow: Flow, simulator: Simulator, trouble: Trouble, error: str
) -> None:
    trouble(simulator)
    await flow.start()
    await flow.enter_host()
    assert flow.shows("user", error)
    simulator.faults.clear()
    simulator.renew_certificate()
    await flow.enter_host()
    assert flow.shows("trust")


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        (Silence.UNKNOWN_HOST, "unknown_host"),
        (Silence.REFUSED, "connection_refused"),
        (Silence.TIMEOUT, "cannot_connect"),
        (Silence.NO_TLS, "not_https"),
        (Silence.BROKEN, "cannot_connect"),
    ],
)
async def test_the_error_for_an_unreachable_host_has_a_reason_and_a_solution(
    flow: Flow, monkeypatch: pytest.MonkeyPatch, reason: Silence, error: str
) -> None:
    async def silent(*_: object) -> None:
        raise CommunicationError("nobody answers", reason=reason)

    monkeypatch.setattr(trust_flow, "async_find_gateway", silent)
    await flow.start()
    await flow.enter_host()
    assert flow.shows("user", error)


@pytest.mark.parametrize("profile", ["old-firmware"])
async def test_firmware_older_than_7_is_rejected_with_the_reason(flow: Flow) -> None:
    await flow.start()
    await flow.enter_host()
    assert flow.shows("user", "unsupported_firmware")
    assert flow.shown["description_placeholders"] == {"firmware": "5.0.62"}


def _becomes_foreign(simulator: Simulator) -> None:
    simulator.entrez._serial_number = "122399999999"


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (lambda simulator: simulator.entrez.faults.set("status"), "entrez_unavailable"),
        (lambda simulator: simulator.entrez.faults.set("reset"), "entrez_unavailable"),
        (lambda simulator: simulator.entrez.faults.set("html"), "entrez_unavailable"),
        (_becomes_foreign, "not_your_gateway"),
        (lambda simulator: simulator.faults.set("refuse", "/auth/check_jwt"), "token_rejected"),
        (lambda simulator: simulator.faults.set("reset", "/auth/check_jwt"), "cannot_connect"),
        (lambda simulator: simulator.faults.set("html", "/ivp/meters"), "not_a_gateway"),
        (lambda simulator: simulator.faults.set("truncated", "/ivp/meters"), "not_a_gateway"),
    ],
)
async def test_a_failed_sign_in_shows_its_error_and_can_be_retried(
    flow: Flow, simulator: Simulator, trouble: Trouble, error: str
) -> None:
    await flow.reach("account")
    trouble(simulator)
    await flow.enter_account()
    assert flow.shows("account", error)
    simulator.faults.clear()
    simulator.entrez.faults.clear()
    simulator.entrez._serial_number = simulator.serial_number
    await flow.enter_account()
    assert flow.shows("meters_found")


@pytest.mark.parametrize(
    ("username", "password", "error"),
    [
        (None, "wrong", "invalid_auth"),
        ("nobody@example.com", None, "invalid_auth"),
    ],
)
async def test_a_wrong_account_can_be_corrected(
    flow: Flow, username: str | None, password: str | None, error: str
) -> None:
    await flow.reach("account")
    await flow.enter_account(username, password)
    assert flow.shows("account", error)
    await flow.enter_account()
    assert flow.shows("meters_found")


async def test_an_account_with_a_second_factor_leads_to_the_token_form(
    flow: Flow, simulator: Simulator
) -> None:
    await flow.reach("account")
    await flow.enter_account(MFA_USERNAME)
    assert flow.shows("token", "mfa_required")
    token = simulator.token()
    await flow.enter_token(token)
    assert flow.shows("meters_found")
    await flow.submit()
    assert flow.shown["data"][CONF_TOKEN] == token
    assert not {CONF_USERNAME, CONF_PASSWORD} & set(flow.shown["data"])


async def test_a_password_is_not_sent_back_to_the_browser(flow: Flow) -> None:
    await flow.reach("account")
    await flow.enter_account("nobody@example.com", "planted-password", renew=True)
    schema = flow.shown["data_schema"]
    assert schema is not None
    suggested = {str(key): (key.description or {}).get("suggested_value") for key in schema.schema}
    assert suggested == {CONF_USERNAME: "nobody@example.com", CONF_PASSWORD: None, "renew": True}


@pytest.mark.parametrize(
    ("make_token", "error"),
    [
        (lambda _: "eyJ.not.a-token", "invalid_token"),
        (lambda simulator: simulator.token()[:100], "invalid_token"),
        (lambda _: "", "invalid_token"),
        (lambda simulator: simulator.token(serial_number="122399999999"), "token_wrong_gateway"),
        (lambda simulator: simulator.token(lifetime=60, issued_ago=3600), "token_expired"),
        (lambda simulator: simulator.token(issued_ago=-3600), "token_not_yet_valid"),
        (lambda simulator: simulator.strange_token("hs256"), "token_wrong_issuer"),
        (lambda simulator: Entrez(simulator.serial_number, seed=99).token(), "token_rejected"),
    ],
)
async def test_an_unusable_token_can_be_replaced(
    flow: Flow, simulator: Simulator, make_token: Callable[[Simulator], str], error: str
) -> None:
    await flow.reach("token")
    await flow.enter_token(make_token(simulator))
    assert flow.shows("token", error)
    await flow.enter_token()
    assert flow.shows("meters_found")


async def test_a_token_of_another_gateway_is_not_sent_anywhere(flow: Flow, simulator: Simulator) -> None:
    await flow.reach("token")
    await flow.enter_token(simulator.token(serial_number="122399999999"))
    assert not any(request.has_authorization for request in simulator.requests)


async def test_a_gateway_is_set_up_only_once(
    flow: Flow, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp
) -> None:
    await set_up(entry)
    await flow.start()
    await flow.enter_host()
    assert flow.aborts("already_configured")


@pytest.mark.parametrize("unique_id", ["same", None])
async def test_the_flow_warns_that_the_built_in_integration_polls_too(
    hass: HomeAssistant, flow: Flow, simulator: Simulator, unique_id: str | None
) -> None:
    of_core = simulator.serial_number if unique_id else None
    MockConfigEntry(domain="enphase_envoy", unique_id=of_core).add_to_hass(hass)
    await flow.start()
    await flow.enter_host()
    await flow.submit()
    assert flow.shows("core_integration")
    await flow.submit()
    assert flow.shows("sign_in")


async def test_the_built_in_integration_of_another_gateway_causes_no_warning(
    hass: HomeAssistant, flow: Flow
) -> None:
    MockConfigEntry(domain="enphase_envoy", unique_id="122399999999").add_to_hass(hass)
    await flow.start()
    await flow.enter_host()
    await flow.submit()
    assert flow.shows("sign_in")
