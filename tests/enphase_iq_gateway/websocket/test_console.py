"""The console with the values of Home Assistant: once, as JSON, and continuously."""

import json
from collections.abc import AsyncGenerator

import pytest
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from enphase_companion.console.document import build_document
from enphase_companion.console.home_assistant import follow, read_overview
from enphase_companion.console.page import render_line, render_text
from enphase_companion.runtime.errors import CommandError
from enphase_companion.simulator import Simulator

from ..conftest import SetUp, state_of
from .conftest import Configure

pytestmark = [
    pytest.mark.filterwarnings("ignore:It is recommended to use web"),  # Home Assistant's own
    pytest.mark.parametrize("expected_lingering_timers", [True]),  # aiohttp's, of the next ping
]


async def test_meters_phases_and_sums_are_those_of_home_assistant(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, configure: Configure
) -> None:
    await set_up(entry)
    overview = await read_overview(configure())
    document = json.loads(json.dumps(build_document(overview)))
    assert document["gateway"]["serial_number"] == simulator.serial_number
    assert document["gateway"]["firmware"] == "8.2.4264"
    power = float(state_of(hass, simulator, "home_power"))
    assert document["consumption"]["power_w"] == pytest.approx(power, abs=1)
    assert [(meter["type"], len(meter["phases"])) for meter in document["meters"]] == [
        ("production", 3),
        ("net-consumption", 3),
    ]
    page = render_text(overview)
    assert "Incomplete: Home Assistant's stream has meters only: " in page
    assert "(today unknown)" in page
    assert "consumption" in render_line(overview)


@pytest.mark.parametrize("profile", ["no-meters"])
async def test_production_without_a_meter_is_the_sum_of_the_microinverters(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, configure: Configure
) -> None:
    await set_up(entry)
    document = build_document(await read_overview(configure()))
    assert document["production"]["power_w"] == pytest.approx(
        float(state_of(hass, simulator, "production_power")), abs=1
    )
    assert document["production"]["source"] == "inverters"


@pytest.mark.parametrize("profile", ["battery-without-meter"])
async def test_consumption_is_unknown_if_the_batteries_have_no_meter(
    hass: HomeAssistant, entry: MockConfigEntry, set_up: SetUp, configure: Configure
) -> None:
    await set_up(entry)
    document = build_document(await read_overview(configure()))
    assert document["consumption"]["power_w"] is None


async def test_watching_goes_on_through_a_silence_of_the_gateway(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, configure: Configure
) -> None:
    await set_up(entry)
    states = follow(configure(), 1)
    assert (await anext(states)).problem is None
    simulator.faults.set("silent")
    hass.config_entries.async_update_entry(entry, data={**entry.data, "host": "https://127.0.0.1:1"})
    await hass.config_entries.async_reload(entry.entry_id)
    problem = (await anext(states)).problem
    assert problem is not None
    assert problem.endswith("the gateway's entry in Home Assistant is not loaded")
    assert isinstance(states, AsyncGenerator)
    await states.aclose()


async def test_an_entry_without_readings_is_an_error(
    hass: HomeAssistant, entry: MockConfigEntry, set_up: SetUp, configure: Configure
) -> None:
    await set_up(entry)
    await hass.config_entries.async_unload(entry.entry_id)
    with pytest.raises(CommandError, match="the gateway's entry in Home Assistant is not loaded"):
        await read_overview(configure())
