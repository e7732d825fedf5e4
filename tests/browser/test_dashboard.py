"""The dashboard of the integration, in houses of several kinds, on a wide and on a narrow screen."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Browser, expect

from development.demo import energy, entities
from tests.browser.conftest import OUTPUT
from tests.browser.frontend import HEIGHT, WIDTH, Frontend, open_page
from tests.browser.home import Home, running_home

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

NARROW = 390
#: The titles of the views that each house has.
VIEWS = {
    "no-meters": ["Now", "Power of the day", "Months and years", "Panels", "Health"],
    "three-phase": ["Now", "Power of the day", "Months and years", "Phases", "Panels", "Health"],
    "battery": ["Now", "Power of the day", "Months and years", "Phases", "Batteries", "Panels", "Health"],
    "sixty-inverters": ["Now", "Power of the day", "Months and years", "Phases", "Panels", "Health"],
}
SCREENS: tuple[tuple[int, Literal["light", "dark"]], ...] = (
    (WIDTH, "light"),
    (NARROW, "light"),
    (NARROW, "dark"),
)
PATH = "iq-gateway"
#: The translation keys of entities that are disabled by default, and that the house's owner has enabled.
ENABLED = (
    "meter_active_power_phase",
    "meter_voltage_phase",
    "meter_problem",
    "token_expiry",
    "certificate_expiry",
    "battery_unit_charge",
    "battery_unit_power",
)


@asynccontextmanager
async def furnished_home(place: Path, profile: str) -> AsyncIterator[Home]:
    """Run a home whose owner has enabled more sensors, and added both dashboards."""
    async with running_home(place / "home", profile) as home:
        await home.add_gateway()
        (entry,) = await home.entries()
        await home.choose_options(panel_sensors=True)
        sensors = await home.sensors()
        registered = await home.owner.ask("config/entity_registry/list")
        wanted = [each["unique_id"] for each in registered if each["translation_key"] in ENABLED]
        await entities.enable(home.owner, entry["entry_id"], wanted)
        await energy.set_up_dashboard(home.owner, sensors)
        await energy.import_history(home.owner, sensors, home.gateway.house, home.gateway.clock.start)
        await home.owner.ask("lovelace/dashboards/create", url_path=PATH, title="IQ Gateway", mode="storage")
        strategy = {"strategy": {"type": "custom:enphase-iq-gateway"}}
        await home.owner.ask("lovelace/config/save", url_path=PATH, config=strategy)
        yield home


@pytest.mark.parametrize("profile", VIEWS)
async def test_each_view_is_complete_on_wide_and_narrow_screens(
    profile: str, browser: Browser, tmp_path: Path
) -> None:
    async with (
        furnished_home(tmp_path, profile) as home,
        open_page(browser, home.process.url, OUTPUT) as frontend,
    ):
        problems: list[str] = []
        frontend.page.on("pageerror", lambda error: problems.append(str(error)))
        await frontend.sign_in()
        await frontend.open(f"/{PATH}")
        await _is_complete(frontend)
        tabs = frontend.page.locator("ha-tab-group-tab")
        assert [(await tab.inner_text()).strip() for tab in await tabs.all()] == VIEWS[profile]
        for title in VIEWS[profile]:
            path = _paths()[title]
            for width, scheme in SCREENS:
                await frontend.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                await frontend.open(f"/{PATH}/{path}", 2 * HEIGHT, width)
                await _is_complete(frontend)
                assert await frontend.page.evaluate("document.body.scrollWidth") <= width
                dark = "-dark" if scheme == "dark" else ""
                await frontend.picture(f"dashboard-{profile}-{path}-{width}{dark}")
        assert problems == []


def _paths() -> dict[str, str]:
    """Return the paths of the views by their English titles."""
    return {
        "Now": "now",
        "Power of the day": "power",
        "Months and years": "history",
        "Phases": "phases",
        "Batteries": "batteries",
        "Panels": "panels",
        "Health": "health",
    }


async def _is_complete(frontend: Frontend) -> None:
    """Wait until a view is shown; it has no card that failed, no missing entity and nothing still loading."""
    page = frontend.page
    await page.locator("hui-sections-view hui-card").first.wait_for()
    await expect(page.locator("hui-sections-view ha-spinner")).to_have_count(0)
    await expect(page.locator("hui-error-card, hui-warning")).to_have_count(0)
    await expect(page.get_by_text("Error loading")).to_have_count(0)
