"""The websocket commands: the readings of each refresh as one event, and what does not change."""

from typing import Any

import pytest
from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import (  # type: ignore[import-untyped]
    MockConfigEntry,
    MockUser,
)
from pytest_homeassistant_custom_component.typing import (  # type: ignore[import-untyped]
    MockHAClientWebSocket,
    WebSocketGenerator,
)

from custom_components.enphase_iq_gateway.const import DOMAIN
from custom_components.enphase_iq_gateway.enphase_api.message import SCHEMA_VERSION
from custom_components.enphase_iq_gateway.websocket_api import _STREAMS, MAX_UNCONFIRMED
from enphase_companion.message import from_content
from enphase_companion.simulator import Simulator

from ..conftest import NOON, SetUp, Tick, disable_all, make_entry

SUBSCRIBE, INFO = f"{DOMAIN}/readings/subscribe", f"{DOMAIN}/info"
CONFIRM = f"{DOMAIN}/readings/confirm"

pytestmark = pytest.mark.filterwarnings("ignore:It is recommended to use web")  # Home Assistant's own


async def subscribe(client: MockHAClientWebSocket, **fields: Any) -> dict[str, Any]:
    """Subscribe, and return the first event."""
    await client.send_json_auto_id({"type": SUBSCRIBE, **fields})
    answer = await client.receive_json()
    assert answer["success"], answer
    return await event_of(client)


async def event_of(client: MockHAClientWebSocket) -> dict[str, Any]:
    message: dict[str, Any] = await client.receive_json()
    assert message["type"] == "event"
    event: dict[str, Any] = message["event"]
    return event


async def command(client: MockHAClientWebSocket, type_: str, **fields: Any) -> dict[str, Any]:
    await client.send_json_auto_id({"type": type_, **fields})
    answer: dict[str, Any] = await client.receive_json()
    return answer


async def test_a_subscriber_gets_the_newest_readings_at_once_and_then_each_refresh(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    tick: Tick,
    hass_ws_client: WebSocketGenerator,
) -> None:
    await set_up(entry)
    client = await hass_ws_client(hass)
    first = from_content(await subscribe(client))
    assert first.gateway == simulator.serial_number
    assert {(sample.measurement, sample.phase) for sample in first.samples} == {
        (measurement, phase) for measurement in ("production", "net-consumption") for phase in range(4)
    }
    simulator.requests.clear()
    await tick()
    second = from_content(await event_of(client))
    assert second.samples[0].measured_at - first.samples[0].measured_at == 11_000
    # One refresh, one request: a subscriber costs the gateway nothing.
    assert [request.path for request in simulator.requests if "readings" in request.path] == [
        "/ivp/meters/readings"
    ]


async def test_all_subscribers_get_the_same_readings(
    hass: HomeAssistant, entry: MockConfigEntry, set_up: SetUp, tick: Tick, hass_ws_client: WebSocketGenerator
) -> None:
    await set_up(entry)
    one, other = await hass_ws_client(hass), await hass_ws_client(hass)
    assert await subscribe(one) == await subscribe(other)
    await tick()
    assert await event_of(one) == await event_of(other)


async def test_a_reload_is_a_state_and_readings_follow(
    hass: HomeAssistant, entry: MockConfigEntry, set_up: SetUp, tick: Tick, hass_ws_client: WebSocketGenerator
) -> None:
    await set_up(entry)
    client = await hass_ws_client(hass)
    await subscribe(client)
    await hass.config_entries.async_reload(entry.entry_id)
    assert (await event_of(client))["state"] == "not_loaded"
    assert "meters" in await event_of(client)
    await tick()
    assert "meters" in await event_of(client)


async def test_a_removed_entry_ends_the_subscription_with_a_reason(
    hass: HomeAssistant, entry: MockConfigEntry, set_up: SetUp, hass_ws_client: WebSocketGenerator
) -> None:
    await set_up(entry)
    client = await hass_ws_client(hass)
    await subscribe(client)
    await hass.config_entries.async_remove(entry.entry_id)
    assert (await event_of(client))["state"] == "not_loaded"
    last = await event_of(client)
    assert last["state"] == "removed"
    assert last["reason"] == "the gateway's entry was removed from Home Assistant"
    answer = await command(client, SUBSCRIBE)
    assert answer["error"] == {
        "code": "not_found",
        "message": "no gateway (gateway_serial_number: none)",
    }
    assert not hass.data[_STREAMS]


async def test_a_disabled_entry_is_a_state_until_it_is_enabled(
    hass: HomeAssistant, entry: MockConfigEntry, set_up: SetUp, hass_ws_client: WebSocketGenerator
) -> None:
    await set_up(entry)
    client = await hass_ws_client(hass)
    await subscribe(client)
    await hass.config_entries.async_set_disabled_by(entry.entry_id, ConfigEntryDisabler.USER)
    assert (await event_of(client))["state"] == "not_loaded"
    await hass.config_entries.async_set_disabled_by(entry.entry_id, None)
    assert "meters" in await event_of(client)


async def test_a_silent_gateway_is_one_event_and_readings_follow(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    tick: Tick,
    hass_ws_client: WebSocketGenerator,
) -> None:
    await set_up(entry)
    client, late = await hass_ws_client(hass), await hass_ws_client(hass)
    await subscribe(client)
    simulator.faults.set("status")
    await tick(times=3)
    state = await event_of(client)
    assert state == {
        "schema_version": SCHEMA_VERSION,
        "gateway_serial_number": simulator.serial_number,
        "state": "unavailable",
        "reason": "Home Assistant cannot read the gateway at present",
    }
    # Old readings are not sent as if they were new.
    assert await subscribe(late) == state
    simulator.faults.clear()
    await tick(61)
    assert "meters" in await event_of(client)


async def test_a_subscriber_that_does_not_confirm_is_dropped_with_a_reason(
    hass: HomeAssistant, entry: MockConfigEntry, set_up: SetUp, tick: Tick, hass_ws_client: WebSocketGenerator
) -> None:
    await set_up(entry)
    silent, confirming = await hass_ws_client(hass), await hass_ws_client(hass)
    await subscribe(silent)
    await subscribe(confirming)
    for number in range(1, MAX_UNCONFIRMED):
        await tick()
        assert "meters" in await event_of(silent)
        assert "meters" in await event_of(confirming)
        if number == MAX_UNCONFIRMED // 2:
            answer = await command(confirming, CONFIRM, subscription=1, received=number + 1)
            assert answer["success"]
    await tick()
    last = await event_of(silent)
    assert last["state"] == "too_slow"
    assert last["reason"] == "the listener did not confirm 120 events"
    assert "meters" in await event_of(confirming)
    answer = await command(silent, CONFIRM, subscription=1, received=120)
    assert answer["error"]["message"] == "no such subscription"
    # It can subscribe again.
    assert "meters" in await subscribe(silent)


async def test_nothing_is_left_of_a_subscriber_that_disconnects(
    hass: HomeAssistant, entry: MockConfigEntry, set_up: SetUp, hass_ws_client: WebSocketGenerator
) -> None:
    await set_up(entry)
    listeners = len(entry.runtime_data._listeners)
    client = await hass_ws_client(hass)
    await subscribe(client)
    assert len(entry.runtime_data._listeners) == listeners + 1
    await client.close()
    await hass.async_block_till_done()
    assert not hass.data[_STREAMS]
    assert len(entry.runtime_data._listeners) == listeners


async def test_readings_are_polled_for_a_subscriber_alone(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    tick: Tick,
    hass_ws_client: WebSocketGenerator,
) -> None:
    await set_up(entry)
    await disable_all(hass, entry)
    client = await hass_ws_client(hass)
    first = from_content(await subscribe(client))
    await tick(times=2)
    second = from_content(await event_of(client))
    assert second.samples[0].measured_at > first.samples[0].measured_at


@pytest.mark.parametrize("profile", ["three-phase", "sixty-inverters"])
async def test_who_wants_panels_gets_the_report_of_each_once(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    tick: Tick,
    hass_ws_client: WebSocketGenerator,
) -> None:
    await set_up(entry)
    await disable_all(hass, entry)
    other, client = await hass_ws_client(hass), await hass_ws_client(hass)
    await subscribe(other)
    assert from_content(await subscribe(client, panels=True)).samples
    first = from_content(await event_of(client))
    assert {each.serial_number for each in first.inverters} == {
        each.serial_number for each in simulator.house.inverters
    }
    assert sum(each.energy is not None for each in first.inverters) == min(len(first.inverters), 50)
    await tick()
    assert from_content(await event_of(client)).samples
    await tick(300)
    await tick()
    events = [from_content(await event_of(client)) for _ in range(3)]
    (second,) = [event.inverters for event in events if event.inverters]
    assert all(new.measured_at > old.measured_at for old, new in zip(first.inverters, second, strict=True))
    assert "meters" in await event_of(other)
    assert "meters" in await event_of(other)


@pytest.mark.parametrize("profile", ["no-meters"])
async def test_without_a_production_meter_the_sum_of_the_microinverters_is_sent_once_for_each_response(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    tick: Tick,
    hass_ws_client: WebSocketGenerator,
) -> None:
    await set_up(entry)
    client = await hass_ws_client(hass)
    message = from_content(await subscribe(client))
    assert message.has_unmetered_production
    (sample,) = message.samples
    assert (sample.measurement, sample.phase) == ("production", 0)
    assert sample.quantities.active_power is not None
    assert sample.quantities.active_power > 1_000
    assert sample.quantities.energy_delivered is not None
    await tick(300)
    later = from_content(await event_of(client))
    assert later.samples[0].measured_at - sample.measured_at >= 300_000


async def test_info_has_what_does_not_change_and_nothing_secret(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    hass_ws_client: WebSocketGenerator,
) -> None:
    await set_up(entry)
    client = await hass_ws_client(hass)
    info = (await command(client, INFO))["result"]
    assert info["gateway_serial_number"] == simulator.serial_number
    assert info["schema_version"] == SCHEMA_VERSION
    assert info["firmware"] == simulator.house.profile.firmware.removeprefix("D")
    assert info["interval"] == 10
    assert [meter["measurement_type"] for meter in info["meters"]] == ["production", "net-consumption"]
    assert info["microinverters"] == simulator.house.profile.inverters
    assert info["peak_power"] > 1_000
    shown = f"{info}{await subscribe(client)}"
    for secret in (entry.data["token"], entry.data["certificate"], entry.data["host"]):
        assert secret not in shown


async def test_info_of_an_entry_that_is_not_loaded_has_what_is_known(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    hass_ws_client: WebSocketGenerator,
) -> None:
    await set_up(entry)
    await hass.config_entries.async_unload(entry.entry_id)
    client = await hass_ws_client(hass)
    info = (await command(client, INFO))["result"]
    assert info["gateway_serial_number"] == simulator.serial_number
    assert "meters" not in info
    assert (await subscribe(client))["state"] == "not_loaded"


async def test_of_several_gateways_one_is_named(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    hass_ws_client: WebSocketGenerator,
) -> None:
    await set_up(entry)
    with Simulator("single-phase", start=NOON, seed=99) as second:
        other = await set_up(make_entry(second))
        client = await hass_ws_client(hass)
        refused = await command(client, SUBSCRIBE)
        assert refused["error"]["code"] == "not_found"
        assert refused["error"]["message"] == (
            f"several gateways, name one (gateway_serial_number: {simulator.serial_number}, 122300000099)"
        )
        for each in (simulator, second):
            event = await subscribe(client, gateway_serial_number=each.serial_number)
            assert event["gateway_serial_number"] == each.serial_number
        refused = await command(client, INFO, gateway_serial_number="122300000000")
        assert refused["error"]["message"].startswith("no gateway 122300000000 (gateway_serial_number: ")
        await hass.config_entries.async_unload(other.entry_id)


async def test_a_user_who_may_only_read_gets_readings(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    set_up: SetUp,
    hass_ws_client: WebSocketGenerator,
    hass_read_only_access_token: str,
) -> None:
    await set_up(entry)
    client = await hass_ws_client(hass, hass_read_only_access_token)
    assert "meters" in await subscribe(client)


@pytest.mark.parametrize("name", [SUBSCRIBE, INFO])
async def test_a_user_who_may_not_read_the_entities_gets_nothing(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    hass_ws_client: WebSocketGenerator,
    hass_admin_user: MockUser,
    name: str,
) -> None:
    await set_up(entry)
    client = await hass_ws_client(hass)
    hass_admin_user.mock_policy({"entities": {"entity_ids": {"sensor.other": True}}})
    refused = await command(client, name, gateway_serial_number=simulator.serial_number)
    assert refused["error"]["code"] == "unauthorized"
    assert simulator.serial_number not in f"{refused}"


async def test_a_user_who_may_read_the_sensors_of_one_gateway_gets_only_that_one(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    hass_ws_client: WebSocketGenerator,
    hass_admin_user: MockUser,
) -> None:
    await set_up(entry)
    with Simulator("single-phase", start=NOON, seed=99) as second:
        other = await set_up(make_entry(second))
        entities = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
        allowed = {entity.entity_id: True for entity in entities}
        hass_admin_user.mock_policy({"entities": {"entity_ids": allowed}})
        client = await hass_ws_client(hass)
        # For this user there is only one.
        assert (await subscribe(client))["gateway_serial_number"] == simulator.serial_number
        refused = await command(client, SUBSCRIBE, gateway_serial_number=second.serial_number)
        assert refused["error"]["code"] == "not_found"
        await hass.config_entries.async_unload(other.entry_id)


async def test_nothing_waits_for_a_subscriber_that_stops_reading_from_its_socket(
    hass: HomeAssistant, entry: MockConfigEntry, set_up: SetUp, tick: Tick, hass_ws_client: WebSocketGenerator
) -> None:
    await set_up(entry)
    client = await hass_ws_client(hass)
    await subscribe(client)
    transport = client._response.connection.transport
    transport.pause_reading()
    # Home Assistant's pings are not answered, and no event is confirmed.
    await tick(times=MAX_UNCONFIRMED + 1)
    assert not hass.data[_STREAMS]
    transport.resume_reading()
