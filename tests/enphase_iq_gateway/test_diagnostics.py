"""The diagnostics, and that neither they, nor the log, nor a state contain a secret."""

import json
import logging

import pytest
from homeassistant.const import CONF_PASSWORD, CONF_TOKEN, CONF_USERNAME
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway.const import CONF_SHOWN_CERTIFICATE, DOMAIN
from custom_components.enphase_iq_gateway.issues import certificate_issue_id
from enphase_companion.simulator import Simulator

from .conftest import SetUp, Tick, make_entry
from .flow import Flow
from .helpers import diagnostics


@pytest.mark.parametrize("profile", ["battery", "many-meters", "no-meters"])
async def test_the_diagnostics_have_meters_source_quirks_counters_and_timings(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, profile: str
) -> None:
    await set_up(entry)
    found = await diagnostics(hass, entry)
    profiled = simulator.house.profile
    assert found["gateway"]["firmware"] == profiled.firmware.lstrip("D")
    assert found["production_source"] == ("meter" if profiled.metered else "totals")
    listed = [meter for meter in profiled.meters if meter.listed]
    assert [meter["measurement_type"] for meter in found["meters"]] == [
        meter.measurement_type for meter in listed
    ]
    assert found["quirks"]["disabled_meters"] == [meter.eid for meter in listed if not meter.enabled]
    unlisted = [meter.eid for meter in profiled.meters if not meter.listed]
    assert found["quirks"]["unknown_eids"] == unlisted
    assert found["counters"]["production_energy"]["offset"] == 0
    assert found["token"]["role"] == "owner"
    page = "readings" if profiled.metered else "production"
    assert 0 < found["polling"]["endpoints"][page]["duration"] < 5
    assert len(found["inverters"]) == profiled.inverters


@pytest.fixture
def planted(simulator: Simulator) -> dict[str, str]:
    """Return an account and a token to search for."""
    return {
        CONF_USERNAME: simulator.username,
        CONF_PASSWORD: simulator.password,
        CONF_TOKEN: simulator.token(),
    }


def secrets_of(simulator: Simulator, planted: dict[str, str]) -> list[str]:
    """Return all secrets: account, token and its parts, session, certificate."""
    token = planted[CONF_TOKEN]
    sessions = list(simulator.gateway.sessions._open)
    assert sessions
    return [simulator.password, simulator.username, token, *token.split("."), *sessions]


async def test_values_that_look_like_secrets_are_not_in_the_diagnostics(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp
) -> None:
    planted = {"later_pin": "planted", "cookie": "planted", "note": "wifi_pass=planted"}
    entry = await set_up(make_entry(simulator, planted, options={"proxy_auth": "planted"}))
    assert "planted" not in json.dumps(await diagnostics(hass, entry))


@pytest.mark.parametrize("profile", ["battery"])
async def test_no_private_data_is_in_the_diagnostics(
    hass: HomeAssistant, simulator: Simulator, planted: dict[str, str], set_up: SetUp
) -> None:
    entry = await set_up(make_entry(simulator, planted))
    text = json.dumps(await diagnostics(hass, entry))
    serials = [
        str(device.serial_number)
        for device in dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
        if device.serial_number is not None
    ]
    # The gateway, three batteries and the System Controller.
    assert len(serials) == 1 + len(simulator.house.inverters) + 4
    pem = simulator.certificate_pem.splitlines()[1]
    for secret in [*secrets_of(simulator, planted), *serials, pem, simulator.url]:
        assert secret not in text


@pytest.mark.slow
async def test_no_secret_is_in_the_debug_log_or_a_state_in_any_failure_mode(
    hass: HomeAssistant,
    simulator: Simulator,
    planted: dict[str, str],
    set_up: SetUp,
    tick: Tick,
    flow: Flow,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    await flow.reach("account")
    await flow.enter_account(password="planted-wrong-password")
    await flow.enter_account(renew=True)
    hass.config_entries.flow.async_abort(flow.shown["flow_id"])

    entry = await set_up(make_entry(simulator, planted), enable=True)
    for fault in ("html", "truncated", "status", "reset", "refuse", "zeros", "counters-fall"):
        simulator.faults.set(fault)
        await tick(seconds=61, times=2)
        simulator.faults.clear()
        await tick(seconds=61)
    simulator.renew_certificate(same_key=False)
    await tick(seconds=61, times=2)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)

    assert "enphase_iq_gateway" in caplog.text
    shown = " ".join(f"{state.state} {state.attributes}" for state in hass.states.async_all())
    for secret in [*secrets_of(simulator, planted), "planted-wrong-password"]:
        assert secret not in caplog.text
        assert secret not in shown
    assert "BEGIN CERTIFICATE" not in caplog.text


@pytest.mark.filterwarnings("ignore:It is recommended to use web")
async def test_no_private_data_is_in_the_diagnostics_while_a_certificate_is_not_trusted(
    hass: HomeAssistant,
    simulator: Simulator,
    planted: dict[str, str],
    set_up: SetUp,
    hass_client: ClientSessionGenerator,
) -> None:
    entry = await set_up(make_entry(simulator, planted))
    secrets = [*secrets_of(simulator, planted), simulator.serial_number, simulator.url]
    trusted = simulator.certificate_pem.splitlines()[1]
    simulator.renew_certificate(same_key=False)
    await entry.runtime_data.async_refresh()
    assert await async_setup_component(hass, "diagnostics", {})
    client = await hass_client()
    response = await client.get(f"/api/diagnostics/config_entry/{entry.entry_id}")
    assert response.status == 200
    text = await response.text()
    # Home Assistant adds the issue with its data.
    assert certificate_issue_id(entry) in text
    issue = ir.async_get(hass).async_get_issue(DOMAIN, certificate_issue_id(entry))
    assert issue is not None
    shown = entry.data[CONF_SHOWN_CERTIFICATE].splitlines()[1]
    for secret in [*secrets, trusted, shown, "BEGIN CERTIFICATE"]:
        assert secret not in text
        assert secret not in json.dumps(issue.to_json())
