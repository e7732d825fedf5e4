"""Tokens: renewal, temporary rejection, and expiry."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.const import CONF_PASSWORD, CONF_TOKEN, CONF_USERNAME, STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway import client, token_renewal
from custom_components.enphase_iq_gateway.const import DOMAIN
from custom_components.enphase_iq_gateway.enphase_api.cloud import Token
from enphase_companion.simulator import Simulator
from enphase_companion.simulator.entrez import MFA_USERNAME

from .conftest import SetUp, Tick, make_entry, state_of

DAY = 86400
YEAR = 365 * DAY


def is_reauth_in_progress(hass: HomeAssistant) -> bool:
    """Return whether reauth is in progress."""
    flows = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    return [flow["context"]["source"] for flow in flows] == [SOURCE_REAUTH]


def sign_ins(simulator: Simulator) -> int:
    """Count how often Entrez was sent the password."""
    return [request.path for request in simulator.entrez_requests].count("/login")


def aged(
    simulator: Simulator, *, life: int = YEAR, left: int, password: str | None = None
) -> MockConfigEntry:
    """Return an entry with a token of this lifetime and remaining time (s), with or without an account."""
    data = {CONF_TOKEN: simulator.token(lifetime=life, issued_ago=life - left)}
    if password is not None:
        data |= {CONF_USERNAME: simulator.username, CONF_PASSWORD: password}
    return make_entry(simulator, data)


@pytest.mark.parametrize(
    ("life", "left", "due"),
    [
        (YEAR, 31 * DAY, False),
        (YEAR, 29 * DAY, True),
        # An installer's token of 12 hours: a tenth is 72 minutes.
        (12 * 3600, 80 * 60, False),
        (12 * 3600, 70 * 60, True),
    ],
)
async def test_reauth_starts_30_days_or_a_tenth_of_the_lifetime_before_a_token_expires(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, life: int, left: int, due: bool
) -> None:
    entry = await set_up(aged(simulator, life=life, left=left))
    assert is_reauth_in_progress(hass) is due
    assert entry.state is ConfigEntryState.LOADED
    assert float(state_of(hass, simulator, "production_power")) > 0


async def test_a_token_is_renewed_automatically_with_a_stored_password(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick
) -> None:
    entry = await set_up(aged(simulator, left=29 * DAY, password=simulator.password))
    renewed = Token.parse(entry.data[CONF_TOKEN], simulator.serial_number)
    assert renewed.problem is None
    assert (renewed.expires_at - renewed.issued_at).days == 365
    assert not is_reauth_in_progress(hass)
    entrez = len(simulator.entrez_requests)
    simulator.gateway.sessions.end_all()
    await tick(times=3)
    assert float(state_of(hass, simulator, "production_power")) > 0
    assert len(simulator.entrez_requests) == entrez


async def test_a_renewal_is_retried_once_an_hour_while_entrez_is_unavailable(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick, caplog: pytest.LogCaptureFixture
) -> None:
    simulator.entrez.faults.set("status")
    entry = await set_up(aged(simulator, left=29 * DAY, password=simulator.password))
    old = entry.data[CONF_TOKEN]
    await tick(seconds=600, times=17)
    assert sign_ins(simulator) == 3
    assert not is_reauth_in_progress(hass)
    assert "retrying in an hour" in caplog.text
    simulator.entrez.faults.clear()
    await tick(seconds=3601)
    assert entry.data[CONF_TOKEN] != old


@pytest.mark.parametrize("path", ["/login", "/entrez_tokens"])
async def test_a_token_is_renewed_by_enlighten_if_entrez_fails(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, path: str
) -> None:
    simulator.entrez.faults.set("status", path, status=403)
    entry = await set_up(aged(simulator, left=29 * DAY, password=simulator.password))
    renewed = Token.parse(entry.data[CONF_TOKEN], simulator.serial_number)
    assert (renewed.expires_at - renewed.issued_at).days == 365
    assert renewed.expires_at > dt_util.utcnow() + timedelta(days=300)
    assert not is_reauth_in_progress(hass)


@pytest.mark.parametrize("fault", ["status", "refuse"])
async def test_a_missing_token_after_a_successful_sign_in_starts_no_reauth(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    for path in ("/entrez_tokens", "/tokens"):
        simulator.entrez.faults.set(fault, path, status=403)
    entry = await set_up(aged(simulator, left=29 * DAY, password=simulator.password))
    assert not is_reauth_in_progress(hass)
    assert "retrying in an hour" in caplog.text
    assert entry.state is ConfigEntryState.LOADED


def _with(username: str | None, password: str | None) -> Callable[[Simulator], dict[str, str]]:
    return lambda simulator: {
        CONF_USERNAME: username or simulator.username,
        CONF_PASSWORD: password or simulator.password,
    }


@pytest.mark.parametrize("account", [_with(None, "changed-meanwhile"), _with(MFA_USERNAME, None)])
async def test_a_rejected_account_starts_reauth(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, account: Callable[[Simulator], dict[str, str]]
) -> None:
    token = simulator.token(lifetime=YEAR, issued_ago=YEAR - 29 * DAY)
    entry = await set_up(make_entry(simulator, {CONF_TOKEN: token, **account(simulator)}))
    assert is_reauth_in_progress(hass)
    assert entry.state is ConfigEntryState.LOADED


async def test_a_token_that_expired_while_home_assistant_was_off_is_renewed(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick
) -> None:
    entry = await set_up(
        aged(simulator, left=-DAY, password=simulator.password), state=ConfigEntryState.SETUP_RETRY
    )
    await tick(seconds=60, times=2)
    assert entry.state is ConfigEntryState.LOADED
    assert not is_reauth_in_progress(hass)


async def test_a_token_that_expires_in_use_starts_reauth(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick
) -> None:
    await set_up(aged(simulator, life=3600, left=60))
    await tick(seconds=30)
    assert float(state_of(hass, simulator, "production_power")) > 0
    await tick(seconds=60)
    assert state_of(hass, simulator, "production_power") == STATE_UNAVAILABLE
    assert is_reauth_in_progress(hass)


async def test_a_valid_token_that_is_rejected_for_some_minutes_starts_no_reauth(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry)
    simulator.faults.set("refuse")
    await tick(seconds=61, times=8)
    assert state_of(hass, simulator, "production_power") == STATE_UNAVAILABLE
    assert not is_reauth_in_progress(hass)
    simulator.faults.clear()
    await tick(seconds=61)
    assert float(state_of(hass, simulator, "production_power")) > 0


async def test_a_valid_token_that_is_rejected_for_long_starts_reauth(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry)
    simulator.faults.set("refuse")
    await tick(seconds=61, times=12)
    assert is_reauth_in_progress(hass)


async def test_setup_is_retried_while_a_starting_gateway_rejects_the_token(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    simulator.faults.set("refuse", "/auth/check_jwt")
    await set_up(entry, state=ConfigEntryState.SETUP_RETRY)
    assert not is_reauth_in_progress(hass)
    simulator.faults.clear()
    await tick(seconds=61)
    assert entry.state is ConfigEntryState.LOADED


async def test_a_rejected_token_starts_reauth_during_retried_setups(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    simulator.faults.set("refuse", "/auth/check_jwt")
    await set_up(entry, state=ConfigEntryState.SETUP_RETRY)
    await tick(seconds=601)
    assert entry.state is ConfigEntryState.SETUP_ERROR
    assert is_reauth_in_progress(hass)


async def test_an_expired_session_is_renewed_silently(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry)
    simulator.restart()
    await tick()
    assert float(state_of(hass, simulator, "production_power")) > 0


@pytest.mark.parametrize("token", ["", "no token at all"])
async def test_an_entry_without_a_token_starts_reauth(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, token: str
) -> None:
    await set_up(make_entry(simulator, {CONF_TOKEN: token}), state=ConfigEntryState.SETUP_ERROR)
    assert is_reauth_in_progress(hass)
    assert simulator.requests == []


async def test_a_single_rejection_long_after_another_starts_no_reauth(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry)
    for fault, minutes in (("refuse", 2), ("reset", 15), ("refuse", 2)):
        simulator.faults.clear()
        simulator.faults.set(fault)
        await tick(seconds=61, times=minutes)
    assert not is_reauth_in_progress(hass)
    simulator.faults.clear()
    await tick(seconds=61)
    assert float(state_of(hass, simulator, "production_power")) > 0


async def test_polling_continues_while_a_rejected_token_can_be_renewed(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick
) -> None:
    await set_up(aged(simulator, left=300 * DAY, password=simulator.password))
    simulator.entrez.faults.set("status")
    simulator.faults.set("refuse")
    await tick(seconds=61, times=70)
    assert not is_reauth_in_progress(hass)
    assert sign_ins(simulator) == 2
    simulator.faults.clear()
    await tick(seconds=61)
    assert float(state_of(hass, simulator, "production_power")) > 0


async def test_a_forbidden_endpoint_does_not_count_as_a_rejected_token(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry)
    simulator.faults.set("refuse", "/ivp/meters/readings")
    await tick(seconds=61, times=13)
    assert not is_reauth_in_progress(hass)
    error = entry.runtime_data.last_exception
    assert error is not None
    assert error.translation_key == "forbidden"
    assert "/ivp/meters/readings" in str(error)


@pytest.fixture
def entrez_waits(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Return an event; until it is set, all responses of Entrez are held back."""
    is_released = asyncio.Event()
    get_token = client.async_get_token

    async def late(*arguments: Any) -> str:
        await is_released.wait()
        return await get_token(*arguments)

    monkeypatch.setattr(token_renewal, "async_get_token", late)
    return is_released


async def add_renewing(hass: HomeAssistant, simulator: Simulator) -> MockConfigEntry:
    """Set up an entry whose token is due for renewal."""
    entry = aged(simulator, left=29 * DAY, password=simulator.password)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


@pytest.mark.parametrize("refused", [False, True])
async def test_a_renewal_is_discarded_if_its_entry_is_removed(
    hass: HomeAssistant,
    simulator: Simulator,
    entrez_waits: asyncio.Event,
    refused: bool,
) -> None:
    entry = await add_renewing(hass, simulator)
    if refused:
        simulator.entrez.faults.set("refuse")
    renewing = hass.async_create_background_task(entry.runtime_data.token_renewal._renew(), "renew")
    await hass.config_entries.async_remove(entry.entry_id)
    entrez_waits.set()
    await renewing
    await hass.async_block_till_done(wait_background_tasks=True)
    assert simulator.entrez_requests
    assert not hass.config_entries.flow.async_progress_by_handler(DOMAIN)


async def test_an_entry_that_is_reloaded_during_a_renewal_uses_the_new_token(
    hass: HomeAssistant, simulator: Simulator, entrez_waits: asyncio.Event, tick: Tick
) -> None:
    entry = await add_renewing(hass, simulator)
    old = entry.data[CONF_TOKEN]
    assert await hass.config_entries.async_reload(entry.entry_id)
    entrez_waits.set()
    await hass.async_block_till_done(wait_background_tasks=True)
    new = entry.data[CONF_TOKEN]
    assert new != old
    assert entry.runtime_data.token_renewal.token.expires_at == Token.parse(new).expires_at
    assert entry.runtime_data.gateway._token == new
    asked = len(simulator.entrez_requests)
    await tick(seconds=3700)
    assert entry.data[CONF_TOKEN] == new
    assert len(simulator.entrez_requests) == asked
