"""The blueprint that warns when a meter needs attention."""

from collections.abc import Awaitable, Callable

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import (  # type: ignore[import-untyped]
    MockConfigEntry,
    async_mock_service,
)

from enphase_companion.simulator import Simulator

from ..helpers import NEXT_LIST, Meters, change_response
from .helpers import METER, POWER, WARN, Automate, Minutes, entity_of, read_again, show

RESOLVED = {"resolved": [{"event": "warned", "event_data": {"message": "resolved"}}]}


async def test_check_wiring_of_a_meter_warns_once(
    hass: HomeAssistant, automate: Automate, minutes: Minutes, warned: list[str]
) -> None:
    show(hass, METER, STATE_UNKNOWN, event_type=None)
    show(hass, POWER, 100)
    await automate("meter_warning", meters=[METER], sensors=[POWER], **WARN, **RESOLVED)
    await minutes(10)
    assert warned == []
    show(hass, METER, "2026-06-21T12:10:00.000+00:00", event_type="check-wiring", friendly_name="Grid meter")
    await minutes(60)
    assert warned == ["Grid meter: check its wiring."]
    show(hass, METER, "2026-06-21T13:10:00.000+00:00", event_type="normal")
    await minutes(60)
    assert warned == ["Grid meter: check its wiring.", "resolved"]


async def test_each_further_problem_warns(
    hass: HomeAssistant, automate: Automate, minutes: Minutes, warned: list[str]
) -> None:
    show(hass, METER, "2026-06-21T12:00:00.000+00:00", event_type="not-metering")
    show(hass, POWER, 100)
    await automate("meter_warning", meters=[METER], sensors=[POWER], silent_minutes=10, **WARN, **RESOLVED)
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
async def test_readings_missing_for_long_warn_but_a_nightly_outage_does_not(
    hass: HomeAssistant, automate: Automate, minutes: Minutes, warned: list[str], missing: str
) -> None:
    show(hass, METER, STATE_UNKNOWN, event_type=None)
    show(hass, POWER, 100)
    await automate("meter_warning", meters=[METER], sensors=[POWER], **WARN, **RESOLVED)
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
    assert warned[1:] == ["resolved"]


async def test_missing_readings_do_not_end_another_warning(
    hass: HomeAssistant, automate: Automate, minutes: Minutes, warned: list[str]
) -> None:
    show(hass, METER, "2026-06-21T12:00:00.000+00:00", event_type="check-wiring")
    await automate("meter_warning", meters=[METER], **WARN, **RESOLVED)
    await minutes(5)
    show(hass, METER, STATE_UNAVAILABLE)
    await minutes(10)
    show(hass, METER, "2026-06-21T12:00:00.000+00:00", event_type="check-wiring")
    await minutes(10)
    assert warned == [f"{METER}: check its wiring."]


async def test_a_persistent_problem_warns_again(
    hass: HomeAssistant, automate: Automate, minutes: Minutes, warned: list[str]
) -> None:
    show(hass, METER, "2026-06-21T12:00:00.000+00:00", event_type="check-wiring")
    await automate("meter_warning", meters=[METER], remind_hours=1, **WARN)
    await minutes(58)
    assert len(warned) == 1
    await minutes(10)
    assert len(warned) == 2


async def test_without_custom_actions_a_notification_is_created_and_dismissed(
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


async def test_the_meters_of_a_simulated_gateway_warn(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up_without_polling: Callable[[], Awaitable[None]],
    automate: Automate,
    minutes: Minutes,
    freezer: FrozenDateTimeFactory,
    monkeypatch: pytest.MonkeyPatch,
    warned: list[str],
) -> None:
    meters = Meters(hass, simulator)
    change_response(monkeypatch, simulator, "/ivp/meters", meters.changed)
    await set_up_without_polling()
    events = [meters.entity_id(kind) for kind in ("production", "net-consumption")]
    sensors = [entity_of(hass, simulator, "production_power")]
    await automate("meter_warning", meters=events, sensors=sensors, **WARN, **RESOLVED)
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
    assert warned[1:] == ["resolved"]
