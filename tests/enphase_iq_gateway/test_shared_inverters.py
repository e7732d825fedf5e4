"""Two gateways that list the same microinverters: each belongs to the gateway that it reports to."""

from collections.abc import Callable, Generator
from typing import Any

import pytest
from homeassistant.const import CONF_SCAN_INTERVAL
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway.const import DOMAIN
from enphase_companion.simulator import Simulator

from .conftest import NOON, SetUp, Tick, make_entry

LIST, DETAILS = "/api/v1/production/inverters", "/ivp/pdm/device_data"
DAY = 86_400

type Listed = list[dict[str, Any]]
type ChangeList = Callable[[Simulator, Callable[[Listed], Listed]], None]


@pytest.fixture
def neighbour(simulator: Simulator) -> Generator[Simulator]:
    """Yield the gateway of the neighbouring house, on the same power line."""
    with Simulator("three-phase", seed=2, start=NOON, longitude=0, speed=0) as running:
        yield running


@pytest.fixture
def change_list(monkeypatch: pytest.MonkeyPatch) -> ChangeList:
    """Change the list of microinverters of a gateway."""

    def change(simulator: Simulator, changed: Callable[[Listed], Listed]) -> None:
        answers = simulator.gateway._answers
        get = type(answers).get

        def get_changed(path: str, query: str) -> Any:
            if path == DETAILS:
                # As with older firmware: the list is the only source.
                return None
            answer = get(answers, path, query)
            return changed(answer) if path == LIST else answer

        monkeypatch.setattr(answers, "get", get_changed)

    return change


def inverters_with(simulator: Simulator, **changes: Any) -> Listed:
    """Return the microinverters of a gateway with changed values."""
    listed: Listed = type(simulator.gateway._answers).get(simulator.gateway._answers, LIST, "")
    return [unit | changes for unit in listed]


def entry_of(simulator: Simulator) -> MockConfigEntry:
    return make_entry(simulator, options={CONF_SCAN_INTERVAL: 60})


def owners(hass: HomeAssistant, simulator: Simulator) -> set[str | None]:
    """Return the entries that the sensors and devices of a house's microinverters belong to."""
    registry, found = er.async_get(hass), set()
    for inverter in simulator.house.inverters:
        entity_id = registry.async_get_entity_id("sensor", DOMAIN, f"{inverter.serial_number}_power")
        registered = registry.async_get(str(entity_id))
        found.add(None if registered is None else registered.config_entry_id)
        identifiers = {(DOMAIN, inverter.serial_number)}
        for device in dr.async_get(hass).async_get_devices(identifiers=identifiers):
            found.add(device.config_entry_id)
    return found


def powers(hass: HomeAssistant, simulator: Simulator) -> list[str]:
    registry = er.async_get(hass)
    ids = [
        registry.async_get_entity_id("sensor", DOMAIN, f"{inverter.serial_number}_power")
        for inverter in simulator.house.inverters
    ]
    states = [hass.states.get(str(entity_id)) for entity_id in ids]
    return ["missing" if state is None else state.state for state in states]


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.slow
async def test_a_microinverter_that_never_reported_does_not_belong_to_a_gateway(
    hass: HomeAssistant,
    simulator: Simulator,
    neighbour: Simulator,
    set_up: SetUp,
    tick: Tick,
    change_list: ChangeList,
    caplog: pytest.LogCaptureFixture,
    is_first: bool,
) -> None:
    change_list(neighbour, lambda own: own + inverters_with(simulator, lastReportDate=0, lastReportWatts=0))
    change_list(simulator, lambda own: own + inverters_with(neighbour, lastReportDate=0, lastReportWatts=0))
    mine, theirs = entry_of(simulator), entry_of(neighbour)
    for entry in (mine, theirs) if is_first else (theirs, mine):
        await set_up(entry, enable=True)
    await tick(seconds=61, times=6)
    assert owners(hass, simulator) == {mine.entry_id}
    assert owners(hass, neighbour) == {theirs.entry_id}
    assert all(float(power) > 0 for power in powers(hass, simulator) + powers(hass, neighbour))
    assert "unique ID" not in caplog.text


@pytest.mark.slow
async def test_a_microinverter_belongs_to_the_gateway_with_its_latest_report(
    hass: HomeAssistant,
    simulator: Simulator,
    neighbour: Simulator,
    set_up: SetUp,
    tick: Tick,
    change_list: ChangeList,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The first gateway still lists panels that were moved to a second one."""
    mine, theirs = entry_of(simulator), entry_of(neighbour)
    await set_up(mine, enable=True)
    before = powers(hass, simulator)
    assert all(float(power) > 0 for power in before)

    long_ago = int(simulator.clock.time()) - DAY
    change_list(simulator, lambda own: [unit | {"lastReportDate": long_ago} for unit in own])
    change_list(neighbour, lambda own: own + inverters_with(simulator, lastReportWatts=123))
    await tick(seconds=61, times=6)
    await set_up(theirs, enable=True)
    await tick(seconds=61, times=8)
    assert owners(hass, simulator) == {theirs.entry_id}
    assert powers(hass, simulator) == ["123.0"] * len(before)

    await hass.config_entries.async_reload(mine.entry_id)
    await tick(seconds=61, times=6)
    assert owners(hass, simulator) == {theirs.entry_id}
    assert powers(hass, simulator) == ["123.0"] * len(before)
    assert "unique ID" not in caplog.text


@pytest.mark.slow
async def test_a_microinverter_that_reports_to_both_gateways_is_not_moved(
    hass: HomeAssistant,
    simulator: Simulator,
    neighbour: Simulator,
    set_up: SetUp,
    tick: Tick,
    change_list: ChangeList,
) -> None:
    change_list(neighbour, lambda own: own + inverters_with(simulator, lastReportWatts=123))
    mine, theirs = entry_of(simulator), entry_of(neighbour)
    await set_up(mine, enable=True)
    await set_up(theirs, enable=True)
    await tick(seconds=61, times=12)
    assert owners(hass, simulator) == {mine.entry_id}
    assert "123.0" not in powers(hass, simulator)


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["three-phase+inverter-wraps"])
async def test_the_lifetime_energy_of_a_moved_microinverter_continues(
    hass: HomeAssistant,
    simulator: Simulator,
    neighbour: Simulator,
    set_up: SetUp,
    tick: Tick,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = simulator.house.inverters[0].serial_number

    def energy() -> float:
        found = er.async_get(hass).async_get_entity_id("sensor", DOMAIN, f"{first}_lifetime_energy")
        state = hass.states.get(str(found))
        assert state is not None
        return float(state.state)

    get = type(simulator.gateway._answers).get
    mine, theirs = entry_of(simulator), entry_of(neighbour)
    await set_up(mine, enable=True)
    # Its counter starts again at zero.
    await tick(seconds=301, times=4)
    before = energy()
    assert mine.runtime_data.counters.active[f"{first}_lifetime_energy"].offset > 0

    def moved(path: str, query: str) -> Any:
        answer = get(simulator.gateway._answers, path, query)
        return {} if path == DETAILS else [] if path == LIST else answer

    def found(path: str, query: str) -> Any:
        answer = get(neighbour.gateway._answers, path, query)
        if path != DETAILS:
            return answer
        listed = get(simulator.gateway._answers, DETAILS, "").items()
        return answer | {f"1{key}": device for key, device in listed if isinstance(device, dict)}

    monkeypatch.setattr(simulator.gateway._answers, "get", moved)
    monkeypatch.setattr(neighbour.gateway._answers, "get", found)
    await tick(seconds=301, times=2)
    await set_up(theirs, enable=True)
    await tick(seconds=301, times=4)
    assert owners(hass, simulator) == {theirs.entry_id}
    assert before <= energy() < before + 1
