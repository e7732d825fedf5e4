"""The scripts' client of Home Assistant: sign-in, commands, subscriptions, and errors that name the cure."""

import pytest
from homeassistant.core import HomeAssistant

from enphase_companion.home_assistant.client import (
    RefusedError,
    TokenRefusedError,
    connect,
)

from .conftest import Configure

pytestmark = pytest.mark.filterwarnings("ignore:It is recommended to use web")  # Home Assistant's own


async def test_commands_have_results_and_subscriptions_events(
    hass: HomeAssistant, configure: Configure
) -> None:
    async with connect(configure()) as home_assistant:
        config = await home_assistant.command("get_config")
        assert config["version"] == home_assistant.version
        events = await home_assistant.subscribe("subscribe_events", event_type="tried")
        hass.bus.async_fire("tried", {"value": 1})
        hass.bus.async_fire("tried", {"value": 2})
        assert [(await anext(events))["data"]["value"] for _ in range(2)] == [1, 2]
        # Commands and events share the connection.
        assert (await home_assistant.command("get_config"))["version"] == config["version"]


async def test_a_refused_command_names_the_reason(configure: Configure) -> None:
    async with connect(configure()) as home_assistant:
        with pytest.raises(RefusedError, match=r"refuses no_such_command: Unknown command") as error:
            await home_assistant.command("no_such_command")
        assert error.value.code == "unknown_command"


@pytest.mark.parametrize("expected_lingering_timers", [True])  # aiohttp's, of the next ping
async def test_the_error_of_a_refused_token_names_the_setting_and_not_the_token(configure: Configure) -> None:
    settings = configure(home_assistant_token="eyJhbGciOi.wrong.token")
    with pytest.raises(TokenRefusedError, match=r"home_assistant_token: .* refuses this token") as error:
        async with connect(settings):
            pass
    assert "eyJhbGciOi" not in f"{error.value}{error.value.__cause__!r}{settings!r}"
