"""The watch finds leaked secrets in every place."""

import logging
from collections.abc import Callable

import pytest
from homeassistant.const import CONF_PASSWORD, CONF_TOKEN, CONF_USERNAME
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway import diagnostics
from custom_components.enphase_iq_gateway.const import DOMAIN
from enphase_companion.simulator import Simulator

from ..conftest import SetUp, make_entry
from .watch import Watch, file_of, require_no_leaks

type Pick = Callable[[Simulator, MockConfigEntry], str]

SECRETS: dict[str, Pick] = {
    "password": lambda simulator, _: simulator.password,
    "token": lambda _, entry: str(entry.data[CONF_TOKEN]),
    "what a token says": lambda _, entry: str(entry.data[CONF_TOKEN]).split(".")[1],
    "a signature cut short": lambda _, entry: str(entry.data[CONF_TOKEN]).split(".")[2][:50],
    "session": lambda simulator, _: next(iter(simulator.gateway.sessions._open)),
}


@pytest.fixture
async def entry(simulator: Simulator, set_up: SetUp) -> MockConfigEntry:
    """Return a gateway with all its secrets."""
    account = {CONF_USERNAME: simulator.username, CONF_PASSWORD: simulator.password}
    return await set_up(make_entry(simulator, account))


@pytest.mark.parametrize("secret", SECRETS)
async def test_a_logged_secret_is_detected(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, secret: str
) -> None:
    watch = Watch()
    for each in SECRETS.values():
        watch.add_secret(each(simulator, entry))
    record = logging.LogRecord(
        "x", logging.DEBUG, "", 0, "sent %s", (SECRETS[secret](simulator, entry),), None
    )
    watch.emit(record)
    with pytest.raises(AssertionError):
        await require_no_leaks(hass, watch, [])


@pytest.mark.parametrize("secret", SECRETS)
async def test_all_issued_secrets_are_checked(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, watch: Watch, secret: str
) -> None:
    assert watch.secrets_in(f"…{SECRETS[secret](simulator, entry)}…")


@pytest.mark.parametrize("secret", SECRETS)
async def test_a_secret_in_a_state_or_a_dialog_is_detected(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, watch: Watch, secret: str
) -> None:
    text = SECRETS[secret](simulator, entry)
    hass.states.async_set("sensor.x", "on", {"leaked": text})
    with pytest.raises(AssertionError):
        await require_no_leaks(hass, watch, [])
    hass.states.async_remove("sensor.x")
    ir.async_create_issue(
        hass,
        DOMAIN,
        "x",
        is_fixable=False,
        is_persistent=True,
        severity=ir.IssueSeverity.ERROR,
        translation_key="x",
        data={"leaked": text},
    )
    with pytest.raises(AssertionError):
        await require_no_leaks(hass, watch, [])
    ir.async_delete_issue(hass, DOMAIN, "x")
    # Home Assistant itself logs states and dialogs.
    watch.clear_log()


@pytest.mark.parametrize("key", [CONF_PASSWORD, CONF_TOKEN, "serial_number"])
async def test_a_secret_in_the_diagnostics_is_detected(
    hass: HomeAssistant, entry: MockConfigEntry, watch: Watch, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    with monkeypatch.context() as careless:
        careless.setattr(diagnostics, "TO_REDACT", diagnostics.TO_REDACT - {key})
        careless.setattr(diagnostics, "redact", lambda value: value)
        with pytest.raises(AssertionError):
            await require_no_leaks(hass, watch, [])
    assert "counters" in await file_of(hass, entry)
