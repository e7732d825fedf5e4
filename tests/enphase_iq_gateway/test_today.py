"""The energies of today: since local midnight, over restarts, outages and both clock changes."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway.const import DOMAIN
from custom_components.enphase_iq_gateway.today import DailyEnergy
from enphase_companion.simulator import Simulator
from enphase_companion.simulator.truth import Truth

from .conftest import SetUp, Tick, make_entry

MIDNIGHT = datetime(2026, 6, 22, tzinfo=UTC)
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)

KEYS = [
    "production_energy",
    "grid_energy_imported",
    "grid_energy_exported",
    "home_energy",
    "battery_energy_charged",
    "battery_energy_discharged",
]


def test_energy_counts_from_midnight() -> None:
    day = DailyEnergy()
    day.update(1000, MIDNIGHT - 10 * SECOND, MIDNIGHT - 24 * HOUR)
    day.update(1040, MIDNIGHT + 30 * SECOND, MIDNIGHT)
    # A quarter of the energy of these 40 seconds is yesterday's.
    assert (day.energy(MIDNIGHT), day.last_reset(MIDNIGHT)) == (30, MIDNIGHT)
    day.update(6040, MIDNIGHT + 12 * HOUR, MIDNIGHT)
    assert (day.energy(MIDNIGHT), day.last_reset(MIDNIGHT)) == (5030, MIDNIGHT)


def test_the_first_day_counts_from_the_first_reading() -> None:
    day, noon = DailyEnergy(), MIDNIGHT + 12 * HOUR
    day.update(1000, noon, MIDNIGHT)
    day.update(1500, noon + HOUR, MIDNIGHT)
    assert (day.energy(MIDNIGHT), day.last_reset(MIDNIGHT)) == (500, noon)


def test_before_the_first_reading_of_a_day_it_is_zero() -> None:
    day = DailyEnergy()
    day.update(1000, MIDNIGHT - 2 * SECOND, MIDNIGHT - 24 * HOUR)
    day.update(1001, MIDNIGHT - SECOND, MIDNIGHT)
    assert (day.energy(MIDNIGHT), day.last_reset(MIDNIGHT)) == (0, MIDNIGHT)
    day.update(1001, MIDNIGHT, MIDNIGHT)
    assert (day.energy(MIDNIGHT), day.last_reset(MIDNIGHT)) == (0, MIDNIGHT)


@pytest.mark.parametrize(
    ("gap", "energy", "counts_from"),
    [
        (timedelta(hours=1), 50, MIDNIGHT),
        (timedelta(hours=1, seconds=2), 0, MIDNIGHT + 0.5 * timedelta(hours=1, seconds=2)),
        (timedelta(days=3), 0, MIDNIGHT + timedelta(days=1.5)),
    ],
)
def test_a_long_gap_at_midnight_is_not_split(gap: timedelta, energy: float, counts_from: datetime) -> None:
    day = DailyEnergy()
    day.update(1000, MIDNIGHT - gap / 2, MIDNIGHT - 24 * HOUR)
    today = MIDNIGHT if gap < 24 * HOUR else MIDNIGHT + 24 * HOUR
    day.update(1100, MIDNIGHT + gap / 2, today)
    assert (day.energy(today), day.last_reset(today)) == (energy, counts_from)


def test_after_a_long_gap_without_energy_the_day_is_complete() -> None:
    day = DailyEnergy()
    day.update(1000, MIDNIGHT - 3 * HOUR, MIDNIGHT - 24 * HOUR)
    day.update(1000, MIDNIGHT + 5 * HOUR, MIDNIGHT)
    assert (day.energy(MIDNIGHT), day.last_reset(MIDNIGHT)) == (0, MIDNIGHT)


def test_a_day_that_was_stored_with_a_wrong_clock_does_not_last_for_years() -> None:
    day = DailyEnergy()
    day.update(1000, MIDNIGHT + timedelta(days=2000), MIDNIGHT + timedelta(days=2000))
    day.update(1100, MIDNIGHT, MIDNIGHT)
    assert (day.energy(MIDNIGHT), day.last_reset(MIDNIGHT)) == (0, MIDNIGHT)
    # A clock that is set back by an hour at the start of Home Assistant loses nothing.
    day.update(1200, MIDNIGHT - HOUR, MIDNIGHT - 24 * HOUR)
    assert day.energy(MIDNIGHT) == 100


def test_another_time_zone_counts_from_the_next_reading() -> None:
    day = DailyEnergy()
    day.update(1000, MIDNIGHT, MIDNIGHT)
    day.update(1500, MIDNIGHT + 5 * HOUR, MIDNIGHT)
    moved = MIDNIGHT + 4 * HOUR
    day.update(1600, MIDNIGHT + 6 * HOUR, moved)
    assert (day.energy(moved), day.last_reset(moved)) == (0, MIDNIGHT + 6 * HOUR)


def test_a_day_is_stored_and_an_invalid_one_is_forgotten() -> None:
    day = DailyEnergy()
    assert DailyEnergy.from_dict(day.as_dict()) == day
    day.update(1000, MIDNIGHT, MIDNIGHT)
    assert DailyEnergy.from_dict(day.as_dict()) == day
    assert DailyEnergy.from_dict(day.as_dict() | {"start": "x"}) == DailyEnergy()


class Today:
    """The sensors of today, and what they should show, at a gateway whose clock is that of Home Assistant."""

    def __init__(self, hass: HomeAssistant, simulator: Simulator) -> None:
        self._hass = hass
        self._simulator = simulator

    def entity_id(self, key: str) -> str:
        """Return the entity id of the sensor of a lifetime energy, since midnight."""
        unique_id = f"{self._simulator.serial_number}_{key}_today"
        found = er.async_get(self._hass).async_get_entity_id("sensor", DOMAIN, unique_id)
        assert found is not None
        return found

    def state(self, key: str) -> State:
        """Return the state of this sensor."""
        state = self._hass.states.get(self.entity_id(key))
        assert state is not None
        return state

    def energies(self) -> dict[str, float]:
        """Return the shown energies (Wh)."""
        return {key: 1000 * float(self.state(key).state) for key in KEYS}

    def since(self, start: datetime) -> dict[str, float]:
        """Return the true energies (Wh) since a time."""
        before = _energies(self._simulator.house.truth(start.timestamp()))
        after = _energies(self._simulator.house.truth(dt_util.utcnow().timestamp()))
        return {key: after[key] - before[key] for key in KEYS}

    def resets(self) -> set[datetime]:
        """Return from when they count."""
        return {datetime.fromisoformat(self.state(key).attributes["last_reset"]) for key in KEYS}


def _energies(truth: Truth) -> Mapping[str, float]:
    grid, storage = truth.net_consumption.total, truth.storage.total
    return dict(
        zip(
            KEYS,
            [
                truth.production.total.energy_delivered,
                grid.energy_delivered,
                grid.energy_received,
                truth.total_consumption.total.energy_delivered,
                storage.energy_received,
                storage.energy_delivered,
            ],
            strict=True,
        )
    )


@pytest.fixture
def profile() -> str:
    """Return a house with all six energies."""
    return "battery"


@pytest.fixture
def today(hass: HomeAssistant, simulator: Simulator) -> Today:
    """Return the sensors of today."""
    return Today(hass, simulator)


async def start_at(
    hass: HomeAssistant,
    simulator: Simulator,
    freezer: FrozenDateTimeFactory,
    set_up: SetUp,
    start: datetime,
    zone: str = "UTC",
) -> MockConfigEntry:
    """Set the clocks of Home Assistant and of the house, and set up the entry."""
    await hass.config.async_set_time_zone(zone)
    freezer.move_to(start)
    simulator.clock.advance(start.timestamp() - simulator.clock.time())
    return await set_up(make_entry(simulator))


# Reading by reading, the energies of the house and of the sensors differ by the rounding of the gateway.
ROUNDED = 0.1


@pytest.mark.slow
@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 6, 22), date(2026, 10, 25)])
async def test_a_day_has_23_24_or_25_hours(
    hass: HomeAssistant,
    simulator: Simulator,
    freezer: FrozenDateTimeFactory,
    set_up: SetUp,
    tick: Tick,
    today: Today,
    day: date,
) -> None:
    zone = ZoneInfo("Europe/Berlin")
    midnight, next_midnight = (
        datetime.combine(each, time(), zone).astimezone(UTC) for each in (day, day + timedelta(days=1))
    )
    await start_at(hass, simulator, freezer, set_up, midnight - HOUR, str(zone))
    await tick(1800, times=2)
    assert today.energies() == pytest.approx(dict.fromkeys(KEYS, 0), abs=ROUNDED)
    while dt_util.utcnow() < next_midnight - HOUR / 2:
        await tick(1800)
        assert today.energies() == pytest.approx(today.since(midnight), abs=ROUNDED)
        assert today.resets() == {midnight}
    assert all(energy > 0 for energy in today.energies().values())
    await tick(1800, times=3)
    assert today.energies() == pytest.approx(today.since(next_midnight), abs=ROUNDED)
    assert today.resets() == {next_midnight}


async def test_a_restart_keeps_the_morning(
    hass: HomeAssistant,
    simulator: Simulator,
    freezer: FrozenDateTimeFactory,
    set_up: SetUp,
    tick: Tick,
    today: Today,
) -> None:
    entry = await start_at(hass, simulator, freezer, set_up, MIDNIGHT - HOUR)
    await tick(3600, times=12)
    await hass.config_entries.async_unload(entry.entry_id)
    # After a restart, only the stored counters are left.
    del hass.data[f"{DOMAIN}_counters"]
    freezer.tick(2 * HOUR)
    simulator.clock.advance(7200)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert today.energies() == pytest.approx(today.since(MIDNIGHT), abs=ROUNDED)
    assert today.resets() == {MIDNIGHT}


@pytest.mark.parametrize("hours_off", [0.5, 8])
async def test_after_a_restart_over_midnight_only_known_energy_counts(
    hass: HomeAssistant,
    simulator: Simulator,
    freezer: FrozenDateTimeFactory,
    set_up: SetUp,
    tick: Tick,
    today: Today,
    hours_off: float,
) -> None:
    entry = await start_at(hass, simulator, freezer, set_up, MIDNIGHT - 3 * HOUR)
    away = hours_off * HOUR
    await tick(60, times=1)
    freezer.move_to(MIDNIGHT - away / 2)
    simulator.clock.advance((MIDNIGHT - away / 2).timestamp() - simulator.clock.time())
    await tick(1)
    await hass.config_entries.async_unload(entry.entry_id)
    del hass.data[f"{DOMAIN}_counters"]
    freezer.tick(away)
    simulator.clock.advance(away.total_seconds())
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    back = dt_util.utcnow()
    await tick(600)
    if hours_off < 1:
        home, true = today.energies()["home_energy"], today.since(MIDNIGHT)["home_energy"]
        # The load of the house is not even.
        assert home == pytest.approx(true, rel=0.3)
        assert today.resets() == {MIDNIGHT}
    else:
        assert today.energies() == pytest.approx(today.since(back), abs=ROUNDED)
        # Nothing was exported at night: that of the whole day is known.
        assert today.resets() == {back, MIDNIGHT}


async def test_it_is_zero_at_midnight_without_a_reading(
    hass: HomeAssistant,
    simulator: Simulator,
    freezer: FrozenDateTimeFactory,
    set_up: SetUp,
    tick: Tick,
    today: Today,
) -> None:
    entry = await start_at(hass, simulator, freezer, set_up, MIDNIGHT - HOUR)
    await tick(60, times=10)
    assert today.energies()["home_energy"] > 0
    entry.runtime_data.update_interval = timedelta(seconds=300)
    await tick(49 * 60)
    await tick(55)
    simulator.requests.clear()
    await tick(6)
    assert simulator.requests == []
    assert today.energies() == dict.fromkeys(KEYS, 0)
    assert today.resets() == {MIDNIGHT}
    await tick(300)
    assert today.energies() == pytest.approx(today.since(MIDNIGHT), abs=20)


async def test_it_needs_neither_the_lifetime_sensor_nor_a_request(
    hass: HomeAssistant,
    simulator: Simulator,
    freezer: FrozenDateTimeFactory,
    set_up: SetUp,
    tick: Tick,
    today: Today,
) -> None:
    entry = await start_at(hass, simulator, freezer, set_up, MIDNIGHT)
    registry = er.async_get(hass)
    for registered in er.async_entries_for_config_entry(registry, entry.entry_id):
        if not registered.unique_id.endswith("_today"):
            registry.async_update_entity(registered.entity_id, disabled_by=er.RegistryEntryDisabler.USER)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    await tick(3600, times=10)
    simulator.requests.clear()
    await tick(11)
    assert [request.path for request in simulator.requests] == ["/ivp/meters/readings"]
    assert today.energies() == pytest.approx(today.since(MIDNIGHT), abs=ROUNDED)


async def test_a_gateway_that_is_offline_at_midnight_is_unavailable(
    hass: HomeAssistant,
    simulator: Simulator,
    freezer: FrozenDateTimeFactory,
    set_up: SetUp,
    tick: Tick,
    today: Today,
) -> None:
    await start_at(hass, simulator, freezer, set_up, MIDNIGHT - HOUR / 4)
    await tick(300)
    simulator.faults.set("status")
    await tick(60, times=12)
    assert today.state("home_energy").state == STATE_UNAVAILABLE
    simulator.faults.clear()
    await tick(60, times=20)
    assert today.resets() == {MIDNIGHT}
    home, true = today.energies()["home_energy"], today.since(MIDNIGHT)["home_energy"]
    assert 0 < home < 2 * true
