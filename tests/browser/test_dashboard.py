"""The dashboard of the integration, in houses of several kinds, on a wide and on a narrow screen."""

import re
from collections.abc import AsyncIterator
from importlib import import_module
from typing import Any, Literal, NamedTuple

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, expect

from development.demo import energy, entities
from development.demo.flow import DOMAIN
from tests.browser.conftest import OUTPUT
from tests.browser.frontend import HEIGHT, WIDTH, Frontend, open_page
from tests.browser.home import Home, running_home

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

#: axe-core, whose package has no types.
AXE_SCRIPT: str = import_module("axe_playwright_python.base").AXE_SCRIPT

NARROW = 390
#: Pixels below the last card of a picture.
MARGIN = 24
SCREENS: tuple[tuple[int, Literal["light", "dark"]], ...] = (
    (WIDTH, "light"),
    (WIDTH, "dark"),
    (NARROW, "light"),
    (NARROW, "dark"),
)
#: The paths of the views by their titles, in order.
PATHS = {
    "Now": "now",
    "Power of the day": "power",
    "Months and years": "history",
    "Phases": "phases",
    "Batteries": "batteries",
    "Panels": "panels",
    "Health": "health",
}
#: The titles in the other languages.
TITLES = {
    "de": ["Jetzt", "Leistung des Tages", "Monate und Jahre", "Phasen", "Batterien", "Panels", "Zustand"],
    "es": ["Ahora", "Potencia del día", "Meses y años", "Fases", "Baterías", "Paneles", "Estado"],
    "fr": ["Maintenant", "Puissance du jour", "Mois et années", "Phases", "Batteries", "Panneaux", "État"],
    "nl": ["Nu", "Vermogen van de dag", "Maanden en jaren", "Fasen", "Batterijen", "Panelen", "Toestand"],
}
#: The houses, and the views that they do not have.
HOUSES: dict[str, set[str]] = {
    "no-meters": {"Phases", "Batteries"},
    "three-phase": {"Batteries"},
    "battery": set(),
    "sixty-inverters": {"Batteries"},
}
#: Those whose firmware has the details of all microinverters: energies of today.
DETAILED = ("three-phase", "battery")
#: The translation keys of entities that are disabled by default, and that the house's owner has enabled.
ENABLED = (
    "meter_active_power_phase",
    "meter_voltage_phase",
    "inverter_energy_today",
    "battery_unit_charge",
    "battery_unit_power",
)


class Dashboard(NamedTuple):
    """A home with the dashboard, and a page in which its owner is signed in."""

    profile: str
    home: Home
    frontend: Frontend

    @property
    def map(self) -> Locator:
        """The map of the panels."""
        return self.frontend.page.locator("enphase-iq-gateway-panels")

    @property
    def editor(self) -> Locator:
        """The editor of the map."""
        return self.frontend.page.locator("enphase-iq-gateway-panels-editor")


@pytest_asyncio.fixture(loop_scope="package", scope="module", params=HOUSES)
async def dashboard(
    request: pytest.FixtureRequest, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Dashboard]:
    """Yield a home whose owner has enabled more sensors, and added both dashboards."""
    async with running_home(tmp_path_factory.mktemp(request.param) / "home", request.param) as home:
        await home.add_gateway()
        (entry,) = await home.entries()
        await home.choose_options(panel_sensors=True)
        if request.param in DETAILED:
            details = [f"{each.serial_number}_energy_today" for each in home.gateway.house.inverters]
            await entities.wait_for_entities(home.owner, entry["entry_id"], details)
        registered = await home.owner.ask("config/entity_registry/list")
        wanted = [each["unique_id"] for each in registered if each["translation_key"] in ENABLED]
        await entities.enable(home.owner, entry["entry_id"], wanted)
        sensors = await home.sensors()
        await energy.set_up_dashboard(home.owner, sensors)
        await energy.import_history(home.owner, sensors, home.gateway.house, home.gateway.clock.start)
        await energy.add_gateway_dashboard(home.owner)
        async with open_page(browser, home.process.url, OUTPUT) as frontend:
            await frontend.sign_in()
            yield Dashboard(request.param, home, frontend)


async def test_each_view_is_complete_on_wide_and_narrow_screens(dashboard: Dashboard) -> None:
    frontend = dashboard.frontend
    problems: list[str] = []
    frontend.page.on("pageerror", lambda error: problems.append(str(error)))
    expected = [title for title in PATHS if title not in HOUSES[dashboard.profile]]
    await frontend.open(f"/{energy.DASHBOARD}")
    await _is_complete(frontend)
    tabs = frontend.page.locator("ha-tab-group-tab")
    assert [(await tab.inner_text()).strip() for tab in await tabs.all()] == expected
    for title in expected:
        for width, scheme in SCREENS:
            await frontend.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            await frontend.open(f"/{energy.DASHBOARD}/{PATHS[title]}", 2 * HEIGHT, width)
            await _is_complete(frontend)
            assert await frontend.page.evaluate("document.documentElement.scrollWidth") <= width
            name = f"dashboard-{dashboard.profile}-{PATHS[title]}-{width}"
            cards = await frontend.page.locator("hui-sections-view hui-card").all()
            boxes = [box for card in cards if (box := await card.bounding_box())]
            bottom = round(max(box["y"] + box["height"] for box in boxes)) + MARGIN
            await frontend.page.set_viewport_size({"width": width, "height": bottom})
            await frontend.picture(name if scheme == "light" else f"{name}-dark")
    assert problems == []


@pytest.mark.parametrize("dashboard", ["battery"], indirect=True)
async def test_it_speaks_the_language_of_its_user_and_fits_on_a_narrow_screen(dashboard: Dashboard) -> None:
    page, ask = dashboard.frontend.page, dashboard.home.owner.ask
    for language, titles in TITLES.items():
        await ask("frontend/set_user_data", key="language", value={"language": language})
        await dashboard.frontend.open(f"/{energy.DASHBOARD}/now", 2 * HEIGHT, NARROW)
        await expect(page.locator("html")).to_have_attribute("lang", language)
        tabs = page.locator("ha-tab-group-tab")
        await expect(tabs).to_have_text(titles)
        for path in ("now", "health"):
            await dashboard.frontend.open(f"/{energy.DASHBOARD}/{path}", 2 * HEIGHT, NARROW)
            await _is_complete(dashboard.frontend)
            assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW
            await dashboard.frontend.picture(f"dashboard-{language}-{path}")
    await ask("frontend/set_user_data", key="language", value={"language": "en"})


large_house = pytest.mark.parametrize("dashboard", ["sixty-inverters"], indirect=True)


@large_house
async def test_the_dialog_for_a_new_dashboard_lists_it(dashboard: Dashboard) -> None:
    page = dashboard.frontend.page
    await dashboard.frontend.open("/config/lovelace/dashboards")
    await page.get_by_role("button", name="Add dashboard").click()
    await page.locator("dashboard-card").filter(has_text="Enphase IQ Gateway").click()
    await page.locator("dialog-lovelace-dashboard-detail input").first.fill("My sun")
    await page.get_by_role("button", name="Create").click()
    await page.get_by_text("My sun").first.wait_for()
    found = await dashboard.home.owner.ask("lovelace/dashboards/list")
    [path] = [each["url_path"] for each in found if each["title"] == "My sun"]
    config = await dashboard.home.owner.ask("lovelace/config", url_path=path)
    assert config["strategy"] == {"type": "custom:enphase-iq-gateway"}


@pytest.mark.parametrize("dashboard", ["battery"], indirect=True)
async def test_axe_finds_nothing_in_the_map_and_its_editor(dashboard: Dashboard) -> None:
    page = dashboard.frontend.page
    for _, scheme in SCREENS[:2]:
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        await _open_map(dashboard)
        assert await _violations(dashboard.map) == []
        await dashboard.map.get_by_role("button", name="Today").click()
        await dashboard.map.get_by_text("Median").wait_for()
        assert await _violations(dashboard.map) == []
        await _open_editor(dashboard)
        assert await _violations(dashboard.editor) == []


@large_house
async def test_a_tap_on_a_panel_opens_its_history(dashboard: Dashboard) -> None:
    await _open_map(dashboard)
    panel = dashboard.map.locator(".panel").first
    name, _, value = str(await panel.get_attribute("aria-label")).partition(": ")
    assert re.fullmatch(r"\d+ W", value)
    await panel.focus()
    await dashboard.frontend.page.keyboard.press("Enter")
    await dashboard.frontend.page.locator("ha-more-info-dialog").get_by_text(name).first.wait_for()


@large_house
async def test_only_the_panel_that_has_changed_is_drawn_again(dashboard: Dashboard) -> None:
    await _open_map(dashboard)
    changed = await dashboard.map.evaluate(
        """async (card) => {
            const panels = [...card.shadowRoot.querySelectorAll(".panel")];
            const seen = new Set();
            const observer = new MutationObserver((records) =>
                records.forEach((each) => seen.add(panels.indexOf(each.target.closest(".panel")))));
            observer.observe(card.shadowRoot.querySelector(".map"),
                { attributes: true, childList: true, subtree: true });
            const { hass } = card;
            const id = card._panels[7].entity_id;
            const state = { ...hass.states[id], state: "1" };
            card.hass = { ...hass, states: { ...hass.states, [id]: state } };
            await new Promise((resolve) => setTimeout(resolve));
            observer.disconnect();
            return [[...seen], panels[7].textContent];
        }"""
    )
    assert changed == [[7], "1"]


@large_house
async def test_panels_are_moved_and_tilted_with_keys_and_by_dragging(dashboard: Dashboard) -> None:
    page, owner = dashboard.frontend.page, dashboard.home.owner
    await _open_map(dashboard)
    await _open_editor(dashboard)
    panels = dashboard.editor.locator(".panel")
    await panels.nth(0).focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "PageDown", "PageDown", "PageUp"):
        await page.keyboard.press(key)
    await dashboard.editor.get_by_text("column 0.5, row 0.25, 5°").wait_for()
    box = await panels.nth(1).bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    await page.mouse.move(x, y)
    await page.mouse.down()
    await page.mouse.move(x + 2 * box["width"], y, steps=4)
    await page.mouse.up()
    handle = await dashboard.editor.locator(".handle").bounding_box()
    box = await panels.nth(1).bounding_box()
    assert handle
    assert box
    await page.mouse.move(handle["x"] + 12, handle["y"] + 12)
    await page.mouse.down()
    # To the right of the panel: a quarter turn.
    await page.mouse.move(box["x"] + 3 * box["width"], box["y"] + box["height"] / 2, steps=4)
    await page.mouse.up()
    await dashboard.frontend.picture("dashboard-editor")
    await page.get_by_role("button", name="Save").click()
    await expect(dashboard.editor).to_have_count(0)
    strategy = (await owner.ask("lovelace/config", url_path=energy.DASHBOARD))["strategy"]
    places: list[dict[str, Any]] = list(strategy["places"].values())
    assert len(places) == 60
    assert places[0] == {"x": 0.5, "y": 0.25, "tilt": 5}
    # The box is narrower than the panel by the gap.
    assert places[1] == {"x": 2.75, "y": 0, "tilt": 90}
    await _open_map(dashboard)
    await expect(dashboard.map.locator(".panel").nth(1)).to_have_attribute(
        "style", re.compile(r"rotate\(90deg\)")
    )


@large_house
async def test_a_name_in_a_note_is_neither_markdown_nor_a_template(dashboard: Dashboard) -> None:
    home, page = dashboard.home, dashboard.frontend.page
    device = await entities.find_device(home.owner, DOMAIN, home.gateway.serial_number)
    name = "{{ 6 * 7 }} [*Roof*] <b>1</b>"
    await home.owner.ask("config/device_registry/update", device_id=device["id"], name_by_user=name)
    await dashboard.frontend.open(f"/{energy.DASHBOARD}/health", 2 * HEIGHT)
    await page.locator("ha-markdown").get_by_role("link", name=name, exact=True).wait_for()
    await home.owner.ask("config/device_registry/update", device_id=device["id"], name_by_user=None)


async def _open_map(dashboard: Dashboard) -> None:
    await dashboard.frontend.open(f"/{energy.DASHBOARD}/panels", 2 * HEIGHT)
    await dashboard.map.get_by_role("button", name=re.compile(r" \d+ W$")).first.wait_for()


async def _open_editor(dashboard: Dashboard) -> None:
    await dashboard.frontend.page.get_by_role("button", name="Edit dashboard").click()
    await dashboard.editor.locator(".panel").first.wait_for()


async def _violations(element: Locator) -> list[str]:
    """Return what axe-core finds in an element."""
    await element.page.evaluate(AXE_SCRIPT)
    return [
        f"{each['id']}: {each['nodes'][0]['html']}"
        for each in await element.evaluate("async (element) => (await axe.run(element)).violations")
    ]


async def _is_complete(frontend: Frontend) -> None:
    """Wait until a view is shown; it has no card that failed, no missing entity and nothing still loading."""
    page = frontend.page
    await page.locator("hui-sections-view hui-card").first.wait_for()
    await expect(page.locator("hui-sections-view ha-spinner")).to_have_count(0)
    await expect(page.locator("hui-error-card, hui-warning")).to_have_count(0)
    await expect(page.get_by_text("Error loading")).to_have_count(0)
