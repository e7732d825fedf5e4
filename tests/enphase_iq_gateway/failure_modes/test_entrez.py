"""Failures of Entrez: a wrong account, a second factor, an outage, slowness, an unknown page."""

import asyncio

import pytest
from homeassistant.config_entries import SOURCE_REAUTH
from homeassistant.const import CONF_PASSWORD, CONF_TOKEN, CONF_USERNAME
from homeassistant.core import HomeAssistant

from custom_components.enphase_iq_gateway.const import DOMAIN
from enphase_companion.simulator import Simulator
from enphase_companion.simulator.entrez import MFA_USERNAME

from ..conftest import SetUp, Tick, make_entry, state_of
from ..flow import Flow
from .conftest import PendingRequests, held_responses
from .watch import WRONG_PASSWORD, Watch

DAY = 86400
YEAR = 365 * DAY


async def test_a_wrong_password_can_be_corrected(flow: Flow) -> None:
    await flow.reach("account")
    await flow.enter_account(password=WRONG_PASSWORD)
    assert flow.shows("account", "invalid_auth")
    await flow.enter_account(renew=True)
    assert flow.shows("meters_found")


async def test_an_account_with_a_second_factor_leads_to_the_token_step(flow: Flow) -> None:
    await flow.reach("account")
    await flow.enter_account(MFA_USERNAME)
    assert flow.shows("token", "mfa_required")
    await flow.enter_token()
    assert flow.shows("meters_found")


async def test_an_entrez_outage_is_an_error_that_can_be_retried(flow: Flow, simulator: Simulator) -> None:
    await flow.reach("account")
    # The name cannot be resolved, or the connection is refused.
    simulator._run(simulator._entrez_server.stop())
    await flow.enter_account()
    assert flow.shows("account", "entrez_unavailable")
    simulator._run(simulator._entrez_server.start())
    await flow.enter_account()
    assert flow.shows("meters_found")


async def test_entrez_may_take_30_seconds(flow: Flow, simulator: Simulator, pending: PendingRequests) -> None:
    await flow.reach("account")
    with held_responses(simulator.entrez.faults):
        answered = asyncio.ensure_future(flow.enter_account())
        await pending.until_requested(simulator.entrez_requests)
        pending.advance(30)
    await answered
    assert flow.shows("meters_found")


async def test_a_silent_entrez_times_out_and_can_be_retried(
    flow: Flow, simulator: Simulator, pending: PendingRequests
) -> None:
    await flow.reach("account")
    with held_responses(simulator.entrez.faults):
        given_up = asyncio.ensure_future(flow.enter_account())
        await pending.until_requested(simulator.entrez_requests)
        # Enlighten, which is tried next, does not answer either.
        await pending.until_requested(simulator.entrez_requests, 61)
        pending.advance(61)
        await given_up
    assert flow.shows("account", "entrez_unavailable")
    await flow.enter_account()
    assert flow.shows("meters_found")


@pytest.mark.parametrize("path", ["/login", "/entrez_tokens"])
@pytest.mark.parametrize("fault", ["html", "status", "reset", "redirect"])
async def test_enlighten_issues_the_token_if_entrez_fails(
    flow: Flow, simulator: Simulator, other_gateway: Simulator, path: str, fault: str
) -> None:
    await flow.reach("account")
    simulator.entrez.faults.set(fault, path, location=f"{other_gateway.url}/")
    await flow.enter_account()
    assert flow.shows("meters_found")
    assert other_gateway.requests == []


@pytest.mark.parametrize("path", ["/login", "/entrez_tokens"])
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("html", {"entrez_unavailable", "not_your_gateway"}),
        ("status", {"entrez_unavailable"}),
        ("reset", {"entrez_unavailable"}),
        ("redirect", {"entrez_unavailable"}),
    ],
)
async def test_an_unexpected_page_of_entrez_is_an_error_that_can_be_retried(
    flow: Flow, simulator: Simulator, other_gateway: Simulator, path: str, fault: str, error: set[str]
) -> None:
    await flow.reach("account")
    for failing in (path, "/login/login.json"):
        simulator.entrez.faults.set(fault, failing, location=f"{other_gateway.url}/")
    await flow.enter_account()
    assert flow.shown["errors"] is not None
    assert flow.shown["errors"]["base"] in error
    assert other_gateway.requests == []
    simulator.entrez.faults.clear()
    await flow.enter_account()
    assert flow.shows("meters_found")


@pytest.mark.parametrize(
    ("path", "error"), [("/login", "invalid_auth"), ("/entrez_tokens", "entrez_unavailable")]
)
async def test_only_a_rejected_sign_in_is_reported_as_a_wrong_password(
    flow: Flow, simulator: Simulator, path: str, error: str
) -> None:
    await flow.reach("account")
    for failing in (path, "/login/login.json"):
        simulator.entrez.faults.set("refuse", failing)
    await flow.enter_account()
    assert flow.shows("account", error)


@pytest.mark.parametrize("fault", ["html", "status", "reset", "redirect"])
async def test_polling_continues_while_a_renewal_waits_for_entrez(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick, fault: str, watch: Watch
) -> None:
    simulator.entrez.faults.set(fault)
    old = simulator.token(lifetime=YEAR, issued_ago=YEAR - 29 * DAY)
    account = {CONF_USERNAME: simulator.username, CONF_PASSWORD: simulator.password, CONF_TOKEN: old}
    entry = await set_up(make_entry(simulator, account))
    await tick(61, times=3)
    assert float(state_of(hass, simulator, "production_power")) > 0
    assert entry.data[CONF_TOKEN] == old
    assert watch.log.count("retrying in an hour") == 1
    simulator.entrez.faults.clear()
    await tick(3601)
    assert entry.data[CONF_TOKEN] != old
    assert watch.availability_changes(entry.title) == []


@pytest.mark.parametrize("password", [None, WRONG_PASSWORD])
async def test_a_rejected_account_starts_one_reauth_that_a_sign_in_completes(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick, flow: Flow, password: str | None
) -> None:
    """The password was changed, or a second factor was enabled."""
    username = simulator.username if password else MFA_USERNAME
    account = {CONF_USERNAME: username, CONF_PASSWORD: password or simulator.password}
    old = simulator.token(lifetime=YEAR, issued_ago=YEAR - 29 * DAY)
    entry = await set_up(make_entry(simulator, {CONF_TOKEN: old, **account}))
    await tick(3601, times=3)
    [requested] = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert requested["context"]["source"] == SOURCE_REAUTH
    assert float(state_of(hass, simulator, "production_power")) > 0
    await flow.resume(requested)
    await flow.choose("account")
    await flow.enter_account(password=WRONG_PASSWORD)
    assert flow.shows("account", "invalid_auth")
    await flow.enter_account(renew=True)
    await flow.require_abort("reauth_successful")
    assert entry.data[CONF_TOKEN] != old
    assert float(state_of(hass, simulator, "production_power")) > 0
