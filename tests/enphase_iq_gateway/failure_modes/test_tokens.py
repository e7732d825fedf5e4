"""Failures of tokens: of another gateway, expired, unsigned, truncated, with a wrong clock, short-lived."""

import pytest
from homeassistant.config_entries import SOURCE_REAUTH, ConfigFlowResult
from homeassistant.const import CONF_PASSWORD, CONF_TOKEN, CONF_USERNAME, STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant

from custom_components.enphase_iq_gateway.const import DOMAIN
from custom_components.enphase_iq_gateway.error_handling import TOKEN_ERRORS
from enphase_companion.simulator import Simulator
from enphase_companion.simulator.entrez import INSTALLER_USERNAME

from ..conftest import SetUp, Tick, make_entry, state_of
from ..flow import Flow
from .conftest import is_loaded
from .watch import AVAILABLE, UNAVAILABLE, Watch

HOUR = 3600

GOOD = ("good", "installer", "ends-soon", "from-the-future")

#: Tokens that are recognized as invalid without a request; a truncated one only sometimes.
NEVER_SENT = ("other-gateway", "expired", "hs256", "none", "no-token")
SENT = ("stranger",)
BAD = (*NEVER_SENT, *SENT, "cut-short")


def requested(hass: HomeAssistant) -> list[ConfigFlowResult]:
    """Return the reauth flows in progress."""
    flows = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    return [each for each in flows if each["context"]["source"] == SOURCE_REAUTH]


def require_named(flow: Flow, step: str, kind: str, simulator: Simulator) -> None:
    """Fail unless the form shows the error of the token, and the token was not sent."""
    assert any(flow.shows(step, error) for error in (*TOKEN_ERRORS.values(), "token_rejected"))
    sent = any(request.has_authorization for request in simulator.requests)
    assert sent or kind not in SENT
    assert not sent or kind not in NEVER_SENT


@pytest.mark.parametrize("kind", [*GOOD, *BAD])
async def test_a_pasted_token_is_accepted_or_can_be_replaced(
    flow: Flow, simulator: Simulator, kind: str
) -> None:
    await flow.reach("token")
    await flow.enter_token(simulator.strange_token(kind))
    if kind in BAD:
        require_named(flow, "token", kind, simulator)
        await flow.enter_token()
    assert flow.shows("meters_found")


@pytest.mark.parametrize("kind", [*GOOD, *BAD])
async def test_a_token_of_entrez_is_validated(flow: Flow, simulator: Simulator, kind: str) -> None:
    await flow.reach("account")
    simulator.entrez.token_kind = kind
    await flow.enter_account()
    if kind in ("no-token", "none"):
        assert flow.shows("account", "not_your_gateway")
    elif kind in BAD:
        require_named(flow, "account", kind, simulator)
    if kind in BAD:
        simulator.entrez.token_kind = None
        await flow.enter_account()
    assert flow.shows("meters_found")


@pytest.mark.parametrize("offset", [-300, 300])
async def test_a_clock_deviation_of_five_minutes_does_not_prevent_the_sign_in(
    hass: HomeAssistant, flow: Flow, simulator: Simulator, tick: Tick, offset: float, watch: Watch
) -> None:
    simulator.entrez.clock_offset = offset
    await flow.reach("account")
    await flow.enter_account()
    await flow.submit()
    await hass.async_block_till_done(wait_background_tasks=True)
    await tick(61, times=5)
    assert float(state_of(hass, simulator, "production_power")) > 0
    assert requested(hass) == []
    assert watch.availability_changes(flow.shown["title"]) == []


@pytest.mark.parametrize("kind", BAD)
async def test_an_invalid_token_at_startup_starts_reauth_that_a_valid_one_completes(
    hass: HomeAssistant, flow: Flow, simulator: Simulator, tick: Tick, watch: Watch, kind: str
) -> None:
    entry = make_entry(simulator, {CONF_TOKEN: simulator.strange_token(kind)})
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    # A gateway that has just started may reject a valid token, so it is retried for some minutes.
    await tick(301, times=3)
    assert not is_loaded(entry)
    [question] = requested(hass)
    await flow.resume(question)
    await flow.choose("token")
    await flow.enter_token(simulator.strange_token("stranger"))
    assert flow.shows("token", "token_rejected")
    await flow.enter_token()
    await flow.require_abort("reauth_successful")
    assert is_loaded(entry)
    assert requested(hass) == []


@pytest.mark.slow
async def test_reauth_starts_an_hour_before_an_installers_token_expires(
    hass: HomeAssistant, flow: Flow, simulator: Simulator, set_up: SetUp, tick: Tick, watch: Watch
) -> None:
    entry = await set_up(make_entry(simulator, {CONF_TOKEN: simulator.token("installer")}))
    await tick(HOUR / 3, times=32)
    assert requested(hass) == []
    await tick(HOUR / 3)
    [question] = requested(hass)
    assert state_of(hass, simulator, "production_power") != STATE_UNAVAILABLE
    await tick(HOUR / 3, times=4)
    assert state_of(hass, simulator, "production_power") == STATE_UNAVAILABLE
    assert len(requested(hass)) == 1
    assert watch.availability_changes(entry.title) == [UNAVAILABLE]
    await flow.resume(question)
    await flow.choose("token")
    await flow.enter_token(simulator.token("installer"))
    await flow.require_abort("reauth_successful")
    assert float(state_of(hass, simulator, "production_energy")) > 0
    assert watch.availability_changes(entry.title) == [UNAVAILABLE, AVAILABLE]


@pytest.mark.slow
async def test_an_installers_token_is_renewed_twice_a_day_with_a_stored_password(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick, watch: Watch
) -> None:
    entry = await set_up(
        make_entry(
            simulator,
            {
                CONF_TOKEN: simulator.token("installer"),
                CONF_USERNAME: INSTALLER_USERNAME,
                CONF_PASSWORD: simulator.password,
            },
        )
    )
    seen = {entry.data[CONF_TOKEN]}
    for _ in range(36):
        await tick(HOUR)
        seen.add(entry.data[CONF_TOKEN])
        assert state_of(hass, simulator, "production_power") != STATE_UNAVAILABLE
    assert len(seen) == 4
    assert requested(hass) == []
    assert watch.availability_changes(entry.title) == []
