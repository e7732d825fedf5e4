"""What a System Controller switches: dry contacts and the generator."""

import pytest
from homeassistant.const import STATE_OFF, STATE_ON, EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er

from custom_components.enphase_iq_gateway.enphase_api.local.proof import Timing
from enphase_companion.simulator import Simulator

from .helpers import NUMBER, SELECT, SWITCH, Change, Control, Show, entity_id, issues, settle, written


@pytest.fixture
def profile() -> str:
    """Return a house with dry contacts and a generator."""
    return "generator"


async def test_a_dry_contact_is_switched_on_the_device_that_shows_it(
    hass: HomeAssistant, simulator: Simulator, control: Control, show: Show, change: Change
) -> None:
    await control()
    before = show(SWITCH, "NO1_dry_contact").state
    is_closed = before == STATE_ON
    await change(SWITCH, "NO1_dry_contact", not is_closed)
    assert show(SWITCH, "NO1_dry_contact").state == (STATE_OFF if is_closed else STATE_ON)
    await settle(hass)
    assert issues(hass) == []
    assert ("NO1" in simulator.house.orders(simulator.clock.time()).closed) is not is_closed
    registered = er.async_get(hass).async_get(entity_id(hass, simulator, SWITCH, "NO1_dry_contact"))
    assert registered is not None
    # Home Assistant leaves it out when all of an area or a device is turned off.
    assert registered.entity_category is EntityCategory.CONFIG
    device = dr.async_get(hass).async_get(str(registered.device_id))
    assert isinstance(device, dr.DeviceEntry)
    assert device.model == "Dry contact"


@pytest.mark.parametrize(
    ("platform", "key", "value", "state"),
    [
        (SELECT, "NC1_dry_contact_mode", "soc", "soc"),
        (SELECT, "NC1_dry_contact_grid_action", "schedule", "schedule"),
        (NUMBER, "NC1_dry_contact_low_level", 25, "25"),
        (NUMBER, "NC1_dry_contact_high_level", 85, "85"),
    ],
)
async def test_a_rule_of_a_dry_contact_is_changed_with_all_its_settings(
    hass: HomeAssistant,
    simulator: Simulator,
    control: Control,
    show: Show,
    change: Change,
    platform: str,
    key: str,
    value: object,
    state: str,
) -> None:
    await control()
    others = {
        name: show(SELECT, f"NC1_dry_contact_{name}").state
        for name in ("mode", "grid_action", "micro_grid_action", "generator_action")
    }
    await change(platform, key, value)
    await settle(hass)
    assert show(platform, key).state.removesuffix(".0") == state
    for name, before in others.items():
        if not key.endswith(f"contact_{name}"):
            assert show(SELECT, f"NC1_dry_contact_{name}").state == before
    assert written(simulator) == ["/ivp/ss/dry_contact_settings"]
    assert issues(hass) == []


async def test_a_lower_limit_above_the_upper_one_is_not_sent(
    simulator: Simulator, control: Control, change: Change
) -> None:
    await control()
    with pytest.raises(HomeAssistantError) as raised:
        await change(NUMBER, "NC1_dry_contact_low_level", 100)
    assert raised.value.translation_key == "command_low_above_high"
    assert written(simulator) == []


@pytest.mark.parametrize("profile", ["generator+contacts-read-open"])
async def test_a_contact_that_is_reported_as_open_after_a_change_of_its_settings_is_not_believed(
    hass: HomeAssistant, control: Control, show: Show, change: Change
) -> None:
    entry = await control()
    if show(SWITCH, "NC1_dry_contact").state == STATE_OFF:
        await change(SWITCH, "NC1_dry_contact", True)
        await settle(hass)
    entry.runtime_data.gateway.control.timing = Timing(first=10, second=0.1, contacts=600, pause=0.02)
    await change(SELECT, "NC1_dry_contact_mode", "soc")
    assert show(SWITCH, "NC1_dry_contact").state != STATE_OFF


async def test_the_generator_is_switched(
    hass: HomeAssistant, simulator: Simulator, control: Control, show: Show, change: Change
) -> None:
    await control()
    assert show(SELECT, "generator_mode").state == "off"
    await change(SELECT, "generator_mode", "auto")
    assert show(SELECT, "generator_mode").state == "auto"
    await settle(hass)
    assert issues(hass) == []
    assert simulator.house.orders(simulator.clock.time()).generator == "auto"
    assert show(SWITCH, "generator_charging").state == STATE_ON
    await change(SWITCH, "generator_charging", False)
    assert show(SWITCH, "generator_charging").state == STATE_OFF
    await settle(hass)
    assert issues(hass) == []
    assert simulator.house.orders(simulator.clock.time()).charge_from_generator is False


@pytest.mark.parametrize("profile", ["generator+generator-always-charges"])
async def test_a_generator_that_a_gateway_lets_charge_again_is_an_issue(
    hass: HomeAssistant, control: Control, show: Show, change: Change
) -> None:
    await control(first=0.1)
    await change(SWITCH, "generator_charging", False)
    await settle(hass)
    assert show(SWITCH, "generator_charging").state == STATE_ON
    assert issues(hass) == ["command_ignored"]


async def test_the_generators_mode_is_known_while_its_configuration_is_not(
    simulator: Simulator, control: Control, show: Show
) -> None:
    simulator.faults.set("status", "/ivp/ss/gen_config", status=500)
    await control()
    assert show(SELECT, "generator_mode").state == "off"
