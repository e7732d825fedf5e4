"""Bad responses of a gateway: their effect on the statistics and on the log."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from enphase_companion.simulator import Simulator

from ..conftest import SetUp, Tick, make_entry, state_of
from .history import ENERGIES, WITH_BATTERIES, advance_three_hours, require_correct_statistics
from .watch import AVAILABLE, UNAVAILABLE, Watch

READINGS = "/ivp/meters/readings"


@dataclass(frozen=True)
class Failure:
    """How a failure begins, and whether the gateway is unavailable while it lasts."""

    begin_failure: Callable[[Simulator], None]
    is_unavailable: bool = True


def _failure(
    name: str, path: str | None = None, *, is_unavailable: bool = True, status: int = 503
) -> Failure:
    return Failure(lambda simulator: simulator.faults.set(name, path, status=status), is_unavailable)


FAILURES = {
    "html": _failure("html"),
    "truncated": _failure("truncated"),
    "zeros": _failure("zeros", is_unavailable=False),
    "nan": _failure("nan"),
    "huge": _failure("huge", is_unavailable=False),
    "503": _failure("status"),
    "404": _failure("status", status=404),
    "401 for a page": _failure("refuse", READINGS),
    "reset": _failure("reset"),
    "redirect": _failure("redirect"),
    "counters-fall": _failure("counters-fall", is_unavailable=False),
    "sessions end": Failure(lambda simulator: simulator.gateway.sessions.end_all(), is_unavailable=False),
}


@pytest.mark.slow
@pytest.mark.parametrize("failure", FAILURES)
async def test_bad_responses_do_not_appear_in_the_statistics(
    recorded_entry: MockConfigEntry,
    hass: HomeAssistant,
    simulator: Simulator,
    tick: Tick,
    watch: Watch,
    failure: str,
) -> None:
    await advance_three_hours(
        tick, lambda: FAILURES[failure].begin_failure(simulator), simulator.faults.clear
    )
    await require_correct_statistics(hass, simulator)
    assert (
        watch.availability_changes(recorded_entry.title)
        == [UNAVAILABLE, AVAILABLE] * FAILURES[failure].is_unavailable
    )
    assert float(state_of(hass, simulator, "production_power")) > 0


@pytest.mark.slow
@pytest.mark.parametrize("failure", ["zeros", "nan", "html", "counters-fall"])
@pytest.mark.parametrize(
    ("profile", "keys"),
    [("battery", WITH_BATTERIES), ("no-meters", ENERGIES[:1]), ("total-consumption", ("home_energy",))],
)
async def test_all_energies_are_correct_despite_bad_responses(
    recorded_entry: MockConfigEntry,
    hass: HomeAssistant,
    simulator: Simulator,
    tick: Tick,
    keys: tuple[str, ...],
    failure: str,
) -> None:
    await advance_three_hours(
        tick, lambda: FAILURES[failure].begin_failure(simulator), simulator.faults.clear
    )
    await require_correct_statistics(hass, simulator, keys)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("profile", "keys"),
    [
        ("three-phase+meters-wrap", ENERGIES),
        ("no-meters+inverter-wraps", ENERGIES[:1]),
    ],
)
async def test_an_overflow_does_not_appear_in_the_statistics(
    recorded_entry: MockConfigEntry,
    hass: HomeAssistant,
    simulator: Simulator,
    tick: Tick,
    watch: Watch,
    keys: tuple[str, ...],
) -> None:
    await advance_three_hours(tick, lambda: None, lambda: None)
    await require_correct_statistics(hass, simulator, keys)
    assert watch.availability_changes(recorded_entry.title) == []
    assert recorded_entry.runtime_data.counters.active[f"{simulator.serial_number}_{keys[0]}"].offset > 0


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["three-phase+zeros-after-power-cut"])
async def test_a_power_failure_followed_by_zeros_does_not_appear_in_the_statistics(
    recorded_entry: MockConfigEntry,
    hass: HomeAssistant,
    simulator: Simulator,
    tick: Tick,
    watch: Watch,
) -> None:
    def restore_power() -> None:
        simulator.start()
        simulator.restart()

    await advance_three_hours(tick, simulator.stop, restore_power)
    await require_correct_statistics(hass, simulator)
    assert watch.availability_changes(recorded_entry.title) == [UNAVAILABLE, AVAILABLE]


@pytest.mark.parametrize("fault", ["html", "truncated", "nan", "huge", "zeros", "status", "refuse", "reset"])
@pytest.mark.parametrize("profile", ["battery", "no-meters", "ac-batteries"])
@pytest.mark.slow
async def test_setup_is_retried_until_the_gateway_responds_correctly(
    hass: HomeAssistant, simulator: Simulator, tick: Tick, fault: str
) -> None:
    entry = make_entry(simulator)
    simulator.faults.set(fault)
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    await tick(61, times=4)
    simulator.faults.clear()
    await tick(301, times=5)
    assert float(state_of(hass, simulator, "production_power")) > 0
    assert float(state_of(hass, simulator, "production_energy")) > 0


@pytest.mark.parametrize("fault", ["refuse", "reset"])
async def test_a_single_error_or_broken_connection_makes_nothing_unavailable(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick, watch: Watch, fault: str
) -> None:
    entry = await set_up(make_entry(simulator))
    for _ in range(5):
        simulator.faults.set(fault, READINGS, times=1)
        simulator.requests.clear()
        await tick()
        requested = [request.path for request in simulator.requests]
        assert requested == [READINGS, *["/auth/check_jwt"] * (fault == "refuse"), READINGS]
        assert state_of(hass, simulator, "production_power") != STATE_UNAVAILABLE
    assert watch.availability_changes(entry.title) == []


async def test_rejections_that_end_within_ten_minutes_start_no_reauth(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick, watch: Watch
) -> None:
    entry = await set_up(make_entry(simulator))
    simulator.restart()
    simulator.faults.set("refuse")
    simulator.requests.clear()
    await tick(61, times=9)
    logins = [request for request in simulator.requests if request.path == "/auth/check_jwt"]
    assert len(logins) == 9
    simulator.faults.clear()
    await tick(61)
    assert float(state_of(hass, simulator, "production_power")) > 0
    assert not hass.config_entries.flow.async_progress()
    assert watch.availability_changes(entry.title) == [UNAVAILABLE, AVAILABLE]


async def test_implausible_values_of_a_meter_are_unknown(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick
) -> None:
    entry = await set_up(make_entry(simulator), enable=True)
    simulator.faults.set("huge")
    await tick(61, times=20)
    shown = [state for state in hass.states.async_all("sensor") if "unit_of_measurement" in state.attributes]
    assert len(shown) > 50
    for state in shown:
        # Counters are held, and the prices have not been read again; implausible values are unknown.
        is_kept = "energy" in state.entity_id or state.entity_id.endswith("_price")
        assert state.state in (STATE_UNKNOWN, STATE_UNAVAILABLE) or is_kept, state
    assert entry.state is ConfigEntryState.LOADED
