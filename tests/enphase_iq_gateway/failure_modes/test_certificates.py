"""Certificates that are renewed with the same key, or changed to another key, while the gateway is polled."""

import pytest
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway.const import CONF_CERTIFICATE
from enphase_companion.simulator import Simulator

from ..conftest import Tick, state_of
from ..helpers import accept, issue_of, repair
from .history import advance_three_hours, require_correct_statistics, true_energies
from .watch import AVAILABLE, UNAVAILABLE, Watch

pytestmark = [
    pytest.mark.slow,
    # The http component of Home Assistant, which repairs depend on.
    pytest.mark.filterwarnings("ignore:It is recommended to use web.AppKey"),
]


@pytest.mark.parametrize(
    "renewed", [{}, {"expired": True}, {"extensions": False}, {"common_name": "envoy"}], ids=str
)
async def test_a_certificate_renewed_with_the_same_key_is_accepted_silently(
    recorded_entry: MockConfigEntry,
    hass: HomeAssistant,
    simulator: Simulator,
    tick: Tick,
    watch: Watch,
    renewed: dict[str, bool],
) -> None:
    await advance_three_hours(tick, lambda: simulator.renew_certificate(**renewed), lambda: None)  # type: ignore[arg-type]
    await require_correct_statistics(hass, simulator)
    assert recorded_entry.data[CONF_CERTIFICATE] == simulator.certificate_pem
    assert issue_of(hass, recorded_entry) is None
    assert watch.availability_changes(recorded_entry.title) == []


async def test_a_changed_certificate_stops_polling_until_the_user_decides(
    recorded_entry: MockConfigEntry,
    hass: HomeAssistant,
    simulator: Simulator,
    tick: Tick,
    watch: Watch,
) -> None:
    def changes() -> None:
        simulator.renew_certificate(same_key=False)
        simulator.requests.clear()

    def is_still_asked() -> None:
        assert simulator.requests == []
        assert issue_of(hass, recorded_entry) is not None
        assert state_of(hass, simulator, "production_power") == STATE_UNAVAILABLE
        assert watch.availability_changes(recorded_entry.title) == [UNAVAILABLE]

    await advance_three_hours(tick, changes, is_still_asked)
    is_still_asked()
    await accept(hass, await repair(hass, recorded_entry))
    assert issue_of(hass, recorded_entry) is None
    assert watch.availability_changes(recorded_entry.title) == [UNAVAILABLE, AVAILABLE]
    # The energy of the outage is included, without a jump.
    shown = float(state_of(hass, simulator, "production_energy"))
    assert shown == pytest.approx(
        true_energies(simulator, simulator.clock.time())["production_energy"], abs=0.01
    )


async def test_the_issue_is_deleted_when_the_trusted_certificate_is_shown_again(
    recorded_entry: MockConfigEntry,
    hass: HomeAssistant,
    simulator: Simulator,
    tick: Tick,
    watch: Watch,
) -> None:
    def comes_back() -> None:
        assert issue_of(hass, recorded_entry) is not None
        simulator._key_number = 0
        simulator.renew_certificate()

    await advance_three_hours(tick, lambda: simulator.renew_certificate(same_key=False), comes_back)
    await require_correct_statistics(hass, simulator)
    assert issue_of(hass, recorded_entry) is None
    assert watch.availability_changes(recorded_entry.title) == [UNAVAILABLE, AVAILABLE]
