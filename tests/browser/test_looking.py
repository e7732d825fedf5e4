"""The page of the gateway and the Energy dashboard, compared with the simulated house."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from development.demo import energy
from development.demo.entities import find_device
from development.demo.flow import DOMAIN
from enphase_companion.simulator.truth import Truth
from tests.browser.frontend import TIMEOUT, Frontend, leading_number
from tests.browser.home import Home

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.usefixtures("with_gateway"),
]

#: Seconds within which a reading appears on the page.
MAX_DELAY = 10
TOLERANCE = 0.01
HOUR = 3600

#: Power (W) by name of the sensor.
POWERS: dict[str, Callable[[Truth], float]] = {
    "Production power": lambda t: t.production.total.active_power,
    "Grid power": lambda t: t.net_consumption.total.active_power,
    "Home power": lambda t: t.total_consumption.total.active_power,
    "Battery power": lambda t: t.storage.total.active_power,
}
#: Energy (Wh) by name of the sensor.
ENERGIES: dict[str, Callable[[Truth], float]] = {
    "Production energy": lambda t: t.production.total.energy_delivered,
    "Grid energy imported": lambda t: t.net_consumption.total.energy_delivered,
    "Grid energy exported": lambda t: t.net_consumption.total.energy_received,
    "Home energy": lambda t: t.total_consumption.total.energy_delivered,
    "Battery discharged": lambda t: t.storage.total.energy_delivered,
    "Battery charged": lambda t: t.storage.total.energy_received,
}
#: Energy (Wh) by name in the totals of the Energy dashboard, where export and charging are negative.
TOTALS: dict[str, Callable[[Truth], float]] = {
    "Panels": ENERGIES["Production energy"],
    "Grid imported": ENERGIES["Grid energy imported"],
    "Grid exported": lambda t: -ENERGIES["Grid energy exported"](t),
    "Home": ENERGIES["Home energy"],
    "Battery discharged": ENERGIES["Battery discharged"],
    "Battery charged": lambda t: -ENERGIES["Battery charged"](t),
}


async def test_the_page_of_the_gateway_shows_readings_and_updates_itself(
    home: Home, frontend: Frontend
) -> None:
    device = await find_device(home.owner, DOMAIN, home.gateway.serial_number)
    await frontend.open(f"/config/devices/device/{device['id']}", 810)
    await _wait_for_sensors(home, frontend)
    await frontend.picture("device-page")
    energy_then = leading_number(await frontend.state_of("Home energy").inner_text())
    home.gateway.clock.advance(HOUR)
    await _wait_for_sensors(home, frontend)
    assert leading_number(await frontend.state_of("Home energy").inner_text()) > energy_then


async def test_the_energy_dashboard_matches_the_house_after_a_day(home: Home, frontend: Frontend) -> None:
    house, clock = home.gateway.house, home.gateway.clock
    sensors = await home.sensors()
    await energy.set_up_dashboard(home.owner, sensors)
    await energy.import_history(home.owner, sensors, house, clock.start)
    for _ in range(24):
        clock.advance(HOUR)
        await _wait_for_energy(
            home, sensors["home_energy"], ENERGIES["Home energy"](house.truth(clock.time()))
        )
    await home.owner.post("/api/services/statistics_now/compile")
    midnight = house.midnight(clock.start)

    await frontend.open("/energy/electricity", 1440)
    await _wait_for_totals(home, frontend, midnight, clock.time())
    await frontend.picture("energy-today")
    await frontend.page.locator("hui-energy-period-selector").get_by_role("button", name="Previous").click()
    await _wait_for_totals(home, frontend, midnight - 24 * HOUR, midnight)
    await frontend.picture("energy-yesterday")


async def _wait_for_sensors(home: Home, frontend: Frontend) -> None:
    """Wait until all sensors on the page of the gateway match the house."""

    async def deviations() -> dict[str, str]:
        now = home.gateway.clock.time()
        recent = [home.gateway.house.truth(now - seconds) for seconds in range(MAX_DELAY)]
        found = {}
        for name, value in (POWERS | ENERGIES).items():
            unit, step = ("W", 1) if name in POWERS else ("kWh", 0.01)
            truths = [value(truth) / (1 if name in POWERS else 1000) for truth in recent]
            text = await frontend.state_of(name).inner_text()
            if not _matches(text, unit, min(truths), max(truths), step):
                found[name] = f"{text!r}, not {truths[0]:.2f} {unit}"
        return found

    await frontend.state_of("Home energy").wait_for()
    await _wait_for_no_deviations(deviations)


async def _wait_for_totals(home: Home, frontend: Frontend, begin: float, end: float) -> None:
    """Wait until the totals of the dashboard match the energies of the house between two times."""
    first, last = home.gateway.house.truth(begin), home.gateway.house.truth(end)
    totals = {name: (value(last) - value(first)) / 1000 for name, value in TOTALS.items()}
    rows = frontend.page.locator("hui-energy-sources-table-card tbody tr")

    async def deviations() -> dict[str, str]:
        cells = [text.split("\t") for text in await rows.all_inner_texts()]
        shown = {row[-2].strip(): row[-1].strip() for row in cells}
        return {
            name: f"{shown.get(name)!r}, not {total:.2f} kWh"
            for name, total in totals.items()
            if not _matches(shown.get(name, ""), "kWh", total, total, 0.01)
        }

    await rows.first.wait_for()
    await _wait_for_no_deviations(deviations)


def _matches(text: str, unit: str, low: float, high: float, step: float) -> bool:
    """Return whether a text such as "1,147 W" is within the tolerance; the page rounds to `step`."""
    if text.split()[1:] != [unit]:
        return False
    slack = TOLERANCE * max(abs(low), abs(high)) + step / 2
    return low - slack <= leading_number(text) <= high + slack


async def _wait_for_no_deviations(deviations: Callable[[], Awaitable[dict[str, str]]]) -> None:
    """Wait until there are no deviations; if they persist, fail with their texts."""
    found: dict[str, str] = {}
    try:
        async with asyncio.timeout(TIMEOUT / 1000):
            while found := await deviations():
                await asyncio.sleep(0.2)
    except TimeoutError:
        pytest.fail(f"the page shows {found}")


async def _wait_for_energy(home: Home, entity_id: str, watt_hours: float) -> None:
    """Wait until a sensor (kWh) reaches this energy (Wh)."""
    async with asyncio.timeout(TIMEOUT / 1000):
        while float(await home.state(entity_id)) * 1000 < watt_hours - 1:
            await asyncio.sleep(0.1)
