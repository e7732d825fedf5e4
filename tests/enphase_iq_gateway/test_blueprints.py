"""The blueprints, as automations that run: what they switch, when they warn, and when they keep quiet."""

import asyncio
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.automation.config import AUTOMATION_BLUEPRINT_SCHEMA
from homeassistant.components.blueprint.importer import fetch_blueprint_from_url
from homeassistant.components.blueprint.models import Blueprint
from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import load_yaml_dict, parse_yaml
from pytest_homeassistant_custom_component.common import (  # type: ignore[import-untyped]
    MockConfigEntry,
    async_fire_time_changed,
    async_mock_service,
)
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway.const import DOMAIN
from enphase_companion.simulator import Simulator

from .conftest import SetUp
from .helpers import NEXT_LIST, Meters, answer_with

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "blueprints" / "automation" / DOMAIN
FILES = sorted(FOLDER.glob("*.yaml"))
ADDRESS = "https://github.com/enphase-iq-gateway/enphase-iq-gateway/blob/main"

GRID, BATTERY, LEVEL = "sensor.grid_power", "sensor.battery_power", "sensor.battery_level"
LOAD = "input_boolean.boiler"
METER, POWER = "event.grid_meter_status_change", "sensor.production_power"
PANELS = [f"sensor.inverter_{number}" for number in range(1, 6)]

type Automate = Callable[..., Awaitable[None]]
type Minutes = Callable[..., Awaitable[None]]


def metadata(path: Path) -> dict[str, Any]:
    """Give what a blueprint says of itself."""
    said = load_yaml_dict(str(path))["blueprint"]
    assert isinstance(said, dict)
    return said


def inputs(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give every input of a blueprint, those in sections too."""
    for name, described in metadata(path)["input"].items():
        yield from described["input"].items() if "input" in described else [(name, described)]


async def settle() -> None:
    """Let all go on that waits for its turn only; automations that wait for minutes are left waiting."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
def minutes(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> Minutes:
    """Lets minutes pass, one by one."""

    async def run(count: int = 1) -> None:
        for _ in range(count):
            freezer.tick(timedelta(minutes=1))
            async_fire_time_changed(hass)
            await settle()

    return run


@pytest.fixture
async def automate(
    hass: HomeAssistant, tmp_path: Path, freezer: FrozenDateTimeFactory, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Automate]:
    """Make an automation of a blueprint, as its owner would."""
    shutil.copytree(ROOT / "blueprints", tmp_path / "blueprints")
    monkeypatch.setattr(hass.config, "config_dir", str(tmp_path))
    freezer.move_to("2026-06-21 12:00:30+00:00")

    async def run(blueprint: str, **given: Any) -> None:
        assert await async_setup_component(hass, "homeassistant", {})
        assert await async_setup_component(hass, "input_boolean", {"input_boolean": {"boiler": None}})
        assert await async_setup_component(
            hass,
            "automation",
            {
                "automation": {
                    "id": "under_test",
                    "alias": "Under test",
                    "use_blueprint": {"path": f"{DOMAIN}/{blueprint}.yaml", "input": given},
                }
            },
        )
        await hass.async_block_till_done()
        state = hass.states.get("automation.under_test")
        assert state is not None
        assert state.state == STATE_ON

    yield run
    await hass.services.async_call("automation", "turn_off", {"entity_id": "automation.under_test"})
    await settle()


def show(hass: HomeAssistant, entity_id: str, value: float | str, **attributes: Any) -> None:
    """Have an entity show something."""
    hass.states.async_set(entity_id, str(value), attributes)


def load(hass: HomeAssistant) -> str:
    """Give the load's state."""
    state = hass.states.get(LOAD)
    assert state is not None
    return state.state


# What every blueprint is held to


def test_there_are_three_blueprints() -> None:
    assert [path.stem for path in FILES] == ["meter_warning", "panel_behind", "surplus_solar"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_home_assistant_accepts_the_blueprint(path: Path) -> None:
    blueprint = Blueprint(
        load_yaml_dict(str(path)),
        path=path.name,
        expected_domain="automation",
        schema=AUTOMATION_BLUEPRINT_SCHEMA,
    )
    assert blueprint.validate() is None


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_a_blueprint_can_be_imported_from_where_it_says_it_lies(
    hass: HomeAssistant, aioclient_mock: AiohttpClientMocker, path: Path
) -> None:
    said = metadata(path)
    assert said["source_url"] == f"{ADDRESS}/{path.relative_to(ROOT)}"
    assert said["homeassistant"]["min_version"] == "2026.8.0"
    raw = said["source_url"].replace("github.com", "raw.githubusercontent.com").replace("/blob/", "/")
    aioclient_mock.get(raw, text=path.read_text())
    imported = await fetch_blueprint_from_url(hass, said["source_url"])
    assert imported.suggested_filename == f"enphase-iq-gateway/{path.stem}"
    # What Home Assistant keeps of it is the same blueprint.
    written = parse_yaml(imported.blueprint.yaml())
    assert isinstance(written, dict)
    kept = Blueprint(written, schema=AUTOMATION_BLUEPRINT_SCHEMA)
    assert kept.data == imported.blueprint.data


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_input_is_named_and_only_entities_have_no_default(path: Path) -> None:
    text = path.read_text()
    for name, described in inputs(path):
        [kind] = described["selector"]
        assert described["name"]
        assert text.count(f"!input {name}") >= 1
        assert "default" in described or kind == "entity"
        if kind == "number":
            settings = described["selector"]["number"]
            assert settings["min"] <= described["default"] <= settings["max"]
        if kind == "entity" and name != "load":
            [offered] = described["selector"]["entity"]["filter"]
            assert offered["integration"] == DOMAIN


@pytest.mark.parametrize("profile", ["battery"])
async def test_what_the_blueprints_offer_exists(
    hass: HomeAssistant, entry: MockConfigEntry, set_up: SetUp
) -> None:
    await set_up(entry)
    registered = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    there = {
        (entity.domain, wanted) for entity in registered for wanted in (None, entity.original_device_class)
    }
    for path in FILES:
        for name, described in inputs(path):
            if "entity" in described["selector"] and name != "load":
                [offered] = described["selector"]["entity"]["filter"]
                assert (offered["domain"], offered.get("device_class")) in there, (path.stem, name)


# Surplus solar switches a load


async def test_the_load_is_turned_on_once_the_surplus_has_lasted(
    hass: HomeAssistant, automate: Automate, minutes: Minutes
) -> None:
    await automate("surplus_solar", grid_power=GRID, load=LOAD, minimum_off=0)
    show(hass, GRID, -2500)
    await minutes(5)
    assert load(hass) == STATE_OFF
    await minutes(2)
    assert load(hass) == STATE_ON


async def test_a_cloud_in_between_begins_the_waiting_anew(
    hass: HomeAssistant, automate: Automate, minutes: Minutes
) -> None:
    await automate("surplus_solar", grid_power=GRID, load=LOAD, minimum_off=0)
    for _ in range(4):
        show(hass, GRID, -2500)
        await minutes(4)
        show(hass, GRID, -1000)
        await minutes(2)
    assert load(hass) == STATE_OFF


async def test_between_the_thresholds_the_load_stays_as_it_is(
    hass: HomeAssistant, automate: Automate, minutes: Minutes
) -> None:
    await automate("surplus_solar", grid_power=GRID, load=LOAD, minimum_on=0, minimum_off=0)
    for watts in (-1900, 0, 190):
        show(hass, GRID, watts)
        await minutes(15)
        assert load(hass) == STATE_OFF
    show(hass, GRID, -2000)
    await minutes(7)
    assert load(hass) == STATE_ON
    for watts in (-1900, 0, 190):
        show(hass, GRID, watts)
        await minutes(15)
        assert load(hass) == STATE_ON
    show(hass, GRID, 200)
    await minutes(5)
    assert load(hass) == STATE_ON
    await minutes(2)
    assert load(hass) == STATE_OFF


async def test_the_load_stays_on_and_off_for_its_least_times(
    hass: HomeAssistant, automate: Automate, minutes: Minutes
) -> None:
    await automate(
        "surplus_solar",
        grid_power=GRID,
        load=LOAD,
        turn_on_minutes=0,
        turn_off_minutes=0,
        minimum_on=30,
        minimum_off=20,
    )
    show(hass, GRID, -5000)
    await minutes(19)
    assert load(hass) == STATE_OFF
    await minutes(2)
    assert load(hass) == STATE_ON
    show(hass, GRID, 3000)
    await minutes(28)
    assert load(hass) == STATE_ON
    await minutes(3)
    assert load(hass) == STATE_OFF


@pytest.mark.parametrize("missing", [STATE_UNAVAILABLE, STATE_UNKNOWN])
async def test_without_readings_nothing_is_turned_on_and_a_short_silence_turns_nothing_off(
    hass: HomeAssistant, automate: Automate, minutes: Minutes, missing: str
) -> None:
    await automate("surplus_solar", grid_power=GRID, load=LOAD, minimum_on=0, minimum_off=0)
    await minutes(20)
    show(hass, GRID, missing)
    await minutes(20)
    assert load(hass) == STATE_OFF
    show(hass, GRID, -2500)
    await minutes(7)
    assert load(hass) == STATE_ON
    show(hass, GRID, missing)
    await minutes(6)
    show(hass, GRID, -500)
    await minutes(20)
    assert load(hass) == STATE_ON
    show(hass, GRID, missing)
    await minutes(18)
    assert load(hass) == STATE_OFF


async def test_a_load_that_is_away_is_left_alone(
    hass: HomeAssistant, automate: Automate, minutes: Minutes
) -> None:
    calls = async_mock_service(hass, "homeassistant", "turn_on")
    await automate("surplus_solar", grid_power=GRID, load="switch.boiler", minimum_off=0)
    show(hass, GRID, -2500)
    await minutes(10)
    show(hass, "switch.boiler", STATE_UNAVAILABLE)
    await minutes(10)
    assert calls == []


async def test_what_charges_the_battery_is_surplus_and_what_it_gives_is_import(
    hass: HomeAssistant, automate: Automate, minutes: Minutes
) -> None:
    await automate(
        "surplus_solar", grid_power=GRID, load=LOAD, battery_power=[BATTERY], minimum_on=0, minimum_off=0
    )
    show(hass, GRID, 0)
    show(hass, BATTERY, -2500)
    await minutes(7)
    assert load(hass) == STATE_ON
    show(hass, BATTERY, 1500)
    await minutes(7)
    assert load(hass) == STATE_OFF
    show(hass, GRID, -5000)
    show(hass, BATTERY, STATE_UNAVAILABLE)
    await minutes(10)
    assert load(hass) == STATE_OFF


async def test_the_battery_can_come_first(hass: HomeAssistant, automate: Automate, minutes: Minutes) -> None:
    await automate(
        "surplus_solar",
        grid_power=GRID,
        load=LOAD,
        battery_power=[BATTERY],
        battery_level=[LEVEL],
        minimum_on=0,
        minimum_off=0,
    )
    show(hass, GRID, -3000)
    show(hass, BATTERY, 0)
    for level in (STATE_UNKNOWN, 79):
        show(hass, LEVEL, level)
        await minutes(8)
        assert load(hass) == STATE_OFF
    show(hass, LEVEL, 80)
    await minutes(8)
    assert load(hass) == STATE_ON
    show(hass, LEVEL, 75)
    show(hass, GRID, 0)
    await minutes(15)
    assert load(hass) == STATE_ON


async def test_a_sensor_shown_in_kilowatts_is_read_as_such(
    hass: HomeAssistant, automate: Automate, minutes: Minutes
) -> None:
    await automate("surplus_solar", grid_power=GRID, load=LOAD, minimum_on=0, minimum_off=0)
    show(hass, GRID, -2.5, unit_of_measurement="kW")
    await minutes(7)
    assert load(hass) == STATE_ON
    show(hass, GRID, 0.5, unit_of_measurement="kW")
    await minutes(7)
    assert load(hass) == STATE_OFF


async def test_surplus_that_was_there_before_a_restart_still_turns_the_load_on(
    hass: HomeAssistant, automate: Automate, minutes: Minutes
) -> None:
    show(hass, GRID, -2500)
    await automate("surplus_solar", grid_power=GRID, load=LOAD, minimum_on=0, minimum_off=0)
    await minutes(3)
    await hass.services.async_call("automation", "turn_off", {"entity_id": "automation.under_test"})
    await hass.services.async_call("automation", "turn_on", {"entity_id": "automation.under_test"})
    await settle()
    await minutes(4)
    assert load(hass) == STATE_OFF
    await minutes(3)
    assert load(hass) == STATE_ON


async def read_again(simulator: Simulator, entry: MockConfigEntry, seconds: float) -> None:
    """Let time pass in the house, and read all that is due of it."""
    simulator.clock.advance(seconds)
    coordinator = entry.runtime_data
    await coordinator.async_refresh()
    assert coordinator.last_update_success, coordinator.last_exception
    await coordinator._background_poll
    await settle()


@pytest.fixture
def clock_speed() -> float:
    """Advance the house's time by hand."""
    return 0.0


@pytest.fixture
def by_hand(hass: HomeAssistant, entry: MockConfigEntry, set_up: SetUp) -> Callable[[], Awaitable[None]]:
    """Set the entry up with all its entities; the test decides when it is polled."""

    async def run() -> None:
        await set_up(entry, enable=True)
        hass.config_entries.async_update_entry(entry, pref_disable_polling=True)
        entry.runtime_data._unschedule_refresh()

    return run


def entity_of(hass: HomeAssistant, simulator: Simulator, key: str) -> str:
    """Give the gateway's sensor with this key."""
    entity_id = er.async_get(hass).async_get_entity_id("sensor", DOMAIN, f"{simulator.serial_number}_{key}")
    assert entity_id is not None
    return entity_id


async def test_a_simulated_house_switches_its_load_by_its_own_sun(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    by_hand: Callable[[], Awaitable[None]],
    automate: Automate,
    minutes: Minutes,
) -> None:
    await by_hand()
    grid = entity_of(hass, simulator, "grid_power")
    await automate(
        "surplus_solar", grid_power=grid, load=LOAD, turn_on_surplus=500, minimum_on=0, minimum_off=0
    )
    seen = []
    # Some hours about noon, then the evening, then the next morning.
    for hours in (0, 0.5, 0.5, 0.5, 0.5, 6, 0.5, 0.5, 0.5, 12, 0.5, 0.5, 0.5):
        await read_again(simulator, entry, hours * 3600)
        before = load(hass)
        await minutes(7)
        drawn = simulator.house.truth(simulator.clock.time()).net_consumption.total.active_power
        wanted = STATE_ON if drawn <= -500 else STATE_OFF if drawn >= 200 else before
        assert load(hass) == wanted
        seen.append(wanted)
    assert seen[0] == STATE_ON
    assert STATE_OFF in seen[5:9]
    assert STATE_ON in seen[9:]


# Warn on check-wiring or a meter that stopped


@pytest.fixture
def warned(hass: HomeAssistant) -> list[str]:
    """Return what the automation has said so far."""
    said: list[str] = []

    @callback
    def note(event: Event) -> None:
        said.append(event.data["message"])

    hass.bus.async_listen("warned", note)
    return said


WARN = {
    "warn": [{"event": "warned", "event_data": {"message": "{{ message }}"}}],
}
GOOD_AGAIN = {"good_again": [{"event": "warned", "event_data": {"message": "good again"}}]}


async def test_a_meter_whose_wiring_is_to_be_checked_is_told_of_once(
    hass: HomeAssistant, automate: Automate, minutes: Minutes, warned: list[str]
) -> None:
    show(hass, METER, STATE_UNKNOWN, event_type=None)
    show(hass, POWER, 100)
    await automate("meter_warning", meters=[METER], sensors=[POWER], **WARN, **GOOD_AGAIN)
    await minutes(10)
    assert warned == []
    show(hass, METER, "2026-06-21T12:10:00.000+00:00", event_type="check-wiring", friendly_name="Grid meter")
    await minutes(60)
    assert warned == ["Grid meter: check its wiring."]
    show(hass, METER, "2026-06-21T13:10:00.000+00:00", event_type="normal")
    await minutes(60)
    assert warned == ["Grid meter: check its wiring.", "good again"]


async def test_each_further_trouble_is_told_of(
    hass: HomeAssistant, automate: Automate, minutes: Minutes, warned: list[str]
) -> None:
    show(hass, METER, "2026-06-21T12:00:00.000+00:00", event_type="not-metering")
    show(hass, POWER, 100)
    await automate("meter_warning", meters=[METER], sensors=[POWER], silent_minutes=10, **WARN, **GOOD_AGAIN)
    await minutes(2)
    assert warned == [f"{METER}: it has stopped measuring."]
    show(hass, POWER, STATE_UNAVAILABLE)
    await minutes(13)
    [again] = warned[1:]
    assert sorted(again.splitlines()) == [
        f"{METER}: it has stopped measuring.",
        f"{POWER}: its readings are missing.",
    ]


@pytest.mark.parametrize("missing", [STATE_UNAVAILABLE, STATE_UNKNOWN])
async def test_readings_that_are_missing_for_long_are_told_of_but_not_the_nightly_silence(
    hass: HomeAssistant, automate: Automate, minutes: Minutes, warned: list[str], missing: str
) -> None:
    show(hass, METER, STATE_UNKNOWN, event_type=None)
    show(hass, POWER, 100)
    await automate("meter_warning", meters=[METER], sensors=[POWER], **WARN, **GOOD_AGAIN)
    show(hass, POWER, missing)
    await minutes(10)
    show(hass, POWER, 0)
    await minutes(30)
    assert warned == []
    show(hass, POWER, missing)
    await minutes(33)
    assert warned == [f"{POWER}: its readings are missing."]
    show(hass, POWER, 0)
    await minutes(2)
    assert warned[1:] == ["good again"]


async def test_a_silence_does_not_look_like_the_end_of_another_trouble(
    hass: HomeAssistant, automate: Automate, minutes: Minutes, warned: list[str]
) -> None:
    show(hass, METER, "2026-06-21T12:00:00.000+00:00", event_type="check-wiring")
    await automate("meter_warning", meters=[METER], **WARN, **GOOD_AGAIN)
    await minutes(5)
    show(hass, METER, STATE_UNAVAILABLE)
    await minutes(10)
    show(hass, METER, "2026-06-21T12:00:00.000+00:00", event_type="check-wiring")
    await minutes(10)
    assert warned == [f"{METER}: check its wiring."]


async def test_a_trouble_that_lasts_is_told_of_again(
    hass: HomeAssistant, automate: Automate, minutes: Minutes, warned: list[str]
) -> None:
    show(hass, METER, "2026-06-21T12:00:00.000+00:00", event_type="check-wiring")
    await automate("meter_warning", meters=[METER], remind_hours=1, **WARN)
    await minutes(58)
    assert len(warned) == 1
    await minutes(10)
    assert len(warned) == 2


async def test_without_actions_of_one_s_own_a_notification_comes_and_goes(
    hass: HomeAssistant, automate: Automate, minutes: Minutes
) -> None:
    created = async_mock_service(hass, "persistent_notification", "create")
    dismissed = async_mock_service(hass, "persistent_notification", "dismiss")
    show(hass, METER, "2026-06-21T12:00:00.000+00:00", event_type="check-wiring")
    await automate("meter_warning", meters=[METER])
    await minutes(3)
    show(hass, METER, "2026-06-21T12:03:00.000+00:00", event_type="normal")
    await minutes(3)
    [shown], [gone] = created, dismissed
    assert shown.data["message"] == f"{METER}: check its wiring."
    assert shown.data["notification_id"] == gone.data["notification_id"] == "automation_under_test"


async def test_the_gateway_s_own_meters_are_told_of(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    by_hand: Callable[[], Awaitable[None]],
    automate: Automate,
    minutes: Minutes,
    freezer: FrozenDateTimeFactory,
    monkeypatch: pytest.MonkeyPatch,
    warned: list[str],
) -> None:
    meters = Meters(hass, simulator)
    answer_with(monkeypatch, simulator, "/ivp/meters", meters.changed)
    await by_hand()
    events = [meters.entity_id(kind) for kind in ("production", "net-consumption")]
    sensors = [entity_of(hass, simulator, "production_power")]
    await automate("meter_warning", meters=events, sensors=sensors, **WARN, **GOOD_AGAIN)
    await minutes(5)
    meters.statuses["net-consumption"] = "check-wiring"
    freezer.tick(NEXT_LIST)
    await read_again(simulator, entry, NEXT_LIST)
    await minutes(2)
    name = f"{entry.title} Grid meter status change"
    assert warned == [f"{name}: check its wiring."]
    meters.statuses.clear()
    freezer.tick(NEXT_LIST)
    await read_again(simulator, entry, NEXT_LIST)
    await minutes(2)
    assert warned[1:] == ["good again"]


# Warn when a panel falls behind its neighbours


def sun(hass: HomeAssistant, elevation: float) -> None:
    """Have the sun stand at so many degrees."""
    show(hass, "sun.sun", "above_horizon" if elevation > 0 else "below_horizon", elevation=elevation)


def panels_make(hass: HomeAssistant, watts: list[float | str]) -> None:
    """Have each panel make so much."""
    for panel, value in zip(PANELS, watts, strict=True):
        show(hass, panel, value, unit_of_measurement="W")


async def test_in_the_evening_a_panel_that_fell_behind_is_named(
    hass: HomeAssistant, automate: Automate, minutes: Minutes, warned: list[str]
) -> None:
    await automate("panel_behind", panels=PANELS, **WARN)
    sun(hass, 45)
    # The median of the others is 200.
    panels_make(hass, [200, 205, 120, 195, 200])
    await minutes(180)
    assert warned == []
    sun(hass, 15)
    await minutes(10)
    assert warned == [f"Behind their neighbours today: {PANELS[2]} (60 %)."]
    await minutes(60)
    assert len(warned) == 1


async def test_panels_that_differ_as_healthy_ones_do_are_not_named(
    hass: HomeAssistant, automate: Automate, minutes: Minutes, warned: list[str]
) -> None:
    await automate("panel_behind", panels=PANELS, **WARN)
    sun(hass, 45)
    panels_make(hass, [200, 220, 180, 170, 230])
    await minutes(180)
    sun(hass, 0)
    await minutes(10)
    assert warned == []


async def test_night_low_sun_and_dark_hours_are_left_out(
    hass: HomeAssistant, automate: Automate, minutes: Minutes, warned: list[str]
) -> None:
    await automate("panel_behind", panels=PANELS, **WARN)
    # A chimney's shadow in the morning.
    sun(hass, 10)
    panels_make(hass, [100, 100, 5, 100, 100])
    await minutes(180)
    # A day too dark to tell anything.
    sun(hass, 30)
    panels_make(hass, [20, 20, 2, 20, 20])
    await minutes(180)
    # Two hours of good sun in which all make alike.
    panels_make(hass, [200, 200, 190, 200, 200])
    await minutes(130)
    sun(hass, -5)
    panels_make(hass, [0, 0, 0, 0, 0])
    await minutes(180)
    assert warned == []


async def test_a_short_shadow_is_weighed_with_the_rest_of_the_day(
    hass: HomeAssistant, automate: Automate, minutes: Minutes, warned: list[str]
) -> None:
    await automate("panel_behind", panels=PANELS, **WARN)
    sun(hass, 45)
    panels_make(hass, [200, 200, 20, 200, 200])
    await minutes(30)
    panels_make(hass, [200, 200, 200, 200, 200])
    await minutes(150)
    sun(hass, 0)
    await minutes(10)
    assert warned == []


async def test_after_a_restart_the_rest_of_the_day_is_judged_only_if_it_is_long_enough(
    hass: HomeAssistant, automate: Automate, minutes: Minutes, warned: list[str]
) -> None:
    await automate("panel_behind", panels=PANELS, **WARN)
    panels_make(hass, [200, 200, 20, 200, 200])
    for hours, told in ((1, 0), (3, 1)):
        sun(hass, 45)
        await minutes(hours * 60)
        sun(hass, 0)
        await minutes(10)
        assert len(warned) == told


async def test_what_is_missing_is_not_behind(
    hass: HomeAssistant, automate: Automate, minutes: Minutes, warned: list[str]
) -> None:
    await automate("panel_behind", panels=PANELS, **WARN)
    sun(hass, 45)
    panels_make(hass, [200, 200, STATE_UNAVAILABLE, 200, 100])
    await minutes(90)
    panels_make(hass, [STATE_UNAVAILABLE] * 5)
    await minutes(30)
    panels_make(hass, [200, 200, 190, 200, 100])
    await minutes(90)
    sun(hass, 0)
    await minutes(10)
    assert warned == [f"Behind their neighbours today: {PANELS[4]} (50 %)."]


@pytest.mark.parametrize("trouble", ["half", "silent"])
async def test_the_gateway_s_own_microinverters_are_compared(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    by_hand: Callable[[], Awaitable[None]],
    automate: Automate,
    minutes: Minutes,
    monkeypatch: pytest.MonkeyPatch,
    warned: list[str],
    trouble: str,
) -> None:
    first: dict[str, Any] = {}

    def changed(listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
        first.update(first or listed[0])
        if trouble == "silent":
            # As real gateways do: what was reported last stays in the list for ever.
            return [dict(first), *listed[1:]]
        return [listed[0] | {"lastReportWatts": listed[0]["lastReportWatts"] // 2}, *listed[1:]]

    answer_with(monkeypatch, simulator, "/api/v1/production/inverters", changed)
    await by_hand()
    registry = er.async_get(hass)
    panels = [
        entity.entity_id
        for entity in er.async_entries_for_config_entry(registry, entry.entry_id)
        if entity.domain == "sensor"
        and entity.unique_id.endswith("_power")
        and entity.translation_key is None
    ]
    assert len(panels) == 12
    await automate("panel_behind", panels=panels, **WARN)
    sun(hass, 45)
    for _ in range(30):
        await minutes(6)
        await read_again(simulator, entry, 360)
    sun(hass, 0)
    await minutes(10)
    assert len(warned) == 1
    assert f"Inverter {first['serialNumber']} (" in warned[0]
    assert warned[0].count("%") == 1
